//! The texts in one message, and the lengths before them.
//!
//! Where a schema says what a field is, it is that. Elsewhere a field is a text if it looks like one, and a message if
//! it can be read as one. What is both is read as both: of two readings of the same bytes one finds what there is.

use crate::protobuf::{Fields, Wire};

use super::super::event::{Kind, hash, mix};
use super::frames::PREFIX_BYTES;
use super::lengths::Length;
use super::schema::{ANY, Field, Reply, Shape};

/// Messages in messages in messages; what lies deeper is read as text. Readers refuse more than 100.
const MAX_DEPTH: u8 = 100;

/// The longest text that can be the name of another.
const MAX_NAME_BYTES: usize = 128;

/// One text of a message. Places are from the beginning of the prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    pub(super) kind: Kind,
    /// Which text over messages this is a piece of.
    pub(super) channel: u64,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where its name stands, if it has one.
    pub(super) name: (usize, usize),
}

/// Takes messages apart, in buffers that are used again for the next.
#[derive(Debug, Default)]
pub(super) struct Reader {
    leaves: Vec<Leaf>,
    lengths: Vec<Length>,
}

/// What is known of the place of a field.
#[derive(Debug, Clone, Copy)]
struct Place {
    channel: u64,
    kind: Kind,
    name: (usize, usize),
    /// The length that counts it; an index.
    counted: usize,
    depth: u8,
}

/// What the fields of a message say of each other.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    owner: u64,
    appends: bool,
    is_last: bool,
    /// Its first text, which in the entry of a map is the name of the other.
    key: Option<(usize, usize)>,
}

impl Reader {
    /// Reads a message with its prefix.
    pub(super) fn read(&mut self, bytes: &[u8], reply: Reply) {
        self.begin(bytes);
        let root = Place {
            channel: 0,
            // A schema says what goes on over messages.
            kind: match reply {
                Reply::Unknown => Kind::Piece {
                    restarts: false,
                    ends: false,
                },
                _ => Kind::Whole,
            },
            name: (0, 0),
            counted: 0,
            depth: 0,
        };
        let range = (PREFIX_BYTES.min(bytes.len()), bytes.len());
        if !self.message(bytes, range, reply.shape(), root) {
            self.leaf(range, root);
        }
    }

    /// Only the lengths of a message that was read before.
    pub(super) fn lengths(&mut self, bytes: &[u8], reply: Reply) -> &[Length] {
        if reply == Reply::Json {
            self.begin(bytes);
        } else {
            self.read(bytes, reply);
        }
        &self.lengths
    }

    pub(super) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    fn begin(&mut self, bytes: &[u8]) {
        self.leaves.clear();
        self.lengths.clear();
        self.lengths.push(Length {
            at: 1,
            begin: PREFIX_BYTES,
            end: bytes.len(),
            parent: None,
        });
    }

    /// Reads the fields of a message. False if it is none.
    fn message(
        &mut self,
        bytes: &[u8],
        (start, end): (usize, usize),
        shape: &'static Shape,
        place: Place,
    ) -> bool {
        if place.depth == MAX_DEPTH {
            return false;
        }
        let data = bytes.get(start..end).unwrap_or_default();
        let Some(said) = said(data, start, shape) else {
            return false;
        };
        let mut fields = Fields::of(data);
        while let Some(Ok((number, wire))) = fields.next() {
            let Wire::Bytes(content) = wire else {
                continue;
            };
            let until = end - fields.left();
            let range = (until - content.len(), until);
            self.lengths.push(Length {
                at: range.0 - bytes_of_number(content.len()),
                begin: range.0,
                end: until,
                parent: Some(place.counted),
            });
            let field = shape.field(number);
            let place = Place {
                channel: mix(mix(place.channel, said.owner), u64::from(number)),
                kind: kind(field, place.kind, said),
                name: said.key.filter(|_| number == 2).unwrap_or(place.name),
                counted: self.lengths.len() - 1,
                depth: place.depth + 1,
            };
            match field {
                Some(Field::Message(shape) | Field::Pieces(shape)) => {
                    if !self.message(bytes, range, shape, place) {
                        self.leaf(range, place);
                    }
                }
                Some(Field::Name | Field::Owner | Field::Text) => self.leaf(range, place),
                Some(Field::About | Field::Append | Field::Last) | None => {
                    self.anything(bytes, range, place);
                }
            }
        }
        true
    }

    /// A field of which nobody says what it is.
    fn anything(&mut self, bytes: &[u8], range: (usize, usize), place: Place) {
        let content = bytes.get(range.0..range.1).unwrap_or_default();
        let is_text = is_text(content);
        let may_be_message = !is_text || is_of_parts(content);
        let is_message = may_be_message && self.message(bytes, range, &ANY, place);
        if is_text || !is_message {
            self.leaf(range, place);
        }
    }

    fn leaf(&mut self, (start, end): (usize, usize), place: Place) {
        if start < end {
            self.leaves.push(Leaf {
                kind: place.kind,
                channel: place.channel,
                start,
                end,
                name: place.name,
            });
        }
    }
}

impl Shape {
    fn field(&self, number: u32) -> Option<Field> {
        let found = self.0.iter().find(|(own, _)| *own == number);
        found.map(|(_, field)| *field)
    }
}

/// How the texts of a field stand, below what stands so.
const fn kind(field: Option<Field>, above: Kind, said: Said) -> Kind {
    match (field, above) {
        (_, Kind::Name) | (Some(Field::About | Field::Name | Field::Owner), _) => Kind::Name,
        (Some(Field::Pieces(_)), _) => Kind::Piece {
            restarts: !said.appends,
            ends: said.is_last,
        },
        (_, above) => above,
    }
}

/// Reads all fields once, for what they say of each other. `None` if this is no message.
fn said(data: &[u8], start: usize, shape: &'static Shape) -> Option<Said> {
    let mut said = Said::default();
    let mut fields = Fields::of(data);
    while let Some(field) = fields.next() {
        let (number, wire) = field.ok()?;
        match (shape.field(number), wire) {
            (Some(Field::Append), Wire::Number(value)) => said.appends = value != 0,
            (Some(Field::Last), Wire::Number(value)) => said.is_last = value != 0,
            (Some(Field::Owner), Wire::Bytes(text)) => said.owner = hash(text) | 1,
            (None, Wire::Bytes(text))
                if number == 1 && text.len() <= MAX_NAME_BYTES && is_text(text) =>
            {
                let end = start + data.len() - fields.left();
                said.key = Some((end - text.len(), end));
            }
            _ => {}
        }
    }
    Some(said)
}

/// Whether bytes look like a text.
fn is_text(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    !bytes.iter().any(is_control) && std::str::from_utf8(bytes).is_ok()
}

/// `a@b.co` has room in it.
const ROOM_BYTES: usize = 6;

/// Whether what looks like a text may be a message all the same. Nearly any short word can be read as numbers, so one
/// of its fields must have room for something to be found.
fn is_of_parts(bytes: &[u8]) -> bool {
    let mut has_room = false;
    let is_message = Fields::of(bytes).all(|field| {
        has_room |= matches!(field, Ok((_, Wire::Bytes(part))) if part.len() >= ROOM_BYTES);
        field.is_ok()
    });
    is_message && has_room
}

/// How many bytes a length has.
const fn bytes_of_number(length: usize) -> usize {
    let bits = usize::BITS - length.leading_zeros();
    if bits == 0 {
        1
    } else {
        bits.div_ceil(7) as usize
    }
}
