//! A pattern under way: begun at one place, and decided by the bytes from there on alone.

use regex_automata::dfa::Automaton as _;
use regex_automata::util::primitives::StateID;

use super::Rule;
use super::near::REACH;
use crate::scan::matcher::kind::is_in_mark;
use crate::scan::matcher::view::View;

/// So many bytes of a pattern have shown that it is no mere word.
const SHOWN: u64 = 4;

/// How far what stands before a secret may go without one.
const MAX_LEAD: u64 = 4096;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) hold: u64,
}

/// What came of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The secret part.
    pub(super) start: u64,
    pub(super) end: u64,
    /// It is one; else it went on further than may wait.
    pub(super) is_whole: bool,
}

/// A pattern that was begun.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    start: u64,
    /// The first byte that may be looked at for it.
    behind: u64,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    Dead,
    /// Decided, and one.
    Matched {
        outcome: Outcome,
        end: u64,
    },
    /// Decided, but for a word that must stand close by.
    Near {
        outcome: Outcome,
        end: u64,
    },
    Open(Open),
}

#[derive(Debug, Clone)]
struct Open {
    state: StateID,
    /// The end of the best match so far.
    end: Option<u64>,
    /// The automaton of what stands before the secret, while that goes on.
    lead: Option<StateID>,
    /// Where the secret begins at the earliest, if that has been seen.
    protected: Option<u64>,
}

impl Attempt {
    /// None where nothing may begin: inside of a mark that a redaction has left.
    pub(super) fn new(rule: &Rule, view: &View<'_>, at: u64) -> Option<Self> {
        let before = view.before(at);
        let state = rule.pattern.begin(before)?;
        let lead = rule.pattern.begin_lead(before);
        (!is_in_mark(view, at)).then(|| Self {
            start: at,
            behind: at.saturating_sub(rule.near.behind()).max(view.barrier()),
            stage: Stage::Open(Open {
                state,
                end: None,
                protected: lead.is_none().then_some(at),
                lead,
            }),
        })
    }

    /// Reads the byte at an offset. Tells whether anything was decided.
    pub(super) fn step(
        &mut self,
        rule: &Rule,
        view: &View<'_>,
        byte: u8,
        at: u64,
        limits: Limits,
    ) -> bool {
        match &mut self.stage {
            Stage::Dead | Stage::Matched { .. } => false,
            Stage::Near { end, .. } => {
                if at + 1 < *end + REACH {
                    return false;
                }
                self.look_around(rule, view, at + 1);
                if matches!(self.stage, Stage::Near { .. }) {
                    self.stage = Stage::Dead;
                }
                true
            }
            Stage::Open(open) => {
                if open.protected.is_none() {
                    open.step_lead(rule, byte, at);
                }
                let whole = rule.pattern.whole();
                open.state = whole.next_state(open.state, byte);
                if whole.is_special_state(open.state) {
                    if whole.is_match_state(open.state) {
                        open.end = Some(at);
                    } else {
                        // Dead, or given up: no automaton of ours gives up.
                        self.decide(rule, view, at + 1);
                        return true;
                    }
                }
                self.check_bound(rule, view, at + 1, limits)
            }
        }
    }

    /// The text is over.
    pub(super) fn finish(&mut self, rule: &Rule, view: &View<'_>, end: u64) {
        if let Stage::Open(open) = &mut self.stage {
            let whole = rule.pattern.whole();
            if whole.is_match_state(whole.next_eoi_state(open.state)) {
                open.end = Some(end);
            }
            self.decide(rule, view, end);
        }
        self.look_around(rule, view, end);
        if matches!(self.stage, Stage::Near { .. }) {
            self.stage = Stage::Dead;
        }
    }

    /// Looks for a word close by, in what stands before `until`.
    pub(super) fn look_around(&mut self, rule: &Rule, view: &View<'_>, until: u64) {
        if let Stage::Near { outcome, end } = self.stage
            && self.has_word(rule, view, end, until)
        {
            self.stage = Stage::Matched { outcome, end };
        }
    }

    fn has_word(&self, rule: &Rule, view: &View<'_>, end: u64, until: u64) -> bool {
        let view = view.ahead();
        let before = self.start.saturating_sub(REACH).max(self.behind);
        let led = u8::from(before > self.behind);
        let left = view.slice(before - u64::from(led), self.start);
        let right = view.slice(end - 1, until.min(end + REACH));
        rule.near.stands_in(left, usize::from(led)) || rule.near.stands_in(right, 1)
    }

    /// Nothing that follows changes what it is. `until` is behind the last byte that said so.
    fn decide(&mut self, rule: &Rule, view: &View<'_>, until: u64) {
        let Stage::Open(Open { end: Some(end), .. }) = self.stage else {
            self.stage = Stage::Dead;
            return;
        };
        let view = view.ahead();
        let text = view.slice(self.behind, until);
        let place = |at: u64| usize::try_from(at - self.behind).unwrap_or(usize::MAX);
        let whole = place(self.start)..place(end);
        let secret = rule.pattern.secret(text, whole.clone());
        let body = text.get(secret.clone()).unwrap_or_default();
        let matched = text.get(whole).unwrap_or_default();
        let is_one = !body.is_empty()
            && rule.proof.is_none_or(|proof| proof.holds_for(body))
            && !rule
                .unless
                .as_ref()
                .is_some_and(|unless| unless.holds_for(body, matched));
        let outcome = Outcome {
            start: self.behind + secret.start as u64,
            end: self.behind + secret.end as u64,
            is_whole: true,
        };
        self.stage = match is_one {
            false => Stage::Dead,
            true if rule.near.is_empty() => Stage::Matched { outcome, end },
            true => Stage::Near { outcome, end },
        };
        self.look_around(rule, &view, until);
    }

    /// What may be a secret waits no further than it may. Behind a beginning that none follows for long there is none.
    fn check_bound(&mut self, rule: &Rule, view: &View<'_>, until: u64, limits: Limits) -> bool {
        let Stage::Open(open) = &self.stage else {
            return false;
        };
        let Some(start) = open.protected else {
            let is_over = until - self.start > MAX_LEAD;
            if is_over {
                self.stage = Stage::Dead;
            }
            return is_over;
        };
        let end = start + limits.hold;
        if until <= end {
            return false;
        }
        let outcome = Outcome {
            start,
            end,
            is_whole: false,
        };
        let is_told = rule.holds && (rule.near.is_empty() || self.has_word(rule, view, end, until));
        self.stage = if is_told {
            Stage::Matched { outcome, end }
        } else {
            Stage::Dead
        };
        true
    }

    /// The first byte that may be secret, once that is known.
    pub(super) const fn protected_from(&self) -> Option<u64> {
        match &self.stage {
            Stage::Dead => None,
            Stage::Matched { outcome, .. } | Stage::Near { outcome, .. } => Some(outcome.start),
            Stage::Open(open) => open.protected,
        }
    }

    pub(super) const fn needs_from(&self) -> u64 {
        self.behind
    }

    /// Whether it is more than the beginning of any word. What lacks the word that must stand close by has shown nothing.
    pub(super) const fn has_shown(&self, position: u64) -> bool {
        match &self.stage {
            Stage::Dead | Stage::Near { .. } => false,
            Stage::Matched { .. } => true,
            Stage::Open(open) => open.end.is_some() || position >= self.start + SHOWN,
        }
    }

    pub(super) const fn is_dead(&self) -> bool {
        matches!(self.stage, Stage::Dead)
    }

    pub(super) const fn outcome(&self) -> Option<(Outcome, u64)> {
        match &self.stage {
            Stage::Matched { outcome, end } => Some((*outcome, *end)),
            Stage::Dead | Stage::Near { .. } | Stage::Open(_) => None,
        }
    }

    pub(super) const fn began_at(&self) -> u64 {
        self.start
    }
}

impl Open {
    /// A match is seen one byte after its end: this byte is the first that may be secret.
    fn step_lead(&mut self, rule: &Rule, byte: u8, at: u64) {
        let (Some(state), Some(automaton)) = (self.lead, rule.pattern.lead()) else {
            return;
        };
        let state = automaton.next_state(state, byte);
        self.lead = Some(state);
        if automaton.is_special_state(state) && automaton.is_match_state(state) {
            self.protected = Some(at);
        }
    }
}
