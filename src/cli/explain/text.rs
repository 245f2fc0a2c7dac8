//! For people: one screen.

use std::fmt::Write as _;

use super::Case;
use crate::model::{ActionPattern, Place, RuleRef, ShadowVerdict};
use crate::policy::{Explanation, Grantee};
use crate::proxy;

/// Digits of a generation's hash that are shown.
const HASH_DIGITS: usize = 6;

pub(super) fn render(case: &Case<'_>, explanation: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |head: &str, body: &str| {
        let line = format!("  {head:<10} {body}");
        let _infallible = writeln!(text, "{}", line.trim_end());
    };
    let caller = &case.scene.caller;
    line("caller", &who(case));
    line(
        "tenant",
        &placed(caller.tenant.as_str(), explanation.tenant.as_deref()),
    );
    let matched = explanation.denies.iter().filter(|deny| deny.covers());
    let (looked_at, matched) = (explanation.denies.len(), matched.count());
    line(
        "deny rules",
        &format!("{looked_at} looked at, {matched} matched"),
    );
    for deny in &explanation.denies {
        let why = deny.verdict();
        line(
            "",
            &placed(&format!("{}: {why}", deny.rule.name), Some(&deny.rule)),
        );
    }
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
    outcome(case, explanation, &mut line);
    format!("{}{}", verdict(case, explanation), text)
}

/// What allows the call, or what is missing, and what would count it.
fn outcome(case: &Case<'_>, explanation: &Explanation, line: &mut impl FnMut(&str, &str)) {
    let action = &case.scene.call.action;
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
            .counting(&case.scene.caller, action)
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
    let hash: String = case.generation.chars().take(HASH_DIGITS).collect();
    let head = match explanation.decision.refusal() {
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
pub(super) fn grantees(pattern: &ActionPattern, grantees: &[Grantee]) -> String {
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
    text
}
