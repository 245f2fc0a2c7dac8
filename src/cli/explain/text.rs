//! For people: one screen.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Case, Recorded};
use crate::audit::read::{Call, Rule};
use crate::model::{ActionPattern, Mode, Place, RuleRef, ShadowVerdict};
use crate::policy::{Examined, Explanation, Grantee};
use crate::protocol::Malformed;
use crate::proxy;

/// Digits of a generation's hash that are shown.
const HASH_DIGITS: usize = 6;

pub(super) fn render(case: &Case<'_>, explanation: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |head: &str, body: &str| {
        let line = format!("  {head:<10} {body}");
        let _infallible = writeln!(text, "{}", line.trim_end());
    };
    if let Some(record) = &case.record {
        recorded(case, explanation, record, &mut line);
    }
    for (head, note) in &case.notes {
        line(head, note);
    }
    let caller = &case.scene.caller;
    line("caller", &who(case));
    line(
        "tenant",
        &placed(caller.tenant.as_str(), explanation.tenant.as_deref()),
    );
    denies(case, explanation, &mut line);
    if let Some((needed, seniority)) = &explanation.rank_needed {
        let (rank, from) = &explanation.rank;
        let rank = match from {
            Some(role) => format!("{rank}, from {}", role.name),
            None => rank.to_string(),
        };
        let agent = &case.scene.agent;
        line(
            "rank",
            &placed(
                &format!("{rank}; {agent} asks for {needed}"),
                Some(seniority),
            ),
        );
    }
    line(
        "roles",
        if explanation.roles.is_empty() {
            "none"
        } else {
            ""
        },
    );
    for held in &explanation.roles {
        let name = &held.rule.name;
        let role = match &held.through {
            Some(through) => format!("{name} (inherited by {})", through.name),
            None => name.to_string(),
        };
        line("", &placed(&role, Some(&held.rule)));
    }
    if let Some(tool) = &explanation.tool {
        examined(tool, &mut line);
    }
    outcome(case, explanation, &mut line);
    format!("{}{}", verdict(case, explanation), text)
}

/// The deny rules about the action, and why each covers the call or does not.
fn denies(case: &Case<'_>, explanation: &Explanation, line: &mut impl FnMut(&str, &str)) {
    let (mut matched, mut verdicts) = (0, Vec::new());
    for deny in &explanation.denies {
        let unknown = case.unknown_to(&deny.rule);
        let why = if unknown.is_empty() {
            matched += usize::from(deny.covers());
            deny.verdict()
        } else {
            format!("when unknown: {}", not_captured(&unknown))
        };
        verdicts.push((&deny.rule, why));
    }
    let looked_at = verdicts.len();
    line(
        "deny rules",
        &format!("{looked_at} looked at, {matched} matched"),
    );
    for (rule, why) in verdicts {
        line("", &placed(&format!("{}: {why}", rule.name), Some(rule)));
    }
}

fn not_captured(paths: &[String]) -> String {
    let verb = if paths.len() == 1 { "was" } else { "were" };
    format!("{} {verb} not captured", paths.join(", "))
}

/// How it was decided once, and whether that is how it is decided now.
fn recorded(
    case: &Case<'_>,
    explanation: &Explanation,
    record: &Recorded<'_>,
    line: &mut impl FnMut(&str, &str),
) {
    line(
        "recorded",
        &format!("{} at {}", outcome_of(record.call), record.call.time),
    );
    let then = match &record.call.generation {
        Some(by) => format!("generation {} ({})", by.number, head_of(&by.hash)),
        None => "another generation".to_owned(),
    };
    let is_same = case.answer(explanation).map(|now| now == record.allowed);
    let judged = match (record.is_same_generation, is_same) {
        (true, Some(true)) => "by these very policies",
        (true, Some(false)) => {
            "by these very policies, and not as it comes out here: the time or what was remembered differs"
        }
        (true, None) => "by these very policies; what they read was not captured",
        (false, Some(true)) => "by other policies than these, with the same answer",
        (false, Some(false)) => "by other policies than these, with ANOTHER ANSWER",
        (false, None) => "by other policies than these; the answer may differ",
    };
    line("", &format!("{then}, {judged}"));
}

/// `allowed by analyst`, `refused: rate-limited by fair-share`.
fn outcome_of(call: &Call) -> String {
    let by = |rule: &Option<Rule>| match rule {
        Some(rule) => format!(" by {}", rule.name),
        None => String::new(),
    };
    match (&*call.decision, &call.reason) {
        ("allow", None) => format!("allowed{}", by(&call.rule)),
        // Whatever ended it has taken the place of the statement that had allowed it.
        ("allow", Some(reason)) => format!("allowed, then {reason}"),
        (_, Some(reason)) => format!("refused: {reason}{}", by(&call.rule)),
        (_, None) => "refused".to_owned(),
    }
}

/// A call that was answered before the policy was asked.
pub(super) fn before(call: &Call) -> String {
    let status = call.status.map(|status| status.to_string());
    let mut text = format!(
        "{} {}  {}\n",
        if call.decision == "allow" {
            "ANSWERED"
        } else {
            "REFUSED"
        },
        status.unwrap_or_default(),
        call.reason.as_deref().unwrap_or("without asking an agent"),
    );
    let mut line = |head: &str, body: &str| {
        let _infallible = writeln!(text, "  {head:<10} {body}");
    };
    line("recorded", &call.time);
    if let (Some(method), Some(path)) = (&call.method, &call.path) {
        line("request", &format!("{method} {path}"));
    }
    if let Some(source) = &call.source {
        line("from", source);
    }
    if let Some(detail) = &call.detail {
        line("why", detail);
    }
    line("policy", "was not asked: this was settled before it");
    text
}

/// A request that is no call.
pub(super) fn refused(malformed: &Malformed) -> String {
    let (reason, dialect) = (malformed.refusal.reason, malformed.dialect);
    let status = proxy::status(reason, dialect).as_u16();
    let why = malformed.refusal.detail.as_deref().unwrap_or_default();
    format!(
        "REFUSED {status}  {reason}\n  {:<10} {why}\n  {:<10} is not asked: this is settled before it\n",
        "why", "policy",
    )
}

/// What was made of the arguments of a tool.
fn examined(tool: &Examined, line: &mut impl FnMut(&str, &str)) {
    let watched = match tool.mode {
        Mode::Enforce => "",
        Mode::Shadow => ", which is only watched",
    };
    let name = &tool.rule.name;
    let fact = match tool.wrong.len() {
        0 => format!("{name}: arguments as they must be{watched}"),
        1 => format!("{name}: 1 argument is wrong{watched}"),
        wrong => format!("{name}: {wrong} arguments are wrong{watched}"),
    };
    line("tool", &placed(&fact, Some(&tool.rule)));
    for wrong in &tool.wrong {
        line("", &wrong.to_string());
    }
}

/// What allows the call, or what is missing, and what would count it.
fn outcome(case: &Case<'_>, explanation: &Explanation, line: &mut impl FnMut(&str, &str)) {
    let action = &case.scene.call.action;
    if !case.unknown.is_empty() {
        for need in &case.unknown {
            let unknown = format!("{}, which {} reads", need.value, need.rule.name);
            line("unknown", &placed(&unknown, Some(need.rule)));
        }
        return;
    }
    match explanation.decision.refusal() {
        None => {
            let rule = explanation.decision.rule().map(|rule| &**rule);
            let name = rule.map_or("", |rule| &rule.name);
            line("allowed by", &placed(name, rule));
        }
        Some(refusal) => {
            let detail = refusal.detail.as_deref().unwrap_or_default();
            line("refused", &placed(detail, refusal.rule.as_deref()));
        }
    }
    if !explanation.decision.is_allow() {
        for nearest in &explanation.nearest {
            let (name, pattern, lacks) = (&nearest.rule.name, &nearest.pattern, &nearest.mismatch);
            let body = format!("{name} `{pattern}`, {lacks}");
            line("nearest", &placed(&body, Some(&nearest.rule)));
        }
        line("quotas", "not reached");
    } else {
        let quotas: Vec<_> = case
            .judges
            .quotas
            .counting(&case.scene.caller, action, case.scene.call.may_begin_task())
            .collect();
        line(
            "quotas",
            if quotas.is_empty() {
                "none counts it"
            } else {
                ""
            },
        );
        for quota in quotas {
            line("", &placed(&quota.rule.name, Some(&quota.rule)));
        }
    }
    if let Some(shadow) = explanation.decision.shadow() {
        line("shadow", &placed(&shadowed(shadow), Some(shadow.rule())));
    }
}

fn shadowed(shadow: &ShadowVerdict) -> String {
    format!("{} would {}", shadow.rule().name, shadow.effect())
}

/// `DENY 403  default-deny     (9f31c0)`.
fn verdict(case: &Case<'_>, explanation: &Explanation) -> String {
    let hash = head_of(case.generation);
    let head = match explanation.decision.refusal() {
        _ if !case.unknown.is_empty() => {
            let mut paths: Vec<_> = case.unknown.iter().map(|need| need.value.clone()).collect();
            paths.sort();
            paths.dedup();
            format!("UNKNOWN  {}", not_captured(&paths))
        }
        None => {
            let rule = explanation.decision.rule();
            format!("ALLOW  {}", rule.map_or("", |rule| &rule.name))
        }
        Some(refusal) => {
            let status = proxy::status(refusal.reason, case.scene.call.dialect).as_u16();
            format!("DENY {status}  {}", refusal.reason)
        }
    };
    format!("{head:<52} generation {hash}\n")
}

fn head_of(hash: &str) -> String {
    hash.chars().take(HASH_DIGITS).collect()
}

fn who(case: &Case<'_>) -> String {
    let caller = &case.scene.caller;
    if caller.is_anonymous() {
        return "anonymous: no credential".to_owned();
    }
    let groups = match caller.groups.as_slice() {
        [] => "no groups".to_owned(),
        groups => format!("groups {}", groups.join(", ")),
    };
    format!("{} of identity {}, {groups}", caller.id, caller.identity)
}

/// A fact, and in one column where it stands.
fn placed(fact: &str, rule: Option<&RuleRef>) -> String {
    let place = rule
        .and_then(|rule| rule.place.as_ref())
        .map(Place::to_string);
    match (place, rule) {
        (Some(place), _) => format!("{fact:<38} {place}"),
        (None, Some(_)) => format!("{fact:<38} built in"),
        (None, None) => fact.to_owned(),
    }
}

/// Who may do something.
pub(super) fn grantees(
    pattern: &ActionPattern,
    grantees: &[Grantee],
    tools: &[Arc<RuleRef>],
) -> String {
    if grantees.is_empty() {
        return format!("nobody may {pattern}\n");
    }
    let mut text = String::new();
    for grantee in grantees {
        let body = format!(
            "{} `{}`: {}",
            grantee.rule.name, grantee.pattern, grantee.to
        );
        let _infallible = writeln!(text, "{}", placed(&body, Some(&grantee.rule)));
    }
    text.push_str("deny rules may still refuse them\n");
    for tool in tools {
        let body = format!("the arguments of tool {} are looked at", tool.name);
        let _infallible = writeln!(text, "{}", placed(&body, Some(tool)));
    }
    text
}
