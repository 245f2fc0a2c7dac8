//! What the room is told.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The agent that we stand beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Host and port of `http://host:port`, resolved again for each connection.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Idle connections that are kept by each worker.
    pub idle: usize,
    /// Threads that forward calls, each with its own idle connections.
    pub workers: NonZeroUsize,
    /// How long a connection may take to open.
    pub connect: Duration,
    /// How long the agent may take to begin its answer.
    pub first_byte: Duration,
}

impl Config {
    /// An agent at this address, with the default pool: 32 idle connections, 2 s to connect, 60 s to
    /// the first byte (a model's first token may take that long).
    pub fn new(host: String, port: u16) -> Self {
        Self {
            host,
            port,
            idle: 32,
            workers: NonZeroUsize::MIN,
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(60),
        }
    }
}
