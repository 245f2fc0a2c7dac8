//! Batches of JSON-RPC, which only MCP of 2025-03-26 has: each call is judged for itself, and all go or none does.

#![cfg(test)]

use std::fs;

use lictor::identity::MadeKey;
use serde_json::{Value, json};

use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{self, Step, Upstream};
use support::{eventually, secrets};

mod support;

const POLICY: &str = r#"lictor: v1
identities:
  partners: { apiKey: { header: x-api-key, keys: { file: ../keys.json } } }
roles:
  staff: { allow: [mcp:tools/list, "mcp:tools/call search_*", "mcp:resources/read", "a2a:*"], to: { groups: [staff] } }
rules:
  no-drafts:
    deny: "mcp:tools/call search_*"
    when: has(args.draft) && args.draft == true
"#;

struct Stage {
    lictor: Lictor,
    agent: Upstream,
    ana: MadeKey,
}

impl Stage {
    async fn new(more: &str) -> Self {
        let agent = Upstream::scripted(server).await;
        let setup = Setup::new(agent.address);
        let ana = MadeKey::random().unwrap();
        let keys = json!({"keys": [{"id": "ana", "sha256": ana.sha256(), "tenant": "acme", "groups": ["staff"]}]});
        fs::write(setup.home().join("keys.json"), keys.to_string()).unwrap();
        Self {
            lictor: setup.policy(format!("{POLICY}{more}")).start().await,
            agent,
            ana,
        }
    }

    async fn post(&self, fields: &str, body: &str) -> Message {
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: agent\r\nx-api-key: {}\r\ncontent-type: application/json\r\n{fields}\
             content-length: {}\r\n\r\n{body}",
            self.ana.reveal(),
            body.len(),
        );
        let mut client = self.lictor.client().await;
        client.exchange("POST", request.as_bytes()).await
    }

    /// So many records, the first of a batch last.
    async fn records(&self, count: usize) -> Vec<Value> {
        eventually("the records", async || {
            let records = self.lictor.audit();
            (records.len() == count).then_some(records)
        })
        .await
    }
}

/// Answers each call of a batch in an array.
fn server(request: &Message) -> Vec<Step> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let answer = |said: &Value| {
        let id = said.get("id")?;
        Some(match said["params"]["name"].as_str() {
            Some("search_broken") => {
                let error = json!({"code": -32603, "message": "no route to db.internal:5432"});
                json!({"jsonrpc": "2.0", "id": id, "error": error})
            }
            Some("search_leak") => {
                json!({"jsonrpc": "2.0", "id": id, "result": {"content": secrets::github_token(9)}})
            }
            _ => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
        })
    };
    let answers: Vec<Value> = match &body {
        Value::Array(calls) => calls.iter().filter_map(answer).collect(),
        call => answer(call).into_iter().collect(),
    };
    vec![Step::text(upstream::json(&json!(answers)))]
}

fn call(id: u8, name: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": {}}})
}

#[tokio::test]
async fn a_batch_goes_when_all_of_it_may() {
    let stage = Stage::new("").await;
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let batch = json!([call(1, "search_a"), note, call(2, "search_b")]).to_string();
    for fields in ["", "mcp-protocol-version: 2025-03-26\r\n"] {
        let answer = stage.post(fields, &batch).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.json().as_array().unwrap().len(), 2);
        assert_eq!(stage.agent.requests().last().unwrap().text(), batch);
    }
    let records = stage.records(6).await;
    let actions: Vec<&str> = records
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect();
    for action in [
        "mcp:tools/call search_a",
        "mcp:notifications/initialized",
        "mcp:tools/call search_b",
    ] {
        let found = actions.iter().filter(|found| **found == action).count();
        assert_eq!(found, 2, "{actions:?}");
    }
    let first = records
        .iter()
        .find(|record| record["batch"].is_null())
        .unwrap();
    let others = records
        .iter()
        .filter(|record| record["batch"] == first["decisionId"]);
    assert_eq!(others.count(), 2, "{records:?}");
    for record in &records {
        assert_eq!(
            (&record["decision"], &record["outcome"]),
            (&json!("allow"), &json!("complete"))
        );
        assert_eq!(
            (&record["principal"], &record["status"]),
            (&json!("ana"), &json!(200))
        );
    }
}

#[tokio::test]
async fn one_that_is_refused_keeps_all_back_and_all_are_told() {
    let stage = Stage::new("").await;
    let batch = json!([call(1, "search_a"), call(2, "wire"), call(3, "search_b")]);
    let answer = stage.post("", &batch.to_string()).await;
    assert_eq!(answer.status(), 403, "{}", answer.text());
    let answers = answer.json();
    let told = answers.as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|it| (it["id"].as_u64(), it["error"]["code"].as_i64()))
        .collect();
    let code = Some(-31002);
    assert_eq!(told, [(Some(1), code), (Some(2), code), (Some(3), code)]);
    assert!(stage.agent.requests().is_empty());
    let records = stage.records(3).await;
    let reason = |name: &str| {
        let action = format!("mcp:tools/call {name}");
        let record = records
            .iter()
            .find(|record| record["action"] == action.as_str())
            .unwrap();
        (
            record["decision"].as_str().unwrap(),
            record["reason"].as_str().unwrap(),
        )
    };
    assert_eq!(reason("wire"), ("deny", "default-deny"));
    assert_eq!(reason("search_a"), ("deny", "batch-unsupported"));
    assert_eq!(reason("search_b"), ("deny", "batch-unsupported"));
    // What conditions read is each call's own.
    let mut draft = call(2, "search_a");
    draft["params"]["arguments"]["draft"] = json!(true);
    let answer = stage
        .post("", &json!([call(1, "search_a"), draft]).to_string())
        .await;
    assert_eq!(answer.status(), 403, "{}", answer.text());
    // The first of them, too; and of notifications nobody is told.
    let answer = stage
        .post(
            "",
            &json!([call(1, "wire"), call(2, "search_a")]).to_string(),
        )
        .await;
    assert_eq!(answer.status(), 403);
    let note = json!([{"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "wire"}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"}]);
    let answer = stage.post("", &note.to_string()).await;
    assert_eq!((answer.status(), answer.text().as_str()), (403, ""));
    assert!(stage.agent.requests().is_empty());
}

#[tokio::test]
async fn where_no_batch_may_be_none_goes() {
    let stage = Stage::new("").await;
    let calls = json!([call(1, "search_a"), call(2, "search_b")]).to_string();
    let with = |other: Value| json!([call(1, "search_a"), other]).to_string();
    let request = |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
    let send = json!({"message": {"messageId": "m", "role": "user", "parts": []}});
    for (fields, body) in [
        ("mcp-protocol-version: 2025-06-18\r\n", calls.clone()),
        ("mcp-protocol-version: 2025-11-25\r\n", calls.clone()),
        ("mcp-protocol-version: 2024-11-05\r\n", calls),
        ("", with(request("tools/list", json!({})))),
        (
            "",
            with(request(
                "initialize",
                json!({"protocolVersion": "2025-03-26"}),
            )),
        ),
        ("", with(request("message/send", send))),
        ("", with(request("unknown", json!({})))),
        ("", with(json!([call(2, "search_b")]))),
        ("", with(json!(7))),
        ("", json!(vec![call(1, "search_a"); 33]).to_string()),
        (
            "",
            r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"x"}]"#.to_owned(),
        ),
    ] {
        let answer = stage.post(fields, &body).await;
        assert_eq!(answer.status(), 400, "{fields}{body}: {}", answer.text());
        assert!(
            answer.json()["error"]["code"].is_number(),
            "{}",
            answer.text()
        );
    }
    assert!(stage.agent.requests().is_empty());
}

#[tokio::test]
async fn answers_to_a_batch_are_judged_as_any() {
    let stage = Stage::new("leaks:\n  packs: { credentials: redact }\n").await;
    let batch = json!([call(1, "search_broken"), call(2, "search_leak")]).to_string();
    let answer = stage.post("", &batch).await;
    let text = answer.text();
    assert_eq!(answer.status(), 200, "{text}");
    assert!(!text.contains("db.internal"), "{text}");
    assert!(text.contains("ghp_[redacted:github-pat]"), "{text}");
    let answers = answer.json();
    assert_eq!(answers[0]["error"]["code"], -32603, "{text}");
    assert_eq!(
        (&answers[0]["id"], &answers[1]["id"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn quotas_count_each_call_of_a_batch() {
    let quotas = "quotas:\n  few: { window: 3/min, per: principal, on: \"mcp:tools/call\" }\n";
    let stage = Stage::new(quotas).await;
    let batch = json!([call(1, "search_a"), call(2, "search_b")]).to_string();
    assert_eq!(stage.post("", &batch).await.status(), 200);
    let spent = stage.post("", &batch).await;
    assert_eq!(spent.status(), 429, "{}", spent.text());
    assert_eq!(spent.json()[1]["error"]["code"], -31003);
    assert_eq!(stage.agent.requests().len(), 1);
}
