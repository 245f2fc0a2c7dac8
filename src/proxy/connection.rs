//! One connection: handshake, HTTP version, and the watch over its idleness.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::clock;
use crate::drain::Guard;
use crate::heap;
use crate::http1;
use crate::identity::ClientCertificate;
use crate::listener::{Config, Connection, Guarded};
use crate::model::Refusal;
use crate::tls::{self, HandshakeError, HttpVersion, PeerCertificate};

use super::Proxy;
use super::agents::Chosen;
use super::farewell::Leaving;
use super::forwarded;
use super::inbound::CallerBody;
use super::meter::{Allowances, Flood, Meter};
use super::pipeline::Reply;
use super::reply::REQUEST_ID;
use super::screen::ReplyBody;
use super::tunnel::Tunnel;
use super::watch::{Activity, Busy, Judgement, Watch, Watched};

/// What a listener's connections have in common.
#[derive(Clone)]
pub struct Front {
    /// The calls go here.
    pub proxy: Arc<Proxy>,
    /// What metrics call the listener.
    pub name: Arc<str>,
    /// What records call it; nothing where it goes without saying.
    pub noted: Option<Arc<str>>,
    /// Terminates TLS; `None` is a plain listener.
    pub tls: Option<tls::Acceptor>,
    /// Which versions of HTTP are spoken.
    pub versions: Versions,
    /// Caps and deadlines.
    pub config: Arc<Config>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front")
            .field("tls", &self.tls.is_some())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Which versions of HTTP a listener speaks. Over TLS the two sides agree by ALPN; where they did not, the
/// first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1 and 1.0, and HTTP/2 with prior knowledge (RFC 9113, section 3.3).
    Both,
    /// HTTP/1.1 and 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Versions {
    /// The versions of a list, which is not empty.
    pub fn of(spoken: &[HttpVersion]) -> Self {
        match (
            spoken.contains(&HttpVersion::H1),
            spoken.contains(&HttpVersion::H2),
        ) {
            (true, false) => Self::Http1,
            (false, true) => Self::Http2,
            (true, true) | (false, false) => Self::Both,
        }
    }
}

impl Front {
    /// Serves one connection until it ends.
    pub async fn serve(self, connection: Connection) {
        let Connection {
            stream,
            peer,
            guard,
            port,
            place: _held,
        } = connection;
        // The listener lets in no other ports than those of agents.
        let Some(agent) = self.proxy.parts.agents.choose(port) else {
            return;
        };
        let stream = Guarded::new(stream, self.config.deadlines.write_stall);
        let Some(acceptor) = &self.tls else {
            let inlet = self.inlet(peer, agent, None);
            return self.unagreed(stream, inlet, guard).await;
        };
        // Both boxed: the room of a handshake is given back when it is over, and an async function holds what
        // it is given by value twice.
        let (stream, inlet) = match Box::pin(acceptor.accept(stream)).await {
            Ok(accepted) => {
                let inlet = self.inlet(peer, agent, accepted.client);
                (Box::new(accepted.stream), inlet)
            }
            Err(error) => return self.failed(peer, &error),
        };
        match tls::negotiated(&stream) {
            // A client that offers no protocol speaks HTTP/1.1 by custom, and what it likes by right.
            None => self.unagreed(stream, inlet, guard).await,
            Some(HttpVersion::H1) => self.http1(stream, inlet, guard, false).await,
            Some(HttpVersion::H2) => {
                Box::pin(self.http2(stream, Bytes::new(), inlet, guard)).await;
            }
        }
    }

    fn failed(&self, peer: SocketAddr, error: &HandshakeError) {
        tracing::debug!(
            downstream.addr = %peer,
            error = error as &dyn std::error::Error,
            "tls handshake failed"
        );
        let transport = &self.proxy.parts.transport;
        transport
            .tls_handshake_errors(&self.name, error.fault.as_str())
            .inc();
    }

    /// Serves a pipe in place of a socket.
    #[cfg(test)]
    pub(crate) async fn simulate(self, stream: tokio::io::DuplexStream, guard: Guard) {
        let stream = Guarded::new(stream, self.config.deadlines.write_stall);
        let peer = SocketAddr::from(([192, 0, 2, 7], 7));
        let inlet = self.inlet(peer, Chosen::default(), None);
        self.unagreed(stream, inlet, guard).await;
    }

    /// The first bytes tell which version the caller speaks.
    async fn unagreed<S>(self, stream: S, inlet: Inlet, guard: Guard)
    where
        S: AsyncRead + AsyncWrite + Reset + Unpin,
    {
        match self.versions {
            Versions::Both => self.http1(stream, inlet, guard, true).await,
            Versions::Http1 => self.http1(stream, inlet, guard, false).await,
            Versions::Http2 => Box::pin(self.http2(stream, Bytes::new(), inlet, guard)).await,
        }
    }

    async fn http1<S>(self, mut stream: S, inlet: Inlet, guard: Guard, preface: bool)
    where
        S: AsyncRead + AsyncWrite + Reset + Unpin,
    {
        let config = http1_config(&self.config, preface);
        let service = Http1 {
            inlet,
            proxy: Arc::clone(&self.proxy),
        };
        match http1::serve(&mut stream, &service, config, guard.clone()).await {
            http1::Ended::Closed | http1::Ended::Gone => {}
            http1::Ended::Cut => stream.reset(),
            // Boxed, so that a connection of HTTP/1 does not hold room for what it does not become.
            http1::Ended::Preface(ahead) => {
                Box::pin(self.http2(stream, ahead, service.inlet, guard)).await;
            }
            http1::Ended::Switched(tunnel, ahead) => {
                Box::pin(tunnel.run(&mut stream, ahead, guard, &self.config.deadlines)).await;
            }
        }
    }

    async fn http2(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        ahead: Bytes,
        inlet: Inlet,
        guard: Guard,
    ) {
        let limits = self.config.limits;
        let activity = Arc::new(Activity::default());
        let allowances = Allowances {
            resets: limits.resets,
            control_frames: limits.control_frames,
        };
        let meter = Meter::new(allowances, self.proxy.parts.transport.http2.clone());
        let mut io = Watched::new(stream, ahead, Arc::clone(&activity), meter);
        let peer = inlet.source;
        let builder = http2_builder(&self.config);
        let proxy = self.proxy;
        let calls = Arc::clone(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let proxy = Arc::clone(&proxy);
            let (mut inlet, busy) = (inlet.clone(), Busy::new(&calls));
            inlet.takes_back = calls.takes_back();
            // Boxed here: the library moves what it is given from hand to hand until it is a task.
            heap::pinned(|| async move {
                let response = match proxy.call(inlet, request.map(CallerBody::Http2)).await {
                    Reply::Response(mut response) => {
                        // No other answer has it: in the table of the connection it would only push out what
                        // others have too (RFC 7541, section 7.1.3).
                        if let Some(id) = response.headers_mut().get_mut(REQUEST_ID) {
                            id.set_sensitive(true);
                        }
                        response
                    }
                    // Nobody can ask for it here: HTTP/2 has no 101 (RFC 9113, section 8.6).
                    Reply::Switch(head, _) => head.map(|()| ReplyBody::whole(Bytes::new())),
                };
                Ok::<_, Infallible>(response.map(|body| Leaving::new(body, busy)))
            })
        });
        let ended = {
            // Lent, so that a last frame can be sent when the library has stopped.
            let connection = builder.serve_connection(TokioIo::new(&mut io), service);
            let watch = Watch::new(activity, self.config.deadlines);
            let graceful_shutdown = http2::Connection::graceful_shutdown;
            drive(pin!(connection), graceful_shutdown, watch, guard).await
        };
        let too_much = io.flood().map(Flood::as_str);
        if let Some(cause) = too_much.or(ended) {
            tracing::debug!(downstream.addr = %peer, cause, "connection ended");
            io.part(ENHANCE_YOUR_CALM).await;
        }
    }

    fn inlet(
        &self,
        peer: SocketAddr,
        agent: Chosen,
        client: Option<Arc<PeerCertificate>>,
    ) -> Inlet {
        let client = client.map(|client| Arc::new(ClientCertificate::new(client.leaf())));
        Inlet {
            source: peer,
            agent,
            is_tls: self.tls.is_some(),
            client,
            trusting: self
                .config
                .trusted
                .contains(peer.ip())
                .then(|| Arc::clone(&self.config)),
            host: None,
            takes_back: false,
            listener: self.noted.clone(),
            bounds: Bounds::of(&self.config),
        }
    }
}

/// "The peer is exhibiting a behavior that might be generating excessive load" (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 11;

/// What one HTTP/2 connection may hold. The library's own defaults allow some 100 MiB of it.
fn http2_builder(config: &Config) -> http2::Builder<TokioExecutor> {
    let limits = &config.limits;
    let small = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(config.deadlines.keep_alive))
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(small(limits.stream_window))
        .initial_connection_window_size(small(limits.connection_window))
        .max_send_buf_size(limits.send_buffer)
        .max_frame_size(FRAME_BYTES)
        .header_table_size(TABLE_BYTES)
        // The library answers a head above this by itself, without a record; so it gets twice the room of
        // what we refuse.
        .max_header_list_size(small(limits.head_list().saturating_mul(2)))
        // Of those, each may hold a head.
        .max_pending_accept_reset_streams(limits.resets.min(limits.streams) as usize)
        .max_local_error_reset_streams(LIFETIME_ERRORS);
    builder
}

/// The smallest that a peer must be allowed (RFC 9113, section 4.2).
const FRAME_BYTES: u32 = 16 * 1024;

/// The table of field lines that a caller may refer to (RFC 7541, section 4.2).
const TABLE_BYTES: u32 = 4096;

/// Mistakes of a caller that end a stream each, in the life of a connection. The rate of them is `resets`.
const LIFETIME_ERRORS: usize = 10_000;

/// What a connection of HTTP/1 is held to.
pub(super) fn http1_config(config: &Config, preface: bool) -> http1::Config {
    http1::Config {
        head: http1::HeadLimits {
            bytes: config.limits.header_bytes,
            fields: config.limits.headers,
        },
        head_time: config.deadlines.header,
        keep_alive: config.deadlines.keep_alive,
        preface,
    }
}

/// Answers what comes on an HTTP/1 connection.
struct Http1 {
    proxy: Arc<Proxy>,
    inlet: Inlet,
}

impl http1::Service for Http1 {
    type Body = ReplyBody;
    type Switch = Box<Tunnel>;

    // Inlined, so that the future is made where it is to be.
    #[inline]
    async fn call(&self, request: Request<http1::Body>) -> Reply {
        let proxy = Arc::clone(&self.proxy);
        proxy
            .call(self.inlet.clone(), request.map(CallerBody::Http1))
            .await
    }

    fn refuse(&self, error: http1::HeadError) -> Response<Bytes> {
        let refusal = Refusal::new(error.reason()).detail(error);
        Arc::clone(&self.proxy).unread(&self.inlet, &refusal)
    }
}

/// A stream that can be ended so that nobody takes the end for an orderly one.
trait Reset {
    fn reset(&self);
}

impl Reset for Guarded<TcpStream> {
    fn reset(&self) {
        // A socket that refuses is dead, and its reader knows.
        let _dead = self.get_ref().set_zero_linger();
    }
}

#[cfg(test)]
impl Reset for Guarded<tokio::io::DuplexStream> {
    // Its end is the end of the stream.
    fn reset(&self) {}
}

impl<S: Reset> Reset for Box<S> {
    fn reset(&self) {
        (**self).reset();
    }
}

impl<S: Reset> Reset for TlsStream<S> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

/// What the calls of one connection have in common.
#[derive(Debug, Clone)]
pub(super) struct Inlet {
    /// Who is at the other end.
    pub(super) source: SocketAddr,
    /// Whom the calls are for.
    pub(super) agent: Chosen,
    /// Whether the caller came over TLS.
    pub(super) is_tls: bool,
    /// The certificate that the caller proved to be its own.
    pub(super) client: Option<Arc<ClientCertificate>>,
    /// The listener, where the peer is one whose word on the caller counts.
    pub(super) trusting: Option<Arc<Config>>,
    /// The host that the caller asked, by the word of such a peer.
    pub(super) host: Option<HeaderValue>,
    /// On this connection requests were taken back by resets of their streams.
    pub(super) takes_back: bool,
    /// The listener, where it is not the one that goes without saying.
    pub(super) listener: Option<Arc<str>>,
    /// What a call is held to.
    pub(super) bounds: Bounds,
}

/// What the listener allows a call. Copied, because a count of references that all workers share would cost more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Fields that a request may have.
    pub(super) fields: usize,
    /// Bytes that its head may have.
    pub(super) head_bytes: usize,
    /// Calls in flight at the same time, those of other listeners included.
    pub(super) calls: usize,
    /// How long the caller may pause within a body.
    pub(super) body_idle: Duration,
}

impl Bounds {
    pub(super) const fn of(config: &Config) -> Self {
        Self {
            fields: config.limits.headers,
            head_bytes: config.limits.header_bytes,
            calls: config.limits.calls,
            body_idle: config.deadlines.body_idle,
        }
    }
}

impl Inlet {
    /// Believes what a trusted peer says in the head of a request about its caller.
    pub(super) fn hear(&mut self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(config) = &self.trusting else {
            return Ok(());
        };
        let heard = forwarded::hear(headers, &config.trusted)?;
        self.source = heard.source.unwrap_or(self.source);
        self.is_tls = heard.is_tls.unwrap_or(self.is_tls);
        self.host = heard.host;
        Ok(())
    }
}

/// Drives a connection, and ends it when it is idle for too long or, in good order, when the process drains.
/// Returns why, where the caller is to be told.
///
/// An idle connection that does not end in good order until the watch looks again ends anyway.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    graceful_shutdown: fn(Pin<&mut C>),
    mut watch: Watch,
    mut guard: Guard,
) -> Option<&'static str>
where
    C: Future<Output = hyper::Result<()>>,
{
    let (mut draining, mut leaving) = (false, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return None;
            }
            () = guard.draining(), if !draining => {
                draining = true;
                graceful_shutdown(connection.as_mut());
            }
            () = tokio::time::sleep(watch.interval()) => match watch.look(clock::now()) {
                Judgement::Fine => leaving = false,
                Judgement::Idle if leaving => return None,
                Judgement::Idle => {
                    leaving = true;
                    graceful_shutdown(connection.as_mut());
                }
                Judgement::Silent => return None,
                Judgement::SlowHead => return Some("a head does not end"),
                // The answers in flight are cut, and their records say that the caller went away.
                Judgement::Stalled => return Some("the caller does not read"),
            },
        }
    }
}
