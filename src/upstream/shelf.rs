//! What each worker keeps for itself.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// One thing for each worker. A worker uses the connections that it opened: they are watched by its own
/// runtime, and no other thread has to be woken for them.
///
/// As long as there are not more threads than workers, nobody else touches a worker's own.
#[derive(Debug)]
pub(super) struct Shelves<T>(Box<[T]>);

impl<T: Default> Shelves<T> {
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self((0..workers.get()).map(|_| T::default()).collect())
    }
}

impl<T> Shelves<T> {
    /// The one of this thread. There is always one.
    pub(super) fn own(&self) -> Option<&T> {
        self.0.get(thread_index().checked_rem(self.0.len())?)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

/// Counts the threads that use a shelf, in the order in which they first do.
fn thread_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
    }
    INDEX.get().unwrap_or_else(|| {
        let index = NEXT.fetch_add(1, Relaxed);
        INDEX.set(Some(index));
        index
    })
}
