//! Reads ids out of JSON that arrives in pieces, in constant memory.
//!
//! What an agent answers may be large and is not ours to judge, so this neither collects nor validates
//! it: it follows brackets and quotes, and looks at the few members at the top that carry ids. A
//! document that is no JSON yields nothing or nonsense that is no id of anybody.

use std::borrow::Cow;

use memchr::memchr;

use super::envelope::is_member;
use super::json::text_end;

/// The longest string that is looked at, in bytes of its JSON text: six for each byte of the longest id.
const MAX_STRING_BYTES: usize = 6 * 512;

/// An id that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Id {
    Context(String),
    /// The task is over.
    Ended,
    Task(String),
}

/// What the documents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Objects of A2A.
    Bare,
    /// The same as results of JSON-RPC.
    Enveloped,
    /// Results of MCP in JSON-RPC.
    Mcp,
}

/// The state between two pieces.
#[derive(Debug)]
pub(super) struct Extractor {
    shape: Shape,
    level: Level,
    // Where a status stands, while one is read.
    status_of: Level,
    // Containers open below the level, none of which can hold an id.
    skipped: u64,
    expects_key: bool,
    member: Option<Member>,
    string: Option<Kind>,
    after_backslash: bool,
    buffer: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Level {
    #[default]
    Document,
    Envelope,
    Result,
    Status,
    Task,
    Update,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    ContextId,
    Result,
    State,
    Status,
    Task,
    TaskId,
    Update,
}

/// What is done with a string that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Context,
    Ignored,
    Key,
    State,
    Task,
}

impl Extractor {
    pub(super) const fn new(shape: Shape) -> Self {
        Self {
            shape,
            level: Level::Document,
            status_of: Level::Document,
            skipped: 0,
            expects_key: false,
            member: None,
            string: None,
            after_backslash: false,
            buffer: Vec::new(),
        }
    }

    /// Forgets the document; the next byte begins another.
    pub(super) fn reset(&mut self) {
        self.level = Level::Document;
        self.skipped = 0;
        self.expects_key = false;
        self.member = None;
        self.string = None;
        self.after_backslash = false;
        self.buffer.clear();
    }

    /// Reads on, and hands each id to `found` when its string has ended.
    pub(super) fn feed(&mut self, bytes: &[u8], found: &mut impl FnMut(Id)) {
        let mut rest = bytes;
        while let Some((byte, tail)) = rest.split_first() {
            if let Some(kind) = self.string {
                rest = self.string(kind, rest, found);
                continue;
            }
            self.structure(*byte);
            rest = tail;
        }
    }

    /// Reads a string on, and returns what stands behind it.
    fn string<'a>(&mut self, kind: Kind, bytes: &'a [u8], found: &mut impl FnMut(Id)) -> &'a [u8] {
        if self.after_backslash {
            self.after_backslash = false;
            let (escaped, rest) = bytes.split_at_checked(1).unwrap_or_default();
            self.keep(kind, escaped);
            return rest;
        }
        let end = text_end(bytes, false).unwrap_or(bytes.len());
        let (plain, rest) = bytes.split_at_checked(end).unwrap_or_default();
        if let (Some((b'"', rest)), true) = (rest.split_first(), self.buffer.is_empty()) {
            // All of it is here, and stands as it is: nearly always.
            self.string = None;
            self.finish(kind, plain, found);
            return rest;
        }
        self.keep(kind, plain);
        match rest.split_first() {
            Some((b'"', rest)) => {
                self.string = None;
                let mut buffer = std::mem::take(&mut self.buffer);
                self.finish(kind, &buffer, found);
                buffer.clear();
                self.buffer = buffer;
                rest
            }
            Some((backslash, rest)) => {
                self.keep(kind, &[*backslash]);
                self.after_backslash = true;
                rest
            }
            None => rest,
        }
    }

    fn keep(&mut self, kind: Kind, bytes: &[u8]) {
        // One byte above the limit is kept, as the mark of a string that is too long to be an id.
        let room = (MAX_STRING_BYTES + 1).saturating_sub(self.buffer.len());
        if kind != Kind::Ignored {
            let kept = bytes.get(..room).unwrap_or(bytes);
            self.buffer.extend_from_slice(kept);
        }
    }

    /// A string has ended; `raw` is what stands between its quotes.
    fn finish(&mut self, kind: Kind, raw: &[u8], found: &mut impl FnMut(Id)) {
        match kind {
            Kind::Context => found_text(raw, |text| found(Id::Context(text))),
            Kind::Ignored => {}
            Kind::Key if !raw.contains(&b'\\') => self.member = self.level.member(raw, self.shape),
            Kind::Key => {
                if let Some(key) = decode(raw) {
                    self.member = self.level.member(key.as_bytes(), self.shape);
                }
            }
            Kind::State => found_text(raw, |text| {
                if is_over(&text) {
                    found(Id::Ended);
                }
            }),
            Kind::Task => found_text(raw, |text| found(Id::Task(text))),
        }
    }

    fn structure(&mut self, byte: u8) {
        match byte {
            b'"' => self.string = Some(self.kind()),
            b'{' if self.skipped == 0 => match self.level.below(self.member, self.shape) {
                Some(level) => {
                    if level == Level::Status {
                        self.status_of = self.level;
                    }
                    self.level = level;
                    self.expects_key = true;
                    self.member = None;
                }
                None => self.skipped = 1,
            },
            b'{' | b'[' => self.skipped += 1,
            b'}' | b']' if self.skipped > 0 => self.skipped -= 1,
            b'}' => {
                self.level = match self.level {
                    Level::Status => self.status_of,
                    level => level.above(self.shape),
                };
                self.expects_key = false;
                self.member = None;
            }
            b',' if self.skipped == 0 => {
                self.expects_key = true;
                self.member = None;
            }
            b':' if self.skipped == 0 => self.expects_key = false,
            _ => {}
        }
    }

    const fn kind(&self) -> Kind {
        if self.skipped > 0 || matches!(self.level, Level::Document) {
            return Kind::Ignored;
        }
        match self.member {
            _ if self.expects_key => Kind::Key,
            Some(Member::ContextId) => Kind::Context,
            Some(Member::State) => Kind::State,
            Some(Member::TaskId) => Kind::Task,
            Some(Member::Result | Member::Status | Member::Task | Member::Update) | None => {
                Kind::Ignored
            }
        }
    }
}

impl Level {
    /// The member of this level that a key names. In 0.3 the result is the object itself, in 1.0 it
    /// wraps it, and 0.1 calls the context a session; an agent may answer in either, so both are looked for.
    fn member(self, key: &[u8], shape: Shape) -> Option<Member> {
        let members: &[(&str, Member)] = match self {
            // A server that answers with a task says so in `task`, or right in the result.
            Self::Result if shape == Shape::Mcp => &[
                ("status", Member::State),
                ("task", Member::Task),
                ("taskId", Member::TaskId),
            ],
            Self::Task if shape == Shape::Mcp => {
                &[("status", Member::State), ("taskId", Member::TaskId)]
            }
            Self::Status => &[("state", Member::State)],
            Self::Document => &[],
            Self::Envelope => &[("result", Member::Result)],
            Self::Result => &[
                ("artifactUpdate", Member::Update),
                ("contextId", Member::ContextId),
                ("id", Member::TaskId),
                ("message", Member::Update),
                ("sessionId", Member::ContextId),
                ("status", Member::Status),
                ("statusUpdate", Member::Update),
                ("task", Member::Task),
                ("taskId", Member::TaskId),
            ],
            Self::Task => &[
                ("contextId", Member::ContextId),
                ("id", Member::TaskId),
                ("status", Member::Status),
            ],
            Self::Update => &[
                ("contextId", Member::ContextId),
                ("status", Member::Status),
                ("taskId", Member::TaskId),
            ],
        };
        let mut members = members.iter();
        members
            .find(|(name, _)| is_member(key, name))
            .map(|(_, member)| *member)
    }

    const fn below(self, member: Option<Member>, shape: Shape) -> Option<Self> {
        match (self, member) {
            (Self::Document, _) if matches!(shape, Shape::Bare) => Some(Self::Result),
            (Self::Document, _) => Some(Self::Envelope),
            (Self::Envelope, Some(Member::Result)) => Some(Self::Result),
            (Self::Result, Some(Member::Task)) => Some(Self::Task),
            (Self::Result, Some(Member::Update)) => Some(Self::Update),
            (Self::Result | Self::Task | Self::Update, Some(Member::Status)) => Some(Self::Status),
            (Self::Envelope | Self::Result | Self::Status | Self::Task | Self::Update, _) => None,
        }
    }

    const fn above(self, shape: Shape) -> Self {
        match self {
            Self::Document | Self::Envelope => Self::Document,
            Self::Result if matches!(shape, Shape::Bare) => Self::Document,
            Self::Result => Self::Envelope,
            Self::Status | Self::Task | Self::Update => Self::Result,
        }
    }
}

/// Whether a task in this state stays as it is: by the words of A2A (before 1.0, and since) and of MCP.
fn is_over(state: &str) -> bool {
    let state = state.strip_prefix("TASK_STATE_").unwrap_or(state);
    let over = ["canceled", "cancelled", "completed", "failed", "rejected"];
    over.iter().any(|over| state.eq_ignore_ascii_case(over))
}

fn found_text(raw: &[u8], found: impl FnOnce(String)) {
    if let Some(text) = decode(raw) {
        found(text.into_owned());
    }
}

/// The text of a string without its quotes.
fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    if raw.len() > MAX_STRING_BYTES {
        return None;
    }
    let raw = std::str::from_utf8(raw).ok()?;
    if memchr(b'\\', raw.as_bytes()).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    serde_json::from_str(&format!("\"{raw}\""))
        .ok()
        .map(Cow::Owned)
}
