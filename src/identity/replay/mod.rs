//! What counts once: nonces of signed requests (RFC 9421, section 7.2.2), and proofs that a caller holds the key of its
//! token (RFC 9449, section 11.1).
//!
//! Owns the memory of what was accepted, which forgets nothing before it could not be accepted any more: in this
//! process, or in a store that processes share. Leaves to others whether a signature or a proof is good: only what is good
//! may be remembered, or anybody could use up what is another's.
//!
//! Must not accept what it cannot remember, nor what it may have forgotten.

mod mark;
mod own;
#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use mark::Mark;
pub use own::OwnMemory;

/// Something that counts once, as it was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// What it is.
    pub mark: Mark,
    /// When it was made, by the word of who made it, in seconds since 1970.
    pub made: i64,
    /// From when on it would not be accepted anyway, in milliseconds since 1970.
    pub until: i64,
}

/// Why something does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Made before the memory began: it may have been accepted by then, and nobody knows.
    #[error("it is older than the memory of what was used")]
    BeforeStart,
    /// There is no room. It is not remembered.
    #[error("no more can be remembered")]
    Full,
    /// The store that processes share does not answer, and why. It may be remembered all the same.
    #[error("it cannot be compared with what was used: {0}")]
    Unavailable(Box<str>),
    /// It was accepted before.
    #[error("it was used before")]
    Used,
}

/// State, not configuration: it outlives reloads, or each would open a window for replays.
#[derive(Debug)]
pub struct Memory(Store);

#[derive(Debug)]
enum Store {
    Own(OwnMemory),
    Shared(Arc<dyn SharedMemory>),
}

/// A memory that several processes have in common, and that outlives each of them.
pub trait SharedMemory: fmt::Debug + Send + Sync {
    /// What it is called in metrics.
    fn name(&self) -> &'static str;

    /// Remembers a mark for so long. Of several who do so at once, one hears that it is new.
    ///
    /// # Errors
    /// When it is not known whether the mark is new: why, for the audit record. The answer comes, or this, within a bounded
    /// time.
    fn remember(&self, mark: Mark, keep: Duration) -> Remembering<'_>;
}

/// What comes of [`SharedMemory::remember`].
pub type Remembering<'a> = Pin<Box<dyn Future<Output = Result<Remembered, Box<str>>> + Send + 'a>>;

/// What a shared memory knew of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing since then, in seconds since 1970: what was before has been lost, or never was.
    Fresh {
        /// When the memory began.
        since: i64,
    },
    /// It is there.
    Used,
}

/// How much longer than by our clock a mark is kept where others compare with it: their clocks may be slower than ours.
/// As much as clocks of callers may differ.
const CLOCKS: Duration = Duration::from_secs(30);

impl Default for Memory {
    /// One of this process that vouches for all the past.
    fn default() -> Self {
        Self(Store::Own(OwnMemory::default()))
    }
}

impl Memory {
    /// One of this process, which begins now, in seconds since 1970.
    pub fn since(now: i64) -> Self {
        Self(Store::Own(OwnMemory::since(now)))
    }

    /// One that is shared with other processes.
    pub fn shared(memory: Arc<dyn SharedMemory>) -> Self {
        Self(Store::Shared(memory))
    }

    /// Takes something that is good in itself: it does not count again.
    ///
    /// Dropped while it waits, it may or may not have been taken.
    ///
    /// # Errors
    /// When it does not count.
    pub async fn take(&self, once: Once, now: Timestamp) -> Result<(), ReplayError> {
        let now = now.as_millisecond();
        match &self.0 {
            Store::Own(memory) => memory.take(once, now),
            Store::Shared(memory) => {
                let left = u64::try_from(once.until.saturating_sub(now)).unwrap_or_default();
                let keep = Duration::from_millis(left) + CLOCKS;
                let remembered = memory.remember(once.mark, keep).await;
                match remembered.map_err(ReplayError::Unavailable)? {
                    Remembered::Fresh { since } if once.made < since => {
                        Err(ReplayError::BeforeStart)
                    }
                    Remembered::Fresh { .. } => Ok(()),
                    Remembered::Used => Err(ReplayError::Used),
                }
            }
        }
    }

    /// What the store is called in metrics.
    pub fn store(&self) -> &'static str {
        match &self.0 {
            Store::Own(_) => OwnMemory::NAME,
            Store::Shared(memory) => memory.name(),
        }
    }

    /// How much this process remembers.
    pub fn remembered(&self) -> usize {
        match &self.0 {
            Store::Own(memory) => memory.len(),
            Store::Shared(_) => 0,
        }
    }
}
