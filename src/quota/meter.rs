//! One counter of any kind: what it allows, and what it remembers.

use jiff::Timestamp;

use super::calendar;
use super::gate::{self, Gate};
use super::gcra::{self, Verdict};
use super::window;

/// A moment by both clocks: limits over stretches of time go by one that only runs forward, those of the calendar
/// by the one on the wall.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Nanoseconds on the store's clock.
    pub(super) nanos: u64,
    pub(super) at: Timestamp,
}

/// What a quota allows a caller.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit<'set> {
    Calendar(calendar::Limit<'set>),
    Concurrent(gate::Limit),
    Rate(gcra::Limit),
    /// With as many tokens as the call is thought to use.
    Tokens(gcra::Limit, u64),
    Window(window::Limit),
}

/// What a key has used. Kinds never meet in one key: they are part of it.
#[derive(Debug)]
pub(super) enum State {
    Calendar(calendar::State),
    Concurrent(Gate),
    Rate(gcra::State),
    Window(Box<window::Log>),
}

impl Limit<'_> {
    /// How many nanoseconds to wait until one more call fits; `None` if it does now. What the state says in the
    /// terms of numbers that were changed since is brought into those of this limit, so that it is paid off by
    /// them from now on, also while calls are refused.
    pub(super) fn wait(&self, state: Option<&mut State>, now: Moment) -> Option<u64> {
        match (self, state) {
            (Self::Calendar(limit), Some(State::Calendar(state))) => {
                *state = limit.at(Some(*state), now.at);
                limit.wait(*state, now.at)
            }
            (Self::Calendar(limit), _) => limit.wait(limit.at(None, now.at), now.at),
            // Whether there is a place is for `Locked::passage` to say, which wakes those whom a change lets in.
            (Self::Concurrent(_), _) => None,
            (Self::Rate(limit), Some(State::Rate(state))) => {
                *state = limit.adapt(*state, now.nanos);
                Self::wait_of(limit.check(Some(*state), now.nanos))
            }
            (Self::Rate(limit), _) => Self::wait_of(limit.check(None, now.nanos)),
            (Self::Tokens(limit, tokens), Some(State::Rate(state))) => {
                *state = limit.adapt(*state, now.nanos);
                Self::wait_of(limit.check_units(Some(*state), *tokens, now.nanos))
            }
            (Self::Tokens(limit, tokens), _) => {
                Self::wait_of(limit.check_units(None, *tokens, now.nanos))
            }
            (Self::Window(limit), Some(State::Window(log))) => limit.wait(Some(log), now.nanos),
            (Self::Window(limit), _) => limit.wait(None, now.nanos),
        }
    }

    const fn wait_of(verdict: Verdict) -> Option<u64> {
        match verdict {
            Verdict::Fits(_) => None,
            Verdict::Wait(nanos) => Some(nanos),
        }
    }

    /// The state of a key that has used nothing.
    pub(super) fn fresh(&self, now: Moment) -> State {
        match self {
            Self::Calendar(limit) => State::Calendar(limit.at(None, now.at)),
            Self::Concurrent(limit) => State::Concurrent(limit.fresh()),
            Self::Rate(limit) | Self::Tokens(limit, _) => State::Rate(limit.fresh(now.nanos)),
            Self::Window(_) => State::Window(Box::default()),
        }
    }

    /// Counts a call, which fits.
    pub(super) fn count(&self, state: &mut State, now: Moment) {
        match (self, state) {
            (Self::Calendar(limit), State::Calendar(state)) => {
                *state = limit.at(Some(*state), now.at).counted();
            }
            (Self::Concurrent(_), State::Concurrent(gate)) => gate.enter(),
            (Self::Rate(limit), State::Rate(state)) => {
                if let Verdict::Fits(counted) = limit.check(Some(*state), now.nanos) {
                    *state = counted;
                }
            }
            (Self::Tokens(limit, tokens), State::Rate(state)) => {
                if let Verdict::Fits(counted) = limit.check_units(Some(*state), *tokens, now.nanos)
                {
                    *state = counted;
                }
            }
            (Self::Window(limit), State::Window(log)) => limit.count(log, now.nanos),
            (
                Self::Calendar(_)
                | Self::Concurrent(_)
                | Self::Rate(_)
                | Self::Tokens(..)
                | Self::Window(_),
                state,
            ) => {
                *state = self.fresh(now);
                debug_assert!(false, "kinds never meet in one key");
            }
        }
    }

    /// How many more calls would fit, and in how many nanoseconds another one would, or all; `None` where time alone
    /// changes nothing.
    pub(super) fn standing(&self, state: Option<&State>, now: Moment) -> (u64, Option<u64>) {
        match (self, state) {
            (Self::Calendar(limit), state) => {
                let state = match state {
                    Some(State::Calendar(state)) => Some(*state),
                    Some(_) | None => None,
                };
                let state = limit.at(state, now.at);
                (limit.remaining(state), Some(state.rest(now.at)))
            }
            (Self::Concurrent(limit), Some(State::Concurrent(gate))) => {
                (limit.remaining(gate), None)
            }
            (Self::Concurrent(limit), _) => (limit.remaining(&limit.fresh()), None),
            (Self::Rate(limit) | Self::Tokens(limit, _), state) => {
                let state = match state {
                    Some(State::Rate(state)) => Some(*state),
                    Some(_) | None => None,
                };
                let wait = Self::wait_of(limit.check(state, now.nanos));
                let reset = wait.unwrap_or_else(|| limit.whole_in(state, now.nanos));
                (limit.remaining(state, now.nanos), Some(reset))
            }
            (Self::Window(limit), state) => {
                let log = match state {
                    Some(State::Window(log)) => Some(&**log),
                    Some(_) | None => None,
                };
                let reset = limit.wait(log, now.nanos);
                let reset = reset.unwrap_or_else(|| limit.whole_in(log, now.nanos));
                (limit.remaining(log, now.nanos), Some(reset))
            }
        }
    }
}

impl State {
    /// Whether it says no more than no state.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        match self {
            Self::Calendar(state) => state.is_idle(now.at),
            Self::Concurrent(gate) => gate.is_idle(),
            Self::Rate(state) => state.idle_at() <= now.nanos,
            Self::Window(log) => log.is_idle(now.nanos),
        }
    }
}
