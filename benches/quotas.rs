//! What quotas cost a call: nanoseconds, with 100,000 keys that are remembered.
//!
//! `cargo bench --bench quotas`. Callers come in an order in which no key was used lately. `four` is two rates, a budget of
//! the calendar and a number of calls at once; the end of the call is part of it.

#![expect(clippy::unwrap_used, reason = "a program that measures")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lictor::clock;
use lictor::config::parse_policy;
use lictor::model::{
    A2aVersion, Action, Binding, Call, Credential, Dialect, Facts, IdentityName, Operation,
    Principal, PrincipalId, Protocol, TenantId,
};
use lictor::policy::{Permit, PolicySet, Question, RequestFacts};
use lictor::quota::{Admitted, Estimate, Quotas, Store, Subject, Turn};

/// With two keys for each: 100,000.
const CALLERS: usize = 50_000;

const POLICY: &str = "lictor: v1
identities:
  corp: { jwt: { issuer: \"https://idp.example\", audience: agent } }
roles:
  all: { allow: \"a2a:*\", to: { identity: corp } }
quotas:
";

const FOUR: &str = "  fast: { rate: 1M/s, per: principal }
  day: { calendar: 4000M/day, zone: Europe/Berlin, per: principal }
  tenant: { rate: 1M/s, per: tenant }
  parallel: { concurrent: 1000, per: tenant }
";

const ONE: &str = "  fast: { rate: 1M/s, per: principal }
";

fn caller(number: usize) -> Principal {
    Principal {
        identity: IdentityName::new("corp").unwrap(),
        id: PrincipalId::new(&format!("caller-{number}@acme")).unwrap(),
        tenant: TenantId::new(&format!("t{}", number % 1000)).unwrap(),
        groups: Vec::new(),
        claims: None,
        credential: Credential::default(),
    }
}

fn call() -> Call {
    Call {
        action: Action::known(Protocol::A2a, "GetTask"),
        http: None,
        operation: Operation::GetTask,
        dialect: Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc),
        rpc_id: None,
        task: None,
        references: Vec::new(),
        context: None,
        session: None,
        hook: None,
        addressed: None,
    }
}

struct Bench {
    policy: PolicySet,
    quotas: Quotas,
    store: Arc<Store>,
    callers: Vec<Principal>,
    call: Call,
}

impl Bench {
    fn new(quotas: &str) -> Self {
        let policies = parse_policy("bench.yaml", &format!("{POLICY}{quotas}"), &[]).unwrap();
        let bench = Self {
            policy: PolicySet::compile(policies.policy),
            quotas: Quotas::compile(policies.quotas),
            store: Arc::new(Store::new(1 << 19, clock::now())),
            callers: (0..CALLERS).map(caller).collect(),
            call: call(),
        };
        for number in 0..CALLERS {
            bench.admit(bench.permit(), number);
        }
        bench
    }

    fn permit(&self) -> Permit {
        let question = Question {
            agent: "agent",
            principal: self.callers.first().unwrap(),
            call: &self.call,
            facts: &Facts::default(),
            source: None,
            request: RequestFacts::default(),
            at: clock::wall(),
        };
        self.policy.decide(&question).into_permit().unwrap()
    }

    fn admit(&self, permit: Permit, number: usize) {
        let subject = Subject {
            agent: "agent",
            principal: self.callers.get(number % CALLERS).unwrap(),
            action: &self.call.action,
            begins_task: false,
            tokens: Estimate::default(),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            now: clock::now(),
            at: clock::wall(),
        };
        let admitted = self
            .quotas
            .admit(&self.store, permit, &subject, Turn::default());
        assert!(matches!(black_box(admitted), Ok(Admitted::Now(_))));
    }
}

fn quotas(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("quotas");
    for (name, quotas) in [
        (
            "none",
            "  other: { rate: 1/s, per: agent, on: \"a2a:CancelTask\" }\n",
        ),
        ("one", ONE),
        ("four", FOUR),
    ] {
        let bench = Bench::new(quotas);
        let mut number = 0;
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    // Far from the last, and every caller comes once before one comes again.
                    number = (number + 7919) % CALLERS;
                    (bench.permit(), number)
                },
                |(permit, number)| bench.admit(permit, number),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, quotas);
criterion_main!(benches);
