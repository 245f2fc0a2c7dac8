//! The carrier of server-sent events (WHATWG HTML, section 9.2).
//!
//! An event is the unit of release: it leaves whole, in order, when every text in it is decided.
//! Comments are no exception, so that a stream without a finding leaves byte-identical; whoever writes the
//! stream keeps the connection alive with comments of its own.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::escape::{Escape, Unescaped};
use super::event::{Data, Event, Kind};
use super::fields::{Fields, Map};
use super::texts::{Piece, Texts};

/// A larger event is refused: it would have to be held whole.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// The key of data that is not JSON: one text over all events.
const PLAIN_DATA: u64 = 0x706c_6169_6e64_6174;

/// Reads events as they arrive.
#[derive(Debug, Default)]
pub(super) struct SseCarrier {
    lines: Lines,
    reader: Reader,
    texts: Texts,
    /// Where the events on the tape end.
    ends: VecDeque<u64>,
}

/// Takes one event apart, in buffers that are used again for the next.
#[derive(Debug, Default)]
struct Reader {
    fields: Fields,
    data: Vec<u8>,
    map: Map,
    event: Event,
    text: Unescaped,
    segments: Vec<Segment>,
    events: u64,
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
            self.take(desk, &event, released)?;
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
            self.take(desk, &rest, released)?;
        }
        self.texts.finish(desk)
    }

    /// The end of the last event before the first that must wait.
    pub(super) fn frontier(&mut self, desk: &Desk) -> u64 {
        let first = self.texts.wait_at(desk).unwrap_or_else(|| desk.tape.end());
        let mut frontier = desk.tape.begin();
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= first) {
            frontier = end;
            self.ends.pop_front();
        }
        frontier
    }

    /// Where the oldest event that waits ends.
    pub(super) fn first_end(&self, desk: &Desk) -> u64 {
        self.ends
            .front()
            .copied()
            .unwrap_or_else(|| desk.tape.end())
    }

    /// Whether the oldest event waits for little only.
    pub(super) fn waits_for_little(&self, desk: &Desk) -> bool {
        self.texts.wait_for_little(desk, self.first_end(desk))
    }

    pub(super) fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.texts.channels()
    }

    /// One whole event, with its blank line.
    fn take(
        &mut self,
        desk: &mut Desk,
        event: &Bytes,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        if event.len() > MAX_EVENT_BYTES {
            return Err(Blocked::EventTooLarge);
        }
        let raw = desk.tape.end();
        desk.tape.push(event.clone());
        self.ends.push_back(desk.tape.end());
        self.reader.read(desk, &mut self.texts, event, raw)?;
        let frontier = self.frontier(desk);
        desk.tape.release(frontier, released);
        Ok(())
    }
}

impl Reader {
    fn read(
        &mut self,
        desk: &mut Desk,
        texts: &mut Texts,
        event: &[u8],
        raw: u64,
    ) -> Result<(), Blocked> {
        self.events += 1;
        texts.begin_event();
        self.fields.read(event, self.events == 1);
        for (start, end) in &self.fields.others {
            let line = event.get(*start..*end).unwrap_or_default();
            let segment = Segment::plain(raw + *start as u64, line.len());
            texts.name(desk, line, &[segment])?;
        }
        if self.fields.data.is_empty() {
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.data);
        let data = self.fields.join(event, raw, &mut joined, &mut self.map);
        let outcome = self.data(desk, texts, data);
        self.data = joined;
        outcome
    }

    fn data(&mut self, desk: &mut Desk, texts: &mut Texts, data: &[u8]) -> Result<(), Blocked> {
        match self.event.read(data)? {
            Data::Json => self.leaves(desk, texts, data),
            Data::Number => {
                self.plain(desk, texts, data)?;
                if let [line] = self.segments.as_slice() {
                    let blanks = data.len() - data.trim_ascii_start().len();
                    let start = line.raw + blanks as u64;
                    desk.tape
                        .quote(start, start + data.trim_ascii().len() as u64);
                }
                Ok(())
            }
            Data::Text => self.plain(desk, texts, data),
        }
    }

    fn leaves(&mut self, desk: &mut Desk, texts: &mut Texts, data: &[u8]) -> Result<(), Blocked> {
        for leaf in &self.event.leaves {
            leaf.read(data, &mut self.text);
            self.map.segments(&self.text.segments, &mut self.segments);
            let text = leaf.text(data, &self.text);
            let piece = |whole, restarts| Piece {
                key: leaf.channel,
                text,
                segments: &self.segments,
                whole,
                restarts,
            };
            match leaf.kind {
                Kind::Name => texts.name(desk, text, &self.segments)?,
                Kind::Number => {
                    texts.name(desk, text, &self.segments)?;
                    if let Some(only) = self.segments.first() {
                        desk.tape.quote(only.raw, only.raw + text.len() as u64);
                    }
                }
                Kind::Piece { restarts, .. } => texts.piece(desk, piece(false, restarts))?,
                Kind::Whole => texts.piece(desk, piece(true, false))?,
            }
        }
        // Several parts of one event are one text, so it ends behind the last of them.
        for leaf in &self.event.leaves {
            if matches!(leaf.kind, Kind::Piece { ends: true, .. }) {
                texts.end(desk, leaf.channel)?;
            }
        }
        Ok(())
    }

    /// Data that is not JSON: as it stands, and with the escapes that a lenient reader may see.
    fn plain(&mut self, desk: &mut Desk, texts: &mut Texts, data: &[u8]) -> Result<(), Blocked> {
        if data.contains(&b'\\') {
            self.text.clear();
            self.text.read(&mut Escape::default(), data, 0, false);
            self.map.segments(&self.text.segments, &mut self.segments);
            texts.name(desk, &self.text.text, &self.segments)?;
        }
        self.map
            .segments(&[Segment::plain(0, data.len())], &mut self.segments);
        let piece = Piece {
            key: PLAIN_DATA,
            text: data,
            segments: &self.segments,
            whole: false,
            restarts: false,
        };
        texts.piece(desk, piece)
    }
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
