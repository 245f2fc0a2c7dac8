//! The table of who reaches what: each operation on a task, a context or a session, in each dialect, by its owner, by another
//! user of the tenant and by another tenant. The owner passes; the others hear of a foreign object what they hear of a missing
//! one, byte by byte, and the agent hears nothing.

#![cfg(test)]

use std::fs;

use lictor::identity::MadeKey;
use serde_json::{Value, json};

use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{self, Step, Upstream};

mod support;

/// Dialect, operation, target, and what is said: `ID` is the task, the context or the session. JSON-RPC has the method as target, REST
/// its line. `!` marks what its caller may choose, so that a missing one becomes the caller's.
const TABLE: &str = r#"
0.1 rpc | get           | tasks/get                          | {"id":"ID"}
0.1 rpc | cancel        | tasks/cancel                       | {"id":"ID"}
0.1 rpc | subscribe     | tasks/resubscribe                  | {"id":"ID"}
0.1 rpc | push create   | tasks/pushNotification/set         | {"id":"ID","pushNotificationConfig":{"url":"https://x.example"}}
0.1 rpc | push get      | tasks/pushNotification/get         | {"id":"ID"}
0.1 rpc | send to!      | tasks/send                         | {"id":"ID","message":{"role":"user","parts":[{"type":"text","text":"hi"}]}}
0.1 rpc | stream to!    | tasks/sendSubscribe                | {"id":"ID","message":{"role":"user","parts":[{"type":"text","text":"hi"}]}}
0.3 rpc | get           | tasks/get                          | {"id":"ID"}
0.3 rpc | cancel        | tasks/cancel                       | {"id":"ID"}
0.3 rpc | subscribe     | tasks/resubscribe                  | {"id":"ID"}
0.3 rpc | push create   | tasks/pushNotificationConfig/set   | {"taskId":"ID","pushNotificationConfig":{"url":"https://x.example"}}
0.3 rpc | push get      | tasks/pushNotificationConfig/get   | {"id":"ID"}
0.3 rpc | push list     | tasks/pushNotificationConfig/list  | {"id":"ID"}
0.3 rpc | push delete   | tasks/pushNotificationConfig/delete | {"id":"ID","pushNotificationConfigId":"p"}
0.3 rpc | send to       | message/send                       | {"message":{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"hi"}],"taskId":"ID"}}
0.3 rpc | stream to     | message/stream                     | {"message":{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"hi"}],"taskId":"ID"}}
0.3 rpc | refer to      | message/send                       | {"message":{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"hi"}],"referenceTaskIds":["ID"]}}
0.3 rpc | context!      | message/send                       | {"message":{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"hi"}],"contextId":"ID"}}
0.3 rest | get          | GET /v1/tasks/ID                   |
0.3 rest | cancel       | POST /v1/tasks/ID:cancel           | {}
0.3 rest | subscribe    | GET /v1/tasks/ID:subscribe         |
0.3 rest | subscribe    | POST /v1/tasks/ID:subscribe        | {}
0.3 rest | push create  | POST /v1/tasks/ID/pushNotificationConfigs | {"config":{"pushNotificationConfig":{"url":"https://x.example"}}}
0.3 rest | push get     | GET /v1/tasks/ID/pushNotificationConfigs/p |
0.3 rest | push list    | GET /v1/tasks/ID/pushNotificationConfigs |
0.3 rest | push delete  | DELETE /v1/tasks/ID/pushNotificationConfigs/p |
0.3 rest | send to      | POST /v1/message:send              | {"message":{"messageId":"m","role":"ROLE_USER","content":[{"text":"hi"}],"taskId":"ID"}}
0.3 rest | stream to    | POST /v1/message:stream            | {"message":{"messageId":"m","role":"ROLE_USER","content":[{"text":"hi"}],"taskId":"ID"}}
0.3 rest | context!     | POST /v1/message:send              | {"message":{"messageId":"m","role":"ROLE_USER","content":[{"text":"hi"}],"contextId":"ID"}}
1.0 rpc | get           | GetTask                            | {"id":"ID"}
1.0 rpc | cancel        | CancelTask                         | {"id":"ID"}
1.0 rpc | subscribe     | SubscribeToTask                    | {"id":"ID"}
1.0 rpc | push create   | CreateTaskPushNotificationConfig   | {"taskId":"ID","url":"https://x.example"}
1.0 rpc | push get      | GetTaskPushNotificationConfig      | {"taskId":"ID","id":"p"}
1.0 rpc | push list     | ListTaskPushNotificationConfigs    | {"taskId":"ID"}
1.0 rpc | push delete   | DeleteTaskPushNotificationConfig   | {"taskId":"ID","id":"p"}
1.0 rpc | send to       | SendMessage                        | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"taskId":"ID"}}
1.0 rpc | stream to     | SendStreamingMessage               | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"taskId":"ID"}}
1.0 rpc | refer to      | SendMessage                        | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"referenceTaskIds":["ID"]}}
1.0 rpc | context!      | SendMessage                        | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"contextId":"ID"}}
1.0 rest | get          | GET /tasks/ID                      |
1.0 rest | cancel       | POST /tasks/ID:cancel              | {}
1.0 rest | subscribe    | GET /tasks/ID:subscribe            |
1.0 rest | subscribe    | POST /tasks/ID:subscribe           | {}
1.0 rest | push create  | POST /tasks/ID/pushNotificationConfigs | {"url":"https://x.example"}
1.0 rest | push get     | GET /tasks/ID/pushNotificationConfigs/p |
1.0 rest | push list    | GET /tasks/ID/pushNotificationConfigs |
1.0 rest | push delete  | DELETE /tasks/ID/pushNotificationConfigs/p |
1.0 rest | send to      | POST /message:send                 | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"taskId":"ID"}}
1.0 rest | stream to    | POST /message:stream               | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"taskId":"ID"}}
1.0 rest | refer to     | POST /message:send                 | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"referenceTaskIds":["ID"]}}
1.0 rest | context!     | POST /message:send                 | {"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}],"contextId":"ID"}}
mcp     | get           | tasks/get                          | {"taskId":"ID"}
mcp     | result        | tasks/result                       | {"taskId":"ID"}
mcp     | cancel        | tasks/cancel                       | {"taskId":"ID"}
mcp     | update        | tasks/update                       | {"taskId":"ID","inputResponses":{}}
session | post          | POST /mcp                          | {"jsonrpc":"2.0","id":1,"method":"ping"}
session | answer        | POST /mcp                          | {"jsonrpc":"2.0","id":1,"result":{}}
session | listen        | GET /mcp                           |
session | end           | DELETE /mcp                        |
"#;

/// A row of the table.
struct Row {
    dialect: &'static str,
    operation: &'static str,
    target: &'static str,
    said: &'static str,
}

fn rows() -> Vec<Row> {
    let rows = TABLE.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut cells = line.splitn(4, '|').map(str::trim);
        let mut cell = || cells.next().unwrap();
        Row {
            dialect: cell(),
            operation: cell(),
            target: cell(),
            said: cell(),
        }
    });
    rows.collect()
}

impl Row {
    /// Line, fields and body of a request about an object, by somebody whose session is another.
    fn request(&self, id: &str, session: &str) -> (String, String, String) {
        let said = self.said.replace("ID", id);
        let rpc = || {
            let params: Value = serde_json::from_str(&said).unwrap();
            json!({"jsonrpc": "2.0", "id": 1, "method": self.target, "params": params}).to_string()
        };
        let a2a = |version: &str| format!("a2a-version: {version}\r\n");
        let in_session = |session: &str| {
            format!("mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n")
        };
        let line = self.target.replace("ID", id);
        let at_root = "POST /".to_owned();
        match self.dialect {
            "0.1 rpc" | "0.3 rpc" => (at_root, String::new(), rpc()),
            "1.0 rpc" => (at_root, a2a("1.0"), rpc()),
            "0.3 rest" => (line, String::new(), said),
            "1.0 rest" => (line, a2a("1.0"), said),
            "mcp" => ("POST /mcp".to_owned(), in_session(session), rpc()),
            "session" => (line, in_session(id), said),
            other => panic!("no dialect `{other}`"),
        }
    }

    fn may_be_chosen(&self) -> bool {
        self.operation.ends_with('!')
    }

    /// What an object is called that the agent made, and one that nobody did.
    fn objects(&self) -> (&'static str, &'static str) {
        match (self.dialect, self.operation) {
            ("session", _) => ("session-of-ana", "session-of-non"),
            (_, "context!") => ("context-of-ana", "context-of-non"),
            _ => ("task-of-ana", "task-of-non"),
        }
    }
}

/// An agent that makes one task and one session of a name, and does whatever it is asked.
fn agent(request: &Message) -> Vec<Step> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if body["method"] == "initialize" {
        let answer =
            json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25"}});
        let named = body["params"]["name"].as_str().unwrap();
        let session = format!("\r\nmcp-session-id: {named}\r\n");
        return vec![Step::text(
            upstream::json(&answer).replacen("\r\n", &session, 1),
        )];
    }
    let is_first = body["message"]["messageId"] == "first";
    let answer = match (is_first, body["jsonrpc"].is_string()) {
        (true, _) => json!({"task": {"id": "task-of-ana", "contextId": "context-of-ana",
            "status": {"state": "TASK_STATE_WORKING"}}}),
        (false, true) => json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        (false, false) => json!({}),
    };
    vec![Step::text(upstream::json(&answer))]
}

struct Stage {
    agent: Upstream,
    lictor: Lictor,
    keys: [MadeKey; 3],
}

/// The owner, another user of its tenant, and another tenant.
const CALLERS: [&str; 3] = ["ana", "ben", "gina"];

impl Stage {
    async fn new() -> Self {
        let agent = Upstream::scripted(agent).await;
        let setup = Setup::new(agent.address);
        let keys = [(); 3].map(|()| MadeKey::random().unwrap());
        let tenants = ["acme", "acme", "globex"];
        let known = CALLERS.iter().zip(&keys).zip(tenants);
        let known = known
            .map(|((id, key), tenant)| json!({"id": id, "sha256": key.sha256(), "tenant": tenant}));
        let file = json!({"keys": known.collect::<Vec<_>>()});
        fs::write(setup.home().join("keys.json"), file.to_string()).unwrap();
        let policy = r#"lictor: v1
identities:
  partners: { apiKey: { header: x-api-key, keys: { file: ../keys.json } } }
roles:
  all: { allow: ["a2a:*", "mcp:**"], to: { identity: partners } }
"#;
        let stage = Self {
            lictor: setup.policy(policy).start().await,
            agent,
            keys,
        };
        let first =
            r#"{"message":{"messageId":"first","role":"ROLE_USER","parts":[{"text":"hi"}]}}"#;
        let (answer, _) = stage
            .ask(0, "POST /message:send", "a2a-version: 1.0\r\n", first)
            .await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        for (who, id) in CALLERS.iter().enumerate() {
            let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
                "params": {"protocolVersion": "2025-11-25", "name": format!("session-of-{id}")}});
            let (answer, _) = stage.ask(who, "POST /mcp", "", &begin.to_string()).await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
        }
        stage
    }

    /// Asks, and tells whether the agent was asked.
    async fn ask(&self, who: usize, line: &str, fields: &str, body: &str) -> (Message, bool) {
        let before = self.agent.requests().len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: agent\r\nx-api-key: {}\r\nx-request-id: the-same\r\n\
             accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n\
             {fields}content-length: {}\r\n\r\n{body}",
            self.keys[who].reveal(),
            body.len(),
        );
        let method = line.split(' ').next().unwrap();
        let mut client = self.lictor.client().await;
        let answer = client.exchange(method, request.as_bytes()).await;
        (answer, self.agent.requests().len() > before)
    }

    async fn about(&self, row: &Row, who: usize, id: &str) -> (Message, bool) {
        let own = format!("session-of-{}", CALLERS[who]);
        let (line, fields, body) = row.request(id, &own);
        self.ask(who, &line, &fields, &body).await
    }
}

/// All that a caller sees, without what differs between any two answers, and with one name for the object.
fn seen(answer: &Message, id: &str) -> String {
    let head = String::from_utf8_lossy(&answer.raw).into_owned();
    let head = head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !["date", "x-lictor-decision"].contains(&name.to_ascii_lowercase().as_str())
    });
    let head: Vec<_> = head.collect();
    format!("{}\n{}", head.join("\n"), answer.text()).replace(id, "ID")
}

#[tokio::test]
async fn the_owner_passes_and_for_everybody_else_foreign_is_missing() {
    let stage = Stage::new().await;
    let rows = rows();
    let mut cells = 0;
    let mut wrong = Vec::new();
    for row in &rows {
        let name = format!("{} {}", row.dialect, row.operation);
        let (own, missing) = row.objects();
        for (who, caller) in CALLERS.iter().enumerate().skip(1) {
            let (foreign, passed) = stage.about(row, who, own).await;
            cells += 1;
            if passed || foreign.status() >= 500 {
                wrong.push(format!("{name}: {caller} reached it: {}", foreign.text()));
            }
            // One for each caller and row, since whoever names it first has it.
            let chosen = format!("{missing}-{cells}");
            let missing = if row.may_be_chosen() {
                &chosen
            } else {
                missing
            };
            let (absent, passed) = stage.about(row, who, missing).await;
            cells += 1;
            if passed != row.may_be_chosen() {
                wrong.push(format!("{name}: {caller}, missing: {}", absent.text()));
            }
            let (foreign, absent) = (seen(&foreign, own), seen(&absent, missing));
            if !passed && foreign != absent {
                wrong.push(format!("{name}: {caller} can tell:\n{foreign}\n{absent}"));
            }
        }
    }
    // The owner last, since it ends its session.
    for row in &rows {
        let (answer, passed) = stage.about(row, 0, row.objects().0).await;
        cells += 1;
        if !passed || answer.status() != 200 {
            let name = format!("{} {}", row.dialect, row.operation);
            wrong.push(format!("{name}: its owner: {}", answer.text()));
        }
    }
    println!("{cells} cells in {} rows", rows.len());
    assert!(cells >= 200);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
