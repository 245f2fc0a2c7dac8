//! Lists of tasks: what is somebody else's is not there.

#![cfg(test)]

use std::fs;

use lictor::identity::MadeKey;
use serde_json::{Value, json};

use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{self, Step, Upstream};

mod support;

const POLICY: &str = r#"lictor: v1
identities:
  partners: { apiKey: { header: x-api-key, keys: { file: ../keys.json } } }
roles:
  all: { allow: "a2a:*", to: { identity: partners } }
"#;

/// An agent that lists everybody's tasks: each call makes one with the name of its message.
fn agent() -> impl FnMut(&Message) -> Vec<Step> {
    let mut tasks: Vec<Value> = Vec::new();
    move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let rest = body["jsonrpc"].is_null();
        let params = if rest { &body } else { &body["params"] };
        let result = if request.target().starts_with("/tasks") || body["method"] == "ListTasks" {
            json!({"tasks": tasks, "nextPageToken": "", "pageSize": 50, "totalSize": tasks.len()})
        } else {
            let id = format!("t-{}", tasks.len());
            let task = json!({"id": id, "contextId": "c", "status": {"state": "TASK_STATE_WORKING"},
                "metadata": {"of": params["message"]["messageId"]}});
            tasks.push(task.clone());
            let task = json!({"task": task});
            // Contexts are everybody's own.
            let text = task.to_string().replace("\"c\"", &format!("\"c-{id}\""));
            serde_json::from_str(&text).unwrap()
        };
        let answer = match rest {
            true => result,
            false => json!({"jsonrpc": "2.0", "id": body["id"], "result": result}),
        };
        vec![Step::text(upstream::json(&answer))]
    }
}

async fn ask(lictor: &Lictor, who: &MadeKey, line: &str, body: &str) -> Value {
    let request = format!(
        "{line} HTTP/1.1\r\nhost: agent\r\nx-api-key: {}\r\na2a-version: 1.0\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        who.reveal(),
        body.len(),
    );
    let mut client = lictor.client().await;
    let method = line.split(' ').next().unwrap();
    let answer = client.exchange(method, request.as_bytes()).await;
    assert_eq!(answer.status(), 200, "{line}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn each_caller_is_shown_its_own_tasks_and_their_number() {
    let agent = Upstream::scripted(agent()).await;
    let setup = Setup::new(agent.address);
    let keys = [MadeKey::random().unwrap(), MadeKey::random().unwrap()];
    let [ana, ben] = &keys;
    let file = json!({"keys": [
        {"id": "ana", "sha256": ana.sha256(), "tenant": "acme"},
        {"id": "ben", "sha256": ben.sha256(), "tenant": "globex"},
    ]});
    fs::write(setup.home().join("keys.json"), file.to_string()).unwrap();
    let lictor = setup.policy(POLICY).start().await;
    let send = r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}]}}"#;
    let mut made = [Vec::new(), Vec::new()];
    for turn in [0, 1, 1, 0, 1] {
        let answer = ask(&lictor, &keys[turn], "POST /message:send", send).await;
        made[turn].push(answer["task"]["id"].as_str().unwrap().to_owned());
    }
    let rpc = r#"{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{}}"#;
    for (who, made) in keys.iter().zip(&made) {
        let over_rest = ask(&lictor, who, "GET /tasks", "").await;
        let over_rpc = ask(&lictor, who, "POST /", rpc).await["result"].clone();
        for list in [over_rest, over_rpc] {
            let tasks = list["tasks"].as_array().unwrap().iter();
            let ids: Vec<_> = tasks.map(|task| task["id"].as_str().unwrap()).collect();
            assert_eq!(ids, *made);
            assert_eq!(list["totalSize"], made.len());
            assert_eq!(list["pageSize"], 50);
        }
    }
}
