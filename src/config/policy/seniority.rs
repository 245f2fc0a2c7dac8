//! `seniority`: whom agents take instructions from.

use std::sync::Arc;

use super::{Draft, Named, add, check_name, rule_ref};
use crate::config::decode::{Fields, number};
use crate::config::diagnostic::Diagnostics;
use crate::config::language::policy::{MAX_RANK, RANK, SENIORITY};
use crate::config::tree::{Entry, quoted};
use crate::model::RuleRef;
use crate::policy::{Instructors, Seniority};

/// What stands for agents that are not named.
const DEFAULT: &str = "default";

/// `seniority` as it is written.
#[derive(Default)]
pub(super) struct RawSeniority {
    agents: Named<Instructors>,
}

impl Draft {
    pub(super) fn read_seniority(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&SENIORITY, &section.value, "`seniority`", at, report)
        else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        let others = fields.take(DEFAULT);
        let agents = fields.rest();
        for entry in &agents {
            check_name(entry, "agent", report);
        }
        for entry in others.into_iter().chain(agents) {
            if let Some(instructors) = read(entry, report) {
                add(
                    &mut self.seniority.agents,
                    entry,
                    "the seniority of",
                    instructors,
                    report,
                );
            }
        }
    }
}

impl RawSeniority {
    pub(super) fn check(&self) -> Seniority {
        let mut agents = self.agents.clone();
        let others = agents.remove(DEFAULT);
        let agents = agents.into_iter();
        Seniority {
            agents: agents
                .map(|(name, (_, instructors))| (name.into(), instructors))
                .collect(),
            others: others.map(|(_, instructors)| instructors),
        }
    }
}

fn read(entry: &Entry, report: &mut Diagnostics) -> Option<Instructors> {
    let what = format!("the seniority of {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&RANK, &entry.value, &what, Some(entry.key.span), report)?;
    let least = fields.require("callerAtLeast", report);
    fields.finish(report);
    let least = number(&least?.value, "`callerAtLeast`", 0..=MAX_RANK, report)?;
    let rule: Arc<RuleRef> = rule_ref("seniority", entry.key.span, report);
    Some(Instructors {
        caller_at_least: u32::try_from(least).unwrap_or(u32::MAX),
        rule,
    })
}
