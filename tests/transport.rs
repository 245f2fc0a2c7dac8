//! What the whole program does with messages as such: HTTP/1.1 and HTTP/2, lengths, uploads, names.

#![cfg(test)]

use std::sync::{Arc, Mutex};

use http::Version;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use support::client::{Client, call, message};
use support::http1::chunked;
use support::http2::{Http2, read};
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::tls::Certificates;
use support::upstream::{EVENT_STREAM, Step, Upstream, json as whole};
use support::{eventually, secrets, within};

mod support;

const MIB: usize = 1 << 20;

/// Everybody may do everything but cancel; credentials are redacted.
fn policy() -> String {
    format!(
        "{EVERYBODY}  no-cancel:\n    deny: a2a:CancelTask\nleaks:\n  packs: {{ credentials: redact }}\n"
    )
}

fn finished() -> Value {
    json!({"jsonrpc": "2.0", "id": "r1", "result": {"task": {
        "id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"}
    }}})
}

/// One chunk with an event that carries a piece of an artifact.
fn piece(text: &str) -> Step {
    let event = json!({"jsonrpc": "2.0", "id": "r1", "result": {"artifactUpdate": {
        "taskId": "t1", "contextId": "c1", "append": true,
        "artifact": {"artifactId": "a1", "parts": [{"text": text}]}
    }}});
    let event = format!("data: {event}\n\n");
    Step::Write(chunked([event.as_bytes()], false))
}

/// The texts of all pieces, put together.
fn pieces(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    events
        .map(|event| {
            let event: Value = serde_json::from_str(event).unwrap();
            let text = &event["result"]["artifactUpdate"]["artifact"]["parts"][0]["text"];
            text.as_str().unwrap_or_default().to_owned()
        })
        .collect()
}

// --- HTTP/2 ----------------------------------------------------------------------------------

/// lictor behind TLS before this upstream, and a connection to it over HTTP/2.
async fn over_http2(upstream: &Upstream) -> (Lictor, Http2) {
    let setup = Setup::new(upstream.address).policy(policy());
    let files = Certificates::generate(setup.home());
    let lictor = setup
        .flag("--tls-cert", &files.certificate)
        .flag("--tls-key", &files.key)
        .start()
        .await;
    let client = Http2::connect(lictor.public, &files).await;
    (lictor, client)
}

#[tokio::test]
async fn calls_over_http2_are_judged_and_forwarded() {
    let upstream = Upstream::json(finished()).await;
    let (_lictor, client) = over_http2(&upstream).await;
    let got = client.call("SendMessage", &message("hi")).await;
    assert_eq!(
        (got.status().as_u16(), got.version()),
        (200, Version::HTTP_2)
    );
    let length = got.headers()["content-length"].to_str().unwrap().to_owned();
    let (body, complete) = read(got.into_body()).await;
    assert!(complete);
    assert_eq!(length, body.len().to_string());
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), finished());

    let got = client.call("CancelTask", &json!({"id": "t1"})).await;
    assert_eq!(got.status(), 403);
    let (body, _) = read(got.into_body()).await;
    let refusal: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(refusal["id"], "r1");
    assert_eq!(refusal["error"]["code"], -31002);

    let requests = upstream.requests();
    let [request] = requests.as_slice() else {
        panic!("the agent saw {requests:?}");
    };
    assert_eq!(request.field("host"), Some("localhost"));
    assert_eq!(request.json()["method"], "SendMessage");
}

#[tokio::test]
async fn calls_over_http2_run_side_by_side() {
    let upstream = Upstream::json(finished()).await;
    let (_lictor, client) = over_http2(&upstream).await;
    let client = &client;
    let said = message("hi");
    let one = || async {
        let got = client.call("SendMessage", &said).await;
        (got.status().as_u16(), read(got.into_body()).await.1)
    };
    let four = tokio::join!(one(), one(), one(), one());
    assert_eq!(four, ((200, true), (200, true), (200, true), (200, true)));
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn a_stream_over_http2_is_redacted() {
    let secret = secrets::github_token(11);
    let (first, rest) = secret.split_at(9);
    let (second, third) = rest.split_at(18);
    let steps = vec![
        Step::text(EVENT_STREAM),
        piece("the token is "),
        piece(first),
        piece(second),
        piece(third),
        piece(", keep it safe"),
        Step::text("0\r\n\r\n"),
    ];
    let upstream = Upstream::scripted(move |_| steps.clone()).await;
    let (lictor, client) = over_http2(&upstream).await;
    let got = client.call("SendStreamingMessage", &message("hi")).await;
    assert_eq!(got.status(), 200);
    assert_eq!(got.headers()["content-type"], "text/event-stream");
    let (body, complete) = read(got.into_body()).await;
    assert!(complete);
    let text = pieces(&body);
    assert!(text.starts_with("the token is ghp_[redacted:"), "{text}");
    assert!(text.ends_with("], keep it safe"), "{text}");
    assert_no_part(&secret, &body);
    let record = eventually("an audit record", async || lictor.audit().pop()).await;
    assert_no_part(&secret, record.to_string().as_bytes());
}

#[tokio::test]
async fn a_stream_over_http2_that_breaks_off_brings_what_came_and_then_a_reset() {
    let steps = vec![Step::text(EVENT_STREAM), piece("half. "), Step::Reset];
    let upstream = Upstream::scripted(move |_| steps.clone()).await;
    let (_lictor, client) = over_http2(&upstream).await;
    let got = client.call("SendStreamingMessage", &message("hi")).await;
    assert_eq!(got.status(), 200);
    let (body, complete) = read(got.into_body()).await;
    assert!(!complete, "a truncated stream looks complete");
    assert_eq!(pieces(&body), "half. ");
}

/// No six characters of what follows the public prefix are in there.
fn assert_no_part(secret: &str, body: &[u8]) {
    let (_public, private) = secret.as_bytes().split_at(4);
    let mut parts = private.windows(6);
    let leaked = parts.find(|part| body.windows(6).any(|window| window == *part));
    assert_eq!(leaked, None, "{}", String::from_utf8_lossy(body));
}

// --- HTTP/1.1 --------------------------------------------------------------------------------

#[tokio::test]
async fn a_connection_serves_call_after_call_whatever_became_of_the_last() {
    let upstream = Upstream::json(finished()).await;
    let lictor = Lictor::spawn(&policy(), upstream.address).await;
    let mut client = lictor.client().await;
    for _ in 0..3 {
        let got = client.call("SendMessage", &message("hi")).await;
        assert_eq!((got.status(), got.json()), (200, finished()));
        let refused = client.call("CancelTask", &json!({"id": "t1"})).await;
        assert_eq!(refused.status(), 403, "{}", refused.text());
        let unknown = client.call("GetTask", &json!({"id": "nobody's"})).await;
        assert_eq!(unknown.json()["error"]["code"], -32001);
        assert_eq!(client.get("/page").await.status(), 200);
    }
    assert_eq!(upstream.requests().len(), 6);
}

#[tokio::test]
async fn calls_that_come_at_once_are_answered_in_order() {
    let upstream = Upstream::json(finished()).await;
    let lictor = Lictor::spawn(&policy(), upstream.address).await;
    let mut client = lictor.client().await;
    let mut both = call("SendMessage", &message("hi"));
    both.extend(call("CancelTask", &json!({"id": "t1"})));
    both.extend(call("SendMessage", &message("again")));
    client.wire.send(&both).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let got = within("a response", client.wire.response("POST")).await;
        statuses.push(got.unwrap().status());
    }
    assert_eq!(statuses, [200, 403, 200]);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn the_length_of_an_answer_is_what_it_was() {
    let upstream = Upstream::scripted(|request| {
        let answer = match (request.method(), request.target()) {
            ("HEAD", _) => {
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1234\r\n\r\n"
            }
            (_, "/none") => "HTTP/1.1 204 No Content\r\nx-left: 1\r\n\r\n",
            (_, "/same") => "HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\n\r\n",
            (_, "/empty") => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            _ => {
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n\
                 6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"
            }
        };
        vec![Step::text(answer)]
    })
    .await;
    let lictor = Lictor::spawn(&policy(), upstream.address).await;
    let mut client = lictor.client().await;
    // Twice over one connection: whatever is left of an answer would be taken for the next one.
    for _ in 0..2 {
        let got = client.get("/chunked").await;
        assert_eq!((got.status(), got.text().as_str()), (200, "hello world"));
        assert_eq!(got.field("transfer-encoding"), Some("chunked"));
        assert_eq!(got.field("content-length"), None);
        assert!(got.complete);

        let head = b"HEAD /chunked HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let got = client.exchange("HEAD", head).await;
        assert_eq!(got.status(), 200);
        assert_eq!(got.field("content-length"), Some("1234"));

        let got = client.get("/none").await;
        assert_eq!((got.status(), got.field("x-left")), (204, Some("1")));
        assert_eq!(got.field("content-length"), None);
        assert_eq!(got.field("transfer-encoding"), None);

        let got = client.get("/same").await;
        assert_eq!((got.status(), got.field("etag")), (304, Some("\"e\"")));
        assert_eq!(got.field("transfer-encoding"), None);

        let got = client.get("/empty").await;
        assert_eq!(
            (got.status(), got.field("content-length")),
            (200, Some("0"))
        );
    }
}

// --- uploads ---------------------------------------------------------------------------------

/// A policy under which one folder takes large files.
fn uploads() -> String {
    format!("{EVERYBODY}limits:\n  \"http:PUT /files/**\": {{ request: 4MiB }}\n")
}

/// Bytes that repeat late and are no text.
fn noise(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at.wrapping_mul(2_654_435_761) >> 13) & 0xFF).unwrap())
        .collect()
}

fn put(target: &str, length: &str) -> Vec<u8> {
    format!(
        "PUT {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n\
         {length}\r\n\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_large_upload_runs_through_while_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&arrived);
    let agent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 1 << 16];
        while !is_whole(&seen.lock().unwrap()) {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "the upload broke off");
            seen.lock().unwrap().extend(&buffer[..read]);
        }
        let answer = whole(&json!({"stored": true}));
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let lictor = Lictor::spawn(&uploads(), address).await;
    let file = noise(3 * MIB);
    let (first, rest) = file.split_at(2 * MIB);
    let mut client = lictor.client().await;
    let head = put("/files/a", &format!("content-length: {}", file.len()));
    client.wire.send(&head).await.unwrap();
    within("room for the first part", client.wire.send(first))
        .await
        .unwrap();
    // The agent has most of it before the caller has sent the rest.
    eventually("the first part to arrive", async || {
        (arrived.lock().unwrap().len() > MIB).then_some(())
    })
    .await;
    let got = client.exchange("PUT", rest).await;
    assert_eq!((got.status(), got.json()), (200, json!({"stored": true})));
    within("the agent", agent).await.unwrap();
    let arrived = arrived.lock().unwrap();
    assert!(arrived.ends_with(&file), "the agent saw other bytes");
}

fn is_whole(request: &[u8]) -> bool {
    let head = request.windows(4).position(|end| end == b"\r\n\r\n");
    head.is_some_and(|end| request.len() == end + 4 + 3 * MIB)
}

#[tokio::test]
async fn an_upload_above_its_limit_never_arrives_whole() {
    let upstream = Upstream::json(json!({"stored": true})).await;
    let lictor = Lictor::spawn(&uploads(), upstream.address).await;
    // A length that is known is refused before anything is forwarded.
    for (target, length) in [("/elsewhere", 3 * MIB), ("/files/a", 5 * MIB)] {
        let mut client = lictor.client().await;
        let mut request = put(target, &format!("content-length: {length}"));
        request.extend(noise(1 << 16));
        let got = client.exchange("PUT", &request).await;
        assert_eq!(got.status(), 413, "{target}: {}", got.text());
        assert!(upstream.requests().is_empty());
    }
    // One that is not known is cut where the limit is.
    let mut client = lictor.client().await;
    client
        .wire
        .send(&put("/elsewhere", "transfer-encoding: chunked"))
        .await
        .unwrap();
    let file = noise(2 * MIB);
    // lictor may stop reading before all is written.
    let _cut = client.wire.send(&chunked([file.as_slice()], true)).await;
    if let Ok(got) = within("an end", client.wire.response("PUT")).await {
        assert_eq!(got.status(), 413, "{}", got.text());
    }
    let whole = upstream
        .requests()
        .into_iter()
        .filter(|request| request.complete);
    assert_eq!(whole.count(), 0);
}

// --- names and counts ------------------------------------------------------------------------

#[tokio::test]
async fn an_exchange_keeps_the_name_that_the_caller_gave_it() {
    let upstream = Upstream::json(finished()).await;
    let lictor = Lictor::spawn(&policy(), upstream.address).await;
    let mut client = lictor.client().await;
    let named = |method: &str, params: &Value, name: &str| {
        let request = String::from_utf8(call(method, params)).unwrap();
        let with = format!("\r\nX-Request-ID: {name}\r\n");
        request.replacen("\r\n", &with, 1).into_bytes()
    };
    let got = client
        .exchange("POST", &named("SendMessage", &message("hi"), "mine-1.a_B"))
        .await;
    assert_eq!(
        got.values("x-request-id").collect::<Vec<_>>(),
        ["mine-1.a_B"]
    );
    let request = named("CancelTask", &json!({"id": "t1"}), "mine-2");
    let got = client.exchange("POST", &request).await;
    assert_eq!(got.status(), 403);
    assert_eq!(got.field("x-request-id"), Some("mine-2"));
    assert!(
        got.text().contains("\"requestId\":\"mine-2\""),
        "{}",
        got.text()
    );

    // What could stand for something else in a log or a header gets a fresh name, and so does nothing.
    let long = "a".repeat(129);
    for bad in ["not harmless", "a\"b", "a/b", "", &long] {
        let got = client
            .exchange("POST", &named("SendMessage", &message("hi"), bad))
            .await;
        let name = got.field("x-request-id").unwrap().to_owned();
        assert!(name != bad && name.len() == 32, "`{bad}` became `{name}`");
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(seen.values("x-request-id").collect::<Vec<_>>(), [&name]);
    }
    let told = eventually("the records", async || {
        let records = lictor.audit();
        (records.len() == 7).then_some(records)
    })
    .await;
    let told = Value::from(told).to_string();
    assert!(
        told.contains("mine-1.a_B") && told.contains("mine-2"),
        "{told}"
    );
    assert!(!told.contains("not harmless"), "{told}");
}

#[tokio::test]
async fn calls_are_counted_by_action_and_outcome() {
    let upstream = Upstream::json(finished()).await;
    let lictor = Lictor::spawn(&policy(), upstream.address).await;
    let mut client: Client = lictor.client().await;
    client.call("SendMessage", &message("hi")).await;
    client.call("SendMessage", &message("hi")).await;
    client.call("CancelTask", &json!({"id": "t1"})).await;
    let name = |action: &str, decision: &str, class: &str| {
        format!(
            "lictor_requests_total{{action=\"a2a:{action}\",decision=\"{decision}\",status_class=\"{class}\"}}"
        )
    };
    let expected = [
        (name("SendMessage", "allow", "2xx"), 2.0),
        (name("CancelTask", "deny", "4xx"), 1.0),
    ];
    for (name, value) in expected {
        eventually(&name, async || {
            (lictor.metric(&name).await == Some(value)).then_some(())
        })
        .await;
    }
}
