//! A bug ends the call that met it, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// Something of ours panicked. The panic hook has said where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

/// Runs `step`, and stops a panic in it. What `step` has borrowed may be in any state then: end it, and ask it
/// nothing more.
pub(super) fn caught<T>(step: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|_| Panicked)
}

/// Awaits `work`, and ends it at a panic. Pinned by whoever asks: by value this future would hold it twice.
pub(super) async fn unless_panic<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Panicked> {
    std::future::poll_fn(|context| match caught(|| work.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}
