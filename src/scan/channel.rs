//! One logical text: its matcher, and where its undecided bytes lie on the tape.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Finding, LeakAction};

use super::Blocked;
use super::detectors::Detectors;
use super::matcher::{Hit, Matcher, Part};
use super::tape::Tape;

/// Shorter texts hold nothing that a detector knows: `a@b.co` is the shortest.
const MIN_SECRET_BYTES: usize = 6;

/// Findings that are remembered so that two readings of the same bytes count once.
const RECENT: usize = 32;

/// What all channels of a body share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) detectors: Arc<Detectors>,
    pub(super) tape: Tape,
    findings: Vec<Placed>,
    recent: VecDeque<(&'static str, u64)>,
    hits: Vec<Hit>,
}

/// A finding, and where it stands in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What was found.
    pub finding: Finding,
    /// From the first raw byte that is protected to the last that was seen of it; what it says is spelled by them,
    /// escapes and all. `None` where nobody remembers.
    pub span: Option<Range<u64>>,
}

/// What a desk had reported at a time.
#[derive(Debug, Clone)]
pub(super) struct Reported {
    findings: usize,
    recent: VecDeque<(&'static str, u64)>,
}

/// A run of decoded text and the raw bytes that it came from. Equal lengths map byte by byte; unequal
/// ones, such as an escape, belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Decoded bytes.
    pub(super) length: u32,
    /// Offset of the raw bytes on the tape.
    pub(super) raw: u64,
    pub(super) raw_length: u32,
}

/// The state of one logical text.
#[derive(Debug, Default, Clone)]
pub(super) struct Channel {
    matcher: Matcher,
    /// Where the bytes from `mapped` on lie.
    segments: VecDeque<Segment>,
    /// Offset in the text of the first segment.
    mapped: u64,
    /// Undecided bytes before this offset were let go at the bound of the hold-back.
    let_go: u64,
    /// Where on the tape the text begins as others read it, whose offsets findings here are to have: of two
    /// readings of the same bytes the cutting says which finds a thing first.
    origin: Option<u64>,
}

impl Desk {
    pub(super) fn new(detectors: Arc<Detectors>) -> Self {
        Self {
            detectors,
            tape: Tape::default(),
            findings: Vec::new(),
            recent: VecDeque::new(),
            hits: Vec::new(),
        }
    }

    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        let placed = self.take_placed().into_iter();
        placed.map(|placed| placed.finding).collect()
    }

    pub(super) fn take_placed(&mut self) -> Vec<Placed> {
        std::mem::take(&mut self.findings)
    }

    /// What was reported so far, to come back to.
    pub(super) fn reported(&self) -> Reported {
        Reported {
            findings: self.findings.len(),
            recent: self.recent.clone(),
        }
    }

    /// Forgets what was reported since.
    pub(super) fn take_back(&mut self, reported: &Reported) {
        self.findings.truncate(reported.findings);
        self.recent.clone_from(&reported.recent);
    }

    /// Reports a finding, unless another reading of the same bytes has.
    fn report(&mut self, mut finding: Finding, span: Option<Range<u64>>, channel: &str) {
        if let Some(span) = &span {
            let seen = (finding.detector, span.start);
            if self.recent.contains(&seen) {
                return;
            }
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(seen);
        }
        finding.channel = Arc::from(channel);
        self.findings.push(Placed { finding, span });
    }
}

impl Channel {
    /// The next piece of the text. `segments` map all of `text`, in order.
    pub(super) fn feed(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: impl IntoIterator<Item = Segment>,
    ) -> Result<(), Blocked> {
        self.segments.extend(segments);
        let mut hits = std::mem::take(&mut desk.hits);
        self.matcher.feed(&desk.detectors, text, &mut hits);
        let outcome = self.apply(desk, name, &mut hits);
        desk.hits = hits;
        self.forget();
        outcome
    }

    /// The text ends here; the next piece begins a new one.
    pub(super) fn finish(&mut self, desk: &mut Desk, name: &str) -> Result<(), Blocked> {
        let mut hits = std::mem::take(&mut desk.hits);
        self.matcher.finish(&desk.detectors, &mut hits);
        let outcome = self.apply(desk, name, &mut hits);
        desk.hits = hits;
        self.begin_anew();
        outcome
    }

    /// A text that is there as a whole. Nothing of another one may be under way. Tells whether it is
    /// clean.
    pub(super) fn read(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<bool, Blocked> {
        if text.len() < MIN_SECRET_BYTES || desk.detectors.are_absent(text) {
            return Ok(true);
        }
        let mut hits = std::mem::take(&mut desk.hits);
        self.matcher.read(&desk.detectors, text, &mut hits);
        if hits.is_empty() {
            desk.hits = hits;
            return Ok(true);
        }
        self.segments.extend(segments);
        let outcome = self.apply(desk, name, &mut hits);
        desk.hits = hits;
        self.begin_anew();
        outcome.map(|()| false)
    }

    /// Another reading of the text so far, for what comes at `raw`, where both readings were the same up to
    /// there, byte by byte.
    pub(super) fn fork(&self, raw: u64) -> Self {
        Self {
            origin: raw.checked_sub(self.matcher.position()),
            ..self.clone()
        }
    }

    fn begin_anew(&mut self) {
        self.segments.clear();
        (self.mapped, self.let_go) = (0, 0);
    }

    /// Where on the tape the first undecided byte lies, if any waits. Bytes that leave as a mark in any
    /// case need not wait for more.
    pub(super) fn waits_at(&self, tape: &Tape) -> Option<u64> {
        let decided = self.decided();
        if !self.is_waiting() {
            return None;
        }
        let mut at = self.mapped;
        self.segments.iter().find_map(|segment| {
            let (from, to) = (at, at + u64::from(segment.length));
            at = to;
            let (start, end) = segment.raw_range(decided.max(from) - from, to - from);
            tape.first_unedited(start, end).filter(|_| to > decided)
        })
    }

    /// Whether nothing was fed since the text began.
    pub(super) const fn is_new(&self) -> bool {
        self.matcher.position() == 0
    }

    /// Whether anything waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.decided() < self.matcher.position()
    }

    /// Whether something that waits has shown what names it, rather than being a word that could yet
    /// turn out to stand before an `@`.
    pub(super) fn is_anchored(&self, desk: &Desk) -> bool {
        self.is_waiting() && self.matcher.is_anchored(&desk.detectors)
    }

    /// Lets what waits go, undecided: the bound of the hold-back was reached. A candidate that has shown
    /// what it is does not go silently.
    pub(super) fn let_go(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        let mut hits = std::mem::take(&mut desk.hits);
        self.matcher.give_up(&desk.detectors, &mut hits);
        let outcome = self.apply(desk, "held", &mut hits);
        desk.hits = hits;
        self.let_go = self.matcher.position();
        self.forget();
        outcome
    }

    /// The detectors for whose sake something waits.
    pub(super) fn waits_for<'a>(
        &'a self,
        desk: &'a Desk,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let waiting = self
            .is_waiting()
            .then(|| self.matcher.holders(&desk.detectors));
        waiting.into_iter().flatten()
    }

    fn decided(&self) -> u64 {
        self.matcher
            .decided()
            .max(self.let_go)
            .min(self.matcher.position())
    }

    /// Drops the map of what nobody will ask about.
    fn forget(&mut self) {
        let needed = self.decided().min(self.matcher.remembers_from());
        while let Some(first) = self.segments.front().copied() {
            if self.mapped + u64::from(first.length) > needed {
                return;
            }
            self.mapped += u64::from(first.length);
            self.segments.pop_front();
        }
    }

    fn apply(&self, desk: &mut Desk, name: &str, hits: &mut Vec<Hit>) -> Result<(), Blocked> {
        let mut outcome = Ok(());
        for hit in hits.drain(..) {
            if outcome.is_ok() {
                outcome = self.apply_one(desk, name, hit);
            }
        }
        outcome
    }

    fn apply_one(&self, desk: &mut Desk, name: &str, hit: Hit) -> Result<(), Blocked> {
        let Hit {
            start,
            end,
            action,
            mark,
            part,
            finding,
        } = hit;
        let raw_start = self.raw(start);
        let detector = finding.as_ref().map(|finding| finding.detector);
        if let Some(mut finding) = finding {
            if let (Some(origin), Some(raw)) = (self.origin, raw_start) {
                finding.offset = raw.saturating_sub(origin);
            }
            let span = raw_start.map(|raw| {
                let last = self.raw_ranges(start, end).pop();
                raw..last.map_or(raw, |(_, end)| end.max(raw))
            });
            desk.report(finding, span, name);
        }
        match action {
            LeakAction::Allow | LeakAction::Flag => Ok(()),
            LeakAction::Block => Err(Blocked::Finding {
                detector: detector.unwrap_or("a long secret"),
                at: raw_start.unwrap_or_else(|| desk.tape.end()),
            }),
            LeakAction::Redact => {
                let mut mark = matches!(part, Part::Begin | Part::Whole)
                    .then(|| Bytes::from_static(mark.as_bytes()));
                for (raw_start, raw_end) in self.raw_ranges(start, end) {
                    // What was let go has left without a mark: the mark stands for the rest.
                    if start < self.let_go && raw_end <= desk.tape.begin() {
                        continue;
                    }
                    desk.tape
                        .edit(raw_start, raw_end, mark.take().unwrap_or_default());
                }
                Ok(())
            }
        }
    }

    /// Where the byte at `offset` of the text lies.
    fn raw(&self, offset: u64) -> Option<u64> {
        let mut at = self.mapped;
        self.segments.iter().find_map(|segment| {
            let from = at;
            at += u64::from(segment.length);
            (from <= offset && offset < at).then(|| segment.raw_range(offset - from, 1).0)
        })
    }

    /// The raw ranges of `start..end` of the text, in order. Neighbours are joined, so that a mark stands
    /// for the whole of a secret and not for its pieces between two escapes.
    fn raw_ranges(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut at = self.mapped;
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for segment in &self.segments {
            let (from, to) = (at, at + u64::from(segment.length));
            at = to;
            if to <= start {
                continue;
            }
            if from >= end {
                break;
            }
            let range = segment.raw_range(start.saturating_sub(from), end.min(to) - from);
            match ranges.last_mut() {
                Some(last) if last.1 == range.0 => last.1 = range.1,
                _ => ranges.push(range),
            }
        }
        ranges
    }
}

impl Segment {
    /// Raw bytes that decode to themselves.
    pub(super) fn plain(raw: u64, length: usize) -> Self {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        Self {
            length,
            raw,
            raw_length: length,
        }
    }

    /// Raw bytes of one length that decode to a text of another, such as an escape.
    pub(super) fn of(length: usize, raw: u64, raw_length: u64) -> Self {
        Self {
            length: u32::try_from(length).unwrap_or(u32::MAX),
            raw,
            raw_length: u32::try_from(raw_length).unwrap_or(u32::MAX),
        }
    }

    /// The raw range of `from..to` of the segment's decoded bytes.
    fn raw_range(&self, from: u64, to: u64) -> (u64, u64) {
        if self.length == self.raw_length {
            (self.raw + from, self.raw + to)
        } else {
            (self.raw, self.raw + u64::from(self.raw_length))
        }
    }
}
