//! What the room is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::trusted::TrustedPeers;

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen. Port 0 lets the system choose.
    pub address: SocketAddr,
    /// Caps.
    pub limits: Limits,
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// Peers whose word on where a caller comes from counts.
    pub trusted: Arc<TrustedPeers>,
    /// Whether connections of trusted peers begin with a header that says for whom they connect.
    pub proxy_protocol: ProxyProtocol,
    /// Whether the kernel brings connections that were for another port.
    pub transparent: Transparent,
    /// The ports that those may have been for; all others are closed.
    pub ports: Arc<[u16]>,
    /// What a connection is told for which there is no place; without words it is closed.
    pub farewell: Option<Bytes>,
}

impl Config {
    /// Listens there, with the defaults of all else.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            trusted: Arc::default(),
            proxy_protocol: ProxyProtocol::Off,
            transparent: Transparent::Off,
            ports: Arc::default(),
            farewell: None,
        }
    }
}

/// Whether the PROXY protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// No.
    Off,
    /// Trusted peers may begin with a header; others are callers.
    Optional,
    /// Only trusted peers may connect, and each connection begins with a header.
    Required,
}

/// How connections come that were for another port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transparent {
    /// None do.
    #[default]
    Off,
    /// By a REDIRECT rule of iptables or nftables: the connection is to us, and the kernel remembers where it was
    /// to go (`SO_ORIGINAL_DST`).
    Redirect,
    /// By a TPROXY rule: the connection has the address and the port that it was for (`IP_TRANSPARENT`).
    Tproxy,
}

/// Caps on what one listener holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// Connections at the same time from one source address.
    pub per_source: usize,
    /// TLS handshakes at the same time.
    pub handshakes: usize,
    /// Bytes of one request head.
    pub header_bytes: usize,
    /// Header fields of one request.
    pub headers: usize,
    /// Streams at the same time on one HTTP/2 connection.
    pub streams: u32,
    /// Calls in flight at the same time, over all connections.
    pub calls: usize,
    /// Bytes of a request's body that one HTTP/2 stream may send ahead of who reads them.
    pub stream_window: usize,
    /// The same over all streams of an HTTP/2 connection.
    pub connection_window: usize,
    /// Bytes of an answer that wait in one HTTP/2 stream before no more are taken from the agent.
    pub send_buffer: usize,
    /// Streams of an HTTP/2 connection that the caller may reset, or make us reset, within ten seconds.
    pub resets: u32,
    /// Frames of an HTTP/2 connection within ten seconds that carry neither a request nor a body, above
    /// what requests and answers make up for.
    pub control_frames: u32,
}

impl Limits {
    /// The size of a list of fields as HTTP/2 counts it, 32 bytes for each field included (RFC 9113,
    /// section 6.5.2), that every head within the limits fits in.
    pub const fn head_list(&self) -> usize {
        self.header_bytes + 32 * self.headers
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_source: 500,
            // Half a second of one core, and 20 MiB.
            handshakes: 512,
            header_bytes: 32 * 1024,
            headers: 100,
            streams: 100,
            calls: 10_000,
            // The window that every client begins with anyway (RFC 9113, section 6.9.2).
            stream_window: 64 * 1024,
            // Sixteen streams at their full pace.
            connection_window: 1024 * 1024,
            send_buffer: 64 * 1024,
            // Each may have cost a call to the agent. Page loads and agents' time-outs cancel some.
            resets: 200,
            // An idle client sends a PING now and then; one that reads is not counted.
            control_frames: 1000,
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
