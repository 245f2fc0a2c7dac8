//! Quotas on the wire: what a caller is told, and what the agent never sees.

#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::time::timeout;

use support::client::Client;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream};
use support::{eventually, within};

mod support;

/// Anybody may read pages, as far as these quotas go.
fn policy(quotas: &str) -> String {
    format!(
        "lictor: v1\nrules:\n  pages: {{ allow: \"http:GET /**\", from: {{ anonymous: true }} }}\n{quotas}"
    )
}

struct Stage {
    lictor: Lictor,
    agent: Upstream,
}

impl Stage {
    async fn new(quotas: &str) -> Self {
        let agent = Upstream::json(json!({"ok": true})).await;
        let setup = Setup::new(agent.address).policy(policy(quotas));
        let lictor = setup.start().await;
        Self { lictor, agent }
    }

    async fn get(&self, path: &str) -> Message {
        self.lictor.client().await.get(path).await
    }
}

/// The parameters of a quota in a list such as `"q";r=1;t=5`.
fn told(message: &Message, field: &str, quota: &str) -> Vec<(String, u64)> {
    let list = message.field(field).unwrap_or_default();
    let name = format!("\"{quota}\"");
    let items = list.split(", ").map(|item| item.split(';'));
    for mut item in items {
        if item.next() == Some(&name) {
            let parameters = item.filter_map(|parameter| parameter.split_once('='));
            return parameters
                .map(|(key, value)| (key.to_owned(), value.parse().unwrap()))
                .collect();
        }
    }
    panic!("{quota} is not in {list:?}")
}

fn one(message: &Message, quota: &str, key: &str) -> u64 {
    let field = if matches!(key, "q" | "w") {
        "ratelimit-policy"
    } else {
        "ratelimit"
    };
    let told = told(message, field, quota);
    told.into_iter().find(|(name, _)| name == key).unwrap().1
}

#[tokio::test]
async fn a_window_and_a_budget_are_told_and_kept_apart() {
    let stage = Stage::new(
        "quotas:\n  fast: { window: 3/min, per: source, on: \"http:GET /fast/**\" }\n  \
         day: { calendar: 5/day, zone: Asia/Kathmandu, per: source }\nhttp: { rateLimitFields: both }\n",
    )
    .await;
    for left in (0..3).rev() {
        let got = stage.get("/fast/a").await;
        assert_eq!(got.status(), 200);
        assert_eq!((one(&got, "fast", "q"), one(&got, "fast", "w")), (3, 60));
        assert_eq!((one(&got, "day", "q"), one(&got, "day", "w")), (5, 86_400));
        assert_eq!(one(&got, "fast", "r"), left);
        assert_eq!(one(&got, "day", "r"), left + 2);
        assert!(one(&got, "fast", "t") <= 60 && one(&got, "day", "t") <= 86_400);
        assert_eq!(got.field("x-ratelimit-limit"), Some("3"));
        assert_eq!(got.field("x-ratelimit-remaining"), Some(&*left.to_string()));
    }
    let refused = stage.get("/fast/a").await;
    assert_eq!(refused.status(), 429);
    assert!(refused.text().contains("RATE_LIMIT_EXCEEDED"));
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait) && one(&refused, "fast", "t") <= wait);
    assert_eq!(
        (one(&refused, "fast", "r"), one(&refused, "day", "r")),
        (0, 2)
    );

    // The refused call took nothing of the day.
    for _ in 0..2 {
        assert_eq!(stage.get("/slow").await.status(), 200);
    }
    let spent = stage.get("/slow").await;
    assert_eq!(spent.status(), 429);
    assert!(spent.text().contains("QUOTA_EXCEEDED"), "{}", spent.text());
    let wait: u64 = spent.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&wait) && one(&spent, "day", "t") == wait);
    assert_eq!(stage.agent.requests().len(), 5);

    let records = eventually("seven audit records", async || {
        let records = stage.lictor.audit();
        (records.len() >= 7).then_some(records)
    })
    .await;
    let refused: Vec<_> = records
        .iter()
        .filter(|record| record["status"] == 429)
        .map(|record| (record["reason"].clone(), record["quota"].clone()))
        .collect();
    assert_eq!(
        refused,
        [
            (json!("rate-limited"), json!("fast")),
            (json!("quota-exhausted"), json!("day"))
        ]
    );
}

#[tokio::test]
async fn counters_outlive_a_reload_and_take_new_numbers() {
    let quotas = |count: u32| format!("quotas:\n  day: {{ calendar: {count}/day, per: source }}\n");
    let stage = Stage::new(&quotas(2)).await;
    for _ in 0..2 {
        assert_eq!(stage.get("/").await.status(), 200);
    }
    assert_eq!(stage.get("/").await.status(), 429);
    stage.lictor.rewrite_policy(&policy(&quotas(3)));
    let got = eventually("the new number", async || {
        let got = stage.get("/").await;
        (got.status() == 200).then_some(got)
    })
    .await;
    assert_eq!((one(&got, "day", "q"), one(&got, "day", "r")), (3, 0));
    assert_eq!(stage.get("/").await.status(), 429);
}

/// An agent whose answers to `/slow` begin and wait for the test, and which opens a WebSocket at `/ws`.
async fn slow(quotas: &str) -> (Stage, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let agent = Upstream::scripted(move |request| match request.target() {
        "/slow" => vec![
            Step::text("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab"),
            Step::Wait(Arc::clone(&wait)),
            Step::text("cd"),
        ],
        "/ws" => vec![
            Step::text(SWITCHED),
            Step::Wait(Arc::clone(&wait)),
            Step::Close,
        ],
        _ => vec![Step::text("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")],
    })
    .await;
    let setup = Setup::new(agent.address).policy(policy(quotas));
    let lictor = setup.start().await;
    (Stage { lictor, agent }, go)
}

/// What agrees to [`WISH`] (RFC 6455, section 1.3).
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const WISH: &str = "GET /ws HTTP/1.1\r\nhost: agent.example\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";

impl Stage {
    /// Asks, and waits for no more than the head of the answer.
    async fn begin(&self, request: &str) -> (Client, Message) {
        let mut client = self.lictor.client().await;
        client.wire.send(request.as_bytes()).await.unwrap();
        let head = within("the head of an answer", client.wire.any_head()).await;
        (client, head.unwrap())
    }

    /// Asks, and waits for nothing.
    async fn ask(&self, request: &str) -> Client {
        let mut client = self.lictor.client().await;
        client.wire.send(request.as_bytes()).await.unwrap();
        client
    }

    async fn until_passed(&self, path: &str) {
        eventually("a place", async || {
            (self.get(path).await.status() == 200).then_some(())
        })
        .await;
    }
}

const SLOW: &str = "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";
const QUICK: &str = "GET /quick HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_call_keeps_its_place_until_the_last_byte() {
    let (stage, go) = slow("quotas:\n  parallel: { concurrent: 1, per: source }\n").await;
    let (mut running, head) = stage.begin(SLOW).await;
    assert_eq!(head.status(), 200);
    let policy = head.field("ratelimit-policy").unwrap();
    assert_eq!(policy, r#""parallel";q=1;qu="concurrent-requests""#);
    assert_eq!(head.field("ratelimit"), Some(r#""parallel";r=0"#));
    let refused = stage.get("/quick").await;
    assert_eq!(
        (refused.status(), refused.field("retry-after")),
        (429, Some("1"))
    );
    assert!(refused.text().contains("RATE_LIMIT_EXCEEDED"));
    go.notify_one();
    let mut rest = head;
    within("the rest", running.wire.response_body(&mut rest, "GET"))
        .await
        .unwrap();
    assert_eq!(rest.text(), "abcd");
    stage.until_passed("/quick").await;
    assert_eq!(stage.agent.requests().len(), 2);
}

#[tokio::test]
async fn whoever_goes_away_gives_the_place_back() {
    let (stage, _go) = slow("quotas:\n  parallel: { concurrent: 1, per: source }\n").await;
    for request in [SLOW, WISH] {
        let (running, head) = stage.begin(request).await;
        assert!(matches!(head.status(), 200 | 101));
        assert_eq!(stage.get("/quick").await.status(), 429, "{request}");
        drop(running);
        stage.until_passed("/quick").await;
    }
}

#[tokio::test]
async fn calls_wait_in_line_and_are_served_in_their_order() {
    let (stage, go) = slow(
        "quotas:\n  parallel: { concurrent: 1, per: source, queue: { time: 20s, calls: 2 } }\n",
    )
    .await;
    let (mut running, mut head) = stage.begin(SLOW).await;
    let mut second = stage.ask(SLOW).await;
    // The order in which they arrive has to be theirs.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut third = stage.ask(QUICK).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.get("/quick").await.status(), 429, "the line is full");
    assert_eq!(stage.agent.requests().len(), 1);
    go.notify_one();
    within("the rest", running.wire.response_body(&mut head, "GET"))
        .await
        .unwrap();
    // The second has its place now, and keeps the third waiting.
    let waits = timeout(Duration::from_millis(200), third.wire.any_head()).await;
    assert!(waits.is_err());
    go.notify_one();
    let got = within("the second", second.wire.response("GET"))
        .await
        .unwrap();
    assert_eq!((got.status(), got.text()), (200, "abcd".to_owned()));
    let got = within("the third", third.wire.response("GET"))
        .await
        .unwrap();
    assert_eq!(got.status(), 200);
}

#[tokio::test]
async fn nobody_waits_for_longer_than_the_line_lasts() {
    let (stage, go) = slow(
        "quotas:\n  parallel: { concurrent: 1, per: source, queue: { time: 600ms, calls: 1 } }\n",
    )
    .await;
    let (mut running, mut head) = stage.begin(SLOW).await;
    let since = lictor::clock::now();
    let refused = stage.get("/quick").await;
    assert_eq!(refused.status(), 429);
    assert!(lictor::clock::now() - since >= Duration::from_millis(600));
    // There is room in line again.
    let mut waits = stage.ask(QUICK).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    go.notify_one();
    within("the rest", running.wire.response_body(&mut head, "GET"))
        .await
        .unwrap();
    let got = within("the one in line", waits.wire.response("GET"))
        .await
        .unwrap();
    assert_eq!(got.status(), 200);
    assert_eq!(stage.agent.requests().len(), 2);
}

/// A model behind the API of OpenAI or Anthropic, by what is asked for.
fn model(request: &Message) -> Vec<Step> {
    let body = request.text();
    let stream = |events: &[&str]| {
        let events: String = events
            .iter()
            .map(|event| format!("data: {event}\n\n"))
            .collect();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{events}",
            events.len()
        )
    };
    let answer = if body.contains("fails") {
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"
            .to_owned()
    } else if body.contains("endless") {
        return vec![
            Step::text(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
                 c8\r\n",
            ),
            Step::text(format!("data: {}\n\n", "x".repeat(200 - 8))),
            Step::text("\r\n"),
            Step::Pause(Duration::from_secs(20)),
        ];
    } else if body.contains("quiet") {
        stream(&[r#"{"choices":[{"delta":{"content":"ok"}}]}"#, "[DONE]"])
    } else if request.target() == "/v1/messages" {
        stream(&[
            r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}"#,
            r#"{"type":"message_delta","usage":{"output_tokens":40}}"#,
            r#"{"type":"message_delta","usage":{"output_tokens":75}}"#,
        ])
    } else if body.contains("stream") {
        stream(&[
            r#"{"choices":[{"delta":{"content":"ok"}}],"usage":null}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50}}"#,
            "[DONE]",
        ])
    } else {
        let usage = json!({"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30});
        support::upstream::json(&json!({"choices": [], "usage": usage}))
    };
    vec![Step::text(answer)]
}

fn prompt(path: &str, body: &serde_json::Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// How much of a thousand tokens is left by the next call, which asks for none itself.
async fn left(stage: &Stage) -> u64 {
    let mut client = stage.lictor.client().await;
    // 40 bytes: 10 tokens, and none of an error.
    let body = json!({"model": "m", "x": format!("fails{:.<15}", "")});
    assert_eq!(body.to_string().len(), 40);
    let request = prompt("/v1/chat/completions", &body);
    let got = client.exchange("POST", request.as_bytes()).await;
    one(&got, "tokens", "r") + 10
}

/// Waits until so much is left: the caller may have the last byte before it is settled.
async fn settles(stage: &Stage, expected: u64) {
    eventually("the settlement", async || {
        (left(stage).await == expected).then_some(())
    })
    .await;
}

/// As many tokens as a request is thought to be.
fn tokens_of(body: &serde_json::Value) -> u64 {
    (body.to_string().len() as u64).div_ceil(4)
}

#[tokio::test]
async fn tokens_are_counted_as_the_answer_tells() {
    let agent = Upstream::scripted(model).await;
    // So slow that nothing comes back in the course of the test.
    let policy = "lictor: v1\nrules:\n  models: { allow: \"llm:*\", from: { anonymous: true } }\n\
        quotas:\n  tokens: { tokens: 1000/day, per: source }\n";
    let lictor = Setup::new(agent.address).policy(policy).start().await;
    let stage = Stage { lictor, agent };
    assert_eq!(left(&stage).await, 1000, "an error counts for nothing");
    let ask = async |path: &str, body: serde_json::Value| {
        let mut client = stage.lictor.client().await;
        let request = prompt(path, &body);
        client.exchange("POST", request.as_bytes()).await
    };

    let body = json!({"model": "m", "max_tokens": 100});
    let got = ask("/v1/chat/completions", body.clone()).await;
    assert_eq!(got.status(), 200);
    let policy = got.field("ratelimit-policy").unwrap();
    assert_eq!(policy, r#""tokens";q=1000;w=86400;qu="lictor-tokens""#);
    // The request and 100 tokens were thought of, and 30 used.
    assert_eq!(one(&got, "tokens", "r"), 900 - tokens_of(&body));
    settles(&stage, 970).await;
    ask(
        "/v1/chat/completions",
        json!({"model": "m", "stream": true}),
    )
    .await;
    settles(&stage, 920).await;
    ask("/v1/messages", json!({"model": "m", "max_tokens": 90})).await;
    // Cumulative, and not added up.
    settles(&stage, 820).await;
    // It does not tell.
    let quiet = json!({"model": "quiet", "max_tokens": 91});
    let rest = 820 - 91 - tokens_of(&quiet);
    ask("/v1/chat/completions", quiet).await;
    settles(&stage, rest).await;

    // Whoever goes away pays for what came: the request, and 200 bytes.
    let endless = json!({"model": "endless", "max_tokens": 400});
    let rest = rest - 50 - tokens_of(&endless);
    let (running, head) = stage.begin(&prompt("/v1/chat/completions", &endless)).await;
    assert_eq!(head.status(), 200);
    let mut running = running;
    let piece = within("a piece", running.wire.raw()).await.unwrap();
    assert!(piece.is_some());
    drop(running);
    settles(&stage, rest).await;

    let got = ask(
        "/v1/chat/completions",
        json!({"model": "m", "max_tokens": 5000}),
    )
    .await;
    assert_eq!(got.status(), 429);
    assert!(got.text().contains("quota_exceeded"), "{}", got.text());
}

/// An agent with one task for each message: `t1`, `t2` and so on.
async fn agent_of_tasks(state: &'static str) -> Upstream {
    let mut begun = 0;
    Upstream::scripted(move |request: &Message| {
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let (method, params) = (&asked["method"], &asked["params"]);
        let task = |id: &str, state: &str| json!({ "id": id, "contextId": "c", "status": { "state": state } });
        let result = match method.as_str().unwrap() {
            "SendMessage" if params["message"]["parts"][0]["text"] == "quick" => {
                json!({ "message": { "messageId": "m", "role": "ROLE_AGENT", "parts": [] } })
            }
            "SendMessage" => {
                begun += 1;
                json!({ "task": task(&format!("t{begun}"), state) })
            }
            "CancelTask" => task(params["id"].as_str().unwrap(), "TASK_STATE_CANCELED"),
            _ => task(params["id"].as_str().unwrap(), "TASK_STATE_WORKING"),
        };
        let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
        vec![Step::text(support::upstream::json(&answer))]
    })
    .await
}

async fn ask(lictor: &Lictor, method: &str, params: serde_json::Value) -> Message {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let body = body.to_string();
    let request = format!(
        "POST /a2a HTTP/1.1\r\nhost: agent.test\r\na2a-version: 1.0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = lictor.client().await;
    client.exchange("POST", request.as_bytes()).await
}

fn message(text: &str) -> serde_json::Value {
    json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": text }] } })
}

const TASKS: &str = "lictor: v1\nrules:\n  all: { allow: \"a2a:*\", from: { anonymous: true } }\n";

#[tokio::test]
async fn tasks_are_counted_when_they_begin_and_not_when_they_are_looked_after() {
    let agent = agent_of_tasks("TASK_STATE_WORKING").await;
    let quotas = "quotas:\n  begun: { calendar: 2/day, per: source, count: tasks }\n";
    let setup = Setup::new(agent.address).policy(format!("{TASKS}{quotas}"));
    let lictor = setup.start().await;
    for left in [1, 0] {
        let answer = ask(&lictor, "SendMessage", message("slow")).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(one(&answer, "begun", "r"), left);
        let policy = answer.field("ratelimit-policy").unwrap();
        assert!(policy.contains("qu=\"lictor-tasks\""), "{policy}");
        for _ in 0..4 {
            let polled = ask(&lictor, "GetTask", json!({ "id": "t1" })).await;
            assert_eq!(polled.status(), 200, "{}", polled.text());
            assert_eq!(polled.field("ratelimit"), None);
        }
    }
    let refused = ask(&lictor, "SendMessage", message("slow")).await;
    assert_eq!(refused.status(), 429);
    assert!(
        refused.text().contains("QUOTA_EXCEEDED"),
        "{}",
        refused.text()
    );
    // A message to a task that is there begins none.
    let mut more = message("more");
    more["message"]["taskId"] = json!("t1");
    assert_eq!(ask(&lictor, "SendMessage", more).await.status(), 200);
}

#[tokio::test]
async fn a_live_task_keeps_its_place_until_it_is_heard_that_it_is_over() {
    let agent = agent_of_tasks("TASK_STATE_WORKING").await;
    let quotas = "quotas:\n  live: { liveTasks: 2, per: source }\n";
    let setup = Setup::new(agent.address).policy(format!("{TASKS}{quotas}"));
    let lictor = setup.start().await;
    // What is answered with a message has begun no task.
    for _ in 0..3 {
        let answer = ask(&lictor, "SendMessage", message("quick")).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    for _ in 0..2 {
        let answer = ask(&lictor, "SendMessage", message("slow")).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    let refused = ask(&lictor, "SendMessage", message("slow")).await;
    assert_eq!(refused.status(), 429);
    assert!(
        refused.text().contains("RATE_LIMIT_EXCEEDED"),
        "{}",
        refused.text()
    );
    assert!(refused.field("retry-after").is_some());
    let polled = ask(&lictor, "GetTask", json!({ "id": "t1" })).await;
    assert_eq!(polled.status(), 200);
    assert_eq!(
        ask(&lictor, "SendMessage", message("slow")).await.status(),
        429
    );
    let cancelled = ask(&lictor, "CancelTask", json!({ "id": "t1" })).await;
    assert_eq!(cancelled.status(), 200, "{}", cancelled.text());
    assert_eq!(
        ask(&lictor, "SendMessage", message("slow")).await.status(),
        200
    );
    assert_eq!(
        ask(&lictor, "SendMessage", message("slow")).await.status(),
        429
    );
}

#[tokio::test]
async fn a_task_that_is_over_when_it_is_answered_keeps_no_place() {
    let agent = agent_of_tasks("TASK_STATE_COMPLETED").await;
    let quotas = "quotas:\n  live: { liveTasks: 1, per: source }\n";
    let setup = Setup::new(agent.address).policy(format!("{TASKS}{quotas}"));
    let lictor = setup.start().await;
    for _ in 0..5 {
        let answer = ask(&lictor, "SendMessage", message("slow")).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
}
