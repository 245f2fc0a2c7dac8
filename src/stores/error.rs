//! What can be wrong with a store.

use std::io;
use std::sync::Arc;

use super::COMMAND_DEADLINE;

/// Why an address is none, or cannot be had. It never shows the address: that holds a password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The file of authorities cannot be read, or holds none.
    #[error("`ca` cannot be used: {0}")]
    Authorities(Box<str>),
    /// Authorities are for TLS.
    #[error("`ca` is for rediss://, and {0} says redis://")]
    AuthoritiesUnused(Box<str>),
    /// Neither a host nor anything like it.
    #[error("{0} does not hold the address of a Redis, such as {EXAMPLE}")]
    Malformed(Box<str>),
    /// Something behind `#`, such as `#insecure`: certificates are always verified.
    #[error("the address in {0} ends with `#…`, which is not supported; `ca` says whom to trust")]
    Options(Box<str>),
    /// Another scheme.
    #[error("the address in {0} is for `{1}`; write redis:// or rediss://, such as {EXAMPLE}")]
    Scheme(Box<str>, Box<str>),
    /// No such file, or not for us.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// No such variable.
    #[error("${0} is not set; it should hold the address of a Redis, such as {EXAMPLE}")]
    Unset(Box<str>),
}

const EXAMPLE: &str = "rediss://user:password@redis.example:6379";

/// Why a command has no answer. It may have been executed all the same, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too many wait already. It was not sent.
    #[error("too many calls wait for Redis")]
    Busy,
    /// There is no connection, and why. It was not sent.
    #[error("Redis {0}")]
    Down(Arc<str>),
    /// The connection ended before the answer came.
    #[error("the connection to Redis ended")]
    Lost,
    /// Redis refused it, or answered something that is no answer to it.
    #[error("Redis answered `{0}`")]
    Refused(Box<str>),
    /// No answer in time.
    #[error("Redis did not answer within {COMMAND_DEADLINE:?}")]
    Slow,
}

impl StoreError {
    /// The word that stands in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Down(_) => "down",
            Self::Lost => "lost",
            Self::Refused(_) => "refused",
            Self::Slow => "slow",
        }
    }
}
