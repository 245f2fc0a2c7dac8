//! Connections to the agent that wait for their next request.

use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;

/// At most `capacity` idle connections for each worker. The one used last is the first to be used again:
/// those that are not needed grow old and go.
///
/// A worker uses the connections that it opened: they are watched by its own runtime, and no other thread has
/// to be woken for them.
#[derive(Debug)]
pub(super) struct Pool {
    // Oldest first. The lock is for the types only, as long as there are not more threads than workers.
    shelves: Box<[Mutex<VecDeque<Idle>>]>,
    capacity: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(capacity: usize, workers: NonZeroUsize) -> Self {
        Self {
            shelves: (0..workers.get()).map(|_| Mutex::default()).collect(),
            capacity,
        }
    }

    /// Keeps the connection, if its exchange has ended cleanly; when there are enough, instead of the
    /// oldest.
    pub(super) fn push(&self, connection: Connection, now: Instant) {
        if self.capacity == 0 || !connection.is_idle() {
            return;
        }
        let Some(mut idle) = self.shelf() else { return };
        // One each time is enough to keep up, and what is dropped here is at most two sockets.
        if idle.front().is_some_and(|oldest| oldest.is_old(now)) {
            idle.pop_front();
        }
        if idle.len() >= self.capacity {
            idle.pop_front();
        }
        idle.push_back(Idle {
            connection,
            since: now,
        });
    }

    /// The connection used last. The agent may have closed it meanwhile.
    pub(super) fn pop(&self, now: Instant) -> Option<Connection> {
        let mut idle = self.shelf()?;
        let newest = idle.pop_back()?;
        if newest.is_old(now) {
            // Then so are all others.
            idle.clear();
            return None;
        }
        Some(newest.connection)
    }

    /// The connections of this thread. There is always one.
    fn shelf(&self) -> Option<MutexGuard<'_, VecDeque<Idle>>> {
        let shelf = self.shelves.get(thread_index() % self.shelves.len())?;
        // A panic under this lock leaves at worst a connection too few.
        Some(shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Idle {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > LONGEST_IDLE
    }
}

/// Counts the threads that use a pool, in the order in which they first do.
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

/// Past this a connection is more likely dead than alive: whatever stands between us and the agent
/// may have forgotten it without telling us. Arbitrary.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
