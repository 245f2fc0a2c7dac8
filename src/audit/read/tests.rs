use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::line;
use super::super::record::{self, Decision, Outcome, Record};
use super::super::start::Origin;
use super::*;
use crate::model::{
    Action, ContextId, Credential, DecisionId, Dialect, Finding as Found, IdentityName, LeakAction,
    Operation, Ownership, Place, Principal, PrincipalId, Protocol, Reason, RequestId, RuleRef,
    Severity, ShadowVerdict, TaskId, TenantId, TraceId,
};

fn rule(name: &str, line: Option<u32>) -> Arc<RuleRef> {
    Arc::new(RuleRef {
        name: Arc::from(name),
        place: line.map(|line| Place {
            file: Arc::from("policies/desk.yaml"),
            line,
        }),
    })
}

/// A record in which every field says something.
fn full() -> Record {
    let mut captured = super::super::Captured::default();
    captured.note(&Arc::from("args.amount"), Some(&json!(10)));
    captured.note(
        &Arc::from("args['odd \"name\"']"),
        Some(&json!({"a": [1, null]})),
    );
    captured.note(&Arc::from("claims"), None::<&Value>);
    captured.note(&Arc::from("args.text"), Some(&"x".repeat(9999)));
    let mut record = Record {
        decision_id: Some(DecisionId::new(Uuid::from_u128(7))),
        request_id: RequestId::new("r-1").ok(),
        trace_id: std::num::NonZeroU128::new(9).map(TraceId::new),
        tunnel: Some(DecisionId::new(Uuid::from_u128(8))),
        batch: Some(DecisionId::new(Uuid::from_u128(9))),
        generation: Some(record::Generation {
            number: 3,
            hash: Arc::from("0a1b2c3d4e5f"),
        }),
        principal: Some(Arc::new(Principal {
            identity: IdentityName::new("corp").unwrap(),
            id: PrincipalId::new("ana \"the\" analyst").unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            groups: (0..70).map(|group| format!("g{group}").into()).collect(),
            claims: None,
            credential: Credential::default(),
        })),
        beside: vec![Principal::anonymous()],
        source: Some(SocketAddr::from(([192, 0, 2, 1], 4711))),
        listener: Some(Arc::from("inner")),
        agent_port: Some(9001),
        client_certificate: Some(Box::from("ab12")),
        dialect: Some(Dialect::Http),
        action: Some(Action {
            name: Some(Box::from("quote equity")),
            ..Action::known(Protocol::A2a, "SendMessage")
        }),
        operation: Some(Operation::SendMessage),
        task: TaskId::new("t-1").ok(),
        context: ContextId::new("c-1").ok(),
        references: vec![TaskId::new("t-0").unwrap()],
        facts: Some(crate::model::Facts {
            task: Ownership::Mine,
            context: Ownership::NotMine,
            session: Ownership::Mine,
        }),
        http_method: Some(http::Method::POST),
        path: Some(Box::from("/a2a%20b")),
        captured: Some(Box::new(captured)),
        decision: Decision::Deny,
        reason: Some(Reason::RateLimited),
        rule: Some(rule("fair-share", Some(14))),
        shadow: Some(ShadowVerdict::Deny(rule("watched", Some(3)))),
        candidate: Some(ShadowVerdict::Allow(rule("tried", None))),
        quota: Some(Arc::from("fair-share")),
        detail: Some(Box::from("spent\n")),
        status: Some(429),
        upstream_status: Some(200),
        request_bytes: 1,
        response_bytes: 2,
        upstream: Duration::from_micros(3),
        downstream: Duration::from_micros(4),
        held_bytes_max: 5,
        scrubbed_errors: 2,
        outcome: Some(Outcome::Refused),
        time: Timestamp::from_microsecond(1_795_772_096_000_042).unwrap(),
        duration: Duration::from_micros(100),
        ..Record::default()
    };
    record.found(&Found {
        detector: "pii.email",
        action: LeakAction::Redact,
        allowed_by: Some("test-cards"),
        severity: Severity::Medium,
        channel: Arc::from("body"),
        offset: 3,
        length: 9,
        preview: Box::from("****"),
        fingerprint: Box::from("0123"),
    });
    record
}

fn written(record: &Record) -> Vec<u8> {
    let origin = Origin {
        instance: Arc::from("i-1"),
        agent: Arc::from("quotes-agent"),
    };
    let mut out = Vec::new();
    line::call(&mut out, &origin, 12, record);
    assert_eq!(out.pop(), Some(b'\n'));
    out
}

fn read(record: &Record) -> Call {
    match Line::parse(&written(record)) {
        Line::Call(call) => *call,
        line @ (Line::Other | Line::Strange(_)) => panic!("{line:?}"),
    }
}

#[test]
fn every_field_that_is_written_is_read_back_the_same() {
    for record in [full(), Record::default()] {
        let mut line: Value = serde_json::from_slice(&written(&record)).unwrap();
        let object = line.as_object_mut().unwrap();
        assert_eq!(object.remove("v"), Some(json!(1)));
        assert_eq!(object.remove("kind"), Some(json!("call")));
        assert_eq!(serde_json::to_value(read(&record)).unwrap(), line);
    }
    // Nothing of a full record is left out of its line, so that nothing was compared with nothing.
    let line: Value = serde_json::from_slice(&written(&full())).unwrap();
    let named = serde_json::to_value(full_call()).unwrap();
    for key in named.as_object().unwrap().keys() {
        assert!(line.get(key).is_some(), "{key}");
    }
}

/// A call in which every field says something.
fn full_call() -> Call {
    read(&full())
}

#[test]
fn what_was_asked_is_what_was_recorded() {
    let mut record = full();
    assert_eq!(read(&record).asked().unwrap_err(), Unfit::Cut("groups"));
    let mut principal = (**record.principal.as_ref().unwrap()).clone();
    principal.groups.truncate(3);
    record.principal = Some(Arc::new(principal));
    let asked = read(&record).asked().unwrap();
    assert_eq!(Some(&asked.caller), record.principal.as_ref());
    assert_eq!(Some(&asked.call.action), record.action.as_ref());
    assert_eq!(Some(asked.facts), record.facts);
    assert_eq!(Some(asked.source), record.source.map(|source| source.ip()));
    assert_eq!(asked.at, record.time);
    assert_eq!((asked.reason, asked.passed), (record.reason, false));
    assert_eq!(read(&record).whole_path(), Ok("/a2a%20b"));
}

#[test]
fn every_word_of_the_writer_is_known_to_the_reader() {
    let mut record = full();
    record.principal = Some(Principal::anonymous());
    for operation in line::OPERATIONS {
        record.operation = Some(*operation);
        assert_eq!(read(&record).asked().unwrap().call.operation, *operation);
    }
    for dialect in Dialect::ALL {
        record.dialect = Some(*dialect);
        assert_eq!(read(&record).asked().unwrap().call.dialect, *dialect);
    }
    for ownership in line::OWNERSHIPS {
        record.facts = Some(crate::model::Facts {
            task: *ownership,
            context: Ownership::Absent,
            session: Ownership::Absent,
        });
        assert_eq!(Some(read(&record).asked().unwrap().facts), record.facts);
    }
    for reason in Reason::ALL {
        record.reason = Some(*reason);
        assert_eq!(read(&record).asked().unwrap().reason, Some(*reason));
    }
}

#[test]
fn what_a_record_does_not_tell_is_not_guessed() {
    let mut record = full();
    record.principal = Some(Principal::anonymous());
    let unfit = |change: fn(&mut Call)| {
        let mut call = read(&record);
        change(&mut call);
        call.asked().unwrap_err()
    };
    assert_eq!(unfit(|call| call.facts = None), Unfit::NotAsked);
    let unreadable = |change, field| assert_eq!(unfit(change), Unfit::Unreadable(field));
    unreadable(|call| call.action = None, "action");
    unreadable(
        |call| call.operation = Some("dance".to_owned()),
        "operation",
    );
    unreadable(|call| call.reason = Some("bored".to_owned()), "reason");
    unreadable(|call| call.source = None, "source");
    unreadable(|call| call.time = "noon".to_owned(), "time");
    unreadable(|call| call.decision = "perhaps".to_owned(), "decision");
    unreadable(|call| call.identity = None, "identity");
    let mut long = Record::default();
    long.http(&http::Method::GET, &format!("/{}", "é".repeat(3000)));
    assert_eq!(read(&long).whole_path(), Err(Unfit::Cut("path")));
    let mut edge = Record::default();
    edge.http(&http::Method::GET, &format!("/{}", "𝄞".repeat(600)));
    assert_eq!(read(&edge).whole_path(), Err(Unfit::Cut("path")));
}

#[test]
fn a_file_is_read_to_its_end_whatever_stands_in_it() {
    let whole = written(&full());
    let mut file = Vec::new();
    file.extend_from_slice(b"not ours\n\n  \n");
    file.extend_from_slice(&whole);
    file.push(b'\n');
    file.extend_from_slice(
        b"{\"v\":2,\"kind\":\"call\"}\n{\"v\":1,\"kind\":\"reload\",\"agent\":7}\n",
    );
    file.extend_from_slice(b"{\"v\":1,\"kind\":\"call\",\"time\":7}\n");
    file.extend(std::iter::repeat_n(b'x', 3 << 20));
    file.push(b'\n');
    file.extend_from_slice(&[0xff, 0xfe, b'\n']);
    file.extend_from_slice(whole.get(..40).unwrap());
    let mut lines = Lines::new(&file[..]);
    let mut found = Vec::new();
    while let Some(line) = lines.next(|_| true).unwrap() {
        let word = match line {
            Line::Call(call) => call.sequence.to_string(),
            Line::Other => "other".to_owned(),
            Line::Strange(strange) => strange.to_string(),
        };
        found.push((lines.number(), word));
    }
    let found: Vec<_> = found
        .iter()
        .map(|(at, word)| (*at, word.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (1, "no audit record"),
            (4, "12"),
            (5, "of a later format"),
            (6, "other"),
            (7, "no audit record"),
            (8, "longer than an audit record"),
            (9, "no audit record"),
            (10, "unfinished at the end of the file"),
        ]
    );
    // A record is whole also without its line feed.
    let mut lines = Lines::new(&whole[..]);
    assert!(matches!(lines.next(|_| true), Ok(Some(Line::Call(_)))));
    let mut lines = Lines::new(&whole[..]);
    assert!(lines.next(|_| false).unwrap().is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        at: prop::sample::Index,
        length in 0_usize..40,
    ) {
        let mut file = written(&full());
        let at = at.index(file.len());
        file.splice(at..file.len().min(at + length), noise);
        fuzz_read(&file);
    }
}
