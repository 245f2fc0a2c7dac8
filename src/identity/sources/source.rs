//! One source of keys: its current set, its refresher, and how the two fare.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::clock;
use crate::identity::config::SecretSource;
use crate::identity::error::KeysError;
use crate::telemetry::chain;

use super::fetch::{Document, Fetcher, Origin};

/// How often is asked, and how long is waited.
#[derive(Debug, Clone, Copy)]
pub(in crate::identity) struct Timing {
    /// Between two reads of a file. A read of some kilobytes costs less than watching it would.
    pub(in crate::identity) file_poll: Duration,
    /// The least time between two fetches on demand: what forged key names can cost the issuer.
    pub(in crate::identity) cool_down: Duration,
    /// The same for files, which cost nobody else anything.
    pub(in crate::identity) file_cool_down: Duration,
    /// Bounds of what `Cache-Control` may ask for, and what is taken without it.
    pub(in crate::identity) fresh_least: Duration,
    pub(in crate::identity) fresh_most: Duration,
    pub(in crate::identity) fresh_default: Duration,
    /// The first wait after a failure; it doubles up to the second.
    pub(in crate::identity) retry_first: Duration,
    pub(in crate::identity) retry_most: Duration,
    /// How long a call waits for a fetch that it needs.
    pub(in crate::identity) patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            file_poll: Duration::from_secs(2),
            cool_down: Duration::from_secs(10),
            file_cool_down: Duration::from_millis(200),
            fresh_least: Duration::from_mins(5),
            fresh_most: Duration::from_hours(24),
            fresh_default: Duration::from_hours(1),
            retry_first: Duration::from_secs(1),
            retry_most: Duration::from_mins(1),
            patience: Duration::from_secs(5),
        }
    }
}

/// How a source of keys fares, for readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// The file, the URL or the issuer.
    pub source: Box<str>,
    /// Usable keys; zero while none were ever loaded, and when they could not be read anew for too long.
    pub keys: usize,
    /// When the document was last read without an error.
    pub loaded_at: Option<Timestamp>,
    /// Since when reading it fails. Keys that were loaded before stay in use for a while.
    pub stale_since: Option<Timestamp>,
    /// Why it fails.
    pub error: Option<Box<str>>,
    /// How often it was read, well or not.
    pub attempts: u64,
}

impl SourceState {
    /// Whether tokens of this source can be verified.
    pub const fn is_loaded(&self) -> bool {
        self.keys > 0
    }
}

/// What a document says, once it was read.
pub(in crate::identity) trait Contents:
    Sized + Send + Sync + fmt::Debug + 'static
{
    /// The largest document. Key sets of public issuers stay below 16 KiB.
    const MAX_BYTES: usize = 256 * 1024;

    /// Reads a document.
    fn parse(document: &[u8]) -> Result<Self, KeysError>;

    /// How many keys of it can be used.
    fn keys(&self) -> usize;
}

/// A document that was read, as of one change of it.
pub(in crate::identity) struct Loaded<T> {
    /// Different for each document that this process read.
    pub(in crate::identity) generation: u64,
    digest: blake3::Hash,
    pub(in crate::identity) contents: T,
}

impl<T: fmt::Debug> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the digest: by that of a secret, guesses could be tried.
        f.debug_struct("Loaded")
            .field("generation", &self.generation)
            .field("contents", &self.contents)
            .finish_non_exhaustive()
    }
}

impl<T: Contents> Loaded<T> {
    pub(in crate::identity) fn read(document: &[u8]) -> Result<Self, KeysError> {
        static GENERATIONS: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            contents: T::parse(document)?,
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            digest: blake3::hash(document),
        })
    }
}

/// One source of keys. Lives as long as an authenticator uses it; its refresher ends with it.
#[derive(Debug)]
pub(in crate::identity) struct Source<T> {
    origin: Origin,
    timing: Timing,
    loaded: ArcSwapOption<Loaded<T>>,
    progress: watch::Sender<Progress>,
    wake: Arc<Notify>,
    /// For how long reading has failed, in milliseconds, as of the last attempt. Calls look at it, so it is no clock.
    stale_millis: AtomicU64,
    /// When that is too long, in milliseconds.
    max_stale_millis: AtomicU64,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    attempts: u64,
    /// When the last attempt ended.
    ended: Option<Instant>,
    failures_in_a_row: u32,
    failing_since: Option<Instant>,
    loaded_at: Option<Timestamp>,
    stale_since: Option<Timestamp>,
    error: Option<Box<str>>,
}

impl<T> Drop for Source<T> {
    fn drop(&mut self) {
        // The refresher wakes, finds nobody, and ends.
        self.wake.notify_one();
    }
}

impl<T: Contents> Source<T> {
    pub(super) fn new(origin: Origin, timing: Timing) -> Self {
        Self {
            origin,
            timing,
            loaded: ArcSwapOption::empty(),
            progress: watch::Sender::new(Progress::default()),
            wake: Arc::new(Notify::new()),
            stale_millis: AtomicU64::new(0),
            max_stale_millis: AtomicU64::new(u64::MAX),
        }
    }

    /// Tells after how long keys that cannot be read anew are too old, for the state that is shown.
    pub(super) fn keep_for(&self, max_stale: Duration) {
        self.max_stale_millis
            .store(millis(max_stale), Ordering::Relaxed);
    }

    /// For how long the keys could not be read anew: exact to the time between two attempts, a minute at most.
    pub(in crate::identity) fn stale_for(&self) -> Duration {
        Duration::from_millis(self.stale_millis.load(Ordering::Relaxed))
    }

    /// The last good document.
    pub(in crate::identity) fn loaded(&self) -> Option<Arc<Loaded<T>>> {
        self.loaded.load_full()
    }

    /// Whether the document is still this one.
    pub(in crate::identity) fn is_at(&self, generation: u64) -> bool {
        let loaded = self.loaded.load();
        loaded
            .as_ref()
            .is_some_and(|loaded| loaded.generation == generation)
    }

    pub(in crate::identity) fn state(&self) -> SourceState {
        let progress = self.progress.borrow().clone();
        SourceState {
            source: self.origin.to_string().into(),
            keys: self.usable(),
            loaded_at: progress.loaded_at,
            stale_since: progress.stale_since,
            error: progress.error,
            attempts: progress.attempts,
        }
    }

    fn usable(&self) -> usize {
        if self.stale_for() > Duration::from_millis(self.max_stale_millis.load(Ordering::Relaxed)) {
            return 0;
        }
        let loaded = self.loaded.load();
        loaded.as_ref().map_or(0, |loaded| loaded.contents.keys())
    }

    /// Waits until the document was read once more, unless that was done a moment ago. All who wait at the
    /// same time wait for the same fetch: only the refresher fetches.
    ///
    /// A caller that is dropped midway leaves the fetch running; the others get its result.
    pub(in crate::identity) async fn refetch(&self) {
        let mut progress = self.progress.subscribe();
        let seen = {
            let progress = progress.borrow_and_update();
            if progress.ended.is_some() && !self.has_cooled_down(&progress) {
                return;
            }
            progress.attempts
        };
        // Before the first attempt has ended, the refresher is at it already.
        if seen > 0 {
            self.wake.notify_one();
        }
        let done = progress.wait_for(|progress| progress.attempts > seen);
        // Whether it came or not, what counts is the key set that is there now.
        let _in_time = tokio::time::timeout(self.timing.patience, done).await;
    }

    fn has_cooled_down(&self, progress: &Progress) -> bool {
        let cool_down = match self.origin {
            Origin::File(_) | Origin::Secret { .. } => self.timing.file_cool_down,
            Origin::Discovery { .. } | Origin::Url { .. } => self.timing.cool_down,
        };
        progress
            .ended
            .is_none_or(|ended| clock::now().saturating_duration_since(ended) >= cool_down)
    }

    /// Reads the document once and takes it over if it is good. Returns when to do so again.
    async fn refresh(&self, fetcher: &Fetcher) -> Duration {
        let outcome = match self.origin.fetch(fetcher, T::MAX_BYTES).await {
            Ok(document) => self.take_over(&document).map(|()| document.max_age),
            Err(error) => Err(error),
        };
        let mut wait = Duration::ZERO;
        self.progress.send_modify(|progress| {
            progress.attempts += 1;
            progress.ended = Some(clock::now());
            wait = match outcome {
                Ok(max_age) => self.succeeded(progress, max_age),
                Err(error) => self.failed(progress, &error),
            };
        });
        wait
    }

    fn take_over(&self, document: &Document) -> Result<(), KeysError> {
        let current = self.loaded.load();
        // The same document keeps its generation, and with it the tokens that were verified.
        if let Some(current) = current.as_ref()
            && current.digest == blake3::hash(&document.bytes)
        {
            return Ok(());
        }
        let loaded = Loaded::<T>::read(&document.bytes)?;
        tracing::info!(keys.source = %self.origin, keys.count = loaded.contents.keys(), "key set loaded");
        self.loaded.store(Some(Arc::new(loaded)));
        Ok(())
    }

    fn succeeded(&self, progress: &mut Progress, max_age: Option<Duration>) -> Duration {
        if progress.error.take().is_some() {
            tracing::info!(keys.source = %self.origin, "key set can be read again");
        }
        progress.failures_in_a_row = 0;
        progress.failing_since = None;
        progress.stale_since = None;
        self.stale_millis.store(0, Ordering::Relaxed);
        progress.loaded_at = Some(clock::wall());
        let timing = &self.timing;
        match self.origin {
            Origin::File(_) | Origin::Secret { .. } => timing.file_poll,
            Origin::Discovery { .. } | Origin::Url { .. } => {
                let fresh = max_age.unwrap_or(timing.fresh_default);
                let fresh = fresh.clamp(timing.fresh_least, timing.fresh_most);
                // Ahead of time, so that a slow answer finds the old set still fresh.
                fresh - fresh / 10
            }
        }
    }

    fn failed(&self, progress: &mut Progress, error: &KeysError) -> Duration {
        let text = chain(error).into_boxed_str();
        // Said once for each new fact, not once for each attempt.
        if progress.error.as_deref() != Some(&*text) {
            tracing::warn!(keys.source = %self.origin, error = %text, "key set cannot be read");
        }
        progress.error = Some(text);
        progress.stale_since.get_or_insert_with(clock::wall);
        let now = clock::now();
        let since = *progress.failing_since.get_or_insert(now);
        let stale = millis(now.saturating_duration_since(since));
        self.stale_millis.store(stale, Ordering::Relaxed);
        let doublings = progress.failures_in_a_row.min(16);
        progress.failures_in_a_row = progress.failures_in_a_row.saturating_add(1);
        let timing = &self.timing;
        timing
            .retry_first
            .saturating_mul(1 << doublings)
            .min(timing.retry_most)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Keeps a source fresh until nobody uses it.
pub(super) fn keep_fresh<T: Contents>(
    source: &Arc<Source<T>>,
    fetcher: Arc<Fetcher>,
) -> impl Future<Output = ()> + Send + use<T> {
    let wake = Arc::clone(&source.wake);
    let source = Arc::downgrade(source);
    async move {
        while let Some(wait) = refresh(&source, &fetcher).await {
            let due = tokio::time::Instant::now() + wait;
            while tokio::time::timeout_at(due, wake.notified()).await.is_ok() {
                let Some(source) = source.upgrade() else {
                    return;
                };
                // Whoever woke us may have looked before the last attempt ended.
                if source.has_cooled_down(&source.progress.borrow()) {
                    break;
                }
            }
        }
    }
}

async fn refresh<T: Contents>(source: &Weak<Source<T>>, fetcher: &Fetcher) -> Option<Duration> {
    let source = source.upgrade()?;
    Some(source.refresh(fetcher).await)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovery { issuer, .. } => f.write_str(issuer),
            Self::File(path)
            | Self::Secret {
                place: SecretSource::File(path),
                ..
            } => path.display().fmt(f),
            Self::Secret {
                place: SecretSource::Variable(name),
                ..
            } => f.write_str(name),
            Self::Url { url, .. } => f.write_str(url),
        }
    }
}
