//! Reads ids out of the messages of a gRPC answer that arrives in pieces, in constant memory.
//!
//! Of `SendMessageResponse` and `StreamResponse`, which are alike in 0.3 and 1.0: a task, a message, or an update of a
//! task, each with its ids at its top, and its state. Everything else is counted off and forgotten.

use super::super::extract::Id;
use super::grpc::PREFIX_BYTES;
use crate::protobuf::{Flaw, Kind, Varint, tag};

/// The longest id that is looked at, in bytes.
const MAX_ID_BYTES: usize = 512;

/// The answer cannot be read: what it names is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Unreadable;

impl From<Flaw> for Unreadable {
    fn from(_: Flaw) -> Self {
        Self
    }
}

/// The state between two pieces.
#[derive(Debug, Default)]
pub(in super::super) struct Messages {
    state: State,
    /// Bytes that the message still has, and of these the member that is being read.
    message: u32,
    member: Option<(Member, u32)>,
    /// The same of a task's status, while it is being read.
    status: Option<u32>,
    /// Whether each message is a task itself.
    is_task: bool,
    varint: Varint,
    id: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The length of a string or a message, which is what the field says.
    Length(What),
    /// A number: the state of a task, or one that says nothing to us.
    Number(bool),
    /// The prefix of a message: how many bytes of it are there, and the length that they say.
    Prefix(usize, u32),
    /// So many bytes that say nothing to us.
    Skip(u32),
    /// The beginning of a field.
    Tag,
    /// An id, and how many bytes of it are missing.
    Text(What, u32),
}

impl Default for State {
    fn default() -> Self {
        Self::Prefix(0, 0)
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Context,
    Member(Member),
    Other,
    Status,
    Task,
}

/// What the answer wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Artifact,
    Message,
    Status,
    Task,
}

/// States of `TaskState` in which a task stays, which are alike in 0.3 and 1.0: completed, failed, cancelled, rejected.
const OVER: [u64; 4] = [3, 4, 5, 7];

impl Messages {
    /// Of messages that are tasks.
    pub(in super::super) fn of_tasks() -> Self {
        Self {
            is_task: true,
            ..Self::default()
        }
    }

    /// Reads on, and hands each id to `found` when its last byte was there.
    pub(in super::super) fn feed(
        &mut self,
        bytes: &[u8],
        found: &mut impl FnMut(Id),
    ) -> Result<(), Unreadable> {
        let mut rest = bytes;
        while let Some((byte, tail)) = rest.split_first() {
            rest = match self.state {
                State::Skip(left) => {
                    let (taken, rest) = split(rest, left);
                    let taken = self.consume(taken.len())?;
                    self.state = match left - taken {
                        0 => State::Tag,
                        left => State::Skip(left),
                    };
                    rest
                }
                State::Text(what, left) => {
                    let (taken, rest) = split(rest, left);
                    // One byte above the limit is kept, as the mark of a text that is too long to be an id.
                    let room = (MAX_ID_BYTES + 1).saturating_sub(self.id.len());
                    self.id.extend(taken.iter().take(room));
                    let taken = self.consume(taken.len())?;
                    self.state = State::Text(what, left - taken);
                    if left == taken {
                        self.finish(what, found);
                    }
                    rest
                }
                State::Prefix(at, length) => {
                    self.state = prefix(at, length, *byte)?;
                    if let State::Tag = self.state {
                        self.message = length << 8 | u32::from(*byte);
                        self.member = self.is_task.then_some((Member::Task, self.message));
                    }
                    tail
                }
                State::Length(_) | State::Number(_) | State::Tag => {
                    self.consume(1)?;
                    if let Some(value) = self.varint.push(*byte)? {
                        if let (State::Number(true), true) = (self.state, OVER.contains(&value)) {
                            found(Id::Ended);
                        }
                        self.number(value)?;
                    }
                    tail
                }
            };
            self.leave()?;
        }
        Ok(())
    }

    /// A whole number was read, where one is expected.
    fn number(&mut self, value: u64) -> Result<(), Unreadable> {
        self.state = match self.state {
            State::Tag => {
                let (number, kind) = tag(value)?;
                match kind {
                    Kind::Fixed(bytes) => State::Skip(self.within(bytes.into())?),
                    Kind::Length => State::Length(self.what(number)),
                    Kind::Varint => State::Number(self.status.is_some() && number == 1),
                }
            }
            State::Length(what) => match (what, self.within(value)?) {
                (What::Member(member), length) => {
                    self.member = Some((member, length));
                    State::Tag
                }
                (What::Status, length) => {
                    self.status = Some(length);
                    State::Tag
                }
                (What::Context | What::Other | What::Task, 0) => State::Tag,
                (What::Context | What::Task, length) => {
                    self.id.clear();
                    State::Text(what, length)
                }
                (What::Other, length) => State::Skip(length),
            },
            State::Number(_) | State::Prefix(..) | State::Skip(_) | State::Text(..) => State::Tag,
        };
        Ok(())
    }

    /// What the field with this number holds, where we are.
    const fn what(&self, number: u32) -> What {
        if self.status.is_some() {
            return What::Other;
        }
        match (self.member, number) {
            (None, 1) => What::Member(Member::Task),
            (None, 2) => What::Member(Member::Message),
            (None, 3) => What::Member(Member::Status),
            (None, 4) => What::Member(Member::Artifact),
            (Some((Member::Artifact | Member::Status | Member::Task, _)), 1) => What::Task,
            (Some((Member::Status | Member::Task, _)), 3) => What::Status,
            (Some((Member::Message, _)), 3) => What::Task,
            (Some(_), 2) => What::Context,
            (None | Some(_), _) => What::Other,
        }
    }

    fn finish(&mut self, what: What, found: &mut impl FnMut(Id)) {
        self.state = State::Tag;
        let Ok(text) = std::str::from_utf8(&self.id) else {
            return;
        };
        match what {
            What::Context => found(Id::Context(text.to_owned())),
            What::Task => found(Id::Task(text.to_owned())),
            What::Member(_) | What::Other | What::Status => {}
        }
    }

    /// A length that does not reach beyond what it stands in.
    fn within(&self, length: u64) -> Result<u32, Unreadable> {
        let member = self.member.map_or(self.message, |(_, left)| left);
        let left = self.status.unwrap_or(member);
        let length = u32::try_from(length).map_err(|_| Unreadable)?;
        (length <= left).then_some(length).ok_or(Unreadable)
    }

    /// Counts bytes off.
    fn consume(&mut self, bytes: usize) -> Result<u32, Unreadable> {
        let bytes = u32::try_from(bytes).map_err(|_| Unreadable)?;
        self.message = self.message.checked_sub(bytes).ok_or(Unreadable)?;
        if let Some((_, left)) = &mut self.member {
            *left = left.checked_sub(bytes).ok_or(Unreadable)?;
        }
        if let Some(left) = &mut self.status {
            *left = left.checked_sub(bytes).ok_or(Unreadable)?;
        }
        Ok(bytes)
    }

    /// Leaves what has ended.
    fn leave(&mut self) -> Result<(), Unreadable> {
        let is_between = matches!(self.state, State::Tag) && !self.varint.has_begun();
        if self.status == Some(0) {
            if !is_between {
                return Err(Unreadable);
            }
            self.status = None;
        }
        if self.member.is_some_and(|(_, left)| left == 0) {
            if !is_between {
                return Err(Unreadable);
            }
            self.member = None;
        }
        if self.message == 0 && !matches!(self.state, State::Prefix(..)) {
            if !is_between {
                return Err(Unreadable);
            }
            self.state = State::default();
        }
        Ok(())
    }
}

/// The state behind a byte of the prefix.
fn prefix(at: usize, length: u32, byte: u8) -> Result<State, Unreadable> {
    match at {
        0 if byte != 0 => Err(Unreadable),
        0 => Ok(State::Prefix(1, 0)),
        _ if at + 1 == PREFIX_BYTES => Ok(State::Tag),
        _ => Ok(State::Prefix(at + 1, length << 8 | u32::from(byte))),
    }
}

/// As much of the bytes as is wanted, and the rest.
fn split(bytes: &[u8], wanted: u32) -> (&[u8], &[u8]) {
    let wanted = bytes.len().min(wanted as usize);
    bytes.split_at_checked(wanted).unwrap_or_default()
}
