//! The carrier of raw text: the body is one logical text.

use bytes::Bytes;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::tape::Tape;

/// What a finding's channel is called here.
const NAME: &str = "text";

/// Reads a body as it stands.
#[derive(Debug, Default)]
pub(super) struct TextCarrier {
    channel: Channel,
}

impl TextCarrier {
    pub(super) fn feed(&mut self, desk: &mut Desk, input: &Bytes) -> Result<(), Blocked> {
        let raw = desk.tape.end();
        desk.tape.push(input.clone());
        self.scan(desk, input, raw)
    }

    /// Bytes that lie on the tape already.
    pub(super) fn scan(&mut self, desk: &mut Desk, text: &[u8], raw: u64) -> Result<(), Blocked> {
        let segment = Segment::plain(raw, text.len());
        self.channel.feed(desk, NAME, text, &[segment])
    }

    /// The name of the text that begins.
    pub(super) fn begin_named(&mut self, desk: &mut Desk, name: &[u8]) -> Result<(), Blocked> {
        let raw = desk.tape.end();
        self.channel.begin_named(desk, NAME, name, raw)
    }

    pub(super) fn finish(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        self.channel.finish(desk, NAME)
    }

    /// The first raw byte that may not leave yet, if any.
    pub(super) fn waits_at(&self, tape: &Tape) -> Option<u64> {
        self.channel.waits_at(tape)
    }

    pub(super) fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        std::iter::once(&mut self.channel)
    }
}
