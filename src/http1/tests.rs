//! A connection with slow, dying, half-closing, pipelining and flooding peers, in paused time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::*;
use crate::clock;
use crate::drain::{self, Drain};

/// Answers with what it read, or as the path says.
struct Echo;

/// What an answer is made of, piece by piece.
enum Script {
    Pieces(VecDeque<Result<Bytes, ()>>),
    Never,
    Whole(Option<Bytes>),
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = ();

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
        match &mut *self {
            Self::Never => Poll::Pending,
            Self::Pieces(pieces) => {
                Poll::Ready(pieces.pop_front().map(|piece| piece.map(Frame::data)))
            }
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(bytes) => http_body::SizeHint::with_exact(
                bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            ),
            Self::Never | Self::Pieces(_) => http_body::SizeHint::default(),
        }
    }
}

impl Service for Echo {
    type Body = Script;
    type Switch = Infallible;

    async fn call(&self, request: Request<Body>) -> Reply<Script, Infallible> {
        let pieces = |pieces: &[Result<&'static str, ()>]| {
            Script::Pieces(
                pieces
                    .iter()
                    .map(|piece| piece.map(|text| Bytes::from_static(text.as_bytes())))
                    .collect(),
            )
        };
        let path = request.uri().path().to_owned();
        let body = match path.as_str() {
            "/unread" => Script::Whole(Some(Bytes::from_static(b"no"))),
            "/stream" => pieces(&[Ok("one"), Ok("two")]),
            "/cut" => pieces(&[Ok("one"), Err(())]),
            "/never" => Script::Never,
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(900)).await;
                Script::Whole(Some(Bytes::from_static(b"slow")))
            }
            "/hang" => std::future::pending().await,
            _ => match request.into_body().collect().await {
                Ok(body) => Script::Whole(Some(body.to_bytes())),
                Err(error) => Script::Whole(Some(error.to_string().into())),
            },
        };
        Reply::Response(Response::new(body))
    }

    fn refuse(&self, error: HeadError) -> Response<Bytes> {
        let mut response = Response::new(error.to_string().into());
        *response.status_mut() = match error {
            HeadError::Timeout => StatusCode::REQUEST_TIMEOUT,
            HeadError::TooLarge(_) | HeadError::TooManyFields(_) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        response
    }
}

/// The caller's end, and the connection's.
struct Peer {
    stream: DuplexStream,
    served: JoinHandle<Ended<Infallible>>,
    drain: Drain,
}

const CONFIG: Config = Config {
    head: HeadLimits {
        bytes: 4096,
        fields: 16,
    },
    head_time: Duration::from_secs(10),
    preface: false,
    keep_alive: Duration::from_secs(75),
};

fn peer() -> Peer {
    peer_with_window(1 << 20)
}

fn peer_with_window(window: usize) -> Peer {
    let (stream, mut near) = tokio::io::duplex(window);
    let (drain, guard) = drain::channel();
    let served = tokio::spawn(async move { serve(&mut near, &Echo, CONFIG, guard).await });
    Peer {
        stream,
        served,
        drain,
    }
}

impl Peer {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes until `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let read = self.stream.read(&mut byte).await.unwrap();
            assert_ne!(read, 0, "ended after {:?}", String::from_utf8_lossy(&text));
            text.extend_from_slice(&byte);
        }
        String::from_utf8(text).unwrap()
    }

    /// All that comes until the end of the connection.
    async fn rest(&mut self) -> String {
        let mut text = Vec::new();
        self.stream.read_to_end(&mut text).await.unwrap();
        String::from_utf8(text).unwrap()
    }
}

const HOST: &str = "host: a\r\n";

#[tokio::test(start_paused = true)]
async fn requests_are_answered_in_order_however_they_come() {
    let mut peer = peer();
    let first = format!("POST / HTTP/1.1\r\n{HOST}content-length: 5\r\n\r\nfirst");
    let second = format!(
        "POST / HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n"
    );
    let third = format!("GET /stream HTTP/1.1\r\n{HOST}connection: close\r\n\r\n");
    // All at once, and then each byte alone.
    peer.send(&format!("{first}{second}")).await;
    assert!(peer.until("first").await.contains("content-length: 5\r\n"));
    assert!(peer.until("second").await.contains("content-length: 6\r\n"));
    for byte in format!("{second}{first}{third}").chars() {
        peer.send(&byte.to_string()).await;
    }
    peer.until("second").await;
    peer.until("first").await;
    let last = peer.rest().await;
    assert!(last.contains("connection: close\r\n"), "{last}");
    assert!(
        last.ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        "{last}"
    );
    assert_eq!(peer.served.await.unwrap(), Ended::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_told_so_and_a_silent_connection_is_closed() {
    let mut slow = peer();
    let start = clock::now();
    slow.send("GET / HT").await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    slow.send("T").await;
    assert!(slow.rest().await.starts_with("HTTP/1.1 408 "));
    assert_eq!(clock::now() - start, CONFIG.head_time);

    let mut silent = peer();
    let start = clock::now();
    assert_eq!(silent.rest().await, "");
    assert_eq!(clock::now() - start, CONFIG.head_time);
    assert_eq!(silent.served.await.unwrap(), Ended::Closed);

    let mut idle = peer();
    idle.send(&format!("GET / HTTP/1.1\r\n{HOST}\r\n")).await;
    idle.until("\r\n\r\n").await;
    let start = clock::now();
    assert_eq!(idle.rest().await, "");
    assert_eq!(clock::now() - start, CONFIG.keep_alive);
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_from_its_first_byte() {
    let mut peer = peer();
    peer.send(&format!("GET / HTTP/1.1\r\n{HOST}\r\n")).await;
    peer.until("\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    peer.send("GET").await;
    let start = clock::now();
    assert!(peer.rest().await.starts_with("HTTP/1.1 408 "));
    assert_eq!(clock::now() - start, CONFIG.head_time);
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_never_looks_complete() {
    let mut chunked = peer();
    chunked
        .send(&format!("GET /cut HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    let got = chunked.rest().await;
    assert!(got.ends_with("3\r\none\r\n"), "{got}");
    assert_eq!(chunked.served.await.unwrap(), Ended::Gone);

    // Where the end of the connection would be the end, the caller of `serve` is told to reset it.
    let mut old = peer();
    old.send("GET /cut HTTP/1.0\r\n\r\n").await;
    let got = old.rest().await;
    assert!(
        got.ends_with("\r\n\r\none") && !got.contains("chunked"),
        "{got}"
    );
    assert_eq!(old.served.await.unwrap(), Ended::Cut);
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_1_0_keeps_its_connection_only_when_it_asks() {
    let mut once = peer();
    once.send("GET / HTTP/1.0\r\n\r\n").await;
    assert!(once.rest().await.contains("connection: close\r\n"));
    let mut again = peer();
    for _ in 0..2 {
        again
            .send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            .await;
        let head = again.until("\r\n\r\n").await;
        assert!(head.contains("connection: keep-alive\r\n"), "{head}");
    }
    again
        .send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        .await;
    let got = again.rest().await;
    assert!(got.ends_with("\r\n\r\nonetwo"), "{got}");
    assert_eq!(again.served.await.unwrap(), Ended::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_asked_for_before_it_is_awaited() {
    let mut peer = peer();
    let head =
        format!("POST / HTTP/1.1\r\n{HOST}expect: 100-continue\r\ncontent-length: 4\r\n\r\n");
    peer.send(&head).await;
    assert_eq!(
        peer.until("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    peer.send("body").await;
    assert!(peer.until("body").await.starts_with("HTTP/1.1 200 OK\r\n"));
    // Nobody wants this one: it is not asked for, and the connection ends, for who knows what comes next.
    peer.send(&head.replace("POST /", "POST /unread")).await;
    let got = peer.rest().await;
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
    assert!(got.contains("connection: close\r\n"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_body_is_never_the_next_request() {
    let mut small = peer();
    let smuggled = format!("GET /never HTTP/1.1\r\n{HOST}\r\n");
    let length = smuggled.len();
    small
        .send(&format!(
            "POST /unread HTTP/1.1\r\n{HOST}content-length: {length}\r\n\r\n{smuggled}"
        ))
        .await;
    small.until("no").await;
    small.send(&format!("GET / HTTP/1.1\r\n{HOST}\r\n")).await;
    small.until("\r\n\r\n").await;

    let mut late = peer();
    late.send(&format!(
        "POST /unread HTTP/1.1\r\n{HOST}content-length: {length}\r\n\r\n"
    ))
    .await;
    late.until("no").await;
    late.send(&format!("{smuggled}GET / HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    late.until("\r\n\r\n").await;

    let mut large = peer();
    large
        .send(&format!(
            "POST /unread HTTP/1.1\r\n{HOST}content-length: 100000\r\n\r\n{smuggled}"
        ))
        .await;
    let got = large.rest().await;
    assert!(got.contains("connection: close\r\n"), "{got}");
    assert!(got.ends_with("no"), "{got}");

    let mut broken = peer();
    broken
        .send(&format!(
            "POST /unread HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\nx\r\n{smuggled}"
        ))
        .await;
    let got = broken.rest().await;
    assert!(got.contains("connection: close\r\n"), "{got}");
    assert!(got.ends_with("no"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_body_is_told_to_the_call_and_ends_the_connection() {
    let mut garbage = peer();
    garbage
        .send(&format!(
            "POST / HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n1\r\nab"
        ))
        .await;
    let got = garbage.rest().await;
    assert!(
        got.ends_with("the chunked coding is not well-formed"),
        "{got}"
    );
    let mut short = peer();
    short
        .send(&format!(
            "POST / HTTP/1.1\r\n{HOST}content-length: 10\r\n\r\nabc"
        ))
        .await;
    short.stream.shutdown().await.unwrap();
    let got = short.rest().await;
    assert!(
        got.ends_with("the connection ended before the body"),
        "{got}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_closes_its_side_gets_a_moment_for_its_answer() {
    let mut patient = peer();
    patient
        .send(&format!("GET /slow HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    patient.stream.shutdown().await.unwrap();
    assert!(patient.rest().await.ends_with("slow"));

    for path in ["/hang", "/never"] {
        let mut gone = peer();
        gone.send(&format!("GET {path} HTTP/1.1\r\n{HOST}\r\n"))
            .await;
        let start = clock::now();
        gone.stream.shutdown().await.unwrap();
        assert_eq!(gone.served.await.unwrap(), Ended::Gone);
        assert_eq!(clock::now() - start, Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_closes_its_side_gets_all_that_it_takes_however_slowly() {
    let mut slow = peer_with_window(64);
    let body = "x".repeat(1000);
    slow.send(&format!(
        "POST / HTTP/1.1\r\n{HOST}content-length: 1000\r\n\r\n{body}"
    ))
    .await;
    slow.stream.shutdown().await.unwrap();
    let start = clock::now();
    let mut got = Vec::new();
    while slow.stream.read_buf(&mut got).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(got.ends_with(body.as_bytes()), "{}", got.len());
    assert!(clock::now() - start > Duration::from_secs(5));
    assert_eq!(slow.served.await.unwrap(), Ended::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_last_request_is_read_off_and_not_answered() {
    let mut peer = peer();
    let last = format!("GET / HTTP/1.1\r\n{HOST}connection: close\r\n\r\n");
    peer.send(&last.repeat(3000)).await;
    let start = clock::now();
    let got = peer.rest().await;
    assert_eq!(got.matches("HTTP/1.1 200 OK").count(), 1, "{got}");
    peer.send("more").await;
    drop(peer.stream);
    assert_eq!(peer.served.await.unwrap(), Ended::Closed);
    assert!(clock::now() - start < Duration::from_secs(1));

    // Nothing is waited for where nothing is on its way.
    let mut alone = self::peer();
    alone.send(&last).await;
    let start = clock::now();
    alone.rest().await;
    assert_eq!(alone.served.await.unwrap(), Ended::Closed);
    assert_eq!(clock::now(), start);
}

#[tokio::test(start_paused = true)]
async fn a_draining_connection_answers_what_is_on_its_way_and_says_goodbye() {
    let mut peer = peer();
    peer.send(&format!("GET / HTTP/1.1\r\n{HOST}\r\n")).await;
    peer.until("\r\n\r\n").await;
    let start = clock::now();
    let drained = tokio::spawn(peer.drain.drain(Duration::from_secs(30)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer.stream
        .write_all(format!("GET / HTTP/1.1\r\n{HOST}\r\n").as_bytes())
        .await
        .unwrap();
    let mut got = String::new();
    peer.stream.read_to_string(&mut got).await.unwrap();
    assert!(got.contains("connection: close\r\n"), "{got}");
    assert!(drained.await.unwrap());
    assert_eq!(clock::now() - start, Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pipelined_requests_waits_outside() {
    let peer = peer_with_window(1024);
    let request = format!("GET /slow HTTP/1.1\r\n{HOST}\r\n");
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let flood = tokio::spawn(async move {
        let mut sent = 0_usize;
        while tokio::time::timeout(Duration::from_secs(5), writer.write_all(request.as_bytes()))
            .await
            .is_ok_and(|written| written.is_ok())
        {
            sent += 1;
        }
        sent
    });
    // The answers are not read: the connection stops to read requests.
    let sent = flood.await.unwrap();
    assert!(sent < 500, "{sent}");
    let mut some = vec![0; 512];
    reader.read_exact(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200 OK\r\n"));
    drop(reader);
    peer.drain.drain(Duration::from_secs(3)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_answered_and_read_off() {
    let mut peer = peer();
    peer.send("GET / HTTP/1.1\nHost: a\n\n").await;
    peer.send(&"x".repeat(100_000)).await;
    let got = peer.rest().await;
    assert!(got.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{got}");
    assert!(got.contains("connection: close\r\n"), "{got}");
    let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(5000));
    let mut peer = self::peer();
    peer.send(&long).await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test(start_paused = true)]
async fn the_preface_of_http_2_is_left_to_others_and_nothing_like_it_is() {
    let serve = |config: Config| {
        let (stream, mut near) = tokio::io::duplex(1 << 20);
        let (drain, guard) = drain::channel();
        let served = tokio::spawn(async move { serve(&mut near, &Echo, config, guard).await });
        (stream, served, drain)
    };
    let both = Config {
        preface: true,
        ..CONFIG
    };
    let sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (mut whole, served, _drain) = serve(both);
    whole.write_all(sent).await.unwrap();
    let ended = served.await.unwrap();
    assert_eq!(ended, Ended::Preface(Bytes::from_static(sent)));
    let (mut pieces, served, _drain) = serve(both);
    for byte in sent.chunks(1) {
        pieces.write_all(byte).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        if served.is_finished() {
            break;
        }
    }
    let ended = served.await.unwrap();
    assert_eq!(ended, Ended::Preface(Bytes::from_static(&sent[..18])));

    // Where it is not spoken, after another request, or after a blank line, it is a malformed head.
    let request = format!("GET / HTTP/1.1\r\n{HOST}\r\n");
    for (config, before) in [(CONFIG, ""), (both, request.as_str()), (both, "\r\n")] {
        let (mut stream, _served, _drain) = serve(config);
        stream.write_all(before.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        stream.write_all(sent).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("HTTP/1.1 400 "), "{before:?}: {answer}");
    }
    // Methods that begin like it are methods.
    let (mut stream, _served, _drain) = serve(both);
    let find = format!("PROPFIND / HTTP/1.1\r\n{HOST}connection: close\r\n\r\n");
    stream.write_all(find.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
