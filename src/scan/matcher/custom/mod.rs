//! Detectors that a policy describes: a pattern, words near it, a check.
//!
//! A pattern is an automaton that is begun at each place where it may ([`beginnings`]) and goes on byte by byte until it
//! matches or cannot any more; its state survives every seam. All that stands between its beginning and where it has
//! come to waits, since all of a match is secret, or the group in it that is called so. Of the matches of one detector
//! the leftmost counts, and none that overlaps it. Costs nothing where a policy has no such detector.

mod attempt;
mod beginnings;
mod cost;
mod names;
mod near;
mod pattern;
mod proof;
#[cfg(test)]
mod tests;
mod unless;

use std::sync::Arc;

use self::attempt::{Attempt, Limits, Outcome};
use self::beginnings::Beginnings;
pub use self::cost::Cost;
pub(in crate::scan) use self::names::{kind, name};
pub use self::near::MAX_WORD_BYTES;
use self::near::Near;
pub use self::pattern::{Pattern, PatternError};
pub use self::proof::Proof;
pub use self::unless::Unless;
use super::super::detectors::Detectors;
use super::view::View;
use super::{Matcher, at_bound};
use crate::model::{LeakAction, Severity};

/// A detector that a policy describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom {
    /// As the policy calls it.
    pub name: Box<str>,
    /// What it looks for.
    pub pattern: Arc<Pattern>,
    /// Words of which one must stand close by; none is needed where there are none.
    pub near: Vec<Box<str>>,
    /// What a match must pass.
    pub proof: Option<Proof>,
    /// What must not hold for it.
    pub unless: Option<Arc<Unless>>,
    /// What is done with a finding, unless `Config::actions` names it.
    pub action: LeakAction,
    /// How bad a finding is.
    pub severity: Severity,
}

/// All of them, compiled.
#[derive(Debug)]
pub(in crate::scan) struct Customs {
    rules: Vec<Rule>,
    beginnings: Beginnings,
    /// How much of the text before a match is looked at.
    behind: u64,
    least: usize,
}

/// One of them.
#[derive(Debug)]
struct Rule {
    armed: u16,
    pattern: Arc<Pattern>,
    near: Near,
    proof: Option<Proof>,
    unless: Option<Arc<Unless>>,
    holds: bool,
}

/// The attempts of one rule that are under way, by where they began.
#[derive(Debug, Clone)]
pub(in crate::scan) struct Running {
    rule: usize,
    attempts: Vec<Attempt>,
}

impl Running {
    pub(super) const fn attempts(&self) -> usize {
        self.attempts.len()
    }
}

impl Customs {
    /// None if there is nothing to look for.
    pub(in crate::scan) fn compile<'a>(
        customs: impl Iterator<Item = (u16, &'a Custom, bool)>,
    ) -> Option<Self> {
        let rules: Vec<Rule> = customs
            .map(|(armed, custom, holds)| Rule {
                armed,
                pattern: Arc::clone(&custom.pattern),
                near: Near::new(&custom.near),
                proof: custom.proof,
                unless: custom.unless.clone(),
                holds,
            })
            .collect();
        let least = rules.iter().map(|rule| rule.pattern.least()).min()?;
        Some(Self {
            beginnings: Beginnings::new(rules.iter().map(|rule| &*rule.pattern)),
            behind: rules.iter().map(|rule| rule.near.behind()).max()?,
            least,
            rules,
        })
    }

    /// The length of the shortest match.
    pub(in crate::scan) const fn least(&self) -> usize {
        self.least
    }

    /// Whether a text that stands whole may hold something.
    pub(in crate::scan) fn may_be_in(&self, text: &[u8]) -> bool {
        let Some(last) = text.len().checked_sub(self.least) else {
            return false;
        };
        let mut may_begin = false;
        self.beginnings
            .each(text, 0..last + 1, |_, _| may_begin = true);
        may_begin
    }

    /// Whether a name says something of its value.
    pub(in crate::scan) fn are_told_by(&self, name: &[u8]) -> bool {
        let mut may_begin = false;
        self.beginnings
            .each(name, 0..name.len(), |_, _| may_begin = true);
        may_begin || self.rules.iter().any(|rule| rule.near.stands_in(name, 0))
    }
}

impl Matcher {
    /// Goes on with what is under way, and begins what may begin, in the bytes up to `until` that were not looked at
    /// before. Nothing begins inside of a secret that is being swallowed.
    pub(super) fn try_customs(&mut self, detectors: &Detectors, view: &View<'_>, until: u64) {
        let Some(customs) = detectors.customs() else {
            return;
        };
        let from = self.tried.max(view.start());
        let is_over = view.ended() && until == view.end();
        if from >= until && !is_over {
            return;
        }
        self.tried = self.tried.max(until);
        let mut starts: Vec<(usize, u64)> = Vec::new();
        if self.swallow.is_none() {
            let text = view.slice(view.start(), view.end());
            let place = |at: u64| usize::try_from(at - view.start()).unwrap_or(usize::MAX);
            let first = from.max(self.barrier).min(until);
            customs
                .beginnings
                .each(text, place(first)..place(until), |at, rule| {
                    starts.push((rule, view.start() + at as u64));
                });
            starts.sort_unstable();
        }
        if starts.is_empty() && self.trials.is_empty() {
            return;
        }
        let stretch = Stretch {
            view,
            from,
            until,
            is_over,
            limits: Limits {
                hold: detectors.config().hold.bytes as u64,
            },
        };
        let mut outcomes = Vec::new();
        for (index, rule) in customs.rules.iter().enumerate() {
            let first = starts.partition_point(|(other, _)| *other < index);
            let last = starts.partition_point(|(other, _)| *other <= index);
            let starts = starts.get(first..last).unwrap_or_default();
            let running = self.trials.iter().position(|it| it.rule == index);
            let mut attempts = match running {
                Some(at) => self.trials.swap_remove(at).attempts,
                None if starts.is_empty() => continue,
                None => Vec::new(),
            };
            rule.run(&mut attempts, starts, &stretch, &mut outcomes);
            for outcome in outcomes.drain(..) {
                self.file_custom(detectors, view, rule.armed, outcome);
            }
            if !attempts.is_empty() {
                self.trials.push(Running {
                    rule: index,
                    attempts,
                });
            }
        }
    }

    fn file_custom(
        &mut self,
        detectors: &Detectors,
        view: &View<'_>,
        armed: u16,
        outcome: Outcome,
    ) {
        let Some(armed) = detectors.armed(armed) else {
            return;
        };
        let Outcome {
            start,
            end,
            is_whole,
        } = outcome;
        let config = detectors.config();
        if is_whole {
            let body = view.ahead().slice(start, end);
            self.found.push(armed.found("", start, end, body, config));
        } else {
            self.found.extend(at_bound(config, armed, "", start, end));
        }
    }

    /// A secret from `start` to `end` goes whole, and with it what was to begin there.
    pub(super) fn drop_customs(&mut self, start: u64, end: u64) {
        for running in &mut self.trials {
            running.attempts.retain(|attempt| {
                let protected = attempt.protected_from();
                protected.is_some_and(|from| from < start || from >= end)
            });
        }
        self.trials.retain(|running| !running.attempts.is_empty());
    }

    /// The first byte that may yet be of a match.
    pub(super) fn customs_hold_from(&self, detectors: &Detectors) -> Option<u64> {
        self.holding(detectors)
            .filter_map(|(_, attempt)| attempt.protected_from())
            .min()
    }

    /// From where on bytes must be kept for the matches that come.
    pub(super) fn customs_need(&self, detectors: &Detectors) -> Option<u64> {
        let customs = detectors.customs()?;
        let attempts = self.trials.iter().flat_map(|running| &running.attempts);
        let next = self.tried.saturating_sub(customs.behind);
        attempts
            .map(|attempt| attempt.needs_from())
            .chain([next])
            .min()
    }

    /// The names of those for whose sake bytes wait.
    pub(super) fn custom_holders<'a>(
        &'a self,
        detectors: &'a Detectors,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let holding = self.holding(detectors);
        let holding =
            holding.filter(|(_, it)| it.protected_from().is_some_and(|at| at < self.position));
        holding
            .filter_map(|(rule, _)| detectors.armed(rule.armed))
            .map(|armed| armed.kind.name)
    }

    /// Whether something that waits has shown what it is.
    pub(super) fn has_shown_custom(&self, detectors: &Detectors) -> bool {
        self.holding(detectors)
            .any(|(_, attempt)| attempt.has_shown(self.position))
    }

    /// Gives up what makes bytes wait.
    pub(super) fn give_up_customs(&mut self, detectors: &Detectors) {
        let Some(customs) = detectors.customs() else {
            return;
        };
        let position = self.position;
        for running in &mut self.trials {
            let Some(rule) = customs.rules.get(running.rule).filter(|rule| rule.holds) else {
                continue;
            };
            let armed = detectors.armed(rule.armed);
            running.attempts.retain(|attempt| {
                let Some(from) = attempt.protected_from().filter(|from| *from < position) else {
                    return true;
                };
                if attempt.has_shown(position) {
                    let found = armed
                        .and_then(|armed| at_bound(detectors.config(), armed, "", from, position));
                    self.found.extend(found);
                }
                false
            });
        }
        self.trials.retain(|running| !running.attempts.is_empty());
    }

    fn holding<'a>(
        &'a self,
        detectors: &'a Detectors,
    ) -> impl Iterator<Item = (&'a Rule, &'a Attempt)> + 'a {
        let rules = detectors.customs().map(|customs| &customs.rules);
        self.trials.iter().flat_map(move |running| {
            let rule = rules
                .and_then(|rules| rules.get(running.rule))
                .filter(|rule| rule.holds);
            let attempts = rule.map(|rule| running.attempts.iter().map(move |it| (rule, it)));
            attempts.into_iter().flatten()
        })
    }
}

/// A part of the text that is gone over.
struct Stretch<'a> {
    view: &'a View<'a>,
    from: u64,
    until: u64,
    /// Whether the text ends there.
    is_over: bool,
    limits: Limits,
}

impl Rule {
    /// Goes over a stretch. What is decided and can be overlapped by nothing earlier is an outcome.
    fn run(
        &self,
        attempts: &mut Vec<Attempt>,
        starts: &[(usize, u64)],
        stretch: &Stretch<'_>,
        outcomes: &mut Vec<Outcome>,
    ) {
        let Stretch { view, until, .. } = *stretch;
        let mut starts = starts.iter().map(|(_, at)| *at).peekable();
        let mut at = stretch.from;
        loop {
            if attempts.is_empty() {
                match starts.peek() {
                    Some(next) => at = *next,
                    None => return,
                }
            }
            if at >= until {
                break;
            }
            if starts.next_if_eq(&at).is_some() {
                attempts.extend(Attempt::new(self, view, at));
            }
            let Some(byte) = view.ahead().at(at) else {
                break;
            };
            let mut is_changed = false;
            for attempt in attempts.iter_mut() {
                is_changed |= attempt.step(self, view, byte, at, stretch.limits);
            }
            at += 1;
            if is_changed {
                settle(attempts, outcomes);
            }
        }
        for attempt in attempts.iter_mut() {
            if stretch.is_over {
                attempt.finish(self, view, until);
            } else {
                attempt.look_around(self, view, until);
            }
        }
        settle(attempts, outcomes);
    }
}

/// Lets out what nothing earlier can overlap, and drops what it overlaps.
fn settle(attempts: &mut Vec<Attempt>, outcomes: &mut Vec<Outcome>) {
    attempts.retain(|attempt| !attempt.is_dead());
    while let Some((outcome, end)) = attempts.first().and_then(Attempt::outcome) {
        outcomes.push(outcome);
        attempts.retain(|attempt| attempt.began_at() >= end);
    }
}
