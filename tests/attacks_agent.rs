//! What a hostile agent answers, and what of it the caller gets.

#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};

use support::client::Client;
use support::http1::{Message, chunked};
use support::lictor::{EVERYBODY, Lictor};
use support::upstream::{EVENT_STREAM, Step, Upstream, json as answer};
use support::{eventually, secrets};

mod support;

const OK: &str = "HTTP/1.1 200 OK\r\n";
const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

fn policy(action: &str) -> String {
    format!("{EVERYBODY}leaks:\n  packs: {{ credentials: {action}, private-keys: block }}\n")
}

/// A head and a body of the length that it says.
fn sized(head: &str, body: &str) -> Vec<Step> {
    vec![Step::text(format!(
        "{head}content-length: {}\r\n\r\n{body}",
        body.len()
    ))]
}

/// The answers by the path that is asked for.
async fn agent(table: Vec<(&'static str, Vec<Step>)>) -> Upstream {
    Upstream::scripted(move |request| {
        let path = request.target().trim_start_matches('/');
        let found = table.iter().find(|(name, _)| *name == path);
        found.map_or_else(
            || vec![Step::text(answer(&json!({"fine": true})))],
            |(_, steps)| steps.clone(),
        )
    })
    .await
}

async fn ask(lictor: &Lictor, method: &str, path: &str) -> Option<Message> {
    let mut client: Client = lictor.client().await;
    let request = format!("{method} /{path} HTTP/1.1\r\nhost: agent.example\r\n\r\n");
    client.wire.send(request.as_bytes()).await.unwrap();
    support::within(path, client.wire.response(method))
        .await
        .ok()
}

/// Whether six bytes in a row of what is secret in the token are there, in heads or body.
fn leaks(got: &Message, token: &str) -> bool {
    let (_public_prefix, secret) = token.as_bytes().split_at(4);
    let whole = format!("{}{:?}{}", got.line, got.fields, got.text());
    secret
        .windows(6)
        .any(|part| whole.as_bytes().windows(6).any(|window| window == part))
}

async fn record(lictor: &Lictor, path: &str) -> Value {
    let path = format!("/{path}");
    eventually("the record", async || {
        let records = lictor.audit();
        let mut of_path = records
            .into_iter()
            .filter(|record| record.to_string().contains(&format!("\"{path}\"")));
        let found = of_path.next()?;
        assert!(of_path.next().is_none(), "two records for {path}");
        Some(found)
    })
    .await
}

#[tokio::test]
async fn an_answer_of_two_readings_becomes_a_refusal() {
    let secret = secrets::github_token(1);
    let chunks = format!("{:x}\r\n{secret}\r\n0\r\n\r\n", secret.len());
    let many: String = (0..3000)
        .map(|n| format!("x-{n}: {}\r\n", "a".repeat(100)))
        .collect();
    let table = vec![
        (
            "101",
            vec![Step::text(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            )],
        ),
        (
            "206",
            sized(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-39/80\r\n",
                &secret,
            ),
        ),
        (
            "gzip",
            sized(&format!("{JSON}content-encoding: gzip\r\n"), &secret),
        ),
        (
            "codings",
            sized(
                &format!("{JSON}content-encoding: identity\r\ncontent-encoding: br\r\n"),
                &secret,
            ),
        ),
        (
            "lengths",
            vec![Step::text(format!(
                "{JSON}content-length: 2\r\ncontent-length: 42\r\n\r\n{{}}{secret}"
            ))],
        ),
        (
            "both",
            vec![Step::text(format!(
                "{JSON}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
            ))],
        ),
        (
            "coded",
            vec![Step::text(format!(
                "{JSON}transfer-encoding: gzip, chunked\r\n\r\n{chunks}"
            ))],
        ),
        (
            "split",
            vec![Step::text(format!(
                "{JSON}x: a\rset-cookie: b\r\ncontent-length: 2\r\n\r\n{{}}"
            ))],
        ),
        (
            "folded",
            vec![Step::text(format!(
                "{JSON}x: a\r\n b\r\ncontent-length: 2\r\n\r\n{{}}"
            ))],
        ),
        (
            "endless",
            vec![
                Step::text(format!("{OK}{many}")),
                Step::Pause(Duration::from_secs(5)),
            ],
        ),
        (
            "types",
            sized(&format!("{JSON}content-type: text/plain\r\n"), &secret),
        ),
        (
            "utf16",
            sized(
                &format!("{OK}content-type: text/plain; Charset=\"UTF-16LE\"\r\n"),
                "g\0h\0p\0_\0",
            ),
        ),
        (
            "utf7",
            sized(
                &format!("{OK}content-type: text/html; a=b; charset=utf-7\r\n"),
                "+AGc-hp",
            ),
        ),
    ];
    let names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
    let upstream = agent(table).await;
    let lictor = Lictor::spawn(&policy("redact"), upstream.address).await;
    for name in names {
        let got = ask(&lictor, "GET", name).await.unwrap();
        assert_eq!(got.status(), 502, "{name}: {got:?}");
        assert!(!leaks(&got, &secret), "{name}: {got:?}");
        assert_eq!(got.json()["reason"], "AGENT_INVALID_RESPONSE", "{name}");
        assert_eq!(
            record(&lictor, name).await["reason"],
            "upstream-invalid",
            "{name}"
        );
    }
}

const PARTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: multipart/mixed; boundary=\"part 1\"\r\n";

/// The secret in parts of several kinds.
fn parts(secret: &str) -> String {
    let escaped = secret.replace("ghp_", "gh\\u0070_");
    format!(
        "--part 1\r\n\r\nhello {secret}\r\n--part 1\r\ncontent-type: application/json\r\n\r\n{{\"a\":\"{escaped}\"}}\r\n--part 1--"
    )
}

#[tokio::test]
async fn a_secret_leaves_in_no_corner_of_an_answer() {
    let secret = secrets::github_token(2);
    let (half, _never_sent) = secret.split_at(25);
    let error = json!({"error": secret}).to_string();
    let at = |length: usize| {
        let filler = "lorem ipsum ".repeat(100_000);
        let (filler, _) = filler.split_at(length);
        format!("{{\"a\":\"{filler} {secret} end\"}}")
    };
    let bytes = |head: &str, text: &str, complete: bool| {
        let pieces: Vec<_> = text.as_bytes().chunks(1).collect();
        vec![
            Step::text(format!("{head}transfer-encoding: chunked\r\n\r\n")),
            Step::Write(chunked(pieces, complete)),
        ]
    };
    let slowly = {
        let mut steps = vec![Step::text(EVENT_STREAM)];
        for byte in format!("data: {{\"a\":\"{secret} \"}}\n\n")
            .as_bytes()
            .chunks(1)
        {
            steps.push(Step::Write(chunked([byte], false)));
            steps.push(Step::Pause(Duration::from_millis(2)));
        }
        steps.push(Step::text("0\r\n\r\n"));
        steps
    };
    let mut broken = bytes(JSON, &format!("{{\"a\":\"{half}"), false);
    broken.push(Step::Close);
    let table = vec![
        (
            "hints",
            [
                vec![Step::text(format!(
                    "HTTP/1.1 103 Early Hints\r\nlink: <{secret}>\r\n\r\n"
                ))],
                sized(JSON, "{}"),
            ]
            .concat(),
        ),
        ("phrase", sized(&format!("HTTP/1.1 200 {secret}\r\n"), "{}")),
        (
            "field",
            sized(&format!("{JSON}x-debug: token={secret}\r\n"), "{}"),
        ),
        ("name", sized(&format!("{JSON}{secret}: 1\r\n"), "{}")),
        (
            "cookie",
            sized(
                &format!("{JSON}set-cookie: a=1\r\nset-cookie: t={secret}\r\n"),
                "{}",
            ),
        ),
        ("untyped", sized(OK, &format!("hello {secret}"))),
        (
            "strange",
            sized(
                &format!("{OK}content-type: \u{ff}\r\n"),
                &format!("hello {secret}"),
            ),
        ),
        (
            "404",
            sized(
                "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n",
                &error,
            ),
        ),
        (
            "500",
            sized(
                "HTTP/1.1 500 Oops\r\ncontent-type: text/html\r\n",
                &format!("<pre>{secret}</pre>"),
            ),
        ),
        ("205", sized("HTTP/1.1 205 Reset Content\r\n", &secret)),
        ("204", sized("HTTP/1.1 204 No Content\r\n", &secret)),
        ("304", sized("HTTP/1.1 304 Not Modified\r\n", &secret)),
        (
            "longer",
            vec![Step::text(format!(
                "{JSON}content-length: 2\r\n\r\n{{}}{secret}"
            ))],
        ),
        ("before", sized(JSON, &at((1 << 20) - 30))),
        ("across", sized(JSON, &at((1 << 20) - 8))),
        (
            "bytes",
            bytes(JSON, &format!("{{\"a\":\"{secret} \"}}"), true),
        ),
        ("plain", bytes(OK, &format!("it is {secret} indeed"), true)),
        ("parts", bytes(PARTS, &parts(&secret), true)),
        ("slowly", slowly),
        ("broken", broken),
        (
            "closing",
            vec![
                Step::text(format!(
                    "{OK}content-type: text/plain\r\n\r\nhello {secret}"
                )),
                Step::Close,
            ],
        ),
    ];
    let names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
    let upstream = agent(table).await;
    let lictor = Lictor::spawn(&policy("redact"), upstream.address).await;
    for name in names {
        if let Some(got) = ask(&lictor, "GET", name).await {
            assert!(!leaks(&got, &secret), "{name}: {got:?}");
            assert!(got.complete || name == "broken", "{name}: {got:?}");
        }
        record(&lictor, name).await;
    }
    let got = ask(&lictor, "HEAD", "field").await.unwrap();
    assert!(!leaks(&got, &secret), "{got:?}");
}

#[tokio::test]
async fn a_secret_in_a_field_is_found_blocked_and_told() {
    let secret = secrets::github_token(3);
    let upstream = agent(vec![(
        "field",
        sized(&format!("{JSON}x-debug: {secret}\r\n"), "{}"),
    )])
    .await;
    let lictor = Lictor::spawn(&policy("block"), upstream.address).await;
    let got = ask(&lictor, "GET", "field").await.unwrap();
    assert_eq!(
        (got.status(), leaks(&got, &secret)),
        (502, false),
        "{got:?}"
    );
    let record = record(&lictor, "field").await;
    assert_eq!(
        (&record["reason"], &record["outcome"]),
        (&json!("leakage-detected"), &json!("blocked"))
    );
    assert!(record.to_string().contains("header x-debug"), "{record}");
}

#[tokio::test]
async fn an_agent_cannot_speak_for_lictor_nor_for_its_next_answer() {
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned";
    let spoof = format!(
        "{JSON}lictor-decision-id: mine\r\nx-request-id: mine\r\nalt-svc: h2=\":1\"\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
    );
    let upstream = agent(vec![
        (
            "longer",
            vec![Step::text(format!(
                "{JSON}content-length: 2\r\n\r\n{{}}{poison}"
            ))],
        ),
        ("spoof", sized(&spoof, "{}")),
    ])
    .await;
    let lictor = Lictor::spawn(&policy("redact"), upstream.address).await;
    let mut client = lictor.client().await;
    for _ in 0..3 {
        assert_eq!(client.get("/longer").await.text(), "{}");
        assert_eq!(client.get("/next").await.text(), r#"{"fine":true}"#);
    }
    let got = client.get("/spoof").await;
    assert_eq!(got.field("lictor-decision-id"), None);
    assert_ne!(got.field("x-request-id"), Some("mine"));
    assert_eq!(got.field("alt-svc"), None);
    assert_eq!(got.values("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[tokio::test]
async fn a_caller_is_given_its_session_and_no_other_secret_in_a_field() {
    let token = secrets::github_token(5);
    let jwt = lictor::scan::sample("credentials.jwt", 5).unwrap();
    let session = "session=9vXq2LmT7sRfBz4KcWn8YhJd3PgA6eUo";
    let cookies = format!("set-cookie: t={jwt}; HttpOnly\r\nset-cookie: {session}\r\n");
    let hidden = token.replace('_', "%5F");
    let upstream = agent(vec![
        ("login", sized(&format!("{JSON}{cookies}"), "{}")),
        ("debug", sized(&format!("{JSON}x-debug: t={jwt}\r\n"), "{}")),
        (
            "key",
            sized(&format!("{JSON}set-cookie: k={token}\r\n"), "{}"),
        ),
        (
            "moved",
            sized(&format!("{JSON}location: /x?k={hidden}\r\n"), "{}"),
        ),
    ])
    .await;
    for action in ["redact", "block"] {
        let lictor = Lictor::spawn(&policy(action), upstream.address).await;
        let mut client = lictor.client().await;
        let got = client.get("/login").await;
        let set = got.values("set-cookie").collect::<Vec<_>>();
        assert_eq!(set, [&format!("t={jwt}; HttpOnly"), session], "{action}");
        for (path, field) in [
            ("debug", "x-debug"),
            ("key", "set-cookie"),
            ("moved", "location"),
        ] {
            let got = client.get(&format!("/{path}")).await;
            assert_eq!(got.field(field), None, "{action} {path}");
            assert_eq!(got.status() == 200, action == "redact", "{action} {path}");
        }
    }
}

#[tokio::test]
async fn an_endless_answer_takes_no_memory() {
    let flood = |head: &str, first: &str, fill: &str| {
        let piece = fill.repeat(65_536 / fill.len());
        let mut steps = vec![
            Step::text(format!("{head}transfer-encoding: chunked\r\n\r\n")),
            Step::Write(chunked([first.as_bytes()], false)),
        ];
        steps.extend((0..96).map(|_| Step::Write(chunked([piece.as_bytes()], false))));
        steps.push(Step::text("0\r\n\r\n"));
        steps
    };
    let events = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    let deep = format!("{}\"x\"{}", "[".repeat(5000), "]".repeat(5000));
    let table = vec![
        ("string", flood(JSON, "{\"a\":\"", "lorem ipsum ")),
        ("word", flood(OK, "", "a")),
        ("line", flood(events, "data: ", "x")),
        ("event", flood(events, "", "data: x\n")),
        ("comments", flood(events, "", ":x\n")),
        ("deep", sized(JSON, &deep)),
    ];
    let names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
    let upstream = agent(table).await;
    let lictor = Lictor::spawn(&policy("redact"), upstream.address).await;
    ask(&lictor, "GET", "string").await;
    let before = resident_bytes(&lictor).await;
    for name in names {
        ask(&lictor, "GET", name).await;
    }
    let grown = resident_bytes(&lictor).await - before;
    assert!(grown < f64::from(24 << 20), "{grown} bytes more");
    assert_eq!(ask(&lictor, "GET", "next").await.unwrap().status(), 200);
}

async fn resident_bytes(lictor: &Lictor) -> f64 {
    lictor
        .metric("process_resident_memory_bytes")
        .await
        .unwrap()
}
