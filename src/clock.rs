//! The only place that reads a clock.
//!
//! Rooms that judge take time as an argument; the rest ask here, so that a test which pauses time
//! pauses all of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::Sleep;

/// Monotonic time, for durations and deadlines.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Wall-clock time, for what leaves the process: tokens' expiry, audit records.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// A moment to wait for, which may be moved at each step of a connection's life and costs nothing until
/// somebody waits: the timer behind it is made at the first wait, and moved only when it fires too early or
/// would fire too late.
#[derive(Debug, Default)]
pub struct Alarm {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Rings at this moment, and at no other.
    pub const fn set(&mut self, at: Instant) {
        self.at = Some(at);
    }

    /// Does not ring.
    pub const fn clear(&mut self) {
        self.at = None;
    }

    /// When it rings.
    pub const fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Ready when it rings.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let deadline = tokio::time::Instant::from_std(at);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if now() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

/// A timeout on something that may take forever as long as it moves.
///
/// Costs nothing while it moves; see [`Alarm`].
#[derive(Debug)]
pub struct Stall {
    limit: Duration,
    cap: Option<Instant>,
    // Set while something waits.
    alarm: Alarm,
}

impl Stall {
    /// Expires after a wait of `limit` without [`progress`](Self::progress).
    pub const fn new(limit: Duration) -> Self {
        Self {
            limit,
            cap: None,
            alarm: Alarm {
                at: None,
                timer: None,
            },
        }
    }

    /// The same, and a wait does not last past `cap` either.
    #[must_use]
    pub const fn capped(mut self, cap: Instant) -> Self {
        self.cap = Some(cap);
        self
    }

    /// It moved: the next wait starts anew.
    pub const fn progress(&mut self) {
        self.alarm.clear();
    }

    /// To be called each time that the guarded operation is pending; ready when it has been for too
    /// long.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.alarm.at().is_none() {
            self.alarm.set(self.wait_until());
        }
        self.alarm.poll(cx)
    }

    fn wait_until(&self) -> Instant {
        let now = now();
        // A limit beyond what the clock can tell is no limit; a day is long enough to look again.
        let expires = now.checked_add(self.limit).unwrap_or(now + DAY);
        self.cap.map_or(expires, |cap| cap.min(expires))
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stall_expires_after_one_wait_without_progress() {
        let mut stall = Stall::new(Duration::from_secs(5));
        let start = now();
        poll_fn(|cx| stall.poll_expired(cx)).await;
        assert_eq!(now() - start, Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn progress_starts_the_wait_anew() {
        let mut stall = Stall::new(Duration::from_secs(5));
        let start = now();
        for _ in 0..3 {
            let wait =
                tokio::time::timeout(Duration::from_secs(4), poll_fn(|cx| stall.poll_expired(cx)));
            assert!(wait.await.is_err());
            stall.progress();
        }
        poll_fn(|cx| stall.poll_expired(cx)).await;
        assert_eq!(now() - start, Duration::from_secs(17));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cap_ends_the_wait_early() {
        let start = now();
        let mut stall = Stall::new(Duration::MAX).capped(start + Duration::from_secs(2));
        poll_fn(|cx| stall.poll_expired(cx)).await;
        assert_eq!(now() - start, Duration::from_secs(2));
    }
}
