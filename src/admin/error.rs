//! Why the admin port could not be opened.

use std::io;
use std::net::SocketAddr;

/// Why the admin port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for admin requests on `{address}`; set `admin.address` to a free one")]
pub struct BindError {
    /// Where it should have listened.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}
