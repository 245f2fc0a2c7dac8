//! Allows of which denies leave nothing.

use super::Draft;
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::source::Span;
use crate::config::tree::quoted;
use crate::model::{ActionPattern, Mode};
use crate::policy::Effect;

/// A deny that asks for nothing but the action.
struct Deny<'a> {
    name: &'a str,
    at: Span,
    patterns: &'a [ActionPattern],
}

/// More denies of everybody are not looked through: the warning is a kindness, and must not cost a large policy its
/// quick reload.
const MOST: usize = 100;

impl Draft {
    /// Warns of rules and roles that allow nothing but what is denied to everybody.
    pub(super) fn check_shadowed(&self, report: &mut Diagnostics) {
        // A rule with a mistake may look wider than it is meant.
        if report.errors() > 0 {
            return;
        }
        let denies = self.rules.iter().filter_map(|(name, (at, rule))| {
            let counts = rule.effect == Effect::Deny
                && rule.mode == Mode::Enforce
                && rule.is_unconditional();
            counts.then_some(Deny {
                name,
                at: *at,
                patterns: &rule.actions,
            })
        });
        let denies: Vec<_> = denies.take(MOST).collect();
        if denies.is_empty() {
            return;
        }
        let rules = self.rules.iter().filter_map(|(name, (at, rule))| {
            (rule.effect == Effect::Allow).then_some(("rule", name, *at, &rule.actions))
        });
        let roles = self.roles.iter();
        let roles = roles.map(|(name, (at, role))| ("role", name, *at, &role.allow));
        for (kind, name, at, allowed) in rules.chain(roles) {
            if let Some(deny) = shadowing(&denies, allowed) {
                report.push(warning(kind, name, at, deny, report));
            }
        }
    }
}

/// A deny that leaves nothing of these; where it takes several together, the one of the first.
fn shadowing<'a>(denies: &'a [Deny<'a>], allowed: &[ActionPattern]) -> Option<&'a Deny<'a>> {
    let denying = |pattern: &ActionPattern| {
        let of = |deny: &&Deny<'_>| deny.patterns.iter().any(|denied| denied.includes(pattern));
        denies.iter().find(of)
    };
    let mut first = None;
    for pattern in allowed {
        let deny = denying(pattern)?;
        first.get_or_insert(deny);
    }
    first
}

fn warning(kind: &str, name: &str, at: Span, deny: &Deny<'_>, report: &Diagnostics) -> Diagnostic {
    let title = format_args!("{kind} {} can never decide", quoted(name));
    let place = report.source(deny.at).map(|source| source.place(deny.at));
    let place = place.map_or_else(String::new, |place| format!(" ({place})"));
    Diagnostic::warning(Code::ShadowedAllow, title)
        .at(at, "")
        .note(format_args!(
            "{}{place} denies every request that it matches",
            quoted(deny.name)
        ))
}
