//! Which nonces were accepted: a bounded memory that forgets nothing before its time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// How many nonces are remembered at once. At 60 s of `maxAge` and 30 s of skew this is some 5,800 signed
/// requests a second; an entry costs some 60 bytes, so that a full memory takes 32 MiB.
const CAPACITY: usize = 1 << 19;

/// Each with a lock of its own, so that workers seldom wait for one another.
const SHARDS: usize = 64;

/// What is remembered of a nonce: a digest of whose it is and of itself, because callers choose how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nonce {
    digest: [u8; 16],
    key: u64,
}

impl Nonce {
    /// A nonce counts for one key of one identity. `nonce` is what the caller sent.
    pub fn new(identity: &str, key_id: &str, nonce: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [identity, key_id] {
            // Lengths keep `ab` + `c` apart from `a` + `bc`.
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let key = first(&hasher.finalize());
        hasher.update(nonce.as_bytes());
        Self {
            digest: first(&hasher.finalize()),
            key: u64::from_le_bytes(key),
        }
    }
}

fn first<const N: usize>(hash: &blake3::Hash) -> [u8; N] {
    let mut bytes = [0; N];
    bytes
        .iter_mut()
        .zip(hash.as_bytes())
        .for_each(|(to, from)| *to = *from);
    bytes
}

/// What became of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// It is new, and is remembered from now on.
    Fresh,
    /// There is no room. It is not remembered, and must not be accepted.
    Full,
    /// It was accepted before.
    Used,
}

/// The nonces that this process accepted. At most 524,288, and half of that for one key, so that one caller
/// cannot make the others wait. Full, it refuses what is new and forgets nothing.
///
/// State, not configuration: it outlives reloads. It does not outlive the process, nor do two processes share
/// it.
#[derive(Debug)]
pub struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
    capacity: usize,
    since: i64,
}

#[derive(Debug, Default)]
struct Shard {
    seen: HashSet<Nonce>,
    /// By when they may be forgotten, the earliest first.
    order: BinaryHeap<Reverse<(i64, Nonce)>>,
    of_key: HashMap<u64, usize>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl MemoryStore {
    /// One that remembers about so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            capacity: capacity.div_ceil(SHARDS),
            since: i64::MIN,
        }
    }

    /// One that begins to remember now, in seconds since 1970: what was accepted before, nobody knows any more.
    pub fn since(now: i64) -> Self {
        Self {
            since: now,
            ..Self::default()
        }
    }

    /// Whether a nonce of a signature that was made then would be known if it had been accepted. One from before the
    /// beginning may have been accepted by the process before this one.
    pub const fn covers(&self, created: i64) -> bool {
        created >= self.since
    }

    /// Remembers a nonce until it could not be accepted any more, in seconds since 1970: until `created` plus
    /// the greatest age plus the skew.
    pub fn remember(&self, nonce: Nonce, until: i64, now: i64) -> Remembered {
        let index = usize::from(nonce.digest.first().copied().unwrap_or_default()) % SHARDS;
        let Some(shard) = self.shards.get(index) else {
            return Remembered::Full;
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.forget(now);
        shard.remember(nonce, until, self.capacity)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        let of = |shard: &Mutex<Shard>| {
            shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .seen
                .len()
        };
        self.shards.iter().map(of).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    fn forget(&mut self, now: i64) {
        while let Some(Reverse((until, nonce))) = self.order.peek().copied()
            && until < now
        {
            self.order.pop();
            self.seen.remove(&nonce);
            if let Some(count) = self.of_key.get_mut(&nonce.key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.of_key.remove(&nonce.key);
                }
            }
        }
    }

    fn remember(&mut self, nonce: Nonce, until: i64, capacity: usize) -> Remembered {
        if self.seen.contains(&nonce) {
            return Remembered::Used;
        }
        let count = self.of_key.get(&nonce.key).copied().unwrap_or_default();
        if self.seen.len() >= capacity || count >= capacity.div_ceil(2) {
            return Remembered::Full;
        }
        self.seen.insert(nonce);
        self.order.push(Reverse((until, nonce)));
        self.of_key.insert(nonce.key, count + 1);
        Remembered::Fresh
    }
}
