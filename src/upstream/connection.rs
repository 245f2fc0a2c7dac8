//! One HTTP/1.1 connection to the agent.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, response};
use http_body::{Frame, SizeHint};

use super::error::{Broken, UpstreamError};
use super::gate::Slot;
use super::incoming::{Rest, take_head};
use super::outgoing::{ENOUGH, Outgoing};
use super::request_body::RequestBody;
use super::socket::Socket;
use super::upgrade::SwitchedStream;
use crate::clock::Alarm;
use crate::http1::{Outbox, is_persistent, poll_fill};

/// A connection, driven by whoever waits for it: no task of its own, so that an exchange does not
/// travel between tasks, and dropping this closes the socket at once.
///
/// The price: while nobody waits, nothing is read. That the agent has closed an idle connection is
/// seen when it is used next, before the first byte of a request is written.
// Boxed, for it moves with each exchange and is large.
#[derive(Debug)]
pub(super) struct Connection(Box<Exchange>);

#[derive(Debug)]
struct Exchange {
    socket: Socket,
    inbox: BytesMut,
    outbox: Outbox,
    outgoing: Outgoing,
    rest: Rest,
    /// What the request asks by.
    method: Method,
    /// Its timer outlives the exchange, so that hardly any call has to set one up.
    alarm: Alarm,
    stage: Stage,
    is_for_one: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The head of the answer was read; `keeps` says whether another exchange may follow.
    Answered { keeps: bool },
    /// Something went wrong, or the agent closes: no exchange begins any more.
    Broken,
    /// No exchange has begun.
    New,
    /// The head of the answer is waited for.
    Waiting,
}

impl Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Self(Box::new(Exchange {
            socket,
            inbox: BytesMut::new(),
            outbox: Outbox::default(),
            outgoing: Outgoing::default(),
            rest: Rest::default(),
            method: Method::GET,
            alarm: Alarm::default(),
            stage: Stage::New,
            is_for_one: false,
        }))
    }

    /// Whether the agent still keeps the connection, and has said nothing unasked. Nothing was written by then.
    ///
    /// # Errors
    /// Why no exchange can begin.
    pub(super) async fn check(&mut self) -> Result<(), UpstreamError> {
        poll_fn(|cx| Poll::Ready(self.0.check(cx))).await
    }

    /// Begins an exchange, and takes the body out of the request.
    pub(super) fn begin(&mut self, request: &mut Request<RequestBody>) {
        let exchange = &mut *self.0;
        exchange.method.clone_from(request.method());
        exchange.outgoing = Outgoing::begin(request, &mut exchange.outbox);
        exchange.stage = Stage::Waiting;
    }

    /// The head of the answer; `None` at `limit`, when it may be waited for again.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn head(
        &mut self,
        limit: Instant,
    ) -> Result<Option<response::Parts>, UpstreamError> {
        let exchange = &mut *self.0;
        exchange.alarm.set(limit);
        let head = poll_fn(|cx| match exchange.poll_head(cx) {
            Poll::Ready(head) => Poll::Ready(head.map(Some)),
            Poll::Pending => exchange.alarm.poll(cx).map(|()| Ok(None)),
        });
        let head = head.await;
        exchange.alarm.clear();
        head
    }

    /// The next piece of the answer's body. Whatever is missing of the request is sent meanwhile.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        self.0.poll_frame(cx).map(Result::transpose)
    }

    /// Whether all of the answer was read.
    pub(super) const fn is_over(&self) -> bool {
        self.0.rest.is_nothing()
    }

    /// Whether all that is missing of the answer has arrived.
    pub(super) fn has_arrived(&self) -> bool {
        let missing = self.0.rest.length();
        missing.is_some_and(|missing| missing <= self.0.inbox.len() as u64)
    }

    /// How much of the answer is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.0
            .rest
            .length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// Whether the last exchange ended cleanly on both sides, so that another may begin.
    pub(super) fn is_idle(&self) -> bool {
        let exchange = &*self.0;
        exchange.stage == Stage::Answered { keeps: true }
            && exchange.rest.is_nothing()
            && exchange.outgoing.is_nothing()
            && exchange.outbox.is_empty()
            // What nobody has asked for belongs to nobody.
            && exchange.inbox.is_empty()
            && !exchange.is_for_one
    }

    /// Gives back memory that an idle connection does not need.
    pub(super) fn rest(&mut self) {
        self.0.outbox.rest(KEPT_BYTES);
        if self.0.inbox.capacity() > 2 * READ_HEAD {
            self.0.inbox = BytesMut::new();
        }
    }

    /// Lets no second exchange begin.
    pub(super) fn use_once(&mut self) {
        self.0.is_for_one = true;
    }

    /// The stream of a connection that has left HTTP.
    pub(super) fn into_stream(self, slot: Slot) -> SwitchedStream {
        let Exchange { inbox, socket, .. } = *self.0;
        SwitchedStream::new(inbox.freeze(), socket, slot)
    }
}

impl Exchange {
    fn check(&mut self, cx: &mut Context<'_>) -> Result<(), UpstreamError> {
        match poll_fill(cx, &mut self.socket, &mut self.inbox, READ_HEAD) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(0)) => Err(UpstreamError::Closed(Broken::Ended)),
            Poll::Ready(Ok(_)) => Err(UpstreamError::Closed(Broken::Unasked)),
            Poll::Ready(Err(error)) => Err(UpstreamError::not_answered(error)),
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<response::Parts, UpstreamError>> {
        // An agent that takes no more may have said why.
        let unwritten = match self.poll_write(cx) {
            Ok(()) => None,
            Err(Unwritten::Body(error)) => return Poll::Ready(Err(error)),
            Err(Unwritten::Wire(error)) => Some(error),
        };
        let failure = loop {
            match take_head(&mut self.inbox) {
                Ok(None) => {}
                Ok(Some(answer)) => {
                    return Poll::Ready(self.answered(answer.into_parts().0, unwritten.is_none()));
                }
                Err(error) => break error,
            }
            match poll_fill(cx, &mut self.socket, &mut self.inbox, READ_HEAD) {
                Poll::Ready(Ok(0)) => {
                    break UpstreamError::Closed(unwritten.map_or(Broken::Ended, Broken::Wire));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => break UpstreamError::not_answered(error),
                Poll::Pending => match unwritten {
                    None => return Poll::Pending,
                    Some(error) => break UpstreamError::not_answered(error),
                },
            }
        };
        self.stage = Stage::Broken;
        Poll::Ready(Err(failure))
    }

    fn answered(
        &mut self,
        head: response::Parts,
        was_written: bool,
    ) -> Result<response::Parts, UpstreamError> {
        self.rest = Rest::of(&self.method, &head)?;
        let keeps = was_written
            && is_persistent(head.version, &head.headers)
            && head.status != StatusCode::SWITCHING_PROTOCOLS;
        self.stage = Stage::Answered { keeps };
        Ok(head)
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, UpstreamError>> {
        loop {
            match self.rest.take(&mut self.inbox) {
                Ok(Some(frame)) => return Poll::Ready(Ok(Some(frame))),
                Ok(None) if self.rest.is_nothing() => return Poll::Ready(Ok(None)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            match self.poll_write(cx) {
                Ok(()) => {}
                Err(Unwritten::Body(error)) => return Poll::Ready(Err(error)),
                // It does not want the rest, and answers all the same.
                Err(Unwritten::Wire(_)) => self.give_up_writing(),
            }
            let room = self.rest.appetite();
            match poll_fill(cx, &mut self.socket, &mut self.inbox, room) {
                Poll::Ready(Ok(0)) => {
                    self.stage = Stage::Broken;
                    let is_end = matches!(self.rest, Rest::UntilClose);
                    self.rest = Rest::Nothing;
                    return Poll::Ready(match is_end {
                        true => Ok(None),
                        false => Err(UpstreamError::Truncated(Some(Broken::Ended))),
                    });
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    self.stage = Stage::Broken;
                    return Poll::Ready(Err(UpstreamError::Truncated(Some(Broken::Wire(error)))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Writes of the request what can be written now.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Unwritten> {
        loop {
            let filled = self.outgoing.poll_fill(cx, &mut self.outbox);
            if let Poll::Ready(Err(error)) = filled {
                self.stage = Stage::Broken;
                return Err(Unwritten::Body(UpstreamError::RequestBody(error)));
            }
            let was_full = self.outbox.len() >= ENOUGH;
            match self.outbox.poll_flush(&mut self.socket, cx) {
                Poll::Ready(Err(error)) => return Err(Unwritten::Wire(error)),
                // There is room again.
                Poll::Ready(Ok(())) if was_full => {}
                Poll::Ready(Ok(())) | Poll::Pending => return Ok(()),
            }
        }
    }

    fn give_up_writing(&mut self) {
        self.stage = Stage::Broken;
        self.outgoing = Outgoing::Nothing;
        self.outbox = Outbox::default();
    }
}

/// Why a request was not written.
enum Unwritten {
    Body(UpstreamError),
    Wire(io::Error),
}

/// A read of a head. Most small answers fit whole.
const READ_HEAD: usize = 4 * 1024;

/// What an idle connection keeps for its next request.
const KEPT_BYTES: usize = 4 * 1024;
