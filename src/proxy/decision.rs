//! Names for decisions.

use std::cell::RefCell;

use uuid::Builder;

use crate::clock;
use crate::model::DecisionId;

/// A fresh id (RFC 9562, section 5.7): the millisecond, then 74 random bits. Ids must be unique, not secret.
///
/// The system is asked for random bytes once for many ids: a call each would cost a small request several
/// per cent of its time.
pub(super) fn fresh_decision() -> DecisionId {
    let millis = u64::try_from(clock::wall().as_millisecond()).unwrap_or_default();
    let random = POOL.with_borrow_mut(Pool::take);
    DecisionId::new(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [[0; RANDOM]; IDS], used: IDS }) };
}

/// Random bytes of one id.
const RANDOM: usize = 10;

/// Ids for which bytes are kept.
const IDS: usize = 64;

/// Random bytes that nobody has had yet.
struct Pool {
    bytes: [[u8; RANDOM]; IDS],
    used: usize,
}

impl Pool {
    fn take(&mut self) -> [u8; RANDOM] {
        if self.used >= IDS {
            // Fails only where the system has no random bytes at all. Then ids that are unique in this
            // process are made of what there is, a counter.
            if getrandom::fill(self.bytes.as_flattened_mut()).is_err() {
                self.count_on();
            }
            self.used = 0;
        }
        let random = self.bytes.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        random
    }

    fn count_on(&mut self) {
        let last = self.bytes.last().copied().unwrap_or_default();
        let [.., a, b, c, d] = last;
        let from = u32::from_be_bytes([a, b, c, d]);
        for (index, bytes) in (1_u32..).zip(&mut self.bytes) {
            if let Some(tail) = bytes.last_chunk_mut::<4>() {
                *tail = from.wrapping_add(index).to_be_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_sort_by_time() {
        let ids: Vec<_> = (0..10 * IDS)
            .map(|_| fresh_decision().to_string())
            .collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        let times: Vec<_> = ids.iter().filter_map(|id| id.get(..12)).collect();
        assert!(times.is_sorted());
        assert!(ids.iter().all(|id| id.as_bytes()[12] == b'7'), "{}", ids[0]);
    }

    #[test]
    fn without_random_bytes_ids_are_still_unique() {
        let mut pool = Pool {
            bytes: [[7; RANDOM]; IDS],
            used: 0,
        };
        let mut seen = HashSet::new();
        for _ in 0..3 {
            pool.count_on();
            assert!(pool.bytes.iter().all(|bytes| seen.insert(*bytes)));
        }
    }
}
