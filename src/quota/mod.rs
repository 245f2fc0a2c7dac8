//! Meters what callers use.
//!
//! Owns the compiled quotas ([`Quotas`]), what is remembered of past calls ([`Store`]) and the proof that
//! a call fits ([`Admission`]). Leaves to others: whether the call is allowed at all (`policy`, whose
//! [`Permit`](crate::policy::Permit) is spent here) and what the peer reads of a refusal (`proxy`).
//!
//! The algorithm (`gcra`) is pure and apart from the store; time is an argument. The store outlives
//! reloads: counters are found by the quota's name and key, so a changed rate adapts in place and a
//! reload gives nobody a fresh burst. No lock is held across an await, because nothing here awaits.

mod admit;
mod config;
mod gcra;
mod store;
#[cfg(test)]
mod tests;

pub use admit::{Admission, Quotas};
pub use config::{Config, Dimension, Quota, Rate, Rates};
pub use store::Store;
