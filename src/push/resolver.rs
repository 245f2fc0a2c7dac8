//! From a name to its addresses, by the system's resolver, with bounds on time, work and memory.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::{task, time};

use crate::clock;

/// How long a look-up may take, the waiting for others included. A registration waits for it.
const DEADLINE: Duration = Duration::from_secs(3);

/// How many look-ups may run at once: each is a thread, and a name server that says nothing holds it for long.
const MAX_RUNNING: usize = 16;

/// How long an answer is believed. Short, since the answer is what is checked; long enough for a burst.
const KEPT: Duration = Duration::from_secs(5);

/// How many answers are kept. At the bound all are forgotten.
const MAX_KEPT: usize = 1024;

/// How many addresses of one name are looked at. A name with more is refused.
const MAX_ADDRESSES: usize = 64;

/// Why a name has no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The name server said no, or nothing that could be read.
    #[error("the look-up failed")]
    Failed,
    /// It answered with none.
    #[error("it has no address")]
    NoAddress,
    /// It did not answer in time, or others did not.
    #[error("the look-up took too long")]
    Timeout,
    /// More than anybody needs.
    #[error("it has more than {MAX_ADDRESSES} addresses")]
    TooMany,
}

type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;
type Addresses = Result<Arc<[IpAddr]>, Unresolved>;

/// Looks names up.
pub struct Resolver {
    look_up: Arc<LookUp>,
    running: Arc<Semaphore>,
    deadline: Duration,
    // Failures too: who asks for the same name again and again makes no work.
    kept: Mutex<HashMap<Box<str>, (Instant, Addresses)>>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|name| {
            let addresses = (name, 0).to_socket_addrs()?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

impl Resolver {
    /// With a look-up that may block.
    pub fn new(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self {
            look_up: Arc::new(look_up),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
            deadline: DEADLINE,
            kept: Mutex::default(),
        }
    }

    /// All addresses of a name: at least one.
    ///
    /// # Errors
    /// When there is none, or it could not be had in time.
    pub async fn resolve(&self, name: &str) -> Addresses {
        if let Some(kept) = self.kept(name, clock::now()) {
            return kept;
        }
        let found = time::timeout(self.deadline, self.ask(name)).await;
        let found = found.unwrap_or(Err(Unresolved::Timeout));
        self.keep(name, found.clone(), clock::now());
        found
    }

    async fn ask(&self, name: &str) -> Addresses {
        let running = Arc::clone(&self.running);
        let permit = running.acquire_owned().await;
        let permit = permit.map_err(|_| Unresolved::Failed)?;
        let (look_up, name) = (Arc::clone(&self.look_up), name.to_owned());
        // Nobody can end a look-up that has begun: it counts until it ends, also if nobody waits for it any more.
        let asked = task::spawn_blocking(move || {
            let found = look_up(&name);
            drop(permit);
            found
        });
        let found = asked.await.map_err(|_| Unresolved::Failed)?;
        let found = found.map_err(|_| Unresolved::Failed)?;
        match found.len() {
            0 => Err(Unresolved::NoAddress),
            1..=MAX_ADDRESSES => Ok(found.into()),
            _ => Err(Unresolved::TooMany),
        }
    }

    fn kept(&self, name: &str, now: Instant) -> Option<Addresses> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, found) = kept.get(name)?;
        (now < *until).then(|| found.clone())
    }

    fn keep(&self, name: &str, found: Addresses, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(Box::from(name), (now + KEPT, found));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn an_answer_is_believed_for_a_moment_also_a_bad_one() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let resolver = Resolver::new(move |name| {
            counted.fetch_add(1, Ordering::Relaxed);
            match name {
                "none" => Ok(Vec::new()),
                "many" => Ok(vec![IpAddr::from([1, 1, 1, 1]); 65]),
                "bad" => Err(io::ErrorKind::NotFound.into()),
                _ => Ok(vec![IpAddr::from([1, 1, 1, 1])]),
            }
        });
        for _ in 0..3 {
            assert!(resolver.resolve("good").await.is_ok());
            assert_eq!(resolver.resolve("none").await, Err(Unresolved::NoAddress));
            assert_eq!(resolver.resolve("many").await, Err(Unresolved::TooMany));
            assert_eq!(resolver.resolve("bad").await, Err(Unresolved::Failed));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 4);
        for name in 0..2 * MAX_KEPT {
            resolver.keep(&name.to_string(), Err(Unresolved::Failed), clock::now());
        }
        assert!(resolver.kept.lock().unwrap().len() <= MAX_KEPT);
    }

    #[tokio::test]
    async fn a_name_server_that_says_nothing_ends_no_more_than_its_look_up() {
        let (release, held) = std::sync::mpsc::sync_channel::<()>(0);
        let held = Mutex::new(held);
        let mut resolver = Resolver::new(move |_| {
            let _ = held.lock().unwrap().recv();
            Ok(Vec::new())
        });
        resolver.deadline = Duration::from_millis(20);
        assert_eq!(resolver.resolve("slow").await, Err(Unresolved::Timeout));
        assert_eq!(resolver.running.available_permits(), MAX_RUNNING - 1);
        drop(release);
    }
}
