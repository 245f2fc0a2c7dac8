//! What processes share: a connection to Redis or Valkey, kept in the background.
//!
//! Owns the address, the connection, its deadlines and its reconnection, and the commands that other rooms need: each is
//! a method of [`Redis`]. Leaves to others what the answers mean, and what holds while there are none.
//!
//! Must not make a call wait for a connection, nor for an answer longer than [`COMMAND_DEADLINE`]; and must not tell of
//! data that were lost as if they had never been.

mod config;
mod error;

#[cfg(feature = "redis")]
mod address;
#[cfg(feature = "redis")]
mod handle;
#[cfg(feature = "redis")]
mod keeper;
#[cfg(feature = "redis")]
mod metrics;

use std::time::Duration;

pub use config::{Config, UrlSource};
pub use error::{AddressError, StoreError};

#[cfg(feature = "redis")]
pub use handle::{Redis, Set, State};
#[cfg(feature = "redis")]
pub use metrics::Metrics;

/// How long the answer to a command may take: much more than on any network that is well, and little of what a caller
/// waits for.
pub const COMMAND_DEADLINE: Duration = Duration::from_millis(250);

/// How many commands wait for their answers at once; more fail at once. Little's law: 16,384 a second at 250 ms each, and
/// far more when Redis is well.
pub const IN_FLIGHT: usize = 4096;
