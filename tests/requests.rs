//! Secrets in what callers send, where the policy wants that searched.

#![cfg(test)]

use serde_json::{Value, json};

use support::client::{call, envelope, message};
use support::http1::{Message, chunked};
use support::lictor::{EVERYBODY, Lictor};
use support::upstream::Upstream;
use support::{eventually, secrets};

mod support;

const REDACTED: &str = "ghp_[redacted:github-pat]";

fn policy(direction: &str, action: &str) -> String {
    format!("{EVERYBODY}leaks: {{ direction: {direction}, packs: {{ credentials: {action} }} }}\n")
}

struct Stage {
    lictor: Lictor,
    agent: Upstream,
}

impl Stage {
    async fn new(policy: &str) -> Self {
        let agent = Upstream::json(json!({"fine": true})).await;
        Self {
            lictor: Lictor::spawn(policy, agent.address).await,
            agent,
        }
    }

    async fn send(&self, request: &[u8]) -> Message {
        self.lictor.client().await.exchange("POST", request).await
    }

    /// The record of the last of so many calls.
    async fn record(&self, count: usize) -> Value {
        let records = eventually("the records", async || {
            let records = self.lictor.audit();
            (records.len() >= count).then_some(records)
        });
        records.await.pop().unwrap()
    }
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /notes HTTP/1.1\r\nhost: localhost\r\n{fields}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_blocked_request_is_refused_in_the_words_of_its_caller_and_never_forwarded() {
    let secret = secrets::github_token(41);
    let stage = Stage::new(&policy("[response, request]", "block")).await;
    let got = stage
        .send(&call(
            "SendMessage",
            &message(&format!("use {secret} for this")),
        ))
        .await;
    assert_eq!(got.status(), 403, "{got:?}");
    let error = &got.json()["error"];
    assert_eq!(
        (&error["code"], &got.json()["id"]),
        (&json!(-31020), &json!("r1")),
        "{got:?}"
    );
    let record = stage.record(1).await;
    assert_eq!(record["reason"], "request-leak");
    let finding = &record["findings"][0];
    assert_eq!(finding["detector"], "credentials.github-pat");
    assert!(
        finding["channel"].as_str().unwrap().starts_with("request "),
        "{record}"
    );
    assert!(
        !record.to_string().contains(secret.split_at(12).0),
        "{record}"
    );

    let got = stage
        .send(&post("content-type: text/plain\r\n", &secret))
        .await;
    assert_eq!(got.status(), 403);
    assert_eq!(got.json()["reason"], "SECRET_IN_REQUEST", "{got:?}");
    let chunks = chunked(secret.as_bytes().chunks(1), true);
    let head = b"POST /notes HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(
        stage.send(&[&head[..], &chunks].concat()).await.status(),
        403
    );
    assert_eq!(stage.agent.requests().len(), 0);
    assert_eq!(
        stage
            .send(&call("SendMessage", &message("hello")))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn a_redacted_request_is_judged_and_forwarded_as_it_then_is() {
    let secret = secrets::github_token(42);
    let stage = Stage::new(&policy("request", "redact")).await;
    let text = format!("use {secret} for this");
    let got = stage.send(&call("SendMessage", &message(&text))).await;
    assert_eq!(got.status(), 200, "{got:?}");
    let fields = "content-type: text/plain\r\ncontent-digest: sha-256=:YQ==:\r\n";
    assert_eq!(stage.send(&post(fields, &text)).await.status(), 200);
    let head = "POST /notes HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = chunked(text.as_bytes().chunks(3), true);
    assert_eq!(
        stage
            .send(&[head.as_bytes(), &chunks].concat())
            .await
            .status(),
        200
    );

    let seen = stage.agent.requests();
    let expected = envelope("SendMessage", &message(&text.replace(&secret, REDACTED)));
    assert_eq!(seen[0].text(), expected);
    for request in &seen {
        let length = request.body.len().to_string();
        assert_eq!(
            request.field("content-length"),
            Some(length.as_str()),
            "{request:?}"
        );
        assert!(
            request.complete && request.text().contains(REDACTED),
            "{request:?}"
        );
        assert_eq!(request.field("content-digest"), None);
    }
    // Answers are another direction.
    assert_eq!(seen[1].field("accept-encoding"), None);
}

#[tokio::test]
async fn the_parts_of_a_form_are_read_one_by_one() {
    let secret = secrets::github_token(45);
    let stage = Stage::new(&policy("request", "redact")).await;
    let form = |note: &str, password: &str, json: &str| {
        format!(
            "--f-1\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\n{note}\r\n\
             --f-1\r\ncontent-disposition: form-data; name=\"password\"\r\n\r\n{password}\r\n\
             --f-1\r\ncontent-disposition: form-data; name=\"data\"; filename=\"a.json\"\r\n\
             content-type: application/json\r\n\r\n{{\"a\": \"{json}\"}}\r\n--f-1--\r\n"
        )
    };
    let fields = "content-type: multipart/form-data; boundary=f-1\r\n";
    let plain = form("tr0ub4dor&Zebra9", "see the note", "\\u0041");
    let told = form(&secret, "tr0ub4dor&Zebra9", &secret);
    for body in [&plain, &told] {
        assert_eq!(stage.send(&post(fields, body)).await.status(), 200);
    }
    let seen = stage.agent.requests();
    assert_eq!(seen[0].text(), plain);
    let expected = form(REDACTED, "[redacted:generic-password]", REDACTED);
    assert_eq!(seen[1].text(), expected);
}

#[tokio::test]
async fn what_may_pass_passes_byte_for_byte() {
    let secret = secrets::github_token(43);
    let body = format!("{{ \"a\" :\"\\u0041\", \"key\":\"{secret}\"}}");
    let fields = "content-type: application/json\r\ncontent-digest: sha-256=:YQ==:\r\n";
    for (policy, findings) in [
        (policy("[request]", "flag"), json!(1)),
        (policy("response", "block"), Value::Null),
    ] {
        let stage = Stage::new(&policy).await;
        let got = stage.send(&post(fields, &body)).await;
        assert_eq!(got.status(), 200, "{got:?}");
        let seen = stage.agent.requests();
        assert_eq!(seen[0].text(), body);
        assert!(seen[0].field("content-digest").is_some());
        let total = stage.record(1).await["findingsTotal"].clone();
        assert!(
            total == findings || (findings.is_null() && total == json!(0)),
            "{total}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_searched_or_changed_is_refused() {
    let secret = secrets::github_token(44);
    let stage = Stage::new(&policy("request", "redact")).await;
    let signed = "content-type: text/plain\r\ncontent-digest: sha-256=:YQ==:\r\n\
                  signature-input: a=(\"content-digest\")\r\nsignature: a=:YQ==:\r\n";
    let table = [
        (signed, &*secret, 403, "request-leak"),
        (
            "content-type: text/plain; charset=utf-16\r\n",
            "text",
            415,
            "unsupported-coding",
        ),
        (
            "content-encoding: gzip\r\n",
            "text",
            415,
            "unsupported-coding",
        ),
    ];
    for (count, (fields, body, status, reason)) in (1..).zip(table) {
        let got = stage.send(&post(fields, body)).await;
        assert_eq!(got.status(), status, "{fields}: {got:?}");
        assert_eq!(stage.record(count).await["reason"], reason, "{fields}");
    }
    let upgrade = b"GET /chat HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // Where policies speak of JSON-RPC, calls in it are searched; elsewhere nobody reads what is said.
    let pages = policy("request", "redact").replace("a2a:*", "http:GET /chat");
    let unread = Stage::new(&pages).await;
    let got = unread.lictor.client().await.exchange("GET", upgrade).await;
    assert_eq!(got.status(), 400, "{got:?}");
    assert_eq!(unread.agent.requests().len(), 0);
    assert_eq!(stage.agent.requests().len(), 0);
    assert_eq!(stage.send(&post(signed, "nothing")).await.status(), 200);
}

#[tokio::test]
async fn who_may_not_call_learns_nothing_of_what_was_found() {
    let secret = secrets::github_token(45);
    let closed = policy("request", "block").replace("http:* /**", "http:GET /**");
    let stage = Stage::new(&closed).await;
    let got = stage
        .send(&post("content-type: text/plain\r\n", &secret))
        .await;
    assert_eq!(got.status(), 401, "{got:?}");
    assert_eq!(stage.record(1).await["reason"], "credential-missing");
    assert_eq!(stage.agent.requests().len(), 0);
}
