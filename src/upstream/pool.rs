//! Connections to the agent that wait for their next request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;
use tokio::task::JoinHandle;

use super::request_body::RequestBody;

/// One connection: the side that sends, and the task that drives it. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<RequestBody>,
    _driver: Driver,
}

/// The task that moves a connection's bytes, aborted when nobody holds the connection any more.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Connection {
    pub(super) const fn new(sender: SendRequest<RequestBody>, driver: JoinHandle<()>) -> Self {
        Self {
            sender,
            _driver: Driver(driver),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// At most `capacity` idle connections, the one used last on top: those that are not needed grow old
/// at the bottom.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
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

    /// Keeps the connection, or closes it when there are enough.
    pub(super) fn push(&self, connection: Connection, now: Instant) {
        if connection.sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() >= self.capacity {
            idle.retain(|idle| !idle.is_over(now));
        }
        if idle.len() < self.capacity {
            idle.push(Idle {
                connection,
                since: now,
            });
        }
    }

    /// The connection used last that can take a request now.
    pub(super) fn pop(&self, now: Instant) -> Option<Connection> {
        let mut idle = self.lock();
        let mut at = idle.len();
        while let Some(below) = at.checked_sub(1) {
            at = below;
            let candidate = idle.get(at)?;
            if candidate.is_over(now) {
                idle.remove(at);
            } else if candidate.connection.sender.is_ready() {
                return Some(idle.remove(at).connection);
            }
            // Else its driver has not come to the end of the last exchange yet; leave it.
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        // A panic under this lock leaves at worst a connection too few.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn is_over(&self, now: Instant) -> bool {
        let sender = &self.connection.sender;
        let age = now.saturating_duration_since(self.since);
        sender.is_closed() || age > LONGEST_IDLE || (age > LONGEST_SETTLING && !sender.is_ready())
    }
}

/// Past this a connection is more likely dead than alive: whatever stands between us and the agent
/// may have forgotten it without telling us.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// How long the driver may need to find that an exchange is over, once the answer was read to its end.
/// It takes microseconds, unless the agent has answered a request that it does not read.
const LONGEST_SETTLING: Duration = Duration::from_secs(1);
