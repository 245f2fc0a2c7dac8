//! What the proxy would do, without one: the tests of a policy, and decisions that were made once.
//!
//! Owns running tests ([`run`]) against the very objects that the proxy runs ([`Stage`]), saying what came
//! out otherwise and why ([`Outcome`]), and which statements no test reached ([`Report`]); and making a decision of the
//! [`Past`] again under another policy ([`compare`]). Leaves to others: reading tests (`config`) and records (`audit`), and
//! what a failed test means (`cli`, `app`).
//!
//! Pure: no I/O, and no clock; a test says when it plays. Counters are empty before each test, so tests
//! do not depend on their order.

mod answer;
mod config;
mod outcome;
mod past;
mod run;
mod scene;
#[cfg(test)]
mod tests;
mod why;

pub use config::{Answer, Config, Expect, Test};
pub use outcome::{Got, Outcome, Report};
pub use past::{Comparison, Known, Past, Unknown, compare, was_allowed};
pub use run::{Stage, run};
pub use scene::{Scene, default_source, default_time, params_of};
