//! Errors among the events of a stream (WHATWG HTML, section 9.2).

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use serde_json::Value;

use super::{Form, Scrubber, form, shows_internals};
use crate::protocol::sse::{end_of_event, line_begin};

/// Holds each event back until it is there whole, as its reader does, and writes errors anew.
#[derive(Debug)]
pub struct ErrorEvents {
    scrubber: Scrubber,
    held: BytesMut,
    /// Up to here no event ends in what is held.
    searched: usize,
    /// What is held begins within a line of a long event.
    is_mid_line: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The rest of a long event passes.
    Pass,
    Whole,
    /// The rest of a long event that was replaced.
    Swallow,
}

/// The longest event that is read. A longer one passes, unless it begins like an error.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// What of a long event is its beginning. Arbitrary.
const BEGINNING_BYTES: usize = 4096;

impl ErrorEvents {
    /// For the events of one answer.
    pub fn new(scrubber: Scrubber) -> Self {
        Self {
            scrubber,
            held: BytesMut::new(),
            searched: 0,
            is_mid_line: false,
            state: State::Whole,
        }
    }

    /// The next piece; how many errors were written anew.
    pub fn feed(&mut self, mut bytes: Bytes, out: &mut VecDeque<Bytes>) -> u64 {
        let mut scrubbed = 0;
        if self.held.is_empty() && self.state == State::Whole {
            // Most pieces are whole events without an error, and leave as they came.
            while let Some(end) = end_of_event(&bytes, 0) {
                scrubbed += self.event(bytes.split_to(end), out);
            }
        }
        self.held.extend_from_slice(&bytes);
        if self.is_mid_line
            && let Some(end) = memchr2(b'\r', b'\n', &self.held)
        {
            self.is_mid_line = false;
            let is_pair = self
                .held
                .get(end..)
                .is_some_and(|it| it.starts_with(b"\r\n"));
            self.searched = end + 1 + usize::from(is_pair);
        }
        while !self.is_mid_line
            && let Some(end) = end_of_event(&self.held, self.searched)
        {
            self.searched = 0;
            let event = self.held.split_to(end).freeze();
            match std::mem::replace(&mut self.state, State::Whole) {
                State::Pass => out.push_back(event),
                State::Whole => scrubbed += self.event(event, out),
                State::Swallow => {}
            }
        }
        self.searched = line_begin(&self.held);
        scrubbed + self.bound(out)
    }

    /// The stream has ended. What is held is an event without its end, which no reader takes for one.
    pub fn finish(&mut self, out: &mut VecDeque<Bytes>) -> u64 {
        let rest = self.held.split().freeze();
        match self.state {
            State::Pass => out.push_back(rest),
            State::Whole if !rest.is_empty() => return self.event(rest, out),
            State::Whole | State::Swallow => {}
        }
        0
    }

    /// Minds what is held: comments belong to no event, and some events are too long.
    fn bound(&mut self, out: &mut VecDeque<Bytes>) -> u64 {
        if self.state == State::Whole {
            let comments = comments(&self.held);
            if comments > 0 {
                out.push_back(self.held.split_to(comments).freeze());
                self.searched = self.searched.saturating_sub(comments);
            }
            if self.held.len() <= MAX_EVENT_BYTES {
                return 0;
            }
        }
        let rest = self.held.split().freeze();
        self.searched = 0;
        self.is_mid_line = !rest.ends_with(b"\n");
        if self.state == State::Whole {
            let beginning = rest.get(..BEGINNING_BYTES).unwrap_or_default();
            if memchr::memmem::find(beginning, b"error").is_some() {
                self.state = State::Swallow;
                out.push_back(self.written(&rest, 500, super::Told::default()));
                return 1;
            }
            self.state = State::Pass;
        }
        if self.state == State::Pass {
            out.push_back(rest);
        }
        0
    }

    fn event(&self, event: Bytes, out: &mut VecDeque<Bytes>) -> u64 {
        match self.scrubbed(&event) {
            Some(scrubbed) => {
                out.push_back(scrubbed);
                1
            }
            None => {
                out.push_back(event);
                0
            }
        }
    }

    fn scrubbed(&self, event: &[u8]) -> Option<Bytes> {
        if !speaks_of_errors(event) {
            return None;
        }
        let read = Event::read(event);
        let is_error = read.kind == b"error";
        let data = &*read.data;
        match form(self.scrubber.dialect) {
            Form::JsonRpc => match self.scrubber.document(200, data) {
                Some(document) => Some(read.with(&document)),
                None => self.plain(event, is_error, data),
            },
            Form::Rest => {
                let value: Option<Value> = serde_json::from_slice(data).ok();
                let Some(fault) = value.as_ref().and_then(|value| fault(value, is_error)) else {
                    return self.plain(event, is_error, data);
                };
                let is_kept = fault < 500 && !shows_internals(data);
                (!is_kept).then(|| self.written(event, fault, self.scrubber.told(data)))
            }
            Form::Plain => self.plain(event, is_error, data),
        }
    }

    /// Of an event whose data has no form that we know.
    fn plain(&self, event: &[u8], is_error: bool, data: &[u8]) -> Option<Bytes> {
        (is_error && shows_internals(data))
            .then(|| self.written(event, 500, super::Told::default()))
    }

    fn written(&self, event: &[u8], status: u16, told: super::Told) -> Bytes {
        let null = crate::model::RpcId::null();
        let id = self.scrubber.rpc_id.as_ref().unwrap_or(&null);
        let rendered = self.scrubber.render(Some(id), status, told);
        Event::read(event).with(&rendered.body)
    }
}

/// Whether an event may be an error: by its type, by a key, or by one that is written with escapes.
fn speaks_of_errors(event: &[u8]) -> bool {
    memchr::memmem::find(event, b"error").is_some()
        || memchr::memmem::find(event, b"\\u00").is_some()
}

/// The status that the error in an event would have, if it is one.
fn fault(value: &Value, is_error: bool) -> Option<u16> {
    let error = value.get("error").filter(|error| !error.is_null());
    let by_type = value.get("type").and_then(Value::as_str) == Some("error");
    if error.is_none() && !by_type && !is_error {
        return None;
    }
    let error = error.unwrap_or(value);
    let code = error.get("code").and_then(Value::as_u64);
    if let Some(code) = code.filter(|code| (400..600).contains(code)) {
        return u16::try_from(code).ok();
    }
    Some(match error.get("type").and_then(Value::as_str) {
        Some("overloaded_error") => 503,
        Some("timeout_error") => 504,
        Some(kind) if CALLERS_FAULT.contains(&kind) => 400,
        Some("rate_limit_error" | "requests" | "tokens" | "insufficient_quota") => 429,
        _ => 500,
    })
}

/// Types of errors of the model APIs.
const CALLERS_FAULT: &[&str] = &[
    "authentication_error",
    "billing_error",
    "invalid_request_error",
    "not_found_error",
    "permission_error",
    "request_too_large",
];

/// The lines of an event.
struct Event<'a> {
    kind: &'a [u8],
    data: Vec<u8>,
    /// Those that stay when its data is another.
    others: Vec<&'a [u8]>,
}

impl<'a> Event<'a> {
    fn read(event: &'a [u8]) -> Self {
        let mut read = Self {
            kind: b"",
            data: Vec::new(),
            others: Vec::new(),
        };
        let mut rest = event.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(event);
        while !rest.is_empty() {
            let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (line, tail) = rest.split_at_checked(end).unwrap_or_default();
            rest = tail.get(1..).unwrap_or_default();
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let name = parts.next().unwrap_or_default();
            let value = parts.next().unwrap_or_default();
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"data" => {
                    if !read.data.is_empty() {
                        read.data.push(b'\n');
                    }
                    read.data.extend_from_slice(value);
                }
                b"event" => {
                    read.kind = value;
                    read.others.push(line);
                }
                b"id" | b"retry" => read.others.push(line),
                // Comments of an error may be anything.
                _ => {}
            }
        }
        read
    }

    /// The event with this data, which is one line.
    fn with(&self, data: &[u8]) -> Bytes {
        let mut event = BytesMut::with_capacity(data.len() + 64);
        for line in &self.others {
            event.extend_from_slice(line);
            event.extend_from_slice(b"\n");
        }
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(data);
        event.extend_from_slice(b"\n\n");
        event.freeze()
    }
}

/// How many bytes of whole comments come first.
fn comments(bytes: &[u8]) -> usize {
    let mut length = 0;
    let mut rest = bytes;
    while let [b':', ..] = rest {
        let Some(end) = memchr::memchr(b'\n', rest) else {
            break;
        };
        length += end + 1;
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    length
}
