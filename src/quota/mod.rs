//! Meters what callers use.
//!
//! Owns the compiled quotas ([`Quotas`]), what is remembered of past calls ([`Store`]) and the proof that
//! a call fits ([`Admission`]). Leaves to others: whether the call is allowed at all (`policy`, whose
//! [`Permit`](crate::policy::Permit) is spent here) and what the peer reads of a refusal (`proxy`).
//!
//! The algorithms (`gcra`, `window`, `calendar`, `gate`) are pure and apart from the store; time is an argument. The store outlives
//! reloads: counters are found by the quota's name and key, so a changed rate adapts in place and a
//! reload gives nobody a fresh burst. A call that waits for its turn is a future (`turn`) that holds no lock, and takes
//! one only to look; whoever drives it decides how long. A task that is not finished keeps its place beyond the call that began
//! it (`live`).

mod admit;
mod calendar;
mod config;
mod gate;
mod gcra;
mod live;
mod meter;
mod store;
mod subject;
#[cfg(test)]
mod tests;
mod turn;
mod window;

pub use admit::{Admission, Admitted, Queued, Quotas, Turn};
pub use calendar::{Calendar, Period};
pub use config::{Config, Count, Dimension, Line, Measure, Quota, Rate, Rates, TokenPart};
pub use live::{LiveTasks, Places};
pub use store::Store;
pub use subject::{Estimate, Subject};
