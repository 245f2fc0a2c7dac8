//! One logical text: its matcher, and where its undecided bytes lie on the tape.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Finding, LeakAction};

use super::Blocked;
use super::detectors::Detectors;
use super::escape::Unescaped;
use super::lax::{self, Lax, Stretches};
use super::matcher::{Hit, Matcher, Part};
use super::tape::Tape;

/// A longer name tells nothing that its first bytes would not.
const MAX_NAME_BYTES: usize = 128;

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
    /// Hits so far, told of or not.
    met: u64,
    lenient: Unescaped,
    named: Vec<u8>,
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
    /// So many bytes at the beginning are a name, which stands elsewhere.
    name_length: u64,
    /// It is a second reading of a text, and has none itself.
    is_second: bool,
    /// The text as a lenient reader has it, while that is another one.
    lenient: Option<Box<Lenient>>,
}

/// A second reading of a text.
#[derive(Debug, Clone)]
struct Lenient {
    channel: Channel,
    lax: Lax,
    /// Bytes since both readings were last told apart.
    alike: u64,
}

/// Behind so many bytes that both readings have alike, nothing that they had before matters to what is found.
const ALIKE: u64 = 256;

/// What both readings are given at a time.
const STRETCH: usize = 256;

impl Desk {
    pub(super) fn new(detectors: Arc<Detectors>) -> Self {
        Self {
            detectors,
            tape: Tape::default(),
            findings: Vec::new(),
            recent: VecDeque::new(),
            hits: Vec::new(),
            met: 0,
            lenient: Unescaped::default(),
            named: Vec::new(),
        }
    }

    /// Whether a name may tell what its value is.
    pub(super) fn is_telling(&self, name: &[u8]) -> bool {
        name.len() <= MAX_NAME_BYTES && self.detectors.are_told_by(name)
    }

    /// Whether a glance shows that a text which stands whole holds nothing, however it is read.
    pub(super) fn passes(&self, text: &[u8]) -> bool {
        text.len() < self.detectors.least_bytes()
            || (self.detectors.are_absent(text) && lax::first(text).is_none())
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

    /// Reports a finding, unless another reading of the same bytes has. Of two in one piece the one stays that ends
    /// first, as it would have come first in smaller pieces.
    fn report(&mut self, mut finding: Finding, span: Option<Range<u64>>, channel: &str) {
        finding.channel = Arc::from(channel);
        if let Some(span) = &span {
            let seen = (finding.detector, span.start);
            if self.recent.contains(&seen) {
                let is_same = |it: &&mut Placed| {
                    let start = it.span.as_ref().map(|span| span.start);
                    (it.finding.detector, start) == (seen.0, Some(seen.1))
                };
                let before = self.findings.iter_mut().rev().find(is_same);
                let end = |it: &Placed| it.span.as_ref().map(|span| span.end);
                if let Some(before) = before.filter(|it| end(it) > Some(span.end)) {
                    (before.finding, before.span) = (finding, Some(span.clone()));
                }
                return;
            }
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(seen);
        }
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
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        if self.lenient.is_none() && (self.is_second || lax::first(text).is_none()) {
            return self.feed_own(desk, name, text, segments);
        }
        let (mut rest, mut map) = (text, Stretches::new(segments));
        let mut here = Vec::new();
        while !rest.is_empty() {
            let length = match &self.lenient {
                None => lax::first(rest).unwrap_or(rest.len()),
                Some(_) => rest.len().min(STRETCH),
            };
            here.clear();
            map.take(length, &mut here);
            let (piece, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = behind;
            if self.lenient.is_some() {
                self.feed_both(desk, name, piece, &here)?;
                self.lenient.take_if(|lenient| lenient.is_over());
            } else {
                self.feed_own(desk, name, piece, &here)?;
            }
            if self.lenient.is_none() && lax::first(rest) == Some(0) {
                let raw = map.place().unwrap_or_else(|| desk.tape.end());
                self.lenient = Some(Box::new(self.fork(raw)));
            }
        }
        Ok(())
    }

    fn feed_own(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        if text.is_empty() {
            return Ok(());
        }
        self.map(segments);
        let mut hits = std::mem::take(&mut desk.hits);
        self.matcher.feed(&desk.detectors, text, &mut hits);
        let outcome = self.apply(desk, name, &mut hits);
        desk.hits = hits;
        self.forget();
        outcome
    }

    /// Notes where the next bytes of the text lie. Pieces that follow each other become one.
    fn map(&mut self, segments: &[Segment]) {
        let mut rest = segments;
        if let (Some(last), Some((next, behind))) =
            (self.segments.back_mut(), segments.split_first())
            && let Some(joined) = last.joined(*next)
        {
            *last = joined;
            rest = behind;
        }
        self.segments.extend(rest);
    }

    /// Which of the readings was asked first must not say what is found: where one of them blocks, both are asked
    /// again byte by byte.
    fn feed_both(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        if !desk.detectors.may_block() {
            return self.feed_both_once(desk, name, text, segments);
        }
        let (before, reported) = (self.clone(), desk.reported());
        let outcome = self.feed_both_once(desk, name, text, segments);
        if outcome.is_ok() {
            return outcome;
        }
        desk.take_back(&reported);
        *self = before;
        let (mut map, mut here) = (Stretches::new(segments), Vec::new());
        for byte in text.chunks(1) {
            here.clear();
            map.take(1, &mut here);
            self.feed_both_once(desk, name, byte, &here)?;
        }
        outcome
    }

    fn feed_both_once(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        self.feed_own(desk, name, text, segments)?;
        self.lenient
            .as_mut()
            .map_or(Ok(()), |lenient| lenient.feed(desk, name, text, segments))
    }

    /// The text ends here; the next piece begins a new one.
    pub(super) fn finish(&mut self, desk: &mut Desk, name: &str) -> Result<(), Blocked> {
        let mut hits = std::mem::take(&mut desk.hits);
        self.matcher.finish(&desk.detectors, &mut hits);
        let outcome = self.apply(desk, name, &mut hits);
        desk.hits = hits;
        self.begin_anew();
        let lenient = self.lenient.take();
        outcome?;
        lenient.map_or(Ok(()), |lenient| lenient.finish(desk, name))
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
        if text.len() < desk.detectors.least_bytes() {
            return Ok(true);
        }
        if lax::first(text).is_some() {
            let met = desk.met;
            self.feed(desk, name, text, segments)?;
            self.finish(desk, name)?;
            return Ok(desk.met == met);
        }
        if desk.detectors.are_absent(text) {
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

    /// The name of the text that begins, as `name="` before it: what a value is, its name often tells alone.
    pub(super) fn begin_named(
        &mut self,
        desk: &mut Desk,
        channel: &str,
        name: &[u8],
        raw: u64,
    ) -> Result<(), Blocked> {
        let mut text = std::mem::take(&mut desk.named);
        text.clear();
        text.extend_from_slice(name);
        text.extend_from_slice(b"=\"");
        self.name_length = text.len() as u64;
        let segment = Segment::of(text.len(), raw, 0);
        let outcome = self.feed_own(desk, channel, &text, &[segment]);
        desk.named = text;
        outcome
    }

    /// As [`Channel::read`], for a text with a name that tells something.
    pub(super) fn read_named(
        &mut self,
        desk: &mut Desk,
        channel: &str,
        name: &[u8],
        text: &[u8],
        segments: &[Segment],
    ) -> Result<bool, Blocked> {
        let Some(first) = segments.first() else {
            return Ok(true);
        };
        let met = desk.met;
        self.begin_named(desk, channel, name, first.raw)?;
        self.feed(desk, channel, text, segments)?;
        self.finish(desk, channel)?;
        Ok(desk.met == met)
    }

    /// A second reading of the text so far, for what comes at `raw`.
    fn fork(&self, raw: u64) -> Lenient {
        let position = self.matcher.position().saturating_sub(self.name_length);
        Lenient {
            channel: Self {
                origin: raw.checked_sub(position),
                is_second: true,
                lenient: None,
                ..self.clone()
            },
            lax: Lax::default(),
            alike: 0,
        }
    }

    fn begin_anew(&mut self) {
        self.segments.clear();
        (self.mapped, self.let_go, self.name_length) = (0, 0, 0);
    }

    /// Where on the tape the first undecided byte lies, if any waits. Bytes that leave as a mark in any
    /// case need not wait for more.
    pub(super) fn waits_at(&self, tape: &Tape) -> Option<u64> {
        let lenient = self
            .lenient
            .as_ref()
            .and_then(|lenient| lenient.waits_at(tape));
        let own = self.own_waits_at(tape);
        own.into_iter().chain(lenient).min()
    }

    fn own_waits_at(&self, tape: &Tape) -> Option<u64> {
        let decided = self.decided();
        if decided >= self.matcher.position() {
            return None;
        }
        let mut at = self.mapped;
        self.segments.iter().find_map(|segment| {
            let (from, to) = (at, at + u64::from(segment.length));
            at = to;
            if to <= decided {
                return None;
            }
            let (start, end) = segment.raw_range(decided.max(from) - from, to - from);
            tape.first_unedited(start, end)
        })
    }

    /// Whether nothing was fed since the text began.
    pub(super) const fn is_new(&self) -> bool {
        self.matcher.position() == 0
    }

    /// Whether anything waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.decided() < self.matcher.position()
            || self.lenient.as_ref().is_some_and(|it| it.is_waiting())
    }

    /// Whether something that waits has shown what names it, rather than being a word that could yet
    /// turn out to stand before an `@`.
    pub(super) fn is_anchored(&self, desk: &Desk) -> bool {
        let is_anchored = |it: &Self| {
            it.decided() < it.matcher.position() && it.matcher.is_anchored(&desk.detectors)
        };
        is_anchored(self)
            || self
                .lenient
                .as_ref()
                .is_some_and(|it| is_anchored(&it.channel))
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
        outcome?;
        // What it had open goes as well, and means itself.
        let Some(mut lenient) = self.lenient.take() else {
            return Ok(());
        };
        let mut read = std::mem::take(&mut desk.lenient);
        read.clear();
        lenient.lax.finish(&mut read);
        let fed = lenient
            .channel
            .feed(desk, "held", &read.text, &read.segments);
        desk.lenient = read;
        fed?;
        lenient.channel.let_go(desk)?;
        self.lenient = Some(lenient);
        Ok(())
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
        desk.met += hits.len() as u64;
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
            instead,
            part,
            finding,
            is_long: _,
        } = hit;
        let raw_start = self.raw(start);
        let detector = finding.as_ref().map(|finding| finding.detector);
        if let Some(mut finding) = finding {
            finding.offset = match (self.origin, raw_start) {
                (Some(origin), Some(raw)) => raw.saturating_sub(origin),
                _ => finding.offset.saturating_sub(self.name_length),
            };
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
                let mark = || Bytes::from_static(mark.as_bytes());
                let mut mark =
                    instead.or_else(|| matches!(part, Part::Begin | Part::Whole).then(mark));
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

impl Lenient {
    fn feed(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        let mut read = std::mem::take(&mut desk.lenient);
        read.clear();
        if self.lax.read(text, segments, &mut read) {
            self.alike = 0;
        } else {
            self.alike += text.len() as u64;
        }
        let outcome = self
            .channel
            .feed_own(desk, name, &read.text, &read.segments);
        desk.lenient = read;
        outcome
    }

    fn finish(mut self, desk: &mut Desk, name: &str) -> Result<(), Blocked> {
        let mut read = std::mem::take(&mut desk.lenient);
        read.clear();
        self.lax.finish(&mut read);
        let outcome = self
            .channel
            .feed_own(desk, name, &read.text, &read.segments);
        desk.lenient = read;
        outcome?;
        self.channel.finish(desk, name)
    }

    /// Whether it finds nothing any more that the text itself does not show.
    fn is_over(&self) -> bool {
        self.alike > ALIKE && self.channel.matcher.is_idle()
    }

    fn waits_at(&self, tape: &Tape) -> Option<u64> {
        let own = self.channel.own_waits_at(tape);
        own.into_iter().chain(self.lax.waits_at()).min()
    }

    fn is_waiting(&self) -> bool {
        self.channel.is_waiting() || self.lax.waits_at().is_some()
    }
}

impl Segment {
    /// The segment of a part of the decoded bytes.
    pub(super) fn part(self, from: u32, length: u32) -> Self {
        if self.length == self.raw_length {
            Self {
                length,
                raw: self.raw + u64::from(from),
                raw_length: length,
            }
        } else {
            Self { length, ..self }
        }
    }

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

    /// Both as one, if raw bytes that decode to themselves go on in the other.
    fn joined(self, next: Self) -> Option<Self> {
        let is_plain = self.length == self.raw_length && next.length == next.raw_length;
        let length = self.length.checked_add(next.length)?;
        (is_plain && self.raw + u64::from(self.length) == next.raw).then_some(Self {
            length,
            raw: self.raw,
            raw_length: length,
        })
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
