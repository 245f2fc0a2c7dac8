//! What the room is told.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::uri::PathAndQuery;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// The agent that we stand beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it is, and what it speaks.
    pub endpoint: Endpoint,
    /// The name that an `https://` agent is asked for and must prove; `None` is the host of its address.
    pub server_name: Option<ServerName<'static>>,
    /// Idle HTTP/1.1 connections that are kept by each worker.
    pub idle: usize,
    /// Exchanges that share one HTTP/2 connection; where the agent allows fewer, that is the limit.
    pub streams: usize,
    /// Threads that forward calls, each with its own connections.
    pub workers: NonZeroUsize,
    /// Exchanges that may be with the agent at once, over all workers: HTTP/1.1 connections in use, and
    /// streams.
    pub exchanges: usize,
    /// Calls that may wait for one of those to end.
    pub pending: usize,
    /// How long a connection may take to open, and a call may wait for its turn.
    pub connect: Duration,
    /// How long the agent may take to begin its answer.
    pub first_byte: Duration,
    /// What is sent twice.
    pub retry: Retry,
    /// When the agent is not asked for a while; `None` is never.
    pub ejection: Option<Ejection>,
    /// How the agent is probed; `None` is not at all.
    pub health: Option<Health>,
}

/// When the agent is not asked for a while. Any answer ends a row of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// Connections in a row that could not be opened.
    pub connect_failures: u32,
    /// Exchanges in a row that got no answer over a connection that was open. Callers can bring these about,
    /// so more should be needed.
    pub exchange_failures: u32,
    /// How long it is not asked; then one call tries.
    pub time: Duration,
}

/// How the agent is probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What a GET must answer with 2xx or 3xx; `None` only opens a connection.
    pub path: Option<PathAndQuery>,
    /// From one probe to the next.
    pub every: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// Successes in a row until calls are let through again.
    pub healthy: u32,
    /// Failures in a row until calls are refused.
    pub unhealthy: u32,
}

impl Default for Ejection {
    /// Three connections or twenty exchanges, and two seconds: short, because nobody else answers meanwhile.
    fn default() -> Self {
        Self {
            connect_failures: 3,
            exchange_failures: 20,
            time: Duration::from_secs(2),
        }
    }
}

impl Default for Health {
    /// A connection every 5 s, that is open within 2 s; three failures, one success.
    fn default() -> Self {
        Self {
            path: None,
            every: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy: 1,
            unhealthy: 3,
        }
    }
}

/// Where the agent is, and what it speaks: the forms of `upstream.url`. A name is resolved again for each
/// connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `h2c://host:port`: HTTP/2 in the clear, by prior knowledge (RFC 9113, section 3.3).
    H2c {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `http://host:port`: HTTP/1.1 in the clear.
    Http {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `https://host:port`: HTTP/2 or HTTP/1.1 over TLS, as the agent chooses (RFC 7301).
    Https {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/run/agent.sock`: HTTP/1.1 over a socket of this machine.
    Unix(PathBuf),
}

impl Endpoint {
    /// The port; `None` for a socket of this machine.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::H2c { port, .. } | Self::Http { port, .. } | Self::Https { port, .. } => {
                Some(*port)
            }
            Self::Unix(_) => None,
        }
    }

    /// The same at another port. A socket of this machine has none, and stays as it is.
    #[must_use]
    pub fn at(mut self, other: u16) -> Self {
        match &mut self {
            Self::H2c { port, .. } | Self::Http { port, .. } | Self::Https { port, .. } => {
                *port = other;
            }
            Self::Unix(_) => {}
        }
        self
    }
}

/// What is sent twice when the agent closed its connection without an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retry {
    /// Only what the agent cannot have seen.
    #[default]
    Never,
    /// Also a request of a safe method without a body, when a connection that was used before breaks
    /// (RFC 9110, section 9.2.2).
    Safe,
}

/// How we speak TLS to the agent; whoever reads the files puts a new one in when they change. Connections
/// keep the one that they began with.
pub type ClientTls = Arc<ArcSwap<ClientConfig>>;

impl Config {
    /// An agent with the default pool: 128 idle connections, 100 streams to an HTTP/2 connection, 10000
    /// exchanges at once and 1024 calls that wait, 2 s to connect, 60 s to the first byte (a model's first
    /// token may take that long).
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            server_name: None,
            // More calls than this at once open a connection each, which costs as much as the call.
            idle: 128,
            streams: 100,
            workers: NonZeroUsize::MIN,
            exchanges: 10_000,
            pending: 1024,
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(60),
            retry: Retry::Never,
            ejection: Some(Ejection::default()),
            health: None,
        }
    }
}
