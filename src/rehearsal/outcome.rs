//! What came out.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::config::{Calls, Expect, Test};
use crate::model::{Finding, LeakAction, Reason, Refusal, RuleRef};
use crate::scan::Blocked;

/// What all tests came to.
#[derive(Debug)]
pub struct Report<'a> {
    /// In the order of the tests.
    pub outcomes: Vec<Outcome<'a>>,
    /// How many statements there are to reach.
    pub statements: usize,
    /// Roles, rules and tools that decided no test.
    pub unreached: Vec<Arc<RuleRef>>,
}

/// What one test came to.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The test.
    pub test: &'a Test,
    /// What became of the call.
    pub got: Got,
    /// Why, one line each; empty for a test that passed.
    pub why: Vec<String>,
    /// The statements that decided.
    pub(super) reached: HashSet<Arc<RuleRef>>,
}

/// What became of a call.
#[derive(Debug)]
pub enum Got {
    /// It passed, and so did the answer.
    Allowed {
        /// The statement that allowed it.
        by: Arc<RuleRef>,
        /// What was found in the answer.
        flagged: Vec<Finding>,
    },
    /// The answer ended.
    Blocked {
        /// Why.
        by: Blocked,
        /// What was found in the answer.
        findings: Vec<Finding>,
    },
    /// The policy refused.
    Denied(Box<Refusal>),
    /// The time for all tests was over before this one was through.
    OutOfTime,
    /// The answer was redacted.
    Redacted(Vec<Finding>),
    /// A quota refused.
    Throttled {
        /// Which, and why.
        refusal: Box<Refusal>,
        /// How many calls passed before.
        after: u32,
    },
}

impl Outcome<'_> {
    /// Whether it is what the author wants.
    pub fn passed(&self) -> bool {
        self.got.meets(&self.test.expect)
    }
}

impl Report<'_> {
    /// The tests that did not come out as their author wants.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome<'_>> {
        self.outcomes.iter().filter(|outcome| !outcome.passed())
    }

    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.outcomes.len() - self.failures().count()
    }
}

/// The failures with what was expected, what came out and why.
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures() {
            failure.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.passed() { "PASS" } else { "FAIL" };
        let RuleRef { name, place } = &*self.test.rule;
        match place {
            Some(place) => writeln!(f, "{word} {name:<41} {place}")?,
            None => writeln!(f, "{word} {name}")?,
        }
        writeln!(f, "     expected  {}", self.test.expect)?;
        writeln!(f, "     got       {}", self.got)?;
        for (number, line) in self.why.iter().enumerate() {
            let head = if number == 0 { "why" } else { "" };
            writeln!(f, "     {head:<9} {line}")?;
        }
        Ok(())
    }
}

impl Got {
    /// Whether it is what is expected.
    pub(super) fn meets(&self, expect: &Expect) -> bool {
        match (expect, self) {
            (Expect::Allow(name), Self::Allowed { by, .. }) => {
                name.as_ref().is_none_or(|name| **name == *by.name)
            }
            (Expect::Deny(name), Self::Denied(refusal)) => {
                name.as_ref().is_none_or(|name| is_denied_by(refusal, name))
            }
            (
                Expect::Throttle { quota, after },
                Self::Throttled {
                    refusal,
                    after: passed,
                },
            ) => {
                let named = refusal
                    .rule
                    .as_ref()
                    .is_some_and(|rule| *rule.name == **quota);
                named && after.is_none_or(|after| after == *passed)
            }
            (Expect::Flag(name), Self::Allowed { flagged, .. }) => {
                any(flagged, name, LeakAction::Flag)
            }
            (Expect::Redact(name), Self::Redacted(findings)) => {
                any(findings, name, LeakAction::Redact)
            }
            (Expect::Block(name), Self::Blocked { findings, by }) => {
                let ends = matches!(by, Blocked::Finding { detector, .. } if is_of(detector, name));
                ends || any(findings, name, LeakAction::Block)
            }
            (
                Expect::Allow(_)
                | Expect::Block(_)
                | Expect::Deny(_)
                | Expect::Flag(_)
                | Expect::Redact(_)
                | Expect::Throttle { .. },
                Self::Allowed { .. }
                | Self::Blocked { .. }
                | Self::Denied(_)
                | Self::OutOfTime
                | Self::Redacted(_)
                | Self::Throttled { .. },
            ) => false,
        }
    }
}

fn is_denied_by(refusal: &Refusal, name: &str) -> bool {
    match refusal.reason {
        Reason::DenyRule => is_by(refusal, name),
        Reason::ArgumentDenied => is_by(refusal, name) || name == refusal.reason.as_str(),
        // One fact; without a credential it is a 401.
        Reason::CredentialMissing if name == Reason::DefaultDeny.as_str() => true,
        reason => name == reason.as_str(),
    }
}

fn is_by(refusal: &Refusal, name: &str) -> bool {
    let rule = refusal.rule.as_ref();
    rule.is_some_and(|rule| *rule.name == *name)
}

fn any(findings: &[Finding], name: &str, action: LeakAction) -> bool {
    findings
        .iter()
        .any(|finding| finding.action == action && is_of(finding.detector, name))
}

/// Whether it is the detector of that name, or one of the pack of that name.
pub(super) fn is_of(detector: &str, name: &str) -> bool {
    let rest = detector.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { by, flagged } if flagged.is_empty() => {
                write!(f, "allow by {}", by.name)
            }
            Self::Allowed { by, flagged } => {
                write!(f, "allow by {}, flagged by {}", by.name, names(flagged))
            }
            Self::Blocked {
                by: Blocked::Finding { detector, .. },
                ..
            } => write!(f, "block by {detector}"),
            Self::Blocked { by, .. } => write!(f, "block: {by}"),
            Self::Denied(refusal) => match (&refusal.rule, refusal.reason) {
                (Some(rule), Reason::DenyRule | Reason::ArgumentDenied) => {
                    write!(f, "deny by {}", rule.name)
                }
                (_, reason) => write!(f, "deny by {reason}"),
            },
            Self::OutOfTime => f.write_str("no answer in time"),
            Self::Redacted(findings) => write!(f, "redact by {}", names(findings)),
            Self::Throttled { refusal, after } => match &refusal.rule {
                Some(rule) => write!(f, "throttle by {} after {}", rule.name, Calls(*after)),
                None => write!(f, "{} after {}", refusal.reason, Calls(*after)),
            },
        }
    }
}

/// The detectors, each once.
fn names(findings: &[Finding]) -> String {
    let mut names: Vec<_> = findings.iter().map(|finding| finding.detector).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
