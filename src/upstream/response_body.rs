//! What the agent answers, on its way to the scan.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::Deadlines;
use super::error::UpstreamError;
use super::gate::Slot;
use super::link::Link;
use super::request_body::Progress;
use super::trailers;
use crate::clock::{self, Stall};

/// The body of the agent's answer.
///
/// Ends with `None` only when the agent said that it is complete; everything else is an error, and an
/// error is the last item. An answer without a length ends when the agent closes: there, and only
/// there, HTTP/1 cannot tell an end from a death (RFC 9112, section 8).
///
/// Trailers of the agent are the last frame, given out when the agent has said that all of it is complete, and
/// without what must not stand there (RFC 9110, section 6.5.1). They are not scanned yet.
///
/// Dropped before its end it closes the agent's connection, so that the agent hears at once that
/// nobody listens any more. While it is not polled no deadline runs: who does not read is the
/// listener's business.
#[derive(Debug)]
pub struct ResponseBody {
    // Of an HTTP/2 stream; an HTTP/1.1 connection is read by itself.
    incoming: Option<Incoming>,
    stall: Stall,
    total: Instant,
    state: State,
    // Boxed: few answers have any.
    trailers: Option<Box<HeaderMap>>,
}

#[derive(Debug)]
enum State {
    Complete,
    Failed,
    Streaming(Lease),
}

/// The connection that the body comes on.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) link: Link,
    pub(super) progress: Option<Arc<Progress>>,
    pub(super) slot: Slot,
}

impl ResponseBody {
    pub(super) fn new(incoming: Option<Incoming>, deadlines: Deadlines, lease: Lease) -> Self {
        let mut body = Self {
            incoming,
            stall: Stall::new(deadlines.idle).capped(deadlines.total),
            total: deadlines.total,
            state: State::Streaming(lease),
            trailers: None,
        };
        // Whoever sees a body that is at its end does not poll it.
        if body.is_over() {
            body.complete();
        }
        body
    }

    /// Whether all of it is here, so that nobody has to wait for the agent.
    pub fn has_arrived(&self) -> bool {
        match &self.state {
            State::Complete => true,
            State::Failed => false,
            State::Streaming(lease) => match &lease.link {
                Link::Http1(connection) => connection.has_arrived(),
                Link::Http2(_) => false,
            },
        }
    }

    /// Whether there is nothing more to read.
    fn is_over(&self) -> bool {
        match (&self.state, &self.incoming) {
            (State::Streaming(lease), incoming) => match (&lease.link, incoming) {
                (Link::Http1(connection), _) => connection.is_over(),
                (Link::Http2(_), Some(incoming)) => incoming.is_end_stream(),
                (Link::Http2(_), None) => true,
            },
            (State::Complete | State::Failed, _) => true,
        }
    }

    /// The next piece, from whatever carries it.
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match (&mut self.state, &mut self.incoming) {
            (State::Streaming(lease), incoming) => match (&mut lease.link, incoming) {
                (Link::Http1(connection), _) => connection.poll_frame(cx),
                (Link::Http2(_), Some(incoming)) => Pin::new(incoming)
                    .poll_frame(cx)
                    .map_err(UpstreamError::within_the_answer),
                (Link::Http2(_), None) => Poll::Ready(None),
            },
            (State::Complete | State::Failed, _) => Poll::Ready(None),
        }
    }

    /// Whether all of it was read and the agent said that it was all.
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Lets the rest take other times than were agreed on before the answer's head told what it is.
    pub fn set_deadlines(&mut self, idle: Duration, total: Instant) {
        self.stall = Stall::new(idle).capped(total);
        self.total = total;
    }

    fn complete(&mut self) {
        if let State::Streaming(lease) = std::mem::replace(&mut self.state, State::Complete)
            && let Link::Http1(connection) = lease.link
        {
            lease.slot.shared.pool.push(connection, clock::now());
        }
    }

    fn fail(&mut self, error: UpstreamError) -> UpstreamError {
        self.trailers = None;
        let State::Streaming(lease) = std::mem::replace(&mut self.state, State::Failed) else {
            return error;
        };
        // The connection carries both bodies; when it was the caller's that broke it, say so.
        let fault = lease.progress.as_ref().and_then(|body| body.fault());
        let error = fault.map_or(error, UpstreamError::RequestBody);
        lease.slot.shared.stats.failed(&error);
        error
    }

    fn timeout(&self) -> UpstreamError {
        if clock::now() >= self.total {
            UpstreamError::TotalTimeout
        } else {
            UpstreamError::IdleTimeout
        }
    }

    /// Bytes that were announced and did not come. The client checks this too; a body must not look
    /// complete because one of us was wrong. Over HTTP/2 it does not: a stream that was reset with `CANCEL`
    /// or `NO_ERROR` before its end looks to it like one that ended.
    fn is_short(&self) -> bool {
        let announced = self.size_hint().exact();
        announced.is_some_and(|missing| missing > 0) || !self.is_over()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let this = self.get_mut();
        let error = loop {
            if !matches!(this.state, State::Streaming(_)) {
                let trailers = this.trailers.take();
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(*trailers))));
            }
            match this.poll_piece(cx) {
                Poll::Pending if this.stall.poll_expired(cx).is_pending() => return Poll::Pending,
                Poll::Pending => break this.timeout(),
                Poll::Ready(None) if this.is_short() => break UpstreamError::Truncated(None),
                Poll::Ready(None) => this.complete(),
                Poll::Ready(Some(Err(error))) => break error,
                Poll::Ready(Some(Ok(frame))) => {
                    let data = match frame.into_data() {
                        Ok(data) => data,
                        Err(frame) => {
                            this.trailers = frame.into_trailers().ok().and_then(sane);
                            continue;
                        }
                    };
                    this.stall.progress();
                    if this.is_over() {
                        this.complete();
                    } else if clock::now() >= this.total {
                        // Here too: an agent that never pauses never arms a timer.
                        break UpstreamError::TotalTimeout;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
            }
        };
        Poll::Ready(Some(Err(this.fail(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_complete() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.state, &self.incoming) {
            (State::Complete, _) => SizeHint::with_exact(0),
            (State::Streaming(lease), incoming) => match (&lease.link, incoming) {
                (Link::Http1(connection), _) => connection.size_hint(),
                (Link::Http2(_), Some(incoming)) => incoming.size_hint(),
                (Link::Http2(_), None) => SizeHint::default(),
            },
            (State::Failed, _) => SizeHint::default(),
        }
    }
}

fn sane(mut fields: HeaderMap) -> Option<Box<HeaderMap>> {
    trailers::sanitize(&mut fields);
    (!fields.is_empty()).then(|| Box::new(fields))
}
