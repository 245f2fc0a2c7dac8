//! The carrier of server-sent events (WHATWG HTML, section 9.2).
//!
//! An event is the unit of release: it leaves whole, in order, when every text in it is decided.
//! Comments pass at once, also while an event waits. The texts of events are read twice: each by
//! itself, and as the next piece of the text that its place in the stream belongs to.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use hashbrown::HashMap;
use memchr::memchr2;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::event::{Event, Kind};

/// A larger event is refused: it would have to be held whole.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// Texts that may be open at the same time.
const MAX_CHANNELS: usize = 1024;

/// Shorter strings hold nothing that a detector knows: `a@b.co` is the shortest.
const MIN_SECRET_BYTES: usize = 6;

/// The key of data that is not JSON: one text over all events.
const PLAIN_DATA: u64 = 0x706c_6169_6e64_6174;

/// Reads events as they arrive.
#[derive(Debug, Default)]
pub(super) struct SseCarrier {
    lines: Lines,
    /// Texts by themselves: keys, names, whole values, fields, comments.
    own: Channel,
    texts: HashMap<u64, Open, foldhash::fast::FixedState>,
    /// Keys of texts of which something waits.
    waiting: Vec<u64>,
    /// Where the events on the tape end.
    ends: VecDeque<u64>,
    event: Event,
    scratch: Scratch,
    events: u64,
}

/// A text that goes on over events.
#[derive(Debug, Default)]
struct Open {
    channel: Channel,
    whole: bool,
    last_used: u64,
}

/// Buffers that are used again for each text.
#[derive(Debug, Default)]
struct Scratch {
    data: Vec<u8>,
    decoded: Vec<u8>,
    runs: Vec<(usize, usize, usize)>,
    segments: Vec<Segment>,
}

impl SseCarrier {
    pub(super) fn feed(
        &mut self,
        desk: &mut Desk,
        input: Bytes,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        self.lines.push(input);
        while let Some(event) = self.lines.next_event() {
            self.take(desk, event, released)?;
        }
        if self.lines.pending() > MAX_EVENT_BYTES {
            Err(Blocked::EventTooLarge)
        } else {
            Ok(())
        }
    }

    /// The body ends: clients discard an event without its blank line, but it left the agent, so it is
    /// judged like any other.
    pub(super) fn finish(
        &mut self,
        desk: &mut Desk,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        if let Some(rest) = self.lines.rest() {
            self.take(desk, rest, released)?;
        }
        for (_, mut open) in self.texts.drain() {
            open.channel.finish(desk, "sse")?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// The end of the last event before the first that must wait.
    pub(super) fn frontier(&mut self, desk: &Desk) -> u64 {
        let texts = &self.texts;
        let waits = self
            .waiting
            .iter()
            .filter_map(|key| texts.get(key))
            .filter_map(|open| waits(open, desk));
        let first = waits.min().unwrap_or_else(|| desk.tape.end());
        let mut frontier = desk.tape.end() - desk.tape.len();
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= first) {
            frontier = end;
            self.ends.pop_front();
        }
        frontier
    }

    pub(super) fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.texts.values_mut().map(|open| &mut open.channel)
    }

    /// Whether all that waits is a word at the end of a text that stands whole: it may be followed by
    /// nothing for a long time, so it waits for a short one.
    pub(super) fn waits_for_little(&self, desk: &Desk) -> bool {
        let open = self.waiting.iter().filter_map(|key| self.texts.get(key));
        open.filter(|open| waits(open, desk).is_some())
            .all(|open| open.whole && !open.channel.is_anchored())
    }

    /// One whole event, with its blank line.
    fn take(
        &mut self,
        desk: &mut Desk,
        event: Bytes,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        self.events += 1;
        let raw = desk.tape.end();
        let fields = Fields::of(&event, self.events == 1);
        if fields.data.is_empty() && self.is_clean_comment(desk, &event, &fields)? {
            released.push_back(event);
            return Ok(());
        }
        desk.tape.push(event.clone());
        self.ends.push_back(desk.tape.end());
        for (start, end) in &fields.others {
            let text = event.get(*start..*end).unwrap_or_default();
            self.by_itself(
                desk,
                "sse field",
                text,
                [Segment::plain(raw + *start as u64, text.len())],
            )?;
        }
        self.data(desk, &event, &fields, raw)?;
        self.waiting.retain(|key| {
            self.texts
                .get(key)
                .is_some_and(|open| open.channel.waiting() > 0)
        });
        let frontier = self.frontier(desk);
        desk.tape.release(frontier, released);
        Ok(())
    }

    /// A block without data that holds nothing may overtake what waits: it is no event.
    fn is_clean_comment(
        &mut self,
        desk: &mut Desk,
        event: &[u8],
        fields: &Fields,
    ) -> Result<bool, Blocked> {
        if fields
            .others
            .iter()
            .any(|(start, _)| event.get(*start) != Some(&b':'))
        {
            return Ok(false);
        }
        let texts = fields
            .others
            .iter()
            .filter_map(|(start, end)| event.get(*start..*end));
        Ok(texts
            .into_iter()
            .all(|text| super::scan_text(&desk.detectors, text).is_empty()))
    }

    fn data(
        &mut self,
        desk: &mut Desk,
        event: &[u8],
        fields: &Fields,
        raw: u64,
    ) -> Result<(), Blocked> {
        let mut joined = std::mem::take(&mut self.scratch.data);
        let (data, lines) = fields.data(event, &mut joined);
        let mut leaves = std::mem::take(&mut self.event);
        let outcome = if leaves.read(data) {
            self.leaves(desk, data, &leaves, &lines, raw)
        } else {
            self.plain(desk, data, &lines, raw)
        };
        self.event = leaves;
        self.scratch.data = joined;
        outcome
    }

    fn leaves(
        &mut self,
        desk: &mut Desk,
        data: &[u8],
        event: &Event,
        lines: &Map,
        raw: u64,
    ) -> Result<(), Blocked> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut outcome = Ok(());
        let mut restarted = None;
        for leaf in &event.leaves {
            let text = if leaf.has_escapes {
                leaf.decode(data, &mut scratch.decoded, &mut scratch.runs);
                scratch.decoded.as_slice()
            } else {
                scratch.runs.clear();
                scratch
                    .runs
                    .push((leaf.end - leaf.start, leaf.start, leaf.end - leaf.start));
                data.get(leaf.start..leaf.end).unwrap_or_default()
            };
            lines.segments(&scratch.runs, raw, &mut scratch.segments);
            outcome = match leaf.kind {
                Kind::Name => {
                    self.by_itself(desk, "sse name", text, scratch.segments.iter().copied())
                }
                Kind::Number => self.number(desk, text, &scratch.segments),
                Kind::Piece { restarts, ends } => {
                    // Several parts in one event restart their text once.
                    let restarts =
                        restarts && restarted.replace(leaf.channel) != Some(leaf.channel);
                    self.text(desk, leaf.channel, false, restarts, text, &scratch.segments)
                        .and_then(|()| {
                            if ends {
                                self.end(desk, leaf.channel)
                            } else {
                                Ok(())
                            }
                        })
                }
                Kind::Whole => self.text(desk, leaf.channel, true, false, text, &scratch.segments),
            };
            if outcome.is_err() {
                break;
            }
        }
        self.scratch = scratch;
        outcome
    }

    /// Data that is not JSON.
    fn plain(
        &mut self,
        desk: &mut Desk,
        data: &[u8],
        lines: &Map,
        raw: u64,
    ) -> Result<(), Blocked> {
        if data.is_empty() {
            return Ok(());
        }
        let mut segments = Vec::new();
        lines.segments(&[(data.len(), 0, data.len())], raw, &mut segments);
        self.text(desk, PLAIN_DATA, false, false, data, &segments)
    }

    /// A text by itself, and as a piece of the text that goes on under `key`.
    fn text(
        &mut self,
        desk: &mut Desk,
        key: u64,
        whole: bool,
        restarts: bool,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        if text.is_empty() {
            return Ok(());
        }
        self.by_itself(desk, "sse text", text, segments.iter().copied())?;
        self.make_room(desk, key)?;
        let events = self.events;
        let open = self.texts.entry(key).or_default();
        (open.whole, open.last_used) = (whole, events);
        if restarts {
            open.channel.finish(desk, "sse text")?;
        }
        open.channel
            .feed(desk, "sse text", text, segments.iter().copied())?;
        if open.channel.waiting() > 0 && !self.waiting.contains(&key) {
            self.waiting.push(key);
        }
        Ok(())
    }

    fn end(&mut self, desk: &mut Desk, key: u64) -> Result<(), Blocked> {
        match self.texts.remove(&key) {
            Some(mut open) => open.channel.finish(desk, "sse text"),
            None => Ok(()),
        }
    }

    /// Forgets the text that was used longest ago and of which nothing waits.
    fn make_room(&mut self, desk: &mut Desk, key: u64) -> Result<(), Blocked> {
        if self.texts.len() < MAX_CHANNELS || self.texts.contains_key(&key) {
            return Ok(());
        }
        let idle = self
            .texts
            .iter()
            .filter(|(_, open)| open.channel.waiting() == 0);
        let oldest = idle
            .min_by_key(|(_, open)| open.last_used)
            .map(|(key, _)| *key);
        oldest.map_or(Err(Blocked::TooManyTexts), |oldest| self.end(desk, oldest))
    }

    fn by_itself(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: impl IntoIterator<Item = Segment>,
    ) -> Result<(), Blocked> {
        if text.len() < MIN_SECRET_BYTES {
            return Ok(());
        }
        self.own.feed(desk, name, text, segments)?;
        self.own.finish(desk, name)
    }

    fn number(
        &mut self,
        desk: &mut Desk,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        self.by_itself(desk, "sse number", text, segments.iter().copied())?;
        if let Some(segment) = segments.first() {
            desk.tape
                .quote(segment.raw, segment.raw + text.len() as u64);
        }
        Ok(())
    }
}

/// Where a text waits. Bytes that leave as a mark anyway need not wait for more.
fn waits(open: &Open, desk: &Desk) -> Option<u64> {
    open.channel
        .waits_at()
        .filter(|raw| !desk.tape.is_edited(*raw))
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
struct Lines {
    buffer: Bytes,
    /// The beginning of an event that came in more than one piece.
    begun: BytesMut,
    /// Where the search goes on, and where the line there begins, from the event's beginning.
    at: usize,
    line: usize,
}

impl Lines {
    fn push(&mut self, input: Bytes) {
        if self.begun.is_empty() && self.buffer.is_empty() {
            self.buffer = input;
        } else {
            self.begun.extend_from_slice(&self.buffer);
            self.begun.extend_from_slice(&input);
            self.buffer = Bytes::new();
        }
    }

    fn pending(&self) -> usize {
        self.begun.len() + self.buffer.len()
    }

    fn next_event(&mut self) -> Option<Bytes> {
        let bytes = if self.begun.is_empty() {
            &self.buffer[..]
        } else {
            &self.begun[..]
        };
        loop {
            let Some(found) = bytes
                .get(self.at..)
                .and_then(|rest| memchr2(b'\n', b'\r', rest))
            else {
                self.at = bytes.len();
                return None;
            };
            let end = self.at + found;
            let width = match (bytes.get(end), bytes.get(end + 1)) {
                (Some(b'\r'), Some(b'\n')) => 2,
                // Its line feed may be in the next piece.
                (Some(b'\r'), None) => {
                    self.at = end;
                    return None;
                }
                _ => 1,
            };
            let is_blank = end == self.line;
            (self.at, self.line) = (end + width, end + width);
            if is_blank {
                let length = std::mem::take(&mut self.at);
                self.line = 0;
                return Some(self.cut(length));
            }
        }
    }

    fn cut(&mut self, length: usize) -> Bytes {
        if self.begun.is_empty() {
            return self.buffer.split_to(length);
        }
        self.begun.split_to(length).freeze()
    }

    /// What is left when the body ends.
    fn rest(&mut self) -> Option<Bytes> {
        (self.at, self.line) = (0, 0);
        let rest = if self.begun.is_empty() {
            std::mem::take(&mut self.buffer)
        } else {
            std::mem::take(&mut self.begun).freeze()
        };
        (!rest.is_empty()).then_some(rest)
    }
}

/// The lines of an event, as ranges in it.
#[derive(Debug, Default)]
struct Fields {
    /// Values of `data`.
    data: Vec<(usize, usize)>,
    /// Everything else that is not blank: whole lines.
    others: Vec<(usize, usize)>,
}

impl Fields {
    fn of(event: &[u8], is_first: bool) -> Self {
        let mut fields = Self::default();
        let mut at = if is_first && event.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        while let Some(rest) = event.get(at..).filter(|rest| !rest.is_empty()) {
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            if let Some(value) = line.strip_prefix(b"data") {
                match value {
                    [b':', b' ', ..] => fields.data.push((at + 6, at + length)),
                    [b':', ..] => fields.data.push((at + 5, at + length)),
                    [] => fields.data.push((at + length, at + length)),
                    _ => fields.others.push((at, at + length)),
                }
            } else if !line.is_empty() {
                fields.others.push((at, at + length));
            }
            at += length;
            at += match event.get(at..) {
                Some([b'\r', b'\n', ..]) => 2,
                _ => 1,
            };
        }
        fields
    }

    /// The event's data, lines joined by LF, with the map back to the event.
    fn data<'a>(&self, event: &'a [u8], joined: &'a mut Vec<u8>) -> (&'a [u8], Map) {
        if let [(start, end)] = self.data.as_slice() {
            return (
                event.get(*start..*end).unwrap_or_default(),
                Map(vec![(0, *start)]),
            );
        }
        joined.clear();
        let mut map = Vec::with_capacity(self.data.len());
        for (start, end) in &self.data {
            if !map.is_empty() {
                joined.push(b'\n');
            }
            map.push((joined.len(), *start));
            joined.extend_from_slice(event.get(*start..*end).unwrap_or_default());
        }
        (joined, Map(map))
    }
}

/// Where the lines of data lie: (offset in the data, offset in the event).
#[derive(Debug)]
struct Map(Vec<(usize, usize)>);

impl Map {
    /// The segments of runs (decoded length, offset in the data, length there) of a text.
    fn segments(&self, runs: &[(usize, usize, usize)], raw: u64, segments: &mut Vec<Segment>) {
        segments.clear();
        for (decoded, start, length) in runs.iter().copied() {
            if decoded != length {
                // An escape holds no line break, so both its ends are in one line.
                let raw = raw + self.place(start).0 as u64;
                let (length, raw_length) = (narrow(decoded), narrow(length));
                segments.push(Segment {
                    length,
                    raw,
                    raw_length,
                });
                continue;
            }
            self.plain(start, length, raw, segments);
        }
    }

    /// A run that decodes to itself, cut at the line breaks of the data.
    fn plain(&self, mut start: usize, mut length: usize, raw: u64, segments: &mut Vec<Segment>) {
        while length > 0 {
            let (place, next) = self.place(start);
            let here = next.map_or(length, |(begin, _)| {
                length.min(begin.saturating_sub(start + 1))
            });
            if here > 0 {
                segments.push(Segment::plain(raw + place as u64, here));
            }
            let Some((begin, next_place)) = next.filter(|_| here < length) else {
                return;
            };
            // The joint: one LF in the data, the line's end and `data:` on the wire.
            let joint = next_place - (place + here);
            segments.push(Segment {
                length: 1,
                raw: raw + (place + here) as u64,
                raw_length: narrow(joint),
            });
            length -= here + 1;
            start = begin;
        }
    }

    /// Where `offset` of the data lies in the event, and the line after it.
    fn place(&self, offset: usize) -> (usize, Option<(usize, usize)>) {
        let after = self.0.partition_point(|(begin, _)| *begin <= offset);
        let (begin, place) = after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .copied()
            .unwrap_or_default();
        (place + (offset - begin), self.0.get(after).copied())
    }
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
