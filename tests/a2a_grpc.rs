//! A2A over gRPC through the program: recorded exchanges, somebody else's tasks, and streams that must not go on.

#![cfg(test)]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use lictor::identity::Algorithm;
use lictor::identity::mint::TokenMinter;
use serde_json::{Value, json};

use support::agent_h2::{Answer, Asked};
use support::grpc::{Seen, agent, answer, ask, before, fields, frame, message};
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::{eventually, secrets};

mod support;

const SERVICE: &str = "/lf.a2a.v1.A2AService";

/// A call as it was recorded.
#[derive(Clone, Default)]
struct Exchange {
    asked: Vec<(String, String)>,
    body: Vec<u8>,
    head: Vec<(String, String)>,
    answer: Vec<u8>,
    trailers: Option<Vec<(String, String)>>,
}

/// The exchanges of one recording, in the order in which they began.
fn recorded(name: &str) -> Vec<Exchange> {
    let path = format!("{}/../shared/wire/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let recording: Value = serde_json::from_str(&text).unwrap();
    let mut exchanges: Vec<(String, Exchange)> = Vec::new();
    for connection in recording["connections"].as_array().unwrap() {
        for frame in connection["frames"].as_array().unwrap() {
            let key = format!("{} {}", connection["connection"], frame["stream"]);
            let known = exchanges.iter().position(|(other, _)| *other == key);
            let at = known.unwrap_or(exchanges.len());
            match (frame["type"].as_str().unwrap(), frame["dir"].as_str()) {
                ("HEADERS", Some(">")) => {
                    let asked = pairs(frame);
                    exchanges.push((
                        key,
                        Exchange {
                            asked,
                            ..Exchange::default()
                        },
                    ));
                }
                ("HEADERS", _) if exchanges[at].1.head.is_empty() => {
                    exchanges[at].1.head = pairs(frame)
                }
                ("HEADERS", _) => exchanges[at].1.trailers = Some(pairs(frame)),
                ("DATA", Some(">")) => exchanges[at].1.body.extend(hex(frame)),
                ("DATA", _) => exchanges[at].1.answer.extend(hex(frame)),
                _ => {}
            }
        }
    }
    exchanges
        .into_iter()
        .map(|(_, exchange)| exchange)
        .collect()
}

fn pairs(frame: &Value) -> Vec<(String, String)> {
    let pairs = frame["headers"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn hex(frame: &Value) -> Vec<u8> {
    let digits = frame["data_hex"]
        .as_str()
        .unwrap()
        .as_bytes()
        .chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Fields without those of HTTP/2. What was sent in binary between two who agreed on that is sent as text.
fn map(pairs: &[(String, String)]) -> HeaderMap {
    let fields = pairs.iter().filter(|(name, _)| !name.starts_with(':'));
    fields
        .map(|(name, value)| {
            let value = match value.strip_prefix('\0') {
                Some(binary) => STANDARD_NO_PAD.encode(binary),
                None => value.clone(),
            };
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(&value).unwrap())
        })
        .collect()
}

impl Exchange {
    fn path(&self) -> &str {
        &self
            .asked
            .iter()
            .find(|(name, _)| name == ":path")
            .unwrap()
            .1
    }

    fn is_asked(&self, asked: &Asked) -> bool {
        self.body == asked.body && self.path() == asked.head.uri().path()
    }

    fn replay(&self) -> Answer {
        let mut head = Response::new(());
        *head.headers_mut() = map(&self.head);
        Answer {
            head,
            // As few other cuts as can be: every byte alone would be a thousand frames.
            body: self.answer.chunks(97).map(Bytes::copy_from_slice).collect(),
            trailers: self.trailers.as_deref().map(map),
            ..Answer::default()
        }
    }
}

/// Where lictor answers itself: what it says to a task that nobody has seen is what the agent has said.
#[tokio::test]
async fn recorded_exchanges_pass_untouched() {
    for name in ["a2a-0.3-grpc", "a2a-1.0-grpc"] {
        let exchanges = recorded(name);
        let script = exchanges.clone();
        let (address, mut told) = agent(move |asked| {
            let exchange = script.iter().find(|exchange| exchange.is_asked(asked));
            exchange
                .unwrap_or_else(|| panic!("not recorded: {asked:?}"))
                .replay()
        })
        .await;
        let all = "credentials: block, private-keys: block, pii: redact, cards: redact";
        let policy = format!("{EVERYBODY}leaks:\n  packs: {{ {all} }}\n");
        let (_lictor, sender) = before(format!("h2c://{address}"), policy).await;
        for exchange in &exchanges {
            let path = exchange.path();
            let seen = ask(
                &sender,
                path,
                &map(&exchange.asked),
                Bytes::from(exchange.body.clone()),
                None,
            )
            .await;
            let case = format!("{name} {path}: {seen:?}");
            assert_eq!(seen.head.status(), 200, "{case}");
            assert_eq!(seen.body, exchange.answer, "{case}");
            let trailers = seen.end.clone().unwrap();
            assert_eq!(trailers, exchange.trailers.as_deref().map(map), "{case}");
            for (name, value) in &map(&exchange.head) {
                assert_eq!(seen.head.headers().get(name), Some(value), "{case}");
            }
            let is_missing = exchange
                .body
                .windows(12)
                .any(|text| text == b"no-such-task");
            match told.try_recv() {
                Ok(asked) => {
                    assert_eq!(asked.body, exchange.body, "{case}");
                    assert_eq!(asked.head.headers()["grpc-accept-encoding"], "identity");
                    assert_eq!(asked.trailers, None);
                }
                Err(_) => assert!(is_missing, "{case}"),
            }
        }
    }
}

/// Callers of two tenants before an agent, and what the agent is asked.
struct Stage {
    lictor: Lictor,
    sender: SendRequest<Bytes>,
    minter: TokenMinter,
    keys: tempfile::TempDir,
}

impl Stage {
    async fn before(agent: &str, more: &str) -> Self {
        let minter = TokenMinter::generate(Algorithm::Es256).unwrap();
        let keys = tempfile::tempdir().unwrap();
        let file = keys.path().join("jwks.json");
        std::fs::write(&file, minter.jwks()).unwrap();
        let (lictor, sender) = before(format!("h2c://{agent}"), policy(&file, more)).await;
        Self {
            lictor,
            sender,
            minter,
            keys,
        }
    }

    async fn ask(&self, tenant: &str, method: &str, body: &[u8]) -> Seen {
        let now = now();
        let claims = json!({
            "iss": "https://idp.example", "aud": "agent", "sub": "ana", "org": tenant, "iat": now, "exp": now + 600
        });
        let token = format!("Bearer {}", self.minter.mint(&claims).unwrap());
        let head = fields(&[("authorization", &token), ("a2a-version", "1.0")]);
        ask(
            &self.sender,
            &format!("{SERVICE}/{method}"),
            &head,
            frame(body),
            None,
        )
        .await
    }
}

#[expect(clippy::disallowed_methods, reason = "a token says when it was made")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn policy(keys: &Path, more: &str) -> String {
    format!(
        "lictor: v1\nidentities:\n  corp:\n    jwt: {{ issuer: \"https://idp.example\", jwks: {{ file: \"{}\" }}, \
         audience: [agent] }}\n    tenant: claims.org\nroles:\n  all: {{ allow: [\"a2a:*\"], to: {{ identity: corp }} }}\n{more}",
        keys.display()
    )
}

fn task(id: &str) -> Vec<u8> {
    message(&[(1, &message(&[(1, id.as_bytes()), (2, b"context-1")]))])
}

const GOOD: &[(&str, &str)] = &[("grpc-status", "0")];

#[tokio::test]
async fn a_task_is_its_callers_and_to_others_it_does_not_exist() {
    let (address, mut told) = agent(
        |asked| match asked.head.uri().path().ends_with("/GetTask") {
            true => answer(vec![frame(b"\x0a\x06task-1")], GOOD),
            false => answer(vec![frame(&task("task-1"))], GOOD),
        },
    )
    .await;
    let stage = Stage::before(&address.to_string(), "").await;
    let get = |id: &str| message(&[(2, id.as_bytes())]);
    let sent = stage
        .ask("acme", "SendMessage", &message(&[(2, b"\x0a\x01m")]))
        .await;
    assert_eq!(sent.body, frame(&task("task-1")));
    told.recv().await.unwrap();

    let own = stage.ask("acme", "GetTask", &get("task-1")).await;
    assert_eq!(own.body, frame(b"\x0a\x06task-1"));
    assert_eq!(told.recv().await.unwrap().body, frame(&get("task-1")));
    let foreign = stage.ask("globex", "GetTask", &get("task-1")).await;
    let missing = stage.ask("globex", "GetTask", &get("task-2")).await;
    for (refused, what) in [(&foreign, "foreign"), (&missing, "missing")] {
        assert_eq!(refused.head.status(), 200, "{what}");
        assert_eq!(refused.status()["grpc-status"], "5", "{what}");
        assert_eq!(refused.status()["grpc-message"], "Task not found", "{what}");
    }
    let shown = |seen: &Seen| {
        let mut head = seen.head.headers().clone();
        head.remove("x-request-id").unwrap();
        head.remove("date");
        (head, seen.body.clone(), seen.end.clone())
    };
    assert_eq!(shown(&foreign), shown(&missing));
    assert!(!foreign.head.headers().contains_key("lictor-decision-id"));
    // Nor as a reference, or by way of a context, or of a push configuration.
    let inner = message(&[(8, b"task-1")]);
    let config = message(&[(2, &message(&[(3, b"task-1")]))]);
    for body in [message(&[(2, &inner)]), message(&[(2, b""), (3, &config)])] {
        let seen = stage.ask("globex", "SendMessage", &body).await;
        assert_eq!(seen.status()["grpc-status"], "5");
    }
    let context = message(&[(2, &message(&[(2, b"context-1")]))]);
    let seen = stage.ask("globex", "SendMessage", &context).await;
    assert_eq!(seen.status()["grpc-status"], "5");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_list_shows_the_tasks_of_its_reader() {
    let list = |tasks: &[&str], total: &[u8]| {
        let tasks: Vec<Vec<u8>> = tasks
            .iter()
            .map(|id| message(&[(1, id.as_bytes()), (2, b"context-1")]))
            .collect();
        let tasks: Vec<(u8, &[u8])> = tasks.iter().map(|task| (1, &task[..])).collect();
        frame(&[&message(&tasks), &b"\x12\0\x18\x32"[..], total].concat())
    };
    let all = list(&["task-0", "task-1", "task-2"], b"\x20\x07");
    let (address, _told) =
        agent(
            move |asked| match asked.head.uri().path().ends_with("/ListTasks") {
                true => answer(vec![all.slice(..9), all.slice(9..)], GOOD),
                false => answer(vec![frame(&task("task-1"))], GOOD),
            },
        )
        .await;
    let stage = Stage::before(&address.to_string(), "").await;
    let send = message(&[(2, b"\x0a\x01m")]);
    let sent = stage.ask("acme", "SendMessage", &send).await;
    assert_eq!(sent.status()["grpc-status"], "0");
    let seen = stage.ask("acme", "ListTasks", b"").await;
    assert_eq!(seen.body, list(&["task-1"], b"\x20\x01"), "{seen:?}");
    assert_eq!(seen.status()["grpc-status"], "0");
    // Nobody's total is what an absent field says.
    let seen = stage.ask("globex", "ListTasks", b"").await;
    assert_eq!(seen.body, list(&[], b""), "{seen:?}");
}

#[tokio::test]
async fn a_refusal_is_a_status_of_grpc_with_its_reasons() {
    let (address, mut told) = agent(|_| answer(vec![frame(&task("t"))], GOOD)).await;
    let quota = "quotas:\n  slow: { rate: 1/hour, per: principal }\n";
    let stage = Stage::before(&address.to_string(), quota).await;
    let body = message(&[(2, b"\x0a\x01m")]);

    let path = format!("{SERVICE}/SendMessage");
    let unknown = ask(&stage.sender, &path, &HeaderMap::new(), frame(&body), None).await;
    assert_eq!(
        (unknown.head.status().as_u16(), unknown.end.clone()),
        (200, Ok(None))
    );
    let head = unknown.head.headers();
    assert_eq!(head["content-type"], "application/grpc");
    assert_eq!(head["grpc-status"], "16");
    assert_eq!(head["www-authenticate"], "Bearer realm=\"lictor\"");
    assert!(head.contains_key("lictor-decision-id"));

    assert_eq!(
        stage.ask("acme", "SendMessage", &body).await.status()["grpc-status"],
        "0"
    );
    told.recv().await.unwrap();
    let again = stage.ask("acme", "SendMessage", &body).await;
    assert_eq!(again.status()["grpc-status"], "8");
    assert!(again.head.headers().contains_key("retry-after"));
    assert!(again.head.headers().contains_key("ratelimit"));
    let details = &again.status()["grpc-status-details-bin"];
    let details = STANDARD_NO_PAD.decode(details).unwrap();
    for part in ["RATE_LIMIT_EXCEEDED", "lictor.dev", "google.rpc.RetryInfo"] {
        let has = details
            .windows(part.len())
            .any(|text| text == part.as_bytes());
        assert!(has, "{part}: {}", details.escape_ascii());
    }
    for (method, body, status) in [
        ("SendMessage", &b"\x12\x00\x12\x00"[..], "3"),
        ("NoSuchMethod", b"", "7"),
    ] {
        let seen = stage.ask("acme", method, body).await;
        assert_eq!(seen.status()["grpc-status"], status, "{method}");
    }
    assert!(told.try_recv().is_err());
}

/// An update of a task that says something.
fn says(text: &[u8]) -> Bytes {
    let part = message(&[(1, text)]);
    let artifact = message(&[(1, b"a"), (4, &part)]);
    let update = message(&[(1, b"task-1"), (2, b"context-1"), (3, &artifact)]);
    frame(&message(&[(4, &update)]))
}

/// What is appended to it.
fn says_more(text: &[u8]) -> Bytes {
    let part = message(&[(1, text)]);
    let artifact = message(&[(1, b"a"), (4, &part)]);
    let mut update = message(&[(1, b"task-1"), (2, b"context-1"), (3, &artifact)]);
    update.extend_from_slice(b"\x20\x01");
    frame(&message(&[(4, &update)]))
}

#[tokio::test]
async fn a_stream_that_must_not_go_on_ends_between_two_messages_with_a_status() {
    let secret = secrets::github_token(3);
    let first = frame(&task("task-1"));
    let leak = says(format!("the key is {secret}, keep it").as_bytes());
    // The leak stands in two frames of HTTP/2, of which the first has nothing to find.
    let body = vec![
        first.clone(),
        says(b"working"),
        leak.slice(..30),
        leak.slice(30..),
        says(b"done"),
    ];
    let (address, _told) = agent(move |_| answer(body.clone(), GOOD)).await;
    let packs = "leaks:\n  packs: { credentials: block }\n";
    let stage = Stage::before(&address.to_string(), packs).await;
    let send = message(&[(2, b"\x0a\x01m")]);
    let seen = stage.ask("acme", "SendStreamingMessage", &send).await;
    let before = [first.clone(), says(b"working")].concat();
    assert_eq!(seen.body, before, "{seen:?}");
    let status = seen.status();
    assert_eq!(status["grpc-status"], "13");
    let details = STANDARD_NO_PAD
        .decode(&status["grpc-status-details-bin"])
        .unwrap();
    let details = String::from_utf8_lossy(&details).into_owned();
    assert!(
        details.contains("LEAKAGE_DETECTED") && !details.contains(&secret),
        "{details}"
    );
    let record = eventually("an audit record", async || stage.lictor.audit().pop()).await;
    assert_eq!(record["reason"], "leakage-detected", "{record}");
    assert_eq!(record["dialect"], "a2a-1.0-grpc", "{record}");
    assert_eq!(record["task"], "task-1", "{record}");
    assert!(!record.to_string().contains(&secret));
}

#[tokio::test]
async fn what_is_redacted_in_messages_leaves_messages() {
    let secret = secrets::github_token(3);
    let (before, after) = secret.split_at(9);
    let first = frame(&task("task-1"));
    let leak = says(format!("the key is {secret}, keep it").as_bytes());
    // In one message that stands in two frames of HTTP/2, and over two messages.
    let body = vec![
        first.clone(),
        leak.slice(..30),
        leak.slice(30..),
        says_more(format!("again: {before}").as_bytes()),
        says_more(format!("{after} end").as_bytes()),
    ];
    let (address, _told) = agent(move |_| answer(body.clone(), GOOD)).await;
    let packs = "leaks:\n  packs: { credentials: redact }\n";
    let stage = Stage::before(&address.to_string(), packs).await;
    let send = message(&[(2, b"\x0a\x01m")]);
    let seen = stage.ask("acme", "SendStreamingMessage", &send).await;
    let left = [
        first,
        says(b"the key is ghp_[redacted:github-pat], keep it"),
        says_more(b"again: ghp_[redacted:github-pat]"),
        says_more(b" end"),
    ];
    assert_eq!(
        seen.body.escape_ascii().to_string(),
        left.concat().escape_ascii().to_string()
    );
    assert_eq!(seen.status()["grpc-status"], "0", "{seen:?}");
    let record = eventually("an audit record", async || stage.lictor.audit().pop()).await;
    assert_eq!(record["outcome"], "complete", "{record}");
    assert!(!record.to_string().contains(&secret));
}

#[tokio::test]
async fn an_answer_whose_ids_cannot_be_read_does_not_arrive() {
    let compressed = Bytes::from_static(b"\x01\0\0\0\x04gzip");
    for body in [vec![compressed], vec![frame(b"\x0b")]] {
        let (address, _told) = agent(move |_| answer(body.clone(), GOOD)).await;
        let stage = Stage::before(&address.to_string(), "").await;
        let seen = stage
            .ask("acme", "SendMessage", &message(&[(2, b"\x0a\x01m")]))
            .await;
        assert_eq!(seen.body, b"");
        assert_eq!(seen.status()["grpc-status"], "13");
        assert_eq!(
            seen.status()["grpc-message"],
            "The agent's answer could not be read."
        );
    }
}

#[tokio::test]
async fn a_stream_of_an_agent_that_falls_silent_ends_with_a_status() {
    let (address, _told) = agent(|_| Answer {
        // Half a message, which its reader could do nothing with.
        body: vec![frame(&task("task-1")), says(b"working").slice(..9)],
        stalls: true,
        ..answer(Vec::new(), &[])
    })
    .await;
    let limits = "limits:\n  \"a2a:SendStreamingMessage\": { idle: 1s }\n";
    let stage = Stage::before(&address.to_string(), limits).await;
    let send = message(&[(2, b"\x0a\x01m")]);
    let seen = stage.ask("acme", "SendStreamingMessage", &send).await;
    assert_eq!(seen.body, frame(&task("task-1")));
    assert_eq!(seen.status()["grpc-status"], "4");
}

#[tokio::test]
async fn a_stream_whose_caller_loses_its_role_ends_with_a_status() {
    let (address, mut told) = agent(|_| Answer {
        body: vec![frame(&task("task-1"))],
        stalls: true,
        ..answer(Vec::new(), &[])
    })
    .await;
    let stage = Stage::before(&address.to_string(), "").await;
    let send = message(&[(2, b"\x0a\x01m")]);
    let stream = stage.ask("acme", "SendStreamingMessage", &send);
    let withdraw = async {
        told.recv().await.unwrap();
        let file = stage.keys.path().join("jwks.json");
        let policy = policy(&file, "").replace("a2a:*", "a2a:GetTask");
        stage.lictor.rewrite_policy(&policy);
    };
    let (seen, ()) = tokio::join!(stream, withdraw);
    assert_eq!(seen.body, frame(&task("task-1")));
    assert_eq!(seen.status()["grpc-status"], "7");
    let withdrawn = async || {
        let record = stage.lictor.audit().pop()?;
        (record["outcome"] == "withdrawn").then_some(())
    };
    eventually("a record of a withdrawn call", withdrawn).await;
}

/// Over HTTP/1.1 a refusal is the same head, and a stream the same trailers behind the last chunk.
#[tokio::test]
async fn callers_of_http1_read_the_same_status() {
    let secret = secrets::github_token(3);
    let body = vec![
        frame(&task("task-1")),
        says(secret.as_bytes()),
        says(b"done"),
    ];
    let (address, _told) = agent(move |_| answer(body.clone(), GOOD)).await;
    let policy = format!("{EVERYBODY}leaks:\n  packs: {{ credentials: block }}\n");
    let setup = Setup::before(format!("h2c://{address}")).policy(policy);
    let lictor = setup.start().await;
    let ask = async |message: &[u8]| {
        let body = frame(message);
        let head = format!(
            "POST {SERVICE}/SendStreamingMessage HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc\r\n\
             te: trailers\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut client = lictor.client().await;
        let request = [head.as_bytes(), &body].concat();
        client.wire.send(&request).await.unwrap();
        let mut raw = Vec::new();
        while !raw.ends_with(b"\r\n\r\n") || !raw.windows(11).any(|text| text == b"grpc-status") {
            raw.extend(client.wire.raw().await.unwrap().unwrap());
        }
        String::from_utf8_lossy(&raw).into_owned()
    };
    let refused = ask(b"\x12\x00\x12\x00").await;
    assert!(refused.starts_with("HTTP/1.1 200 OK\r\n"), "{refused}");
    assert!(refused.contains("\r\ngrpc-status: 3\r\n"), "{refused}");
    let cut = ask(b"\x12\x03\x0a\x01m").await;
    let (_, end) = cut.split_once("\r\n0\r\n").unwrap();
    assert!(end.contains("grpc-status: 13\r\n"), "{cut}");
    assert!(!cut.contains(secret.trim_start_matches("ghp_")), "{cut}");
}
