//! Why a listener could not start.

use std::io;
use std::net::SocketAddr;

/// Why an address could not be bound: what happened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error(
        "cannot listen on {0}: the address is in use; stop the other process or choose another port"
    )]
    InUse(SocketAddr),
    /// Anything else that the system says.
    #[error("cannot listen on {address}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// No interface of this machine has the address.
    #[error(
        "cannot listen on {0}: this machine has no such address; use one of its own, or 0.0.0.0 for all"
    )]
    NotOurs(SocketAddr),
    /// The system forbids it, which for a port below 1024 is the usual reason.
    #[error(
        "cannot listen on {0}: not permitted; choose a port of 1024 or above, or grant CAP_NET_BIND_SERVICE"
    )]
    Permission(SocketAddr),
    /// The system does not let us take connections that are for others.
    #[error(
        "cannot take connections for other addresses on {0}: not permitted; grant CAP_NET_ADMIN, or use `transparent: redirect`, which needs no right"
    )]
    Transparent(SocketAddr),
}

impl BindError {
    pub(super) fn new(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(address),
            io::ErrorKind::PermissionDenied => Self::Permission(address),
            _ => Self::Io { address, error },
        }
    }
}
