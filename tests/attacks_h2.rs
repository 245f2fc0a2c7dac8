//! What a hostile caller sends in HTTP/2 frames.

#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use support::lictor::{Lictor, Setup};
use support::tls::Certificates;
use support::upstream::{Step, Upstream};
use support::{eventually, within};

mod support;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection of frames.
struct Frames {
    stream: TlsStream<TcpStream>,
}

/// What was read of one frame.
#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frames {
    /// Shakes hands and sends the preface with these settings.
    async fn connect(
        lictor: &Lictor,
        certificates: &Certificates,
        settings: &[(u16, u32)],
    ) -> Self {
        let stream = certificates.connect_h2(lictor.public).await;
        let mut frames = Self { stream };
        frames
            .stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        frames.send(SETTINGS, 0, 0, &payload).await.unwrap();
        frames
    }

    async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }

    /// A request without a body.
    async fn ask(&mut self, stream: u32, fields: &[(&str, &str)]) -> std::io::Result<()> {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &block(fields))
            .await
    }

    /// The next frame; `None` when lictor has hung up.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
        })
    }

    /// Reads until a frame ends this stream or the connection.
    async fn end_of(&mut self, stream: u32) -> Option<Frame> {
        within("the end of a stream", async {
            loop {
                let frame = self.next().await?;
                let ends = frame.kind == RST_STREAM
                    || (frame.flags & END_STREAM != 0 && matches!(frame.kind, DATA | HEADERS));
                if frame.kind == GOAWAY || (frame.stream == stream && ends) {
                    return Some(frame);
                }
            }
        })
        .await
    }
}

/// A header block without Huffman coding and without a table (RFC 7541, section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // Lengths below 127 in one byte, longer ones in the bytes after it (RFC 7541, section 5.1).
            let mut rest = text.len();
            if rest < 127 {
                block.push(u8::try_from(rest).unwrap());
            } else {
                block.push(127);
                rest -= 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend(text.bytes());
        }
    }
    block
}

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "agent.example"),
];

fn with(fields: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&GET[..], fields].concat()
}

async fn pair(upstream: &Upstream, config: &str) -> (Lictor, Certificates) {
    let setup = Setup::new(upstream.address);
    let certificates = Certificates::generate(setup.home());
    let setup = if config.is_empty() {
        setup
    } else {
        setup.config(config)
    };
    let setup = setup
        .flag("--tls-cert", &certificates.certificate)
        .flag("--tls-key", &certificates.key);
    (setup.start().await, certificates)
}

async fn records(lictor: &Lictor, count: usize) -> Vec<Value> {
    eventually(&format!("{count} audit records"), async || {
        let records = lictor.audit();
        (records.len() >= count).then_some(records)
    })
    .await
}

#[tokio::test]
async fn a_stream_of_two_readings_never_reaches_the_agent() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let (lictor, certificates) = pair(&upstream, "").await;
    let many: Vec<_> = std::iter::repeat_n(("x-many", "1"), 200).collect();
    let [method, scheme, path, authority] = GET;
    // What lictor refuses by itself is recorded; what breaks HTTP/2 is refused before it is a call.
    type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, Option<&'a str>);
    let cases: Vec<Case<'_>> = vec![
        (
            "no authority",
            vec![method, scheme, path],
            Some("malformed-request"),
        ),
        (
            "two names",
            with(&[("host", "other.example")]),
            Some("malformed-request"),
        ),
        (
            "two hosts",
            with(&[("host", "agent.example"), ("host", "agent.example")]),
            Some("malformed-request"),
        ),
        (
            "user",
            vec![method, scheme, path, (":authority", "a@agent.example")],
            None,
        ),
        (
            "small letters",
            vec![(":method", "get"), scheme, path, authority],
            Some("malformed-request"),
        ),
        ("many fields", with(&many), Some("head-too-large")),
        (
            "connect",
            vec![(":method", "CONNECT"), authority],
            Some("operation-unsupported"),
        ),
        ("connection", with(&[("connection", "x-user-id")]), None),
        ("coding", with(&[("transfer-encoding", "chunked")]), None),
        ("te", with(&[("te", "gzip")]), None),
        (
            "late pseudo",
            vec![method, ("x", "1"), scheme, path, authority],
            None,
        ),
        ("path twice", with(&[(":path", "/other")]), None),
        ("capitals", with(&[("X-User-Id", "root")]), None),
        ("line", with(&[("x", "a\r\nx-user-id: root")]), None),
        (
            "path line",
            vec![method, scheme, (":path", "/ HTTP/1.1\r\nx: y"), authority],
            None,
        ),
    ];
    let mut expected = 0;
    for (name, fields, reason) in cases {
        let mut frames = Frames::connect(&lictor, &certificates, &[]).await;
        frames.ask(1, &fields).await.unwrap();
        let end = frames.end_of(1).await;
        assert_eq!(upstream.requests().len(), 0, "{name}: {end:?}");
        if let Some(reason) = reason {
            expected += 1;
            let all = records(&lictor, expected).await;
            assert_eq!(
                all[expected - 1]["reason"],
                reason,
                "{name}: {}",
                all[expected - 1]
            );
        }
        expected = expected.max(lictor.audit().len());
    }
}

#[tokio::test]
async fn fields_of_http2_arrive_as_one_http1_message() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let (lictor, certificates) = pair(&upstream, "").await;
    let mut frames = Frames::connect(&lictor, &certificates, &[]).await;
    let fields = with(&[
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("x-user-id", "root"),
        ("host", "agent.example"),
    ]);
    // With a body and trailers, which nobody judged.
    frames
        .send(HEADERS, END_HEADERS, 1, &block(&fields))
        .await
        .unwrap();
    frames.send(DATA, 0, 1, b"body").await.unwrap();
    frames
        .send(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            &block(&[("x-user-id", "root"), ("x-late", "1")]),
        )
        .await
        .unwrap();
    frames.end_of(1).await.unwrap();
    let seen = upstream.requests().pop().unwrap();
    assert_eq!(seen.values("host").collect::<Vec<_>>(), ["agent.example"]);
    assert_eq!(seen.values("cookie").collect::<Vec<_>>(), ["a=1; b=2"]);
    assert_eq!(seen.values("x-user-id").collect::<Vec<_>>(), ["anonymous"]);
    assert_eq!((seen.field("te"), seen.field("x-late")), (None, None));
    assert_eq!(seen.body, b"body");
}

#[tokio::test]
async fn a_flood_ends_its_own_connection_and_nobody_elses() {
    let upstream = Upstream::scripted(|_| vec![Step::Pause(Duration::from_secs(5))]).await;
    let (lictor, certificates) = pair(&upstream, "").await;
    let huge = "a".repeat(16_000);
    let floods: [&str; 3] = ["resets", "continuations", "list"];
    for flood in floods {
        let mut frames = Frames::connect(&lictor, &certificates, &[]).await;
        let ended = within(flood, async {
            for index in 0..3000_u32 {
                let stream = index * 2 + 1;
                let sent = match flood {
                    "resets" => {
                        let asked = frames.ask(stream, &GET).await;
                        asked.and(
                            frames
                                .send(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
                                .await,
                        )
                    }
                    "continuations" if index == 0 => {
                        frames.send(HEADERS, END_STREAM, 1, &block(&GET)).await
                    }
                    "continuations" => {
                        frames
                            .send(CONTINUATION, 0, 1, &block(&[("x", &huge)]))
                            .await
                    }
                    _ if index == 0 => {
                        frames
                            .ask(
                                1,
                                &[&GET[..], &[("x", &huge), ("y", &huge), ("z", &huge)]].concat(),
                            )
                            .await
                    }
                    _ => Ok(()),
                };
                if sent.is_err() {
                    break;
                }
            }
            while let Some(frame) = frames.next().await {
                if frame.kind == GOAWAY || frame.stream == 1 {
                    return true;
                }
            }
            true
        });
        assert!(ended.await, "{flood}");
    }
    assert_eq!(lictor.ready().await.status(), 200);
    eventually("no call in flight", async || {
        (lictor.metric("lictor_requests_in_flight").await == Some(0.0)).then_some(())
    })
    .await;
    let all = lictor.audit();
    let mut ids: Vec<_> = all
        .iter()
        .map(|record| record["decisionId"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "one record for each call");
}

#[tokio::test]
async fn a_peer_that_opens_no_window_is_let_go() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let upstream = Upstream::json(json!({"fine": true})).await;
    let soon = "listeners: { public: { deadlines: { writeStall: 1s } } }";
    let (lictor, certificates) = pair(&upstream, soon).await;
    let mut frames = Frames::connect(&lictor, &certificates, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    for stream in [1, 3, 5] {
        frames.ask(stream, &GET).await.unwrap();
    }
    let gone = async { while frames.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("the connection ends");
    assert_eq!(records(&lictor, 3).await.len(), 3);
}
