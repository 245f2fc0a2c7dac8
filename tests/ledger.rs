//! Who owns what, after a restart of lictor and at another one that shares a Redis: the same callers, and nobody else.

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
    let mut tasks: Vec<Value> = Vec::new();
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
            if request.target() == "/tasks" {
                let all = tasks.len();
                let list =
                    json!({"tasks": tasks, "nextPageToken": "", "pageSize": 50, "totalSize": all});
                return vec![Step::text(upstream::json(&list))];
            }
            let task = match request.target().strip_prefix("/tasks/") {
                Some(task) => task.to_owned(),
                None => format!("t-{made}"),
            };
            let context = body["message"]["contextId"].as_str();
            let context = context.map_or_else(|| format!("c-{made}"), str::to_owned);
            let task = json!({"id": task, "contextId": context, "status": {"state": "TASK_STATE_WORKING"}});
            match request.method() {
                "POST" => {
                    tasks.push(task.clone());
                    json!({"task": task})
                }
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

#[cfg(feature = "redis")]
mod shared {
    use support::redis::Redis;

    use super::*;

    async fn lictor(stage: &Stage, redis: &Redis) -> Lictor {
        let url = redis.url_file("redis://");
        let url = url.display();
        let lines = format!("stores: {{ redis: {{ url: {{ file: \"{url}\" }} }} }}");
        let lictor = stage.setup().config(lines).start().await;
        until_told(&lictor, "ready").await;
        lictor
    }

    async fn until_told(lictor: &Lictor, status: &str) {
        eventually("Redis to be told of", async || {
            let ready = lictor.ready().await.json();
            (ready["controls"]["redis"]["status"] == status).then_some(())
        })
        .await;
    }

    async fn commands(lictor: &Lictor) -> f64 {
        let name = "lictor_redis_commands_total{result=\"ok\"}";
        lictor.metric(name).await.unwrap_or_default()
    }

    #[tokio::test]
    async fn what_is_made_through_one_is_its_callers_through_the_other_and_nobody_elses() {
        let (stage, redis) = (Stage::new().await, Redis::start().await);
        let (one, two) = (lictor(&stage, &redis).await, lictor(&stage, &redis).await);
        let task = stage.send(&one, ANA, Some("ours")).await.unwrap();
        let session = stage.session(&one, ANA).await;
        for at in [&two, &one] {
            for other in [BEN, GINA] {
                assert_eq!(stage.get(at, other, &task).await, (404, false));
                assert_eq!(stage.ping(at, other, &session).await, (404, false));
                assert!(stage.send(at, other, Some("ours")).await.is_err());
            }
            assert_eq!(stage.get(at, ANA, &task).await, (200, true));
            assert_eq!(stage.ping(at, ANA, &session).await, (200, true));
            assert!(stage.send(at, ANA, Some("ours")).await.is_ok());
        }
        // What is known costs no question.
        let before = commands(&two).await;
        for _ in 0..5 {
            assert_eq!(stage.get(&two, ANA, &task).await, (200, true));
        }
        assert_eq!(commands(&two).await, before);

        // A list shows what was made elsewhere, too.
        let other = stage.send(&one, ANA, None).await.unwrap();
        let (list, _) = stage.ask(&two, ANA, "GET /tasks", A2A, &Value::Null).await;
        let listed = list.text();
        assert!(
            listed.contains(&task) && listed.contains(&other),
            "{listed}"
        );
        let (list, _) = stage.ask(&two, BEN, "GET /tasks", A2A, &Value::Null).await;
        assert_eq!(list.json()["tasks"], json!([]));

        // A session that has ended is nobody's elsewhere.
        let ended = stage.session(&one, ANA).await;
        let fields = format!("mcp-session-id: {ended}\r\n");
        let (answer, _) = stage
            .ask(&one, ANA, "DELETE /mcp", &fields, &Value::Null)
            .await;
        assert_eq!(answer.status(), 200);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert_eq!(stage.ping(&two, ANA, &ended).await, (404, false));

        // Nobody is named in the store, and there is no journal.
        let keys = redis.ask("KEYS *").await.unwrap();
        assert!(keys.contains("{lictor}:own:"), "{keys}");
        for secret in ["ana", "acme", "ours", &*task] {
            assert!(!keys.contains(secret), "{keys}");
        }
        drop(one);
        let again = lictor(&stage, &redis).await;
        assert_eq!(stage.get(&again, ANA, &task).await, (200, true));
        assert_eq!(stage.get(&again, BEN, &task).await, (404, false));
    }

    #[tokio::test]
    async fn of_two_who_claim_one_context_at_two_instances_one_wins() {
        let (stage, redis) = (Stage::new().await, Redis::start().await);
        let (one, two) = (lictor(&stage, &redis).await, lictor(&stage, &redis).await);
        let mut won = [0, 0];
        for n in 0..100 {
            let context = format!("c{n}");
            let before = stage.agent.requests().len();
            let (first, second) = tokio::join!(
                stage.send(&one, ANA, Some(&context)),
                stage.send(&two, GINA, Some(&context)),
            );
            assert_ne!(
                first.is_ok(),
                second.is_ok(),
                "{context}: {first:?} {second:?}"
            );
            assert_eq!(stage.agent.requests().len(), before + 1);
            won[usize::from(second.is_ok())] += 1;
            let (winner, loser) = if first.is_ok() {
                (ANA, GINA)
            } else {
                (GINA, ANA)
            };
            for at in [&one, &two] {
                assert!(stage.send(at, loser, Some(&context)).await.is_err());
                assert!(stage.send(at, winner, Some(&context)).await.is_ok());
            }
        }
        println!("won: {won:?}");
    }

    #[tokio::test]
    async fn a_task_that_a_caller_of_0_1_chose_is_read_once_the_agent_has_named_it() {
        let (stage, redis) = (Stage::new().await, Redis::start().await);
        let (one, two) = (lictor(&stage, &redis).await, lictor(&stage, &redis).await);
        let message = json!({"role": "user", "parts": [{"type": "text", "text": "hi"}]});
        let send = json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/send",
            "params": {"id": "chosen", "message": message}});
        let get =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": "chosen"}});
        let (_, passed) = stage.ask(&one, ANA, "POST /", "", &get).await;
        assert!(!passed);
        let (_, passed) = stage.ask(&one, ANA, "POST /", "", &send).await;
        assert!(passed);
        // The agent's answer names no task, so that it is kept and not read.
        for (at, who, body, passes) in [
            (&two, BEN, &send, false),
            (&two, ANA, &get, false),
            (&two, ANA, &send, true),
            (&one, GINA, &send, false),
        ] {
            let (answer, passed) = stage.ask(at, who, "POST /", "", body).await;
            assert_eq!(passed, passes, "{who}: {}", answer.text());
        }
    }

    #[tokio::test]
    async fn without_redis_what_is_known_here_goes_on_and_nothing_else() {
        let (stage, mut redis) = (Stage::new().await, Redis::start().await);
        let (one, two) = (lictor(&stage, &redis).await, lictor(&stage, &redis).await);
        let task = stage.send(&one, ANA, Some("ours")).await.unwrap();
        redis.stop();
        until_told(&one, "degraded").await;
        until_told(&two, "degraded").await;
        assert_eq!(stage.get(&one, ANA, &task).await, (200, true));
        // Neither its owner nor anybody else is told whose it is.
        for (at, who) in [(&two, ANA), (&two, BEN), (&one, BEN), (&one, GINA)] {
            assert_eq!(stage.get(at, who, &task).await, (503, false));
            assert_eq!(stage.get(at, who, "missing").await, (503, false));
        }
        // What cannot be remembered is not begun.
        for context in [None, Some("new"), Some("ours")] {
            assert_eq!(stage.send(&two, BEN, context).await, Err(503));
        }
        // Its data are lost; the owner is who it was where it is known, and nobody else becomes one.
        redis.serve().await;
        until_told(&one, "ready").await;
        until_told(&two, "ready").await;
        assert_eq!(stage.get(&one, ANA, &task).await, (200, true));
        for (at, who) in [(&two, ANA), (&two, BEN), (&one, BEN)] {
            assert_eq!(stage.get(at, who, &task).await, (404, false));
        }
        let task = stage.send(&two, BEN, None).await.unwrap();
        assert_eq!(stage.get(&one, BEN, &task).await, (200, true));
    }
}
