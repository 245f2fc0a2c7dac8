//! The carrier of server-sent events (WHATWG HTML, section 9.2).
//!
//! An event is the unit of release: it leaves whole, in order, when every text in it is decided.
//! Comments are no exception, so that a stream without a finding leaves byte-identical; whoever writes the
//! stream keeps the connection alive with comments of its own.

use std::collections::VecDeque;

use bytes::Bytes;
use memchr::memchr2;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::data::DataReader;
use super::fields::{Fields, Map};
use super::gather::Gathered;
use super::texts::Texts;

/// A larger event is refused: it would have to be held whole.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// The key of data that is not JSON: one text over all events.
const PLAIN_DATA: u64 = 0x706c_6169_6e64_6174;

/// What a finding's channel is called here.
const NAME: &str = "sse";

/// Reads events as they arrive.
#[derive(Debug)]
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
    reader: DataReader,
    events: u64,
}

impl SseCarrier {
    pub(super) fn new() -> Self {
        Self {
            lines: Lines::default(),
            reader: Reader::default(),
            texts: Texts::new(NAME),
            ends: VecDeque::new(),
        }
    }

    pub(super) fn feed(
        &mut self,
        desk: &mut Desk,
        input: Bytes,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        self.lines.gathered.push(input);
        while let Some(event) = self.lines.next_event() {
            self.take(desk, &event, released)?;
        }
        if self.lines.gathered.bytes().len() > MAX_EVENT_BYTES {
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
        let outcome = self.reader.read(desk, texts, PLAIN_DATA, data, &self.map);
        self.data = joined;
        outcome
    }
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
struct Lines {
    gathered: Gathered,
    /// Where the search goes on, and where the line there begins, from the event's beginning.
    at: usize,
    line: usize,
}

impl Lines {
    fn next_event(&mut self) -> Option<Bytes> {
        let bytes = self.gathered.bytes();
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
                return Some(self.gathered.cut(length));
            }
        }
    }

    /// What is left when the body ends.
    fn rest(&mut self) -> Option<Bytes> {
        (self.at, self.line) = (0, 0);
        self.gathered.rest()
    }
}
