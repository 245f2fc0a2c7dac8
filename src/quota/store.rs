//! What is remembered of past calls.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hashbrown::HashTable;

use super::gcra::{Limit, State};

/// Counters of all quotas, shared by every snapshot of the policy.
///
/// Bounded: a shard that is full first forgets keys that are idle, which changes no answer. When all of
/// its keys are live, a new key is refused rather than a live one forgotten, because forgetting would
/// give its owner a fresh burst.
#[derive(Debug)]
pub struct Store {
    epoch: Instant,
    // SipHash gives 64 bits that nobody outside can aim at, without storing text; the quicker hash, which has a
    // secret of its own, gives as many again against chance. Two keys that met would share a counter: with 2^17
    // live keys that is one chance in 2^95.
    aimless: RandomState,
    quick: foldhash::quality::RandomState,
    shards: Box<[Mutex<Shard>]>,
    shard_capacity: usize,
}

/// Which counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    low: u64,
    high: u64,
}

/// One lock's share of the counters.
#[derive(Debug, Default)]
pub(super) struct Shard {
    entries: HashTable<(Key, State)>,
    // Before this instant another search for idle keys would find too few to be worth it.
    next_trim: u64,
}

/// There is no room for a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Enough that eight cores seldom meet.
const SHARDS: usize = 64;

/// Between two searches of a full shard, so that a flood of new keys costs one search per this.
const TRIM_PAUSE_NANOS: u64 = 10_000_000;

impl Store {
    /// How many keys are remembered unless said otherwise: about 6 MiB.
    pub const DEFAULT_CAPACITY: usize = 1 << 17;

    /// An empty store for about `capacity` keys (rounded up to a multiple of the number of shards).
    /// `now` is where its clock begins.
    pub fn new(capacity: usize, now: Instant) -> Self {
        Self {
            epoch: now,
            aimless: RandomState::new(),
            quick: foldhash::quality::RandomState::default(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shard_capacity: capacity.div_ceil(SHARDS).max(1),
        }
    }

    /// How many keys are remembered now.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| lock(shard).entries.len())
            .sum()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nanoseconds since the store was made; 584 years fit.
    pub(super) fn nanos(&self, now: Instant) -> u64 {
        let nanos = now.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// The counter of these parts.
    pub(super) fn key(&self, parts: impl Hash) -> Key {
        Key {
            low: self.aimless.hash_one(&parts),
            high: self.quick.hash_one(&parts),
        }
    }

    /// Locks the shards of these keys. Whoever needs several takes them here, in one order for all, so
    /// that nobody waits for somebody who waits for them.
    pub(super) fn lock<'store>(&'store self, keys: &[Key]) -> Locked<'store> {
        let mut shards: Vec<_> = keys.iter().map(|key| self.shard_of(*key)).collect();
        shards.sort_unstable();
        shards.dedup();
        Locked {
            shards: shards
                .into_iter()
                .filter_map(|index| Some((index, lock(self.shards.get(index)?))))
                .collect(),
            store: self,
        }
    }

    // By bits that nobody can aim at either, and that the tables do not go by first.
    const fn shard_of(&self, key: Key) -> usize {
        ((key.low >> 32) % SHARDS as u64) as usize
    }
}

/// Some shards, held until this is dropped.
#[derive(Debug)]
pub(super) struct Locked<'store> {
    shards: Vec<(usize, MutexGuard<'store, Shard>)>,
    store: &'store Store,
}

impl Locked<'_> {
    /// What a key has used.
    pub(super) fn state(&self, key: Key) -> Option<State> {
        let index = self.store.shard_of(key);
        let (_, shard) = self.shards.iter().find(|(held, _)| *held == index)?;
        let found = shard.entries.find(key.low, |(other, _)| *other == key);
        found.map(|(_, state)| *state)
    }

    /// Brings what a key has used into the terms of a limit whose rate was changed, so that it is paid
    /// off at the new rate from now on, also while calls are refused.
    pub(super) fn adapt(&mut self, key: Key, limit: Limit, now: u64) {
        let index = self.store.shard_of(key);
        let shard = self.shards.iter_mut().find(|(held, _)| *held == index);
        let entry = shard
            .and_then(|(_, shard)| shard.entries.find_mut(key.low, |(other, _)| *other == key));
        if let Some((_, state)) = entry {
            *state = limit.adapt(*state, now);
        }
    }

    /// Makes sure that each of the keys can be written, so that what follows cannot fail midway.
    pub(super) fn reserve(&mut self, keys: &[Key], now: u64) -> Result<(), Full> {
        let store = self.store;
        for (index, shard) in &mut self.shards {
            let mut new = shard.count_new(keys, |key| store.shard_of(key) == *index);
            if shard.entries.len() + new > store.shard_capacity {
                shard.trim(now);
                // An idle key of ours may have been forgotten, and is new now.
                new = shard.count_new(keys, |key| store.shard_of(key) == *index);
            }
            if new > 0 && shard.entries.len() + new > store.shard_capacity {
                return Err(Full);
            }
        }
        Ok(())
    }

    /// Writes what a key has used. The key's room was reserved.
    pub(super) fn set(&mut self, key: Key, state: State) {
        let index = self.store.shard_of(key);
        let Some((_, shard)) = self.shards.iter_mut().find(|(held, _)| *held == index) else {
            return;
        };
        match shard.entries.find_mut(key.low, |(other, _)| *other == key) {
            Some((_, old)) => *old = state,
            None => {
                shard
                    .entries
                    .insert_unique(key.low, (key, state), |(key, _)| key.low);
            }
        }
    }
}

impl Shard {
    fn count_new(&self, keys: &[Key], is_here: impl Fn(Key) -> bool) -> usize {
        let known = |key: &Key| self.entries.find(key.low, |(other, _)| other == key);
        keys.iter()
            .filter(|key| is_here(**key) && known(key).is_none())
            .count()
    }

    /// Forgets keys whose state says no more than no state.
    fn trim(&mut self, now: u64) {
        if now < self.next_trim {
            return;
        }
        self.entries.retain(|(_, state)| state.idle_at() > now);
        self.next_trim = now.saturating_add(TRIM_PAUSE_NANOS);
    }
}

/// A panic elsewhere cannot leave a counter half-written, so a poisoned lock is as good as any.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
