//! The memory of one process: bounded, and it forgets nothing before its time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::{Mark, Once, ReplayError};

/// How much is remembered at once. At 60 s of age and 30 s of skew this is some 11,600 signed requests and proofs a
/// second; an entry costs some 60 bytes, so that a full memory takes 64 MiB.
const CAPACITY: usize = 1 << 20;

/// Each with a lock of its own, so that workers seldom wait for one another.
const SHARDS: usize = 64;

/// What this process accepted. At most 1,048,576 marks, and half of that of one key, so that one caller cannot make the
/// others wait. Full, it refuses what is new and forgets nothing.
///
/// It does not outlive the process, so it takes nothing from before it began, nor do two processes share it.
#[derive(Debug)]
pub struct OwnMemory {
    shards: Vec<Mutex<Shard>>,
    capacity: usize,
    since: i64,
}

#[derive(Debug, Default)]
struct Shard {
    seen: HashSet<Mark>,
    /// By when they may be forgotten, the earliest first.
    order: BinaryHeap<Reverse<(i64, Mark)>>,
    of_owner: HashMap<u64, usize>,
}

impl Default for OwnMemory {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl OwnMemory {
    /// What it is called in metrics.
    pub(super) const NAME: &'static str = "memory";

    /// One that remembers about so much.
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

    /// Takes something that counts once. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// When it was taken before, or may have been, or when there is no room.
    pub fn take(&self, once: Once, now: i64) -> Result<(), ReplayError> {
        if once.made < self.since {
            return Err(ReplayError::BeforeStart);
        }
        let shard = self.shards.get(once.mark.shard(SHARDS));
        // A panic between two calls of a map leaves a whole map, so a poisoned lock is taken all the same.
        let mut shard = shard
            .ok_or(ReplayError::Full)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shard.forget(now);
        shard.take(once, self.capacity)
    }

    /// How much is remembered.
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

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    fn forget(&mut self, now: i64) {
        while let Some(Reverse((until, mark))) = self.order.peek().copied()
            && until <= now
        {
            self.order.pop();
            self.seen.remove(&mark);
            if let Some(count) = self.of_owner.get_mut(&mark.owner()) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.of_owner.remove(&mark.owner());
                }
            }
        }
    }

    fn take(&mut self, Once { mark, until, .. }: Once, capacity: usize) -> Result<(), ReplayError> {
        if self.seen.contains(&mark) {
            return Err(ReplayError::Used);
        }
        let owned = self
            .of_owner
            .get(&mark.owner())
            .copied()
            .unwrap_or_default();
        if self.seen.len() >= capacity || owned >= capacity.div_ceil(2) {
            return Err(ReplayError::Full);
        }
        self.seen.insert(mark);
        self.order.push(Reverse((until, mark)));
        self.of_owner.insert(mark.owner(), owned + 1);
        Ok(())
    }
}
