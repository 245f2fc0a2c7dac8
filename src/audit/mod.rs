//! Records what happened to each call, exactly once.
//!
//! Owns the [`Record`], the guard that makes sure of it ([`Open`]) and the writer that appends records
//! as JSON lines to a file. A call opens its record first and closes it last; dropping the guard midway
//! hands the record over too. What happens to that which judges calls is recorded beside them ([`Note`]). A place in the queue is taken when a record is opened, so handing it over
//! never waits and never fails, and a call that was admitted keeps its record while the process lives.
//!
//! [`read`] reads the lines again, for whoever asks what was decided.
//!
//! Leaves to others what a record says: `proxy` fills it in. Must not hold a secret: findings come
//! with a masked preview and a fingerprint, paths come without their query, and of what a caller sends besides only
//! what a policy names is kept ([`Captured`]). The audit record is not a
//! log line; the log only tells when records cannot be written.
//!
//! The writer is a thread of its own and no task: appending to a file blocks, and a full disk or a slow
//! volume must hold up neither a runtime worker nor, through the pool for blocking work, anybody else.
#![warn(clippy::wildcard_enum_match_arm)]

mod append;
mod captured;
mod config;
mod error;
mod file;
mod json;
mod line;
mod metrics;
mod note;
mod open;
pub mod read;
mod record;
mod start;
mod state;
mod writer;

#[cfg(test)]
mod tests;

pub use captured::Captured;
pub use config::{Capture, Config, Decisions, OnFull};
pub use error::{StartError, Unwritten};
pub use metrics::Metrics;
pub use note::{CardNote, Note, PoliciesNote, PoliciesResult, RevocationNote};
pub use open::{Open, Taken};
pub use record::{Decision, Generation, Outcome, Record};
pub use start::{Audit, Origin};
pub use state::State;
