//! A request on its way onto an HTTP/1.1 connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut as _;
use http::Request;
use http::header::CONTENT_LENGTH;
use http_body::Body as _;

use super::error::RequestBodyError;
use super::request_body::RequestBody;
use crate::http1::{Coding, Outbox, put_fields};

/// What of a request is still to be written.
#[derive(Debug, Default)]
pub(super) enum Outgoing {
    Body(RequestBody, Coding),
    /// Nothing: all of it was written.
    #[default]
    Nothing,
}

impl Outgoing {
    /// Writes the head, takes the body, and writes it as far as it is there. Where the body ends is said here; that it is
    /// chunked is a field already.
    pub(super) fn begin(request: &mut Request<RequestBody>, outbox: &mut Outbox) -> Self {
        let body = std::mem::replace(request.body_mut(), RequestBody::Empty);
        let target = request.uri().path_and_query();
        let staged = outbox.staged();
        staged.reserve(HEAD_BYTES);
        staged.put_slice(request.method().as_str().as_bytes());
        staged.put_u8(b' ');
        staged.put_slice(target.map_or("/", |target| target.as_str()).as_bytes());
        staged.put_slice(b" HTTP/1.1\r\n");
        let coding = match body.size_hint().exact() {
            Some(0) => Coding::None,
            Some(length) => Coding::Length(length),
            None => Coding::Chunked,
        };
        put_fields(
            staged,
            request
                .headers()
                .iter()
                .filter(|(name, _)| **name != CONTENT_LENGTH || coding == Coding::None),
        );
        if let Coding::Length(length) = coding {
            staged.put_slice(b"content-length: ");
            staged.put_slice(itoa::Buffer::new().format(length).as_bytes());
            staged.put_slice(b"\r\n");
        }
        staged.put_slice(b"\r\n");
        match body {
            _ if coding == Coding::None => Self::Nothing,
            // Its length is its own.
            RequestBody::Full(bytes) => {
                outbox.push(bytes);
                Self::Nothing
            }
            body => Self::Body(body, coding),
        }
    }

    /// Whether all of it was written.
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Takes on what the body has, as long as not too much waits. Ready when there is no more of it.
    /// Pending, too, when [`ENOUGH`] waits.
    ///
    /// # Errors
    /// Why the body ended badly. The agent must not take what it has for all of it.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &mut Outbox,
    ) -> Poll<Result<(), RequestBodyError>> {
        while outbox.len() < ENOUGH {
            let Self::Body(body, coding) = self else {
                return Poll::Ready(Ok(()));
            };
            let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
                return Poll::Pending;
            };
            let written = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => coding.data(bytes, outbox),
                    // The agent was not told to expect any.
                    Err(_trailers) => Ok(()),
                },
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => {
                    let ended = coding.end(None, outbox);
                    *self = Self::Nothing;
                    ended
                }
            };
            // Not the length that it told.
            if written.is_err() {
                return Poll::Ready(Err(RequestBodyError::Broken));
            }
        }
        Poll::Pending
    }
}

/// A head of usual size.
const HEAD_BYTES: usize = 1024;

/// Bytes that wait for the agent before no more are taken from the caller.
pub(super) const ENOUGH: usize = 64 * 1024;
