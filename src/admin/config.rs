//! What the room is told.

use std::net::SocketAddr;

/// The admin port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; loopback by default. Port 0 lets the system choose.
    pub address: SocketAddr,
}
