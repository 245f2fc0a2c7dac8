//! How many exchanges may be with the agent at once, and how many calls may wait for that.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use tokio::sync::Notify;

use super::error::UpstreamError;
use super::{Shared, within};

/// Lets in at most `limit`, and keeps at most `pending` waiting, in the order in which they came.
#[derive(Debug)]
pub(super) struct Gate {
    limit: usize,
    pending: usize,
    inside: AtomicUsize,
    waiting: AtomicUsize,
    left: Notify,
}

/// A place inside; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) shared: Arc<Shared>,
}

impl Slot {
    /// Waits for a place, as long as for a connection, and not past `total`.
    pub(super) async fn take(shared: &Arc<Shared>, total: Instant) -> Result<Self, UpstreamError> {
        if !shared.gate.try_enter() {
            // Boxed: only who waits pays for it.
            let until = within(shared.connect, total);
            Box::pin(shared.gate.wait(until)).await?;
        }
        Ok(Self {
            shared: Arc::clone(shared),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.gate.leave();
    }
}

impl Gate {
    pub(super) fn new(limit: usize, pending: usize) -> Self {
        Self {
            limit,
            pending,
            inside: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            left: Notify::new(),
        }
    }

    /// How many are inside, and how many wait.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.inside.load(SeqCst), self.waiting.load(SeqCst))
    }

    /// Whoever waits goes first.
    fn try_enter(&self) -> bool {
        self.waiting.load(SeqCst) == 0 && self.try_step_in()
    }

    fn try_step_in(&self) -> bool {
        let room = |inside| (inside < self.limit).then_some(inside + 1);
        self.inside.fetch_update(SeqCst, SeqCst, room).is_ok()
    }

    async fn wait(&self, until: Instant) -> Result<(), UpstreamError> {
        let _waiting = Waiting::new(self)?;
        let step_in = async {
            let mut left = pin!(self.left.notified());
            loop {
                // Heard from here on, so that nobody leaves unnoticed between the look and the wait.
                left.as_mut().enable();
                if self.try_step_in() {
                    return;
                }
                left.as_mut().await;
                left.set(self.left.notified());
            }
        };
        tokio::time::timeout_at(until.into(), step_in)
            .await
            .map_err(|_| UpstreamError::Saturated)
    }

    /// All operations are in one order (`SeqCst`): either this sees who waits, or who begins to wait sees
    /// the place that is free.
    fn leave(&self) {
        self.inside.fetch_sub(1, SeqCst);
        if self.waiting.load(SeqCst) > 0 {
            self.left.notify_one();
        }
    }
}

/// Somebody in the queue.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn new(gate: &'a Gate) -> Result<Self, UpstreamError> {
        let room = |waiting| (waiting < gate.pending).then_some(waiting + 1);
        gate.waiting
            .fetch_update(SeqCst, SeqCst, room)
            .map(|_| Self(gate))
            .map_err(|_| UpstreamError::Saturated)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, SeqCst);
    }
}
