//! What judging a condition costs: nanoseconds, beside a general interpreter of the language.
//!
//! `cargo bench --bench conditions`; a word after `--` picks conditions. `cel` gets its values made before the
//! clock starts: what it costs to make them for each call is not counted.

#![expect(clippy::unwrap_used, reason = "a program that measures")]

use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;

use cel::Value as CelValue;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use lictor::policy::condition::{Attribute, Attributes, Condition, Path, Phase, Value};

/// Name, ours, and the same in CEL where that has words for it.
const CONDITIONS: &[(&str, &str, Option<&str>)] = &[
    (
        "night",
        "!between(time, '07:00', '19:00', 'Europe/London')",
        Some("!(time.getHours('Europe/London') >= 7 && time.getHours('Europe/London') < 19)"),
    ),
    (
        "two approvers",
        "args.amount > 10000 && !has(claims.second_approver)",
        Some("args.amount > 10000 && !has(claims.second_approver)"),
    ),
    (
        "tenants",
        "caller.tenant in ['acme', 'globex', 'initech'] && caller.rank >= 2",
        Some("caller.tenant in ['acme', 'globex', 'initech'] && caller.rank >= 2"),
    ),
    (
        "network",
        "cidr(source.ip, '192.168.0.0/16', '10.0.0.0/8')",
        None,
    ),
    (
        "five parts",
        "caller.identity == 'corp' && 'analysts' in caller.groups && caller.rank >= 2 && size(args.symbol) <= 12 && cidr(source.ip, '10.0.0.0/8')",
        Some(
            "caller.identity == 'corp' && 'analysts' in caller.groups && caller.rank >= 2 && size(args.symbol) <= 12 && source.ip.startsWith('10.')",
        ),
    ),
    (
        "pattern",
        "args.symbol.matches('^[A-Z]{1,6}$')",
        Some("args.symbol.matches('^[A-Z]{1,6}$')"),
    ),
];

fn conditions(criterion: &mut Criterion) {
    let call = Call::new();
    let mut group = criterion.benchmark_group("conditions");
    for (name, text, cel) in CONDITIONS {
        let condition = Condition::parse(text, Phase::Request).unwrap();
        let outcome = condition.evaluate(&call).unwrap();
        group.bench_function(format!("{name}/lictor"), |bencher| {
            bencher.iter(|| black_box(&condition).evaluate(black_box(&call)));
        });
        if let Some(text) = cel {
            let program = cel::Program::compile(text).unwrap();
            let context = context();
            assert_eq!(program.execute(&context).unwrap(), CelValue::Bool(outcome));
            group.bench_function(format!("{name}/cel"), |bencher| {
                bencher.iter(|| black_box(&program).execute(black_box(&context)));
            });
        }
    }
    let text = CONDITIONS.iter().map(|(_, text, _)| *text);
    group.bench_function("parse all/lictor", |bencher| {
        bencher.iter(|| {
            let parse = |text| Condition::parse(text, Phase::Request);
            text.clone().map(parse).filter(Result::is_ok).count()
        });
    });
    group.finish();
}

struct Call {
    groups: Vec<Box<str>>,
    args: serde_json::Value,
    claims: serde_json::Value,
    time: Timestamp,
    ip: IpAddr,
}

const TIME: &str = "2026-11-20T14:02:00Z";

impl Call {
    fn new() -> Self {
        Self {
            groups: vec!["staff".into(), "analysts".into()],
            args: serde_json::json!({ "amount": 12000, "symbol": "ACME" }),
            claims: serde_json::json!({ "sub": "ana" }),
            time: TIME.parse().unwrap(),
            ip: [10, 1, 2, 3].into(),
        }
    }
}

impl Attributes for Call {
    fn attribute(&self, path: &Path) -> Option<Value<'_>> {
        match path.attribute() {
            Attribute::Args => path.walk(&self.args),
            Attribute::Claims => path.walk(&self.claims),
            Attribute::CallerGroups => Some(Value::Texts(&self.groups)),
            Attribute::CallerIdentity => Some(Value::Text("corp")),
            Attribute::CallerRank => Some(Value::Int(2)),
            Attribute::CallerTenant => Some(Value::Text("initech")),
            Attribute::SourceIp => Some(Value::Ip(self.ip)),
            Attribute::Time => Some(Value::Time(self.time)),
            _ => None,
        }
    }
}

fn context() -> cel::Context<'static, 'static> {
    let text = |text: &str| CelValue::from(text);
    let groups: CelValue = vec![text("staff"), text("analysts")].into();
    let map =
        |members: Vec<(&'static str, CelValue)>| members.into_iter().collect::<HashMap<_, _>>();
    let mut context = cel::Context::default();
    context.add_variable_from_value(
        "args",
        map(vec![
            ("amount", CelValue::Int(12000)),
            ("symbol", text("ACME")),
        ]),
    );
    context.add_variable_from_value("claims", map(vec![("sub", text("ana"))]));
    context.add_variable_from_value("source", map(vec![("ip", text("10.1.2.3"))]));
    context.add_variable_from_value("time", CelValue::Timestamp(TIME.parse().unwrap()));
    let caller = vec![
        ("groups", groups),
        ("identity", text("corp")),
        ("rank", CelValue::Int(2)),
        ("tenant", text("initech")),
    ];
    context.add_variable_from_value("caller", map(caller));
    context
}

criterion_group!(benches, conditions);
criterion_main!(benches);
