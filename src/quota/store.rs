//! What is remembered of past calls.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use hashbrown::HashTable;
use jiff::Timestamp;

use super::gate::{self, Gate, Passage};
use super::gcra;
use super::meter::{Limit, Moment, State};

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
    // Of all lines: a ticket is never used twice.
    next_ticket: AtomicU64,
}

/// Which counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
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

/// Enough that eight cores seldom meet, and as many as a word has bits.
const SHARDS: usize = 64;

/// Between two searches of a full shard, so that a flood of new keys costs one search per this.
const TRIM_PAUSE_NANOS: u64 = 10_000_000;

impl Store {
    /// How many keys are remembered unless said otherwise: about 6 MiB, and 1 KiB more for each that a window
    /// counts.
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
            next_ticket: AtomicU64::new(0),
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

    /// The moment on the store's clock, in nanoseconds since it was made; 584 years fit.
    pub(super) fn moment(&self, now: Instant, at: Timestamp) -> Moment {
        let nanos = now.saturating_duration_since(self.epoch).as_nanos();
        Moment {
            nanos: u64::try_from(nanos).unwrap_or(u64::MAX),
            at,
        }
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
        // One bit for each shard: in order, and each once.
        let mut wanted = keys
            .iter()
            .fold(0_u64, |wanted, key| wanted | 1 << self.shard_of(*key));
        let mut shards = Vec::with_capacity(keys.len());
        while wanted != 0 {
            let index = wanted.trailing_zeros() as usize;
            wanted &= wanted - 1;
            shards.extend(self.shards.get(index).map(|shard| (index, lock(shard))));
        }
        Locked {
            shards,
            store: self,
            woken: Vec::new(),
        }
    }

    /// A call has left the place that it had among those that run at once.
    pub(super) fn leave(&self, key: Key) {
        let mut locked = self.lock(&[key]);
        let mut woken = std::mem::take(&mut locked.woken);
        if let Some(gate) = locked.gate(key) {
            gate.leave(&mut woken);
        }
        locked.woken = woken;
        locked.forget_idle(key);
    }

    /// A call has used so many tokens of those that were counted for it.
    pub(super) fn settle(
        &self,
        key: Key,
        limit: gcra::Limit,
        reserved: u64,
        used: u64,
        now: Instant,
    ) {
        let nanos = self.moment(now, Timestamp::UNIX_EPOCH).nanos;
        if let Some(State::Rate(state)) = self.lock(&[key]).state_mut(key) {
            *state = limit.settle(*state, reserved, used, nanos);
        }
    }

    /// A call waits no more: it gives its place in line up, or the one that it was handed.
    pub(super) fn step_out(&self, key: Key, ticket: u64) {
        let was_in_line = self
            .lock(&[key])
            .gate(key)
            .is_some_and(|gate| gate.step_out(ticket));
        if !was_in_line {
            self.leave(key);
        }
    }

    /// Whether a ticket is still in line; then its holder is woken when it is not.
    pub(super) fn waits(&self, key: Key, ticket: u64, waker: &Waker) -> bool {
        let mut locked = self.lock(&[key]);
        locked
            .gate(key)
            .is_some_and(|gate| gate.waits(ticket, waker))
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
    // Who is woken when the locks are free again: what a waker does is not ours to know.
    woken: Vec<Waker>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.shards.clear();
        self.woken.drain(..).for_each(Waker::wake);
    }
}

impl Locked<'_> {
    /// What a key has used.
    pub(super) fn state(&self, key: Key) -> Option<&State> {
        let index = self.store.shard_of(key);
        let (_, shard) = self.shards.iter().find(|(held, _)| *held == index)?;
        let found = shard.entries.find(key.low, |(other, _)| *other == key);
        found.map(|(_, state)| state)
    }

    /// The same, to be changed.
    pub(super) fn state_mut(&mut self, key: Key) -> Option<&mut State> {
        let found = self.shard_mut(key)?;
        let found = found.entries.find_mut(key.low, |(other, _)| *other == key);
        found.map(|(_, state)| state)
    }

    /// How things stand at a gate. Those in line whom a changed limit lets in are let in.
    pub(super) fn passage(&mut self, key: Key, limit: gate::Limit) -> Passage {
        let mut woken = std::mem::take(&mut self.woken);
        let passage = match self.gate(key) {
            Some(gate) => limit.passage(gate, &mut woken),
            None => limit.passage(&mut limit.fresh(), &mut woken),
        };
        self.woken = woken;
        passage
    }

    /// Takes the last place in the line of a gate where somebody runs, and gives the ticket for it.
    pub(super) fn line_up(&mut self, key: Key) -> u64 {
        let ticket = self.store.next_ticket.fetch_add(1, Ordering::Relaxed);
        if let Some(gate) = self.gate(key) {
            gate.line_up(ticket);
        }
        ticket
    }

    fn gate(&mut self, key: Key) -> Option<&mut Gate> {
        match self.state_mut(key)? {
            State::Concurrent(gate) => Some(gate),
            State::Calendar(_) | State::Rate(_) | State::Window(_) => None,
        }
    }

    /// Gates are forgotten as soon as nobody is there, so that they do not fill the store until it is trimmed.
    fn forget_idle(&mut self, key: Key) {
        if self.gate(key).is_some_and(|gate| gate.is_idle())
            && let Some(shard) = self.shard_mut(key)
            && let Ok(entry) = shard
                .entries
                .find_entry(key.low, |(other, _)| *other == key)
        {
            entry.remove();
        }
    }

    fn shard_mut(&mut self, key: Key) -> Option<&mut Shard> {
        let index = self.store.shard_of(key);
        let mut shards = self.shards.iter_mut();
        let (_, shard) = shards.find(|(held, _)| *held == index)?;
        Some(shard)
    }

    /// Makes sure that each of the keys can be written, so that what follows cannot fail midway.
    pub(super) fn reserve(&mut self, keys: &[Key], now: Moment) -> Result<(), Full> {
        let store = self.store;
        for (index, shard) in &mut self.shards {
            if shard.entries.len() + keys.len() <= store.shard_capacity {
                continue;
            }
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

    /// Counts a call that fits. The key's room was reserved.
    pub(super) fn count(&mut self, key: Key, limit: &Limit<'_>, now: Moment) {
        let Some(shard) = self.shard_mut(key) else {
            return;
        };
        match shard.entries.find_mut(key.low, |(other, _)| *other == key) {
            Some((_, state)) => limit.count(state, now),
            None => {
                let mut state = limit.fresh(now);
                limit.count(&mut state, now);
                let hash = |(key, _): &(Key, State)| key.low;
                shard.entries.insert_unique(key.low, (key, state), hash);
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
    fn trim(&mut self, now: Moment) {
        if now.nanos < self.next_trim {
            return;
        }
        self.entries.retain(|(_, state)| !state.is_idle(now));
        self.next_trim = now.nanos.saturating_add(TRIM_PAUSE_NANOS);
    }
}

/// A panic elsewhere cannot leave a counter half-written, so a poisoned lock is as good as any.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
