//! WebSocket through the whole program: who gets a tunnel, what passes in it, and how it ends.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use support::client::Client;
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::tls::Certificates;
use support::websocket::{
    Agent, BINARY, CLOSE, KEY, PING, TEXT, accept_of, agreed, bytes, close, closed_with, frame,
    head, open, rest, said, told, wish,
};
use support::{eventually, secrets, within};

mod support;

/// Under policies that speak of no JSON-RPC nobody reads what callers say.
const PAGES: &str =
    "lictor: v1\nrules:\n  pages: { allow: \"http:* /**\", from: { anonymous: true } }\n";

async fn record(lictor: &Lictor) -> Value {
    eventually("the record", async || lictor.audit().pop()).await
}

#[tokio::test]
async fn a_call_that_is_allowed_becomes_a_tunnel_and_one_record() {
    let agent = Agent::new().await;
    let lictor = agent.lictor("").await;
    let mut caller = lictor.client().await;
    // The caller does not wait for the answer.
    let early = said(TEXT, b"early");
    let head_of = wish("sec-websocket-protocol: a.v1, b.v1\r\nx-user-id: root\r\n");
    let first = [head_of, early.clone()].concat();
    caller.wire.send(&first).await.unwrap();
    let (request, mut wire) = agent.asked().await;
    assert_eq!(request.line, "GET /chat?x=1 HTTP/1.1");
    let fields = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "a.v1, b.v1"),
        ("x-user-id", "anonymous"),
        ("host", "agent.example"),
    ];
    for (name, value) in fields {
        assert_eq!(request.values(name).collect::<Vec<_>>(), [value], "{name}");
    }
    // Bytes of the agent may come together with its head, too.
    let answer = [
        agreed("sec-websocket-protocol: b.v1\r\nkeep-alive: x\r\n"),
        told(TEXT, b"welcome"),
    ];
    wire.send(&answer.concat()).await.unwrap();
    let answer = head(&mut caller).await;
    assert_eq!(answer.status(), 101);
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-protocol", "b.v1"),
        ("sec-websocket-accept", &accept_of(KEY)),
    ] {
        assert_eq!(answer.values(name).collect::<Vec<_>>(), [value], "{name}");
    }
    assert_eq!(answer.field("keep-alive"), None);
    assert!(answer.field("x-request-id").is_some());

    assert_eq!(bytes(&mut wire, early.len()).await, early);
    let welcome = told(TEXT, b"welcome");
    assert_eq!(bytes(&mut caller.wire, welcome.len()).await, welcome);
    assert_eq!(lictor.metric("lictor_websocket_tunnels").await, Some(1.0));
    assert!(lictor.audit().is_empty(), "a record before the end");

    let bye = said(CLOSE, &close(1000));
    caller.wire.send(&bye).await.unwrap();
    assert_eq!(bytes(&mut wire, bye.len()).await, bye);
    let answer = told(CLOSE, &close(1000));
    wire.send(&answer).await.unwrap();
    assert_eq!(rest(&mut caller.wire).await, answer);
    assert_eq!(rest(&mut wire).await, b"");
    let record = record(&lictor).await;
    let text = record.to_string();
    for part in ["\"complete\"", "\"http:GET /chat\"", "\"allow\"", ":101"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(lictor.audit().len(), 1);
    assert_eq!(lictor.metric("lictor_websocket_tunnels").await, Some(0.0));
}

#[tokio::test]
async fn who_may_not_call_gets_no_tunnel_and_is_not_listened_to() {
    let agent = Agent::new().await;
    let deny = "  no-chat:\n    deny: http:GET /chat\n";
    let lictor = agent.lictor(deny).await;
    let mut caller = lictor.client().await;
    let smuggled = b"GET /open HTTP/1.1\r\nhost: agent.example\r\n\r\n";
    let both = [wish("").as_slice(), smuggled].concat();
    let answer = caller.exchange("GET", &both).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.field("connection"), Some("close"));
    assert_eq!(rest(&mut caller.wire).await, b"");
    agent.is_not_asked().await;
    assert_eq!(record(&lictor).await["decision"], "deny");
    assert_eq!(lictor.audit().len(), 1);
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_or_not_listened_to() {
    let agent = Agent::new().await;
    let lictor = agent.lictor("").await;
    let base = String::from_utf8(wish("")).unwrap();
    for (from, to) in [
        ("sec-websocket-version: 13", "sec-websocket-version: 12"),
        ("sec-websocket-key: dGhl", "sec-websocket-key: dGh"),
        ("keep-alive, Upgrade", "keep-alive"),
        ("GET /chat", "POST /chat"),
        (
            "upgrade: websocket",
            "upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        (
            "upgrade: websocket",
            "upgrade: websocket\r\ntransfer-encoding: chunked",
        ),
    ] {
        let mut caller = lictor.client().await;
        let request = base.replace(from, to);
        let answer = caller.exchange("GET", request.as_bytes()).await;
        assert_eq!(answer.status(), 400, "{to}");
        assert_eq!(answer.field("connection"), Some("close"), "{to}");
    }
    agent.is_not_asked().await;
    for (from, to) in [
        ("upgrade: websocket", "upgrade: h2c"),
        ("upgrade: websocket", "upgrade: h2c, websocket"),
        ("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut caller = lictor.client().await;
        let request = base.replace(from, to);
        caller.wire.send(request.as_bytes()).await.unwrap();
        let (request, mut wire) = agent.asked().await;
        assert_eq!(request.field("upgrade"), None, "{to}");
        assert_eq!(request.field("connection"), None, "{to}");
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await
            .unwrap();
        let answer = within("an answer", caller.wire.response("GET")).await;
        assert_eq!(answer.unwrap().status(), 200, "{to}");
    }
}

#[tokio::test]
async fn an_agent_that_does_not_switch_answers_and_one_that_lies_does_not() {
    let agent = Agent::new().await;
    let lictor = agent.lictor("").await;
    let ask = async |answer: &[u8]| {
        let mut caller = lictor.client().await;
        caller.wire.send(&wish("")).await.unwrap();
        let (_, mut wire) = agent.asked().await;
        wire.send(answer).await.unwrap();
        let answer = head(&mut caller).await;
        assert_eq!(answer.field("connection"), Some("close"));
        // A connection of its own, never used again.
        assert_eq!(rest(&mut wire).await, b"");
        answer.status()
    };
    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let needs =
        b"HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(ask(ok).await, 200);
    assert_eq!(ask(needs).await, 426);
    let good = String::from_utf8(agreed("")).unwrap();
    for (from, to) in [
        (accept_of(KEY).as_str(), KEY),
        ("upgrade: websocket", "upgrade: h2c"),
        ("connection: Upgrade\r\n", ""),
        (
            "connection: Upgrade",
            "connection: Upgrade\r\nsec-websocket-protocol: other",
        ),
        (
            "connection: Upgrade",
            "connection: Upgrade\r\nsec-websocket-extensions: permessage-deflate",
        ),
        (
            "connection: Upgrade",
            "connection: Upgrade\r\ncontent-length: 5",
        ),
    ] {
        assert_eq!(ask(good.replace(from, to).as_bytes()).await, 502, "{to}");
    }
}

#[tokio::test]
async fn a_secret_over_messages_and_fragments_is_redacted() {
    let agent = Agent::new().await;
    let leaks = "leaks:\n  packs: { credentials: redact }\n";
    let lictor = agent.lictor(leaks).await;
    let offer = "sec-websocket-extensions: permessage-deflate\r\n";
    let mut ends = open(&lictor, &agent, offer, "").await;
    assert_eq!(ends.answer.status(), 101);
    assert_eq!(ends.request.field("sec-websocket-extensions"), None);
    let token = secrets::github_token(3);
    let (head, tail) = token.split_at(20);
    let wire = [
        told(TEXT, b"no secret."),
        told(0x01, &head.as_bytes()[..7]),
        told(PING, b"alive?"),
        told(0x80, &head.as_bytes()[7..]),
        told(TEXT, format!("{tail} end").as_bytes()),
        told(BINARY, format!("\u{0} {token} ").as_bytes()),
        told(CLOSE, &close(1000)),
    ];
    ends.agent.send(&wire.concat()).await.unwrap();
    let expected = [
        told(TEXT, b"no secret."),
        // It does not wait for the message around it.
        told(PING, b"alive?"),
        told(TEXT, b"ghp_[redacted:github-pat]"),
        told(TEXT, b" end"),
        told(BINARY, b"\0 ghp_[redacted:github-pat] "),
        told(CLOSE, &close(1000)),
    ]
    .concat();
    assert_eq!(bytes(&mut ends.caller.wire, expected.len()).await, expected);
    ends.caller
        .wire
        .send(&said(CLOSE, &close(1000)))
        .await
        .unwrap();
    assert_eq!(rest(&mut ends.caller.wire).await, b"");
    let record = record(&lictor).await;
    assert_eq!(record["outcome"], "complete");
    let text = record.to_string();
    assert!(text.contains("credentials.github-pat"), "{text}");
    assert!(text.contains("\"websocket\""), "{text}");
    assert!(!text.contains(tail), "{text}");
}

#[tokio::test]
async fn a_block_closes_both_ends_and_says_why_to_the_record_only() {
    let agent = Agent::new().await;
    let leaks = "leaks:\n  packs: { credentials: block }\n";
    let lictor = agent.lictor(leaks).await;
    let mut ends = open(&lictor, &agent, "", "").await;
    let token = secrets::github_token(4);
    let first = told(TEXT, b"fine. ");
    let wire = [
        first.clone(),
        told(TEXT, format!("it is {token} ").as_bytes()),
    ];
    ends.agent.send(&wire.concat()).await.unwrap();
    let at_agent = bytes(&mut ends.agent, 8).await;
    assert_eq!(closed_with(&at_agent), Some(1008));
    drop(ends.agent);
    let sentence = "Security check blocked the response.";
    let length = first.len() + 4 + sentence.len();
    let caller = bytes(&mut ends.caller.wire, length).await;
    assert!(caller.starts_with(&first));
    let frame = &caller[first.len()..];
    assert_eq!(closed_with(frame), Some(1008));
    let reason = String::from_utf8_lossy(&frame[4..]).into_owned();
    assert!(reason.starts_with(sentence), "{reason}");
    assert!(!reason.contains("github"), "{reason}");
    ends.caller
        .wire
        .send(&said(CLOSE, &close(1008)))
        .await
        .unwrap();
    assert_eq!(rest(&mut ends.caller.wire).await, b"");
    let record = record(&lictor).await;
    assert_eq!(record["outcome"], "blocked");
    assert_eq!(record["reason"], "leakage-detected");
    assert_eq!(record["decision"], "allow");
}

#[tokio::test]
async fn a_frame_that_breaks_a_rule_closes_both_ends_with_its_code() {
    let agent = Agent::new().await;
    let limits = "limits:\n  default: { request: 1KiB }\n";
    let lictor = agent.lictor(limits).await;
    let of_caller = [
        (told(TEXT, b"no mask"), 1002, "malformed-request"),
        (said(0xc1, b"a bit"), 1002, "malformed-request"),
        (said(0x80, b"of nothing"), 1002, "malformed-request"),
        (said(TEXT, b"\xc3\x28"), 1007, "malformed-request"),
        (said(BINARY, &[0; 1025]), 1009, "request-too-large"),
    ];
    for (wire, code, reason) in of_caller {
        let mut ends = open(&lictor, &agent, "", "").await;
        let before = said(TEXT, b"before");
        let both = [before.clone(), wire].concat();
        ends.caller.wire.send(&both).await.unwrap();
        let caller = bytes(&mut ends.caller.wire, 4).await;
        assert_eq!(closed_with(&caller[..4]), Some(code));
        let at_agent = bytes(&mut ends.agent, before.len() + 8).await;
        assert!(at_agent.starts_with(&before));
        assert_eq!(closed_with(&at_agent[before.len()..][..8]), Some(code));
        drop(ends);
        let record = eventually("the record", async || {
            let record = lictor.audit().pop()?;
            (record["reason"] == reason).then_some(record)
        })
        .await;
        assert_eq!(record["outcome"], "aborted");
    }
    let of_agent = [
        (frame(TEXT, b"masked", Some([1, 2, 3, 4])), 1002),
        (told(0xc1, b"compressed"), 1002),
        (told(0x83, b""), 1002),
        (told(TEXT, b"\xff"), 1007),
        (b"\x82\x7f\0\0\0\0\x40\0\0\0".to_vec(), 1009),
    ];
    for (wire, code) in of_agent {
        let mut ends = open(&lictor, &agent, "", "").await;
        ends.agent.send(&wire).await.unwrap();
        let caller = bytes(&mut ends.caller.wire, 4).await;
        assert_eq!(closed_with(&caller[..4]), Some(code), "{wire:02x?}");
        let at_agent = bytes(&mut ends.agent, 8).await;
        assert_eq!(closed_with(&at_agent[..8]), Some(code), "{wire:02x?}");
    }
}

#[tokio::test]
async fn an_agent_that_dies_is_not_taken_for_one_that_has_closed() {
    let agent = Agent::new().await;
    let lictor = agent.lictor("").await;
    let mut ends = open(&lictor, &agent, "", "").await;
    let part = told(TEXT, b"the first half");
    ends.agent.send(&part).await.unwrap();
    assert_eq!(bytes(&mut ends.caller.wire, part.len()).await, part);
    drop(ends.agent);
    // No close frame: the caller's library says 1006.
    assert_eq!(rest(&mut ends.caller.wire).await, b"");
    assert_eq!(record(&lictor).await["outcome"], "upstream-truncated");

    let mut ends = open(&lictor, &agent, "", "").await;
    drop(ends.caller);
    assert_eq!(rest(&mut ends.agent).await, b"");
    let gone = eventually("the record", async || {
        let records = lictor.audit();
        (records.len() == 2).then(|| records[1].clone())
    });
    assert_eq!(gone.await["outcome"], "downstream-gone");
}

#[tokio::test]
async fn time_that_is_over_closes_both_ends() {
    let agent = Agent::new().await;
    let limits = "limits:\n  \"http:GET /chat\": { idle: 1s }\n";
    let lictor = agent.lictor(limits).await;
    let mut ends = open(&lictor, &agent, "", "").await;
    let caller = bytes(&mut ends.caller.wire, 4).await;
    assert_eq!(closed_with(&caller[..4]), Some(1001));
    assert_eq!(
        closed_with(&bytes(&mut ends.agent, 8).await[..8]),
        Some(1001)
    );
    drop(ends);
    let record = record(&lictor).await;
    assert_eq!(record["reason"], "upstream-timeout");
    assert_eq!(record["outcome"], "upstream-truncated");
}

#[tokio::test]
async fn a_drain_gives_its_grace_and_then_closes_both_ends() {
    let agent = Agent::new().await;
    let soon = "listeners: { public: { deadlines: { drain: 4s } } }";
    let setup = Setup::new(agent.address()).config(soon);
    let lictor = setup.start().await;
    let mut ends = open(&lictor, &agent, "", "").await;
    lictor.terminate();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let late = told(TEXT, b"within the grace");
    ends.agent.send(&late).await.unwrap();
    assert_eq!(bytes(&mut ends.caller.wire, late.len()).await, late);
    let caller = bytes(&mut ends.caller.wire, 4).await;
    assert_eq!(closed_with(&caller[..4]), Some(1001));
    assert_eq!(
        closed_with(&bytes(&mut ends.agent, 8).await[..8]),
        Some(1001)
    );
    ends.caller
        .wire
        .send(&said(CLOSE, &close(1001)))
        .await
        .unwrap();
    drop(ends);
    let (status, log) = lictor.ended().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn compression_is_left_to_the_ends_where_nothing_is_read() {
    let agent = Agent::new().await;
    let lictor = Lictor::spawn(PAGES, agent.address()).await;
    let offer = "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n";
    let chosen = "sec-websocket-extensions: permessage-deflate\r\n";
    let mut ends = open(&lictor, &agent, offer, chosen).await;
    assert_eq!(
        ends.answer.field("sec-websocket-extensions"),
        Some("permessage-deflate")
    );
    let wire = told(0xc1, b"\xff\xfe\xfd");
    ends.agent.send(&wire).await.unwrap();
    assert_eq!(bytes(&mut ends.caller.wire, wire.len()).await, wire);
    let wire = said(0xc1, b"\xff\xfe\xfd");
    ends.caller.wire.send(&wire).await.unwrap();
    assert_eq!(bytes(&mut ends.agent, wire.len()).await, wire);
}

#[tokio::test]
async fn large_messages_pass_both_ways_over_tls() {
    let agent = Agent::new().await;
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::generate(folder.path());
    let leaks = format!("{EVERYBODY}leaks:\n  packs: {{ credentials: redact }}\n");
    let lictor = Setup::new(agent.address())
        .policy(leaks)
        .flag("--tls-cert", &certificates.certificate)
        .flag("--tls-key", &certificates.key)
        .start()
        .await;
    let mut caller = Client::connect_tls(lictor.public, &certificates).await;
    caller.wire.send(&wish("")).await.unwrap();
    let (request, mut wire) = agent.asked().await;
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    wire.send(&agreed("")).await.unwrap();
    assert_eq!(head(&mut caller).await.status(), 101);
    let text = "A long text without any secret. ".repeat(30_000);
    let (up, down) = (said(TEXT, text.as_bytes()), told(TEXT, text.as_bytes()));
    let (sent, got) = tokio::join!(caller.wire.send(&up), bytes(&mut wire, up.len()));
    sent.unwrap();
    assert!(got == up);
    let (sent, got) = tokio::join!(wire.send(&down), bytes(&mut caller.wire, down.len()));
    sent.unwrap();
    assert!(got == down);
}

#[tokio::test]
async fn recorded_traffic_passes_byte_by_byte() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire/websocket.json");
    let text = std::fs::read_to_string(path).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    for (leaks, compressed) in [
        ("", true),
        ("leaks:\n  packs: { credentials: redact }\n", false),
    ] {
        let agent = Agent::new().await;
        let lictor = Lictor::spawn(&format!("{PAGES}{leaks}"), agent.address()).await;
        for exchange in recorded["exchanges"].as_array().unwrap() {
            let lines = |side: &str| {
                let headers = exchange[side]["headers"].as_array().unwrap().iter();
                let line = exchange[side]["line"].as_str().unwrap();
                let headers = headers.map(|header| header.as_str().unwrap());
                let lines: Vec<&str> = std::iter::once(line).chain(headers).collect();
                format!("{}\r\n\r\n", lines.join("\r\n"))
            };
            if lines("request").contains("Extensions") && !compressed {
                continue;
            }
            let frames = |side: &str| -> Vec<u8> {
                let frames = exchange[side].as_array().unwrap().iter();
                frames
                    .flat_map(|frame| hex(frame["hex"].as_str().unwrap()))
                    .collect()
            };
            let mut caller = lictor.client().await;
            caller.wire.send(lines("request").as_bytes()).await.unwrap();
            let (_, mut wire) = agent.asked().await;
            wire.send(lines("response").as_bytes()).await.unwrap();
            assert_eq!(head(&mut caller).await.status(), 101);
            let (of_client, of_server) = (frames("client_frames"), frames("server_frames"));
            caller.wire.send(&of_client).await.unwrap();
            assert_eq!(bytes(&mut wire, of_client.len()).await, of_client);
            wire.send(&of_server).await.unwrap();
            assert_eq!(rest(&mut caller.wire).await, of_server);
        }
        let outcomes = eventually("the records", async || {
            let records = lictor.audit();
            (records.len() == if compressed { 2 } else { 1 }).then_some(records)
        });
        for record in outcomes.await {
            assert_eq!(record["outcome"], json!("complete"));
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[tokio::test]
async fn policies_that_refuse_it_close_a_tunnel_that_is_open() {
    let agent = Agent::new().await;
    let lictor = agent.lictor("").await;
    let mut ends = open(&lictor, &agent, "", "").await;
    ends.agent.send(&told(TEXT, b"before")).await.unwrap();
    assert_eq!(bytes(&mut ends.caller.wire, 8).await, told(TEXT, b"before"));
    // A reload that changes nothing for it is not noticed.
    lictor.rewrite_policy(&format!("{EVERYBODY}  no: {{ deny: a2a:CancelTask }}\n"));
    eventually("the reload", async || {
        (lictor.metric("lictor_policy_generation").await == Some(2.0)).then_some(())
    })
    .await;
    ends.agent.send(&told(TEXT, b"behind")).await.unwrap();
    assert_eq!(bytes(&mut ends.caller.wire, 8).await, told(TEXT, b"behind"));
    lictor.rewrite_policy(&format!(
        "{EVERYBODY}  no: {{ deny: \"http:GET /chat\" }}\n"
    ));
    assert_eq!(closed_with(&rest(&mut ends.caller.wire).await), Some(1008));
    assert_eq!(closed_with(&rest(&mut ends.agent).await), Some(1008));
    let record = record(&lictor).await;
    assert_eq!(record["outcome"], "withdrawn");
    assert_eq!(record["reason"], "deny-rule");
    assert_eq!(record["decision"], "allow");
}
