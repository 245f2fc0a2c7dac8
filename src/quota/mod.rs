//! Meters what callers use.
//!
//! Owns the compiled quotas ([`Quotas`]), what is remembered of past calls ([`Store`]) and the proof that
//! a call fits ([`Admission`]). Leaves to others: whether the call is allowed at all (`policy`, whose
//! [`Permit`](crate::policy::Permit) is spent here) and what the peer reads of a refusal (`proxy`).
//!
//! The algorithms (`gcra`, `window`, `calendar`) are pure and apart from the store; time is an argument. The store outlives
//! reloads: counters are found by the quota's name and key, so a changed rate adapts in place and a
//! reload gives nobody a fresh burst. No lock is held across an await, because nothing here awaits.

mod admit;
mod calendar;
mod config;
mod gcra;
mod meter;
mod store;
mod subject;
#[cfg(test)]
mod tests;
mod window;

pub use admit::{Admission, Quotas};
pub use calendar::{Calendar, Period};
pub use config::{Config, Dimension, Measure, Quota, Rate, Rates};
pub use store::Store;
pub use subject::Subject;
