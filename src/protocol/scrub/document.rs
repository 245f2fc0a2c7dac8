//! One document of JSON-RPC that arrives piece by piece.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::protocol::json::{Reader, Token};

use super::Scrubber;

/// Holds a document back until it has said whether it is an error; an error to its end.
#[derive(Debug)]
pub struct Document {
    scrubber: Scrubber,
    status: u16,
    held: BytesMut,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The answers to a batch, held to their end.
    Batch,
    /// It is an error.
    Error,
    /// Not known yet.
    Open,
    /// It is none, or no answer of JSON-RPC.
    Pass,
    /// What was left of an error after it was replaced.
    Swallow,
}

/// Where the first key of an answer must have come. Agents write `jsonrpc`, a short id, and then `result` or `error`.
const MAX_BEGINNING_BYTES: usize = 4096;

/// The longest error that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

impl Document {
    /// For the body of an answer with this status.
    pub fn new(scrubber: Scrubber, status: u16) -> Self {
        Self {
            scrubber,
            status,
            held: BytesMut::new(),
            state: State::Open,
        }
    }

    /// The next piece; how many errors were written anew.
    pub fn feed(&mut self, bytes: Bytes, out: &mut VecDeque<Bytes>) -> u64 {
        match self.state {
            State::Pass => {
                out.push_back(bytes);
                return 0;
            }
            State::Swallow => return 0,
            State::Batch | State::Error | State::Open => self.held.extend_from_slice(&bytes),
        }
        if self.state == State::Open {
            self.state = kind(&self.held);
            if self.state == State::Open && self.held.len() > MAX_BEGINNING_BYTES {
                self.state = State::Pass;
            }
        }
        if self.state == State::Pass {
            out.push_back(self.held.split().freeze());
        } else if self.held.len() > self.state.bound() {
            // Nobody says that much to a caller.
            self.held.clear();
            self.state = State::Swallow;
            out.extend(
                self.scrubber
                    .answer(self.status.max(500), None)
                    .map(|it| it.body),
            );
            return 1;
        }
        0
    }

    /// The document has ended.
    pub fn finish(&mut self, out: &mut VecDeque<Bytes>) -> u64 {
        let held = self.held.split().freeze();
        if held.is_empty() {
            return 0;
        }
        match self.scrubber.document(self.status, &held) {
            Some(scrubbed) => {
                out.push_back(scrubbed);
                1
            }
            None => {
                out.push_back(held);
                0
            }
        }
    }
}

/// The longest answers to a batch: what an answer may be by default.
const MAX_BATCH_BYTES: usize = 16 << 20;

impl State {
    const fn bound(self) -> usize {
        match self {
            Self::Batch => MAX_BATCH_BYTES,
            Self::Error | Self::Open | Self::Pass | Self::Swallow => MAX_ERROR_BYTES,
        }
    }
}

/// What the beginning of a document tells.
fn kind(bytes: &[u8]) -> State {
    let text = bytes.utf8_chunks().next();
    let text = text.map_or("", |chunk| chunk.valid());
    let Ok(mut reader) = Reader::new(text.as_bytes(), 64) else {
        return State::Pass;
    };
    match reader.next() {
        Ok(Some(Token::ArrayBegin)) => return State::Batch,
        Ok(Some(Token::ObjectBegin)) => {}
        Ok(_) => return State::Pass,
        Err(_) => return State::Open,
    }
    let mut depth = 0_usize;
    let mut is_error = false;
    loop {
        match reader.next() {
            Ok(Some(Token::Key(key))) if depth == 0 => match key.decode().as_deref() {
                Ok("result") => return State::Pass,
                Ok(name) => is_error = name == "error",
                Err(_) => return State::Pass,
            },
            Ok(Some(Token::Null)) if depth == 0 => is_error = false,
            Ok(Some(_)) if is_error && depth == 0 => return State::Error,
            Ok(Some(Token::ArrayBegin | Token::ObjectBegin)) => depth += 1,
            Ok(Some(Token::ArrayEnd | Token::ObjectEnd)) => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return State::Pass,
            },
            Ok(Some(_)) => {}
            Ok(None) => return State::Pass,
            // Cut off, or broken: one looks like the other.
            Err(_) => return State::Open,
        }
    }
}
