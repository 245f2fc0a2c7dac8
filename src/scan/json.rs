//! The carrier of JSON: strings, keys and numbers of one document or of many in a row.
//!
//! The document is not built: a lexer of our own walks the bytes once, decodes escapes where there are
//! any, and keeps no more than its place. Bytes that are not JSON are read as raw text from there on;
//! nothing passes unread.

use std::ops::Range;

use bytes::Bytes;
use memchr::memchr2;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::escape::{Escape, Step};
use super::text::TextCarrier;

/// What a finding's channel is called here.
const NAME: &str = "json";

/// Deeper documents are refused: no client of an agent reads them, and each level costs memory.
const MAX_DEPTH: usize = 1024;

/// Longer runs of number characters are no number that a client reads.
const MAX_NUMBER_BYTES: usize = 128;

/// Keys are compared with the few that matter; a longer one is none of them.
const MAX_KEY_BYTES: usize = 8;

/// Reads JSON as it arrives.
#[derive(Debug, Default)]
pub(super) struct JsonCarrier {
    state: State,
    /// The open containers, outermost first.
    open: Vec<Container>,
    /// The string, key or number that is being read.
    channel: Channel,
    /// Text after the point where the body stopped being JSON.
    rest: Option<TextCarrier>,
    begun: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    Number(Number),
    String(Text),
}

/// A number, as far as it was read. It is judged whole: its mark needs quotes.
#[derive(Debug)]
struct Number {
    raw: u64,
    text: Vec<u8>,
}

/// A string that is being read.
#[derive(Debug)]
struct Text {
    is_key: bool,
    /// The string is a piece of the text that the enclosing array of parts makes up.
    is_part: bool,
    escape: Escape,
    key: Key,
}

/// The beginning of a key.
#[derive(Debug, Default)]
struct Key {
    bytes: [u8; MAX_KEY_BYTES],
    length: usize,
}

#[derive(Debug)]
enum Container {
    /// `joined` continues the text of the parts before, once there is one.
    Array {
        of_parts: bool,
        joined: Option<Box<Channel>>,
    },
    Object {
        expects_key: bool,
        key: Role,
    },
}

/// What a key says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Other,
    /// `parts`, `content`: an array whose texts are read one behind the other (A2A, MCP, model APIs).
    Parts,
    /// `text`: the text of a part.
    Text,
}

impl JsonCarrier {
    pub(super) fn feed(&mut self, desk: &mut Desk, input: &Bytes) -> Result<(), Blocked> {
        let raw = desk.tape.end();
        desk.tape.push(input.clone());
        let mut at = 0;
        if !self.begun && !input.is_empty() {
            self.begun = true;
            // A byte order mark is not JSON, and readers skip it all the same.
            at = if input.starts_with(b"\xef\xbb\xbf") {
                3
            } else {
                0
            };
        }
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            let raw = raw + at as u64;
            if let Some(text) = &mut self.rest {
                return text.scan(desk, rest, raw);
            }
            at += match &mut self.state {
                State::Between => self.between(desk, rest, raw)?,
                State::Number(_) => self.number(desk, rest)?,
                State::String(_) => self.string(desk, rest, raw)?,
            };
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        match std::mem::take(&mut self.state) {
            State::Between => {}
            State::Number(number) => self.end_number(desk, &number)?,
            State::String(_) => self.channel.finish(desk, NAME)?,
        }
        while let Some(container) = self.open.pop() {
            close(desk, container)?;
        }
        self.rest.as_mut().map_or(Ok(()), |text| text.finish(desk))
    }

    /// The first raw byte that may not leave yet.
    pub(super) fn frontier(&self, desk: &Desk) -> u64 {
        let joined = self.open.iter().filter_map(|container| match container {
            Container::Array { joined, .. } => joined.as_ref().and_then(|joined| joined.waits_at()),
            Container::Object { .. } => None,
        });
        let number = match &self.state {
            State::Number(number) => Some(number.raw),
            State::Between | State::String(_) => None,
        };
        // The bytes of an unfinished escape belong together with what they decode to.
        let escape = match &self.state {
            State::String(text) => text.escape.begins_at(),
            State::Between | State::Number(_) => None,
        };
        let rest = self.rest.as_ref().map(|text| text.frontier(desk));
        let own = [self.channel.waits_at(), number, escape, rest];
        joined
            .chain(own.into_iter().flatten())
            .min()
            .unwrap_or_else(|| desk.tape.end())
    }

    pub(super) fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        let joined = self
            .open
            .iter_mut()
            .filter_map(|container| match container {
                Container::Array { joined, .. } => joined.as_deref_mut(),
                Container::Object { .. } => None,
            });
        joined
            .chain([&mut self.channel])
            .chain(self.rest.iter_mut().flat_map(TextCarrier::channels))
    }

    /// Structure: one byte, or the blanks before it. Returns how many bytes were read.
    fn between(&mut self, desk: &mut Desk, rest: &[u8], raw: u64) -> Result<usize, Blocked> {
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .count();
        let Some(byte) = rest.get(blanks) else {
            return Ok(blanks);
        };
        match byte {
            b'{' => self.open(Container::Object {
                expects_key: true,
                key: Role::Other,
            })?,
            b'[' => {
                let of_parts = self.role() == Role::Parts;
                self.open(Container::Array {
                    of_parts,
                    joined: None,
                })?;
            }
            b'}' | b']' => {
                if let Some(container) = self.open.pop() {
                    close(desk, container)?;
                }
            }
            b',' => {
                if let Some(Container::Object { expects_key, .. }) = self.open.last_mut() {
                    *expects_key = true;
                }
            }
            b':' => {
                if let Some(Container::Object { expects_key, .. }) = self.open.last_mut() {
                    *expects_key = false;
                }
            }
            b'"' => {
                let is_key = matches!(
                    self.open.last(),
                    Some(Container::Object {
                        expects_key: true,
                        ..
                    })
                );
                let is_part = !is_key && self.is_part();
                let escape = Escape::default();
                self.state = State::String(Text {
                    is_key,
                    is_part,
                    escape,
                    key: Key::default(),
                });
            }
            b'-' | b'0'..=b'9' => {
                self.state = State::Number(Number {
                    raw: raw + blanks as u64,
                    text: Vec::new(),
                });
                return Ok(blanks);
            }
            // The letters of `true`, `false` and `null`. Words made of them that are not JSON carry nothing
            // that a detector knows, and they cannot begin a text: at the top they are read as one.
            b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n'
                if !self.open.is_empty() => {}
            _ => {
                self.rest = Some(TextCarrier::default());
                return Ok(blanks);
            }
        }
        Ok(blanks + 1)
    }

    fn open(&mut self, container: Container) -> Result<(), Blocked> {
        if self.open.len() == MAX_DEPTH {
            return Err(Blocked::TooDeep);
        }
        self.open.push(container);
        Ok(())
    }

    /// What the key before this value says of it.
    fn role(&self) -> Role {
        match self.open.last() {
            Some(Container::Object { key, .. }) => *key,
            Some(Container::Array { .. }) | None => Role::Other,
        }
    }

    /// Whether a string here is the text of one of several parts: `parts: [{ text: "…" }, …]`.
    fn is_part(&self) -> bool {
        let above = self
            .open
            .len()
            .checked_sub(2)
            .and_then(|index| self.open.get(index));
        self.role() == Role::Text && matches!(above, Some(Container::Array { of_parts: true, .. }))
    }

    fn number(&mut self, desk: &mut Desk, rest: &[u8]) -> Result<usize, Blocked> {
        let State::Number(number) = &mut self.state else {
            return Ok(0);
        };
        let more = rest
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let more_fits = more.min(MAX_NUMBER_BYTES - number.text.len());
        number.text.extend(rest.iter().take(more_fits));
        if more_fits < more || (number.text.len() == MAX_NUMBER_BYTES && more > 0) {
            // Not a number: it is text, and what was read of it is read again as text.
            let State::Number(number) = std::mem::take(&mut self.state) else {
                return Ok(0);
            };
            let mut text = TextCarrier::default();
            let judged = text.scan(desk, &number.text, number.raw);
            self.rest = Some(text);
            return judged.map(|()| more_fits);
        }
        if more < rest.len() {
            let State::Number(number) = std::mem::take(&mut self.state) else {
                return Ok(0);
            };
            self.end_number(desk, &number)?;
        }
        Ok(more)
    }

    fn end_number(&mut self, desk: &mut Desk, number: &Number) -> Result<(), Blocked> {
        self.channel.feed(
            desk,
            NAME,
            &number.text,
            [Segment::plain(number.raw, number.text.len())],
        )?;
        self.channel.finish(desk, NAME)?;
        let end = number.raw + number.text.len() as u64;
        desk.tape.quote(number.raw, end);
        Ok(())
    }

    /// A piece of a string: up to its end, the next escape, or the end of the input.
    fn string(&mut self, desk: &mut Desk, rest: &[u8], raw: u64) -> Result<usize, Blocked> {
        let State::String(text) = &mut self.state else {
            return Ok(0);
        };
        if text.escape.is_open() {
            return self.escaped(desk, rest, raw);
        }
        let plain = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        if plain > 0 {
            self.text(
                desk,
                rest.get(..plain).unwrap_or_default(),
                Segment::plain(raw, plain),
            )?;
        }
        match rest.get(plain) {
            Some(b'"') => self.end_string(desk).map(|()| plain + 1),
            Some(_) => {
                let State::String(text) = &mut self.state else {
                    return Ok(plain);
                };
                text.escape.open(raw + plain as u64);
                Ok(plain + 1)
            }
            None => Ok(plain),
        }
    }

    fn escaped(&mut self, desk: &mut Desk, rest: &[u8], raw: u64) -> Result<usize, Blocked> {
        let State::String(text) = &mut self.state else {
            return Ok(0);
        };
        let Some(byte) = rest.first() else {
            return Ok(0);
        };
        match text.escape.step(*byte) {
            Step::More => Ok(1),
            Step::Decoded {
                text: decoded,
                consumed,
            } => {
                let end = raw + u64::from(consumed);
                let begin = text.escape.close();
                let length = u32::try_from(decoded.len()).unwrap_or_default();
                let raw_length = u32::try_from(end - begin).unwrap_or_default();
                self.text(
                    desk,
                    decoded.as_bytes(),
                    Segment {
                        length,
                        raw: begin,
                        raw_length,
                    },
                )?;
                Ok(usize::from(consumed))
            }
        }
    }

    /// Decoded text of the string.
    fn text(&mut self, desk: &mut Desk, decoded: &[u8], segment: Segment) -> Result<(), Blocked> {
        let State::String(text) = &mut self.state else {
            return Ok(());
        };
        if text.is_key {
            text.key.extend(decoded);
        }
        if text.is_part
            && let Some(joined) = joined(&mut self.open)
        {
            joined.feed(desk, NAME, decoded, [segment])?;
        }
        self.channel.feed(desk, NAME, decoded, [segment])
    }

    fn end_string(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        let State::String(text) = std::mem::take(&mut self.state) else {
            return Ok(());
        };
        if text.is_part
            && let Some(Container::Array { joined, .. }) = parts(&mut self.open)
            && joined.is_none()
        {
            // The text of the parts goes on where this one ends; a part alone costs no second reading.
            *joined = Some(Box::new(self.channel.clone()));
        }
        if text.is_key
            && let Some(Container::Object { expects_key, key }) = self.open.last_mut()
        {
            (*expects_key, *key) = (false, text.key.role());
        }
        self.channel.finish(desk, NAME)
    }
}

/// The array of parts around the object that is open.
fn parts(open: &mut [Container]) -> Option<&mut Container> {
    let above: Range<usize> = 0..open.len().saturating_sub(1);
    open.get_mut(above)?.last_mut()
}

fn joined(open: &mut [Container]) -> Option<&mut Channel> {
    match parts(open) {
        Some(Container::Array { joined, .. }) => joined.as_deref_mut(),
        Some(Container::Object { .. }) | None => None,
    }
}

fn close(desk: &mut Desk, container: Container) -> Result<(), Blocked> {
    match container {
        Container::Array {
            joined: Some(mut joined),
            ..
        } => joined.finish(desk, NAME),
        Container::Array { joined: None, .. } | Container::Object { .. } => Ok(()),
    }
}

impl Key {
    fn extend(&mut self, more: &[u8]) {
        for byte in more {
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = *byte;
            }
            self.length += 1;
        }
    }

    fn role(&self) -> Role {
        match self.bytes.get(..self.length) {
            Some(b"parts" | b"content") => Role::Parts,
            Some(b"text") => Role::Text,
            _ => Role::Other,
        }
    }
}
