//! Who owns what, for objects of one kind.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::{ContextId, Ownership, Principal, SessionId, TaskId};

use super::file::Kind;
use super::journal::{Journal, Pen};
use super::owner::Owner;
use super::room::{LedgerFull, Room};

/// A power of two, far above the number of threads.
const SHARDS: usize = 64;

/// How many places each change looks at for something to forget, and how many when there is no room.
const REAPED: usize = 4;
const REAPED_WHEN_FULL: usize = 64;

/// An owner is written down again when this part of its time has passed: each hour, where it is remembered for a day. After a
/// restart it is remembered for as much less at most.
pub(super) const RENEWED: u32 = 24;

/// What can be owned.
pub(super) trait Owned: Clone + Eq + Hash {
    const KIND: Kind;

    fn text(&self) -> &str;
}

impl Owned for ContextId {
    const KIND: Kind = Kind::Context;

    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Owned for SessionId {
    const KIND: Kind = Kind::Session;

    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Owned for TaskId {
    const KIND: Kind = Kind::Task;

    fn text(&self) -> &str {
        self.as_str()
    }
}

/// How an object becomes somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taking {
    /// A call chose it, and may yet be refused.
    Choose,
    /// The agent named it.
    Learn,
    /// A call chose it, and the agent has to name it first.
    Reserve,
}

/// A bounded map from ids to owners.
#[derive(Debug)]
pub(super) struct Table<K> {
    shards: Box<[Mutex<Shard<K>>]>,
    // The ids are chosen by callers, so the hash is keyed, and one that withstands them.
    hasher: RandomState,
    ttl: Duration,
    // Writes owners down, if they outlive the process.
    pen: Option<Pen>,
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
    durable: Durable,
}

/// Whether an entry outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durable {
    /// It need not.
    No,
    /// It is written down, until then; or is to be, at its next use.
    Yes(Option<Instant>),
}

impl Entry {
    /// Whether it is the caller's to use: what is only kept for it is not yet.
    fn is_of(&self, principal: &Principal) -> bool {
        self.owner.is(principal) && !self.reserved
    }
}

impl<K: Owned> Table<K> {
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
            pen: None,
            next: AtomicUsize::new(0),
        }
    }

    /// How long an entry is remembered after its last use.
    pub(super) const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Writes owners down from now on.
    pub(super) fn kept_in(&mut self, journal: &Journal, agent: &str) {
        self.pen = Some(Pen {
            journal: journal.clone(),
            agent: agent.into(),
            kind: K::KIND,
        });
    }

    /// An empty one with the same settings.
    pub(super) fn alike(&self) -> Self {
        Self::new(self.ttl)
    }

    /// Whose it is. What is the caller's is remembered for longer from now on.
    pub(super) fn ownership(&self, key: &K, principal: &Principal, now: Instant) -> Ownership {
        let mut shard = self.shard(key);
        match shard.live(key, now) {
            Some(entry) if entry.is_of(principal) => {
                entry.deadline = now + self.ttl;
                if entry.durable != Durable::No {
                    self.keep(key, entry);
                }
                Ownership::Mine
            }
            Some(_) | None => Ownership::NotMine,
        }
    }

    /// Makes it the caller's if it is nobody's, as the agent says. Between two callers who ask at once, the lock decides.
    pub(super) fn claim(
        &self,
        key: &K,
        principal: &Principal,
        room: &Room,
        now: Instant,
    ) -> Result<Ownership, LedgerFull> {
        self.take(key, principal, Taking::Learn, room, now)
    }

    /// The same for what a call chose. It does not outlive the process before it is [confirmed](Self::confirm).
    pub(super) fn choose(
        &self,
        key: &K,
        principal: &Principal,
        room: &Room,
        now: Instant,
    ) -> Result<Ownership, LedgerFull> {
        self.take(key, principal, Taking::Choose, room, now)
    }

    /// The call that chose it goes on.
    pub(super) fn confirm(&self, key: &K, principal: &Principal, now: Instant) {
        let mut shard = self.shard(key);
        if let Some(entry) = shard.live(key, now)
            && entry.is_of(principal)
        {
            self.keep(key, entry);
        }
    }

    /// Until when it is known to be the caller's, if it is.
    pub(super) fn mine_until(
        &self,
        key: &K,
        principal: &Principal,
        now: Instant,
    ) -> Option<Instant> {
        let mut shard = self.shard(key);
        let entry = shard.live(key, now)?;
        entry.is_of(principal).then_some(entry.deadline)
    }

    /// Remembers what is known from elsewhere to be the caller's.
    pub(super) fn remember(
        &self,
        key: &K,
        principal: &Principal,
        deadline: Instant,
        room: &Room,
    ) -> Result<(), LedgerFull> {
        self.restore(key, Owner::new(principal), deadline, room)
    }

    /// Remembers what was written down before the process began.
    pub(super) fn restore(
        &self,
        key: &K,
        owner: Owner,
        deadline: Instant,
        room: &Room,
    ) -> Result<(), LedgerFull> {
        let mut shard = self.shard(key);
        shard.forget(key, room);
        shard.reap(REAPED, room, clock::now());
        room.take(&owner.tenant)?;
        let durable = Durable::Yes(Some(deadline));
        shard.insert(key, owner, false, durable, deadline);
        Ok(())
    }

    /// Keeps it for the caller if it is nobody's, until a claim makes it the caller's.
    pub(super) fn reserve(
        &self,
        key: &K,
        principal: &Principal,
        room: &Room,
        now: Instant,
    ) -> Result<Ownership, LedgerFull> {
        self.take(key, principal, Taking::Reserve, room, now)
    }

    fn take(
        &self,
        key: &K,
        principal: &Principal,
        taking: Taking,
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
            entry.reserved &= taking == Taking::Reserve;
            if taking == Taking::Learn || entry.durable != Durable::No {
                self.keep(key, entry);
            }
            return Ok(Ownership::Mine);
        }
        shard.forget(key, room);
        if room.take(&principal.tenant).is_err() {
            shard.reap(REAPED_WHEN_FULL, room, now);
            room.take(&principal.tenant)?;
        }
        let entry = shard.insert(
            key,
            Owner::new(principal),
            taking == Taking::Reserve,
            Durable::No,
            now + self.ttl,
        );
        if let Some(entry) = entry
            && taking == Taking::Learn
        {
            self.keep(key, entry);
        }
        Ok(Ownership::Mine)
    }

    /// Writes the owner down, unless that was done not long ago.
    fn keep(&self, key: &K, entry: &mut Entry) {
        let Some(pen) = &self.pen else { return };
        if let Durable::Yes(Some(until)) = entry.durable
            && until + self.ttl / RENEWED > entry.deadline
        {
            return;
        }
        let is_sent = pen.keep(key.text(), &entry.owner, entry.deadline);
        entry.durable = Durable::Yes(is_sent.then_some(entry.deadline));
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
        if entry.uses > 0 {
            return;
        }
        if let (Durable::Yes(_), Some(pen)) = (entry.durable, &self.pen) {
            // A line that has ended takes the place of those before. If it is lost, the owner is one for longer.
            pen.keep(key.text(), &entry.owner, clock::now());
        }
        shard.forget(key, room);
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

impl<K: Owned> Shard<K> {
    /// The entry, unless it has expired.
    fn live(&mut self, key: &K, now: Instant) -> Option<&mut Entry> {
        self.entries
            .get_mut(key)
            .filter(|entry| entry.deadline > now)
    }

    fn insert(
        &mut self,
        key: &K,
        owner: Owner,
        reserved: bool,
        durable: Durable,
        deadline: Instant,
    ) -> Option<&mut Entry> {
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
            durable,
        };
        self.entries.insert(key.clone(), entry);
        self.entries.get_mut(key)
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
