//! One text, all at once.

use crate::model::Finding;

use super::channel::Segment;
use super::detectors::Detectors;
use super::escape::Unescaped;
use super::lax::{self, Lax};
use super::matcher::Matcher;

/// What the detectors find in a text that is there as a whole, as it stands and as a lenient reader has it. Offsets are
/// those of the reading. Pure: for tests of a policy and for texts that never stream.
pub fn scan_text(detectors: &Detectors, text: &[u8]) -> Vec<Finding> {
    let mut findings = read(detectors, text);
    if lax::first(text).is_some() {
        let (mut lax, mut lenient) = (Lax::default(), Unescaped::default());
        lax.read(text, &[Segment::plain(0, text.len())], &mut lenient);
        lax.finish(&mut lenient);
        for finding in read(detectors, &lenient.text) {
            let is_same = |it: &Finding| {
                (it.detector, &it.fingerprint) == (finding.detector, &finding.fingerprint)
            };
            if !findings.iter().any(is_same) {
                findings.push(finding);
            }
        }
    }
    findings
}

fn read(detectors: &Detectors, text: &[u8]) -> Vec<Finding> {
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    matcher.read(detectors, text, &mut hits);
    hits.into_iter().filter_map(|hit| hit.finding).collect()
}
