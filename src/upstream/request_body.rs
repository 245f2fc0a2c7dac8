//! What the caller sends, on its way to the agent.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::error::RequestBodyError;
use super::trailers;
use crate::clock::Stall;

/// The body of a request to the agent. Trailers of the caller go to an HTTP/2 agent only: an HTTP/1.1 one was
/// not told to expect any.
#[derive(Debug)]
pub enum RequestBody {
    /// None.
    Empty,
    /// All of it, as it was judged.
    Full(Bytes),
    /// As it arrives.
    Stream(Box<StreamedBody>),
}

/// A body of which at most a beginning was read; see [`RequestBody::stream`].
pub struct StreamedBody {
    prefix: Option<Bytes>,
    // Whoever serves the caller has a body of its own kind.
    rest: Box<dyn Body<Data = Bytes, Error = RequestBodyError> + Send + Unpin>,
    left: u64,
    passes_trailers: bool,
    stall: Stall,
    progress: Arc<Progress>,
}

/// How far a streamed body has come, for those who wait at the other end of the exchange.
#[derive(Debug, Default)]
pub(super) struct Progress {
    bytes: AtomicU64,
    state: AtomicU8,
}

impl RequestBody {
    /// A body whose beginning, `prefix`, was already read. It fails when it is longer than `limit`
    /// bytes in all, and when the caller pauses for longer than `idle`. Any error of `rest` means that
    /// the caller's body broke off.
    ///
    /// # Errors
    /// [`RequestBodyError::TooLarge`] when what is known of the length already tells.
    pub fn stream<B>(
        prefix: Bytes,
        rest: B,
        limit: u64,
        idle: Duration,
    ) -> Result<Self, RequestBodyError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let left = remaining(limit, prefix.len())?;
        if rest.size_hint().lower() > left {
            return Err(RequestBodyError::TooLarge);
        }
        if rest.is_end_stream() {
            return Ok(Self::full(prefix));
        }
        Ok(Self::Stream(Box::new(StreamedBody {
            prefix: (!prefix.is_empty()).then_some(prefix),
            rest: Box::new(rest.map_err(|_| RequestBodyError::Broken)),
            left,
            passes_trailers: false,
            stall: Stall::new(idle),
            progress: Arc::default(),
        })))
    }

    /// A whole body; [`RequestBody::Empty`] when there are no bytes.
    pub fn full(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Full(bytes)
        }
    }

    /// Lets trailers through that may stand there.
    pub(super) fn pass_trailers(&mut self) {
        if let Self::Stream(body) = self {
            body.passes_trailers = true;
        }
    }

    pub(super) fn progress(&self) -> Option<Arc<Progress>> {
        match self {
            Self::Empty | Self::Full(_) => None,
            Self::Stream(body) => Some(Arc::clone(&body.progress)),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(body) => body.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(length(bytes)),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

impl StreamedBody {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        if let Some(prefix) = self.prefix.take() {
            return Poll::Ready(Some(Ok(self.moved(prefix))));
        }
        loop {
            let outcome = match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Pending => {
                    self.progress.set(WAITING);
                    if self.stall.poll_expired(cx).is_pending() {
                        return Poll::Pending;
                    }
                    Err(RequestBodyError::Stalled)
                }
                Poll::Ready(None) => {
                    self.progress.set(DONE);
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => Err(error),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => remaining(self.left, data.len()).map(|left| {
                        self.left = left;
                        self.stall.progress();
                        self.moved(data)
                    }),
                    Err(frame) => match self.trailers(frame) {
                        Some(trailers) => Ok(trailers),
                        None => continue,
                    },
                },
            };
            if let Err(error) = &outcome {
                self.progress.fail(*error);
            }
            return Poll::Ready(Some(outcome));
        }
    }

    /// Notes that these bytes are on their way, before somebody sees the end and does not ask again.
    fn moved(&self, data: Bytes) -> Frame<Bytes> {
        self.progress.bytes.fetch_add(length(&data), Relaxed);
        self.progress.set(if self.is_end() { DONE } else { MOVING });
        Frame::data(data)
    }

    /// What of the trailers goes on.
    fn trailers(&self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let mut fields = frame
            .into_trailers()
            .ok()
            .filter(|_| self.passes_trailers)?;
        trailers::sanitize(&mut fields);
        if fields.is_empty() {
            return None;
        }
        self.progress.set(DONE);
        Some(Frame::trailers(fields))
    }

    fn is_end(&self) -> bool {
        self.prefix.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let prefix = self.prefix.as_ref().map_or(0, length);
        let rest = self.rest.size_hint();
        match rest.exact().and_then(|rest| rest.checked_add(prefix)) {
            Some(exact) => SizeHint::with_exact(exact),
            None => SizeHint::new(),
        }
    }
}

impl fmt::Debug for StreamedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedBody")
            .field("left", &self.left)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl Progress {
    /// Bytes that the connection has taken.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Whether more than `before` was taken, or the caller is the one that everybody waits for.
    pub(super) fn has_moved(&self, before: u64) -> bool {
        self.bytes() > before || self.state.load(Acquire) == WAITING
    }

    /// Why it ended badly, if it did.
    pub(super) fn fault(&self) -> Option<RequestBodyError> {
        match self.state.load(Acquire) {
            BROKEN => Some(RequestBodyError::Broken),
            STALLED => Some(RequestBodyError::Stalled),
            TOO_LARGE => Some(RequestBodyError::TooLarge),
            _ => None,
        }
    }

    fn set(&self, state: u8) {
        self.state.store(state, Release);
    }

    fn fail(&self, error: RequestBodyError) {
        self.set(match error {
            RequestBodyError::Broken => BROKEN,
            RequestBodyError::Stalled => STALLED,
            RequestBodyError::TooLarge => TOO_LARGE,
        });
    }
}

fn remaining(limit: u64, taken: usize) -> Result<u64, RequestBodyError> {
    u64::try_from(taken)
        .ok()
        .and_then(|taken| limit.checked_sub(taken))
        .ok_or(RequestBodyError::TooLarge)
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

// States of a `Progress`. `MOVING` is the state in which a body starts.
const MOVING: u8 = 0;
const WAITING: u8 = 1;
const DONE: u8 = 2;
const BROKEN: u8 = 3;
const STALLED: u8 = 4;
const TOO_LARGE: u8 = 5;
