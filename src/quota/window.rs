//! Calls within the last stretch of time.
//!
//! A call counts for one whole period from when it came, so that no stretch of that length ever holds more calls
//! than the limit. Up to [`GRAINS`] calls are remembered one by one. Where a limit is higher, calls of the same grain
//! of time are remembered together and count as long as the last of them does: that bounds what a key needs, and a
//! call may count for 1/64 of the period longer than it should, but never shorter.

use std::collections::VecDeque;

/// A limit: so many calls in any stretch of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    count: u32,
    // Nanoseconds, as everything here.
    period: u64,
}

/// The calls that a key made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Log {
    calls: VecDeque<Calls>,
    // How long they count, by the limit that was asked last.
    period: u64,
}

/// Calls that are forgotten together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Calls {
    last: u64,
    count: u32,
}

/// Into how many grains a period is cut: a key needs some 1 KiB at most.
const GRAINS: u32 = 64;

impl Limit {
    pub(super) const fn new(count: u32, period: u64) -> Self {
        let period = if period == 0 { 1 } else { period };
        Self { count, period }
    }

    /// How long to wait until one more call fits; `None` if it does now.
    pub(super) fn wait(self, log: Option<&Log>, now: u64) -> Option<u64> {
        let Some(log) = log else {
            return (self.count == 0).then_some(self.period);
        };
        let mut left = u64::from(self.count);
        let mut too_many = None;
        // From the latest: the first that there is no place for has to end before another may come.
        for calls in self.counting(log, now).rev() {
            left = left.saturating_sub(u64::from(calls.count));
            if left == 0 {
                too_many = Some(calls.last);
                break;
            }
        }
        let ends = too_many?.saturating_add(self.period);
        Some(ends.saturating_sub(now).max(1))
    }

    /// How many more calls would fit.
    pub(super) fn remaining(self, log: Option<&Log>, now: u64) -> u64 {
        let used: u64 = log.map_or(0, |log| {
            let counting = self.counting(log, now);
            counting.map(|calls| u64::from(calls.count)).sum()
        });
        u64::from(self.count).saturating_sub(used)
    }

    /// Nanoseconds until no call counts any more.
    pub(super) fn whole_in(self, log: Option<&Log>, now: u64) -> u64 {
        let last = log.and_then(|log| log.calls.back());
        last.map_or(0, |calls| {
            calls.last.saturating_add(self.period).saturating_sub(now)
        })
    }

    /// Remembers a call, and forgets those that do not count any more.
    pub(super) fn count(self, log: &mut Log, now: u64) {
        log.period = self.period;
        while let Some(first) = log.calls.front()
            && !self.counts(*first, now)
        {
            log.calls.pop_front();
        }
        // Of two callers the one who read the clock first may get here second.
        let now = log.calls.back().map_or(now, |calls| calls.last.max(now));
        match log.calls.back_mut() {
            Some(calls) if self.grain_of(calls.last) == self.grain_of(now) => {
                calls.last = now;
                calls.count = calls.count.saturating_add(1);
            }
            Some(_) | None => log.calls.push_back(Calls {
                last: now,
                count: 1,
            }),
        }
    }

    fn counting(self, log: &Log, now: u64) -> impl DoubleEndedIterator<Item = &Calls> {
        let calls = log.calls.iter();
        calls.filter(move |calls| self.counts(**calls, now))
    }

    const fn counts(self, calls: Calls, now: u64) -> bool {
        calls.last.saturating_add(self.period) > now
    }

    const fn grain_of(self, at: u64) -> u64 {
        let grain = self.period / GRAINS as u64;
        if self.count <= GRAINS || grain == 0 {
            at
        } else {
            at / grain
        }
    }
}

impl Log {
    /// Whether it says no more than no log.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        let last = self.calls.back();
        last.is_none_or(|calls| calls.last.saturating_add(self.period) <= now)
    }

    /// How much is remembered, for the test of its bound.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }
}
