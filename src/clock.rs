//! The only place that reads a clock.
//!
//! Rooms that judge take time as an argument; the rest ask here, so that a test which pauses time
//! pauses all of it.

use std::time::Instant;

use jiff::Timestamp;

/// Monotonic time, for durations and deadlines.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Wall-clock time, for what leaves the process: tokens' expiry, audit records.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
pub fn wall() -> Timestamp {
    Timestamp::now()
}
