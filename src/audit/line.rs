//! A record as a line: the format that leaves the process.
//!
//! One JSON object per line, UTF-8, ended by a line feed. `v` is the version of the format: a field may
//! be added within a version, but never changes its meaning or goes. A field without a value is left
//! out. `kind` is `call`, `card`, `loss`, `policies` or `revocation`; readers skip kinds that they do not know.
//!
//! `sequence` counts the lines of one `instance` (one process) from 1 without a gap. A `loss` line says
//! how many records are missing before it; with `onFull: deny` they are all of calls that were refused.
//!
//! A `policies` line tells of an attempt to load policies: its `cause` (`start`, `change`, `signal`), its `result`
//! (`loaded`, `refused`, `unchanged`), the `generation` that is in force from then on and the `previous` one, and
//! what was `added` and `removed` by name, or the hash `attempted` and the `problem`. A `revocation` line tells who
//! or what was `revoked` or `restored`, and where that stands; one without a place came by the admin port. A `card` line tells of an
//! agent's card that is another one than when it was last seen: the `path` at which it lies, its `sha256` and the `previous` one.
//!
//! `time` is when the call began. Of `durationUs`, `upstreamUs` was waiting for the agent, `downstreamUs`
//! for the caller, and `lictorUs` is what is left: ours. `tenant` is on every line of a call; it is
//! `unknown` where the call ended before anybody knew who called. `findings` are equal ones counted
//! together and at most 64; `findingsTotal` counts them all. `scrubbedErrors` counts the errors of the agent that left in other words. `groups` are the first 64; where a caller has more, `groupsTotal`
//! counts them. `beside` are the callers whom weaker credentials of the same call prove.
//!
//! `facts` are there when the policy was asked, and only then. With `agent`, `identity`, `principal`, `tenant`, `groups`, `source`,
//! `action`, `operation`, `facts`, `method`, `path` and `time` they are what a decision was made from, but for what conditions
//! read besides. That is `captured`, where the policy says `audit: { capture: decision }`: `values` by their paths as conditions
//! spell them (`args.amount`, `claims.sub`, `request.header['x-desk']`, `request.size`, `task.id`, `time`) and `tool`, what statements about tools look at; `missing` paths at which
//! the call has nothing, and `omitted` ones whose value is longer than 2 KiB or for which the record has no room (8 KiB for all).
//! A path that is in none of them was not captured, since no condition of that policy reads it; `missing` `args` or `claims` stand
//! for all paths into them. `action` and `path` are cut at 2 KiB and end in `…` then.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Operation, Ownership, RuleRef};

use super::captured::Captured;
use super::json::Object;
use super::note::{CardNote, Note, PoliciesNote, PoliciesResult, RevocationNote};
use super::record::{Counted, Generation, MAX_LIST, Outcome, Record, clip};
use super::start::Origin;

/// Appends the line of a call.
pub(super) fn call(out: &mut Vec<u8>, origin: &Origin, sequence: u64, record: &Record) {
    let mut line = begin(out, origin, sequence, "call", record.time);
    who(&mut line, record);
    what(&mut line, record);
    decision(&mut line, record);
    course(&mut line, record);
    end(line);
}

/// Appends the line that says how many records are missing before it.
pub(super) fn loss(out: &mut Vec<u8>, origin: &Origin, sequence: u64, at: Timestamp, records: u64) {
    let mut line = begin(out, origin, sequence, "loss", at);
    line.number("records", records);
    end(line);
}

/// Appends the line of what happened beside calls.
pub(super) fn note(out: &mut Vec<u8>, origin: &Origin, sequence: u64, at: Timestamp, note: &Note) {
    let kind = match note {
        Note::Card(_) => "card",
        Note::Policies(_) => "policies",
        Note::Revocation(_) => "revocation",
    };
    let mut line = begin(out, origin, sequence, kind, at);
    match note {
        Note::Card(note) => card(&mut line, note),
        Note::Policies(note) => policies(&mut line, note),
        Note::Revocation(note) => revocation(&mut line, note),
    }
    end(line);
}

fn card(line: &mut Object<'_>, note: &CardNote) {
    line.text("path", &note.path);
    line.text("sha256", &note.digest);
    line.text("previous", &note.previous);
}

fn policies(line: &mut Object<'_>, note: &PoliciesNote) {
    line.word("cause", note.cause);
    let (result, lists) = match &note.result {
        PoliciesResult::Loaded { added, removed } => ("loaded", Some((added, removed))),
        PoliciesResult::Refused { .. } => ("refused", None),
        PoliciesResult::Unchanged => ("unchanged", None),
    };
    line.word("result", result);
    put_generation(line, "generation", &note.generation);
    if let Some(previous) = &note.previous {
        put_generation(line, "previous", previous);
    }
    if let Some((added, removed)) = lists {
        line.texts("added", added.iter().take(MAX_LIST).map(String::as_str));
        line.texts("removed", removed.iter().take(MAX_LIST).map(String::as_str));
    }
    if let PoliciesResult::Refused { attempted, problem } = &note.result {
        line.text("attempted", attempted);
        line.text("problem", &clip(problem));
    }
}

fn revocation(line: &mut Object<'_>, note: &RevocationNote) {
    line.word("event", note.event);
    line.text("name", &note.name);
    line.text("subject", &note.subject);
    if let Some(place) = note.place.as_deref() {
        line.text("place", place);
    }
}

fn put_generation(line: &mut Object<'_>, key: &'static str, generation: &Generation) {
    line.object(key, |inner| {
        inner.number("number", generation.number);
        inner.text("hash", &generation.hash);
    });
}

/// The beginning of every line: what a file ends in after its last line feed must begin like it.
pub(super) const PREFIX: &[u8] = br#"{"v":"#;

fn begin<'out>(
    out: &'out mut Vec<u8>,
    origin: &Origin,
    sequence: u64,
    kind: &'static str,
    time: Timestamp,
) -> Object<'out> {
    let mut line = Object::new(out);
    line.number("v", VERSION);
    line.word("kind", kind);
    line.time("time", time);
    line.text("instance", &origin.instance);
    line.number("sequence", sequence);
    line.text("agent", &origin.agent);
    line
}

fn end(line: Object<'_>) {
    line.end().push(b'\n');
}

/// Who called, and under which names the call is known.
fn who(line: &mut Object<'_>, record: &Record) {
    if let Some(id) = record.decision_id {
        line.text("decisionId", id.text(&mut [0; 32]));
    }
    if let Some(id) = &record.request_id {
        line.text("requestId", id.as_str());
    }
    if let Some(id) = record.trace_id {
        line.text("traceId", id.text(&mut [0; 32]));
    }
    if let Some(id) = record.tunnel {
        line.text("tunnel", id.text(&mut [0; 32]));
    }
    if let Some(id) = record.batch {
        line.text("batch", id.text(&mut [0; 32]));
    }
    if let Some(generation) = &record.generation {
        put_generation(line, "generation", generation);
    }
    let principal = record.principal.as_deref();
    let tenant = principal.map_or(UNKNOWN, |principal| principal.tenant.as_str());
    line.text("tenant", tenant);
    if let Some(principal) = principal {
        line.text("identity", principal.identity.as_str());
        line.text("principal", principal.id.as_str());
        let groups = principal.groups.iter().take(MAX_LIST);
        line.texts("groups", groups.map(|group| &**group));
        if principal.groups.len() > MAX_LIST {
            line.number("groupsTotal", principal.groups.len() as u64);
        }
    }
    if !record.beside.is_empty() {
        line.objects("beside", &record.beside, |line, other| {
            line.text("identity", other.identity.as_str());
            line.text("principal", other.id.as_str());
        });
    }
    if let Some(source) = record.source {
        line.address("source", source);
    }
    if let Some(listener) = record.listener.as_deref() {
        line.text("listener", listener);
    }
    if let Some(port) = record.agent_port {
        line.number("agentPort", port);
    }
    if let Some(certificate) = record.client_certificate.as_deref() {
        line.text("clientCertificate", certificate);
    }
}

/// What was asked.
fn what(line: &mut Object<'_>, record: &Record) {
    if let Some(dialect) = record.dialect {
        line.word("dialect", dialect.as_str());
    }
    if let Some(action) = &record.action {
        let (space, name) = match action.name.as_deref() {
            Some(name) => (" ", name),
            None => ("", ""),
        };
        let protocol = action.protocol.as_str();
        line.joined("action", [protocol, ":", &action.method, space, name]);
    }
    if let Some(asked) = record.operation {
        line.word("operation", operation(asked));
    }
    if let Some(task) = &record.task {
        line.text("task", task.as_str());
    }
    if let Some(context) = &record.context {
        line.text("context", context.as_str());
    }
    line.texts(
        "references",
        record.references.iter().map(|task| task.as_str()),
    );
    if let Some(facts) = record.facts {
        line.object("facts", |inner| {
            inner.word("task", ownership(facts.task));
            inner.word("context", ownership(facts.context));
            if facts.session != Ownership::Absent {
                inner.word("session", ownership(facts.session));
            }
        });
    }
    if let Some(method) = &record.http_method {
        line.text("method", method.as_str());
    }
    if let Some(path) = record.path.as_deref() {
        line.text("path", path);
    }
    if let Some(captured) = record.captured.as_deref() {
        line.object("captured", |inner| put_captured(inner, captured));
    }
}

fn put_captured(object: &mut Object<'_>, captured: &Captured) {
    object.object("values", |inner| {
        for (path, json) in captured.values() {
            inner.json(path, json);
        }
    });
    object.texts("missing", captured.missing());
    object.texts("omitted", captured.omitted());
}

/// Whether it was let through, and why or why not.
fn decision(line: &mut Object<'_>, record: &Record) {
    line.word("decision", record.decision.as_str());
    if let Some(reason) = record.reason {
        line.word("reason", reason.as_str());
        line.word("fault", reason.fault().as_str());
    }
    if let Some(rule) = record.rule.as_deref() {
        line.object("rule", |inner| put_rule(inner, rule));
    }
    let verdicts = [("shadow", &record.shadow), ("candidate", &record.candidate)];
    for (key, verdict) in verdicts {
        if let Some(verdict) = verdict {
            line.object(key, |inner| {
                inner.word("effect", verdict.effect());
                put_rule(inner, verdict.rule());
            });
        }
    }
    if let Some(quota) = record.quota.as_deref() {
        line.text("quota", quota);
    }
    if let Some(detail) = record.detail.as_deref() {
        line.text("detail", detail);
    }
}

fn put_rule(object: &mut Object<'_>, rule: &RuleRef) {
    object.text("name", &rule.name);
    if let Some(place) = &rule.place {
        let mut digits = itoa::Buffer::new();
        object.joined("place", [&place.file, ":", digits.format(place.line)]);
    }
}

/// What became of it.
fn course(line: &mut Object<'_>, record: &Record) {
    if let Some(status) = record.status {
        line.number("status", status);
    }
    if let Some(status) = record.upstream_status {
        line.number("upstreamStatus", status);
    }
    line.number("requestBytes", record.request_bytes);
    line.number("responseBytes", record.response_bytes);
    line.number("durationUs", micros(record.duration));
    line.number("upstreamUs", micros(record.upstream));
    line.number("downstreamUs", micros(record.downstream));
    line.number("lictorUs", micros(record.lictor(record.duration)));
    line.number("heldBytesMax", record.held_bytes_max);
    if record.scrubbed_errors > 0 {
        line.number("scrubbedErrors", record.scrubbed_errors);
    }
    line.objects("findings", &record.findings, finding);
    line.number("findingsTotal", record.findings_total);
    let outcome = record.outcome.unwrap_or(Outcome::Aborted);
    line.word("outcome", outcome.as_str());
}

fn finding(line: &mut Object<'_>, Counted { finding, count }: &Counted) {
    line.word("detector", finding.detector);
    line.word("action", finding.action.as_str());
    line.word("severity", finding.severity.as_str());
    line.text("channel", &finding.channel);
    line.number("offset", finding.offset);
    line.number("length", finding.length);
    line.text("preview", &finding.preview);
    if !finding.fingerprint.is_empty() {
        line.text("fingerprint", &finding.fingerprint);
    }
    if let Some(name) = finding.allowed_by {
        line.word("allowedBy", name);
    }
    line.number("count", *count);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The operation of a word, where this version knows it.
pub(super) fn operation_of(word: &str) -> Option<Operation> {
    let mut known = OPERATIONS.iter().copied();
    known.find(|known| operation(*known) == word)
}

/// Whose an object is, by its word.
pub(super) fn ownership_of(word: &str) -> Option<Ownership> {
    let mut known = OWNERSHIPS.iter().copied();
    known.find(|known| ownership(*known) == word)
}

/// All that have a word below.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation::AgentCard,
    Operation::CancelTask,
    Operation::GetTask,
    Operation::ListTasks,
    Operation::Other,
    Operation::PushConfig,
    Operation::SendMessage,
    Operation::StreamMessage,
    Operation::SubscribeTask,
];

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

/// All that have a word below.
pub(super) const OWNERSHIPS: &[Ownership] =
    &[Ownership::Absent, Ownership::Mine, Ownership::NotMine];

/// The word for whose an object is.
const fn ownership(ownership: Ownership) -> &'static str {
    match ownership {
        Ownership::Absent => "absent",
        Ownership::Mine => "mine",
        Ownership::NotMine => "notMine",
    }
}

pub(super) const VERSION: u8 = 1;

/// The tenant of calls that ended before anybody knew who called.
const UNKNOWN: &str = "unknown";
