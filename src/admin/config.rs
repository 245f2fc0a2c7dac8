//! What the room is told.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The admin port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; loopback by default. Port 0 lets the system choose.
    pub address: SocketAddr,
    /// What opens more than probes and metrics; `None` keeps that closed to everybody.
    pub token: Option<TokenSource>,
}

/// Where the token lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// In an environment variable of this name.
    Env(String),
    /// In a file, whose line end does not count. It is read again whenever it is needed.
    File(PathBuf),
}
