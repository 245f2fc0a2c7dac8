//! The carrier of several parts in one body (RFC 2046, section 5.1): each is a text of its own, by its own type.
//!
//! A line that is the boundary ends a part, wherever it stands; it leaves as it came. What is no part, or has no head that can
//! be read, is text. The base64 of a part is undone by the matcher, as it is everywhere.

use bytes::{Bytes, BytesMut};

use super::channel::{Channel, Desk};
use super::json::JsonCarrier;
use super::text::TextCarrier;
use super::{Blocked, Carrier};

/// RFC 2046, section 5.1.1.
const MAX_BOUNDARY: usize = 70;
/// Blanks behind a boundary. More of them, and the line is none.
const MAX_PADDING: usize = 64;
/// A longer line of a head ends it: what stands there is read as the part.
const MAX_LINE: usize = 4096;

/// What stands between the parts of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    bytes: [u8; MAX_BOUNDARY],
    length: usize,
}

/// Reads the parts as they arrive.
#[derive(Debug)]
pub(super) struct MultipartCarrier {
    boundary: Boundary,
    /// The beginning of a line that may be a boundary, or of one of a head.
    begun: BytesMut,
    place: Place,
    part: Part,
    head: TextCarrier,
    /// The field of the head that the next line may go on with.
    field: Vec<u8>,
    about: About,
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a part, or in what stands before the first and behind the last.
    Body {
        /// At the beginning of a line.
        begins_line: bool,
    },
    Head,
}

/// What the head of a part says of it.
#[derive(Debug, Default)]
struct About {
    is_json: bool,
    /// The name of a field of a form.
    name: Vec<u8>,
}

/// What a part is read as.
#[derive(Debug)]
enum Part {
    Json(Box<JsonCarrier>),
    /// Nothing of it is there yet.
    New,
    Text(Box<TextCarrier>),
}

/// What a text begins with.
enum Next {
    /// So many bytes are a boundary and what belongs to its line.
    Boundary { length: usize, is_last: bool },
    /// So many bytes are of a part.
    Body(usize),
    /// More bytes will tell.
    Open,
}

impl Boundary {
    /// The boundary that a content type names, if it names one and no other.
    pub fn of(content_type: &str) -> Option<Self> {
        let mut named =
            parameters(content_type).filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
        let (_, value) = named.next()?;
        if named.any(|(_, other)| other != value) {
            return None;
        }
        let mut bytes = [0; MAX_BOUNDARY];
        let length = value.len();
        bytes.get_mut(..length)?.copy_from_slice(value.as_bytes());
        (length > 0).then_some(Self { bytes, length })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl std::fmt::Debug for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Boundary")
    }
}

/// The parameters of a content type or the like, without their quotes.
fn parameters(field: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = field.split_once(';').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        let (name, behind) = rest.split_once('=')?;
        // Parameters without a value stand before it.
        let name = name.rsplit(';').next().unwrap_or_default().trim();
        let behind = behind.trim_start();
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (value, behind) = behind.split_once(';').unwrap_or((behind, ""));
                (value.trim().to_owned(), behind)
            }
        };
        rest = behind;
        Some((name, value))
    })
}

/// A quoted text, and what stands behind it.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(char),
        }
    }
    (value, "")
}

impl MultipartCarrier {
    pub(super) fn new(boundary: Boundary) -> Self {
        Self {
            boundary,
            begun: BytesMut::new(),
            place: Place::Body { begins_line: true },
            part: Part::New,
            head: TextCarrier::default(),
            field: Vec::new(),
            about: About::default(),
        }
    }

    pub(super) fn feed(&mut self, desk: &mut Desk, input: Bytes) -> Result<(), Blocked> {
        let mut rest = input;
        if !self.begun.is_empty() {
            self.begun.extend_from_slice(&rest);
            rest = self.begun.split().freeze();
        }
        self.read(desk, &mut rest, false)?;
        self.begun.extend_from_slice(&rest);
        Ok(())
    }

    pub(super) fn finish(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        let mut rest = self.begun.split().freeze();
        self.read(desk, &mut rest, true)?;
        self.head.finish(desk)?;
        self.end_part(desk)
    }

    /// The first raw byte that may not leave yet.
    pub(super) fn frontier(&self, desk: &Desk) -> u64 {
        let part = match &self.part {
            Part::Json(json) => Some(json.frontier(desk)),
            Part::New => None,
            Part::Text(text) => text.waits_at(&desk.tape),
        };
        let waiting = part.into_iter().chain(self.head.waits_at(&desk.tape));
        waiting.min().unwrap_or_else(|| desk.tape.end())
    }

    pub(super) fn channels(&mut self) -> Box<dyn Iterator<Item = &mut Channel> + '_> {
        let head = self.head.channels();
        match &mut self.part {
            Part::Json(json) => Box::new(head.chain(json.channels())),
            Part::New => Box::new(head),
            Part::Text(text) => Box::new(head.chain(text.channels())),
        }
    }

    /// Reads as much as can be told; what is left more bytes will tell. `ended` says that none will come.
    fn read(&mut self, desk: &mut Desk, rest: &mut Bytes, ended: bool) -> Result<(), Blocked> {
        while !rest.is_empty() {
            let is_open = match self.place {
                Place::Body { begins_line } => {
                    let next = self.next(rest, begins_line, ended);
                    self.read_body(desk, rest, &next)?
                }
                Place::Head => self.read_head(desk, rest, ended)?,
            };
            if is_open {
                break;
            }
        }
        Ok(())
    }

    /// Reads on in a part. True if more bytes must come to tell what stands there.
    fn read_body(
        &mut self,
        desk: &mut Desk,
        rest: &mut Bytes,
        next: &Next,
    ) -> Result<bool, Blocked> {
        match *next {
            Next::Boundary { length, is_last } => {
                self.end_part(desk)?;
                // The head names it, so it tells nothing; and nobody would find the parts if it were another.
                desk.tape.push(rest.split_to(length));
                self.about = About::default();
                self.place = match is_last {
                    true => Place::Body { begins_line: true },
                    false => Place::Head,
                };
            }
            Next::Body(length) => {
                let body = rest.split_to(length);
                self.take(desk, &body)?;
            }
            Next::Open => return Ok(true),
        }
        Ok(false)
    }

    /// Bytes of a part.
    fn take(&mut self, desk: &mut Desk, body: &Bytes) -> Result<(), Blocked> {
        self.place = Place::Body { begins_line: false };
        if matches!(self.part, Part::New) {
            self.part = self.begin_part(desk, body)?;
        }
        match &mut self.part {
            Part::Json(json) => json.feed(desk, body),
            Part::New => Ok(()),
            Part::Text(text) => text.feed(desk, body),
        }
    }

    fn begin_part(&self, desk: &mut Desk, body: &[u8]) -> Result<Part, Blocked> {
        // As with a body, whose kind nobody told or told wrong.
        if self.about.is_json || matches!(body.first(), Some(b'{' | b'[')) {
            return Ok(Part::Json(Box::default()));
        }
        let mut text = Box::<TextCarrier>::default();
        if !self.about.name.is_empty() && desk.is_telling(&self.about.name) {
            text.begin_named(desk, &self.about.name)?;
        }
        Ok(Part::Text(text))
    }

    fn end_part(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        match std::mem::replace(&mut self.part, Part::New) {
            Part::Json(mut json) => json.finish(desk),
            Part::New => Ok(()),
            Part::Text(mut text) => text.finish(desk),
        }
    }

    /// What a text in a part begins with. The end of the line before a boundary belongs to it, not to the part.
    fn next(&self, text: &[u8], begins_line: bool, ended: bool) -> Next {
        if begins_line {
            let found = self.boundary_at(text, ended);
            if !matches!(found, Next::Body(_)) {
                return found;
            }
        }
        let mut from = 0;
        while let Some(end) = memchr::memchr(b'\n', text.get(from..).unwrap_or_default()) {
            let end = from + end;
            let before = text.get(..end).unwrap_or_default();
            let line_end = end - usize::from(before.ends_with(b"\r"));
            from = end + 1;
            let found = self.boundary_at(text.get(from..).unwrap_or_default(), ended);
            match found {
                Next::Body(_) => continue,
                _ if line_end > 0 => return Next::Body(line_end),
                Next::Boundary { length, is_last } => {
                    return Next::Boundary {
                        length: from + length,
                        is_last,
                    };
                }
                Next::Open => return Next::Open,
            }
        }
        match text.len() {
            length if ended || !text.ends_with(b"\r") => Next::Body(length),
            1 => Next::Open,
            length => Next::Body(length - 1),
        }
    }

    /// Whether a line is the boundary.
    fn boundary_at(&self, line: &[u8], ended: bool) -> Next {
        const NONE: Next = Next::Body(0);
        let open = if ended { NONE } else { Next::Open };
        let mut rest = line;
        for wanted in [b"--", self.boundary.as_bytes()] {
            let seen = wanted.len().min(rest.len());
            let (head, behind) = rest.split_at_checked(seen).unwrap_or_default();
            if !wanted.starts_with(head) {
                return NONE;
            }
            rest = behind;
            if seen < wanted.len() {
                return open;
            }
        }
        let (is_last, padding) = match rest {
            [b'-', b'-', padding @ ..] => (true, padding),
            [b'-'] => return open,
            _ => (false, rest),
        };
        let blanks = padding.iter();
        let blanks = blanks.take_while(|byte| matches!(byte, b' ' | b'\t'));
        let blanks = blanks.count();
        let end = padding.get(blanks..).unwrap_or_default();
        let before = line.len() - end.len();
        let length = match end {
            _ if blanks > MAX_PADDING => return NONE,
            [] | [b'\r'] if ended => line.len(),
            [] | [b'\r'] => return Next::Open,
            [b'\r', b'\n', ..] => before + 2,
            [b'\n', ..] => before + 1,
            _ => return NONE,
        };
        Next::Boundary { length, is_last }
    }

    /// Reads a line of a head. True if there is none yet.
    fn read_head(
        &mut self,
        desk: &mut Desk,
        rest: &mut Bytes,
        ended: bool,
    ) -> Result<bool, Blocked> {
        let end = memchr::memchr(b'\n', rest);
        if end.is_none() && !ended && rest.len() <= MAX_LINE {
            return Ok(true);
        }
        let Some(end) = end.filter(|end| *end < MAX_LINE) else {
            return self.end_head(desk).map(|()| false);
        };
        let line = rest.split_to(end + 1);
        self.head.feed(desk, &line)?;
        let text = line.trim_ascii_end();
        if text.is_empty() {
            self.end_head(desk)?;
        } else if matches!(text.first(), Some(b' ' | b'\t')) && self.field.len() <= MAX_LINE {
            self.field.extend_from_slice(text);
        } else {
            self.about.note(&self.field);
            self.field.clear();
            self.field.extend_from_slice(text);
        }
        Ok(false)
    }

    fn end_head(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        self.about.note(&self.field);
        self.field.clear();
        // A part may be empty, so that the boundary follows at once.
        self.place = Place::Body { begins_line: true };
        self.head.finish(desk)
    }
}

impl About {
    /// Takes note of a field of the head.
    fn note(&mut self, field: &[u8]) {
        let Some((name, value)) = std::str::from_utf8(field)
            .ok()
            .and_then(|field| field.split_once(':'))
        else {
            return;
        };
        let name = name.trim();
        if name.eq_ignore_ascii_case("content-type") {
            self.is_json = Carrier::of(Some(value)) == Carrier::Json;
        } else if name.eq_ignore_ascii_case("content-disposition") {
            let named = parameters(value).find(|(name, _)| name.eq_ignore_ascii_case("name"));
            self.name = named.map(|(_, name)| name.into_bytes()).unwrap_or_default();
        }
    }
}
