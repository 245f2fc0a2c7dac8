//! Confirmed candidates wait here until nothing can overlap them any more; then one of them wins.

use bytes::Bytes;

use crate::model::{Finding, LeakAction, Severity};

use super::{Hit, Part};

/// A confirmed candidate.
#[derive(Debug, Clone)]
pub(in crate::scan) struct Found {
    /// The first protected byte.
    pub(in crate::scan) start: u64,
    /// After the last protected byte.
    pub(in crate::scan) end: u64,
    /// Where its anchor begins, which is public.
    pub(in crate::scan) anchor: u64,
    /// What stands in its place.
    pub(in crate::scan) mark: &'static str,
    /// What stands there instead of the mark, if the span stays what it is.
    pub(in crate::scan) instead: Option<Bytes>,
    /// Whether a more telling kind on the same bytes wins.
    pub(in crate::scan) is_generic: bool,
    /// Whether it was confirmed before its end, which may lie anywhere.
    pub(in crate::scan) is_long: bool,
    /// What is told of it. Its offset and length are of this candidate alone.
    pub(in crate::scan) finding: Finding,
}

impl Found {
    /// Only told, never acted upon: it holds nothing and overlaps whatever it likes.
    pub(super) fn is_flag(&self) -> bool {
        self.finding.action <= LeakAction::Flag
    }

    /// The strongest action, then the more telling kind, the graver, the longer. The length is the one that was
    /// confirmed: how far a swallowed secret was seen depends on the cutting.
    const fn rank(&self) -> (LeakAction, bool, Severity, u64) {
        let finding = &self.finding;
        (
            finding.action,
            !self.is_generic,
            finding.severity,
            finding.length,
        )
    }

    /// One span over both, under the name of the stronger: whatever either protects is protected, but for the
    /// public prefix of a telling kind to which a generic one, which knows none, begins.
    pub(super) fn merge(self, other: Self) -> Self {
        let start = self.start_with(&other);
        let end = self.end.max(other.end);
        let is_long = self.is_long || other.is_long;
        let winner = if other.rank() > self.rank() {
            other
        } else {
            self
        };
        let is_same = (winner.start, winner.end) == (start, end);
        Self {
            start,
            end,
            instead: winner.instead.clone().filter(|_| is_same),
            is_long,
            ..winner
        }
    }

    /// Where the span over both begins.
    fn start_with(&self, other: &Self) -> u64 {
        match (self.is_generic, other.is_generic) {
            (true, false) if other.anchor <= self.start => other.start,
            (false, true) if self.anchor <= other.start => self.start,
            _ => self.start.min(other.start),
        }
    }

    /// The hit for its whole span.
    pub(super) fn into_hit(self, part: Part) -> Hit {
        Hit {
            start: self.start,
            end: self.end,
            action: self.finding.action,
            mark: self.mark,
            instead: self.instead,
            is_long: self.is_long,
            part,
            finding: Some(self.finding),
        }
    }
}

/// The parts of a secret that is being swallowed.
impl Found {
    /// The first part, together with what overlaps it from before. The winner's action goes for the rest too.
    pub(super) fn begin(&mut self, overlapping: Option<Self>) -> Hit {
        let mut hit = self.rest(Part::Begin);
        hit.finding = Some(self.finding.clone());
        hit.instead.clone_from(&self.instead);
        if let Some(other) = overlapping {
            hit.instead = None;
            hit.start = self.start_with(&other);
            if other.rank() > self.rank() {
                self.mark = other.mark;
                self.finding = other.finding;
                hit.mark = self.mark;
                hit.action = self.finding.action;
                hit.finding = Some(self.finding.clone());
            }
        }
        hit
    }

    /// One more part, without a finding.
    pub(super) const fn rest(&self, part: Part) -> Hit {
        Hit {
            start: self.start,
            end: self.end,
            action: self.finding.action,
            mark: self.mark,
            instead: None,
            is_long: true,
            part,
            finding: None,
        }
    }
}

/// Delivers what nothing can overlap any more: all that ends before `floor`, the first byte that may yet
/// be protected by a candidate. What must wait stays in `found`, by start.
pub(super) fn settle(found: &mut Vec<Found>, floor: u64, hits: &mut Vec<Hit>) {
    if found.is_empty() {
        return;
    }
    // Stable, and the longer one first, so that equal ranks give the same winner for every cutting.
    found.sort_by_key(|found| (found.start, u64::MAX - found.end, found.finding.detector));
    // Two anchors of one kind may lead to the same value; it is one finding.
    found.dedup_by(|next, last| {
        (next.start, next.end, next.finding.detector)
            == (last.start, last.end, last.finding.detector)
    });
    let mut waiting = Vec::new();
    let mut cluster: Option<Found> = None;
    for next in found.drain(..) {
        if next.is_flag() {
            if next.start < floor {
                hits.push(next.into_hit(Part::Whole));
            } else {
                waiting.push(next);
            }
            continue;
        }
        cluster = match cluster.take() {
            Some(open) if next.start < open.end => Some(open.merge(next)),
            Some(done) => {
                deliver(done, floor, hits, &mut waiting);
                Some(next)
            }
            None => Some(next),
        };
    }
    if let Some(done) = cluster {
        deliver(done, floor, hits, &mut waiting);
    }
    *found = waiting;
}

fn deliver(done: Found, floor: u64, hits: &mut Vec<Hit>, waiting: &mut Vec<Found>) {
    if done.end <= floor {
        hits.push(done.into_hit(Part::Whole));
    } else {
        waiting.push(done);
    }
}

/// The first byte that a waiting hit will take away.
pub(super) fn first_waiting(found: &[Found]) -> Option<u64> {
    found
        .iter()
        .filter(|found| !found.is_flag())
        .map(|found| found.start)
        .min()
}
