//! The carrier of JSON: strings, keys and numbers of one document or of many in a row.
//!
//! The document is not built: a lexer of our own walks the bytes once, decodes escapes where there are
//! any, and keeps no more than its place. Bytes that are not JSON are read as raw text from there on,
//! and with their escapes decoded besides; nothing passes unread.

use std::ops::Range;

use bytes::Bytes;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::escape::{Escape, Unescaped, plain};
use super::text::TextCarrier;

/// What a finding's channel is called here.
const NAME: &str = "json";

/// Deeper documents are refused: no client of an agent reads them, and each level costs memory.
pub(super) const MAX_DEPTH: usize = 1024;

/// A longer bare word is no number that a client reads, and no other word of JSON either.
const MAX_WORD_BYTES: usize = 128;

/// Readers skip a byte order mark, though it is not JSON.
const BYTE_ORDER_MARK: &[u8; 3] = b"\xef\xbb\xbf";

/// Of longer keys only so much is kept, so that it is known to be longer.
const MAX_SAID_BYTES: usize = 129;

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
    unescaped: Unescaped,
    /// The key of the value that comes, where it tells something.
    name: Vec<u8>,
    /// The text of a member that is the name of another member's value (`{ "name": …, "value": … }`).
    label: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    String(Text),
    Word(Word),
}

/// A number, `true`, `false` or `null`, with the blanks behind it. It is judged whole: only what ends it
/// tells whether it is one, and the mark of a number needs quotes.
#[derive(Debug)]
struct Word {
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
    /// It is a key or a label, and this is what it says so far.
    tells: bool,
    said: Vec<u8>,
}

#[derive(Debug)]
enum Container {
    Array { of_parts: bool, joined: Joined },
    Object { expects_key: bool, key: Role },
}

/// The text of the parts so far, which the next part goes on.
#[derive(Debug, Default)]
enum Joined {
    #[default]
    Nothing,
    /// One part, which holds nothing that is looked for. Most arrays have no other, and a part alone costs no
    /// second reading.
    Clean(Box<Part>),
    Running(Box<Channel>),
}

#[derive(Debug)]
struct Part {
    text: Vec<u8>,
    segments: Vec<Segment>,
}

/// What a key says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Other,
    /// `name`, `key`: names the value of another member, or a parameter.
    Label,
    /// `value`: what a label names.
    Labelled,
    /// `parts`, `content`: an array whose texts are read one behind the other (A2A, MCP, model APIs).
    Parts,
    /// `text`: the text of a part.
    Text,
}

/// What a bare word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// `true`, `false`, `null`.
    Literal,
    /// Nothing that JSON knows.
    Neither,
    Number,
    /// More bytes will tell.
    Open,
}

impl JsonCarrier {
    pub(super) fn feed(&mut self, desk: &mut Desk, input: &Bytes) -> Result<(), Blocked> {
        let raw = desk.tape.end();
        desk.tape.push(input.clone());
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            let raw = raw + at as u64;
            if let Some(text) = &mut self.rest {
                return text.scan(desk, rest, raw);
            }
            at += match &mut self.state {
                State::Between => self.between(desk, rest, raw)?,
                State::String(_) => self.string(desk, rest, raw)?,
                State::Word(_) => self.word(desk, rest)?,
            };
        }
        // What the last word of a part may become is not known before the next one comes.
        self.open.iter_mut().try_for_each(|container| {
            if let Container::Array { joined, .. } = container {
                joined.channel(desk)?;
            }
            Ok(())
        })
    }

    pub(super) fn finish(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        match std::mem::take(&mut self.state) {
            State::Between => {}
            State::String(_) => self.channel.finish(desk, NAME)?,
            State::Word(word) => self.end_word(desk, &word, Bare::of(&word.text, true))?,
        }
        while let Some(container) = self.open.pop() {
            close(desk, container)?;
        }
        self.rest.as_mut().map_or(Ok(()), |text| text.finish(desk))
    }

    /// The first raw byte that may not leave yet.
    pub(super) fn frontier(&self, desk: &Desk) -> u64 {
        let joined = self.open.iter().filter_map(|container| match container {
            Container::Array {
                joined: Joined::Running(joined),
                ..
            } => joined.waits_at(&desk.tape),
            Container::Array { .. } | Container::Object { .. } => None,
        });
        let unfinished = match &self.state {
            State::Between => None,
            // The bytes of an unfinished escape belong together with what they decode to.
            State::String(text) => text.escape.begins_at(),
            State::Word(word) => Some(word.raw),
        };
        let rest = self
            .rest
            .as_ref()
            .and_then(|text| text.waits_at(&desk.tape));
        let own = [self.channel.waits_at(&desk.tape), unfinished, rest];
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
                Container::Array {
                    joined: Joined::Running(joined),
                    ..
                } => Some(&mut **joined),
                Container::Array { .. } | Container::Object { .. } => None,
            });
        joined
            .chain([&mut self.channel])
            .chain(self.rest.iter_mut().flat_map(TextCarrier::channels))
    }

    /// Structure, up to the next string or word. Returns how many bytes were read.
    fn between(&mut self, desk: &mut Desk, rest: &[u8], raw: u64) -> Result<usize, Blocked> {
        let mut at = 0;
        while let Some((byte, behind)) = rest.get(at..).and_then(<[u8]>::split_first) {
            let here = raw + at as u64;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'{' => {
                    self.name.clear();
                    self.label.clear();
                    self.open(Container::Object {
                        expects_key: true,
                        key: Role::Other,
                    })?;
                }
                b'[' => {
                    let of_parts = self.role() == Role::Parts;
                    let joined = Joined::Nothing;
                    self.open(Container::Array { of_parts, joined })?;
                }
                b'}' | b']' => {
                    if *byte == b'}' {
                        self.name.clear();
                        self.label.clear();
                    }
                    if let Some(container) = self.open.pop() {
                        close(desk, container)?;
                    }
                }
                b',' | b':' => {
                    if let Some(Container::Object { expects_key, .. }) = self.open.last_mut() {
                        *expects_key = *byte == b',';
                    }
                }
                b'"' => {
                    let text = self.begin_string();
                    let Some(read) = self.plain_string(desk, &text, behind, here + 1)? else {
                        self.state = State::String(text);
                        return Ok(at + 1);
                    };
                    at += read;
                }
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                    let word = rest.get(at..).unwrap_or_default();
                    let Some(read) = self.plain_word(desk, word, here)? else {
                        let text = Vec::new();
                        self.state = State::Word(Word { raw: here, text });
                        return Ok(at);
                    };
                    at += read;
                    continue;
                }
                mark if is_byte_order_mark(here, *mark) => {}
                _ => {
                    self.rest = Some(TextCarrier::default());
                    return Ok(at);
                }
            }
            at += 1;
        }
        Ok(rest.len())
    }

    /// A string behind its quote, if it stands here whole and means what stands here: nearly every one does, and
    /// then nothing has to be kept of it. Returns how many bytes were read, the quote at its end included.
    fn plain_string(
        &mut self,
        desk: &mut Desk,
        text: &Text,
        rest: &[u8],
        raw: u64,
    ) -> Result<Option<usize>, Blocked> {
        if text.is_part || !self.channel.is_new() {
            return Ok(None);
        }
        let length = plain(rest, true);
        if rest.get(length) != Some(&b'"') {
            return Ok(None);
        }
        let decoded = rest.get(..length).unwrap_or_default();
        let segment = Segment::plain(raw, length);
        if text.is_key || self.name.is_empty() {
            self.channel.read(desk, NAME, decoded, &[segment])?;
        } else {
            self.channel
                .read_named(desk, NAME, &self.name, decoded, &[segment])?;
        }
        self.said(desk, text.is_key, decoded);
        Ok(Some(length + 1))
    }

    /// Notes what a key or a value says of what comes behind it.
    fn said(&mut self, desk: &Desk, is_key: bool, text: &[u8]) {
        if !is_key {
            if self.role() == Role::Label {
                self.label.clear();
                if desk.is_telling(text) {
                    self.label.extend_from_slice(text);
                }
            }
            return;
        }
        let role = Role::of(text);
        if let Some(Container::Object { expects_key, key }) = self.open.last_mut() {
            (*expects_key, *key) = (false, role);
        }
        self.name.clear();
        if role == Role::Labelled {
            self.name.extend_from_slice(&self.label);
        } else if desk.is_telling(text) {
            self.name.extend_from_slice(text);
        }
    }

    /// A bare word, if it stands here whole and is one that JSON knows. Returns how many bytes were read.
    fn plain_word(
        &mut self,
        desk: &mut Desk,
        rest: &[u8],
        raw: u64,
    ) -> Result<Option<usize>, Blocked> {
        let mut near = rest.iter().take(MAX_WORD_BYTES);
        let Some(length) = near.position(|byte| ends_word(*byte)) else {
            return Ok(None);
        };
        let word = rest.get(..length).unwrap_or_default();
        match Bare::of(word, true) {
            Bare::Literal => {}
            Bare::Number => self.number(desk, word, raw)?,
            Bare::Neither | Bare::Open => return Ok(None),
        }
        Ok(Some(length))
    }

    fn begin_string(&self) -> Text {
        let is_key = matches!(
            self.open.last(),
            Some(Container::Object {
                expects_key: true,
                ..
            })
        );
        Text {
            is_key,
            is_part: !is_key && self.is_part(),
            escape: Escape::default(),
            tells: is_key || self.role() == Role::Label,
            said: Vec::new(),
        }
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

    /// A bare word, up to what ends it.
    fn word(&mut self, desk: &mut Desk, rest: &[u8]) -> Result<usize, Blocked> {
        let State::Word(mut word) = std::mem::take(&mut self.state) else {
            return Ok(0);
        };
        let room = rest.len().min(MAX_WORD_BYTES - word.text.len());
        let more = rest.iter().take(room).take_while(|byte| !ends_word(**byte));
        let before = word.text.len();
        word.text.extend(more);
        let read = word.text.len() - before;
        let is_over = rest.get(read).is_some_and(|byte| ends_word(*byte));
        match Bare::of(&word.text, is_over) {
            Bare::Open if word.text.len() < MAX_WORD_BYTES => self.state = State::Word(word),
            bare => self.end_word(desk, &word, bare)?,
        }
        Ok(read)
    }

    fn end_word(&mut self, desk: &mut Desk, word: &Word, bare: Bare) -> Result<(), Blocked> {
        match bare {
            Bare::Literal => Ok(()),
            Bare::Number => self.number(desk, &word.text, word.raw),
            // Not JSON: what was read of it is read again as text.
            Bare::Neither | Bare::Open => {
                let text = self.rest.insert(TextCarrier::default());
                text.scan(desk, &word.text, word.raw)
            }
        }
    }

    fn number(&mut self, desk: &mut Desk, word: &[u8], raw: u64) -> Result<(), Blocked> {
        let text = word.trim_ascii_end();
        let segment = Segment::plain(raw, text.len());
        if self.name.is_empty() {
            self.channel.read(desk, NAME, text, &[segment])?;
        } else {
            self.channel
                .read_named(desk, NAME, &self.name, text, &[segment])?;
        }
        desk.tape.quote(raw, raw + text.len() as u64);
        Ok(())
    }

    /// A piece of a string: up to its end or the end of the input.
    fn string(&mut self, desk: &mut Desk, rest: &[u8], raw: u64) -> Result<usize, Blocked> {
        let State::String(text) = &mut self.state else {
            return Ok(0);
        };
        if !text.escape.is_open() {
            let plain = plain(rest, true);
            let segment = Segment::plain(raw, plain);
            let decoded = rest.get(..plain).unwrap_or_default();
            match rest.get(plain) {
                Some(b'"') => {
                    self.text(desk, decoded, &[segment], true)?;
                    return Ok(plain + 1);
                }
                Some(_) => {}
                None => {
                    self.text(desk, decoded, &[segment], false)?;
                    return Ok(plain);
                }
            }
        }
        let mut unescaped = std::mem::take(&mut self.unescaped);
        unescaped.clear();
        let (read, is_over) = unescaped.read(&mut text.escape, rest, raw, true);
        let outcome = self.text(desk, &unescaped.text, &unescaped.segments, is_over);
        self.unescaped = unescaped;
        outcome.map(|()| read)
    }

    /// Decoded text of the string.
    fn text(
        &mut self,
        desk: &mut Desk,
        decoded: &[u8],
        segments: &[Segment],
        is_over: bool,
    ) -> Result<(), Blocked> {
        let State::String(text) = &mut self.state else {
            return Ok(());
        };
        if text.tells {
            let room = decoded.len().min(MAX_SAID_BYTES - text.said.len());
            text.said
                .extend_from_slice(decoded.get(..room).unwrap_or_default());
        }
        if !text.is_key
            && !text.is_part
            && !self.name.is_empty()
            && self.channel.is_new()
            && let Some(first) = segments.first()
        {
            self.channel
                .begin_named(desk, NAME, &self.name, first.raw)?;
        }
        let begins_parts = match text.is_part.then(|| joined(&mut self.open)).flatten() {
            Some(joined) => match joined.channel(desk)? {
                Some(joined) => {
                    joined.feed(desk, NAME, decoded, segments)?;
                    false
                }
                None => true,
            },
            None => false,
        };
        if is_over && self.channel.is_new() {
            if !begins_parts {
                self.channel.read(desk, NAME, decoded, segments)?;
                self.end_string(desk, |_| Joined::Nothing);
                return Ok(());
            }
            if desk.passes(decoded) {
                self.end_string(desk, |_| Joined::clean(decoded, segments));
                return Ok(());
            }
        }
        self.channel.feed(desk, NAME, decoded, segments)?;
        if is_over {
            self.end_string(desk, |channel| Joined::Running(Box::new(channel.clone())));
            self.channel.finish(desk, NAME)?;
        }
        Ok(())
    }

    /// Structure goes on. The channel still holds the text; `first` is what it leaves to the parts behind it, if
    /// it is the first of them.
    fn end_string(&mut self, desk: &Desk, first: impl FnOnce(&Channel) -> Joined) {
        let State::String(text) = std::mem::take(&mut self.state) else {
            return;
        };
        if text.is_part
            && let Some(joined @ Joined::Nothing) = joined(&mut self.open)
        {
            *joined = first(&self.channel);
        }
        self.said(desk, text.is_key, &text.said);
    }
}

impl Joined {
    fn clean(text: &[u8], segments: &[Segment]) -> Self {
        Self::Clean(Box::new(Part {
            text: text.to_vec(),
            segments: segments.to_vec(),
        }))
    }

    /// The channel to go on with; `None` before the first part.
    fn channel(&mut self, desk: &mut Desk) -> Result<Option<&mut Channel>, Blocked> {
        if let Self::Clean(part) = self {
            let mut channel = Box::<Channel>::default();
            channel.feed(desk, NAME, &part.text, &part.segments)?;
            *self = Self::Running(channel);
        }
        Ok(match self {
            Self::Running(channel) => Some(channel),
            Self::Nothing | Self::Clean(_) => None,
        })
    }
}

/// The parts that the object which is open is one of.
fn joined(open: &mut [Container]) -> Option<&mut Joined> {
    let above: Range<usize> = 0..open.len().saturating_sub(1);
    match open.get_mut(above)?.last_mut()? {
        Container::Array { joined, .. } => Some(joined),
        Container::Object { .. } => None,
    }
}

fn close(desk: &mut Desk, container: Container) -> Result<(), Blocked> {
    match container {
        Container::Array {
            joined: Joined::Running(mut joined),
            ..
        } => joined.finish(desk, NAME),
        Container::Array { .. } | Container::Object { .. } => Ok(()),
    }
}

fn is_byte_order_mark(raw: u64, byte: u8) -> bool {
    usize::try_from(raw).is_ok_and(|raw| BYTE_ORDER_MARK.get(raw) == Some(&byte))
}

/// What may stand behind a value. A blank may not: `4111 1111` is not two numbers but text.
pub(super) const fn ends_word(byte: u8) -> bool {
    matches!(
        byte,
        b',' | b':' | b']' | b'}' | b'[' | b'{' | b'"' | b'\n' | b'\r'
    )
}

impl Bare {
    /// Judges a word as far as it was read.
    pub(super) fn of(text: &[u8], is_over: bool) -> Self {
        let word = text.trim_ascii_end();
        let is_number = word
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let literals = [&b"true"[..], b"false", b"null"];
        let bare = match word.first() {
            Some(b'-' | b'0'..=b'9') if is_number => Self::Number,
            Some(_) if literals.contains(&word) => Self::Literal,
            _ => Self::Neither,
        };
        let may_grow =
            word.len() == text.len() && literals.iter().any(|literal| literal.starts_with(word));
        match bare {
            Self::Neither if !is_over && may_grow => Self::Open,
            Self::Number | Self::Literal if !is_over => Self::Open,
            decided => decided,
        }
    }
}

impl Role {
    fn of(key: &[u8]) -> Self {
        match key {
            b"key" | b"label" | b"name" | b"Key" | b"Name" => Self::Label,
            b"parts" | b"content" => Self::Parts,
            b"text" => Self::Text,
            b"val" | b"value" | b"Value" => Self::Labelled,
            _ => Self::Other,
        }
    }
}
