//! Times in buckets about 3 % wide, so that a percentile costs no memory per request.

use std::time::Duration;

/// Buckets per power of two.
const FINE: u64 = 32;
const FINE_BITS: u32 = FINE.trailing_zeros();

/// Counts of times, by microsecond.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        let buckets = (64 - FINE_BITS as usize + 1) * FINE as usize;
        let counts = vec![0; buckets];
        Self { counts, total: 0 }
    }

    pub(crate) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Microseconds within which this share of the times lies: the upper edge of its bucket.
    pub(crate) fn percentile(&self, share: f64) -> u64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(index as u64);
            }
        }
        0
    }
}

fn bucket(micros: u64) -> usize {
    if micros < FINE {
        return micros as usize;
    }
    let shift = 63 - micros.leading_zeros() - FINE_BITS;
    // The top bit is set, so the shifted value lies in FINE..2 * FINE.
    (u64::from(shift) * FINE + (micros >> shift)) as usize
}

fn upper(bucket: u64) -> u64 {
    if bucket < 2 * FINE {
        return bucket;
    }
    let shift = bucket / FINE - 1;
    let fine = bucket % FINE + FINE;
    ((fine + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_values_within_a_thirtieth() {
        for micros in (0..200_000).chain([1 << 30, (1 << 40) + 12345]) {
            let edge = upper(bucket(micros) as u64);
            assert!(edge >= micros, "{micros} {edge}");
            assert!(edge - micros <= micros / 30, "{micros} {edge}");
        }
    }

    #[test]
    fn percentiles_are_counted_from_below() {
        let mut histogram = Histogram::new();
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!(histogram.percentile(0.5), 50);
        assert_eq!(histogram.percentile(0.99), 99);
    }
}
