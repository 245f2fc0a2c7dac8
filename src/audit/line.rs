//! A record as a line: the format that leaves the process.
//!
//! One JSON object per line, UTF-8, ended by a line feed. `v` is the version of the format: a field may
//! be added within a version, but never changes its meaning or goes. A field without a value is left
//! out. `kind` is `call` or `loss`; readers skip kinds that they do not know.
//!
//! `sequence` counts the lines of one `instance` (one process) from 1 without a gap. A `loss` line says
//! how many records are missing before it; with `onFull: deny` they are all of calls that were refused.
//!
//! `time` is when the call began. Of `durationUs`, `upstreamUs` was waiting for the agent, `downstreamUs`
//! for the caller, and `lictorUs` is what is left: ours. `tenant` is on every line of a call; it is
//! `unknown` where the call ended before anybody knew who called. `findings` are equal ones counted
//! together and at most 64; `findingsTotal` counts them all.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::model::{Action, DecisionId, Operation, Ownership, Place, Principal, Reason};

use super::record::{Counted, Generation, MAX_LIST, Outcome, Record};
use super::start::Origin;

/// Appends the line of a call.
pub(super) fn call(out: &mut Vec<u8>, origin: &Origin, sequence: u64, record: &Record) {
    let principal = record.principal.as_deref();
    write(
        out,
        &CallLine {
            v: VERSION,
            kind: "call",
            time: Micros(record.time),
            instance: &origin.instance,
            sequence,
            decision_id: record.decision_id.map(Text),
            request_id: record.request_id.as_ref().map(|id| id.as_str()),
            generation: record.generation.as_ref().map(GenerationLine::from),
            agent: &origin.agent,
            tenant: principal.map_or(UNKNOWN, |principal| principal.tenant.as_str()),
            identity: principal.map(|principal| principal.identity.as_str()),
            principal: principal.map(|principal: &Principal| principal.id.as_str()),
            groups: principal
                .iter()
                .flat_map(|principal| principal.groups.iter().take(MAX_LIST))
                .map(|group| &**group)
                .collect(),
            source: record.source.map(Text),
            client_certificate: record.client_certificate.as_deref(),
            dialect: record.dialect.map(|dialect| dialect.as_str()),
            action: record.action.as_ref().map(Text),
            operation: record.operation.map(operation),
            task: record.task.as_ref().map(|task| task.as_str()),
            context: record.context.as_ref().map(|context| context.as_str()),
            references: record.references.iter().map(|task| task.as_str()).collect(),
            facts: record.facts.map(|facts| FactsLine {
                task: ownership(facts.task),
                context: ownership(facts.context),
            }),
            method: record.http_method.as_ref().map(http::Method::as_str),
            path: record.path.as_deref(),
            decision: record.decision.as_str(),
            reason: record.reason.map(Reason::as_str),
            fault: record.reason.map(|reason| reason.fault().as_str()),
            rule: record.rule.as_deref().map(|rule| RuleLine {
                name: &rule.name,
                place: rule.place.as_ref().map(Text),
            }),
            quota: record.quota.as_deref(),
            detail: record.detail.as_deref(),
            status: record.status,
            upstream_status: record.upstream_status,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            duration_us: micros(record.duration),
            upstream_us: micros(record.upstream),
            downstream_us: micros(record.downstream),
            lictor_us: micros(record.lictor(record.duration)),
            held_bytes_max: record.held_bytes_max,
            findings: record.findings.iter().map(FindingLine::from).collect(),
            findings_total: record.findings_total,
            outcome: record.outcome.unwrap_or(Outcome::Aborted).as_str(),
        },
    );
}

/// Appends the line that says how many records are missing before it.
pub(super) fn loss(out: &mut Vec<u8>, origin: &Origin, sequence: u64, at: Timestamp, records: u64) {
    write(
        out,
        &LossLine {
            v: VERSION,
            kind: "loss",
            time: Micros(at),
            instance: &origin.instance,
            sequence,
            agent: &origin.agent,
            records,
        },
    );
}

/// The beginning of every line: what a file ends in after its last line feed must begin like it.
pub(super) const PREFIX: &[u8] = br#"{"v":"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallLine<'a> {
    v: u8,
    kind: &'static str,
    time: Micros,
    instance: &'a str,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<Text<DecisionId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<GenerationLine<'a>>,
    agent: &'a str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Text<SocketAddr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Text<&'a Action>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<FactsLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<u16>,
    request_bytes: u64,
    response_bytes: u64,
    duration_us: u64,
    upstream_us: u64,
    downstream_us: u64,
    lictor_us: u64,
    held_bytes_max: u64,
    findings: Vec<FindingLine<'a>>,
    findings_total: u64,
    outcome: &'static str,
}

#[derive(Serialize)]
struct GenerationLine<'a> {
    number: u64,
    hash: &'a str,
}

impl<'a> From<&'a Generation> for GenerationLine<'a> {
    fn from(generation: &'a Generation) -> Self {
        Self {
            number: generation.number,
            hash: &generation.hash,
        }
    }
}

#[derive(Serialize)]
struct FactsLine {
    task: &'static str,
    context: &'static str,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Text<&'a Place>>,
}

#[derive(Serialize)]
struct FindingLine<'a> {
    detector: &'a str,
    action: &'static str,
    severity: &'static str,
    channel: &'a str,
    offset: u64,
    length: u64,
    preview: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    fingerprint: &'a str,
    count: u64,
}

impl<'a> From<&'a Counted> for FindingLine<'a> {
    fn from(Counted { finding, count }: &'a Counted) -> Self {
        Self {
            detector: finding.detector,
            action: finding.action.as_str(),
            severity: finding.severity.as_str(),
            channel: &finding.channel,
            offset: finding.offset,
            length: finding.length,
            preview: &finding.preview,
            fingerprint: &finding.fingerprint,
            count: *count,
        }
    }
}

#[derive(Serialize)]
struct LossLine<'a> {
    v: u8,
    kind: &'static str,
    time: Micros,
    instance: &'a str,
    sequence: u64,
    agent: &'a str,
    records: u64,
}

/// A value whose text is its `Display`.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// RFC 3339 in UTC with exactly six digits, so that equal lengths sort as times.
struct Micros(Timestamp);

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

fn write(out: &mut Vec<u8>, line: &impl Serialize) {
    let before = out.len();
    // Writing to memory does not fail, and no type above has an error of its own or a map with keys
    // that are not strings. Were it to fail all the same, half a line must not stay.
    if let Err(error) = serde_json::to_writer(&mut *out, line) {
        tracing::error!(error = %error, "an audit record cannot be serialised");
        out.truncate(before);
        return;
    }
    out.push(b'\n');
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The word of an operation, in the manner of the policy language.
const fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::AgentCard => "agentCard",
        Operation::CancelTask => "cancelTask",
        Operation::GetTask => "getTask",
        Operation::ListTasks => "listTasks",
        Operation::Other => "other",
        Operation::PushConfig => "pushConfig",
        Operation::SendMessage => "sendMessage",
        Operation::StreamMessage => "streamMessage",
        Operation::SubscribeTask => "subscribeTask",
    }
}

/// The word for whose an object is.
const fn ownership(ownership: Ownership) -> &'static str {
    match ownership {
        Ownership::Absent => "absent",
        Ownership::Mine => "mine",
        Ownership::NotMine => "notMine",
    }
}

const VERSION: u8 = 1;

/// The tenant of calls that ended before anybody knew who called.
const UNKNOWN: &str = "unknown";
