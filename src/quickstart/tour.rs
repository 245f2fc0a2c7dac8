//! The steps of the tour, and how each should come out.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::clock;
use crate::identity::mint::TokenMinter;

use super::agent::Secrets;
use super::client::{Answer, Client};
use super::paper::{Paper, Row, Tone};

/// How long the audit record of a call may take to reach the file.
const RECORD_WAIT: Duration = Duration::from_secs(3);

/// Shorter pieces of a secret than this may occur in an answer by chance.
const PIECE_BYTES: usize = 6;

/// The walk.
pub(super) struct Tour<'a> {
    client: Client,
    minter: &'a TokenMinter,
    audit: PathBuf,
    secrets: Secrets,
    paper: &'a Paper,
    steps: usize,
    failed: Vec<String>,
}

/// How a step should come out.
struct Expected {
    status: u16,
    decision: &'static str,
    /// The rule, role or quota that decides, or the reason where none does.
    by: &'static str,
}

const fn allow(by: &'static str) -> Expected {
    Expected {
        status: 200,
        decision: "allow",
        by,
    }
}

const fn deny(status: u16, by: &'static str) -> Expected {
    Expected {
        status,
        decision: "deny",
        by,
    }
}

impl<'a> Tour<'a> {
    pub(super) const fn new(
        client: Client,
        minter: &'a TokenMinter,
        audit: PathBuf,
        secrets: Secrets,
        paper: &'a Paper,
    ) -> Self {
        Self {
            client,
            minter,
            audit,
            secrets,
            paper,
            steps: 0,
            failed: Vec::new(),
        }
    }

    /// All steps, in order. `false` when one did not come out as it should.
    pub(super) async fn walk(mut self) -> Result<bool> {
        let ana = self.token("ana@acme", "acme", &["analysts"])?;
        let rae = self.token("rae@acme", "acme", &["readers"])?;
        let gil = self.token("gil@globex", "globex", &["analysts"])?;
        let bo = self.token("bo@acme", "acme", &["analysts"])?;

        self.paper.heading("Who may call");
        self.step("GET the agent's card", card(), allow("public-agent-card"))
            .await?;
        self.step(
            "SendMessage, no token",
            send(None, "a quote?"),
            deny(401, "credential-missing"),
        )
        .await?;
        let forged = forge(&ana)?;
        self.step(
            "… a forged token",
            send(Some(&forged), "a quote?"),
            deny(401, "credential-invalid"),
        )
        .await?;
        self.step(
            "… a reader",
            send(Some(&rae), "a quote?"),
            deny(403, "default-deny"),
        )
        .await?;
        let first = self
            .step(
                "… an analyst",
                send(Some(&ana), "a quote?"),
                allow("analyst"),
            )
            .await?;
        self.step("… the same in A2A 0.3", send_0_3(&ana), allow("analyst"))
            .await?;
        self.step(
            "… skill export-all",
            send_skill(&ana, "export-all"),
            deny(403, "no-exports"),
        )
        .await?;

        self.paper.heading("Whose task it is");
        let task =
            body_text(&first, "/result/task/id").context("the agent's answer names no task")?;
        self.step(
            "GetTask by its owner",
            get_task(&ana, &task),
            allow("reader"),
        )
        .await?;
        let foreign = self
            .step(
                "… by another tenant",
                get_task(&gil, &task),
                deny(200, "task-not-found"),
            )
            .await?;
        let missing = self
            .step(
                "… of no task at all",
                get_task(&gil, "no-such-task"),
                deny(200, "task-not-found"),
            )
            .await?;
        self.check(
            foreign.body == missing.body,
            "a foreign task and a missing one must look the same",
        );

        self.paper.heading("What leaves");
        let stream = self
            .step(
                "stream of a quote",
                stream(&ana, "a quote?"),
                allow("analyst"),
            )
            .await?;
        self.check(
            stream.whole && streamed_text(&stream).contains("41.20"),
            "the stream must arrive whole",
        );
        self.leaked_key(&ana).await?;
        self.leaked_card(&ana).await?;

        self.paper.heading("How much");
        self.over_quota(&bo).await?;

        self.verdict()
    }

    /// A key that the agent streams in three events: none of it may arrive, and the stream must end well.
    async fn leaked_key(&mut self, token: &str) -> Result<()> {
        let answer = self
            .step(
                "a key over three events",
                stream(token, "the deploy key?"),
                allow("analyst"),
            )
            .await?;
        let received = streamed_text(&answer);
        let key = self.secrets.key.clone();
        let (_, secret) = key.split_once('_').context("the sample key has a prefix")?;
        let sent = format!("The deploy key is {key} and it works.");
        self.paper.quote("agent sent", &sent, Tone::Bad);
        self.paper.quote("client got", &received, Tone::Good);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        self.check(answer.whole, "the redacted stream must end well-formed");
        self.check(
            body.contains("TASK_STATE_COMPLETED"),
            "the redacted stream must keep its last event",
        );
        self.check(
            !contains_piece(&body, secret),
            "no piece of the key may reach the client",
        );
        self.check(
            received.contains("[redacted:"),
            "the mark must stand where the key stood",
        );
        Ok(())
    }

    async fn leaked_card(&mut self, token: &str) -> Result<()> {
        let answer = self
            .step(
                "a card number",
                send(Some(token), "their card?"),
                allow("analyst"),
            )
            .await?;
        let received =
            body_text(&answer, "/result/task/artifacts/0/parts/0/text").unwrap_or_default();
        let sent = format!("Their card is {} until 12/27.", self.secrets.card);
        self.paper.quote("agent sent", &sent, Tone::Bad);
        self.paper.quote("client got", &received, Tone::Good);
        self.check(
            received.contains("[redacted:"),
            "the mark must stand where the card stood",
        );
        self.check(
            !received.contains("1111"),
            "no digits of the card may reach the client",
        );
        Ok(())
    }

    /// Calls until the quota says no; only the last call is shown.
    async fn over_quota(&mut self, token: &str) -> Result<()> {
        let mut passed = 0;
        while passed < 100
            && self
                .client
                .send(send(Some(token), "a quote?").body("burst")?)
                .await?
                .status
                == 200
        {
            passed += 1;
        }
        let what = format!("call {} in a second", passed + 2);
        let answer = self
            .step(
                &what,
                send(Some(token), "a quote?"),
                deny(429, "per-caller"),
            )
            .await?;
        let wait = answer
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let standing = answer
            .headers
            .get("ratelimit")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        self.paper.quote(
            "client got",
            &format!("Retry-After: {wait}   RateLimit: {standing}"),
            Tone::Good,
        );
        self.check(
            !wait.is_empty() && !standing.is_empty(),
            "a throttled caller must learn when to come back",
        );
        Ok(())
    }

    fn verdict(self) -> Result<bool> {
        self.paper.line("");
        if self.failed.is_empty() {
            let all = format!("{} steps, each came out as it should.", self.steps);
            self.paper.line(&self.paper.paint(Tone::Good, &all));
            return Ok(true);
        }
        for failure in &self.failed {
            self.paper.line(&self.paper.paint(Tone::Bad, failure));
        }
        Ok(false)
    }

    /// Makes one call, reads what lictor recorded of it, prints both, and compares.
    async fn step(&mut self, what: &str, request: Call, expected: Expected) -> Result<Answer> {
        self.steps += 1;
        let request_id = format!("tour-{:02}", self.steps);
        let answer = self
            .client
            .send(request.body(&request_id)?)
            .await
            .with_context(|| format!("step `{what}`"))?;
        let record = self.record(&request_id).await?;
        let text = |pointer: &str| {
            record
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (rule, place) = (text("/rule/name"), text("/rule/place"));
        // A rule is named where it decided; an allow that something else stopped is not what did.
        let reason = text("/reason");
        let decided =
            reason.is_empty() || matches!(reason, "deny-rule" | "quota-exhausted" | "rate-limited");
        let (by, place) = if decided {
            (rule.to_owned(), place)
        } else {
            (reason.to_owned(), "")
        };
        let file = place.rsplit('/').next().unwrap_or_default();
        let micros = record
            .pointer("/lictorUs")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let good = answer.status.as_u16() == expected.status
            && text("/decision") == expected.decision
            && (by == expected.by || text("/reason") == expected.by);
        self.paper.row(&Row {
            number: self.steps,
            what,
            status: answer.status.as_str(),
            decision: text("/decision"),
            by: format!("{by} {file}").trim_end(),
            time: &format!(
                "{:.2}ms",
                Duration::from_micros(micros).as_secs_f64() * 1000.0
            ),
            expected: good,
        });
        if !good {
            self.failed.push(format!(
                "step {} `{what}`: expected {} {} by {}, got {} {} by {by}",
                self.steps,
                expected.status,
                expected.decision,
                expected.by,
                answer.status.as_u16(),
                text("/decision"),
            ));
        }
        Ok(answer)
    }

    fn check(&mut self, holds: bool, promise: &str) {
        if !holds {
            self.failed.push(format!("step {}: {promise}", self.steps));
        }
    }

    /// The audit record of a call, which is written a moment after the answer has left.
    async fn record(&self, request_id: &str) -> Result<Value> {
        let until = clock::now() + RECORD_WAIT;
        while clock::now() < until {
            let text = tokio::fs::read_to_string(&self.audit)
                .await
                .unwrap_or_default();
            let records = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut mine = records.filter(|record| {
                record.get("requestId").and_then(Value::as_str) == Some(request_id)
            });
            if let Some(record) = mine.next() {
                return Ok(record);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!(
            "no audit record of `{request_id}` in {}",
            self.audit.display()
        )
    }

    fn token(&self, id: &str, tenant: &str, groups: &[&str]) -> Result<String> {
        token(self.minter, id, tenant, groups)
    }
}

/// A token of the tour's own issuer, good for an hour.
pub(super) fn token(
    minter: &TokenMinter,
    id: &str,
    tenant: &str,
    groups: &[&str],
) -> Result<String> {
    let now = clock::wall().as_second();
    Ok(minter.mint(&json!({
        "iss": "https://quickstart.example",
        "aud": "lictor-quickstart",
        "sub": id,
        "tenant": tenant,
        "groups": groups,
        "iat": now,
        "exp": now + 3600,
    }))?)
}

/// The same token with another signature.
fn forge(token: &str) -> Result<String> {
    let (signed, signature) = token.rsplit_once('.').context("a token has three parts")?;
    let swapped: String = signature.chars().rev().collect();
    Ok(format!(
        "{signed}.{}",
        if swapped == signature {
            "AAAA"
        } else {
            &swapped
        }
    ))
}

/// A request that waits for its id.
struct Call {
    method: Method,
    path: &'static str,
    token: Option<String>,
    body: Value,
}

impl Call {
    fn body(self, request_id: &str) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .header("x-request-id", request_id);
        if let Some(token) = self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if self.body.is_null() {
            return Ok(request.body(Full::default())?);
        }
        request = request.header(header::CONTENT_TYPE, "application/json");
        Ok(request.body(Full::new(Bytes::from(self.body.to_string())))?)
    }
}

fn card() -> Call {
    Call {
        method: Method::GET,
        path: "/.well-known/agent-card.json",
        token: None,
        body: Value::Null,
    }
}

fn rpc(token: Option<&str>, method: &str, params: &Value) -> Call {
    let body = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params});
    Call {
        method: Method::POST,
        path: "/",
        token: token.map(str::to_owned),
        body,
    }
}

/// A message for the skill `quote`. A deny rule with a name also covers messages that name none.
fn message(text: &str, skill: &str) -> Value {
    let metadata = json!({"skill": skill});
    json!({"message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}], "metadata": metadata}})
}

fn send(token: Option<&str>, text: &str) -> Call {
    rpc(token, "SendMessage", &message(text, "quote"))
}

fn send_0_3(token: &str) -> Call {
    let parts = json!([{"kind": "text", "text": "a quote?"}]);
    let metadata = json!({"skill": "quote"});
    let message = json!({"kind": "message", "messageId": "m1", "role": "user", "parts": parts, "metadata": metadata});
    rpc(Some(token), "message/send", &json!({"message": message}))
}

fn send_skill(token: &str, skill: &str) -> Call {
    rpc(Some(token), "SendMessage", &message("everything", skill))
}

fn stream(token: &str, text: &str) -> Call {
    rpc(Some(token), "SendStreamingMessage", &message(text, "quote"))
}

fn get_task(token: &str, task: &str) -> Call {
    rpc(Some(token), "GetTask", &json!({"id": task}))
}

fn body_text(answer: &Answer, pointer: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    body.pointer(pointer)?.as_str().map(str::to_owned)
}

/// The text of a stream as its reader would put it together.
fn streamed_text(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    events
        .filter_map(|event| {
            event
                .pointer("/result/artifactUpdate/artifact/parts/0/text")
                .and_then(Value::as_str)
                .map(str::to_owned)
        })
        .collect()
}

/// Whether any piece of the secret stands in the text.
fn contains_piece(text: &str, secret: &str) -> bool {
    let secret: Vec<char> = secret.chars().collect();
    secret
        .windows(PIECE_BYTES)
        .any(|piece| text.contains(&piece.iter().collect::<String>()))
}
