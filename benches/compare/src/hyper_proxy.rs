//! A bare hyper proxy: the floor of what hyper allows. No policy, no log, no limit, no metric.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, Uri, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::{http1 as server, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::secrets;

/// Where to listen and what to stand before.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Address of the backend.
    #[arg(long)]
    upstream: SocketAddr,
    /// Certificate chain (PEM); plain HTTP without it.
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// Private key (PEM).
    #[arg(long)]
    key: Option<PathBuf>,
}

/// Serves until the process ends.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let tls = match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            let config = secrets::server_config(certificate, key).context("cannot set up TLS")?;
            Some(TlsAcceptor::from(Arc::new(config)))
        }
        _ => None,
    };
    let pool = Arc::new(Pool {
        upstream: options.upstream,
        idle: Mutex::new(Vec::new()),
    });
    let listener = TcpListener::bind(options.listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = Arc::clone(&pool);
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        if stream.get_ref().1.alpn_protocol() == Some(secrets::HTTP2) {
                            serve_http2(stream, pool).await;
                        } else {
                            serve(stream, pool).await;
                        }
                    }
                }
                None => serve(stream, pool).await,
            }
        });
    }
}

async fn serve<S>(stream: S, pool: Arc<Pool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| forward(request, Arc::clone(&pool)));
    // An error ends the connection; the load sees that and reports it.
    let _ = server::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn serve_http2<S>(stream: S, pool: Arc<Pool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| forward_http2(request, Arc::clone(&pool)));
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn forward_http2(
    mut request: Request<Incoming>,
    pool: Arc<Pool>,
) -> Result<Response<Returning>, Box<dyn std::error::Error + Send + Sync>> {
    one_version_down(&mut request)?;
    forward(request, pool).await
}

/// A request of HTTP/2 as one of HTTP/1.1: the target's authority becomes the field `host`.
fn one_version_down(request: &mut Request<Incoming>) -> Result<(), http::Error> {
    *request.version_mut() = Version::HTTP_11;
    let path = request.uri().path_and_query().cloned();
    let path = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    let uri = std::mem::replace(request.uri_mut(), path);
    if let Some(authority) = uri.authority() {
        let host = authority.as_str().try_into()?;
        request.headers_mut().insert(header::HOST, host);
    }
    Ok(())
}

async fn forward(
    mut request: Request<Incoming>,
    pool: Arc<Pool>,
) -> Result<Response<Returning>, Box<dyn std::error::Error + Send + Sync>> {
    request.headers_mut().remove(header::CONNECTION);
    let mut sender = pool.take().await?;
    let response = sender.send_request(request).await?;
    let (mut head, body) = response.into_parts();
    head.headers.remove(header::CONNECTION);
    let body = Returning {
        body,
        connection: Some((sender, pool)),
    };
    Ok(Response::from_parts(head, body))
}

/// Idle connections to the backend, the last used first.
struct Pool {
    upstream: SocketAddr,
    idle: Mutex<Vec<Sender>>,
}

type Sender = client::SendRequest<Incoming>;

impl Pool {
    async fn take(&self) -> Result<Sender, Box<dyn std::error::Error + Send + Sync>> {
        while let Some(mut sender) = self.pop() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn pop(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    fn give(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(sender);
    }
}

/// An answer's body that gives its connection back once it has ended.
struct Returning {
    body: Incoming,
    connection: Option<(Sender, Arc<Pool>)>,
}

impl Returning {
    fn give_back(&mut self) {
        if let Some((sender, pool)) = self.connection.take() {
            pool.give(sender);
        }
    }
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.give_back();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body of a known length may never be polled to its end: the connection goes back here then.
impl Drop for Returning {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}
