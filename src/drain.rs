//! The shutdown signal, and the guards that it waits for.
//!
//! Work holds a [`Guard`]; [`Drain::drain`] tells everybody to finish and ends when the last guard is
//! dropped or the deadline passes.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// The side that orders the stop.
#[derive(Debug)]
pub struct Drain {
    signal: watch::Sender<bool>,
    guards: mpsc::Receiver<()>,
}

/// The side that does the work: holds up the drain until it is dropped, and hears the signal.
#[derive(Debug, Clone)]
pub struct Guard {
    signal: watch::Receiver<bool>,
    // Never sent on: its drop is the message.
    _held: mpsc::Sender<()>,
}

/// A drain and the first guard; further guards are its clones.
pub fn channel() -> (Drain, Guard) {
    let (signal, receiver) = watch::channel(false);
    let (held, guards) = mpsc::channel(1);
    (
        Drain { signal, guards },
        Guard {
            signal: receiver,
            _held: held,
        },
    )
}

impl Drain {
    /// Tells every guard to finish, and waits until all are dropped. `false` when some were still held
    /// after `deadline`.
    pub async fn drain(mut self, deadline: Duration) -> bool {
        self.signal.send_replace(true);
        tokio::time::timeout(deadline, self.guards.recv())
            .await
            .is_ok()
    }
}

impl Guard {
    /// Whether the stop was ordered.
    pub fn is_draining(&self) -> bool {
        *self.signal.borrow()
    }

    /// Ends when the stop is ordered, or when nobody is left who could order it.
    pub async fn draining(&mut self) {
        // An error means that the `Drain` is gone: the process is ending without a drain.
        let _ended = self.signal.wait_for(|draining| *draining).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_the_last_guard() {
        let (drain, guard) = channel();
        let mut worker = guard.clone();
        drop(guard);
        let work = tokio::spawn(async move {
            worker.draining().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(worker.is_draining());
        });
        assert!(drain.drain(Duration::from_secs(5)).await);
        work.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn drain_does_not_wait_past_its_deadline() {
        let (drain, guard) = channel();
        assert!(!drain.drain(Duration::from_secs(5)).await);
        drop(guard);
    }
}
