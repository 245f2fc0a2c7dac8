//! A call that leaves HTTP: the request for it, and the stream behind a 101.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, StatusCode, response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::error::UpstreamError;
use super::first_head;
use super::gate::Slot;
use super::headers;
use super::link::Link;
use super::request_body::RequestBody;
use super::response_body::{Lease, ResponseBody};
use super::socket::Socket;
use super::{Deadlines, Forwarded, Upstream};
use crate::quota::Admission;

/// What became of the wish to leave HTTP.
#[derive(Debug)]
pub enum Upgraded {
    /// The agent does not: an answer like any other.
    Answered(Forwarded),
    /// The agent has said 101 to what was asked.
    Switched(Switched),
}

/// A stream that is no longer one of HTTP.
#[derive(Debug)]
pub struct Switched {
    /// The head of the 101, as it came. It names some protocol; whether it answers what was asked is for
    /// whoever knows that protocol to say.
    pub head: response::Parts,
    /// What was HTTP before.
    pub stream: SwitchedStream,
    /// What the call was admitted with, to be settled when the stream has ended.
    pub admission: Admission,
}

/// The agent's side of a connection that has left HTTP. Its drop closes the connection.
#[derive(Debug)]
pub struct SwitchedStream {
    /// Bytes that came together with the 101.
    early: Bytes,
    stream: Socket,
    // Its place among the exchanges with the agent.
    _slot: Slot,
}

impl Upstream {
    /// Asks the agent to leave HTTP for `protocol`, over a connection of its own: it was never used before,
    /// and whatever comes of it, it is never used again.
    ///
    /// What [`Upstream::forward`] says of the request's fields holds here too; `Connection` and `Upgrade`
    /// are ours. There is nothing to send twice, so nothing is.
    ///
    /// # Errors
    /// Why there is no answer, with the admission that it did not use up.
    pub async fn upgrade(
        &self,
        admission: Admission,
        mut request: Request<RequestBody>,
        protocol: HeaderValue,
        deadlines: Deadlines,
    ) -> Result<Upgraded, (UpstreamError, Admission)> {
        headers::prepare(&mut request, self.shared.target.host());
        headers::for_http1(&mut request);
        let fields = request.headers_mut();
        fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        fields.insert(UPGRADE, protocol);
        match self.ask(request, deadlines).await {
            Ok(Asked::Answered(response)) => Ok(Upgraded::Answered(Forwarded {
                response,
                admission,
            })),
            Ok(Asked::Switched(head, stream)) => Ok(Upgraded::Switched(Switched {
                head: *head,
                stream,
                admission,
            })),
            Err(error) => {
                self.shared.stats.failed(&error);
                Err((error, admission))
            }
        }
    }

    async fn ask(
        &self,
        request: Request<RequestBody>,
        deadlines: Deadlines,
    ) -> Result<Asked, UpstreamError> {
        let pass = self.shared.breaker.admit()?;
        let slot = Slot::take(&self.shared, deadlines.total).await?;
        let asked = self.ask_in_turn(request, deadlines, slot).await;
        match &asked {
            Ok(_) => pass.answered(),
            Err(error) => pass.failed(error),
        }
        asked
    }

    async fn ask_in_turn(
        &self,
        mut request: Request<RequestBody>,
        deadlines: Deadlines,
        slot: Slot,
    ) -> Result<Asked, UpstreamError> {
        let mut connection = Box::pin(self.shared.connect_http1(deadlines.total)).await?;
        connection.use_once();
        connection.check().await?;
        connection.begin(&mut request);
        let mut head = first_head(&mut connection, None, deadlines).await?;
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Asked::Switched(
                Box::new(head),
                connection.into_stream(slot),
            ));
        }
        headers::accept(&mut head).map_err(UpstreamError::Framing)?;
        let lease = Lease {
            link: Link::Http1(connection),
            progress: None,
            slot,
        };
        let body = ResponseBody::new(None, deadlines, lease);
        Ok(Asked::Answered(http::Response::from_parts(head, body)))
    }
}

enum Asked {
    Answered(http::Response<ResponseBody>),
    Switched(Box<response::Parts>, SwitchedStream),
}

impl SwitchedStream {
    pub(super) const fn new(early: Bytes, stream: Socket, slot: Slot) -> Self {
        Self {
            early,
            stream,
            _slot: slot,
        }
    }
}

impl AsyncRead for SwitchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(self.early.get(..length).unwrap_or_default());
        self.early.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SwitchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
