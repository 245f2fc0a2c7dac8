//! For programs: one document.

use serde_json::{Map, Value, json};

use super::{Case, Recorded};
use crate::audit::read::Call;
use crate::model::{Mode, RuleRef};
use crate::policy::{Examined, Explanation, Grantee};
use crate::protocol::Malformed;
use crate::proxy;

pub(super) fn render(case: &Case<'_>, explanation: &Explanation) -> String {
    let scene = &case.scene;
    let decision = &explanation.decision;
    let refusal = decision.refusal();
    let denies = explanation.denies.iter().map(|deny| {
        if !case.unknown_to(&deny.rule).is_empty() {
            return json!({ "rule": statement(&deny.rule), "matched": null, "why": null });
        }
        json!({ "rule": statement(&deny.rule), "matched": deny.covers(), "why": deny.verdict() })
    });
    let roles = explanation.roles.iter().map(|held| {
        let through = held.through.as_ref().map(|through| &*through.name);
        json!({ "role": statement(&held.rule), "inheritedBy": through })
    });
    let nearest = explanation.nearest.iter().map(|nearest| {
        let (pattern, lacks) = (nearest.pattern.to_string(), nearest.mismatch.to_string());
        json!({ "rule": statement(&nearest.rule), "pattern": pattern, "lacks": lacks })
    });
    let counting = case.judges.quotas.counting(
        &scene.caller,
        &scene.call.action,
        scene.call.may_begin_task(),
    );
    let quotas = counting.map(|quota| statement(&quota.rule));
    let mut document = json!({
        "decision": if decision.is_allow() { "allow" } else { "deny" },
        "reason": refusal.map(|refusal| refusal.reason.as_str()),
        "status": refusal.map(|refusal| proxy::status(refusal.reason, scene.call.dialect).as_u16()),
        "detail": refusal.and_then(|refusal| refusal.detail.as_deref()),
        "rule": decision.rule().map(|rule| statement(rule)),
        "generation": case.generation,
        "action": scene.call.action.to_string(),
        "agent": scene.agent,
        "at": scene.at.to_string(),
        "source": scene.source.to_string(),
        "caller": {
            "identity": scene.caller.identity.as_str(),
            "id": scene.caller.id.as_str(),
            "tenant": scene.caller.tenant.as_str(),
            "groups": scene.caller.groups,
        },
        "tenant": explanation.tenant.as_deref().map(statement),
        "denyRules": denies.collect::<Vec<_>>(),
        "rank": explanation.rank.0,
        "rankNeeded": explanation.rank_needed.as_ref().map(|(needed, _)| needed),
        "roles": roles.collect::<Vec<_>>(),
        "nearest": nearest.collect::<Vec<_>>(),
        "tool": explanation.tool.as_ref().map(examined),
        "quotas": quotas.collect::<Vec<_>>(),
        "shadow": decision.shadow().map(|shadow| {
            json!({ "effect": shadow.effect(), "rule": statement(shadow.rule()) })
        }),
    });
    if let Some(fields) = document.as_object_mut() {
        besides(case, explanation, fields);
    }
    format!("{document:#}\n")
}

/// What only some ways of asking have.
fn besides(case: &Case<'_>, explanation: &Explanation, fields: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    if !case.notes.is_empty() {
        let notes = case.notes.iter().map(|(_, note)| &**note);
        put("notes", notes.collect());
    }
    if !case.unknown.is_empty() {
        let unknown = case
            .unknown
            .iter()
            .map(|need| json!({ "path": need.value.clone(), "rule": statement(need.rule) }));
        put("unknown", unknown.collect());
        // What came out without them is nobody's answer.
        for guessed in ["decision", "reason", "status", "detail", "rule"] {
            put(guessed, Value::Null);
        }
    }
    if let Some(record) = &case.record {
        put("recorded", recorded(record, case.answer(explanation)));
    }
}

/// How it was decided once; the record itself says all.
fn recorded(record: &Recorded<'_>, now: Option<bool>) -> Value {
    json!({
        "allowed": record.allowed,
        "sameGeneration": record.is_same_generation,
        "sameAnswer": now.map(|now| now == record.allowed),
        "record": record.call,
    })
}

/// A call that was answered before the policy was asked.
pub(super) fn before(call: &Call) -> String {
    let document = json!({ "decision": null, "asked": false, "recorded": { "record": call } });
    format!("{document:#}\n")
}

/// A request that is no call.
pub(super) fn refused(malformed: &Malformed) -> String {
    let (reason, dialect) = (malformed.refusal.reason, malformed.dialect);
    let document = json!({
        "decision": "deny",
        "asked": false,
        "reason": reason.as_str(),
        "status": proxy::status(reason, dialect).as_u16(),
        "detail": malformed.refusal.detail.as_deref(),
    });
    format!("{document:#}\n")
}

fn examined(tool: &Examined) -> Value {
    let wrong = tool.wrong.iter().map(
        |wrong| json!({ "argument": wrong.argument, "fact": wrong.fact, "remedy": wrong.remedy }),
    );
    json!({
        "rule": statement(&tool.rule),
        "enforced": tool.mode == Mode::Enforce,
        "wrong": wrong.collect::<Vec<_>>(),
    })
}

pub(super) fn grantees(grantees: &[Grantee]) -> String {
    let grantees = grantees.iter().map(|grantee| {
        let pattern = grantee.pattern.to_string();
        json!({ "rule": statement(&grantee.rule), "pattern": pattern, "to": grantee.to })
    });
    format!("{:#}\n", Value::Array(grantees.collect()))
}

fn statement(rule: &RuleRef) -> Value {
    let place = rule.place.as_ref();
    json!({
        "name": &*rule.name,
        "file": place.map(|place| &*place.file),
        "line": place.map(|place| place.line),
    })
}
