//! One HTTP/1.1 connection to the agent.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::gate::Slot;
use super::request_body::RequestBody;
use super::socket::Socket;
use super::upgrade::SwitchedStream;

/// A connection, driven by whoever waits for it: no task of its own, so that an exchange does not
/// travel between tasks, and dropping this closes the socket at once.
///
/// The price: while nobody waits, nothing is read. That the agent has closed an idle connection is
/// seen when it is used next, before the first byte of a request is written.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    // `None` when it has ended. Boxed, for it moves with each exchange and is large.
    io: Option<Box<http1::Connection<TokioIo<Socket>, RequestBody>>>,
    is_for_one: bool,
}

impl Connection {
    pub(super) async fn new(client: &http1::Builder, socket: Socket) -> hyper::Result<Self> {
        let (sender, io) = client.handshake(TokioIo::new(socket)).await?;
        Ok(Self {
            sender,
            io: Some(Box::new(io)),
            is_for_one: false,
        })
    }

    /// Hands over a request. The future only tells what becomes of it: [`drive`](Self::drive) moves it.
    pub(super) fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + use<>
    {
        self.sender.try_send_request(request)
    }

    /// Reads and writes what can be read and written now.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(io) = &mut self.io
            && let Poll::Ready(_ended) = Pin::new(io.as_mut()).poll(cx)
        {
            // Whoever waits for an answer is told why. A request that was not begun is given back by
            // the drop.
            self.io = None;
        }
    }

    /// Whether the last exchange ended cleanly on both sides, so that another may begin.
    pub(super) fn is_idle(&self) -> bool {
        self.io.is_some() && self.sender.is_ready() && !self.is_for_one
    }

    /// Lets no second exchange begin.
    pub(super) const fn use_once(&mut self) {
        self.is_for_one = true;
    }

    /// As [`drive`](Self::drive), but keeps the stream when the agent leaves HTTP. Whether the connection
    /// has ended: if nothing was answered by then, [`end`](Self::end) it.
    pub(super) fn drive_to_switch(&mut self, cx: &mut Context<'_>) -> bool {
        self.io
            .as_mut()
            .is_none_or(|io| io.poll_without_shutdown(cx).is_ready())
    }

    /// Closes it. Whoever waits for an answer is told.
    pub(super) fn end(&mut self) {
        self.io = None;
    }

    /// The stream of a connection that has left HTTP.
    pub(super) fn into_stream(self, slot: Slot) -> Option<SwitchedStream> {
        let parts = self.io?.into_parts();
        Some(SwitchedStream::new(parts.read_buf, parts.io, slot))
    }
}
