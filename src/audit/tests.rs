//! The room as a whole: records in, lines of a real file out.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::{
    A2aVersion, Action, Binding, Call, ContextId, Credential, DecisionId, Dialect, Facts, Finding,
    IdentityName, LeakAction, Operation, Ownership, Place, Principal, PrincipalId, Protocol,
    Reason, Refusal, RequestId, RuleRef, Severity, TaskId, TenantId,
};
use crate::telemetry::Registry;

use super::{Audit, Config, Generation, Metrics, OnFull, Origin, Outcome, StartError, State};

fn start(path: &Path, queue: usize, on_full: OnFull) -> (Audit, Registry) {
    let registry = Registry::new().unwrap();
    let config = Config {
        path: path.to_owned(),
        queue,
        on_full,
    };
    let origin = Origin {
        instance: Arc::from("i-1"),
        agent: Arc::from("quotes-agent"),
    };
    let audit = Audit::start(&config, origin, Metrics::new(&registry).unwrap()).unwrap();
    (audit, registry)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

fn value(registry: &Registry, metric: &str) -> i64 {
    let text = registry.encode();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_record_says_all_that_is_known_of_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (audit, registry) = start(&path, 8, OnFull::Deny);
    let mut open = audit.open();
    open.admit().unwrap();
    let record = open.record();
    record.decision_id = Some(DecisionId::new(Uuid::from_u128(7)));
    record.request_id = RequestId::new("r-1").ok();
    record.generation = Some(Generation {
        number: 3,
        hash: Arc::from("0a1b2c3d"),
    });
    record.principal = Some(Arc::new(Principal {
        identity: IdentityName::new("corp").unwrap(),
        id: PrincipalId::new("alice").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        groups: vec![Box::from("analysts")],
        claims: None,
        credential: Credential::default(),
    }));
    record.source = Some(SocketAddr::from(([192, 0, 2, 1], 4711)));
    record.http(&http::Method::POST, "/a2a?key=secret");
    record.call(&Call {
        action: Action {
            name: Some(Box::from("quote-equity")),
            ..Action::known(Protocol::A2a, "SendMessage")
        },
        http: None,
        operation: Operation::SendMessage,
        dialect: Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc),
        rpc_id: None,
        task: TaskId::new("t-1").ok(),
        references: vec![TaskId::new("t-0").unwrap()],
        context: ContextId::new("c-1").ok(),
        session: None,
        hook: None,
        addressed: None,
    });
    record.facts = Some(Facts {
        task: Ownership::Mine,
        context: Ownership::Absent,
        session: Ownership::Absent,
    });
    record.allow(Some(Arc::new(RuleRef {
        name: Arc::from("analyst"),
        place: Some(Place {
            file: Arc::from("policies/desk.yaml"),
            line: 14,
        }),
    })));
    record.status = Some(200);
    record.upstream_status = Some(200);
    record.request_bytes = 120;
    record.response_bytes = 340;
    record.held_bytes_max = 36;
    let finding = Finding {
        detector: "credentials.github-pat",
        action: LeakAction::Redact,
        allowed_by: None,
        severity: Severity::High,
        channel: Arc::from("artifact t-1/a/0"),
        offset: 12,
        length: 36,
        preview: Box::from("ghp_****"),
        fingerprint: Box::from("0123456789abcdef"),
    };
    record.found(&finding);
    record.found(&finding);
    open.close(Outcome::Complete);
    audit.shutdown(DEADLINE).await.unwrap();

    let mut line = lines(&path).remove(0);
    let object = line.as_object_mut().unwrap();
    let time = object.remove("time").unwrap();
    let time = time.as_str().unwrap();
    assert_eq!(time.len(), "2026-01-02T03:04:05.678901Z".len(), "{time}");
    for duration in ["durationUs", "upstreamUs", "downstreamUs", "lictorUs"] {
        assert!(object.remove(duration).unwrap().is_u64());
    }
    assert_eq!(
        line,
        json!({
            "v": 1, "kind": "call", "instance": "i-1", "sequence": 1,
            "decisionId": "00000000000000000000000000000007", "requestId": "r-1",
            "generation": {"number": 3, "hash": "0a1b2c3d"},
            "agent": "quotes-agent", "tenant": "acme", "identity": "corp", "principal": "alice",
            "groups": ["analysts"],
            "source": "192.0.2.1:4711", "dialect": "a2a-1.0",
            "action": "a2a:SendMessage quote-equity", "operation": "sendMessage",
            "task": "t-1", "context": "c-1",
            "references": ["t-0"], "facts": {"task": "mine", "context": "absent"},
            "method": "POST", "path": "/a2a",
            "decision": "allow",
            "rule": {"name": "analyst", "place": "policies/desk.yaml:14"},
            "status": 200, "upstreamStatus": 200, "requestBytes": 120, "responseBytes": 340,
            "heldBytesMax": 36,
            "findings": [{
                "detector": "credentials.github-pat", "action": "redact", "severity": "high",
                "channel": "artifact t-1/a/0", "offset": 12, "length": 36,
                "preview": "ghp_****", "fingerprint": "0123456789abcdef", "count": 2,
            }],
            "findingsTotal": 2,
            "outcome": "complete",
        })
    );
    assert_eq!(value(&registry, "lictor_audit_records_total"), 1);
    assert_eq!(value(&registry, "lictor_audit_queue"), 0);
}

#[tokio::test]
async fn a_call_dropped_midway_has_its_record_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (audit, _) = start(&path, 8, OnFull::Deny);
    drop(audit.open());
    let mut answered = audit.open();
    answered.record().status = Some(200);
    drop(answered);
    let mut refused = audit.open();
    let refusal = Refusal::new(Reason::CredentialInvalid).detail("expired \"yesterday\"\r\n");
    refused.record().refuse(&refusal);
    refused.record().status = Some(401);
    refused.close(Outcome::Refused);
    audit.shutdown(DEADLINE).await.unwrap();
    let lines = lines(&path);
    let outcomes: Vec<_> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["aborted", "downstream-gone", "refused"]);
    for line in &lines {
        assert_eq!(line["decision"], "deny");
        assert_eq!(line["tenant"], "unknown");
    }
    assert_eq!(lines[2]["reason"], "credential-invalid");
    assert_eq!(lines[2]["fault"], "downstream");
    assert_eq!(lines[2]["detail"], "expired \"yesterday\"\r\n");
}

#[tokio::test]
async fn records_reach_the_file_without_being_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (audit, _) = start(&path, 8, OnFull::Deny);
    audit.open().close(Outcome::Complete);
    until("the record", || lines(&path).len() == 1).await;
    audit.open().close(Outcome::Complete);
    until("the next", || lines(&path).len() == 2).await;
}

#[tokio::test]
async fn many_threads_leave_one_whole_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (audit, _) = start(&path, 10_000, OnFull::Deny);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let audit = audit.clone();
            std::thread::spawn(move || {
                for call in 0..1000 {
                    let mut open = audit.open();
                    open.admit().unwrap();
                    open.record().path = Some(format!("/{thread}/{call}").into_boxed_str());
                    open.close(Outcome::Complete);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    audit.shutdown(DEADLINE).await.unwrap();
    let lines = lines(&path);
    let paths: BTreeSet<_> = lines.iter().map(|line| line["path"].to_string()).collect();
    assert_eq!(paths.len(), 4000);
    let sequences = lines.iter().map(|line| line["sequence"].as_u64().unwrap());
    assert!(sequences.eq(1..=4000));
}

/// `/dev/full` says what a full disk says. It is reached through a link, so that another file can take
/// its place: the disk was emptied.
fn full_disk() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    symlink("/dev/full", &path).unwrap();
    (folder, path)
}

fn empty_the_disk(folder: &Path, path: &Path) -> PathBuf {
    let real = folder.join("real.jsonl");
    let link = folder.join("link");
    symlink(&real, &link).unwrap();
    fs::rename(&link, path).unwrap();
    real
}

#[tokio::test]
async fn on_a_full_disk_calls_are_refused_and_no_admitted_one_loses_its_record() {
    let (folder, path) = full_disk();
    let (audit, registry) = start(&path, 4, OnFull::Deny);
    let admitted = [audit.open(), audit.open()];
    for open in &admitted {
        open.admit().unwrap();
    }
    let mut first = audit.open();
    first.admit().unwrap();
    first.record().path = Some(Box::from("/first"));
    first.close(Outcome::Complete);
    until("the failure", || {
        matches!(audit.state(), State::Failing { .. })
    })
    .await;
    let State::Failing { error, .. } = audit.state() else {
        panic!("{:?}", audit.state());
    };
    assert!(error.contains("No space left"), "{error}");
    assert_eq!(value(&registry, "lictor_audit_failing"), 1);

    // Refused because writing fails; the refusal waits in the last place.
    let mut refused = audit.open();
    let refusal = refused.admit().unwrap_err();
    assert_eq!(refusal.reason, Reason::AuditUnavailable);
    refused.record().refuse(&refusal);
    refused.close(Outcome::Refused);
    // Refused because there is no place either: counted, and told by the file later.
    for _ in 0..5 {
        let refused = audit.open();
        assert!(refused.admit().is_err());
        refused.close(Outcome::Refused);
    }
    assert_eq!(value(&registry, "lictor_audit_lost_total"), 5);

    let real = empty_the_disk(folder.path(), &path);
    until("the recovery", || {
        !matches!(audit.state(), State::Failing { .. })
    })
    .await;
    for open in admitted {
        open.close(Outcome::Complete);
    }
    audit.open().admit().unwrap();
    audit.shutdown(DEADLINE).await.unwrap();
    let lines = lines(&real);
    let count = |name: &str, wanted: &str| lines.iter().filter(|line| line[name] == wanted).count();
    assert_eq!(count("path", "/first"), 1);
    assert_eq!(count("outcome", "complete"), 3);
    assert_eq!(count("reason", "audit-unavailable"), 1);
    let losses = lines.iter().filter(|line| line["kind"] == "loss");
    assert_eq!(
        losses
            .map(|line| line["records"].as_u64().unwrap())
            .sum::<u64>(),
        5
    );
    assert_eq!(value(&registry, "lictor_audit_failing"), 0);
    assert_eq!(audit.state(), State::Healthy);
}

#[tokio::test]
async fn with_drop_calls_pass_and_the_loss_is_counted() {
    let (_folder, path) = full_disk();
    let (audit, registry) = start(&path, 2, OnFull::Drop);
    for _ in 0..7 {
        let open = audit.open();
        open.admit().unwrap();
        open.close(Outcome::Complete);
    }
    assert_eq!(value(&registry, "lictor_audit_lost_total"), 5);
    assert_eq!(value(&registry, "lictor_audit_queue"), 2);
}

#[tokio::test]
async fn too_many_open_calls_are_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, _) = start(&folder.path().join("audit.jsonl"), 1, OnFull::Deny);
    let open = audit.open();
    assert_eq!(audit.state(), State::Full { records: 1 });
    assert!(audit.open().admit().is_err());
    drop(open);
    until("a free place", || audit.state() == State::Healthy).await;
}

#[tokio::test]
async fn shutdown_waits_for_open_records_but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (audit, _) = start(&path, 8, OnFull::Deny);
    let open = audit.open();
    let closing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        open.close(Outcome::Complete);
    });
    audit.shutdown(DEADLINE).await.unwrap();
    closing.await.unwrap();
    assert_eq!(lines(&path).len(), 1);
    // Nobody writes any more: late records are counted as lost, not waited for.
    audit.open().close(Outcome::Complete);
    audit.shutdown(DEADLINE).await.unwrap();

    let (_folder, path) = full_disk();
    let (audit, _) = start(&path, 8, OnFull::Deny);
    audit.open().close(Outcome::Complete);
    let kept = audit.open();
    let unwritten = audit
        .shutdown(Duration::from_millis(200))
        .await
        .unwrap_err();
    assert_eq!(unwritten.records, 2);
    drop(kept);
}

#[tokio::test]
async fn a_second_process_is_told_that_the_file_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (_audit, _) = start(&path, 8, OnFull::Deny);
    let config = Config {
        path,
        queue: 8,
        on_full: OnFull::Deny,
    };
    let origin = Origin {
        instance: Arc::from("i-2"),
        agent: Arc::from("quotes-agent"),
    };
    let metrics = Metrics::new(&Registry::new().unwrap()).unwrap();
    let error = Audit::start(&config, origin, metrics).unwrap_err();
    assert!(matches!(error, StartError::Locked { .. }), "{error}");
}

/// Names the sink of a test that runs in a process of its own, to which a test passes itself on.
const CHILD: &str = "LICTOR_TEST_AUDIT";

/// The sink, if this process is such a child.
fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs the test `name` of this program once more, in a process of its own, by a shell that first does
/// `limits`, and gives back what it wrote to standard output.
fn child(name: &str, limits: &str, path: &Path) -> String {
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{limits} exec \"$0\" \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("audit::tests::{name}"), "--nocapture"])
        .env(CHILD, path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 passed"), "{text}");
    text
}

async fn fill(path: &Path) {
    let (audit, _) = start(path, 100, OnFull::Deny);
    for _ in 0..50 {
        audit.open().close(Outcome::Complete);
    }
    until("the failure", || {
        matches!(audit.state(), State::Failing { .. })
    })
    .await;
    let _unwritten = audit.shutdown(Duration::from_millis(100)).await;
}

/// A size limit takes part of a write and refuses the rest, as a disk that runs full does.
#[tokio::test]
async fn a_file_that_may_not_grow_holds_whole_lines_only() {
    if let Some(path) = child_path() {
        return fill(&path).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // Blocks of 512 or of 1024 bytes, as the shell will have it.
    child(
        "a_file_that_may_not_grow_holds_whole_lines_only",
        "trap '' XFSZ; ulimit -f 2;",
        &path,
    );
    let lines = lines(&path);
    assert!((1..50).contains(&lines.len()), "{}", lines.len());
    let length = fs::metadata(&path).unwrap().len();
    assert!(length <= 2048, "{length}");
}

async fn write_three(path: &Path) {
    let (audit, _) = start(path, 100, OnFull::Deny);
    // The test harness has not ended its own line yet.
    println!();
    for _ in 0..3 {
        audit.open().close(Outcome::Complete);
    }
    audit.shutdown(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn standard_output_is_a_sink_too() {
    if let Some(path) = child_path() {
        return write_three(&path).await;
    }
    let text = child("standard_output_is_a_sink_too", "", Path::new("-"));
    let records = text.lines().filter(|line| line.starts_with("{\"v\":1,"));
    assert_eq!(records.count(), 3, "{text}");
}
