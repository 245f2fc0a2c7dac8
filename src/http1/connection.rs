//! The life of one connection.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::UPGRADE;
use http::{HeaderMap, Request, Response, response};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::answer::{Coding, Persistence, put_head};
use super::body::Body;
use super::error::HeadError;
use super::head::{self, Finder, Head, HeadLimits};
use super::inflow::{Fed, Inflow, poll_fill};
use super::outbox::Outbox;
use crate::clock::{self, Alarm};
use crate::drain::Guard;
use crate::heap;

/// Answers requests.
pub trait Service {
    /// What answers are made of.
    type Body: http_body::Body<Data = Bytes> + Unpin;
    /// What a connection becomes that leaves HTTP.
    type Switch;

    /// Answers one request. Dropped when the caller goes away.
    fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Reply<Self::Body, Self::Switch>> + Send;

    /// Answers what is no request; the connection is closed after it.
    fn refuse(&self, error: HeadError) -> Response<Bytes>;
}

/// An answer.
#[derive(Debug)]
pub enum Reply<B, T> {
    /// A message.
    Response(Response<B>),
    /// The connection leaves HTTP after this head, whose status is 101 (RFC 9110, section 7.8).
    Switch(Response<()>, T),
}

/// What a connection is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How large a head may be.
    pub head: HeadLimits,
    /// How long a head may take from its first byte, and a new connection until the end of its first.
    pub head_time: Duration,
    /// How long a connection may stay idle between two requests.
    pub keep_alive: Duration,
    /// A caller that begins with the preface of HTTP/2 is left to somebody else (RFC 9113, section 3.3);
    /// otherwise it is told that the version is not spoken here.
    pub preface: bool,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended<T> {
    /// In good order: all that was begun was answered, and the stream is shut down.
    Closed,
    /// An answer was cut whose end is the end of the connection: reset it, or its reader takes what it
    /// has for all (RFC 9112, section 8).
    Cut,
    /// The caller went away, or an answer was cut whose framing tells. Drop the stream as it is.
    Gone,
    /// The caller speaks HTTP/2 by prior knowledge, and nothing was answered. These bytes of it were read,
    /// the preface first.
    Preface(Bytes),
    /// The head of a 101 was sent, and the connection is no longer one of HTTP. These bytes of the caller
    /// were read ahead.
    Switched(T, Bytes),
}

/// Serves a connection until it ends. Requests that have begun when the process drains are answered.
pub async fn serve<S, V>(io: &mut S, service: &V, config: Config, guard: Guard) -> Ended<V::Switch>
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: Service,
{
    let mut connection = Connection {
        io,
        config,
        inbox: BytesMut::new(),
        outbox: Outbox::default(),
        alarm: Alarm::default(),
        is_new: true,
        is_half_closed: false,
    };
    let mut stopping = guard.clone();
    let mut stopping = pin!(stopping.draining());
    let mut is_stopping = false;
    loop {
        let next = connection.next_head(stopping.as_mut(), &mut is_stopping);
        let head = match next.await {
            Next::Head(head) => head,
            Next::Quiet => return connection.close(Linger::No).await,
            Next::Gone => return Ended::Gone,
            Next::Preface => return Ended::Preface(connection.inbox.freeze()),
            Next::Malformed(error) => {
                let (head, body) = service.refuse(error).into_parts();
                let coding = Coding::Length(body.len() as u64);
                connection.put_head(&head, coding, Persistence::Close);
                connection.outbox.push(body);
                return connection.close(Linger::Yes).await;
            }
        };
        connection.is_new = false;
        match connection.exchange(head, service, &guard).await {
            After::Next => {}
            After::Close(linger) => return connection.close(linger).await,
            After::Cut => return Ended::Cut,
            After::Gone => return Ended::Gone,
            After::Switched(switch) => return Ended::Switched(switch, connection.inbox.freeze()),
        }
    }
}

struct Connection<'a, S> {
    io: &'a mut S,
    config: Config,
    inbox: BytesMut,
    outbox: Outbox,
    alarm: Alarm,
    is_new: bool,
    /// The caller has closed its side.
    is_half_closed: bool,
}

/// What comes next on a connection that waits.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it arrives; a box would be an allocation for each request"
)]
enum Next {
    Head(Head),
    Malformed(HeadError),
    /// What is no request of HTTP/1, but of HTTP/2.
    Preface,
    /// Nothing: for too long, since the process drains, or since the caller has closed.
    Quiet,
    Gone,
}

/// What an exchange leaves behind.
enum After<T> {
    Next,
    Close(Linger),
    Cut,
    Gone,
    Switched(T),
}

/// Whether what the caller still sends is read off before the stream is dropped: to close a socket with unread
/// bytes resets the connection, and the reset overtakes the answer (RFC 9112, section 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linger {
    /// When more is there than was answered, as from a caller that sends ahead.
    IfMore,
    No,
    Yes,
}

/// How far the sending of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Complete,
    Cut,
    Running,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Waits for a request.
    async fn next_head(
        &mut self,
        mut stopping: Pin<&mut impl Future<Output = ()>>,
        is_stopping: &mut bool,
    ) -> Next {
        self.rest();
        let mut finder = Finder::default();
        let mut blank_lines = BLANK_LINES;
        let mut has_begun = false;
        let patience = if self.is_new {
            self.config.head_time
        } else {
            self.config.keep_alive
        };
        self.alarm.set(clock::now() + patience);
        std::future::poll_fn(|cx| {
            loop {
                if self.has_preface() && blank_lines == BLANK_LINES {
                    return Poll::Ready(Next::Preface);
                }
                let limits = self.config.head;
                match head::take(&mut self.inbox, &mut finder, &mut blank_lines, limits) {
                    Ok(Some(head)) => {
                        self.alarm.clear();
                        return Poll::Ready(Next::Head(head));
                    }
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Next::Malformed(error)),
                }
                if !has_begun && !self.inbox.is_empty() {
                    has_begun = true;
                    self.alarm.set(clock::now() + self.config.head_time);
                }
                if !*is_stopping && stopping.as_mut().poll(cx).is_ready() {
                    *is_stopping = true;
                    if !has_begun {
                        self.alarm.set(clock::now() + LAST_CHANCE);
                    }
                }
                let filled = if self.is_half_closed {
                    Poll::Ready(Ok(0))
                } else {
                    poll_fill(cx, self.io, &mut self.inbox, READ_HEAD)
                };
                match filled {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0)) if !has_begun => return Poll::Ready(Next::Quiet),
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::Gone),
                    Poll::Pending => {
                        return self.alarm.poll(cx).map(|()| match has_begun {
                            true => Next::Malformed(HeadError::Timeout),
                            false => Next::Quiet,
                        });
                    }
                }
            }
        })
        .await
    }

    /// Whether the first that the caller sent is the preface of HTTP/2.
    fn has_preface(&self) -> bool {
        self.is_new && self.config.preface && self.inbox.starts_with(PREFACE)
    }

    /// Gives back memory that a connection without a request does not need.
    fn rest(&mut self) {
        self.outbox.rest(0);
        if self.inbox.is_empty() && self.inbox.capacity() > 2 * READ_HEAD {
            self.inbox = BytesMut::new();
        }
    }

    /// One request and its answer.
    async fn exchange<V: Service>(
        &mut self,
        head: Head,
        service: &V,
        guard: &Guard,
    ) -> After<V::Switch> {
        let Head {
            parts,
            framing,
            is_persistent,
            expects_continue,
        } = head;
        let (method, version) = (parts.method.clone(), parts.version);
        let is_persistent = is_persistent && !asks_for_websocket(&parts.headers);
        let (body, mut inflow) = Inflow::new(framing, expects_continue, &mut self.inbox);
        // On the heap, and gone before the answer runs: a connection that waits holds none of it.
        let mut call = heap::pinned(|| service.call(Request::from_parts(parts, body)));
        let reply = std::future::poll_fn(|cx| self.poll_call(cx, call.as_mut(), &mut inflow)).await;
        drop(call);
        let (head, mut body) = match reply {
            Some(Reply::Response(response)) => response.into_parts(),
            Some(Reply::Switch(head, switch)) => {
                self.put_head(&head.into_parts().0, Coding::None, Persistence::Upgrade);
                let flushed = std::future::poll_fn(|cx| self.outbox.poll_flush(self.io, cx)).await;
                return flushed.map_or(After::Gone, |()| After::Switched(switch));
            }
            None => return After::Gone,
        };
        inflow.settle(&mut self.inbox);
        let mut coding = Coding::of(&head, &method, version, body.size_hint().exact());
        let persistence = if !is_persistent
            || self.is_half_closed
            || coding == Coding::UntilClose
            || !inflow.is_soon_over()
            || guard.is_draining()
        {
            Persistence::Close
        } else {
            Persistence::keep_alive(version)
        };
        self.put_head(&head, coding, persistence);
        drop(head);
        let mut sending = Sending::Running;
        let mut trailers = None;
        let sent = std::future::poll_fn(|cx| {
            let body = Pin::new(&mut body);
            self.poll_answer(
                cx,
                body,
                &mut coding,
                &mut trailers,
                &mut sending,
                &mut inflow,
            )
        });
        match sent.await {
            Ok(Sending::Cut) if coding == Coding::UntilClose => return After::Cut,
            Ok(Sending::Complete) => {}
            Ok(Sending::Cut | Sending::Running) | Err(_) => return After::Gone,
        }
        // Whoever still reads the request's body for the agent stops here.
        drop(body);
        if persistence == Persistence::Close {
            return After::Close(if inflow.is_over() {
                Linger::IfMore
            } else {
                Linger::Yes
            });
        }
        if inflow.is_over() || self.skip(&mut inflow).await {
            After::Next
        } else {
            After::Close(Linger::Yes)
        }
    }

    /// Drives the call, and reads what it asks for. `None` when the caller has gone away.
    fn poll_call<F: Future>(
        &mut self,
        cx: &mut Context<'_>,
        mut call: Pin<&mut F>,
        inflow: &mut Inflow,
    ) -> Poll<Option<F::Output>> {
        loop {
            if let Poll::Ready(reply) = call.as_mut().poll(cx) {
                return Poll::Ready(Some(reply));
            }
            let fed = inflow.poll(cx, self.io, &mut self.inbox);
            if fed == Fed::Continue {
                self.outbox.push(Bytes::from_static(CONTINUE));
            }
            if let Poll::Ready(Err(_)) = self.outbox.poll_flush(self.io, cx) {
                return Poll::Ready(None);
            }
            if fed == Fed::Pending {
                return self.poll_gone(cx, inflow).map(|()| None);
            }
        }
    }

    /// Sends the body of the answer, and reads what is still asked of the request's.
    fn poll_answer<B: http_body::Body<Data = Bytes>>(
        &mut self,
        cx: &mut Context<'_>,
        mut body: Pin<&mut B>,
        coding: &mut Coding,
        trailers: &mut Option<HeaderMap>,
        sending: &mut Sending,
        inflow: &mut Inflow,
    ) -> Poll<io::Result<Sending>> {
        loop {
            let mut is_waiting = false;
            while *sending == Sending::Running && self.outbox.len() < ENOUGH {
                let Poll::Ready(frame) = body.as_mut().poll_frame(cx) else {
                    is_waiting = true;
                    break;
                };
                let taken = match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                    Some(Ok(Ok(bytes))) => coding.data(bytes, &mut self.outbox),
                    Some(Ok(Err(frame))) => {
                        *trailers = frame.into_trailers().ok();
                        Ok(())
                    }
                    Some(Err(_)) => {
                        *sending = Sending::Cut;
                        break;
                    }
                    None => {
                        *sending = Sending::Complete;
                        Ok(())
                    }
                };
                if taken.is_ok() && *sending == Sending::Running && body.is_end_stream() {
                    *sending = Sending::Complete;
                }
                let ended = match *sending {
                    Sending::Complete => {
                        taken.and_then(|()| coding.end(trailers.as_ref(), &mut self.outbox))
                    }
                    Sending::Cut | Sending::Running => taken,
                };
                if ended.is_err() {
                    tracing::warn!("an answer has not the length that its head tells; it is cut");
                    *sending = Sending::Cut;
                }
            }
            let waiting = self.outbox.len();
            let flushed = self.outbox.poll_flush(self.io, cx)?;
            if self.is_half_closed && self.outbox.len() < waiting {
                // Somebody takes it: whoever has gone answers with a reset.
                self.alarm.set(clock::now() + HALF_CLOSED);
            }
            if flushed.is_ready() && *sending != Sending::Running {
                return Poll::Ready(Ok(*sending));
            }
            // After the head of an answer nobody waits for `100 Continue` any more.
            let fed = inflow.poll(cx, self.io, &mut self.inbox);
            let may_take_more = flushed.is_ready() && !is_waiting;
            if fed == Fed::Pending && !may_take_more {
                return self
                    .poll_gone(cx, inflow)
                    .map(|()| Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
    }

    /// Ready when the caller has gone away.
    ///
    /// A caller that closes its side only, once its request is out, looks the same as one that has gone. It
    /// gets a moment for its answer; work that nobody waits for must not go on for longer.
    fn poll_gone(&mut self, cx: &mut Context<'_>, inflow: &Inflow) -> Poll<()> {
        if self.is_half_closed {
            return self.alarm.poll(cx);
        }
        // What was read ahead is held until its turn, and no more is read before.
        if !self.inbox.is_empty() || !inflow.is_over() {
            return Poll::Pending;
        }
        match poll_fill(cx, self.io, &mut self.inbox, READ_HEAD) {
            Poll::Ready(Ok(0)) => {
                self.is_half_closed = true;
                self.alarm.set(clock::now() + HALF_CLOSED);
                self.alarm.poll(cx)
            }
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(()),
        }
    }

    /// Reads the little that is left of a request's body. `false` when it does not come.
    async fn skip(&mut self, inflow: &mut Inflow) -> bool {
        let skipped = std::future::poll_fn(|cx| {
            loop {
                inflow.discard(&mut self.inbox);
                if inflow.is_over() || inflow.is_lost() {
                    return Poll::Ready(inflow.is_over());
                }
                match poll_fill(cx, self.io, &mut self.inbox, READ_HEAD) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => return Poll::Ready(false),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        tokio::time::timeout(LINGER, skipped).await.unwrap_or(false)
    }

    fn put_head(&mut self, head: &response::Parts, coding: Coding, persistence: Persistence) {
        put_head(head, coding, persistence, self.outbox.staged());
    }

    /// Ends the connection after what is in the outbox.
    async fn close<T>(&mut self, linger: Linger) -> Ended<T> {
        let flushed = std::future::poll_fn(|cx| self.outbox.poll_flush(self.io, cx)).await;
        if flushed.is_err() || self.io.shutdown().await.is_err() {
            return Ended::Gone;
        }
        let lingers = match linger {
            Linger::IfMore => !self.inbox.is_empty() || self.has_more().await,
            Linger::No => false,
            Linger::Yes => true,
        };
        if lingers {
            let _late = tokio::time::timeout(LINGER, self.read_off()).await;
        }
        Ended::Closed
    }

    /// Whether something has arrived that nobody has read.
    async fn has_more(&mut self) -> bool {
        std::future::poll_fn(|cx| {
            let filled = poll_fill(cx, self.io, &mut self.inbox, READ_HEAD);
            Poll::Ready(matches!(filled, Poll::Ready(Ok(1..))))
        })
        .await
    }

    async fn read_off(&mut self) {
        let mut left = LINGER_BYTES;
        std::future::poll_fn(|cx| {
            loop {
                self.inbox.clear();
                match poll_fill(cx, self.io, &mut self.inbox, READ_HEAD) {
                    Poll::Ready(Ok(length @ 1..)) if length < left => left -= length,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }
}

/// Whether the caller may go on in frames before it is answered. They are never read as a request.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    protocols.any(|protocol| {
        let name = |part: &[u8]| part.eq_ignore_ascii_case(b"websocket");
        protocol.as_bytes().windows(b"websocket".len()).any(name)
    })
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Blank lines before a request that are skipped. Old clients send one after a body (RFC 9112, section 2.2).
const BLANK_LINES: u8 = 2;

/// The part of the preface of HTTP/2 that looks like a head (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// A read of a head; an idle connection holds a buffer of this size. Most heads fit.
const READ_HEAD: usize = 4 * 1024;

/// Bytes of an answer that wait for the caller before no more are taken from the agent.
const ENOUGH: usize = 64 * 1024;

/// How long a caller that has closed its side is waited for while nothing moves. Arbitrary.
const HALF_CLOSED: Duration = Duration::from_secs(1);

/// How long a connection waits for its next request after the process was told to stop, so that a request
/// that is on its way is answered and told to go elsewhere. Arbitrary.
const LAST_CHANCE: Duration = Duration::from_millis(500);

/// How long, and for how many bytes, what a caller sends after its answer is read and thrown away.
const LINGER: Duration = Duration::from_secs(3);
const LINGER_BYTES: usize = 16 * 1024 * 1024;
