//! What the room counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::error::UpstreamError;
use crate::drain::Guard;

/// Counters of one agent. All but `open` only grow.
#[derive(Debug, Default)]
pub struct UpstreamStats {
    /// Connections that are open now, idle ones included.
    pub open: AtomicU64,
    /// Connections opened.
    pub opened: AtomicU64,
    /// Requests that were sent twice: the agent said that it had not begun on them, or they change nothing
    /// and the agent closed as they were sent.
    pub retried: AtomicU64,
    /// Requests answered on a connection that was used before.
    pub reused: AtomicU64,
    /// Probes that found the agent well.
    pub probes_succeeded: AtomicU64,
    /// Probes that did not.
    pub probes_failed: AtomicU64,
    /// Idle connections that the agent had closed when they were wanted.
    pub stale: AtomicU64,
    errors: [AtomicU64; UpstreamError::LABELS.len()],
}

/// One open connection; counted as closed when it is dropped, and held up for until then.
#[derive(Debug)]
pub(super) struct Open {
    stats: Arc<UpstreamStats>,
    _guard: Guard,
}

impl UpstreamStats {
    /// How often each error happened, by [`UpstreamError::label`].
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.errors.iter().map(|count| count.load(Relaxed));
        UpstreamError::LABELS.iter().copied().zip(counts)
    }

    pub(super) fn failed(&self, error: &UpstreamError) {
        let label = error.label();
        let known = UpstreamError::LABELS.iter().zip(&self.errors);
        for (_, count) in known.filter(|(known, _)| **known == label) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn probed(&self, success: bool) {
        if success {
            self.probes_succeeded.fetch_add(1, Relaxed);
        } else {
            self.probes_failed.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn open(self: &Arc<Self>, guard: Guard) -> Open {
        self.opened.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open {
            stats: Arc::clone(self),
            _guard: guard,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stats.open.fetch_sub(1, Relaxed);
    }
}
