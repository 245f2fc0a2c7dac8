//! What a hostile caller does over time, and what is left of it. What it writes byte by byte is in
//! `tests/data/wire`.

#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};

use support::client::{call, message};
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::upstream::{Step, Upstream, json as answer};
use support::{eventually, within};

mod support;

const HEAD: &str = "host: agent.example\r\n\r\n";

async fn pair() -> (Upstream, Lictor) {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    (upstream, lictor)
}

/// Sends bytes on a connection of their own and reads until lictor is silent or hangs up.
async fn provoke(lictor: &Lictor, bytes: &[u8]) -> String {
    let mut client = lictor.client().await;
    let _refused_midway = client.wire.send(bytes).await;
    let mut got = Vec::new();
    let quiet = Duration::from_millis(150);
    while let Ok(Ok(Some(more))) = tokio::time::timeout(quiet, client.wire.raw()).await {
        got.extend(more);
    }
    String::from_utf8_lossy(&got).into_owned()
}

/// The records, once there are as many as calls.
async fn records(lictor: &Lictor, count: usize) -> Vec<Value> {
    eventually(&format!("{count} audit records"), async || {
        let records = lictor.audit();
        (records.len() >= count).then_some(records)
    })
    .await
}

#[tokio::test]
async fn what_is_refused_is_recorded_once_and_counted_by_its_reason() {
    let (upstream, lictor) = pair().await;
    let fields: String = (0..300).map(|n| format!("x-{n}: 1\r\n")).collect();
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "malformed-request"),
        (
            format!("GET / HTTP/1.1\r\nx : 1\r\n{HEAD}"),
            "malformed-request",
        ),
        (
            format!("GET / HTTP/1.2\r\n{HEAD}"),
            "http-version-unsupported",
        ),
        (
            format!("TRACE / HTTP/1.1\r\n{HEAD}"),
            "operation-unsupported",
        ),
        (
            format!("GET / HTTP/1.1\r\n{fields}{HEAD}"),
            "head-too-large",
        ),
        (
            format!("POST / HTTP/1.1\r\nexpect: x\r\ncontent-length: 1\r\n{HEAD}x"),
            "expectation-failed",
        ),
    ];
    for (index, (bytes, reason)) in cases.iter().enumerate() {
        provoke(&lictor, bytes.as_bytes()).await;
        let all = records(&lictor, index + 1).await;
        assert_eq!(all.len(), index + 1, "{reason}: one record for each");
        assert_eq!(all[index]["reason"], *reason, "{}", all[index]);
        assert_eq!(all[index]["decision"], "deny", "{}", all[index]);
    }
    assert_eq!(upstream.requests().len(), 0);
    for (_, reason) in &cases {
        let count = cases.iter().filter(|(_, told)| told == reason).count();
        let name = format!("lictor_refusals_total{{fault=\"downstream\",reason=\"{reason}\"}}");
        assert_eq!(lictor.metric(&name).await, Some(count as f64), "{name}");
    }
}

#[tokio::test]
async fn json_behind_what_only_some_trim_is_no_plain_post() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let policy = format!("{EVERYBODY}  no-cancel:\n    deny: a2a:CancelTask\n");
    let lictor = Lictor::spawn(&policy, upstream.address).await;
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "CancelTask", "params": {"id": "t"}})
        .to_string();
    for before in [
        "\u{feff}", "\u{c}", "\u{b}", "\u{a0}", "\u{2028}", "\u{3000}", "\u{1f}", " \n\t", "",
    ] {
        let body = format!("{before}{rpc}");
        let bytes = format!(
            "POST /pages HTTP/1.1\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n{HEAD}{body}",
            body.len()
        );
        let got = provoke(&lictor, bytes.as_bytes()).await;
        assert!(got.starts_with("HTTP/1.1 4"), "{before:?}: {got}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_trickling_head_and_a_trickling_body_end() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let soon = "listeners: { public: { deadlines: { header: 1s, bodyIdle: 1s } } }";
    let lictor = Setup::new(upstream.address).config(soon).start().await;
    let trickle = async |first: &str| {
        let mut client = lictor.client().await;
        client.wire.send(first.as_bytes()).await.unwrap();
        let drip = async {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                if client.wire.send(b"x").await.is_err() {
                    return;
                }
            }
        };
        within("the end of a trickle", drip).await;
    };
    trickle("GET / HTTP/1.1\r\nhost: agent.example\r\nx: ").await;
    let head = records(&lictor, 1).await;
    assert_eq!(head[0]["reason"], "request-timeout", "{}", head[0]);
    // A body that stops.
    let mut client = lictor.client().await;
    let start = format!(
        "POST / HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n{HEAD}{{"
    );
    let got = client.exchange("POST", start.as_bytes()).await;
    assert_eq!(got.status(), 408, "{got:?}");
    assert_eq!(records(&lictor, 2).await.len(), 2);
}

#[tokio::test]
async fn a_caller_who_leaves_midway_leaves_one_record_and_no_call_behind() {
    let upstream = Upstream::scripted(|_| {
        vec![
            Step::Pause(Duration::from_millis(300)),
            Step::text(answer(&json!({}))),
        ]
    })
    .await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    for _ in 0..5 {
        let mut client = lictor.client().await;
        client
            .wire
            .send(&call("SendMessage", &message("hi")))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = records(&lictor, 5).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(lictor.audit().len(), 5, "{all:?}");
    eventually("no call in flight", async || {
        (lictor.metric("lictor_requests_in_flight").await == Some(0.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_never_reads_is_let_go() {
    let body = "x".repeat(8 << 20);
    let upstream = Upstream::scripted(move |_| {
        vec![Step::text(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))]
    })
    .await;
    let soon = "listeners: { public: { deadlines: { writeStall: 1s } } }";
    let lictor = Setup::new(upstream.address).config(soon).start().await;
    let mut client = lictor.client().await;
    client
        .wire
        .send(format!("GET / HTTP/1.1\r\n{HEAD}").as_bytes())
        .await
        .unwrap();
    let all = records(&lictor, 1).await;
    assert_eq!(all[0]["outcome"], "downstream-gone", "{}", all[0]);
}
