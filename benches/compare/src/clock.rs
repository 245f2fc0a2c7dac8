//! The only place of the harness that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Lets this thread sleep until then, to the microsecond.
#[expect(
    clippy::disallowed_methods,
    reason = "for threads that have nothing else to do; the runtime's timers know milliseconds only"
)]
pub(crate) fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(now()));
}

/// Time since 1970, which two processes of one machine agree on.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
pub(crate) fn wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
