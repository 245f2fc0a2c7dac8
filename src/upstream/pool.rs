//! Connections to the agent that wait for their next request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;

/// At most `capacity` idle connections. The one used last is the first to be used again: those that
/// are not needed grow old and go.
#[derive(Debug)]
pub(super) struct Pool {
    // Oldest first.
    idle: Mutex<VecDeque<Idle>>,
    capacity: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            idle: Mutex::default(),
            capacity,
        }
    }

    /// Keeps the connection, if its exchange has ended cleanly; when there are enough, instead of the
    /// oldest.
    pub(super) fn push(&self, connection: Connection, now: Instant) {
        if self.capacity == 0 || !connection.is_idle() {
            return;
        }
        let mut idle = self.lock();
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
        let mut idle = self.lock();
        let newest = idle.pop_back()?;
        if newest.is_old(now) {
            // Then so are all others.
            idle.clear();
            return None;
        }
        Some(newest.connection)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // A panic under this lock leaves at worst a connection too few.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > LONGEST_IDLE
    }
}

/// Past this a connection is more likely dead than alive: whatever stands between us and the agent
/// may have forgotten it without telling us. Arbitrary.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
