//! What calls and the writer share: places in the queue, losses, and whether writing works.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use crate::clock;

use super::config::OnFull;
use super::metrics::Metrics;

/// Whether records can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The file does not take what we write; what is unwritten waits and is tried again every second.
    Failing {
        /// Since when.
        since: Timestamp,
        /// What the system said last.
        error: String,
    },
    /// No more records can be open or wait, though none failed: too many calls are in flight for the
    /// queue, or standard output is not read.
    Full {
        /// How many are.
        records: usize,
    },
    /// They can.
    Healthy,
}

#[derive(Debug)]
pub(super) struct Shared {
    capacity: usize,
    pub(super) on_full: OnFull,
    // Records that are open or wait to be written; at most `capacity`.
    taken: AtomicUsize,
    // Losses that the file does not tell of yet.
    lost: AtomicU64,
    // The same as `failure.is_some()`, for the hot path.
    failing: AtomicBool,
    failure: Mutex<Option<(Timestamp, String)>>,
    // Set once, when the writer is asked to end.
    pub(super) stop_by: OnceLock<Instant>,
    pub(super) metrics: Metrics,
}

impl Shared {
    pub(super) const fn new(capacity: usize, on_full: OnFull, metrics: Metrics) -> Self {
        Self {
            capacity,
            on_full,
            taken: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            failure: Mutex::new(None),
            stop_by: OnceLock::new(),
            metrics,
        }
    }

    /// Takes a place in the queue; `false` when there is none.
    pub(super) fn take(&self) -> bool {
        // Relaxed: the number guards no other memory, the channel does.
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < self.capacity).then_some(taken + 1)
            });
        if taken.is_ok() {
            self.metrics.queue.inc();
        }
        taken.is_ok()
    }

    /// Gives places back, for records that were written or will never be.
    pub(super) fn give_back(&self, places: usize) {
        self.taken.fetch_sub(places, Ordering::Relaxed);
        self.metrics
            .queue
            .sub(i64::try_from(places).unwrap_or(i64::MAX));
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Counts a record that the policy does not want, and gives its place back if it has one.
    pub(super) fn leave_out(&self, place: bool) {
        self.metrics.left_out.inc();
        if place {
            self.give_back(1);
        }
    }

    /// Counts a record that will never be written.
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.metrics.lost.inc();
    }

    /// The losses since the last call, for the file to tell.
    pub(super) fn losses(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(super) fn fail(&self, error: String) {
        let mut failure = self.failure();
        let since = match &*failure {
            Some((since, _)) => *since,
            None => {
                tracing::warn!(error, "audit records cannot be written, trying again");
                self.metrics.failing.set(1);
                clock::wall()
            }
        };
        *failure = Some((since, error));
        self.failing.store(true, Ordering::Relaxed);
    }

    pub(super) fn recover(&self) {
        if !self.is_failing() {
            return;
        }
        *self.failure() = None;
        self.failing.store(false, Ordering::Relaxed);
        self.metrics.failing.set(0);
        tracing::info!("audit records are written again");
    }

    pub(super) fn state(&self) -> State {
        if let Some((since, error)) = &*self.failure() {
            return State::Failing {
                since: *since,
                error: error.clone(),
            };
        }
        match self.taken() {
            records if records >= self.capacity => State::Full { records },
            _ => State::Healthy,
        }
    }

    fn failure(&self) -> MutexGuard<'_, Option<(Timestamp, String)>> {
        // Nothing below a lock can leave it half changed.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's own words for a write that failed.
pub(super) fn write_error(error: &io::Error) -> String {
    format!("cannot write to the audit file: {error}")
}
