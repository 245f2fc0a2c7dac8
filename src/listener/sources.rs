//! How many connections each source holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections per source address. Holds an entry only for a source with a connection, so its
/// size is bounded by the listener's cap on connections.
#[derive(Debug)]
pub(super) struct Sources {
    limit: usize,
    // The keys are chosen by peers, hence the standard library's keyed hash.
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place among those of its source; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Sources {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            counts: Mutex::default(),
        }
    }

    /// A place for one more connection; `None` when this source has all that it may.
    pub(super) fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        // On a dual-stack socket an IPv4 peer has a mapped address, and is still the same peer.
        let source = source.to_canonical();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.entry(source) {
            Entry::Occupied(mut count) if *count.get() < self.limit => *count.get_mut() += 1,
            Entry::Vacant(count) if self.limit > 0 => {
                count.insert(1);
            }
            Entry::Occupied(_) | Entry::Vacant(_) => return None,
        }
        drop(counts);
        Some(Place {
            sources: Arc::clone(self),
            source,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self
            .sources
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(self.source) {
            if *count.get() > 1 {
                *count.get_mut() -= 1;
            } else {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_dropped() {
        let sources = Arc::new(Sources::new(2));
        let ours: IpAddr = [127, 0, 0, 1].into();
        let first = sources.enter(ours).unwrap();
        let _second = sources.enter(ours).unwrap();
        assert!(sources.enter(ours).is_none());
        assert!(sources.enter([127, 0, 0, 2].into()).is_some());
        drop(first);
        assert!(sources.enter(ours).is_some());
    }

    #[test]
    fn a_mapped_address_is_the_same_source() {
        let sources = Arc::new(Sources::new(1));
        let _held = sources.enter([127, 0, 0, 1].into()).unwrap();
        assert!(sources.enter("::ffff:127.0.0.1".parse().unwrap()).is_none());
    }

    #[test]
    fn sources_without_connections_take_no_memory() {
        let sources = Arc::new(Sources::new(2));
        for last in 0..=255 {
            drop(sources.enter([127, 0, 0, last].into()).unwrap());
        }
        assert!(sources.counts.lock().unwrap().is_empty());
    }
}
