//! Connections to the agent that wait for their next request.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::LONGEST_IDLE;
use super::connection::Connection;
use super::shelf::Shelves;

/// At most `capacity` idle connections for each worker. The one used last is the first to be used again:
/// those that are not needed grow old and go.
#[derive(Debug)]
pub(super) struct Pool {
    // Oldest first. The lock is for the types only, as long as there are not more threads than workers.
    shelves: Shelves<Mutex<VecDeque<Idle>>>,
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
            shelves: Shelves::new(workers),
            capacity,
        }
    }

    /// Keeps the connection, if its exchange has ended cleanly; when there are enough, instead of the
    /// oldest.
    pub(super) fn push(&self, mut connection: Connection, now: Instant) {
        if self.capacity == 0 || !connection.is_idle() {
            return;
        }
        connection.rest();
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

    /// Closes all that are idle.
    pub(super) fn clear(&self) {
        self.shelves.all().for_each(|shelf| lock(shelf).clear());
    }

    fn shelf(&self) -> Option<MutexGuard<'_, VecDeque<Idle>>> {
        self.shelves.own().map(lock)
    }
}

fn lock(shelf: &Mutex<VecDeque<Idle>>) -> MutexGuard<'_, VecDeque<Idle>> {
    // A panic under this lock leaves at worst a connection too few.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Idle {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > LONGEST_IDLE
    }
}
