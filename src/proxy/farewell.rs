//! Lets what was released leave before a transfer is cut.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::clock;

use super::watch::Busy;

/// How often to look whether the connection was flushed. Only answers that are cut pay for it.
const TICK: Duration = Duration::from_millis(2);

/// How long a reader may take to fetch what was released to it. Arbitrary: long enough for a slow line,
/// and below the deadline at which the connection counts as stalled.
const LINGER: Duration = Duration::from_secs(10);

/// The wait between the last released byte and the end of a transfer that was cut.
///
/// A body that fails ends an HTTP/1.1 connection at once, and the stream of an HTTP/2 one, with all that
/// is still in their buffers: the events that the agent had sent whole, or even the head. So the body
/// waits with its failure until the connection was flushed. Where an HTTP/2 peer gives no window, a
/// flush of the connection says nothing of the stream, and the rest is lost as if the line had broken.
pub(super) struct Farewell {
    flushes: u64,
    expires: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Farewell {
    /// Begins when all that was released has been handed over.
    pub(super) fn new(busy: &Busy) -> Self {
        let now = clock::now();
        Self {
            flushes: busy.flushes(),
            expires: now + LINGER,
            timer: Box::pin(sleep_until((now + TICK).into())),
        }
    }

    /// Ready when the transfer may be cut. To be pending once is what makes the connection flush.
    pub(super) fn poll(&mut self, busy: &Busy, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = clock::now();
            if busy.flushes() != self.flushes || now >= self.expires {
                return Poll::Ready(());
            }
            ready!(self.timer.as_mut().poll(context));
            self.timer.as_mut().reset((now + TICK).into());
        }
    }
}
