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

mod callers;
mod capture;
mod case;
pub mod condition;
mod config;
mod decide;
mod explain;
mod index;
mod limits;
mod pattern;
mod permit;
mod question;
mod ranks;
mod reads;
mod revocation;
mod statement;
mod tenants;
#[cfg(test)]
mod tests;
mod tools;

pub use callers::Mismatch;
pub use capture::{Need, TOOL};
pub use config::{
    Callers, Config, Effect, Instructors, LimitOverride, Role, Rule, Seniority, Sources, Tenant,
    Tenants,
};
pub use decide::PolicySet;
pub use explain::{Considered, Explanation, Grantee, Held, Nearest};
pub use limits::Limits;
pub use pattern::{MAX_MATCHED_BYTES, MAX_PATTERN_BYTES, Pattern, PatternError};
pub use permit::{Decision, Permit};
pub use question::{Question, RequestFacts};
pub use reads::Reads;
pub use revocation::{Revocation, Revocations, Subject};
pub use tools::{
    Argument, Decimal, Examined, Given, KeptTool, Pin, Pinned, TextKind, Tool, Wanted, Wrong,
};
