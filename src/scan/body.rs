//! The scan of one body.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::Finding;

use super::channel::{Channel, Desk, Placed};
use super::config::{AtBound, Config};
use super::detectors::Detectors;
use super::grpc::{GrpcCarrier, Reply};
use super::json::JsonCarrier;
use super::multipart::{Boundary, MultipartCarrier};
use super::sse::SseCarrier;
use super::text::TextCarrier;

/// Raw bytes that may wait, whatever the hold-back of texts allows: what waits holds up all behind it.
pub(super) const MAX_WAITING_BYTES: u64 = 2 << 20;

/// How long the last word of a text that stands whole waits for a next one.
pub(super) const SHORT_HOLD: Duration = Duration::from_secs(1);

/// What kind of bytes a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Messages of gRPC.
    Grpc(Reply),
    /// JSON documents.
    Json,
    /// Several parts with this between them.
    Multipart(Boundary),
    /// Server-sent events.
    Sse,
    /// Anything else.
    Text,
}

impl Carrier {
    /// The carrier of a `Content-Type`. What is not known is read as text.
    pub fn of(content_type: Option<&str>) -> Self {
        let essence = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let starts = |name: &str| {
            let start = essence.get(..name.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(name)
        };
        let suffix = essence.rsplit_once('+').map_or("", |(_, suffix)| suffix);
        if is("text/event-stream") {
            Self::Sse
        } else if is("application/grpc+json") {
            Self::Grpc(Reply::Json)
        } else if is("application/grpc") || starts("application/grpc+") {
            Self::Grpc(Reply::Unknown)
        } else if is("application/json")
            || is("application/json-seq")
            || is("application/jsonl")
            || is("application/ndjson")
            || is("application/x-ndjson")
            || is("text/json")
            || suffix.eq_ignore_ascii_case("json")
        {
            Self::Json
        } else if starts("multipart/") {
            let boundary = content_type.and_then(Boundary::of);
            boundary.map_or(Self::Text, Self::Multipart)
        } else {
            Self::Text
        }
    }
}

/// Why a body ends here. After it nothing more is released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// A message of gRPC is compressed, although nobody asked for that.
    #[error("a compressed message")]
    Compressed,
    /// An event is larger than what may be held.
    #[error("an event is larger than 1 MiB")]
    EventTooLarge,
    /// A finding whose action is `block`.
    #[error("found {detector}")]
    Finding {
        /// The detector.
        detector: &'static str,
        /// Offset of its first protected byte in the body.
        at: u64,
    },
    /// A candidate reached the bound of the hold-back.
    #[error("a candidate reached the bound of the hold-back")]
    HoldBound,
    /// A message of gRPC is larger than what may be held.
    #[error("a message is larger than 4 MiB")]
    MessageTooLarge,
    /// JSON nested deeper than any client reads.
    #[error("the json is nested too deeply")]
    TooDeep,
    /// More texts at the same time than can be told apart.
    #[error("too many texts wait at the same time")]
    TooManyTexts,
}

/// One body, read piece by piece.
///
/// The same pieces in any other cutting give the same findings and the same bytes.
#[derive(Debug)]
pub struct Scan {
    desk: Desk,
    reader: Reader,
    /// Nothing leaves any more.
    closed: bool,
}

#[derive(Debug)]
enum Reader {
    Grpc(Box<GrpcCarrier>),
    Json(Box<JsonCarrier>),
    Multipart(Box<MultipartCarrier>),
    /// Nothing is looked for.
    Nothing,
    Sse(Box<SseCarrier>),
    Text(Box<TextCarrier>),
}

impl Scan {
    /// A scan of a body of this kind.
    pub fn new(detectors: Arc<Detectors>, carrier: Carrier) -> Self {
        let reader = match carrier {
            _ if detectors.is_empty() => Reader::Nothing,
            Carrier::Grpc(reply) => Reader::Grpc(Box::new(GrpcCarrier::new(reply))),
            Carrier::Json => Reader::Json(Box::default()),
            Carrier::Multipart(boundary) => {
                Reader::Multipart(Box::new(MultipartCarrier::new(boundary)))
            }
            Carrier::Sse => Reader::Sse(Box::new(SseCarrier::new())),
            Carrier::Text => Reader::Text(Box::default()),
        };
        Self {
            desk: Desk::new(detectors),
            reader,
            closed: false,
        }
    }

    /// The next piece of the body. What may leave is appended to `released`; what needs no change leaves
    /// as slices of `input`.
    ///
    /// # Errors
    /// When the body must end here.
    pub fn feed(&mut self, input: Bytes, released: &mut VecDeque<Bytes>) -> Result<(), Blocked> {
        if self.closed {
            return Ok(());
        }
        self.choose(&input);
        let read = match &mut self.reader {
            Reader::Grpc(grpc) => grpc.feed(&mut self.desk, input, released),
            Reader::Json(json) => json.feed(&mut self.desk, &input),
            Reader::Multipart(parts) => parts.feed(&mut self.desk, input),
            Reader::Nothing => {
                released.push_back(input);
                return Ok(());
            }
            Reader::Sse(sse) => sse.feed(&mut self.desk, input, released),
            Reader::Text(text) => text.feed(&mut self.desk, &input),
        };
        self.settle(read, released)
    }

    /// The body ended well: what waits is judged for the last time and leaves.
    ///
    /// # Errors
    /// When a finding at the very end blocks.
    pub fn finish(&mut self, released: &mut VecDeque<Bytes>) -> Result<(), Blocked> {
        if self.closed {
            return Ok(());
        }
        let read = match &mut self.reader {
            Reader::Grpc(grpc) => grpc.finish(&mut self.desk, released),
            Reader::Json(json) => json.finish(&mut self.desk),
            Reader::Multipart(parts) => parts.finish(&mut self.desk),
            Reader::Nothing => Ok(()),
            Reader::Sse(sse) => sse.finish(&mut self.desk, released),
            Reader::Text(text) => text.finish(&mut self.desk),
        };
        self.settle(read, released)
    }

    /// The body broke off: what is decided leaves, what waits does not.
    pub fn abort(&mut self, released: &mut VecDeque<Bytes>) {
        if !self.closed {
            let frontier = self.frontier();
            self.desk.tape.release(frontier, released);
            self.closed = true;
        }
    }

    /// Where in the body the oldest byte that waits lies; `None` while nothing waits. A hold is over when
    /// this moves on, even if something newer waits then.
    pub fn waits_from(&self) -> Option<u64> {
        (!self.closed && self.desk.tape.len() > 0).then(|| self.desk.tape.begin())
    }

    /// How many bytes wait.
    pub fn waiting_bytes(&self) -> u64 {
        if self.closed { 0 } else { self.desk.tape.len() }
    }

    /// How long what waits now may wait.
    pub fn hold_time(&self) -> Duration {
        let hold = self.config().hold.time;
        match &self.reader {
            Reader::Grpc(grpc) if grpc.waits_for_little(&self.desk) => hold.min(SHORT_HOLD),
            Reader::Sse(sse) if sse.waits_for_little(&self.desk) => hold.min(SHORT_HOLD),
            Reader::Grpc(_)
            | Reader::Json(_)
            | Reader::Multipart(_)
            | Reader::Nothing
            | Reader::Sse(_)
            | Reader::Text(_) => hold,
        }
    }

    /// [`Scan::hold_time`] has passed since [`Scan::waits_from`] began to be what it is. A word that could
    /// have stood before an `@` goes; for what has shown what it is, the policy decides.
    ///
    /// # Errors
    /// When the policy says block.
    pub fn hold_expired(&mut self, released: &mut VecDeque<Bytes>) -> Result<(), Blocked> {
        if self.closed {
            return Ok(());
        }
        let bound = self.at_bound();
        self.settle(bound, released)
    }

    /// The findings since the last call.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.desk.take_findings()
    }

    /// The findings since the last call, with where they stand in the body.
    pub fn take_placed(&mut self) -> Vec<Placed> {
        self.desk.take_placed()
    }

    /// The detectors for whose sake bytes wait, by name. None where it is a mere word or a run of digits, which an
    /// `@` or more digits may yet make something of.
    pub fn waits_for(&mut self) -> Vec<&'static str> {
        let Self { desk, reader, .. } = self;
        let mut names: Vec<_> = channels(reader)
            .flat_map(|channel| channel.waits_for(desk).collect::<Vec<_>>())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether any byte left as something else than it came.
    pub const fn changed(&self) -> bool {
        self.desk.tape.edited()
    }

    /// What is looked for.
    pub fn detectors(&self) -> &Detectors {
        &self.desk.detectors
    }

    fn config(&self) -> &Config {
        self.desk.detectors.config()
    }

    /// After reading: lets out what is decided, and minds the bounds.
    fn settle(
        &mut self,
        read: Result<(), Blocked>,
        released: &mut VecDeque<Bytes>,
    ) -> Result<(), Blocked> {
        let outcome = match read {
            Ok(()) if self.is_over_bound() => self.at_bound(),
            other => other,
        };
        match &outcome {
            Ok(()) => {
                let frontier = self.frontier();
                self.desk.tape.release(frontier, released);
            }
            Err(blocked) => {
                self.closed = true;
                // What stands before the finding is clean. An event stream ends between two events.
                let is_one = matches!(
                    self.reader,
                    Reader::Json(_) | Reader::Multipart(_) | Reader::Text(_)
                );
                if let Blocked::Finding { at, .. } = blocked
                    && is_one
                {
                    let frontier = self.frontier().min(*at);
                    self.desk.tape.release(frontier, released);
                }
            }
        }
        outcome
    }

    fn frontier(&mut self) -> u64 {
        match &mut self.reader {
            Reader::Grpc(grpc) => grpc.frontier(&mut self.desk),
            Reader::Json(json) => json.frontier(&self.desk),
            Reader::Multipart(parts) => parts.frontier(&self.desk),
            Reader::Nothing => self.desk.tape.end(),
            Reader::Sse(sse) => sse.frontier(&self.desk),
            Reader::Text(text) => {
                let tape = &self.desk.tape;
                text.waits_at(tape).unwrap_or_else(|| tape.end())
            }
        }
    }

    /// A body whose kind nobody told, or told wrong, may be JSON all the same; what is not, the carrier of
    /// JSON reads as text.
    fn choose(&mut self, input: &[u8]) {
        let is_begun = self.desk.tape.end() > 0;
        if matches!(self.reader, Reader::Text(_))
            && !is_begun
            && matches!(input.first(), Some(b'{' | b'['))
        {
            self.reader = Reader::Json(Box::default());
        }
    }

    fn is_over_bound(&self) -> bool {
        self.desk.tape.len() > MAX_WAITING_BYTES
    }

    fn at_bound(&mut self) -> Result<(), Blocked> {
        let Self { desk, reader, .. } = self;
        let end = match reader {
            Reader::Grpc(grpc) => grpc.first_end(desk),
            Reader::Sse(sse) => sse.first_end(desk),
            Reader::Json(_) | Reader::Multipart(_) | Reader::Nothing | Reader::Text(_) => {
                desk.tape.end()
            }
        };
        at_bound(desk, channels(reader), end)
    }
}

/// The oldest unit that waits, which ends at `end`, has waited long enough.
pub(super) fn at_bound<'a>(
    desk: &mut Desk,
    channels: impl Iterator<Item = &'a mut Channel>,
    end: u64,
) -> Result<(), Blocked> {
    let releases = desk.detectors.config().hold.at_bound == AtBound::Release;
    for channel in channels {
        if channel.waits_at(&desk.tape).is_none_or(|at| at >= end) {
            continue;
        }
        if !releases && channel.is_anchored(desk) {
            return Err(Blocked::HoldBound);
        }
        channel.let_go(desk)?;
    }
    Ok(())
}

fn channels(reader: &mut Reader) -> Box<dyn Iterator<Item = &mut Channel> + '_> {
    match reader {
        Reader::Grpc(grpc) => Box::new(grpc.channels()),
        Reader::Json(json) => Box::new(json.channels()),
        Reader::Multipart(parts) => parts.channels(),
        Reader::Nothing => Box::new(std::iter::empty()),
        Reader::Sse(sse) => Box::new(sse.channels()),
        Reader::Text(text) => Box::new(text.channels()),
    }
}
