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

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A short one could be guessed.
    #[error(
        "the admin token in `{place}` is missing or shorter than {least} bytes; write a long random one there"
    )]
    TooShort {
        /// Where it should be.
        place: String,
        /// The fewest bytes of one.
        least: usize,
    },
    /// The file cannot be read.
    #[error("cannot read the admin token from `{path}`")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}
