//! What policies want recorded: which calls, and what of them.

#![cfg(test)]

use serde_json::{Value, json};

use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{self, Step, Upstream};
use support::{eventually, secrets};

mod support;

const POLICY: &str = r#"lictor: v1
rules:
  sends: { allow: "a2a:*", from: { anonymous: true } }
  pages: { allow: "http:GET /open/**", from: { anonymous: true } }
  watched: { mode: shadow, deny: "http:GET /open/watched" }
leaks:
  packs: { credentials: redact }
"#;

async fn start(agent: &Upstream, audit: &str) -> Lictor {
    let policy = format!("{POLICY}audit: {audit}\n");
    Setup::new(agent.address).policy(policy).start().await
}

async fn get(lictor: &Lictor, path: &str) -> u16 {
    lictor.client().await.get(path).await.status()
}

async fn send(lictor: &Lictor, metadata: &Value) -> Message {
    let params = json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [] }, "metadata": metadata });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params });
    let body = body.to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: agent.test\r\na2a-version: 1.0\r\nx-desk: rates\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = lictor.client().await;
    client.exchange("POST", request.as_bytes()).await
}

async fn records(lictor: &Lictor, count: usize) -> Vec<Value> {
    eventually("the records", async || {
        let records = lictor.audit();
        (records.len() >= count).then_some(records)
    })
    .await
}

#[tokio::test]
async fn what_is_included_is_recorded_and_nothing_else_of_the_call() {
    let agent = Upstream::json(json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).await;
    let include =
        "{ include: [args.metadata.amount, \"request.header['x-desk']\", args.metadata.none] }";
    let lictor = start(&agent, include).await;
    let answer = send(&lictor, &json!({ "amount": 70, "iban": "hidden-value" })).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let record = records(&lictor, 1).await.remove(0);
    let values = &record["captured"]["values"];
    assert_eq!(values["args.metadata.amount"], 70, "{record}");
    assert_eq!(values.as_object().unwrap().len(), 2, "{record}");
    let header = values
        .as_object()
        .unwrap()
        .values()
        .any(|value| value == "rates");
    assert!(header, "{record}");
    assert_eq!(record["captured"]["missing"], json!(["args.metadata.none"]));
    assert!(!record.to_string().contains("hidden-value"), "{record}");
}

#[tokio::test]
async fn plain_calls_are_left_out_where_the_policy_says_so() {
    let agent = Upstream::scripted(move |request: &Message| {
        let said = match request.target() {
            "/open/leak" => json!({ "text": secrets::github_token(7) }),
            _ => json!({ "ok": true }),
        };
        vec![Step::text(upstream::json(&said))]
    })
    .await;
    let lictor = start(&agent, "{ decisions: denied-and-changed }").await;
    for _ in 0..20 {
        assert_eq!(get(&lictor, "/open/page").await, 200);
    }
    assert_eq!(get(&lictor, "/closed").await, 401);
    assert_eq!(get(&lictor, "/open/watched").await, 200);
    assert_eq!(get(&lictor, "/open/leak").await, 200);
    let records = records(&lictor, 3).await;
    let paths: Vec<_> = records
        .iter()
        .map(|record| record["path"].clone())
        .collect();
    assert_eq!(paths, ["/closed", "/open/watched", "/open/leak"]);
    // Without a gap: what is left out never had a number.
    let numbers: Vec<_> = records
        .iter()
        .map(|record| record["sequence"].as_u64().unwrap())
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    let left_out = eventually("the metric", async || {
        lictor.metric("lictor_audit_left_out_total").await
    });
    assert_eq!(left_out.await, 20.0);
}

#[tokio::test]
async fn a_share_of_plain_calls_is_recorded_beside_all_others() {
    let agent = Upstream::json(json!({ "ok": true })).await;
    let lictor = start(&agent, "{ decisions: sample 50% }").await;
    let mut client = lictor.client().await;
    for _ in 0..200 {
        assert_eq!(client.get("/open/page").await.status(), 200);
    }
    for _ in 0..10 {
        assert_eq!(get(&lictor, "/closed").await, 401);
    }
    let written = eventually("all calls", async || {
        let left_out = lictor.metric("lictor_audit_left_out_total").await?;
        let records = lictor.audit();
        (records.len() as f64 + left_out >= 210.0).then_some(records)
    })
    .await;
    let denied = written.iter().filter(|record| record["decision"] == "deny");
    assert_eq!(denied.count(), 10);
    let sampled = written.len() - 10;
    // Beyond these it would be one in 10^9.
    assert!((57..=143).contains(&sampled), "{sampled}");
}
