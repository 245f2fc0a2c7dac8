//! What a decision costs, by how many rules there are: nanoseconds.
//!
//! `cargo bench --bench decisions`. Rules are about 1,000 tenants, and about the skills that one of them uses;
//! the caller is of one tenant. `compile` reads and compiles the largest policy, text included.

#![expect(clippy::unwrap_used, reason = "a program that measures")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lictor::config::{Policies, parse_policy};
use lictor::model::{
    A2aVersion, Action, Binding, Call, Credential, Dialect, Facts, IdentityName, Operation,
    Principal, PrincipalId, Protocol, TenantId,
};
use lictor::policy::{PolicySet, Question, RequestFacts};

const TENANTS: usize = 1000;

fn policy_of(count: usize) -> String {
    let mut text = String::from(
        "lictor: v1\nidentities:\n  corp: { jwt: { issuer: \"https://idp.example\", audience: quotes-agent } }\nroles:\n  \
         reader: { allow: [a2a:GetTask, a2a:ListTasks], to: { groups: [staff] } }\n  \
         analyst: { inherits: reader, rank: 2, allow: [\"a2a:SendMessage quote-*\", a2a:CancelTask], to: { groups: [analysts] } }\n\
         rules:\n  no-exports: { deny: a2a:SendMessage export-*, when: caller.rank < 5 }\n",
    );
    for rule in 0..count {
        let tenant = rule % TENANTS;
        let _ = match rule % 3 {
            0 => writeln!(
                text,
                "  deny-{rule}: {{ deny: a2a:SendMessage trade-{rule}-*, from: {{ tenants: [t{tenant}] }} }}"
            ),
            1 => writeln!(
                text,
                "  allow-{rule}: {{ allow: a2a:GetTask, from: {{ tenants: [t{tenant}] }} }}"
            ),
            _ => writeln!(
                text,
                "  skill-{rule}: {{ deny: a2a:SendMessage skill-{rule}, when: caller.rank < 3 }}"
            ),
        };
    }
    text
}

fn load(text: &str) -> Policies {
    parse_policy("bench.yaml", text, &[]).unwrap()
}

fn decide(criterion: &mut Criterion) {
    let principal = Principal {
        identity: IdentityName::new("corp").unwrap(),
        id: PrincipalId::new("ana@acme").unwrap(),
        tenant: TenantId::new("t7").unwrap(),
        groups: vec![Box::from("staff"), Box::from("analysts")],
        claims: None,
        credential: Credential::default(),
    };
    let action = |method, name: Option<&str>| Call {
        action: Action {
            name: name.map(Box::from),
            ..Action::known(Protocol::A2a, method)
        },
        http: Some(Action {
            name: Some(Box::from("/")),
            ..Action::known(Protocol::Http, "POST")
        }),
        operation: Operation::Other,
        dialect: Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc),
        rpc_id: None,
        task: None,
        references: Vec::new(),
        context: None,
        session: None,
        hook: None,
        addressed: None,
    };
    let facts = Facts::default();
    let calls = [
        ("allowed", action("SendMessage", Some("quote-equity"))),
        (
            "denied by a rule",
            action("SendMessage", Some("export-all")),
        ),
        ("denied by default", action("SendStreamingMessage", None)),
    ];
    let mut group = criterion.benchmark_group("decide");
    for rules in [10, 1000, 10_000] {
        let set = PolicySet::compile(load(&policy_of(rules)).policy);
        for (name, call) in &calls {
            let question = Question {
                agent: "quotes-agent",
                principal: &principal,
                call,
                facts: &facts,
                source: Some([127, 0, 0, 1].into()),
                request: RequestFacts::default(),
                at: jiff::Timestamp::UNIX_EPOCH,
            };
            group.bench_with_input(
                BenchmarkId::new(*name, rules),
                &question,
                |bench, question| {
                    bench.iter(|| black_box(set.decide(black_box(question))));
                },
            );
        }
    }
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let mut text = policy_of(10_000);
    text.push_str("tenants:\n");
    for tenant in 0..50_000 {
        let _ = writeln!(text, "  t{tenant}: {{}}");
    }
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("10,000 rules and 50,000 tenants", |bench| {
        bench.iter(|| black_box(PolicySet::compile(load(black_box(&text)).policy)));
    });
    group.finish();
}

criterion_group!(benches, decide, compile);
criterion_main!(benches);
