//! What the room counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::error::UpstreamError;

/// Counters of one agent. All but `open` only grow.
#[derive(Debug, Default)]
pub struct UpstreamStats {
    /// Connections that are open now, idle ones included.
    pub open: AtomicU64,
    /// Connections opened.
    pub opened: AtomicU64,
    /// Requests that were sent twice: they change nothing, and the agent closed as they were sent.
    pub retried: AtomicU64,
    /// Requests answered on a connection that was used before.
    pub reused: AtomicU64,
    /// Idle connections that the agent had closed when they were wanted.
    pub stale: AtomicU64,
    errors: [AtomicU64; UpstreamError::LABELS.len()],
}

/// One open connection; counted as closed when it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<UpstreamStats>);

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

    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.opened.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open(Arc::clone(self))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
