//! What any text may cost, counted in bytes that are looked at.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use proptest::prelude::*;

use super::armed;
use crate::model::LeakAction;
use crate::scan::matcher::work;
use crate::scan::{AtBound, Carrier, Detectors, Scan, WORST_UNITS};

/// For each byte of a text, however it comes.
const MOST: u64 = 100;
/// For each piece besides: what is kept is looked at again.
const MOST_A_PIECE: u64 = 600;

static DETECTORS: LazyLock<Arc<Detectors>> = LazyLock::new(|| {
    armed(
        &["cards", "credentials", "network", "pii", "private-keys"],
        LeakAction::Redact,
        AtBound::Release,
    )
});

/// The work for a text that comes in pieces of one size.
fn work(text: &str, piece: usize) -> u64 {
    let mut scan = Scan::new(Arc::clone(&DETECTORS), Carrier::Text);
    let mut released = VecDeque::new();
    let mut rest = Bytes::copy_from_slice(text.as_bytes());
    work::take();
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(piece));
        scan.feed(piece, &mut released).unwrap();
        released.clear();
    }
    scan.finish(&mut released).unwrap();
    work::take()
}

fn bound(text: &str, piece: usize) -> u64 {
    let length = text.len() as u64;
    length * MOST + length.div_ceil(piece as u64) * MOST_A_PIECE
}

#[test]
fn no_text_costs_more_than_so_much_a_byte() {
    for unit in WORST_UNITS {
        let text = unit.repeat(8192 / unit.len());
        for piece in [8, 64, 16 * 1024] {
            let (work, bound) = (work(&text, piece), bound(&text, piece));
            assert!(
                work <= bound,
                "{unit:?} in pieces of {piece}: {work} of {bound}"
            );
        }
    }
}

#[test]
fn twice_the_text_costs_twice_as_much() {
    for unit in WORST_UNITS {
        let text = unit.repeat(16 * 1024 / unit.len());
        let half = unit.repeat(8 * 1024 / unit.len());
        let (once, twice) = (work(&half, 512), work(&text, 512));
        assert!(twice <= once * 22 / 10, "{unit:?}: {once}, then {twice}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mixture_costs_more_than_so_much_a_byte(
        parts in prop::collection::vec((0..WORST_UNITS.len(), 1..40_usize), 1..24),
        piece in 1..700_usize,
    ) {
        let text: String = parts
            .iter()
            .map(|(unit, times)| WORST_UNITS[*unit].repeat(*times))
            .collect();
        let (work, bound) = (work(&text, piece), bound(&text, piece));
        prop_assert!(work <= bound, "{} of {}", work, bound);
    }
}
