//! Decides whether a principal may make a call.
//!
//! Owns the compiled rules ([`PolicySet`]), their answer ([`Decision`]) and the proof of a yes
//! ([`Permit`]). Leaves to others: where rules come from (`config`), who calls (`identity`), whose a task
//! is (`ledger`, handed in as [`Facts`](crate::model::Facts)), how much is left (`quota`).
//!
//! Pure: no I/O, no clock, no async, so a test or an offline check gets the very answer that the proxy
//! gets. A deny beats every allow; no match is a deny; a deny that cannot be evaluated matches, an allow
//! that cannot did not.

#![warn(clippy::wildcard_enum_match_arm)]

mod config;
mod decide;
mod index;
mod limits;
mod permit;
#[cfg(test)]
mod tests;

pub use config::{Callers, Config, Effect, LimitOverride, Role, Rule, Sources, Tenant, Tenants};
pub use decide::PolicySet;
pub use limits::Limits;
pub use permit::{Decision, Permit};
