//! What callers get of an agent's own errors.

#![cfg(test)]

use http::HeaderMap;
use serde_json::{Value, json};

use support::eventually;
use support::grpc::{agent, answer, ask, before, fields, frame};
use support::http1::{Message, chunked};
use support::lictor::{EVERYBODY, Lictor};
use support::upstream::{EVENT_STREAM, Step, Upstream};

mod support;

const TRACE: &str =
    "Traceback (most recent call last):\n  File \"/srv/agent/quotes.py\", line 31, in find\n";

/// What must not leave.
const INSIDE: &[&str] = &[
    "/srv/agent",
    "quotes.py",
    "db-7",
    "Traceback",
    "secret-host",
];

/// An agent that answers every request so.
async fn stage(policy: &str, head: &str, body: &str) -> (Lictor, Upstream) {
    let text = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let upstream = Upstream::scripted(move |_| vec![Step::text(text.clone())]).await;
    let lictor = Lictor::spawn(&format!("{EVERYBODY}{policy}"), upstream.address).await;
    (lictor, upstream)
}

fn assert_clean(got: &Message) {
    let whole = format!("{}{:?}{}", got.line, got.fields, got.text());
    for inside in INSIDE {
        assert!(!whole.contains(inside), "{whole}");
    }
}

async fn record(lictor: &Lictor) -> Value {
    eventually("the record", async || lictor.audit().pop()).await
}

const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\n";

#[tokio::test]
async fn a_page_for_developers_becomes_a_problem() {
    let head = format!("{FAILED}content-type: text/html\r\netag: \"a\"\r\nretry-after: 3\r\n");
    let page = format!("<pre>{TRACE}</pre>");
    let (lictor, _upstream) = stage("", &head, &page).await;
    let got = lictor.client().await.get("/page").await;
    assert_eq!(got.status(), 500);
    assert_clean(&got);
    assert_eq!(got.field("content-type"), Some("application/problem+json"));
    assert_eq!(
        (got.field("etag"), got.field("retry-after")),
        (None, Some("3"))
    );
    let problem = got.json();
    assert_eq!(problem["reason"], "AGENT_ERROR");
    assert_eq!(problem["status"], 500);
    let record = record(&lictor).await;
    assert_eq!(record["decisionId"], problem["decisionId"]);
    assert_eq!(
        got.field("lictor-decision-id"),
        problem["decisionId"].as_str()
    );
    assert_eq!(record["scrubbedErrors"], 1);
    assert_eq!(record["decision"], "allow");
    assert!(!record.to_string().contains("quotes.py"), "{record}");
    let counted = lictor.metric("lictor_agent_errors_scrubbed_total").await;
    assert_eq!(counted, Some(1.0));
}

#[tokio::test]
async fn what_the_policy_passes_is_passed() {
    let policy = "http: { agentErrors: pass }\n";
    let (lictor, _upstream) = stage(policy, FAILED, TRACE).await;
    let got = lictor.client().await.get("/page").await;
    assert_eq!((got.status(), got.text()), (500, TRACE.to_owned()));
    assert!(record(&lictor).await.get("scrubbedErrors").is_none());
}

#[tokio::test]
async fn what_a_caller_did_wrong_is_told_unless_it_shows_a_trace() {
    let head = "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n";
    let plain = json!({"detail": "no such report"}).to_string();
    let (lictor, _upstream) = stage("", head, &plain).await;
    let got = lictor.client().await.get("/v1/reports/9").await;
    assert_eq!((got.status(), got.text()), (404, plain));
    assert_eq!(got.field("lictor-decision-id"), None);

    let traced = json!({ "detail": TRACE }).to_string();
    let (lictor, _upstream) = stage("", head, &traced).await;
    let got = lictor.client().await.get("/v1/reports/9").await;
    assert_clean(&got);
    assert_eq!(
        (got.status(), &got.json()["reason"]),
        (404, &json!("AGENT_ERROR"))
    );

    // Nobody can read it, so nobody knows.
    let coded = format!("{head}content-encoding: compress\r\n");
    let (lictor, _upstream) = stage("", &coded, "\u{1f}?").await;
    let got = lictor.client().await.get("/v1/reports/9").await;
    assert_eq!((got.status(), got.field("content-encoding")), (404, None));
    assert_eq!(got.json()["reason"], "AGENT_ERROR");
}

#[tokio::test]
async fn an_error_too_long_to_be_read_is_replaced() {
    let page = format!("{TRACE}{}", "x".repeat(3 << 20));
    let pieces = page.as_bytes().chunks(60_000);
    let body = chunked(pieces, true);
    let upstream = Upstream::scripted(move |_| {
        let head = format!("{FAILED}transfer-encoding: chunked\r\n\r\n");
        vec![Step::text(head), Step::Write(body.clone())]
    })
    .await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    let got = lictor.client().await.get("/page").await;
    assert_clean(&got);
    assert_eq!(
        (got.status(), &got.json()["reason"]),
        (500, &json!("AGENT_ERROR"))
    );
}

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

fn error(code: i64, message: &str) -> String {
    let data = json!({"trace": TRACE, "host": "db-7"});
    json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message, "data": data}})
        .to_string()
}

#[tokio::test]
async fn errors_of_json_rpc_keep_code_and_id() {
    for (scan, chunks) in [
        ("", false),
        ("", true),
        ("leaks: { packs: { pii: redact } }\n", true),
    ] {
        let body = error(-32603, "secret-host is down");
        let upstream = Upstream::scripted(move |_| match chunks {
            false => vec![Step::text(format!(
                "{JSON}content-length: {}\r\n\r\n{body}",
                body.len()
            ))],
            true => vec![
                Step::text(format!("{JSON}transfer-encoding: chunked\r\n\r\n")),
                Step::Write(chunked(body.as_bytes().chunks(7), true)),
            ],
        })
        .await;
        let lictor = Lictor::spawn(&format!("{EVERYBODY}{scan}"), upstream.address).await;
        let mut client = lictor.client().await;
        let got = client.call("GetTask", &json!({"id": "unknown"})).await;
        assert_eq!(got.json()["error"]["code"], -32001, "lictor's own");
        let got = client
            .call(
                "SendMessage",
                &json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}),
            )
            .await;
        assert_clean(&got);
        let told = got.json();
        assert_eq!(
            (got.status(), &told["error"]["code"]),
            (200, &json!(-32603))
        );
        assert_eq!(told["error"]["message"], "Internal error");
        let info = &told["error"]["data"][0];
        assert_eq!(info["reason"], "AGENT_ERROR");
        let decision = info["metadata"]["decisionId"].clone();
        let record = eventually("the record", async || {
            let mut records = lictor.audit().into_iter();
            records.find(|record| record["decisionId"] == decision)
        })
        .await;
        assert_eq!(record["scrubbedErrors"], 1);
        let asked = upstream.requests();
        assert_eq!(
            asked.last().unwrap().field("accept-encoding"),
            Some("identity")
        );
    }
}

#[tokio::test]
async fn an_error_among_the_events_of_a_stream_is_written_anew() {
    let first = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"task\":{\"id\":\"t\",\"contextId\":\"c\"}}}\n\n";
    for scan in ["", "leaks: { packs: { pii: redact } }\n"] {
        let stream = format!(": hi\n\n{first}data: {}\n\n", error(-32603, TRACE));
        let upstream = Upstream::scripted(move |_| {
            let pieces = stream.as_bytes().chunks(5);
            vec![Step::text(EVENT_STREAM), Step::Write(chunked(pieces, true))]
        })
        .await;
        let lictor = Lictor::spawn(&format!("{EVERYBODY}{scan}"), upstream.address).await;
        let got = lictor
            .client()
            .await
            .call(
                "SendStreamingMessage",
                &json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}),
            )
            .await;
        assert_clean(&got);
        assert!(got.complete, "{got:?}");
        assert!(
            got.text().starts_with(&format!(": hi\n\n{first}")),
            "{}",
            got.text()
        );
        let last = got.events().pop().unwrap();
        let last: Value = serde_json::from_str(&last).unwrap();
        assert_eq!(last["error"]["code"], -32603);
        assert_eq!(got.field("x-accel-buffering"), Some("no"));
        assert_eq!(record(&lictor).await["scrubbedErrors"], 1);
    }
}

#[tokio::test]
async fn the_agents_own_word_on_buffering_stays() {
    let upstream = Upstream::scripted(|_| {
        let head = EVENT_STREAM.replace("\r\n\r\n", "\r\nx-accel-buffering: yes\r\n\r\n");
        vec![Step::text(head), Step::text("0\r\n\r\n")]
    })
    .await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    let got = lictor.client().await.get("/events").await;
    assert_eq!(got.values("x-accel-buffering").collect::<Vec<_>>(), ["yes"]);
}

#[tokio::test]
async fn errors_of_grpc_keep_their_status() {
    let (address, _told) = agent(|asked| {
        let trailers = &[
            ("grpc-status", "2"),
            ("grpc-message", "Exception calling application: db-7"),
            ("grpc-status-details-bin", "YQ"),
        ];
        match asked.head.uri().path().ends_with("Streaming") {
            true => answer(vec![frame(b"")], trailers),
            // All of it in the head.
            false => {
                let mut answer = answer(Vec::new(), trailers);
                if let Some(fields) = answer.trailers.take() {
                    answer.head.headers_mut().extend(fields);
                }
                answer
            }
        }
    })
    .await;
    let (lictor, sender) = before(format!("h2c://{address}"), EVERYBODY.to_owned()).await;
    let head: HeaderMap = fields(&[("a2a-version", "1.0")]);
    for method in ["/acme.Quotes/Find", "/acme.Quotes/Streaming"] {
        let seen = ask(&sender, method, &head, frame(b""), None).await;
        let status = seen.status();
        assert_eq!(status["grpc-status"], "2", "{method}: {seen:?}");
        assert_eq!(
            status["grpc-message"],
            "The agent could not complete this call."
        );
        assert!(!format!("{seen:?}").contains("db-7"), "{seen:?}");
        assert_ne!(status["grpc-status-details-bin"], "YQ");
    }
    let records = eventually("both records", async || {
        let records = lictor.audit();
        (records.len() == 2).then_some(records)
    })
    .await;
    for record in records {
        assert_eq!(record["scrubbedErrors"], 1, "{record}");
    }
}
