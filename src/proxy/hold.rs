//! How much of an answer is held back, and for how long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::clock;

use super::Proxy;

/// How often a comment tells a waiting reader that the stream lives while something is held.
/// Shorter than any load balancer's idle time-out.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Watches what an answer's scan holds back. Its drop ends the hold, so that the gauge comes back to zero
/// however the answer ends.
pub(super) struct Hold {
    proxy: Arc<Proxy>,
    current: Option<Current>,
    bytes: u64,
    // Made at the first hold and used again: with token deltas the last word of each waits for the next.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What waits now.
struct Current {
    /// Where in the body it begins. When something newer waits instead, its time begins anew.
    at: u64,
    since: Instant,
    expires: Instant,
}

/// What is to be done while something waits.
pub(super) enum Due {
    /// The reader should hear that the stream lives.
    Comment,
    /// The time is over.
    Expired,
}

impl Hold {
    pub(super) const fn new(proxy: Arc<Proxy>) -> Self {
        Self {
            proxy,
            current: None,
            bytes: 0,
            timer: None,
        }
    }

    /// Looks at what waits after the scan has read something: how many bytes, from where on, and for how
    /// long they may. Returns the bytes that wait.
    pub(super) fn look(
        &mut self,
        bytes: u64,
        from: Option<u64>,
        time: impl FnOnce() -> Duration,
    ) -> u64 {
        self.count(bytes);
        match (from, &self.current) {
            (None, _) => self.end(),
            (Some(at), Some(current)) if current.at == at => {}
            (Some(at), _) => self.begin(at, time()),
        }
        self.bytes
    }

    fn begin(&mut self, at: u64, time: Duration) {
        self.observe();
        let since = clock::now();
        let expires = since + time;
        let next = expires.min(since + KEEP_ALIVE).into();
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(next),
            None => self.timer = Some(Box::pin(sleep_until(next))),
        }
        self.current = Some(Current { at, since, expires });
    }

    pub(super) fn end(&mut self) {
        self.observe();
        self.count(0);
    }

    fn observe(&mut self) {
        if let Some(current) = self.current.take() {
            let held = clock::now() - current.since;
            self.proxy.parts().calls.hold.observe(held.as_secs_f64());
        }
    }

    fn count(&mut self, bytes: u64) {
        if bytes != self.bytes {
            let gauge = &self.proxy.parts().calls.held_bytes;
            let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
            gauge.add(signed(bytes) - signed(self.bytes));
            self.bytes = bytes;
        }
    }

    /// Ready when something is due; pending, and never woken by this, while nothing waits.
    pub(super) fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<Due> {
        let (Some(current), Some(timer)) = (&self.current, &mut self.timer) else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(context));
        let now = clock::now();
        if now >= current.expires {
            self.end();
            return Poll::Ready(Due::Expired);
        }
        timer
            .as_mut()
            .reset(current.expires.min(now + KEEP_ALIVE).into());
        Poll::Ready(Due::Comment)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.end();
    }
}
