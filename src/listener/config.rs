//! What the room is told.

use std::net::SocketAddr;
use std::time::Duration;

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen. Port 0 lets the system choose.
    pub address: SocketAddr,
    /// Caps.
    pub limits: Limits,
    /// How long each step may take.
    pub deadlines: Deadlines,
}

/// Caps on what one listener holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// Connections at the same time from one source address.
    pub per_source: usize,
    /// Bytes of one request head.
    pub header_bytes: usize,
    /// Header fields of one request.
    pub headers: usize,
    /// Streams at the same time on one HTTP/2 connection.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_source: 500,
            header_bytes: 32 * 1024,
            headers: 100,
            streams: 100,
        }
    }
}

/// How long each step of a connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The TLS handshake.
    pub handshake: Duration,
    /// A request head, from its first byte.
    pub header: Duration,
    /// Between two pieces of a request body.
    pub body_idle: Duration,
    /// Between two requests of a connection.
    pub keep_alive: Duration,
    /// A peer that does not read.
    pub write_stall: Duration,
    /// Work in flight when the process is asked to stop.
    pub drain: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}
