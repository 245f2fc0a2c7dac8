//! A request's body as it comes off the connection.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::body::{Body, Feed};
use super::chunked::{Chunked, Piece};
use super::error::BodyError;
use super::head::Framing;

/// What is left of a request's body.
#[derive(Debug)]
pub(super) struct Inflow {
    rest: Rest,
    feed: Option<Feed>,
    /// `100 Continue` is to be sent before the caller sends anything.
    owes_continue: bool,
}

#[derive(Debug)]
enum Rest {
    Chunked(Box<Chunked>),
    Length(u64),
    None,
    /// What comes is no body, or comes no more: where the next request begins is unknown.
    Lost,
}

/// What feeding came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// The call has something new.
    Given,
    /// Nothing is wanted, or nothing has arrived.
    Pending,
    /// `100 Continue` has to be sent first.
    Continue,
}

impl Inflow {
    /// The body of a request, of which `buffer` may hold the beginning.
    pub(super) fn new(
        framing: Framing,
        expects_continue: bool,
        buffer: &mut BytesMut,
    ) -> (Body, Self) {
        let arrived = buffer.len() as u64;
        let (body, rest, feed) = match framing {
            Framing::None => (Body::empty(), Rest::None, None),
            Framing::Length(length) if length <= arrived => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let bytes = buffer.split_to(length.min(buffer.len())).freeze();
                (Body::full(bytes), Rest::None, None)
            }
            Framing::Length(length) => {
                let (body, feed) = Body::running(Some(length));
                (body, Rest::Length(length), Some(feed))
            }
            Framing::Chunked => {
                let (body, feed) = Body::running(None);
                (body, Rest::Chunked(Box::default()), Some(feed))
            }
        };
        let inflow = Self {
            owes_continue: expects_continue && feed.is_some() && arrived == 0,
            rest,
            feed,
        };
        (body, inflow)
    }

    /// Whether the next byte belongs to another request.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.rest, Rest::None)
    }

    /// Whether what is left is little and will come by itself.
    pub(super) const fn is_soon_over(&self) -> bool {
        matches!(self.rest, Rest::None | Rest::Length(..=SOON)) && !self.owes_continue
    }

    /// Whether it can never be known where the next request begins.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.rest, Rest::Lost)
    }

    /// Takes off the buffer what nobody will ask for, once nobody will.
    pub(super) fn settle(&mut self, buffer: &mut BytesMut) {
        if self.feed.as_ref().is_none_or(Feed::is_dropped) {
            self.discard(buffer);
        }
    }

    /// Takes off the buffer what has arrived, for nobody.
    pub(super) fn discard(&mut self, buffer: &mut BytesMut) {
        self.feed = None;
        loop {
            match self.take(buffer) {
                Ok(Some(Piece::Data(_))) => {}
                Ok(_) => return,
                Err(_) => return self.rest = Rest::Lost,
            }
        }
    }

    /// Hands the call what it waits for.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut S,
        buffer: &mut BytesMut,
    ) -> Fed {
        let Some(feed) = self.feed.as_ref().filter(|feed| feed.is_wanted(cx)) else {
            return Fed::Pending;
        };
        if feed.is_dropped() {
            self.feed = None;
            return Fed::Pending;
        }
        if self.owes_continue {
            self.owes_continue = false;
            return Fed::Continue;
        }
        loop {
            match self.take(buffer) {
                Ok(Some(piece)) => {
                    self.give(piece);
                    return Fed::Given;
                }
                Ok(None) => {}
                Err(error) => return self.fail(error),
            }
            match poll_fill(cx, io, buffer, self.appetite()) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return self.fail(BodyError::Ended),
                Poll::Pending => return Fed::Pending,
            }
        }
    }

    /// The next piece that has arrived; `None` when there is none, or the body was over before.
    fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, BodyError> {
        let piece = match &mut self.rest {
            Rest::None | Rest::Lost => return Ok(None),
            Rest::Chunked(chunked) => chunked.take(buffer)?,
            Rest::Length(_) if buffer.is_empty() => Piece::More,
            Rest::Length(left) => {
                let length = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                *left -= length as u64;
                let piece = take_piece(buffer, length);
                if *left == 0 {
                    self.rest = Rest::None;
                }
                Piece::Data(piece)
            }
        };
        match piece {
            Piece::More => Ok(None),
            Piece::Data(_) => Ok(Some(piece)),
            Piece::End(_) => {
                self.rest = Rest::None;
                Ok(Some(piece))
            }
        }
    }

    fn give(&mut self, piece: Piece) {
        let is_over = self.is_over();
        let Some(feed) = &self.feed else { return };
        match piece {
            Piece::Data(bytes) => feed.give(bytes, is_over),
            Piece::End(trailers) => feed.end(Ok(trailers)),
            Piece::More => {}
        }
        if is_over {
            self.feed = None;
        }
    }

    fn fail(&mut self, error: BodyError) -> Fed {
        self.rest = Rest::Lost;
        if let Some(feed) = self.feed.take() {
            feed.end(Err(error));
        }
        Fed::Given
    }

    /// How much to read at once.
    fn appetite(&self) -> usize {
        appetite(match self.rest {
            Rest::Length(left) => Some(left),
            Rest::Chunked(_) | Rest::Lost | Rest::None => None,
        })
    }
}

/// How much of a body to read at once, of which so much is still to come, where that is known.
pub fn appetite(left: Option<u64>) -> usize {
    left.map_or(MOST / 4, |left| {
        usize::try_from(left).unwrap_or(MOST).clamp(LEAST, MOST)
    })
}

/// These bytes off the buffer. Few of them are copied, so that a body that trickles does not keep a whole buffer
/// alive for each drop.
pub fn take_piece(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length >= WORTH_SHARING {
        return buffer.split_to(length).freeze();
    }
    let piece = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
    buffer.advance(length);
    piece
}

/// Reads what there is, into at least `room` bytes of spare room.
pub fn poll_fill<S: AsyncRead + Unpin>(
    cx: &mut Context<'_>,
    io: &mut S,
    buffer: &mut BytesMut,
    room: usize,
) -> Poll<io::Result<usize>> {
    buffer.reserve(room);
    // The future holds no state of its own: a new one for each poll loses nothing.
    let reading = pin!(io.read_buf(buffer));
    Future::poll(reading, cx)
}

/// The end of a body that a caller was told it need not send, thrown away when little is missing.
const SOON: u64 = 64 * 1024;

/// A piece that is smaller is copied.
pub(super) const WORTH_SHARING: usize = 1024;

/// A read of a body.
const LEAST: usize = 4 * 1024;
const MOST: usize = 64 * 1024;
