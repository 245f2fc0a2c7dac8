//! Tokens that were verified, by their text.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use zeroize::Zeroizing;

use crate::model::Principal;

use super::claims::Validity;

/// So many locks that two workers seldom meet; a power of two.
const SHARDS: usize = 16;

/// 4096 tokens in all: more callers than one agent serves in an hour. Some 4 MiB, and 64 MiB if all are as long as
/// any that is taken.
const MAX_PER_SHARD: usize = 256;

/// How many entries are looked at for one to give up.
const EVICTION_SAMPLE: usize = 8;

/// A token's text, and where to look for it.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    token: &'a str,
    hash: u64,
}

impl Key<'_> {
    // By bits that the table of the shard does not go by first.
    const fn shard(&self) -> usize {
        (self.hash >> 32) as usize % SHARDS
    }
}

/// What was verified, and what it depends on.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) principal: Arc<Principal>,
    /// Which issuer, and which of its key sets.
    pub(super) issuer: usize,
    pub(super) generation: u64,
    pub(super) validity: Validity,
}

/// A token that was verified.
///
/// A hit must mean "this very text was verified", so the text is kept and compared whole: the hash, which is quick
/// and not one of cryptography, only says where to look. A token is a credential, so it is overwritten when it is
/// forgotten.
struct Known {
    hash: u64,
    token: Zeroizing<Box<str>>,
    entry: Entry,
}

impl Known {
    fn is(&self, key: &Key<'_>) -> bool {
        self.hash == key.hash && **self.token == *key.token
    }
}

type Shard = HashTable<Known>;

/// Bounded, and sharded so that a lock is held for one look-up only.
#[derive(Default)]
pub(super) struct TokenCache {
    // Drawn for each cache, so that nobody can make tokens that meet.
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl TokenCache {
    /// Where a token is looked for.
    pub(super) fn key<'a>(&self, token: &'a str) -> Key<'a> {
        let hash = self.hasher.hash_one(token);
        Key { token, hash }
    }

    /// The principal of a token that was verified, if the entry still counts. One that does not is removed.
    pub(super) fn get(
        &self,
        key: &Key<'_>,
        counts: impl FnOnce(&Entry) -> bool,
    ) -> Option<Arc<Principal>> {
        let mut shard = self.lock(key)?;
        let known = shard.find_entry(key.hash, |known| known.is(key)).ok()?;
        let entry = &known.get().entry;
        if counts(entry) {
            return Some(Arc::clone(&entry.principal));
        }
        known.remove();
        None
    }

    /// At the bound, of a few entries the one that ends first makes room.
    pub(super) fn insert(&self, key: &Key<'_>, entry: Entry) {
        let Some(mut shard) = self.lock(key) else {
            return;
        };
        if shard.len() >= MAX_PER_SHARD {
            make_room(&mut shard);
        }
        let known = Known {
            hash: key.hash,
            token: Zeroizing::new(key.token.into()),
            entry,
        };
        shard
            .entry(key.hash, |known| known.is(key), |known| known.hash)
            .insert(known);
    }

    fn lock(&self, key: &Key<'_>) -> Option<MutexGuard<'_, Shard>> {
        // A panic between two calls of a table leaves a whole table, so a poisoned lock is taken all the same.
        let shard = self.shards.get(key.shard())?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let lock = |shard: &Mutex<Shard>| shard.lock().map_or(0, |shard| shard.len());
        self.shards.iter().map(lock).sum()
    }
}

fn make_room(shard: &mut Shard) {
    let few = shard.iter().take(EVICTION_SAMPLE);
    let victim = few.min_by_key(|known| known.entry.validity.until());
    let Some(hash) = victim.map(|known| known.hash) else {
        return;
    };
    if let Ok(victim) = shard.find_entry(hash, |known| known.hash == hash) {
        victim.remove();
    }
}
