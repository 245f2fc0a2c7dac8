//! The JSON of one event of a stream, as the texts in it.
//!
//! An event is bounded and whole, so its members can be looked at in any order: a delta's `index` may
//! stand behind its text. What belongs to one text over several events gets one key.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use memchr::memchr2;

use super::Blocked;
use super::channel::Segment;
use super::escape::{Escape, Unescaped};
use super::json::{Bare, MAX_DEPTH, ends_word};

/// Keys whose values tell texts of the same path apart.
const fn tells_apart(key: &[u8]) -> bool {
    matches!(
        key,
        b"index"
            | b"taskId"
            | b"artifactId"
            | b"item_id"
            | b"content_index"
            | b"output_index"
            | b"summary_index"
    )
}

/// Keys whose strings name something. They are read, but nobody joins them over events.
const fn is_name(key: &[u8]) -> bool {
    matches!(
        key,
        b"artifactId"
            | b"contextId"
            | b"finish_reason"
            | b"id"
            | b"item_id"
            | b"jsonrpc"
            | b"kind"
            | b"mediaType"
            | b"messageId"
            | b"mimeType"
            | b"model"
            | b"object"
            | b"role"
            | b"service_tier"
            | b"state"
            | b"stop_reason"
            | b"system_fingerprint"
            | b"taskId"
            | b"timestamp"
            | b"type"
    )
}

/// How the texts below a key stand: as pieces of longer ones, or whole, as a copy or a notice. `None`:
/// the key does not say.
const fn stands_whole(key: &[u8]) -> Option<bool> {
    match key {
        b"artifact" | b"delta" => Some(false),
        b"artifacts" | b"content" | b"content_block" | b"contents" | b"error" | b"history"
        | b"item" | b"message" | b"params" | b"part" | b"parts" | b"response" | b"status"
        | b"structuredContent" | b"task" | b"tasks" => Some(true),
        _ => None,
    }
}

/// Keys whose strings name the value of another member.
const fn is_label(key: &[u8]) -> bool {
    matches!(key, b"key" | b"label" | b"name" | b"Key" | b"Name")
}

/// Keys of what a label names.
const fn is_labelled(key: &[u8]) -> bool {
    matches!(key, b"val" | b"value" | b"Value")
}

/// Whether what stands below a key speaks about the event: ids and time stamps, which end in letters and
/// digits. No reader joins them over events, and as pieces of a text each would wait for the next.
fn is_about_event(key: &[u8]) -> bool {
    matches!(key, b"metadata" | b"_meta")
}

/// What the data of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// JSON; the leaves are its texts.
    Json,
    /// A number alone. It may as well be a piece of a text.
    Number,
    /// Anything else.
    Text,
}

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
    /// Where its key stands, or that of the array around it; of no length for a key.
    key: (usize, usize),
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
    too_deep: bool,
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
    whole: Option<bool>,
    /// Where the text stands that names another member's value (`{ "name": …, "value": … }`).
    label: (usize, usize),
}

/// A container that is being read.
#[derive(Debug)]
struct Open {
    object: Option<usize>,
    path: u64,
    whole: Option<bool>,
    /// Its texts are read by themselves only.
    about_event: bool,
    /// The key of the member that is being read: its range in the data.
    key: (usize, usize),
    expects_key: bool,
}

impl Event {
    /// Reads the data of an event. The leaves are void unless it is JSON.
    ///
    /// # Errors
    /// When it is nested too deeply.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<Data, Blocked> {
        self.leaves.clear();
        self.objects.clear();
        self.open.clear();
        self.too_deep = false;
        if Bare::of(data.trim_ascii(), true) == Bare::Number {
            return Ok(Data::Number);
        }
        let read = self.walk(data).is_some() && self.open.is_empty();
        if self.too_deep {
            return Err(Blocked::TooDeep);
        }
        if read {
            self.name_channels();
        }
        Ok(if read { Data::Json } else { Data::Text })
    }

    /// Containers, one behind the other, or one string.
    fn walk(&mut self, data: &[u8]) -> Option<()> {
        let mut at = 0;
        let (mut containers, mut strings) = (0_usize, 0_usize);
        while let Some(byte) = data.get(at) {
            let is_top = self.open.is_empty();
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                b'{' | b'[' => {
                    containers += usize::from(is_top);
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
                    strings += usize::from(is_top);
                    at = self.string(data, at + 1)?;
                }
                _ if is_top => return None,
                _ => at = self.bare(data, at)?,
            }
        }
        ((containers > 0 && strings == 0) || strings == 1).then_some(())
    }

    fn begin(&mut self, data: &[u8], is_object: bool) -> Option<()> {
        if self.open.len() == MAX_DEPTH {
            self.too_deep = true;
            return None;
        }
        let (path, whole) = self.place(data);
        let above = self.open.last();
        let about_event = above.is_some_and(|open| {
            let key = data.get(open.key.0..open.key.1).unwrap_or_default();
            open.about_event || (open.object.is_some() && is_about_event(key))
        });
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
                label: (0, 0),
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
            about_event,
            key: (0, 0),
            expects_key: is_object,
        });
        Some(())
    }

    /// Path of the value that begins here, and how its texts stand. The outermost key that says so has
    /// the last word.
    fn place(&self, data: &[u8]) -> (u64, Option<bool>) {
        match self.open.last() {
            None => (0, None),
            Some(open) if open.object.is_some() => {
                let key = data.get(open.key.0..open.key.1).unwrap_or_default();
                let whole = open.whole.or_else(|| stands_whole(key));
                (mix(open.path, hash(key)), whole)
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
        // What its own key says is about containers.
        let whole = self.open.last().and_then(|open| open.whole);
        let (path, _) = self.place(data);
        let value = data.get(start..end).unwrap_or_default();
        let mut names = self.open.last().is_some_and(|open| open.about_event);
        if let Some((object, key)) = self.member(data) {
            names |= is_name(key);
            object.note(key, value);
            if is_label(key) {
                object.label = (start, end);
            }
        }
        let kind = match (names, whole) {
            (true, _) => Kind::Name,
            (false, Some(true)) => Kind::Whole,
            (false, _) => Kind::Piece {
                restarts: false,
                ends: false,
            },
        };
        self.leaf(kind, path, start, end, has_escapes);
        Some(end + 1)
    }

    /// Reads a number or a literal inside a container; returns the place behind it.
    fn bare(&mut self, data: &[u8], start: usize) -> Option<usize> {
        let rest = data.get(start..)?;
        let length = rest.iter().take_while(|byte| !ends_word(**byte)).count();
        let word = rest.get(..length)?;
        let text = word.trim_ascii_end();
        let bare = Bare::of(word, true);
        if bare == Bare::Neither {
            return None;
        }
        if let Some((object, key)) = self.member(data) {
            match key {
                b"append" => object.append = text == b"true",
                b"lastChunk" => object.last_chunk = text == b"true",
                _ => object.note(key, text),
            }
        }
        if bare == Bare::Number {
            self.leaf(Kind::Number, 0, start, start + text.len(), false);
        }
        Some(start + length)
    }

    fn leaf(&mut self, kind: Kind, path: u64, start: usize, end: usize, has_escapes: bool) {
        let object = self
            .open
            .iter()
            .rev()
            .find_map(|open| open.object)
            .unwrap_or(usize::MAX);
        let key = match self.open.last() {
            Some(open)
                if open.object.is_some() && !(kind == Kind::Name && open.key == (start, end)) =>
            {
                open.key
            }
            // The key of the array that it is an element of.
            Some(open) if open.object.is_none() => self
                .open
                .iter()
                .rev()
                .find(|open| open.object.is_some())
                .map_or((0, 0), |open| open.key),
            _ => (0, 0),
        };
        self.leaves.push(Leaf {
            key,
            kind,
            channel: 0,
            object,
            path,
            start,
            end,
            has_escapes,
        });
    }

    /// The name of a text: its key, or what another member says of it. As it is written, without quotes.
    pub(super) fn name<'a>(&self, leaf: &Leaf, data: &'a [u8]) -> &'a [u8] {
        let at = |(start, end): (usize, usize)| data.get(start..end).unwrap_or_default();
        let key = at(leaf.key);
        match self.objects.get(leaf.object) {
            Some(object) if is_labelled(key) && object.label.1 > 0 => at(object.label),
            _ => key,
        }
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
                if let (true, Kind::Piece { restarts, ends }) = (
                    object.has_artifact && object.whole != Some(true),
                    &mut leaf.kind,
                ) {
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
        if tells_apart(key) {
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
    /// Decodes the text, and maps it to the event's data.
    pub(super) fn read(&self, data: &[u8], unescaped: &mut Unescaped) {
        unescaped.clear();
        let start = self.start as u64;
        if self.has_escapes {
            unescaped.read(&mut Escape::default(), self.raw(data), start, false);
        } else {
            let all = Segment::plain(start, self.end - self.start);
            unescaped.segments.push(all);
        }
    }

    /// The text as its reader sees it, once it was read. What has no escapes is not copied.
    pub(super) fn text<'a>(&self, data: &'a [u8], unescaped: &'a Unescaped) -> &'a [u8] {
        if self.has_escapes {
            &unescaped.text
        } else {
            self.raw(data)
        }
    }

    fn raw<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(self.start..self.end).unwrap_or_default()
    }
}

pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

pub(super) fn mix(left: u64, right: u64) -> u64 {
    (left.rotate_left(23) ^ right).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
