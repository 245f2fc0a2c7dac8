//! One connection: handshake, HTTP version, and the watch over its idleness.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock;
use crate::drain::Guard;
use crate::http1;
use crate::listener::{Config, Connection, Guarded};
use crate::model::Refusal;
use crate::tls::{self, HttpVersion};

use super::Proxy;
use super::farewell::Leaving;
use super::inbound::CallerBody;
use super::meter::{Allowances, Flood, Meter};
use super::screen::ReplyBody;
use super::watch::{Activity, Busy, Judgement, Watch, Watched};

/// What a listener's connections have in common.
#[derive(Clone)]
pub struct Front {
    /// The calls go here.
    pub proxy: Arc<Proxy>,
    /// Terminates TLS; `None` is a plain listener.
    pub tls: Option<TlsAcceptor>,
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

impl Front {
    /// Serves one connection until it ends.
    pub async fn serve(self, connection: Connection) {
        let Connection {
            stream,
            peer,
            guard,
        } = connection;
        let stall = self.config.deadlines.write_stall;
        let Some(acceptor) = self.tls.clone() else {
            return self.http1(Guarded::new(stream, stall), peer, guard).await;
        };
        let handshake = acceptor.accept(Guarded::new(stream, stall));
        let stream = match tokio::time::timeout(self.config.deadlines.handshake, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(downstream.addr = %peer, %error, "tls handshake failed");
                return self.proxy.parts.transport.tls_handshake_errors.inc();
            }
            Err(_) => return self.proxy.parts.transport.tls_handshake_errors.inc(),
        };
        match tls::negotiated(&stream) {
            // A client that offers no protocol speaks HTTP/1.1 by custom.
            Some(HttpVersion::H1) | None => self.http1(stream, peer, guard).await,
            Some(HttpVersion::H2) => self.http2(stream, peer, guard).await,
        }
    }

    async fn http1<S>(self, mut stream: S, peer: SocketAddr, guard: Guard)
    where
        S: AsyncRead + AsyncWrite + Reset + Unpin,
    {
        let Config {
            limits, deadlines, ..
        } = &*self.config;
        let config = http1::Config {
            head: http1::HeadLimits {
                bytes: limits.header_bytes,
                fields: limits.headers,
            },
            head_time: deadlines.header,
            keep_alive: deadlines.keep_alive,
        };
        let service = Http1 {
            inlet: self.inlet(peer),
            proxy: self.proxy,
        };
        match http1::serve(&mut stream, &service, config, guard).await {
            http1::Ended::Closed | http1::Ended::Gone => {}
            http1::Ended::Cut => stream.reset(),
            http1::Ended::Switched(never, _) => match never {},
        }
    }

    async fn http2(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        guard: Guard,
    ) {
        let limits = self.config.limits;
        let activity = Arc::new(Activity::default());
        let allowances = Allowances {
            resets: limits.resets,
            control_frames: limits.control_frames,
        };
        let meter = Meter::new(allowances, self.proxy.parts.transport.http2.clone());
        let mut io = Watched::new(stream, Arc::clone(&activity), meter);
        let inlet = self.inlet(peer);
        let builder = http2_builder(&self.config);
        let proxy = self.proxy;
        let calls = Arc::clone(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let proxy = Arc::clone(&proxy);
            let busy = Busy::new(&calls);
            async move {
                let response = proxy.call(inlet, request.map(CallerBody::Http2)).await;
                Ok::<_, Infallible>(response.map(|body| Leaving::new(body, busy)))
            }
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

    fn inlet(&self, peer: SocketAddr) -> Inlet {
        Inlet {
            source: peer,
            is_tls: self.tls.is_some(),
            most_fields: self.config.limits.headers,
            most_bytes: self.config.limits.header_bytes,
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

/// Answers what comes on an HTTP/1 connection.
struct Http1 {
    proxy: Arc<Proxy>,
    inlet: Inlet,
}

impl http1::Service for Http1 {
    type Body = ReplyBody;
    type Switch = Infallible;

    async fn call(&self, request: Request<http1::Body>) -> http1::Reply<ReplyBody, Infallible> {
        let proxy = Arc::clone(&self.proxy);
        let request = request.map(CallerBody::Http1);
        http1::Reply::Response(proxy.call(self.inlet, request).await)
    }

    fn refuse(&self, error: http1::HeadError) -> Response<Bytes> {
        let refusal = Refusal::new(error.reason()).detail(error);
        Arc::clone(&self.proxy).unread(self.inlet, &refusal)
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

impl<S: Reset> Reset for TlsStream<S> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

/// What the calls of one connection have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inlet {
    /// Who is at the other end.
    pub(super) source: SocketAddr,
    /// Whether the caller came over TLS.
    pub(super) is_tls: bool,
    /// Fields that a request may have.
    pub(super) most_fields: usize,
    /// Bytes that its head may have.
    pub(super) most_bytes: usize,
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
