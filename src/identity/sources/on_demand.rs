//! Keys at addresses that callers name: fetched when they are needed, and kept for a while.
//!
//! Which addresses may be asked is the caller's of this room to know. One fetch for all who wait for it; a task of its own, so
//! that a call that is dropped midway takes it from nobody.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock;
use crate::identity::error::KeysError;
use crate::identity::signature::{VerifyingKeys, document, key_at};
use crate::telemetry::chain;

use super::fetch::{Document, Fetcher, Reach};
use super::source::Timing;

/// How many addresses are remembered. Of more, those go first at which nothing was found, then those that were not needed
/// for the longest time.
const MOST: usize = 256;

/// How many are asked at the same time. Calls that would need more are told that the key cannot be had.
const MOST_AT_ONCE: usize = 16;

/// For how long a key counts that cannot be read anew.
const MAX_STALE: Duration = Duration::from_hours(24);

/// Why a key is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::identity) struct Unfetched {
    /// What happened.
    pub(in crate::identity) why: Arc<str>,
    /// Whether the other side says that there is none.
    pub(in crate::identity) is_absent: bool,
}

/// How keys are fetched: what tells two stores apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::identity) struct Manner {
    pub(in crate::identity) ca: Option<PathBuf>,
    pub(in crate::identity) reach: Reach,
}

/// The keys at addresses.
pub(in crate::identity) struct OnDemand {
    manner: Manner,
    runtime: Handle,
    fetcher: Arc<Fetcher>,
    timing: Timing,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Box<str>, Entry>,
    /// They end with this.
    tasks: JoinSet<()>,
}

struct Entry {
    found: Option<Found>,
    attempt: Attempt,
    used: Instant,
}

struct Found {
    keys: Arc<VerifyingKeys>,
    at: Instant,
    fresh_until: Instant,
}

/// Ends when a fetch has ended: its other end is dropped then.
type Running = watch::Receiver<()>;

enum Attempt {
    Ended(Instant, Option<Unfetched>),
    Running(Running),
}

impl fmt::Debug for OnDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnDemand")
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}

impl OnDemand {
    pub(super) fn new(
        manner: Manner,
        runtime: Handle,
        fetcher: Arc<Fetcher>,
        timing: Timing,
    ) -> Self {
        Self {
            manner,
            runtime,
            fetcher,
            timing,
            inner: Mutex::default(),
        }
    }

    /// The key at an address. `anew`: what was found there before does not do; then it is asked again, unless that was done a
    /// moment ago. Waits only where nothing is there.
    pub(in crate::identity) async fn get(
        self: &Arc<Self>,
        url: &str,
        anew: bool,
    ) -> Result<Arc<VerifyingKeys>, Unfetched> {
        let (found, running) = self.look(url, anew)?;
        if let (Some(keys), false) = (found, anew) {
            return Ok(keys);
        }
        if let Some(mut running) = running {
            let ended = async { while running.changed().await.is_ok() {} };
            let _in_time = tokio::time::timeout(self.timing.patience, ended).await;
        }
        self.known(url)
    }

    /// What is known, and the fetch that is under way if one is; begins one where that is needed and may be.
    fn look(
        self: &Arc<Self>,
        url: &str,
        anew: bool,
    ) -> Result<(Option<Arc<VerifyingKeys>>, Option<Running>), Unfetched> {
        let now = clock::now();
        let mut inner = self.inner();
        while inner.tasks.try_join_next().is_some() {}
        let Inner { entries, tasks } = &mut *inner;
        if !entries.contains_key(url) && entries.len() >= MOST {
            make_room(entries)?;
        }
        let is_busy = tasks.len() >= MOST_AT_ONCE;
        if is_busy && !entries.contains_key(url) {
            return Err(busy());
        }
        let is_new = !entries.contains_key(url);
        let entry = entries.entry(Box::from(url)).or_insert_with(|| Entry {
            found: None,
            attempt: Attempt::Ended(now, None),
            used: now,
        });
        entry.used = now;
        let has_cooled_down = match &entry.attempt {
            Attempt::Ended(at, _) => {
                is_new || now.saturating_duration_since(*at) >= self.timing.cool_down
            }
            Attempt::Running(_) => false,
        };
        let is_fresh = entry
            .found
            .as_ref()
            .is_some_and(|found| now < found.fresh_until);
        if (anew || !is_fresh) && has_cooled_down && !is_busy {
            let (done, running) = watch::channel(());
            entry.attempt = Attempt::Running(running);
            let fetching = fetch(Arc::downgrade(self), Box::from(url), done);
            tasks.spawn_on(fetching, &self.runtime);
        }
        let running = match &entry.attempt {
            Attempt::Ended(..) => None,
            Attempt::Running(running) => Some(running.clone()),
        };
        Ok((entry.usable(now), running))
    }

    fn known(&self, url: &str) -> Result<Arc<VerifyingKeys>, Unfetched> {
        let inner = self.inner();
        let entry = inner.entries.get(url).ok_or_else(busy)?;
        entry
            .usable(clock::now())
            .ok_or_else(|| match &entry.attempt {
                Attempt::Ended(_, Some(unfetched)) => unfetched.clone(),
                Attempt::Ended(_, None) => busy(),
                Attempt::Running(_) => Unfetched {
                    why: Arc::from("it did not answer in time"),
                    is_absent: false,
                },
            })
    }

    fn ended(&self, url: &str, outcome: Result<(VerifyingKeys, Option<Duration>), KeysError>) {
        let now = clock::now();
        let mut inner = self.inner();
        let Some(entry) = inner.entries.get_mut(url) else {
            return;
        };
        let unfetched = match outcome {
            Ok((keys, max_age)) => {
                tracing::info!(keys.source = url, "key fetched");
                let timing = &self.timing;
                let fresh = max_age.unwrap_or(timing.fresh_default);
                let fresh = fresh.clamp(timing.fresh_least, timing.fresh_most);
                entry.found = Some(Found {
                    keys: Arc::new(keys),
                    at: now,
                    fresh_until: now + fresh,
                });
                None
            }
            Err(error) => {
                let why = chain(&error);
                let is_absent = matches!(
                    &error,
                    KeysError::Status { status, .. } if status.as_u16() == 404 || status.as_u16() == 410
                );
                // Callers choose names that do not exist; that is nothing to act on.
                match is_absent {
                    true => tracing::debug!(keys.source = url, "there is no such key"),
                    false => {
                        tracing::warn!(keys.source = url, error = %why, "key cannot be fetched");
                    }
                }
                // What was withdrawn counts no more; what cannot be asked counts for a while.
                if is_absent {
                    entry.found = None;
                }
                Some(Unfetched {
                    why: Arc::from(why),
                    is_absent,
                })
            }
        };
        entry.attempt = Attempt::Ended(now, unfetched);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(in crate::identity) fn len(&self) -> usize {
        self.inner().entries.len()
    }
}

impl Entry {
    fn usable(&self, now: Instant) -> Option<Arc<VerifyingKeys>> {
        let found = self.found.as_ref()?;
        let is_usable = now.saturating_duration_since(found.at) <= MAX_STALE;
        is_usable.then(|| Arc::clone(&found.keys))
    }
}

/// Forgets one address that is not being asked.
fn make_room(entries: &mut HashMap<Box<str>, Entry>) -> Result<(), Unfetched> {
    let idle = entries
        .iter()
        .filter(|(_, entry)| matches!(entry.attempt, Attempt::Ended(..)));
    let least = idle.min_by_key(|(_, entry)| (entry.found.is_some(), entry.used));
    let url = least.map(|(url, _)| url.clone()).ok_or_else(busy)?;
    entries.remove(&url);
    Ok(())
}

fn busy() -> Unfetched {
    Unfetched {
        why: Arc::from("too many keys are being fetched"),
        is_absent: false,
    }
}

async fn fetch(store: Weak<OnDemand>, url: Box<str>, done: watch::Sender<()>) {
    let asking = store.upgrade().map(|store| {
        let (fetcher, manner) = (Arc::clone(&store.fetcher), store.manner.clone());
        let address = Box::<str>::from(document(&url));
        async move {
            let ca = manner.ca.as_deref();
            fetcher.get_within(&address, ca, manner.reach).await
        }
    });
    // The store is not held meanwhile: it ends when nobody needs it.
    let Some(asking) = asking else {
        return;
    };
    let outcome = asking.await.and_then(|Document { bytes, max_age }| {
        let keys = key_at(&url, &bytes)?;
        Ok((keys, max_age))
    });
    if let Some(store) = store.upgrade() {
        store.ended(&url, outcome);
    }
    drop(done);
}
