//! The carrier of raw text: the body is one logical text.

use bytes::Bytes;

use super::Blocked;
use super::channel::{Channel, Desk, Reported, Segment};
use super::escape::{Escape, Unescaped, plain};
use super::tape::Tape;

/// What a finding's channel is called here.
const NAME: &str = "text";

/// Reads a body as it stands.
#[derive(Debug, Default)]
pub(super) struct TextCarrier {
    channel: Channel,
    /// Set for what was to be JSON: a lenient reader may still see its escapes.
    reads_escapes: bool,
    /// The same text with its escapes decoded, from the first one on.
    view: Option<Box<View>>,
}

#[derive(Debug)]
struct View {
    channel: Channel,
    escape: Escape,
    unescaped: Unescaped,
}

impl TextCarrier {
    /// For text that was to be JSON and is not.
    pub(super) fn with_escapes() -> Self {
        Self {
            reads_escapes: true,
            ..Self::default()
        }
    }

    pub(super) fn feed(&mut self, desk: &mut Desk, input: &Bytes) -> Result<(), Blocked> {
        let raw = desk.tape.end();
        desk.tape.push(input.clone());
        self.scan(desk, input, raw)
    }

    /// Bytes that lie on the tape already.
    pub(super) fn scan(&mut self, desk: &mut Desk, text: &[u8], raw: u64) -> Result<(), Blocked> {
        let mut before = 0;
        if self.reads_escapes && self.view.is_none() {
            before = plain(text, false);
            let (head, tail) = text.split_at_checked(before).unwrap_or((text, &[]));
            self.plain(desk, head, raw)?;
            if tail.is_empty() {
                return Ok(());
            }
            // Up to here both readings are the same.
            self.view = Some(Box::new(View {
                channel: self.channel.fork(raw + before as u64),
                escape: Escape::default(),
                unescaped: Unescaped::default(),
            }));
        }
        let text = text.get(before..).unwrap_or_default();
        let raw = raw + before as u64;
        let Some(view) = &mut self.view else {
            return self.plain(desk, text, raw);
        };
        if !desk.detectors.may_block() {
            return both(&mut self.channel, view, desk, text, raw);
        }
        let beginning = Beginning {
            own: self.channel.clone(),
            view: view.again(),
            reported: desk.reported(),
        };
        both(&mut self.channel, view, desk, text, raw)
            .map_err(|blocked| beginning.first_block(desk, text, raw).unwrap_or(blocked))
    }

    fn plain(&mut self, desk: &mut Desk, text: &[u8], raw: u64) -> Result<(), Blocked> {
        if text.is_empty() {
            return Ok(());
        }
        self.channel
            .feed(desk, NAME, text, [Segment::plain(raw, text.len())])
    }

    pub(super) fn finish(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        self.channel.finish(desk, NAME)?;
        self.view
            .take()
            .map_or(Ok(()), |mut view| view.channel.finish(desk, NAME))
    }

    /// The first raw byte that may not leave yet, if any.
    pub(super) fn waits_at(&self, tape: &Tape) -> Option<u64> {
        let view = self.view.as_ref();
        let escape = view.and_then(|view| view.escape.begins_at());
        let unescaped = view.and_then(|view| view.channel.waits_at(tape));
        let own = self.channel.waits_at(tape);
        own.into_iter().chain(escape).chain(unescaped).min()
    }

    pub(super) fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        let view = self.view.iter_mut().map(|view| &mut view.channel);
        std::iter::once(&mut self.channel).chain(view)
    }
}

/// The two readings of a stretch, one after the other.
fn both(
    own: &mut Channel,
    view: &mut View,
    desk: &mut Desk,
    text: &[u8],
    raw: u64,
) -> Result<(), Blocked> {
    own.feed(desk, NAME, text, [Segment::plain(raw, text.len())])?;
    view.scan(desk, text, raw)
}

/// The two readings before a stretch in which one of them meets a block.
struct Beginning {
    own: Channel,
    view: View,
    reported: Reported,
}

impl Beginning {
    /// What blocks first, byte by byte: which of two readings of a stretch was asked first says how the body was
    /// cut, and must not say what is found.
    fn first_block(mut self, desk: &mut Desk, text: &[u8], mut raw: u64) -> Option<Blocked> {
        desk.take_back(&self.reported);
        for stretch in text.chunks(STRETCH) {
            let Self {
                own,
                view,
                reported,
            } = &mut self;
            let (mut own_before, mut view_before) = (own.clone(), view.again());
            if both(own, view, desk, stretch, raw).is_err() {
                desk.take_back(reported);
                return stretch.chunks(1).zip(raw..).find_map(|(byte, at)| {
                    both(&mut own_before, &mut view_before, desk, byte, at).err()
                });
            }
            *reported = desk.reported();
            raw += stretch.len() as u64;
        }
        None
    }
}

/// What is read at once on the way to the byte that blocks: once for a body, and not for each of its bytes.
const STRETCH: usize = 512;

impl View {
    /// Another one, to go on from the same place.
    fn again(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            escape: self.escape.clone(),
            unescaped: Unescaped::default(),
        }
    }

    fn scan(&mut self, desk: &mut Desk, text: &[u8], raw: u64) -> Result<(), Blocked> {
        self.unescaped.clear();
        self.unescaped.read(&mut self.escape, text, raw, false);
        let Unescaped { text, segments } = &self.unescaped;
        self.channel
            .feed(desk, NAME, text, segments.iter().copied())
    }
}
