//! The carrier of gRPC messages (gRPC over HTTP/2, "Responses").
//!
//! A message is the unit of release: it leaves whole, in order, when every text in it is decided, so that the lengths
//! before what was redacted in it can be made right. What belongs to one text over several messages is read as one,
//! as in a stream of events.

mod frames;
mod lengths;
mod message;
mod schema;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::data::DataReader;
use super::fields::Map;
use super::texts::{Said, Texts};

use self::frames::{Frames, PREFIX_BYTES};
use self::message::Reader;
pub use self::schema::Reply;

/// The key of what is JSON only by its name: one text over all messages.
const PLAIN_DATA: u64 = 0x706c_6169_6e67_7270;

/// What a finding's channel is called here.
const NAME: &str = "grpc";

/// Reads messages as they arrive.
#[derive(Debug)]
pub(super) struct GrpcCarrier {
    reply: Reply,
    frames: Frames,
    reader: Reader,
    json: DataReader,
    map: Map,
    texts: Texts,
    /// The messages on the tape.
    waiting: VecDeque<Waiting>,
}

/// A message that has not left.
#[derive(Debug)]
struct Waiting {
    /// Where it ends on the tape.
    end: u64,
    /// With its prefix.
    bytes: Bytes,
}

impl GrpcCarrier {
    pub(super) fn new(reply: Reply) -> Self {
        Self {
            reply,
            frames: Frames::default(),
            reader: Reader::default(),
            json: DataReader::default(),
            map: Map::default(),
            texts: Texts::new(NAME),
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn feed(
        &mut self,
        desk: &mut Desk,
        input: Bytes,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        self.frames.push(input);
        while let Some(frame) = self.frames.next()? {
            self.take(desk, frame, released)?;
        }
        Ok(())
    }

    /// The body ends. What is there of a message that is cut off is none to any client, but it left the agent: it is
    /// judged as it stands.
    pub(super) fn finish(
        &mut self,
        desk: &mut Desk,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        if let Some(rest) = self.frames.rest() {
            self.take(desk, rest, released)?;
        }
        self.texts.finish(desk)
    }

    /// The end of the last message before the first that must wait. The lengths in all before it are made right.
    pub(super) fn frontier(&mut self, desk: &mut Desk) -> u64 {
        let first = self.texts.wait_at(desk).unwrap_or_else(|| desk.tape.end());
        let mut frontier = desk.tape.begin();
        while let Some(message) = self.waiting.pop_front_if(|message| message.end <= first) {
            if desk.tape.is_edited_before(message.end) {
                let begin = message.end - message.bytes.len() as u64;
                let lengths = self.reader.lengths(&message.bytes, self.reply);
                lengths::mend(&mut desk.tape, begin, lengths);
            }
            frontier = message.end;
        }
        frontier
    }

    /// Where the oldest message that waits ends.
    pub(super) fn first_end(&self, desk: &Desk) -> u64 {
        let first = self.waiting.front().map(|message| message.end);
        first.unwrap_or_else(|| desk.tape.end())
    }

    /// Whether the oldest message waits for little only.
    pub(super) fn waits_for_little(&self, desk: &Desk) -> bool {
        self.texts.wait_for_little(desk, self.first_end(desk))
    }

    pub(super) fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.texts.channels()
    }

    /// One whole message, with its prefix.
    fn take(
        &mut self,
        desk: &mut Desk,
        bytes: Bytes,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        let raw = desk.tape.end();
        desk.tape.push(bytes.clone());
        let end = desk.tape.end();
        self.texts.begin_event();
        self.read(desk, &bytes, raw)?;
        self.waiting.push_back(Waiting { end, bytes });
        let frontier = self.frontier(desk);
        desk.tape.release(frontier, released);
        Ok(())
    }

    fn read(&mut self, desk: &mut Desk, bytes: &[u8], raw: u64) -> Result<(), Blocked> {
        let Self { texts, .. } = self;
        if self.reply == Reply::Json {
            let data = bytes.get(PREFIX_BYTES..).unwrap_or_default();
            self.map.begin(raw + PREFIX_BYTES as u64);
            return self.json.read(desk, texts, PLAIN_DATA, data, &self.map);
        }
        self.reader.read(bytes, self.reply);
        for leaf in self.reader.leaves() {
            let text = bytes.get(leaf.start..leaf.end).unwrap_or_default();
            let segments = [Segment::plain(raw + leaf.start as u64, text.len())];
            let said = Said {
                kind: leaf.kind,
                key: leaf.channel,
                name: bytes.get(leaf.name.0..leaf.name.1).unwrap_or_default(),
                text,
                segments: &segments,
            };
            texts.said(desk, &said, false)?;
        }
        let leaves = self.reader.leaves().iter();
        texts.end_said(desk, leaves.map(|leaf| (leaf.kind, leaf.channel)))
    }
}
