//! Places that a call holds, and its wait for one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::store::{Key, Store};

/// A place among the calls that a quota lets run at once. It is free again when this is dropped, however the call
/// ends.
pub(super) struct Slot {
    store: Arc<Store>,
    key: Key,
}

impl Slot {
    /// A place that was counted already.
    pub(super) const fn new(store: Arc<Store>, key: Key) -> Self {
        Self { store, key }
    }

    pub(super) const fn key(&self) -> Key {
        self.key
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.store.leave(self.key);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.key).finish()
    }
}

/// A place in line. Ready when the call may run; dropped before, it leaves no trace: the place in line is given up, or
/// the place that was handed over just then goes to the next.
#[must_use = "the place in line is given up at once"]
pub(super) struct Waiting {
    // `None` once the place has become a slot.
    store: Option<Arc<Store>>,
    key: Key,
    ticket: u64,
}

impl Waiting {
    /// Of a ticket that is in line.
    pub(super) const fn new(store: Arc<Store>, key: Key, ticket: u64) -> Self {
        Self {
            store: Some(store),
            key,
            ticket,
        }
    }
}

impl Future for Waiting {
    /// `None` only where it is asked again after it was ready.
    type Output = Option<Slot>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Slot>> {
        let (key, ticket) = (self.key, self.ticket);
        let waits = |store: &Arc<Store>| store.waits(key, ticket, context.waker());
        if self.store.as_ref().is_some_and(waits) {
            return Poll::Pending;
        }
        let store = self.store.take();
        Poll::Ready(store.map(|store| Slot::new(store, key)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            store.step_out(self.key, self.ticket);
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = (&self.key, &self.ticket);
        f.debug_tuple("Waiting").field(&fields).finish()
    }
}
