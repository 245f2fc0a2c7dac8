//! For programs: one document.

use serde_json::{Value, json};

use super::Case;
use crate::model::RuleRef;
use crate::policy::{Explanation, Grantee};
use crate::proxy;

pub(super) fn render(case: &Case<'_>, explanation: &Explanation) -> String {
    let scene = &case.scene;
    let decision = &explanation.decision;
    let refusal = decision.refusal();
    let denies = explanation.denies.iter().map(|deny| {
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
    let counting = case
        .judges
        .quotas
        .counting(&scene.caller, &scene.call.action);
    let quotas = counting.map(|quota| statement(&quota.rule));
    let document = json!({
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
        "quotas": quotas.collect::<Vec<_>>(),
        "shadow": decision.shadow().map(|shadow| {
            json!({ "effect": shadow.effect(), "rule": statement(shadow.rule()) })
        }),
    });
    format!("{document:#}\n")
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
