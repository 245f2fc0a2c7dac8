//! The threads that serve.
//!
//! Each worker has a runtime of its own on one thread: a connection, its calls, the agent's connections that
//! they use and their timers stay there, so that nothing is stolen and nothing is woken across. What workers
//! share (counters, ledger, quotas, snapshot) is made for it. Probes, reloads and key sets run elsewhere, so
//! that compiling a policy never stalls a stream.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::{self, JoinSet};

use crate::drain::Guard;
use crate::listener::{Connection, Listener};

/// The running workers.
#[derive(Debug)]
pub(super) struct Workers {
    threads: Vec<thread::JoinHandle<()>>,
    abort: watch::Sender<bool>,
    serving: Serving,
}

/// How many workers serve. Clones count the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Serving(Arc<AtomicUsize>);

impl Workers {
    /// Starts so many workers. Each serves one socket of every listener, and as its handler says.
    ///
    /// # Errors
    /// When the system has no thread or no event queue for one.
    pub(super) fn start<H, F>(
        listeners: Vec<(Vec<Listener>, H)>,
        count: NonZeroUsize,
        guard: &Guard,
    ) -> anyhow::Result<Self>
    where
        H: Fn(Connection) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut workers = Self {
            threads: Vec::with_capacity(count.get()),
            abort: watch::channel(false).0,
            serving: Serving::default(),
        };
        let mut listeners: Vec<_> = listeners
            .into_iter()
            .map(|(sockets, handler)| (sockets.into_iter(), handler))
            .collect();
        for index in 0..count.get() {
            let own = listeners.iter_mut();
            let own = own
                .filter_map(|(sockets, handler)| Some((sockets.next()?, handler.clone())))
                .collect();
            let worker = workers
                .start_one(own, guard.clone(), index)
                .with_context(|| format!("cannot start worker {index}"))?;
            workers.threads.push(worker);
        }
        Ok(workers)
    }

    fn start_one<H, F>(
        &self,
        listeners: Vec<(Listener, H)>,
        guard: Guard,
        index: usize,
    ) -> io::Result<thread::JoinHandle<()>>
    where
        H: Fn(Connection) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut abort = self.abort.subscribe();
        let place = Place::take(&self.serving);
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let _place = place;
                runtime.block_on(async {
                    let mut serving: JoinSet<_> = listeners
                        .into_iter()
                        .map(|(listener, handler)| listener.serve(guard.clone(), handler))
                        .collect();
                    drop(guard);
                    tokio::select! {
                        () = all_served(&mut serving) => {}
                        // Also when nobody is left who could say so.
                        _ = abort.wait_for(|abort| *abort) => {}
                    }
                });
            })
    }

    /// Who tells how many of them serve.
    pub(super) fn serving(&self) -> Serving {
        self.serving.clone()
    }

    /// Cuts the connections that are left, and waits for the threads.
    pub(super) async fn abort(self) {
        self.abort.send_replace(true);
        let threads = self.threads;
        let joined = task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a worker panicked");
                }
            }
        });
        // Fails only when the runtime ends, and the process with it.
        let _joined = joined.await;
    }
}

/// Ends when every listener has drained; or when one cannot serve: what others of the worker have open is cut, and it
/// counts as gone.
async fn all_served(serving: &mut JoinSet<io::Result<()>>) {
    while let Some(served) = serving.join_next().await {
        if let Err(error) = served.map_err(io::Error::from).flatten() {
            tracing::error!(%error, "a worker cannot serve");
            return;
        }
    }
}

impl Serving {
    pub(super) fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Counts a worker as serving until it ends, however it does.
#[derive(Debug)]
struct Place(Serving);

impl Place {
    fn take(serving: &Serving) -> Self {
        serving.0.fetch_add(1, Relaxed);
        Self(serving.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}
