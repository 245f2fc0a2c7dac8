//! What a hostile caller writes on the wire, and that the agent never sees it as something else.

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
async fn what_two_readers_read_in_two_ways_is_refused_recorded_and_counted() {
    let (upstream, lictor) = pair().await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage",
        "params": message("hi")})
    .to_string();
    let lower = format!(
        "post / HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{HEAD}{body}",
        body.len()
    );
    let fields: String = (0..300).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = "a".repeat(100_000);
    let malformed = "malformed-request";
    let cases: &[(&str, String, &str)] = &[
        ("no host", "GET / HTTP/1.1\r\n\r\n".into(), malformed),
        (
            "two hosts",
            format!("GET / HTTP/1.1\r\nhost: b\r\n{HEAD}"),
            malformed,
        ),
        (
            "no name",
            "GET / HTTP/1.1\r\nhost:\r\n\r\n".into(),
            malformed,
        ),
        (
            "a space",
            "GET / HTTP/1.1\r\nhost: a b\r\n\r\n".into(),
            malformed,
        ),
        (
            "a list",
            "GET / HTTP/1.1\r\nhost: a,b\r\n\r\n".into(),
            malformed,
        ),
        (
            "a user",
            "GET / HTTP/1.1\r\nhost: u@a\r\n\r\n".into(),
            malformed,
        ),
        (
            "a path",
            "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n".into(),
            malformed,
        ),
        (
            "a port",
            "GET / HTTP/1.1\r\nhost: a:99999\r\n\r\n".into(),
            malformed,
        ),
        (
            "two names",
            format!("GET http://b/ HTTP/1.1\r\n{HEAD}"),
            malformed,
        ),
        (
            "ftp",
            format!("GET ftp://agent.example/ HTTP/1.1\r\n{HEAD}"),
            malformed,
        ),
        (
            "authority",
            format!("GET agent.example:80 HTTP/1.1\r\n{HEAD}"),
            malformed,
        ),
        ("small letters", lower, malformed),
        (
            "odd method",
            format!("GE{{T / HTTP/1.1\r\n{HEAD}"),
            malformed,
        ),
        ("odd token", format!("GE!T / HTTP/1.1\r\n{HEAD}"), malformed),
        (
            "long method",
            format!("{} / HTTP/1.1\r\n{HEAD}", "G".repeat(4000)),
            malformed,
        ),
        (
            "gzip coding",
            format!(
                "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n{HEAD}1\r\nx\r\n0\r\n\r\n"
            ),
            malformed,
        ),
        (
            "coded twice",
            format!(
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n{HEAD}0\r\n\r\n"
            ),
            malformed,
        ),
        (
            "no coding",
            format!("POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n{HEAD}"),
            malformed,
        ),
        (
            "length list",
            format!("POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n{HEAD}x"),
            malformed,
        ),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n{HEAD}xx"),
            malformed,
        ),
        (
            "signed length",
            format!("POST / HTTP/1.1\r\ncontent-length: +1\r\n{HEAD}x"),
            malformed,
        ),
        (
            "bad chunk",
            format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n{HEAD}0x1\r\nx\r\n0\r\n\r\n"),
            malformed,
        ),
        (
            "huge chunk",
            format!(
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n{HEAD}fffffffffffffffff\r\nx"
            ),
            malformed,
        ),
        (
            "expectation",
            format!("POST / HTTP/1.1\r\nexpect: 200-ok\r\ncontent-length: 1\r\n{HEAD}x"),
            malformed,
        ),
        (
            "folded",
            format!("GET / HTTP/1.1\r\nx: a\r\n b\r\n{HEAD}"),
            malformed,
        ),
        (
            "space colon",
            "GET / HTTP/1.1\r\nhost : a\r\n\r\n".into(),
            malformed,
        ),
        (
            "nul",
            format!("GET / HTTP/1.1\r\nx: a\0b\r\n{HEAD}"),
            malformed,
        ),
        (
            "bare cr",
            format!("GET / HTTP/1.1\r\nx: a\rb\r\n{HEAD}"),
            malformed,
        ),
        ("garbage", "\x16\x03\x01\x02".into(), malformed),
        (
            "preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            "http-version-unsupported",
        ),
        (
            "underscore",
            format!("GET / HTTP/1.1\r\nx_http_method_override: POST\r\n{HEAD}"),
            "version-mismatch",
        ),
        (
            "other version",
            format!("GET / HTTP/1.2\r\n{HEAD}"),
            "http-version-unsupported",
        ),
        (
            "connect",
            format!("CONNECT agent.example:443 HTTP/1.1\r\n{HEAD}"),
            "operation-unsupported",
        ),
        (
            "trace",
            format!("TRACE / HTTP/1.1\r\n{HEAD}"),
            "operation-unsupported",
        ),
        (
            "long field",
            format!("GET / HTTP/1.1\r\nx: {long}\r\n{HEAD}"),
            "head-too-large",
        ),
        (
            "long target",
            format!("GET /{long} HTTP/1.1\r\n{HEAD}"),
            "head-too-large",
        ),
        (
            "many fields",
            format!("GET / HTTP/1.1\r\n{fields}{HEAD}"),
            "head-too-large",
        ),
    ];
    for (index, (name, bytes, reason)) in cases.iter().enumerate() {
        let got = provoke(&lictor, bytes.as_bytes()).await;
        let refused = got
            .split(' ')
            .nth(1)
            .is_some_and(|status| matches!(status.as_bytes().first(), Some(b'4' | b'5')));
        assert!(refused, "{name}: {got}");
        let all = records(&lictor, index + 1).await;
        assert_eq!(all.len(), index + 1, "{name}: one record for each");
        let record = &all[index];
        assert_eq!(record["reason"], *reason, "{name}: {record}");
        assert_eq!(record["decision"], "deny", "{name}: {record}");
    }
    assert_eq!(upstream.requests().len(), 0);
    for reason in [
        malformed,
        "head-too-large",
        "http-version-unsupported",
        "version-mismatch",
    ] {
        let count = cases.iter().filter(|(_, _, told)| *told == reason).count();
        let name = format!("lictor_refusals_total{{fault=\"downstream\",reason=\"{reason}\"}}");
        assert_eq!(lictor.metric(&name).await, Some(count as f64), "{name}");
    }
}

#[tokio::test]
async fn an_unread_body_is_never_the_next_request() {
    let (upstream, lictor) = pair().await;
    let smuggled = format!("GET /smuggled HTTP/1.1\r\n{HEAD}");
    let flood = smuggled.repeat(40_000);
    let cases = [
        // Refused with the body on the wire, in each framing.
        format!(
            "TRACE / HTTP/1.1\r\ncontent-length: {}\r\n{HEAD}{smuggled}",
            smuggled.len()
        ),
        format!("TRACE / HTTP/1.1\r\ntransfer-encoding: chunked\r\n{HEAD}{smuggled}"),
        format!(
            "TRACE / HTTP/1.1\r\ntransfer-encoding: chunked\r\n{HEAD}{:x}\r\n{smuggled}\r\n0\r\n\r\n",
            smuggled.len()
        ),
        // Refused in the middle of the body.
        format!(
            "POST / HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n{HEAD}{{\"a\":\"{flood}"
        ),
        // Both framings: the chunks count, and nothing behind them.
        format!(
            "POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n{HEAD}0\r\n\r\n{smuggled}"
        ),
        format!(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n{HEAD}0\r\n\r\n{smuggled}"
        ),
    ];
    for bytes in cases {
        let start: String = bytes.chars().take(60).collect();
        provoke(&lictor, bytes.as_bytes()).await;
        let seen: Vec<_> = upstream
            .requests()
            .iter()
            .map(|seen| seen.line.clone())
            .collect();
        assert!(
            !seen.iter().any(|line| line.contains("smuggled")),
            "{start}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_request_behind_a_refused_one_is_still_answered_in_order() {
    let (upstream, lictor) = pair().await;
    let bytes =
        format!("TRACE /1 HTTP/1.1\r\n{HEAD}GET /2 HTTP/1.1\r\n{HEAD}GET /3 HTTP/1.1\r\n{HEAD}");
    let mut client = lictor.client().await;
    client.wire.send(bytes.as_bytes()).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(
            within("an answer", client.wire.response("GET"))
                .await
                .unwrap()
                .status(),
        );
    }
    assert_eq!(statuses, [400, 200, 200]);
    let seen: Vec<_> = upstream
        .requests()
        .iter()
        .map(|seen| seen.target().to_owned())
        .collect();
    assert_eq!(seen, ["/2", "/3"]);
}

#[tokio::test]
async fn what_belongs_to_the_connection_or_to_lictor_does_not_reach_the_agent() {
    let (upstream, lictor) = pair().await;
    let fields = "x-user-id: root\r\nx_user_id: root\r\nX-Customer_Id: root\r\nconnection: x-user-id, upgrade, http2-settings\r\n\
        upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\nte: trailers\r\nexpect: 100-continue\r\nx-forwarded-for: 10.0.0.1\r\n\
        forwarded: for=10.0.0.1\r\nx-lictor-anything: 1\r\nproxy-authorization: Basic eDp5\r\ncookie: a=1\r\ncookie: b=2\r\n";
    let got = provoke(
        &lictor,
        format!("GET / HTTP/1.1\r\n{fields}{HEAD}").as_bytes(),
    )
    .await;
    assert!(got.starts_with("HTTP/1.1 200"), "{got}");
    let seen = upstream.requests().pop().unwrap();
    assert_eq!(seen.values("x-user-id").collect::<Vec<_>>(), ["anonymous"]);
    assert_eq!(
        seen.values("x-customer-id").collect::<Vec<_>>(),
        ["anonymous"]
    );
    assert_eq!(
        seen.values("x-forwarded-for").collect::<Vec<_>>(),
        ["127.0.0.1"]
    );
    assert_eq!(seen.values("cookie").collect::<Vec<_>>(), ["a=1; b=2"]);
    assert_eq!(seen.values("host").collect::<Vec<_>>(), ["agent.example"]);
    for name in [
        "x_user_id",
        "x-customer_id",
        "upgrade",
        "http2-settings",
        "te",
        "expect",
        "connection",
        "forwarded",
        "x-lictor-anything",
        "proxy-authorization",
    ] {
        assert_eq!(seen.field(name), None, "{name}");
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
