//! The carrier of WebSocket messages.
//!
//! A message is the unit of release: it leaves whole, in order, when every text in it is decided. In JSON
//! each path is one text over all messages, as in a stream of events; everything else that is sent as text
//! is one text, and everything else that is sent as bytes another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::model::Finding;

use super::Blocked;
use super::body::{MAX_WAITING_BYTES, SHORT_HOLD, at_bound};
use super::channel::Desk;
use super::data::DataReader;
use super::detectors::Detectors;
use super::fields::Map;
use super::texts::Texts;

/// As what a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Bytes.
    Binary,
    /// UTF-8.
    Text,
}

/// The oldest message that has not left leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// As it came.
    AsItCame,
    /// As this instead.
    Changed(Bytes),
}

/// All messages of one direction, read one by one.
///
/// The same messages give the same findings and leave the same, whenever they come and however they were
/// cut into frames.
#[derive(Debug)]
pub struct Messages {
    desk: Desk,
    texts: Texts,
    reader: DataReader,
    map: Map,
    /// Where the messages on the tape end, separator included.
    ends: VecDeque<u64>,
    /// The pieces of the message that leaves.
    leaving: VecDeque<Bytes>,
    /// Nothing leaves any more.
    is_closed: bool,
}

impl Messages {
    /// A scan of a direction's messages.
    pub fn new(detectors: Arc<Detectors>) -> Self {
        Self {
            desk: Desk::new(detectors),
            texts: Texts::new(NAME),
            reader: DataReader::of_whole_texts(),
            map: Map::default(),
            ends: VecDeque::new(),
            leaving: VecDeque::new(),
            is_closed: false,
        }
    }

    /// The next message, whole. What may leave is appended to `released`, one item for each message.
    ///
    /// # Errors
    /// When the tunnel must end here; the message and what waits before it must not leave.
    pub fn read(
        &mut self,
        payload: Payload,
        data: &Bytes,
        released: &mut VecDeque<Released>,
    ) -> Result<(), Blocked> {
        if self.is_closed {
            return Ok(());
        }
        let Self { desk, texts, .. } = self;
        self.map.begin(desk.tape.end());
        desk.tape.push(data.clone());
        // A byte that never leaves: no edit reaches from one message into the next.
        desk.tape.push(Bytes::from_static(b"\n"));
        self.ends.push_back(desk.tape.end());
        texts.begin_event();
        let read = self
            .reader
            .read(desk, texts, payload.key(), data, &self.map);
        self.settle(read, released)
    }

    /// No more messages come: what waits is judged for the last time and leaves.
    ///
    /// # Errors
    /// When a finding at the very end blocks.
    pub fn finish(&mut self, released: &mut VecDeque<Released>) -> Result<(), Blocked> {
        if self.is_closed {
            return Ok(());
        }
        let read = self.texts.finish(&mut self.desk);
        self.settle(read, released)
    }

    /// Where the oldest message that waits begins, counted in bytes of messages; `None` while nothing waits.
    pub fn waits_from(&self) -> Option<u64> {
        (!self.is_closed && !self.ends.is_empty()).then(|| self.desk.tape.begin())
    }

    /// How many bytes wait.
    pub fn waiting_bytes(&self) -> u64 {
        if self.is_closed {
            return 0;
        }
        self.desk.tape.len() - self.ends.len() as u64
    }

    /// How long what waits now may wait: a mere word at the end of a text for a short time only.
    pub fn hold_time(&self) -> Duration {
        let hold = self.desk.detectors.config().hold.time;
        if self.texts.wait_for_little(&self.desk, self.first_end()) {
            hold.min(SHORT_HOLD)
        } else {
            hold
        }
    }

    /// [`Messages::hold_time`] has passed since [`Messages::waits_from`] began to be what it is.
    ///
    /// # Errors
    /// When the policy says block.
    pub fn hold_expired(&mut self, released: &mut VecDeque<Released>) -> Result<(), Blocked> {
        if self.is_closed {
            return Ok(());
        }
        let bound = self.at_bound();
        self.settle(bound, released)
    }

    /// The findings since the last call.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.desk.take_findings()
    }

    fn settle(
        &mut self,
        read: Result<(), Blocked>,
        released: &mut VecDeque<Released>,
    ) -> Result<(), Blocked> {
        let outcome = match read {
            Ok(()) if self.is_over_bound() => self.at_bound(),
            other => other,
        };
        if outcome.is_ok() {
            self.release(released);
        } else {
            self.is_closed = true;
        }
        outcome
    }

    /// Lets the messages go that end before the first byte that must wait.
    fn release(&mut self, released: &mut VecDeque<Released>) {
        let Self { desk, leaving, .. } = self;
        let wait = self.texts.wait_at(desk);
        let first = wait.unwrap_or_else(|| desk.tape.end());
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= first) {
            self.ends.pop_front();
            let is_changed = desk.tape.is_edited_before(end);
            desk.tape.release(end - 1, leaving);
            released.push_back(if is_changed {
                Released::Changed(join(leaving))
            } else {
                Released::AsItCame
            });
            desk.tape.release(end, leaving);
            leaving.clear();
        }
    }

    fn is_over_bound(&self) -> bool {
        self.desk.tape.len() > MAX_WAITING_BYTES || self.ends.len() > MAX_WAITING_MESSAGES
    }

    fn at_bound(&mut self) -> Result<(), Blocked> {
        let end = self.first_end();
        at_bound(&mut self.desk, self.texts.channels(), end)
    }

    /// Where the oldest message that waits ends.
    fn first_end(&self) -> u64 {
        let first = self.ends.front().copied();
        first.unwrap_or_else(|| self.desk.tape.end())
    }
}

impl Payload {
    /// The key of what is not JSON.
    const fn key(self) -> u64 {
        match self {
            Self::Binary => 0x706c_6169_6e62_696e,
            Self::Text => 0x706c_6169_6e74_6578,
        }
    }
}

fn join(pieces: &VecDeque<Bytes>) -> Bytes {
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        whole.extend_from_slice(piece);
    }
    whole.freeze()
}

/// What a finding's channel is called here.
const NAME: &str = "websocket";

/// Messages that may wait: each costs something even when it is empty.
const MAX_WAITING_MESSAGES: usize = 4096;
