//! Against a hand-made agent on loopback that writes raw bytes.

use std::convert::Infallible;
use std::future::{Future, pending};
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
    Config, Deadlines, Forwarded, RequestBody, RequestBodyError, ResponseBody, Upstream,
    UpstreamError, UpstreamStats,
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

/// An agent, and the upstream that leads to it.
async fn agent() -> (TcpListener, Upstream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = Upstream::new(&Config::new("127.0.0.1".to_owned(), port));
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

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let (listener, upstream) = agent().await;
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
    let agent = script(listener, vec![OK, chunked, empty, OK]);
    for expected in [&b"ok"[..], b"ok", b"", b"ok"] {
        let response = forward(&upstream, get()).await.unwrap();
        assert_eq!(whole(response).await, expected);
        // The driver may still be at the end of the exchange.
        tokio::task::yield_now().await;
    }
    let stats = upstream.stats();
    assert_eq!(stats.opened.load(Relaxed), 1);
    assert_eq!(stats.reused.load(Relaxed), 3);
    drop(upstream);
    within(agent).await.unwrap();
}

#[tokio::test]
async fn concurrent_requests_have_a_connection_each_and_share_them_later() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        loop {
            let mut stream = accept(&listener).await;
            tokio::spawn(async move {
                while !read_head(&mut stream).await.is_empty() {
                    stream.write_all(OK).await.unwrap();
                }
            });
        }
    });
    for _ in 0..5 {
        let exchange = async || whole(forward(&upstream, get()).await.unwrap()).await;
        let bodies = tokio::join!(exchange(), exchange(), exchange(), exchange());
        assert_eq!(bodies.0, b"ok");
        assert_eq!(bodies.3, b"ok");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(upstream.stats().opened.load(Relaxed), 4);
    assert_eq!(upstream.stats().reused.load(Relaxed), 16);
}

#[tokio::test]
async fn no_more_idle_connections_than_configured() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = Config::new(
        "localhost".to_owned(),
        listener.local_addr().unwrap().port(),
    );
    config.idle = 1;
    let upstream = Upstream::new(&config);
    tokio::spawn(async move {
        let (mut first, mut second) = (accept(&listener).await, accept(&listener).await);
        read_head(&mut first).await;
        read_head(&mut second).await;
        first.write_all(OK).await.unwrap();
        second.write_all(OK).await.unwrap();
        tokio::join!(closed(&mut first), closed(&mut second));
    });
    let exchange = async || whole(forward(&upstream, get()).await.unwrap()).await;
    tokio::join!(exchange(), exchange());
    within(settled(&upstream.stats(), 1)).await;
}

#[tokio::test]
async fn an_agent_that_closes_after_its_answer_is_connected_to_again() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"[..],
            b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\n\r\nok",
            OK,
            OK,
        ] {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
    });
    for _ in 0..5 {
        // POST: not one of them may be sent twice.
        let response = forward(&upstream, post(b"")).await.unwrap();
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(whole(response).await, b"ok");
    }
    assert_eq!(upstream.stats().opened.load(Relaxed), 5);
    assert_eq!(upstream.stats().retried.load(Relaxed), 0);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_written_to() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(stream);
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let mut body = [0; 4];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(OK).await.unwrap();
        (head, body)
    });
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    tokio::time::sleep(Duration::from_millis(40)).await;
    // Not one byte was written to the dead one, so even this may go to the next.
    let (mut caller, rest) = incoming("content-length: 4").await;
    caller.write_all(b"body").await.unwrap();
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    assert_eq!(whole(response).await, b"ok");
    let (head, body) = within(agent).await.unwrap();
    assert!(head.starts_with("POST"), "{head}");
    assert_eq!(&body, b"body");
    assert_eq!(upstream.stats().stale.load(Relaxed), 1);
    assert_eq!(upstream.stats().retried.load(Relaxed), 0);
}

#[tokio::test]
async fn a_truncated_answer_is_never_complete() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    ] {
        let (listener, upstream) = agent().await;
        tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        });
        let response = forward(&upstream, get()).await.unwrap();
        let (bytes, end) = within(read_body(response)).await;
        let error = end.unwrap_err();
        assert_eq!(bytes, b"ok");
        assert_eq!(error.reason(), Reason::UpstreamTruncated, "{error:?}");
        assert_eq!(
            upstream
                .stats()
                .errors()
                .find(|(label, _)| *label == "truncated"),
            Some(("truncated", 1))
        );
    }
}

#[tokio::test]
async fn a_bad_chunk_is_the_agents_fault() {
    let (listener, upstream) = agent().await;
    script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"],
    );
    let response = forward(&upstream, get()).await.unwrap();
    let (_, end) = within(read_body(response)).await;
    assert_eq!(end.unwrap_err().reason(), Reason::UpstreamInvalid);
}

#[tokio::test]
async fn an_agent_that_does_not_begin_in_time() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b"HTTP/1.1 100 Continue\r\n\r\n"]);
    let short = Deadlines {
        first_byte: Duration::from_millis(50),
        ..deadlines()
    };
    let error = forward_within(&upstream, get(), short).await.unwrap_err();
    assert!(
        matches!(error, UpstreamError::FirstByteTimeout),
        "{error:?}"
    );
    // The agent hears that nobody waits any more.
    within(agent).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_pauses_for_too_long() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"],
    );
    let short = Deadlines {
        idle: Duration::from_millis(50),
        ..deadlines()
    };
    let response = forward_within(&upstream, get(), short).await.unwrap();
    let (bytes, end) = read_body(response).await;
    assert_eq!(bytes, b"ok");
    assert!(matches!(end, Err(UpstreamError::IdleTimeout)), "{end:?}");
    within(agent).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_goes_on_forever_still_ends() {
    for pause in [Duration::from_millis(10), Duration::ZERO] {
        let (listener, upstream) = agent().await;
        tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'.'; 4096]).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let short = Deadlines {
            total: clock::now() + Duration::from_millis(100),
            ..deadlines()
        };
        let response = forward_within(&upstream, get(), short).await.unwrap();
        let (_, end) = within(read_body(response)).await;
        assert!(matches!(end, Err(UpstreamError::TotalTimeout)), "{end:?}");
    }
}

#[tokio::test]
async fn an_agent_that_does_not_read_does_not_fill_our_memory() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let _unread = accept(&listener).await;
        pending::<()>().await;
    });
    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writer = tokio::spawn(async move {
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x1_0000], b"\r\n"].concat();
        while caller.write_all(&chunk).await.is_ok() {
            count.fetch_add(0x1_0000, Relaxed);
        }
    });
    let short = Deadlines {
        first_byte: Duration::from_millis(200),
        ..deadlines()
    };
    let error = within(forward_within(&upstream, streamed(rest), short))
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::FirstByteTimeout),
        "{error:?}"
    );
    // What the two kernels' buffers hold on loopback, and little of ours.
    let written = written.load(Relaxed);
    assert!(written < 32 << 20, "{written} bytes went to nobody");
    agent.abort();
    writer.abort();
}

#[tokio::test]
async fn an_answer_without_a_body_ends_at_its_head() {
    for (request, answer) in [
        (
            Request::head("/").body(RequestBody::Empty).unwrap(),
            &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"[..],
        ),
        (
            get(),
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        ),
        (get(), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let (listener, upstream) = agent().await;
        script(listener, vec![answer, OK]);
        let response = forward(&upstream, request).await.unwrap();
        assert!(response.headers().contains_key("content-length"));
        assert!(response.body().is_complete());
        // Nobody polled it, and its connection is free all the same.
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
        assert_eq!(upstream.stats().reused.load(Relaxed), 1);
        drop(response);
    }
}

#[tokio::test]
async fn a_reason_phrase_does_not_travel() {
    let (listener, upstream) = agent().await;
    script(
        listener,
        vec![b"HTTP/1.1 200 AKIA\r\ncontent-length: 0\r\n\r\n"],
    );
    let response = forward(&upstream, get()).await.unwrap();
    assert!(response.extensions().is_empty());
}

#[tokio::test]
async fn nobody_listens() {
    let (listener, upstream) = agent().await;
    drop(listener);
    let error = forward(&upstream, get()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Connect(_)), "{error:?}");
    assert_eq!(error.reason(), Reason::UpstreamUnavailable);
}

#[tokio::test]
async fn what_is_not_one_answer_is_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    let cases = [
        ("malformed", "garbage\r\n\r\n"),
        (
            "malformed",
            "HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "malformed",
            "HTTP/1.1 200 OK\r\nspace : a\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "malformed",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok",
        ),
        ("malformed", &long),
        ("malformed", &many),
        (
            "framing",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "framing",
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        ),
        (
            "framing",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        ),
        (
            "upgrade",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        ),
    ];
    for (label, answer) in cases {
        let (listener, upstream) = agent().await;
        let answer = answer.to_owned();
        tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            // We may close before all of it was written.
            let _sent = stream.write_all(answer.as_bytes()).await;
            closed(&mut stream).await;
        });
        let error = within(forward(&upstream, get())).await.unwrap_err();
        assert_eq!(error.label(), label, "{error:?}");
        assert_eq!(error.reason(), Reason::UpstreamInvalid);
        within(settled(&upstream.stats(), 0)).await;
    }
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let (listener, upstream) = agent().await;
    script(
        listener,
        vec![b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"],
    );
    let response = forward(&upstream, post(b"body")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("link"));
    assert_eq!(whole(response).await, b"ok");
}

#[tokio::test]
async fn a_second_answer_is_not_given_to_the_next_caller() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        let forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
        stream.write_all(&[OK, forged].concat()).await.unwrap();
        closed(&mut stream).await;
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        head
    });
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    assert_eq!(
        whole(forward(&upstream, post(b"")).await.unwrap()).await,
        b"ok"
    );
    assert!(within(agent).await.unwrap().starts_with("POST"));
    assert_eq!(upstream.stats().opened.load(Relaxed), 2);
}

#[tokio::test]
async fn bytes_on_an_idle_connection_end_it() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
        stream.write_all(forged).await.unwrap();
        closed(&mut stream).await;
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        head
    });
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    tokio::time::sleep(Duration::from_millis(40)).await;
    let next = forward(&upstream, post(b"as it was")).await.unwrap();
    assert_eq!(whole(next).await, b"ok");
    assert!(within(agent).await.unwrap().starts_with("POST"));
    assert_eq!(upstream.stats().stale.load(Relaxed), 1);
}

#[tokio::test]
async fn a_dropped_body_closes_the_agents_connection() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"],
    );
    let response = forward(&upstream, get()).await.unwrap();
    drop(response);
    within(agent).await.unwrap();
    within(settled(&upstream.stats(), 0)).await;
}

#[tokio::test]
async fn a_dropped_request_closes_the_agents_connection() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b""]);
    let waiting = tokio::time::timeout(Duration::from_millis(50), forward(&upstream, get()));
    assert!(waiting.await.is_err());
    within(agent).await.unwrap();
    within(settled(&upstream.stats(), 0)).await;
}

/// An agent that answers once, then closes without an answer when the next request is there, and
/// answers again on a fresh connection. Gives the heads that it saw.
fn closing_agent(listener: TcpListener) -> tokio::task::JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut heads = Vec::new();
        let mut stream = accept(&listener).await;
        heads.push(read_head(&mut stream).await);
        stream.write_all(OK).await.unwrap();
        heads.push(read_head(&mut stream).await);
        drop(stream);
        let accepted = tokio::time::timeout(Duration::from_millis(200), accept(&listener)).await;
        if let Ok(mut stream) = accepted {
            heads.push(read_head(&mut stream).await);
            stream.write_all(OK).await.unwrap();
        }
        heads
    })
}

#[tokio::test]
async fn what_changes_nothing_is_sent_again_once() {
    let (listener, upstream) = agent().await;
    let agent = closing_agent(listener);
    for _ in 0..2 {
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
        tokio::task::yield_now().await;
    }
    let heads = within(agent).await.unwrap();
    assert_eq!(heads.len(), 3);
    assert_eq!(heads[1], heads[2]);
    assert_eq!(upstream.stats().retried.load(Relaxed), 1);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_sent_again() {
    for request in [
        || post(b""),
        || post(b"body"),
        || Request::delete("/").body(RequestBody::Empty).unwrap(),
    ] {
        let (listener, upstream) = agent().await;
        let agent = closing_agent(listener);
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
        tokio::task::yield_now().await;
        let error = forward(&upstream, request()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Closed(_)), "{error:?}");
        assert_eq!(within(agent).await.unwrap().len(), 2);
        assert_eq!(upstream.stats().retried.load(Relaxed), 0);
    }
}

#[tokio::test]
async fn trailers_are_dropped_both_ways() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let body = read_until(&mut stream, b"0\r\n\r\n").await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-secret\r\n\r\n2\r\nok\r\n0\r\nx-secret: AKIA\r\n\r\n")
            .await
            .unwrap();
        (head, body)
    });
    let (mut caller, rest) = incoming("transfer-encoding: chunked\r\ntrailer: x-a").await;
    caller
        .write_all(b"4\r\nbody\r\n0\r\nx-a: 1\r\n\r\n")
        .await
        .unwrap();
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    assert!(!response.headers().contains_key("trailer"));
    assert_eq!(whole(response).await, b"ok");
    let (head, body) = within(agent).await.unwrap();
    assert!(!head.contains("trailer"), "{head}");
    assert_eq!(body, b"4\r\nbody\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_get_of_unknown_length_keeps_its_body() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let body = read_until(&mut stream, b"0\r\n\r\n").await;
        stream.write_all(OK).await.unwrap();
        (head, body)
    });
    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    caller.write_all(b"4\r\nbody\r\n0\r\n\r\n").await.unwrap();
    let request = Request::get("/").body(stream(rest, 4).unwrap()).unwrap();
    assert_eq!(
        whole(forward(&upstream, request).await.unwrap()).await,
        b"ok"
    );
    let (head, body) = within(agent).await.unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(body, b"4\r\nbody\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_peeked_body_arrives_whole_and_with_its_length() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let mut body = [0; 8];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(OK).await.unwrap();
        (head, body)
    });
    let (mut caller, mut rest) = incoming("content-length: 8").await;
    caller.write_all(b"peek").await.unwrap();
    let peeked = rest.frame().await.unwrap().unwrap().into_data().unwrap();
    let body = RequestBody::stream(peeked, rest, 8, Duration::from_secs(5)).unwrap();
    assert_eq!(body.size_hint().exact(), Some(8));
    caller.write_all(b"rest").await.unwrap();
    let request = Request::post("/").body(body).unwrap();
    assert_eq!(
        whole(forward(&upstream, request).await.unwrap()).await,
        b"ok"
    );
    let (head, body) = within(agent).await.unwrap();
    assert!(head.contains("content-length: 8\r\n"), "{head}");
    assert_eq!(&body, b"peekrest");
    // Both sides ended, so the connection is kept.
    assert_eq!(
        upstream
            .stats()
            .errors()
            .map(|(_, count)| count)
            .sum::<u64>(),
        0
    );
}

#[tokio::test]
async fn a_body_above_its_limit_is_known_from_its_length() {
    let (_caller, rest) = incoming("content-length: 9").await;
    assert_eq!(stream(rest, 8).unwrap_err(), RequestBodyError::TooLarge);
}

#[tokio::test]
async fn a_body_that_grows_above_its_limit_is_cut() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b""]);
    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    caller.write_all(b"9\r\nmuch body\r\n").await.unwrap();
    let request = Request::post("/").body(stream(rest, 8).unwrap()).unwrap();
    let error = forward(&upstream, request).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RequestTooLarge, "{error:?}");
    within(agent).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_pauses_in_its_body_is_to_blame() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b""]);
    let (_caller, rest) = incoming("content-length: 4").await;
    let body = RequestBody::stream(Bytes::new(), rest, 4, Duration::from_millis(150)).unwrap();
    // The agent's own deadline is shorter, and does not run while the caller has the word.
    let short = Deadlines {
        first_byte: Duration::from_millis(40),
        ..deadlines()
    };
    let request = Request::post("/").body(body).unwrap();
    let error = forward_within(&upstream, request, short).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RequestTimeout, "{error:?}");
    within(agent).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_midway_is_to_blame() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"],
    );
    let (caller, rest) = incoming("content-length: 4").await;
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    drop(caller);
    let (_, end) = within(read_body(response)).await;
    assert!(
        matches!(
            end,
            Err(UpstreamError::RequestBody(RequestBodyError::Broken))
        ),
        "{end:?}"
    );
    within(agent).await.unwrap();
}

#[tokio::test]
async fn an_answer_before_the_requests_end_ends_the_connection() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"],
    );
    let (_caller, rest) = incoming("content-length: 4").await;
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    assert_eq!(whole(response).await, b"no");
    within(agent).await.unwrap();
    within(settled(&upstream.stats(), 0)).await;
}

#[tokio::test]
async fn a_reader_that_is_slow_slows_the_agent() {
    const PIECES: usize = 1024;
    static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let (listener, upstream) = agent().await;
    let (report, mut written) = tokio::sync::watch::channel(0_usize);
    tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        let length = PIECES * PIECE.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for piece in 1..=PIECES {
            stream.write_all(&PIECE).await.unwrap();
            report.send_replace(piece);
        }
        closed(&mut stream).await;
    });
    let response = forward(&upstream, get()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What the two kernels' buffers hold, at most some MiB on loopback, and not the 64 MiB.
    let early = *written.borrow_and_update();
    assert!(early < PIECES / 2, "{early} pieces went to nobody");
    assert_eq!(within(whole(response)).await.len(), PIECES * PIECE.len());
}

#[test]
fn each_error_has_its_label_once() {
    assert!(UpstreamError::LABELS.is_sorted());
    let errors = [
        UpstreamError::ConnectTimeout,
        UpstreamError::FirstByteTimeout,
        UpstreamError::IdleTimeout,
        UpstreamError::TotalTimeout,
        UpstreamError::Truncated(None),
        UpstreamError::Upgrade,
        UpstreamError::RequestBody(RequestBodyError::Broken),
        UpstreamError::Framing(super::FramingError::Both),
    ];
    let stats = UpstreamStats::default();
    for error in &errors {
        stats.failed(error);
    }
    let counted: u64 = stats.errors().map(|(_, count)| count).sum();
    assert_eq!(counted, errors.len() as u64);
}

#[test]
fn what_callers_move_between_tasks_can_be_moved() {
    fn sendable<T: Send>(_: &T) {}
    fn shareable<T: Send + Sync>() {}
    fn movable<T: Send>() {}
    shareable::<Upstream>();
    movable::<ResponseBody>();
    movable::<RequestBody>();
    let upstream = Upstream::new(&Config::new("localhost".to_owned(), 1));
    sendable(&upstream.forward(admission(), get(), deadlines()));
}

/// The whole way, on several threads: a caller that sends the next piece only when the last came back
/// sees that each side wakes the other, since no task drives the agent's connection but the call's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_bodies_flow_at_the_same_time() {
    const PIECE: &[u8] = b"4\r\nping\r\n";
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut piece = [0; PIECE.len()];
        while stream.read_exact(&mut piece).await.is_ok() {
            stream.write_all(&piece).await.unwrap();
        }
    });
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let stream = TokioIo::new(accept(&front).await);
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            let upstream = upstream.clone();
            async move { forward(&upstream, streamed(request.into_body())).await }
        });
        hyper::server::conn::http1::Builder::new()
            .serve_connection(stream, service)
            .await
    });
    within(async {
        let mut caller = TcpStream::connect(address).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nhost: us\r\ntransfer-encoding: chunked\r\n\r\n";
        caller.write_all(head).await.unwrap();
        assert!(read_head(&mut caller).await.starts_with("HTTP/1.1 200"));
        for _ in 0..200 {
            caller.write_all(PIECE).await.unwrap();
            assert_eq!(read_until(&mut caller, PIECE).await, PIECE);
        }
    })
    .await;
}
