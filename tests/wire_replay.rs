//! Recorded traffic of real SDKs, sent again with lictor in between: transparent unless it acts.
//!
//! Each file of `../shared/wire` is replayed in order over one lictor, so that the ledger learns from
//! earlier answers whose a task is. The upstream answers the recorded bytes in the recorded framing, and
//! the client must get the recorded status, fields and body, byte for byte, while all packs are on: what
//! looks like a key or an address in the recordings is none (`sk-lab-...`, `example.org`). What lictor
//! refuses on purpose stands in [`EXPECTED`], and nothing else may differ.
//!
//! Not replayed: push notifications (`role`), where the agent is the client, which is egress; gRPC
//! (`connections`), which needs HTTP/2; WebSocket, whose frames `websocket.rs` replays.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use support::client::Client;
use support::http1::{Message, chunked};
use support::lictor::{EVERYBODY, Lictor};
use support::upstream::{Step, Upstream};

mod support;

/// What lictor does to an exchange on purpose: (file, exchanges, what).
const EXPECTED: &[(&str, &[usize], Act)] = &[
    // Tasks that nobody has seen: lictor answers itself, in the bytes of the SDK most in use, and the
    // agent is not asked.
    ("a2a-0.3-jsonrpc", &[6], Act::AnswerAlike),
    ("a2a-1.0-jsonrpc", &[7], Act::AnswerAlike),
    // Agents on other SDKs say it in other words.
    ("a2a-0.2.5-legacy", &[7], TASK_NOT_FOUND),
    ("a2a-0.3-client-on-1.0-agent", &[6], TASK_NOT_FOUND),
    ("a2a-0.3-js-jsonrpc", &[4], TASK_NOT_FOUND),
    ("a2a-1.0-js-jsonrpc", &[4], TASK_NOT_FOUND),
    ("a2a-1.0-sdk-speaking-0.3", &[6], TASK_NOT_FOUND),
    ("a2a-0.3-rest", &[6], Act::AnswerAlike),
    ("a2a-1.0-rest", &[7], Act::AnswerAlike),
    ("a2a-1.0-js-rest", &[4], Act::Refuse(404, 404)),
    // A method of 1.0 with no version, and with one that does not exist: that would be the agent's to
    // refuse, but the task is nobody's.
    ("a2a-1.0-jsonrpc", &[23, 24], TASK_NOT_FOUND),
    // Broken JSON, and a batch.
    ("a2a-0.2.5-legacy", &[9], Act::Refuse(400, -32700)),
    ("a2a-0.2.5-legacy", &[10], Act::Refuse(400, -32600)),
    ("a2a-1.0-jsonrpc", &[26], Act::Refuse(400, -32700)),
];

const TASK_NOT_FOUND: Act = Act::Refuse(200, -32001);

/// What may happen to an exchange other than passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Answered by lictor in the bytes that the agent has answered with; the upstream sees nothing.
    AnswerAlike,
    /// Refused with this status and this code of JSON-RPC or google.rpc.Status, in the request's id if it could be
    /// read; the upstream sees nothing.
    Refuse(u16, i64),
}

/// Request fields that need not reach the upstream as they came. Hop-by-hop fields and framing belong to
/// the connection (RFC 9110, section 7.6.1); credentials end here; the rest is what the scan needs.
const REQUEST_MAY_CHANGE: &[&str] = &[
    "accept-encoding",
    "authorization",
    "content-length",
    "cookie",
    "expect",
    "host",
    "if-range",
    "range",
    "x-api-key",
];

/// The exchange's name is lictor's to give, or nobody could find the call in its records; what an agent
/// says there is its own affair. [`judge_request_id`] says what must hold instead.
const REQUEST_ID: &str = "x-request-id";

/// Response fields that lictor may add.
const RESPONSE_MAY_GAIN: &[&str] = &[
    "content-length",
    "date",
    "lictor-decision-id",
    "ratelimit",
    "ratelimit-policy",
    "x-accel-buffering",
    REQUEST_ID,
];

const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What stands between the client and the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// lictor, with this action for all packs.
    Lictor(&'static str),
    /// Nothing: what fails here is the replay's own fault.
    Nothing,
}

#[tokio::test]
async fn the_replay_itself_changes_nothing() {
    replay_all(Between::Nothing).await;
}

#[tokio::test]
async fn flagged_traffic_passes_byte_for_byte() {
    replay_all(Between::Lictor("flag")).await;
}

#[tokio::test]
async fn traffic_without_findings_passes_byte_for_byte_while_redaction_is_on() {
    replay_all(Between::Lictor("redact")).await;
}

async fn replay_all(between: Between) {
    let mut faults = Vec::new();
    let mut replayed = 0;
    for path in files() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let recording: Recording = serde_json::from_slice(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let outcome = Replay::begin(&name, between).await.run(recording).await;
        replayed += outcome.replayed;
        faults.extend(outcome.faults);
    }
    assert!(replayed > 200, "only {replayed} exchanges were replayed");
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        let folder = folder.display();
        panic!("{folder}: {error}; the recorded traffic must lie there")
    });
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .filter(|path| !path.ends_with("websocket.json"))
        .collect();
    files.sort();
    assert!(
        files.len() >= 19,
        "only {} files in {}",
        files.len(),
        folder.display()
    );
    files
}

/// One file on its way through one lictor.
struct Replay {
    name: String,
    between: Between,
    lictor: Option<Lictor>,
    upstream: Upstream,
    answer: Arc<Mutex<Vec<Step>>>,
    clients: BTreeMap<u64, Client>,
    faults: Vec<String>,
}

struct Outcome {
    replayed: usize,
    faults: Vec<String>,
}

impl Replay {
    async fn begin(name: &str, between: Between) -> Self {
        let answer = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::clone(&answer);
        let upstream = Upstream::scripted(move |_| script.lock().unwrap().clone()).await;
        let lictor = match between {
            Between::Lictor(action) => {
                // What is hidden and added for browsers is switched off: here every field counts.
                let everybody = EVERYBODY.replace("\"a2a:*\"", "[\"a2a:*\", \"llm:*\", \"mcp:*\"]");
                let policy = format!(
                    "{everybody}http: {{ server: pass, securityHeaders: off }}\nleaks:\n  packs: {{ credentials: {action}, private-keys: {action}, \
                     pii: {action}, cards: {action} }}\n"
                );
                Some(Lictor::spawn(&policy, upstream.address).await)
            }
            Between::Nothing => None,
        };
        Self {
            name: name.to_owned(),
            between,
            lictor,
            upstream,
            answer,
            clients: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    async fn run(mut self, recording: Recording) -> Outcome {
        let mut replayed = 0;
        for (index, exchange) in recording.exchanges.iter().enumerate() {
            if exchange.role.is_some() {
                continue; // the agent calls out: egress
            }
            self.exchange(index, exchange).await;
            replayed += 1;
        }
        Outcome {
            replayed,
            faults: self.faults,
        }
    }

    async fn exchange(&mut self, index: usize, exchange: &Exchange) {
        *self.answer.lock().unwrap() = exchange.response.steps();
        let before = self.upstream.requests().len();
        let client = match self.clients.remove(&exchange.connection) {
            Some(client) => client,
            None => match &self.lictor {
                Some(lictor) => lictor.client().await,
                None => Client::connect(self.upstream.address).await,
            },
        };
        let (client, got) = match ask(client, exchange).await {
            (client, Ok(got)) => (client, got),
            (_, Err(error)) => return self.fault(index, exchange, &format!("no answer: {error}")),
        };
        if got.complete && got.field("connection") != Some("close") {
            self.clients.insert(exchange.connection, client);
        }
        let mut saw = self.upstream.requests();
        let saw = saw.drain(before..).collect::<Vec<_>>();
        for fault in judge(self.expected(index), self.between, exchange, &got, &saw) {
            self.fault(index, exchange, &fault);
        }
    }

    fn fault(&mut self, index: usize, exchange: &Exchange, fault: &str) {
        let (name, between, line) = (&self.name, self.between, &exchange.request.line);
        self.faults
            .push(format!("{name} {index} ({between:?}), `{line}`: {fault}"));
    }

    fn expected(&self, index: usize) -> Option<Act> {
        let row = EXPECTED
            .iter()
            .find(|(file, indices, _)| *file == self.name && indices.contains(&index));
        let (_, _, act) = row?;
        match (act, self.between) {
            (_, Between::Nothing) => None,
            (act, Between::Lictor(_)) => Some(*act),
        }
    }
}

async fn ask(mut client: Client, exchange: &Exchange) -> (Client, io::Result<Message>) {
    let method = exchange.request.line.split(' ').next().unwrap();
    let got = client.try_exchange(method, &exchange.request.bytes()).await;
    (client, got)
}

/// What is wrong with an exchange; nothing, when it went as it should.
fn judge(
    act: Option<Act>,
    between: Between,
    exchange: &Exchange,
    got: &Message,
    saw: &[Message],
) -> Vec<String> {
    match act {
        Some(Act::Refuse(status, code)) => judge_refusal(status, code, exchange, got, saw),
        Some(Act::AnswerAlike) => {
            let mut faults = Vec::new();
            let alike = got.status() == exchange.response.status()
                && got.field("content-type") == Some("application/json")
                && got.body == exchange.response.body();
            if !alike {
                faults.push(format!("unlike the agent's answer: {}", got.text()));
            }
            if !saw.is_empty() {
                faults.push("answered, but the upstream saw it".to_owned());
            }
            faults
        }
        None => {
            let mut faults = judge_request(&exchange.request, saw);
            faults.extend(judge_response(between, &exchange.response, got));
            faults.extend(judge_request_id(between, got, saw));
            faults
        }
    }
}

fn judge_refusal(
    status: u16,
    code: i64,
    exchange: &Exchange,
    got: &Message,
    saw: &[Message],
) -> Vec<String> {
    let mut faults = Vec::new();
    let answer: Value = serde_json::from_slice(&got.body).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&exchange.request.body()).unwrap_or_default();
    let is = (got.status(), answer["error"]["code"].as_i64());
    if is != (status, Some(code)) {
        faults.push(format!(
            "refused as {is:?}, not as {:?}: {}",
            (status, code),
            got.text()
        ));
    }
    if answer["id"] != asked["id"] {
        faults.push(format!("id {} for {}", answer["id"], asked["id"]));
    }
    if !saw.is_empty() {
        faults.push("refused, but the upstream saw it".to_owned());
    }
    faults
}

fn judge_request(sent: &Part, saw: &[Message]) -> Vec<String> {
    let [saw] = saw else {
        return vec![format!("the upstream saw {} requests", saw.len())];
    };
    let mut faults = Vec::new();
    let line = format!("{} {}", saw.method(), saw.target());
    if sent.line.strip_suffix(" HTTP/1.1") != Some(&line) {
        faults.push(format!("the upstream saw `{line}`"));
    }
    if saw.body != sent.body() {
        faults.push(format!("the upstream saw another body: {}", saw.text()));
    }
    for name in sent.names(REQUEST_MAY_CHANGE) {
        let (was, is) = (sent.values(&name), saw.values(&name).collect::<Vec<_>>());
        if was != is {
            faults.push(format!("the upstream saw `{name}: {is:?}` for {was:?}"));
        }
    }
    faults
}

fn judge_response(between: Between, sent: &Part, got: &Message) -> Vec<String> {
    let mut faults = Vec::new();
    if sent.status() != got.status() {
        return vec![format!(
            "status {} for {}: {}",
            got.status(),
            sent.line,
            got.text()
        )];
    }
    let body = sent.body();
    if sent.is_cut_off() {
        faults.extend(judge_cut_off(between, &body, got));
    } else if !got.complete {
        faults.push("the body was cut off".to_owned());
    } else if got.body != body {
        let at = body.iter().zip(&got.body).position(|(was, is)| was != is);
        faults.push(format!("the body differs at {at:?}: {}", got.text()));
    }
    for name in sent.names(&[REQUEST_ID]) {
        let (was, is) = (sent.values(&name), got.values(&name).collect::<Vec<_>>());
        if was != is {
            faults.push(format!("`{name}: {is:?}` for {was:?}"));
        }
    }
    let gained = got.fields.iter().map(|(name, _)| name.to_ascii_lowercase());
    for name in gained.filter(|name| !HOP_BY_HOP.contains(&name.as_str())) {
        if sent.values(&name).is_empty() && !RESPONSE_MAY_GAIN.contains(&name.as_str()) {
            faults.push(format!("gained `{name}`"));
        }
    }
    faults
}

/// Caller and agent hear the same name of the exchange.
fn judge_request_id(between: Between, got: &Message, saw: &[Message]) -> Option<String> {
    let told: Vec<_> = got.values(REQUEST_ID).collect();
    let [saw] = saw else {
        return None; // that is a fault already
    };
    let forwarded: Vec<_> = saw.values(REQUEST_ID).collect();
    let holds = between == Between::Nothing || (told.len() == 1 && told == forwarded);
    (!holds).then(|| format!("`{REQUEST_ID}: {told:?}`, and the agent heard {forwarded:?}"))
}

/// A truncated stream is never shown as a complete one: all its whole events arrive, and then either the
/// transfer breaks off too, or an event of lictor's says that this is not the end it should be. Where
/// text may have to be redacted, a word at the end that could become an address in the next event waits
/// with its event, and what waits dies with the stream: then what arrives is a beginning, and broken off.
fn judge_cut_off(between: Between, body: &[u8], got: &Message) -> Option<String> {
    if between == Between::Lictor("redact") && !got.complete {
        let (sent, arrived) = (blocks(body), blocks(&got.body));
        let begins = sent.starts_with(&arrived);
        return (!begins).then(|| format!("not a beginning of what was sent: {}", got.text()));
    }
    let sent = Message {
        body: body.to_vec(),
        ..Message::default()
    };
    let (sent, events) = (sent.events(), got.events());
    if !events.starts_with(&sent) {
        return Some(format!("not all whole events arrived: {}", got.text()));
    }
    let more = &events[sent.len()..];
    match (got.complete, more) {
        (false, []) | (_, [_]) => None,
        (true, []) => Some("a truncated stream looks complete".to_owned()),
        (_, more) => Some(format!("{} events more than were sent", more.len())),
    }
}

/// The events of a body with all their fields, byte for byte; comments may overtake what waits.
fn blocks(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let blocks = text.split_inclusive("\r\n\r\n");
    let blocks = blocks.flat_map(|block| block.split_inclusive("\n\n"));
    blocks
        .filter(|block| !block.starts_with(':'))
        .map(str::to_owned)
        .collect()
}

/// A file of recorded traffic; what is not listed is not needed here.
#[derive(Deserialize)]
struct Recording {
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    connection: u64,
    role: Option<String>,
    request: Part,
    response: Part,
}

/// A recorded request or response.
#[derive(Deserialize)]
struct Part {
    line: String,
    headers: Vec<String>,
    framing: String,
    data: Option<String>,
    data_b64: Option<String>,
    chunks: Option<Vec<Chunk>>,
}

#[derive(Deserialize)]
struct Chunk {
    data: Option<String>,
    data_b64: Option<String>,
}

impl Part {
    /// The message as it goes over the wire, in the recorded framing.
    fn bytes(&self) -> Vec<u8> {
        let body = self.body();
        let mut bytes = self.line.clone().into_bytes();
        for header in &self.headers {
            bytes.extend(b"\r\n");
            bytes.extend(header.bytes());
        }
        bytes.extend(b"\r\n\r\n");
        match self.framing.as_str() {
            "content-length" => {
                let length = body.len().to_string();
                assert_eq!(self.values("content-length"), [length], "{}", self.line);
                bytes.extend(body);
            }
            "chunked" | "chunked, cut off" => {
                let pieces = self.pieces();
                bytes.extend(chunked(
                    pieces.iter().map(Vec::as_slice),
                    !self.is_cut_off(),
                ));
            }
            "until-close" => bytes.extend(body),
            "none" => assert!(body.is_empty(), "{}", self.line),
            other => panic!("unknown framing `{other}`"),
        }
        bytes
    }

    /// What the upstream does to send it.
    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Write(self.bytes())];
        if self.is_cut_off() || self.framing == "until-close" {
            steps.push(Step::Close);
        }
        steps
    }

    fn body(&self) -> Vec<u8> {
        self.pieces().concat()
    }

    fn pieces(&self) -> Vec<Vec<u8>> {
        match &self.chunks {
            Some(chunks) => chunks
                .iter()
                .map(|chunk| decoded(chunk.data.as_ref(), chunk.data_b64.as_ref()))
                .collect(),
            None => vec![decoded(self.data.as_ref(), self.data_b64.as_ref())],
        }
    }

    fn is_cut_off(&self) -> bool {
        self.framing.ends_with("cut off")
    }

    fn status(&self) -> u16 {
        self.line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The values of a field, in order.
    fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter().filter_map(|line| line.split_once(':'));
        fields
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The names of the end-to-end fields but these, in lower case.
    fn names(&self, but: &[&str]) -> BTreeSet<String> {
        let fields = self.headers.iter().filter_map(|line| line.split_once(':'));
        fields
            .map(|(name, _)| name.to_ascii_lowercase())
            .filter(|name| !HOP_BY_HOP.contains(&name.as_str()) && !but.contains(&name.as_str()))
            .collect()
    }
}

fn decoded(text: Option<&String>, base64: Option<&String>) -> Vec<u8> {
    match (text, base64) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
        (None, None) => Vec::new(),
    }
}
