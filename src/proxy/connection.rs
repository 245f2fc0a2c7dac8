//! One connection: handshake, HTTP version, and the watch over its idleness.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use http::StatusCode;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::clock;
use crate::drain::Guard;
use crate::listener::{Config, Connection, Guarded};
use crate::model::{Reason, Refusal};
use crate::tls::{self, HttpVersion};

use super::Proxy;
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

    async fn http1(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        guard: Guard,
    ) {
        let limits = self.config.limits;
        let activity = Arc::new(Activity::default());
        let io = TokioIo::new(Watched {
            stream,
            activity: Arc::clone(&activity),
        });
        let service = self.service(peer, &activity);
        let connection = http1::Builder::new()
            .max_buf_size(limits.header_bytes.max(8192))
            .max_headers(limits.headers)
            // Our own watch tells a slow head from an idle connection; hyper's timer cannot.
            .header_read_timeout(None)
            .serve_connection(io, service);
        let watch = Watch::new(activity, self.config.deadlines, HttpVersion::H1);
        let ended = drive(
            pin!(connection),
            http1::Connection::graceful_shutdown,
            watch,
            guard,
        )
        .await;
        // What is no HTTP never becomes a call; the server answers it by itself, and here it gets its record.
        match ended {
            Ended::Failed(error) if error.is_parse() => {
                let refusal = unread(&error).detail(&error);
                Arc::clone(&self.proxy).unread(peer, &refusal, unread_status(&error));
            }
            Ended::SlowHead { begun: true } => {
                let refusal = Refusal::new(Reason::RequestTimeout).detail("a head that trickles");
                Arc::clone(&self.proxy).unread(peer, &refusal, None);
            }
            Ended::Closed | Ended::Failed(_) | Ended::SlowHead { begun: false } => {}
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
        let io = TokioIo::new(Watched {
            stream,
            activity: Arc::clone(&activity),
        });
        let service = self.service(peer, &activity);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(Some(self.config.deadlines.keep_alive))
            .serve_connection(io, service);
        let watch = Watch::new(activity, self.config.deadlines, HttpVersion::H2);
        drive(
            pin!(connection),
            http2::Connection::graceful_shutdown,
            watch,
            guard,
        )
        .await;
    }

    fn service(
        &self,
        peer: SocketAddr,
        activity: &Arc<Activity>,
    ) -> impl hyper::service::HttpService<
        hyper::body::Incoming,
        ResBody = ReplyBody,
        Error = Infallible,
        Future: Send + 'static,
    > + use<> {
        let proxy = Arc::clone(&self.proxy);
        let activity = Arc::clone(activity);
        let inlet = Inlet {
            source: peer,
            is_tls: self.tls.is_some(),
            most_fields: self.config.limits.headers,
        };
        service_fn(move |request| {
            let proxy = Arc::clone(&proxy);
            let busy = Busy::new(&activity);
            async move { Ok::<_, Infallible>(proxy.call(inlet, request, busy).await) }
        })
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
}

/// Drives a connection, and ends it when it is idle for too long, when a request head takes too long,
/// or, in good order, when the process drains.
///
/// An idle connection that does not end in good order until the watch looks again ends anyway.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    graceful_shutdown: fn(Pin<&mut C>),
    mut watch: Watch,
    mut guard: Guard,
) -> Ended
where
    C: Future<Output = hyper::Result<()>>,
{
    let (mut draining, mut leaving) = (false, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                let Err(error) = ended else {
                    return Ended::Closed;
                };
                tracing::debug!(%error, "connection ended");
                return Ended::Failed(error);
            }
            () = guard.draining(), if !draining => {
                draining = true;
                graceful_shutdown(connection.as_mut());
            }
            () = tokio::time::sleep(watch.interval()) => match watch.look(clock::now()) {
                Judgement::Fine => leaving = false,
                Judgement::Idle if leaving => return Ended::Closed,
                Judgement::Idle => {
                    leaving = true;
                    graceful_shutdown(connection.as_mut());
                }
                Judgement::SlowHead => return Ended::SlowHead { begun: watch.has_read() },
                // The answers in flight are cut, and their records say that the caller went away.
                Judgement::Stalled => return Ended::Closed,
            },
        }
    }
}

/// How a connection ended.
enum Ended {
    Closed,
    Failed(hyper::Error),
    /// A request's head took too long, or never began. Nothing was asked, so nothing is answered.
    SlowHead {
        begun: bool,
    },
}

fn unread(error: &hyper::Error) -> Refusal {
    Refusal::new(if error.is_parse_too_large() {
        Reason::RequestTooLarge
    } else {
        Reason::MalformedRequest
    })
}

/// The status that the server answers with.
fn unread_status(error: &hyper::Error) -> Option<StatusCode> {
    Some(if error.is_parse_too_large() {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    } else {
        StatusCode::BAD_REQUEST
    })
}
