//! Tokens that were verified, by the hash of their text.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Principal;

use super::binding::Binding;
use super::claims::Validity;

/// So many locks that two workers seldom meet; a power of two.
const SHARDS: usize = 16;

/// 4096 tokens in all, some 2 MiB: more callers than one agent serves in an hour.
const MAX_PER_SHARD: usize = 256;

/// How many entries are looked at for one to give up.
const EVICTION_SAMPLE: usize = 8;

/// The BLAKE3 hash of a token's text.
///
/// A hit must mean "this very text was verified". Only texts that were verified get in, so whoever has no
/// valid token would need a second preimage of one (2^256), and whoever lets the issuer sign one text in
/// order to present another would need a collision (2^128). So the token itself, which is a credential, need
/// not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        Self(*blake3::hash(token.as_bytes()).as_bytes())
    }

    fn shard(&self) -> usize {
        let [first, ..] = self.0;
        usize::from(first) % SHARDS
    }
}

impl std::hash::Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// What was verified, and what it depends on.
#[derive(Debug, Clone)]
pub(in crate::identity) struct Entry {
    pub(in crate::identity) principal: Arc<Principal>,
    /// Which issuer, and which of its key sets.
    pub(super) issuer: usize,
    pub(super) generation: u64,
    /// What the caller has to prove each time, besides that it has the token.
    pub(super) binding: Binding,
    pub(super) validity: Validity,
}

type Shard = HashMap<Digest, Entry, BuildHasherDefault<DigestHasher>>;

/// Bounded, and sharded so that a lock is held for one look-up only.
#[derive(Default)]
pub(super) struct TokenCache {
    shards: [Mutex<Shard>; SHARDS],
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl TokenCache {
    /// What is known of a token that was verified, if the entry still counts. One that does not is removed.
    pub(super) fn get(
        &self,
        digest: &Digest,
        counts: impl FnOnce(&Entry) -> bool,
    ) -> Option<Entry> {
        let mut shard = self.lock(digest)?;
        let entry = shard.get(digest)?;
        if counts(entry) {
            return Some(entry.clone());
        }
        shard.remove(digest);
        None
    }

    /// At the bound, of a few entries the one that ends first makes room.
    pub(super) fn insert(&self, digest: Digest, entry: Entry) {
        let Some(mut shard) = self.lock(&digest) else {
            return;
        };
        if shard.len() >= MAX_PER_SHARD {
            let victim = shard
                .iter()
                .take(EVICTION_SAMPLE)
                .min_by_key(|(_, entry)| entry.validity.until())
                .map(|(digest, _)| *digest);
            if let Some(victim) = victim {
                shard.remove(&victim);
            }
        }
        shard.insert(digest, entry);
    }

    fn lock(&self, digest: &Digest) -> Option<MutexGuard<'_, Shard>> {
        // A panic between two calls of a map leaves a whole map, so a poisoned lock is taken all the same.
        let shard = self.shards.get(digest.shard())?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let lock = |shard: &Mutex<Shard>| shard.lock().map_or(0, |shard| shard.len());
        self.shards.iter().map(lock).sum()
    }
}

/// Takes eight bytes of what is a hash already. The first byte chose the shard, so it is left out.
#[derive(Debug, Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, digest: &[u8]) {
        if let Some(bytes) = digest.get(8..16).and_then(|bytes| bytes.try_into().ok()) {
            self.0 = u64::from_le_bytes(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_tokens_is_bounded() {
        let cache = TokenCache::default();
        for number in 0..10_000 {
            let digest = Digest::of(&number.to_string());
            let entry = Entry {
                principal: Principal::anonymous(),
                issuer: 0,
                generation: 0,
                binding: Binding::default(),
                validity: Validity::ALWAYS,
            };
            cache.insert(digest, entry);
            assert!(
                cache.get(&digest, |_| true).is_some(),
                "the newest is always kept"
            );
        }
        assert!((3_000..=4_096).contains(&cache.len()), "{}", cache.len());
    }
}
