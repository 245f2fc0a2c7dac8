//! Who owns what, for objects of one kind.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{IdentityName, Ownership, Principal, PrincipalId, TenantId};

use super::room::{LedgerFull, Room};

/// A power of two, far above the number of threads.
const SHARDS: usize = 64;

/// How many places each change looks at for something to forget, and how many when there is no room.
const REAPED: usize = 4;
const REAPED_WHEN_FULL: usize = 64;

/// A bounded map from ids to owners.
#[derive(Debug)]
pub(super) struct Table<K> {
    shards: Box<[Mutex<Shard<K>>]>,
    // The ids are chosen by callers, so the hash is keyed, and one that withstands them.
    hasher: RandomState,
    ttl: Duration,
    // The shard that is looked through next when there is no room.
    next: AtomicUsize,
}

#[derive(Debug)]
struct Shard<K> {
    entries: HashMap<K, Entry>,
    // All keys, each at its entry's place. A hand goes round it and forgets what has expired, so that
    // forgetting costs each change the same and needs no queue that refused claims could fill.
    places: Vec<Option<K>>,
    free: Vec<usize>,
    hand: usize,
    /// How many entries each has.
    owners: HashMap<Owner, u64>,
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    deadline: Instant,
    place: usize,
    /// How many calls rely on it. A claim whose only call was refused is undone.
    uses: u32,
    /// The agent has not named it yet.
    reserved: bool,
}

/// Who owns an object. The tenant counts too: the same caller under another tenant is another party.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Owner {
    identity: IdentityName,
    id: PrincipalId,
    tenant: TenantId,
}

impl<K: Clone + Eq + Hash> Table<K> {
    pub(super) fn new(ttl: Duration) -> Self {
        let shard = || {
            Mutex::new(Shard {
                entries: HashMap::new(),
                places: Vec::new(),
                free: Vec::new(),
                hand: 0,
                owners: HashMap::new(),
            })
        };
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            hasher: RandomState::new(),
            ttl,
            next: AtomicUsize::new(0),
        }
    }

    /// An empty one with the same settings.
    pub(super) fn alike(&self) -> Self {
        Self::new(self.ttl)
    }

    /// Whose it is. What is the caller's is remembered for longer from now on.
    pub(super) fn ownership(&self, key: &K, principal: &Principal, now: Instant) -> Ownership {
        let mut shard = self.shard(key);
        match shard.live(key, now) {
            Some(entry) if entry.owner.is(principal) && !entry.reserved => {
                entry.deadline = now + self.ttl;
                Ownership::Mine
            }
            Some(_) | None => Ownership::NotMine,
        }
    }

    /// Makes it the caller's if it is nobody's. Between two callers who ask at once, the lock decides.
    pub(super) fn claim(
        &self,
        key: &K,
        principal: &Principal,
        room: &Room,
        now: Instant,
    ) -> Result<Ownership, LedgerFull> {
        self.take(key, principal, false, room, now)
    }

    /// Keeps it for the caller if it is nobody's, until a claim makes it the caller's.
    pub(super) fn reserve(
        &self,
        key: &K,
        principal: &Principal,
        room: &Room,
        now: Instant,
    ) -> Result<Ownership, LedgerFull> {
        self.take(key, principal, true, room, now)
    }

    fn take(
        &self,
        key: &K,
        principal: &Principal,
        reserves: bool,
        room: &Room,
        now: Instant,
    ) -> Result<Ownership, LedgerFull> {
        let mut shard = self.shard(key);
        shard.reap(REAPED, room, now);
        if let Some(entry) = shard.live(key, now) {
            if !entry.owner.is(principal) {
                return Ok(Ownership::NotMine);
            }
            entry.deadline = now + self.ttl;
            entry.uses = entry.uses.saturating_add(1);
            entry.reserved &= reserves;
            return Ok(Ownership::Mine);
        }
        shard.forget(key, room);
        if room.take(&principal.tenant).is_err() {
            shard.reap(REAPED_WHEN_FULL, room, now);
            room.take(&principal.tenant)?;
        }
        shard.insert(key.clone(), Owner::new(principal), reserves, now + self.ttl);
        Ok(Ownership::Mine)
    }

    /// Undoes one claim of the caller's.
    pub(super) fn release(&self, key: &K, principal: &Principal, room: &Room) {
        let mut shard = self.shard(key);
        let Some(entry) = shard.entries.get_mut(key) else {
            return;
        };
        if !entry.owner.is(principal) || entry.uses == u32::MAX {
            return;
        }
        entry.uses = entry.uses.saturating_sub(1);
        if entry.uses == 0 {
            shard.forget(key, room);
        }
    }

    /// How many entries are the caller's.
    pub(super) fn count_of(&self, principal: &Principal) -> u64 {
        let owner = Owner::new(principal);
        let shards = (0..SHARDS).map(|n| self.nth(n));
        shards
            .filter_map(|shard| shard.owners.get(&owner).copied())
            .sum()
    }

    /// Forgets some of what has expired, in one shard after the other.
    pub(super) fn reap_next(&self, room: &Room, now: Instant) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.nth(next).reap(REAPED_WHEN_FULL, room, now);
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K>> {
        let [byte, ..] = self.hasher.hash_one(key).to_le_bytes();
        self.nth(usize::from(byte))
    }

    fn nth(&self, n: usize) -> MutexGuard<'_, Shard<K>> {
        #[expect(clippy::indexing_slicing, reason = "there are `SHARDS` of them")]
        let shard = &self.shards[n % SHARDS];
        // INVARIANT: a shard is whole whenever code runs that could panic; an allocation that fails
        // ends the process.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Shard<K> {
    /// The entry, unless it has expired.
    fn live(&mut self, key: &K, now: Instant) -> Option<&mut Entry> {
        self.entries
            .get_mut(key)
            .filter(|entry| entry.deadline > now)
    }

    fn insert(&mut self, key: K, owner: Owner, reserved: bool, deadline: Instant) {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.places.push(None);
                self.places.len() - 1
            }
        };
        if let Some(slot) = self.places.get_mut(place) {
            *slot = Some(key.clone());
        }
        match self.owners.get_mut(&owner) {
            Some(count) => *count += 1,
            None => {
                self.owners.insert(owner.clone(), 1);
            }
        }
        let entry = Entry {
            owner,
            deadline,
            place,
            uses: 1,
            reserved,
        };
        self.entries.insert(key, entry);
    }

    fn forget(&mut self, key: &K, room: &Room) {
        if let Some(entry) = self.entries.remove(key) {
            if let Some(slot) = self.places.get_mut(entry.place) {
                *slot = None;
            }
            self.free.push(entry.place);
            if let Some(count) = self.owners.get_mut(&entry.owner) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.owners.remove(&entry.owner);
                }
            }
            room.give_back(&entry.owner.tenant);
        }
    }

    /// Looks at the next `count` places and forgets what has expired there.
    fn reap(&mut self, count: usize, room: &Room, now: Instant) {
        for _ in 0..count.min(self.places.len()) {
            self.hand = (self.hand + 1) % self.places.len().max(1);
            let key = self.places.get(self.hand).and_then(Option::as_ref);
            let expired = key.filter(|key| {
                let entry = self.entries.get(*key);
                entry.is_some_and(|entry| entry.deadline <= now)
            });
            if let Some(key) = expired.cloned() {
                self.forget(&key, room);
            }
        }
    }
}

impl Owner {
    fn new(principal: &Principal) -> Self {
        Self {
            identity: principal.identity.clone(),
            id: principal.id.clone(),
            tenant: principal.tenant.clone(),
        }
    }

    fn is(&self, principal: &Principal) -> bool {
        self.id == principal.id
            && self.identity == principal.identity
            && self.tenant == principal.tenant
    }
}
