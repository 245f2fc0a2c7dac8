//! The JSON of one event of a stream, as the texts in it.
//!
//! An event is bounded and whole, so its members can be looked at in any order: a delta's `index` may
//! stand behind its text. What belongs to one text over several events gets one key.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use memchr::memchr2;

use super::escape::{Escape, Step};

/// Deeper events are read as text: no dialect nests half as deep.
const MAX_DEPTH: usize = 128;

/// Keys whose values tell texts of the same path apart.
const DISCRIMINATORS: &[&[u8]] = &[
    b"index",
    b"taskId",
    b"artifactId",
    b"item_id",
    b"content_index",
    b"output_index",
    b"summary_index",
];

/// Keys whose strings name something. They are read, but nobody joins them over events.
const NAMES: &[&[u8]] = &[
    b"artifactId",
    b"contextId",
    b"finish_reason",
    b"id",
    b"item_id",
    b"jsonrpc",
    b"kind",
    b"mediaType",
    b"messageId",
    b"mimeType",
    b"model",
    b"object",
    b"role",
    b"service_tier",
    b"state",
    b"stop_reason",
    b"system_fingerprint",
    b"taskId",
    b"timestamp",
    b"type",
];

/// Keys below which texts stand whole, as a copy or a notice, rather than as a piece of a longer one.
const WHOLES: &[&[u8]] = &[
    b"artifacts",
    b"content_block",
    b"history",
    b"item",
    b"message",
    b"part",
    b"response",
    b"status",
    b"task",
];

/// One text of an event.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) kind: Kind,
    /// Which text over events this is a piece of.
    pub(super) channel: u64,
    /// The object around it; an index into [`Event::objects`].
    object: usize,
    path: u64,
    /// Where it stands in the event's data; without quotes.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) has_escapes: bool,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key or a name: read by itself only.
    Name,
    /// A number: its mark needs quotes.
    Number,
    /// A piece of a text that goes on in later events.
    Piece {
        /// The text that went before ends; this begins a new one (A2A `append` is absent or false).
        restarts: bool,
        /// The text ends behind this piece (A2A `lastChunk`).
        ends: bool,
    },
    /// A text that stands whole, and may all the same be continued by the next of its kind.
    Whole,
}

/// The texts of one event.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) leaves: Vec<Leaf>,
    objects: Vec<Object>,
    open: Vec<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Object {
    parent: Option<usize>,
    /// Of the discriminating members; 0 without any.
    discriminator: u64,
    /// Of the member `id`, which counts for elements of arrays only: at the top it numbers events.
    id: u64,
    is_element: bool,
    has_artifact: bool,
    append: bool,
    last_chunk: bool,
    whole: bool,
}

/// A container that is being read.
#[derive(Debug)]
struct Open {
    object: Option<usize>,
    path: u64,
    whole: bool,
    /// The key of the member that is being read: its range in the data.
    key: (usize, usize),
    expects_key: bool,
}

impl Event {
    /// Reads the data of an event. `false` when it is not one JSON value; the leaves are void then.
    pub(super) fn read(&mut self, data: &[u8]) -> bool {
        self.leaves.clear();
        self.objects.clear();
        self.open.clear();
        let read = self.walk(data).is_some() && self.open.is_empty();
        if read {
            self.name_channels();
        }
        read
    }

    fn walk(&mut self, data: &[u8]) -> Option<()> {
        let mut at = 0;
        let mut values = 0;
        while let Some(byte) = data.get(at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                b'{' | b'[' => {
                    values += usize::from(self.open.is_empty());
                    self.begin(data, *byte == b'{')?;
                    at += 1;
                }
                b'}' | b']' => {
                    self.open.pop()?;
                    at += 1;
                }
                b',' => {
                    let open = self.open.last_mut()?;
                    open.expects_key = open.object.is_some();
                    at += 1;
                }
                b':' => {
                    self.open.last_mut()?.expects_key = false;
                    at += 1;
                }
                b'"' => {
                    values += usize::from(self.open.is_empty());
                    at = self.string(data, at + 1)?;
                }
                b'-' | b'0'..=b'9' => {
                    values += usize::from(self.open.is_empty());
                    at = self.number(data, at);
                }
                b't' | b'f' | b'n' => {
                    values += usize::from(self.open.is_empty());
                    at = self.word(data, at)?;
                }
                _ => return None,
            }
            if values > 1 {
                return None;
            }
        }
        (values == 1).then_some(())
    }

    fn begin(&mut self, data: &[u8], is_object: bool) -> Option<()> {
        if self.open.len() == MAX_DEPTH {
            return None;
        }
        let (path, whole) = self.place(data);
        let above = self.open.last();
        let object = is_object.then(|| {
            let parent = self.open.iter().rev().find_map(|open| open.object);
            let is_element = above.is_some_and(|open| open.object.is_none());
            self.objects.push(Object {
                parent,
                discriminator: 0,
                id: 0,
                is_element,
                has_artifact: false,
                append: false,
                last_chunk: false,
                whole,
            });
            self.objects.len() - 1
        });
        if let Some((object, key)) = self.member(data)
            && key == b"artifact"
            && is_object
        {
            object.has_artifact = true;
        }
        self.open.push(Open {
            object,
            path,
            whole,
            key: (0, 0),
            expects_key: is_object,
        });
        Some(())
    }

    /// Path and wholeness of the value that begins here.
    fn place(&self, data: &[u8]) -> (u64, bool) {
        match self.open.last() {
            None => (0, false),
            Some(open) if open.object.is_some() => {
                let key = data.get(open.key.0..open.key.1).unwrap_or_default();
                (
                    mix(open.path, hash(key)),
                    open.whole || WHOLES.contains(&key),
                )
            }
            Some(open) => (mix(open.path, 1), open.whole),
        }
    }

    /// The innermost object and the key that is being read in it.
    fn member<'a>(&mut self, data: &'a [u8]) -> Option<(&mut Object, &'a [u8])> {
        let open = self.open.last()?;
        let key = data.get(open.key.0..open.key.1)?;
        Some((self.objects.get_mut(open.object?)?, key))
    }

    /// Reads a string behind its quote; returns the place behind the closing one.
    fn string(&mut self, data: &[u8], start: usize) -> Option<usize> {
        let (mut at, mut has_escapes) = (start, false);
        let end = loop {
            let next = at + memchr2(b'"', b'\\', data.get(at..)?)?;
            if data.get(next) == Some(&b'"') {
                break next;
            }
            has_escapes = true;
            at = next + 2;
        };
        let open = self.open.last_mut();
        if let Some(open) = open.filter(|open| open.expects_key) {
            (open.key, open.expects_key) = ((start, end), false);
            self.leaf(Kind::Name, 0, start, end, has_escapes);
            return Some(end + 1);
        }
        let (path, whole) = self.place(data);
        let value = data.get(start..end).unwrap_or_default();
        let mut is_name = false;
        if let Some((object, key)) = self.member(data) {
            is_name = NAMES.contains(&key);
            object.note(key, value);
        }
        let kind = match (is_name, whole) {
            (true, _) => Kind::Name,
            (false, true) => Kind::Whole,
            (false, false) => Kind::Piece {
                restarts: false,
                ends: false,
            },
        };
        self.leaf(kind, path, start, end, has_escapes);
        Some(end + 1)
    }

    fn number(&mut self, data: &[u8], start: usize) -> usize {
        let rest = data.get(start..).unwrap_or_default();
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let end = start + rest.iter().take_while(is_part).count();
        if let Some((object, key)) = self.member(data) {
            object.note(key, data.get(start..end).unwrap_or_default());
        }
        self.leaf(Kind::Number, 0, start, end, false);
        end
    }

    fn word(&mut self, data: &[u8], start: usize) -> Option<usize> {
        let rest = data.get(start..)?;
        let word = [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|word| rest.starts_with(word))?;
        if let Some((object, key)) = self.member(data) {
            let yes = word == b"true";
            match key {
                b"append" => object.append = yes,
                b"lastChunk" => object.last_chunk = yes,
                _ => {}
            }
        }
        Some(start + word.len())
    }

    fn leaf(&mut self, kind: Kind, path: u64, start: usize, end: usize, has_escapes: bool) {
        let object = self
            .open
            .iter()
            .rev()
            .find_map(|open| open.object)
            .unwrap_or(usize::MAX);
        self.leaves.push(Leaf {
            kind,
            channel: 0,
            object,
            path,
            start,
            end,
            has_escapes,
        });
    }

    /// Gives every text its key, now that all members have been seen.
    fn name_channels(&mut self) {
        for leaf in &mut self.leaves {
            leaf.channel = leaf.path;
            let mut next = Some(leaf.object);
            while let Some(object) = next.and_then(|index| self.objects.get(index)) {
                let own = match (object.discriminator, object.is_element) {
                    (0, true) => object.id,
                    (discriminator, _) => discriminator,
                };
                leaf.channel = mix(leaf.channel, own);
                if let (true, Kind::Piece { restarts, ends }) =
                    (object.has_artifact && !object.whole, &mut leaf.kind)
                {
                    *restarts = !object.append;
                    *ends = object.last_chunk;
                }
                next = object.parent;
            }
        }
    }
}

impl Object {
    fn note(&mut self, key: &[u8], value: &[u8]) {
        if DISCRIMINATORS.contains(&key) {
            // Members may come in any order, so they are added up, not chained.
            self.discriminator = self
                .discriminator
                .wrapping_add(mix(hash(key), hash(value)) | 1);
        } else if key == b"id" {
            self.id = hash(value);
        }
    }
}

impl Leaf {
    /// The text as its reader sees it, with the map back to the event's data: decoded bytes and, for each
    /// run, (decoded length, offset in the data, length there).
    pub(super) fn decode(
        &self,
        data: &[u8],
        decoded: &mut Vec<u8>,
        runs: &mut Vec<(usize, usize, usize)>,
    ) {
        decoded.clear();
        runs.clear();
        let mut at = self.start;
        let mut escape = Escape::default();
        while let Some(rest) = data.get(at..self.end).filter(|rest| !rest.is_empty()) {
            let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
            if plain > 0 {
                decoded.extend_from_slice(rest.get(..plain).unwrap_or_default());
                runs.push((plain, at, plain));
                at += plain;
                continue;
            }
            let begin = at;
            escape.open(0);
            at += 1;
            let before = decoded.len();
            while let Some(byte) = data.get(at..self.end).and_then(<[u8]>::first) {
                match escape.step(*byte) {
                    Step::More => at += 1,
                    Step::Decoded { text, consumed } => {
                        decoded.extend_from_slice(text.as_bytes());
                        at += usize::from(consumed);
                        escape.close();
                        break;
                    }
                }
            }
            runs.push((decoded.len() - before, begin, at - begin));
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

fn mix(left: u64, right: u64) -> u64 {
    (left.rotate_left(23) ^ right).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
