//! Attacks by callers and agents, with a healthy caller beside them.
//!
//! Each attack ends by itself or at a bound; beside it somebody else is served, and afterwards the process
//! holds no more than its bounds add up to, and no socket more than before. That service is quick is not
//! asserted here: `tests/soak` measures it.

#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use support::client::{Client, message};
use support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GET, GOAWAY, HEADERS, RST_STREAM,
    SETTINGS, block,
};
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::tls::Certificates;
use support::upstream::{Step, Upstream};
use support::{eventually, within};

mod support;

const PRIORITY: u8 = 2;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
/// Nobody's (RFC 9113, section 11.2).
const UNKNOWN: u8 = 0xfb;

const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

const MEBIBYTE: u64 = 1 << 20;

/// An agent that answers by path: `/hang` not at all, `/die` with half a head, `/endless` for ever,
/// `/large` with 10 MiB, `/bomb` with a small body that unpacks to a large one; else with JSON.
async fn agent() -> Upstream {
    let body = json!({"fine": true});
    let large = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        10 * MEBIBYTE
    );
    let piece: Arc<[u8]> = vec![b'x'; 64 * 1024].into();
    Upstream::scripted(move |request| match request.target() {
        "/hang" => vec![Step::Pause(Duration::from_secs(60))],
        "/die" => vec![Step::text("HTTP/1.1 200 OK\r\ncont"), Step::Reset],
        "/large" => {
            vec![
                Step::text(large.clone()),
                Step::Repeat(Arc::clone(&piece), 160),
            ]
        }
        "/endless" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\
                        transfer-encoding: chunked\r\n\r\n";
            let chunk = [b"10000\r\n", &piece[..], b"\r\n"].concat();
            vec![Step::text(head), Step::Repeat(chunk.into(), 10_000)]
        }
        "/bomb" => vec![Step::text(format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{BOMB}",
            BOMB.len()
        ))],
        _ => vec![Step::text(support::upstream::json(&body))],
    })
    .await
}

/// Stands for coded bytes: nobody on the way may unpack them, so that what they are does not matter.
const BOMB: &str = "not unpacked, however large it would become";

async fn start(upstream: &Upstream, config: &str) -> (Lictor, Certificates) {
    let setup = Setup::new(upstream.address);
    let certificates = Certificates::generate(setup.home());
    let setup = setup
        .config(config)
        .flag("--tls-cert", &certificates.certificate)
        .flag("--tls-key", &certificates.key);
    (setup.start().await, certificates)
}

/// Somebody else is served, on a new connection.
async fn serves(lictor: &Lictor, certificates: &Certificates, while_what: &str) {
    let mut client = Client::connect_tls(lictor.public, certificates).await;
    let got = client.get("/").await;
    assert_eq!(got.status(), 200, "{while_what}: {}", got.text());
}

async fn in_flight(lictor: &Lictor, count: f64) {
    eventually(&format!("{count} calls in flight"), async || {
        (lictor.metric("lictor_requests_in_flight").await == Some(count)).then_some(())
    })
    .await;
}

async fn recorded(lictor: &Lictor, reason: &str) -> Value {
    eventually(&format!("a record of `{reason}`"), async || {
        let records = lictor.audit();
        records
            .into_iter()
            .find(|record| record["reason"] == reason)
    })
    .await
}

/// The status in the head of this stream's answer.
async fn head_of(frames: &mut Frames, stream: u32) -> Option<u16> {
    within("the head of an answer", async {
        loop {
            let frame = frames.next().await?;
            if frame.kind == HEADERS && frame.stream == stream {
                return frame.status();
            }
        }
    })
    .await
}

/// The last frame before lictor hangs up, if that is a GOAWAY: its code.
async fn goaway(frames: &mut Frames) -> Option<u32> {
    within("the end of a connection", async {
        let mut code = None;
        while let Some(frame) = frames.next().await {
            if frame.kind == GOAWAY {
                code = frame.code();
            }
        }
        code
    })
    .await
}

/// Sends the `index`th piece of an attack.
async fn attack(frames: &mut Frames, name: &str, index: u32) -> std::io::Result<()> {
    let stream = index * 2 + 1;
    let target = |path| [GET[0], GET[1], (":path", path), GET[3]];
    match name {
        "ping" => frames.send(PING, 0, 0, &[0; 8]).await,
        "settings" => frames.send(SETTINGS, 0, 0, &[]).await,
        "priority" => frames.send(PRIORITY, 0, 1001, &[0, 0, 0, 0, 1]).await,
        "window" => frames.send(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).await,
        "unknown" => frames.send(UNKNOWN, 0, 0, b"what is this").await,
        "empty data" if index == 0 => {
            let post = [(":method", "POST"), GET[1], GET[2], GET[3]];
            frames.send(HEADERS, END_HEADERS, 1, &block(&post)).await
        }
        "empty data" => frames.send(DATA, 0, 1, &[]).await,
        "rapid reset" => {
            frames.ask(stream, &target("/hang")).await?;
            let cancel = CANCEL.to_be_bytes();
            frames.send(RST_STREAM, 0, stream, &cancel).await
        }
        // The call is on its way to the agent before it is cancelled.
        "slow reset" => {
            frames.ask(stream, &target("/hang")).await?;
            tokio::time::sleep(Duration::from_millis(2)).await;
            let cancel = CANCEL.to_be_bytes();
            frames.send(RST_STREAM, 0, stream, &cancel).await
        }
        // A window above the largest is a mistake in the stream, which the server has to reset.
        "made you reset" => {
            frames.ask(stream, &target("/hang")).await?;
            let most = 0x7fff_ffff_u32.to_be_bytes();
            frames.send(WINDOW_UPDATE, 0, stream, &most).await
        }
        "continuation" if index == 0 => frames.send(HEADERS, END_STREAM, 1, &block(&GET)).await,
        "continuation" => frames.send(CONTINUATION, 0, 1, &[]).await,
        // One large field is put into the table, and then named again and again, at a byte each.
        "hpack bomb" => {
            let mut bomb = block(&GET);
            if index == 0 {
                // Literal with incremental indexing (RFC 7541, section 6.2.1).
                let value = [b'a'; 4000];
                let field = block(&[(&b"x"[..], &value[..])]);
                bomb.push(0x40);
                bomb.extend(&field[1..]);
            }
            // The first entry of the dynamic table (RFC 7541, section 2.3.3).
            bomb.extend([0xbe; 8000]);
            frames
                .send(HEADERS, END_STREAM | END_HEADERS, stream, &bomb)
                .await
        }
        other => panic!("no attack `{other}`"),
    }
}

#[tokio::test]
async fn floods_of_frames_end_with_a_goaway_beside_a_healthy_caller() {
    let upstream = agent().await;
    let (lictor, certificates) = start(&upstream, "").await;
    let open = lictor.descriptors();
    for name in [
        "ping",
        "settings",
        "priority",
        "window",
        "unknown",
        "empty data",
        "rapid reset",
        "slow reset",
        "made you reset",
        "continuation",
        "hpack bomb",
    ] {
        let mut frames = Frames::connect(lictor.public, &certificates, &[]).await;
        for index in 0..5000 {
            if attack(&mut frames, name, index).await.is_err() {
                break;
            }
            if index % 50 == 0 {
                serves(&lictor, &certificates, name).await;
            }
        }
        assert_eq!(goaway(&mut frames).await, Some(ENHANCE_YOUR_CALM), "{name}");
        serves(&lictor, &certificates, name).await;
        in_flight(&lictor, 0.0).await;
    }
    let calmed = lictor
        .metric(r#"lictor_http2_goaways_total{code="enhance-your-calm"}"#)
        .await;
    assert_eq!(calmed, Some(11.0));
    closed_again(&lictor, open).await;
}

/// Sockets of callers are closed; those to the agent may stay.
async fn closed_again(lictor: &Lictor, before: usize) {
    const POOL: usize = 32;
    eventually("descriptors as before", async || {
        (lictor.descriptors() <= before + POOL).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_cancels_now_and_then_is_not_a_flood() {
    let upstream = agent().await;
    let (lictor, certificates) = start(&upstream, "").await;
    let mut frames = Frames::connect(lictor.public, &certificates, &[]).await;
    let hang = [GET[0], GET[1], (":path", "/hang"), GET[3]];
    for index in 0..50 {
        let stream = index * 4 + 1;
        frames.ask(stream, &hang).await.unwrap();
        let cancel = CANCEL.to_be_bytes();
        frames.send(RST_STREAM, 0, stream, &cancel).await.unwrap();
        frames.ask(stream + 2, &GET).await.unwrap();
        let end = frames.end_of(stream + 2).await.unwrap();
        assert_eq!((end.kind, end.stream), (DATA, stream + 2));
    }
    in_flight(&lictor, 0.0).await;
}

#[tokio::test]
async fn a_head_that_does_not_end_ends_the_connection() {
    let upstream = agent().await;
    let soon = "listeners: { public: { deadlines: { header: 1s } } }";
    let (lictor, certificates) = start(&upstream, soon).await;
    let mut frames = Frames::connect(lictor.public, &certificates, &[]).await;
    // A call in flight does not excuse it.
    let hang = [GET[0], GET[1], (":path", "/hang"), GET[3]];
    frames.ask(1, &hang).await.unwrap();
    in_flight(&lictor, 1.0).await;
    frames
        .send(HEADERS, END_STREAM, 3, &block(&GET))
        .await
        .unwrap();
    assert_eq!(goaway(&mut frames).await, Some(ENHANCE_YOUR_CALM));
    serves(&lictor, &certificates, "after it").await;
    in_flight(&lictor, 0.0).await;
}

#[tokio::test]
async fn what_is_too_large_or_too_slow_is_answered_over_http2_too() {
    let upstream = agent().await;
    let small = "listeners: { public: { deadlines: { bodyIdle: 1s }, \
                 limits: { headerBytes: 8KiB, streams: 3 } } }";
    let (lictor, certificates) = start(&upstream, small).await;
    // Without a table, so that each status can be read by itself (RFC 9113, section 6.5.2).
    let mut frames = Frames::connect(lictor.public, &certificates, &[(1, 0)]).await;
    let value = "a".repeat(9000);
    let large = [&GET[..], &[("x-large", &value)]].concat();
    let rpc = [
        (":method", "POST"),
        GET[1],
        GET[2],
        GET[3],
        ("content-type", "application/json"),
        ("a2a-version", "1.0"),
    ];

    frames.ask(1, &large).await.unwrap();
    assert_eq!(head_of(&mut frames, 1).await, Some(431));
    recorded(&lictor, "head-too-large").await;

    // What the library itself refuses is answered as well, though nobody records it.
    let larger = "a".repeat(40_000);
    let larger = block(&[&GET[..], &[("x-large", &larger)]].concat());
    let (first, rest) = larger.split_at(16_000);
    let (second, last) = rest.split_at(16_000);
    frames.send(HEADERS, END_STREAM, 3, first).await.unwrap();
    frames.send(CONTINUATION, 0, 3, second).await.unwrap();
    frames
        .send(CONTINUATION, END_HEADERS, 3, last)
        .await
        .unwrap();
    assert_eq!(head_of(&mut frames, 3).await, Some(431));

    // Above 1 MiB, which nobody has to send for that.
    let long = [&rpc[..], &[("content-length", "2000000")]].concat();
    frames
        .send(HEADERS, END_HEADERS, 5, &block(&long))
        .await
        .unwrap();
    frames
        .send(DATA, 0, 5, b"{\"jsonrpc\": \"2.0\",")
        .await
        .unwrap();
    assert_eq!(head_of(&mut frames, 5).await, Some(413));
    recorded(&lictor, "request-too-large").await;

    frames
        .send(HEADERS, END_HEADERS, 7, &block(&rpc))
        .await
        .unwrap();
    frames
        .send(DATA, 0, 7, b"{\"jsonrpc\": \"2.0\",")
        .await
        .unwrap();
    assert_eq!(head_of(&mut frames, 7).await, Some(408));
    recorded(&lictor, "request-timeout").await;

    // One stream more than are allowed is refused, and the others are not harmed by it.
    let hang = [GET[0], GET[1], (":path", "/hang"), GET[3]];
    let mut frames = Frames::connect(lictor.public, &certificates, &[]).await;
    for stream in [1, 3, 5, 7] {
        frames.ask(stream, &hang).await.unwrap();
    }
    let end = frames.end_of(7).await.unwrap();
    assert_eq!((end.kind, end.code()), (RST_STREAM, Some(7)));
    let refused = r#"lictor_http2_resets_total{code="refused-stream"}"#;
    assert_eq!(lictor.metric(refused).await, Some(1.0));
    in_flight(&lictor, 3.0).await;
}

#[tokio::test]
async fn above_the_calls_in_flight_there_is_a_503_and_below_it_service() {
    let upstream = agent().await;
    let few = "listeners: { public: { limits: { calls: 2 } } }";
    let (lictor, certificates) = start(&upstream, few).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect_tls(lictor.public, &certificates).await;
        let hang = b"GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n";
        client.wire.send(hang).await.unwrap();
        held.push(client);
    }
    in_flight(&lictor, 2.0).await;
    let mut client = Client::connect_tls(lictor.public, &certificates).await;
    let got = client.get("/").await;
    assert_eq!((got.status(), got.field("retry-after")), (503, Some("1")));
    recorded(&lictor, "overloaded").await;
    drop(held);
    in_flight(&lictor, 0.0).await;
    assert_eq!(client.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_call_s_time_runs_while_its_body_is_read() {
    let upstream = agent().await;
    let policy = format!("{EVERYBODY}limits: {{ default: {{ time: 1s }} }}\n");
    let lictor = Setup::new(upstream.address).policy(policy).start().await;
    let mut client = lictor.client().await;
    let body = support::client::call("SendMessage", &message("hi"));
    let (most, last) = body.split_at(body.len() - 1);
    client.wire.send(most).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let got = client.exchange("POST", last).await;
    assert_eq!(got.status(), 408, "{}", got.text());
    assert_eq!(got.json()["id"], "r1");
    recorded(&lictor, "request-timeout").await;
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn agents_that_hang_die_or_never_end_harm_their_callers_only() {
    let upstream = agent().await;
    let policy = format!("{EVERYBODY}limits: {{ default: {{ response: 4MiB }} }}\n");
    let lictor = Setup::new(upstream.address).policy(policy).start().await;
    let open = lictor.descriptors();

    let mut dying = lictor.client().await;
    let got = dying.get("/die").await;
    assert!(matches!(got.status(), 502 | 503), "{}", got.line);

    let mut endless = lictor.client().await;
    let got = endless.get("/endless").await;
    assert!(!got.complete && got.body.len() as u64 <= 4 * MEBIBYTE);
    recorded(&lictor, "response-too-large").await;

    // With no scan nobody unpacks anything: the bytes pass as they are.
    let mut bombed = lictor.client().await;
    let got = bombed.get("/bomb").await;
    assert_eq!((got.status(), got.text().as_str()), (200, BOMB));
    assert_eq!(got.field("content-encoding"), Some("gzip"));

    let mut hanging = Vec::new();
    for _ in 0..20 {
        let mut client = lictor.client().await;
        let hang = b"GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n";
        client.wire.send(hang).await.unwrap();
        hanging.push(client);
    }
    in_flight(&lictor, 20.0).await;
    assert_eq!(lictor.client().await.get("/").await.status(), 200);
    drop(hanging);
    in_flight(&lictor, 0.0).await;
    closed_again(&lictor, open).await;
}

#[tokio::test]
async fn slow_heads_and_bodies_and_idle_connections_leave_room_for_others() {
    const IDLE: usize = 2000;
    const SLOW: usize = 100;
    /// What docs/operating.md says of a plain connection.
    const CONNECTION: u64 = 32 * 1024;
    let upstream = agent().await;
    let many = "listeners: { public: { limits: { connections: 3000, perSource: 3000 }, \
                deadlines: { header: 8s, bodyIdle: 8s } } }";
    let lictor = Setup::new(upstream.address).config(many).start().await;
    assert_eq!(lictor.client().await.get("/").await.status(), 200);
    let (open, before) = (lictor.descriptors(), lictor.memory("VmRSS:"));

    let mut held = Vec::new();
    for index in 0..IDLE + 2 * SLOW {
        let mut stream = within("a connection", TcpStream::connect(lictor.public))
            .await
            .unwrap();
        if index >= IDLE {
            let beginning: &[u8] = if index % 2 == 0 {
                b"GET / HTTP/1.1\r\nhost: loc"
            } else {
                b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                  content-length: 1000\r\n\r\n{"
            };
            stream.write_all(beginning).await.unwrap();
        }
        held.push(stream);
        if index % 500 == 0 {
            assert_eq!(lictor.client().await.get("/").await.status(), 200);
        }
    }
    let all = held.len() as u64;
    eventually("all connections", async || {
        let open = lictor
            .metric(r#"lictor_connections{listener="public"}"#)
            .await?;
        (open >= all as f64 * 0.9).then_some(())
    })
    .await;
    let grown = lictor.memory("VmHWM:").saturating_sub(before);
    println!("{} bytes for each of {all} connections", grown / all);
    assert!(
        grown <= all * CONNECTION,
        "{grown} bytes for {all} connections"
    );
    assert_eq!(lictor.client().await.get("/").await.status(), 200);

    // All of them are let go, with an answer where a request had begun.
    let mut answers = 0;
    for stream in held.split_off(IDLE) {
        let mut stream = stream;
        let mut answer = Vec::new();
        let _reset = within("an end", stream.read_to_end(&mut answer)).await;
        answers += usize::from(answer.starts_with(b"HTTP/1.1 408 "));
    }
    assert_eq!(answers, 2 * SLOW);
    drop(held);
    closed_again(&lictor, open).await;
}

#[tokio::test]
async fn callers_that_do_not_read_are_let_go_and_hold_little() {
    const READERS: usize = 20;
    const STREAMS: u32 = 10;
    let upstream = agent().await;
    let soon = "listeners: { public: { deadlines: { writeStall: 2s } } }";
    let (lictor, certificates) = start(&upstream, soon).await;
    serves(&lictor, &certificates, "before").await;
    let (open, before) = (lictor.descriptors(), lictor.memory("VmRSS:"));
    // Of each call: what waits in its stream, a piece on the way to it, and what the agent's connection
    // holds. Of each connection: its TLS, and what the socket did not take.
    let call = (64 + 64 + 2 * 64) * 1024;
    let connection = (48 + 64) * 1024;

    let large = [GET[0], GET[1], (":path", "/large"), GET[3]];
    let mut held = Vec::new();
    for _ in 0..READERS {
        // Windows without end: the socket alone holds them up.
        let open = [(4, 0x7fff_ffff)];
        let mut frames = Frames::connect(lictor.public, &certificates, &open).await;
        frames
            .send(WINDOW_UPDATE, 0, 0, &0x7fff_0000_u32.to_be_bytes())
            .await
            .unwrap();
        for index in 0..STREAMS {
            frames.ask(index * 2 + 1, &large).await.unwrap();
        }
        held.push(frames);
        serves(&lictor, &certificates, "while nobody reads").await;
    }
    let calls = READERS as u64 * u64::from(STREAMS);
    let most = calls * call + READERS as u64 * connection;
    let grown = lictor.memory("VmHWM:").saturating_sub(before);
    assert!(grown <= most, "{grown} bytes where {most} are documented");
    in_flight(&lictor, 0.0).await;
    eventually("a record of each", async || {
        let records = lictor.audit();
        let gone = records
            .iter()
            .filter(|record| record["outcome"] == "downstream-gone");
        (gone.count() as u64 == calls).then_some(())
    })
    .await;
    drop(held);
    closed_again(&lictor, open).await;
}
