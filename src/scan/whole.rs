//! One text, all at once.

use crate::model::Finding;

use super::detectors::Detectors;
use super::matcher::Matcher;

/// What the detectors find in a text that is there as a whole. Pure: for tests of a policy and for
/// texts that never stream.
pub fn scan_text(detectors: &Detectors, text: &[u8]) -> Vec<Finding> {
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    matcher.read(detectors, text, &mut hits);
    hits.into_iter().filter_map(|hit| hit.finding).collect()
}
