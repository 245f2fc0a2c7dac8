//! The body of a request, as far as the judgement needs it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::clock::Stall;
use crate::http1;
use crate::identity::Authenticator;
use crate::model::{Reason, Refusal};
use crate::protocol::{self, Head};
use crate::upstream::{RequestBody, RequestBodyError};

use super::headers::IdentityHeaders;

/// How long a body that is judged whole may take to arrive: long enough for 1 MiB over a bad line, and
/// short enough that a trickle does not hold its place for ever.
const WHOLE_BODY: Duration = Duration::from_secs(120);

/// The body of a request, by whichever version of HTTP it comes.
#[derive(Debug)]
pub(super) enum CallerBody {
    Http1(http1::Body),
    Http2(Incoming),
}

/// Why it did not come whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallerBodyError {
    #[error(transparent)]
    Http1(#[from] http1::BodyError),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
    #[error("the caller reset its stream")]
    Reset,
}

impl Body for CallerBody {
    type Data = Bytes;
    type Error = CallerBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallerBodyError>>> {
        match &mut *self {
            Self::Http1(body) => Pin::new(body)
                .poll_frame(context)
                .map(|frame| frame.map(|frame| frame.map_err(CallerBodyError::from))),
            Self::Http2(body) => match Pin::new(&mut *body).poll_frame(context) {
                // A stream that was reset with `CANCEL` or `NO_ERROR` looks to hyper like one that ended. It
                // must not reach the agent as a whole request.
                Poll::Ready(None) if !body.is_end_stream() => {
                    Poll::Ready(Some(Err(CallerBodyError::Reset)))
                }
                polled => {
                    polled.map(|frame| frame.map(|frame| frame.map_err(CallerBodyError::from)))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

/// A body whose trailers say nothing that only lictor may say, and hold no credential.
struct WithTrailers {
    body: CallerBody,
    names: IdentityHeaders,
    authenticator: Arc<Authenticator>,
}

impl Body for WithTrailers {
    type Data = Bytes;
    type Error = CallerBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallerBodyError>>> {
        let mut polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
        {
            let fields = self.authenticator.fields();
            self.names.caller_trailers(trailers, fields);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What came with a request.
pub(super) enum Inbound {
    /// Read whole, because it says what the call is.
    Buffered(Bytes),
    /// Nothing.
    Empty,
    /// Read whole, because its digest is signed or it is searched. Nothing in it decides.
    Held(Bytes),
    /// Passed on as it comes, because nothing in it decides.
    Streamed {
        first: Bytes,
        rest: CallerBody,
        length: Option<u64>,
    },
}

impl Inbound {
    /// Reads as much of the body as the judgement needs, and at most `most` bytes of it; all of it where `reads_whole`, since
    /// its digest is signed or it is searched.
    pub(super) async fn read(
        head: &Head,
        mut body: CallerBody,
        most: usize,
        idle: Duration,
        reads_whole: bool,
    ) -> Result<Self, Refusal> {
        if body.is_end_stream() {
            return Ok(Self::Empty);
        }
        let length = body.size_hint().exact();
        let Some(first) = piece(&mut body, idle).await? else {
            return Ok(Self::Empty);
        };
        let whole = match head.wants_body(Some(&first)) {
            protocol::Body::None | protocol::Body::Stream if !reads_whole => {
                return Ok(Self::Streamed {
                    first,
                    rest: body,
                    length,
                });
            }
            protocol::Body::None | protocol::Body::Stream => Self::Held,
            protocol::Body::Buffer => Self::Buffered,
        };
        if length.is_some_and(|length| length > most as u64) {
            return Err(too_large(most));
        }
        if body.is_end_stream() && first.len() <= most {
            return Ok(whole(first));
        }
        tokio::time::timeout(WHOLE_BODY, collect(first, body, most, idle))
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Reason::RequestTimeout)))
            .map(whole)
    }

    /// All of it, unless it is passed on as it comes.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        match self {
            Self::Buffered(bytes) | Self::Held(bytes) => Some(bytes),
            Self::Empty => Some(&[]),
            Self::Streamed { .. } => None,
        }
    }

    /// The bytes that say what the call is.
    pub(super) fn judged(&self) -> Option<&[u8]> {
        match self {
            Self::Buffered(bytes) => Some(bytes),
            Self::Empty | Self::Held(_) | Self::Streamed { .. } => None,
        }
    }

    /// How long the body is, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Buffered(bytes) | Self::Held(bytes) => Some(bytes.len() as u64),
            Self::Empty => Some(0),
            Self::Streamed { length, .. } => *length,
        }
    }

    /// The very bytes that were judged, on their way to the agent.
    pub(super) fn into_request_body(
        self,
        limit: usize,
        idle: Duration,
        names: &IdentityHeaders,
        authenticator: &Arc<Authenticator>,
    ) -> Result<RequestBody, RequestBodyError> {
        match self {
            Self::Buffered(bytes) | Self::Held(bytes) => Ok(RequestBody::full(bytes)),
            Self::Empty => Ok(RequestBody::Empty),
            Self::Streamed { first, rest, .. } => {
                let rest = WithTrailers {
                    body: rest,
                    names: names.clone(),
                    authenticator: Arc::clone(authenticator),
                };
                RequestBody::stream(first, rest, limit as u64, idle)
            }
        }
    }
}

/// The whole body. One that came in one piece is not copied.
async fn collect(
    first: Bytes,
    mut rest: CallerBody,
    most: usize,
    idle: Duration,
) -> Result<Bytes, Refusal> {
    if first.len() > most {
        return Err(too_large(most));
    }
    let Some(mut next) = piece(&mut rest, idle).await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::from(first);
    loop {
        if whole.len() + next.len() > most {
            return Err(too_large(most));
        }
        whole.extend_from_slice(&next);
        match piece(&mut rest, idle).await? {
            Some(more) => next = more,
            None => return Ok(whole.freeze()),
        }
    }
}

/// The next piece that is not empty. Trailers of a request go nowhere.
async fn piece(body: &mut CallerBody, idle: Duration) -> Result<Option<Bytes>, Refusal> {
    loop {
        match frame(body, idle).await? {
            None => return Ok(None),
            Some(Err(error)) => return Err(Refusal::new(Reason::MalformedRequest).detail(error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                Ok(_) | Err(_) => {}
            },
        }
    }
}

/// The next frame. Costs no timer where it is here already.
async fn frame(
    body: &mut CallerBody,
    idle: Duration,
) -> Result<Option<Result<Frame<Bytes>, CallerBodyError>>, Refusal> {
    let mut stall = Stall::new(idle);
    poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
        Poll::Ready(frame) => Poll::Ready(Ok(frame)),
        Poll::Pending => stall
            .poll_expired(cx)
            .map(|()| Err(Refusal::new(Reason::RequestTimeout))),
    })
    .await
}

fn too_large(most: usize) -> Refusal {
    Refusal::new(Reason::RequestTooLarge).detail(format_args!("above {most} bytes"))
}
