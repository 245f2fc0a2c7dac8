//! Who owns what, after a restart of lictor: the same callers, and nobody else.

#![cfg(test)]

use std::fs;
use std::path::Path;

use lictor::identity::MadeKey;
use serde_json::{Value, json};
use tempfile::TempDir;

use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{self, Step, Upstream};
use support::{eventually, within};

mod support;

/// An agent of A2A and MCP, two of one tenant and one of another, and a folder for state.
struct Stage {
    agent: Upstream,
    folder: TempDir,
    keys: [MadeKey; 3],
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = [(); 3].map(|()| MadeKey::random().unwrap());
        let [ana, ben, gina] = &keys;
        let file = json!({"keys": [
            {"id": "ana", "sha256": ana.sha256(), "tenant": "acme"},
            {"id": "ben", "sha256": ben.sha256(), "tenant": "acme"},
            {"id": "gina", "sha256": gina.sha256(), "tenant": "globex"},
        ]});
        fs::write(folder.path().join("keys.json"), file.to_string()).unwrap();
        Self {
            agent: Upstream::scripted(agent()).await,
            folder,
            keys,
        }
    }

    fn setup(&self) -> Setup {
        let keys = self.folder.path().join("keys.json");
        let keys = keys.display();
        Setup::new(self.agent.address).policy(format!(
            "lictor: v1\nidentities:\n  partners: {{ apiKey: {{ header: x-api-key, keys: {{ file: \"{keys}\" }} }} }}\n\
             roles:\n  all: {{ allow: [\"a2a:*\", \"mcp:**\"], to: {{ identity: partners }} }}\n"
        ))
    }

    fn state(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a request, and tells whether the agent got it.
    async fn ask(
        &self,
        at: &Lictor,
        who: usize,
        line: &str,
        fields: &str,
        body: &Value,
    ) -> (Message, bool) {
        let before = self.agent.requests().len();
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let request = format!(
            "{line} HTTP/1.1\r\nhost: agent\r\nx-api-key: {}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\n{fields}content-length: {}\r\n\r\n{body}",
            self.keys[who].reveal(),
            body.len(),
        );
        let method = line.split(' ').next().unwrap();
        let mut client = at.client().await;
        let answer = within("an answer", client.exchange(method, request.as_bytes())).await;
        (answer, self.agent.requests().len() > before)
    }

    /// Sends a message of A2A 1.0, and gives the answer's task.
    async fn send(&self, at: &Lictor, who: usize, context: Option<&str>) -> Result<String, u16> {
        let mut message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]});
        if let Some(context) = context {
            message["contextId"] = json!(context);
        }
        let body = json!({"message": message});
        let (answer, _) = self.ask(at, who, "POST /message:send", A2A, &body).await;
        match answer.status() {
            200 => Ok(answer.json()["task"]["id"].as_str().unwrap().to_owned()),
            status => Err(status),
        }
    }

    async fn get(&self, at: &Lictor, who: usize, task: &str) -> (u16, bool) {
        let line = format!("GET /tasks/{task}");
        let (answer, passed) = self.ask(at, who, &line, A2A, &Value::Null).await;
        (answer.status(), passed)
    }

    async fn ping(&self, at: &Lictor, who: usize, session: &str) -> (u16, bool) {
        let fields = format!("mcp-session-id: {session}\r\n");
        let body = json!({"jsonrpc": "2.0", "id": "q", "method": "ping"});
        let (answer, passed) = self.ask(at, who, "POST /mcp", &fields, &body).await;
        (answer.status(), passed)
    }

    async fn session(&self, at: &Lictor, who: usize) -> String {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {"protocolVersion": "2025-11-25"}});
        let (answer, _) = self.ask(at, who, "POST /mcp", "", &body).await;
        answer.field("mcp-session-id").unwrap().to_owned()
    }
}

const A2A: &str = "a2a-version: 1.0\r\n";
const ANA: usize = 0;
const BEN: usize = 1;
const GINA: usize = 2;

/// Each message makes a task, each `initialize` a session.
fn agent() -> impl FnMut(&Message) -> Vec<Step> {
    let mut made = 0;
    move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        made += 1;
        if body["method"] == "initialize" {
            let answer = json!({"jsonrpc": "2.0", "id": body["id"], "result": {"protocolVersion": "2025-11-25"}});
            let session = format!("\r\nmcp-session-id: s-{made}\r\n");
            let text = upstream::json(&answer).replacen("\r\n", &session, 1);
            return vec![Step::text(text)];
        }
        let answer = if body["jsonrpc"].is_string() {
            json!({"jsonrpc": "2.0", "id": body["id"], "result": {}})
        } else {
            let task = match request.target().strip_prefix("/tasks/") {
                Some(task) => task.to_owned(),
                None => format!("t-{made}"),
            };
            let context = body["message"]["contextId"].as_str();
            let context = context.map_or_else(|| format!("c-{made}"), str::to_owned);
            let task = json!({"id": task, "contextId": context, "status": {"state": "TASK_STATE_WORKING"}});
            match request.method() {
                "POST" => json!({"task": task}),
                _ => task,
            }
        };
        vec![Step::text(upstream::json(&answer))]
    }
}

#[tokio::test]
async fn tasks_contexts_and_sessions_are_whose_they_were_after_a_restart() {
    let stage = Stage::new().await;
    let mut lictor = stage.setup().state(stage.state()).start().await;
    let mut kept = Vec::new();
    for signal in ["-TERM", "-KILL", "-TERM"] {
        let lines = lictor
            .metric("lictor_ledger_journal_lines_total{result=\"written\"}")
            .await
            .unwrap_or_default();
        let context = format!("chosen-before{signal}");
        let task = stage.send(&lictor, ANA, Some(&context)).await.unwrap();
        let session = stage.session(&lictor, ANA).await;
        kept.push((context, task, session));
        if signal == "-KILL" {
            // Nothing is promised of what is on its way to the disk.
            eventually("the journal", async || {
                let name = "lictor_ledger_journal_lines_total{result=\"written\"}";
                (lictor.metric(name).await? >= lines + 3.0).then_some(())
            })
            .await;
        }
        lictor.signal(signal);
        let (_, _log) = lictor.ended().await;
        lictor = stage.setup().state(stage.state()).start().await;
        for (context, task, session) in &kept {
            assert_eq!(stage.get(&lictor, ANA, task).await, (200, true));
            assert_eq!(stage.ping(&lictor, ANA, session).await, (200, true));
            assert!(stage.send(&lictor, ANA, Some(context)).await.is_ok());
            for other in [BEN, GINA] {
                assert_eq!(stage.get(&lictor, other, task).await, (404, false));
                assert_eq!(stage.ping(&lictor, other, session).await, (404, false));
                assert!(stage.send(&lictor, other, Some(context)).await.is_err());
            }
        }
    }
    assert_eq!(
        lictor.ready().await.json()["controls"]["ledger"]["status"],
        "ready"
    );
    assert_eq!(
        lictor
            .metric("lictor_ledger_journal_lines_total{result=\"lost\"}")
            .await,
        Some(0.0)
    );
}

#[tokio::test]
async fn a_journal_that_is_another_file_stops_the_start() {
    let stage = Stage::new().await;
    let journal = stage.state().join("ledger.journal");
    fs::write(&journal, "somebody's notes\n").unwrap();
    let (status, log) = stage.setup().state(stage.state()).fail().await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(
        log.contains("is no ledger that this lictor can read; move it away"),
        "{log}"
    );
    assert_eq!(fs::read_to_string(&journal).unwrap(), "somebody's notes\n");
}
