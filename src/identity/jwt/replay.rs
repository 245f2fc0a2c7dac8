//! Proofs that were seen, so that none counts twice (RFC 9449, section 11.1).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::identity::error::ProofError;

use super::binding::Thumbprint;
use super::cache::DigestHasher;

/// So many locks that two workers seldom meet; a power of two.
const SHARDS: usize = 64;

/// 524,288 proofs in all, at most some 30 MiB. A proof is remembered for up to two minutes, so that is the proofs of
/// some 4,000 calls a second. At the bound a proof is refused: whoever forgets lets it be replayed.
const MAX_PER_SHARD: usize = 8192;

/// The beginning of the BLAKE3 hash of a key's thumbprint and a proof's id. Whoever finds two that are equal (2^64)
/// has a proof of its own refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Id([u8; 16]);

impl std::hash::Hash for Id {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// Until when each proof is remembered, in milliseconds since the epoch.
#[derive(Default)]
struct Shard {
    seen: HashMap<Id, i64, BuildHasherDefault<DigestHasher>>,
    /// Nothing of it can be forgotten before, as far as is known.
    full_until: i64,
}

/// State, not configuration: it outlives reloads, or each would open a window for replays. It does not outlive the
/// process, and other processes have their own.
pub(in crate::identity) struct Replays {
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Replays {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl fmt::Debug for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replays").finish_non_exhaustive()
    }
}

impl Replays {
    /// Takes a proof that counts until then, once.
    pub(super) fn take(
        &self,
        key: &Thumbprint,
        id: &str,
        until: i64,
        now: Timestamp,
    ) -> Result<(), ProofError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(key);
        hasher.update(id.as_bytes());
        let [first, rest @ ..] = *hasher.finalize().as_bytes();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(rest) {
            *to = from;
        }
        let Some(shard) = self.shards.get(usize::from(first) % SHARDS) else {
            return Err(ProofError::TooMany);
        };
        // A panic between two calls of a map leaves a whole map, so a poisoned lock is taken all the same.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.take(Id(id), until, now.as_millisecond())
    }
}

impl Shard {
    fn take(&mut self, id: Id, until: i64, now: i64) -> Result<(), ProofError> {
        if self.seen.len() >= MAX_PER_SHARD && !self.seen.contains_key(&id) {
            if now < self.full_until {
                return Err(ProofError::TooMany);
            }
            self.seen.retain(|_, until| *until > now);
            if self.seen.len() >= MAX_PER_SHARD {
                self.full_until = self.seen.values().copied().min().unwrap_or(now);
                return Err(ProofError::TooMany);
            }
        }
        match self.seen.entry(id) {
            Entry::Occupied(seen) if *seen.get() > now => Err(ProofError::Replayed),
            Entry::Occupied(mut seen) => {
                seen.insert(until);
                Ok(())
            }
            Entry::Vacant(free) => {
                free.insert(until);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn a_proof_counts_once_for_its_key_until_it_ends() {
        let replays = Replays::default();
        let (ours, theirs) = ([1; 32], [2; 32]);
        assert_eq!(replays.take(&ours, "a", 100, at(0)), Ok(()));
        assert_eq!(
            replays.take(&ours, "a", 200, at(99)),
            Err(ProofError::Replayed)
        );
        assert_eq!(replays.take(&theirs, "a", 100, at(99)), Ok(()));
        assert_eq!(replays.take(&ours, "b", 100, at(99)), Ok(()));
        // Its end is judged before it is looked for here, so that it cannot come again.
        assert_eq!(replays.take(&ours, "a", 300, at(100)), Ok(()));
    }

    #[test]
    fn at_the_bound_new_proofs_are_refused_until_old_ones_end() {
        let mut shard = Shard::default();
        let id = |number: usize| {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&number.to_le_bytes());
            Id(id)
        };
        for number in 0..MAX_PER_SHARD {
            shard.take(id(number), 1000, 0).unwrap();
        }
        for now in [0, 1, 999] {
            let one_more = shard.take(id(MAX_PER_SHARD), 2000, now);
            assert_eq!(one_more, Err(ProofError::TooMany));
            assert_eq!(shard.take(id(7), 2000, now), Err(ProofError::Replayed));
        }
        assert_eq!(shard.take(id(MAX_PER_SHARD), 2000, 1000), Ok(()));
        assert_eq!(shard.seen.len(), 1);
    }
}
