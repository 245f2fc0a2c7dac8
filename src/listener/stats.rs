//! What a listener counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counters of one listener. All but `open` only grow.
#[derive(Debug, Default)]
pub struct ListenerStats {
    /// Times that accepting failed.
    pub accept_errors: AtomicU64,
    /// Connections accepted, those that were closed at once included.
    pub accepted: AtomicU64,
    /// Connections that are open now.
    pub open: AtomicU64,
    /// Connections whose handler panicked.
    pub panicked: AtomicU64,
    /// Connections of a transparent listener closed at once, because nobody redirected them.
    pub refused_direct: AtomicU64,
    /// Connections closed because their PROXY protocol header is missing, malformed or late.
    pub refused_header: AtomicU64,
    /// Connections closed at once, because the listener has all that it may.
    pub refused_listener: AtomicU64,
    /// Connections of a transparent listener closed at once, because they were for a port that is not listed.
    pub refused_port: AtomicU64,
    /// Connections closed at once, because their source has all that it may.
    pub refused_source: AtomicU64,
    /// Connections closed at once, because only trusted peers may connect.
    pub refused_untrusted: AtomicU64,
}

/// One open connection; counted as closed when it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<ListenerStats>);

impl ListenerStats {
    /// One more connection; `None` when `limit` are open.
    pub(super) fn open(self: &Arc<Self>, limit: usize) -> Option<Open> {
        let before = self.open.fetch_add(1, Relaxed);
        // Its drop takes back what was added.
        let open = Open(Arc::clone(self));
        (before < limit as u64).then_some(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
