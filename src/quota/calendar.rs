//! Calls in a day or an hour of the calendar.
//!
//! Days begin at midnight of the zone, also where the clocks change: a day then has 23 or 25 hours. What a key has
//! used holds until its period ends, and only then the calendar is asked for the next one.

use std::hash::{Hash, Hasher};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit, ZonedDateTime, ZonedDateTimeRound};

/// A limit: so many calls in each period of a calendar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit<'set> {
    count: u32,
    calendar: &'set Calendar,
}

/// Which periods there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: TimeZone,
    period: Period,
    // Tells whether a key was counted by the same calendar.
    tag: u32,
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From one full hour to the next.
    Hour,
}

/// What a key has used of the period that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    // Seconds since 1970.
    ends: i64,
    used: u32,
    tag: u32,
}

/// No day is longer, whatever is done to the clocks.
const LONGEST_SECONDS: i64 = 49 * 3600;

impl Calendar {
    /// The periods of a zone.
    pub fn new(zone: TimeZone, period: Period) -> Self {
        let mut hasher = Fnv::default();
        period.hash(&mut hasher);
        zone.iana_name().hash(&mut hasher);
        Self {
            tag: hasher.folded(),
            zone,
            period,
        }
    }

    /// How long a period is.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// When the period ends that this moment is in, in seconds since 1970.
    fn end(&self, at: Timestamp) -> i64 {
        let end = self.next(at).map_or(i64::MIN, Timestamp::as_second);
        // Beyond what a calendar knows, which ends with the year 9999.
        match end > at.as_second() {
            true => end,
            false => at.as_second().saturating_add(self.period.seconds()),
        }
    }

    fn next(&self, at: Timestamp) -> Option<Timestamp> {
        let now = ZonedDateTime::new(at, self.zone.clone());
        match self.period {
            Period::Day => Some(now.tomorrow().ok()?.start_of_day().ok()?.timestamp()),
            Period::Hour => {
                let hours = ZonedDateTimeRound::new()
                    .smallest(Unit::Hour)
                    .mode(jiff::RoundMode::Trunc);
                let full = now.round(hours).ok()?.timestamp();
                full.checked_add(SignedDuration::from_hours(1)).ok()
            }
        }
    }
}

impl Period {
    /// As long as it is where no clock is changed.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Day => 86_400,
            Self::Hour => 3_600,
        }
    }
}

impl<'set> Limit<'set> {
    pub(super) const fn new(count: u32, calendar: &'set Calendar) -> Self {
        Self { count, calendar }
    }

    /// The state as it is now: nothing is used of a new period, and what was used is kept if the calendar is
    /// another one since the policy was changed, or the clock was set back.
    pub(super) fn at(self, state: Option<State>, at: Timestamp) -> State {
        let now = at.as_second();
        let fresh = |used| State {
            ends: self.calendar.end(at),
            used,
            tag: self.calendar.tag,
        };
        match state {
            Some(state) if now >= state.ends => fresh(0),
            Some(state) if state.tag != self.calendar.tag || state.ends - now > LONGEST_SECONDS => {
                fresh(state.used)
            }
            Some(state) => state,
            None => fresh(0),
        }
    }

    /// How long to wait until one more call fits; `None` if it does now. The state is of [`at`](Self::at).
    pub(super) fn wait(self, state: State, at: Timestamp) -> Option<u64> {
        (state.used >= self.count).then(|| state.rest(at).max(1))
    }

    /// How many more calls would fit.
    pub(super) const fn remaining(self, state: State) -> u64 {
        self.count.saturating_sub(state.used) as u64
    }
}

impl State {
    /// The same with one call more.
    pub(super) const fn counted(mut self) -> Self {
        self.used = self.used.saturating_add(1);
        self
    }

    /// Nanoseconds until its period ends.
    pub(super) fn rest(self, at: Timestamp) -> u64 {
        let nanos = i128::from(self.ends) * 1_000_000_000 - at.as_nanosecond();
        u64::try_from(nanos).unwrap_or(0)
    }

    /// Whether it says no more than no state.
    pub(super) fn is_idle(self, at: Timestamp) -> bool {
        at.as_second() >= self.ends
    }
}

/// FNV-1a: the tag of a calendar has to be the same in every process that is started on the same policy.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves are folded into one"
    )]
    const fn folded(&self) -> u32 {
        (self.0 ^ (self.0 >> 32)) as u32
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
