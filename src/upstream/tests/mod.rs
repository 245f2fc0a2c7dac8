//! Against a hand-made agent on loopback that writes raw bytes.

mod answers;
mod care;
mod deadlines;
mod flow;
mod http2;
mod requests;
mod reuse;
mod schemes;

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{
    Config, Deadlines, Endpoint, Forwarded, FramingError, RequestBody, RequestBodyError,
    ResponseBody, Retry, Upstream, UpstreamError, UpstreamStats,
};
use crate::clock;
use crate::model::Reason;
use crate::quota::Admission;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn admission() -> Admission {
    Admission::for_tests()
}

fn deadlines() -> Deadlines {
    Deadlines {
        first_byte: Duration::from_secs(5),
        idle: Duration::from_secs(5),
        total: clock::now() + Duration::from_secs(20),
    }
}

fn get() -> Request<RequestBody> {
    Request::get("/").body(RequestBody::Empty).unwrap()
}

fn post(body: &'static [u8]) -> Request<RequestBody> {
    Request::post("/")
        .body(RequestBody::full(Bytes::from_static(body)))
        .unwrap()
}

fn at(host: &str, port: u16) -> Config {
    let host = host.to_owned();
    Config::new(Endpoint::Http { host, port })
}

/// An agent, and the upstream that leads to it.
async fn agent() -> (TcpListener, Upstream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = Upstream::new(&at("127.0.0.1", port), None);
    (listener, upstream)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// Reads up to and including `end`; empty when the connection is closed first.
async fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        match stream.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(_) => return Vec::new(),
        }
    }
    bytes
}

async fn read_head(stream: &mut TcpStream) -> String {
    String::from_utf8(read_until(stream, b"\r\n\r\n").await).unwrap()
}

/// Waits until we close the connection, however we do it.
async fn closed(stream: &mut TcpStream) {
    let mut scratch = [0; 4096];
    while let Ok(1..) = stream.read(&mut scratch).await {}
}

/// Answers each request of one connection with the next of `answers`, then holds it open.
fn script(
    listener: TcpListener,
    answers: Vec<&'static [u8]>,
) -> tokio::task::JoinHandle<TcpListener> {
    tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        for answer in answers {
            read_head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
        closed(&mut stream).await;
        listener
    })
}

async fn forward(
    upstream: &Upstream,
    request: Request<RequestBody>,
) -> Result<Response<ResponseBody>, UpstreamError> {
    forward_within(upstream, request, deadlines()).await
}

async fn forward_within(
    upstream: &Upstream,
    request: Request<RequestBody>,
    deadlines: Deadlines,
) -> Result<Response<ResponseBody>, UpstreamError> {
    match upstream.forward(admission(), request, deadlines).await {
        Ok(Forwarded { response, .. }) => Ok(response),
        Err((error, _admission)) => Err(error),
    }
}

/// The bytes that came, and how the body ended.
async fn read_body(response: Response<ResponseBody>) -> (Vec<u8>, Result<(), UpstreamError>) {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => {
                assert!(!body.is_complete());
                assert!(body.frame().await.is_none(), "an error is the last item");
                return (bytes, Err(error));
            }
        }
    }
    assert!(body.is_complete());
    (bytes, Ok(()))
}

async fn whole(response: Response<ResponseBody>) -> Vec<u8> {
    let (bytes, end) = read_body(response).await;
    end.unwrap();
    bytes
}

async fn settled(stats: &UpstreamStats, open: u64) {
    while stats.open.load(Relaxed) != open {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A request body as a server has it: what `sent` says after its head, and the caller's end.
async fn incoming(head: &str) -> (DuplexStream, Incoming) {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let (give, mut take) = mpsc::channel(1);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        give.try_send(request.into_body()).unwrap();
        pending::<Result<Response<String>, Infallible>>()
    });
    tokio::spawn(
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(near), service),
    );
    far.write_all(format!("POST / HTTP/1.1\r\nhost: us\r\n{head}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    (far, take.recv().await.unwrap())
}

fn stream(rest: Incoming, limit: u64) -> Result<RequestBody, RequestBodyError> {
    RequestBody::stream(Bytes::new(), rest, limit, Duration::from_secs(5))
}

fn streamed(rest: Incoming) -> Request<RequestBody> {
    Request::post("/")
        .body(stream(rest, u64::MAX).unwrap())
        .unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("the test hangs")
}
