//! The generic cell rate algorithm (ITU-T I.371, appendix I), in whole nanoseconds.
//!
//! A counter is one instant: when everything that was let through so far would be paid for at the
//! quota's rate. A call fits while that instant is not further ahead than the burst allows.

/// A limit: one call each `interval`, `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    interval: u64,
    burst: u32,
}

/// What a key has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    // Nanoseconds on the store's clock.
    paid_at: u64,
    // The interval that `paid_at` was computed with, so that a changed rate can convert it.
    interval: u64,
}

/// The answer for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It fits; this is the state once it has been counted.
    Fits(State),
    /// It would fit after this many nanoseconds.
    Wait(u64),
}

impl Limit {
    /// A limit whose whole burst is paid for within a quarter of the clock's range: above that, sums
    /// would saturate and let everything through. A burst that does not fit is cut.
    pub(super) fn new(interval: u64, burst: u32) -> Self {
        let interval = interval.clamp(1, u64::MAX / 4);
        let most = u64::MAX / 4 / interval;
        let burst = u64::from(burst).min(most).max(1);
        Self {
            interval,
            burst: u32::try_from(burst).unwrap_or(u32::MAX),
        }
    }

    /// The state of a key that has used nothing.
    pub(super) const fn fresh(self, now: u64) -> State {
        State {
            paid_at: now,
            interval: self.interval,
        }
    }

    const fn capacity(self) -> u64 {
        self.interval.saturating_mul(self.burst as u64)
    }

    /// The state in this limit's terms. A changed rate keeps the number of calls that were used, not the
    /// time they took: else a quota that was widened would still make callers wait as before.
    pub(super) fn adapt(self, state: State, now: u64) -> State {
        if state.interval == self.interval {
            return state;
        }
        let debt = u128::from(state.paid_at.saturating_sub(now)) * u128::from(self.interval);
        let converted = debt.div_ceil(u128::from(state.interval.max(1)));
        let converted = u64::try_from(converted).unwrap_or(u64::MAX);
        State {
            paid_at: now.saturating_add(converted.min(self.capacity())),
            interval: self.interval,
        }
    }

    /// The nanoseconds of use that are not paid for yet.
    fn debt(self, state: Option<State>, now: u64) -> u64 {
        let state = state.map(|state| self.adapt(state, now));
        state.map_or(0, |state| state.paid_at.saturating_sub(now))
    }

    /// Whether one more call fits at `now`.
    pub(super) fn check(self, state: Option<State>, now: u64) -> Verdict {
        self.check_units(state, 1, now)
    }

    /// Whether so many units fit at `now`. What is more than the whole limit fits when nothing of it is used, and is
    /// paid off for longer: else it would never fit.
    pub(super) fn check_units(self, state: Option<State>, units: u64, now: u64) -> Verdict {
        let debt = self.debt(state, now);
        let cost = self.interval.saturating_mul(self.clamp(units));
        let needed = debt.saturating_add(cost.min(self.capacity()));
        match needed.checked_sub(self.capacity()) {
            Some(excess) if excess > 0 => Verdict::Wait(excess),
            Some(_) | None => Verdict::Fits(State {
                paid_at: now.saturating_add(debt).saturating_add(cost),
                interval: self.interval,
            }),
        }
    }

    /// The state when `used` units were used where `reserved` were counted. What was used too much is paid off like
    /// the rest.
    pub(super) fn settle(self, state: State, reserved: u64, used: u64, now: u64) -> State {
        let state = self.adapt(state, now);
        let (reserved, used) = (self.clamp(reserved), self.clamp(used));
        let paid_at = match used.checked_sub(reserved) {
            Some(more) => {
                let from = state.paid_at.max(now);
                from.saturating_add(self.interval.saturating_mul(more))
            }
            None => {
                let back = self.interval.saturating_mul(reserved - used);
                state.paid_at.saturating_sub(back)
            }
        };
        State { paid_at, ..state }
    }

    /// A call counts for three times the limit at most, so that a number that somebody made up shuts nobody out for
    /// years.
    fn clamp(self, units: u64) -> u64 {
        units.min(3 * u64::from(self.burst))
    }

    /// How many more calls would fit at `now`.
    pub(super) fn remaining(self, state: Option<State>, now: u64) -> u64 {
        self.capacity().saturating_sub(self.debt(state, now)) / self.interval
    }

    /// Nanoseconds until the whole burst fits again.
    pub(super) fn whole_in(self, state: Option<State>, now: u64) -> u64 {
        self.debt(state, now)
    }
}

impl State {
    /// When the state says no more than no state.
    pub(super) const fn idle_at(self) -> u64 {
        self.paid_at
    }
}
