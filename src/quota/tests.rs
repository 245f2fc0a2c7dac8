//! What the quotas promise.

mod calendars;
mod gates;
mod tasks;
mod tokens;
mod windows;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::gcra::{Limit, Verdict};
use super::*;
use crate::model::{
    Action, ActionPattern, Call, Credential, Dialect, Facts, IdentityName, Operation, Principal,
    PrincipalId, Protocol, Reason, Refusal, RuleRef, TenantId,
};
use crate::policy::{self, Effect, Permit, PolicySet, Rule, Sources};

fn quota(name: &str, count: u32, burst: u32, per: &[Dimension]) -> Quota {
    Quota {
        mode: crate::model::Mode::Enforce,
        tenants: Vec::new(),
        rule: Arc::new(RuleRef {
            name: Arc::from(name),
            place: None,
        }),
        measure: Measure::Rate {
            rates: Rates::Fixed(rate(count)),
            burst: NonZeroU32::new(burst),
        },
        count: Count::Calls,
        per: per.to_vec(),
        on: Vec::new(),
    }
}

fn rate(count: u32) -> Rate {
    Rate {
        count: NonZeroU32::new(count).unwrap(),
        period: Duration::from_secs(60),
    }
}

fn compile(quotas: Vec<Quota>) -> Quotas {
    Quotas::compile(Config { quotas })
}

fn action(method: &'static str, name: Option<&str>) -> Action {
    Action {
        name: name.map(Box::from),
        ..Action::known(Protocol::A2a, method)
    }
}

fn call(method: &'static str) -> Call {
    Call {
        action: action(method, None),
        http: None,
        operation: Operation::Other,
        dialect: Dialect::JsonRpc,
        rpc_id: None,
        task: None,
        references: Vec::new(),
        context: None,
        session: None,
        hook: None,
        addressed: None,
    }
}

fn principal(identity: &str, id: &str, tenant: &str) -> Principal {
    Principal {
        identity: IdentityName::new(identity).unwrap(),
        id: PrincipalId::new(id).unwrap(),
        tenant: TenantId::new(tenant).unwrap(),
        groups: Vec::new(),
        claims: None,
        credential: Credential::default(),
    }
}

/// Permits come from the policy alone, also here.
fn permit() -> Permit {
    let set = PolicySet::compile(policy::Config {
        rules: vec![Rule {
            rule: Arc::new(RuleRef {
                name: Arc::from("all"),
                place: None,
            }),
            effect: Effect::Allow,
            mode: crate::model::Mode::Enforce,
            actions: vec![ActionPattern::parse("a2a:*").unwrap()],
            when: None,
            from: Some(Sources {
                anonymous: true,
                ..Sources::default()
            }),
            say: None,
        }],
        ..policy::Config::default()
    });
    let (call, facts) = (call("GetTask"), Facts::default());
    let at = jiff::Timestamp::UNIX_EPOCH;
    let principal = Principal::anonymous();
    let decision = set.decide(&policy::Question {
        agent: "quotes-agent",
        principal: &principal,
        call: &call,
        facts: &facts,
        source: None,
        request: policy::RequestFacts::default(),
        at,
    });
    decision.into_permit().unwrap()
}

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// Of quotas that let nobody wait.
fn admitted(admitted: Result<Admitted, Refusal>) -> Result<Admission, Refusal> {
    admitted.map(|admitted| match admitted {
        Admitted::Now(admission) => admission,
        Admitted::Queued(queued) => panic!("{queued:?}"),
    })
}

struct Bench {
    store: Arc<Store>,
    start: Instant,
}

impl Bench {
    fn new(capacity: usize) -> Self {
        let start = crate::clock::now();
        Self {
            store: Arc::new(Store::new(capacity, start)),
            start,
        }
    }

    fn admit(&self, quotas: &Quotas, who: &Principal, seconds: u64) -> Result<Admission, Refusal> {
        self.admit_from(quotas, who, SOURCE, seconds)
    }

    fn admit_from(
        &self,
        quotas: &Quotas,
        who: &Principal,
        source: IpAddr,
        seconds: u64,
    ) -> Result<Admission, Refusal> {
        let action = action("SendMessage", Some("quote-1"));
        let subject = self.subject(who, &action, source, seconds);
        admitted(quotas.admit(&self.store, permit(), &subject, Turn::default()))
    }

    /// On the wall it is noon of 2026-01-01 in Greenwich when the clock starts.
    fn subject<'a>(
        &self,
        principal: &'a Principal,
        action: &'a Action,
        source: IpAddr,
        seconds: u64,
    ) -> Subject<'a> {
        let noon = jiff::Timestamp::constant(1_767_268_800, 0);
        Subject {
            agent: "quotes-agent",
            principal,
            action,
            begins_task: false,
            tokens: Estimate::default(),
            source,
            now: self.start + Duration::from_secs(seconds),
            at: noon + jiff::SignedDuration::from_secs(seconds.try_into().unwrap()),
        }
    }
}

#[test]
fn a_burst_passes_then_one_call_per_interval() {
    let quotas = compile(vec![quota("q", 6, 3, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    for left in [2, 1, 0] {
        let admission = bench.admit(&quotas, &ana, 0).unwrap();
        assert_eq!(admission.standings()[0].remaining, left);
        assert_eq!(&*admission.rule().name, "all");
    }
    let refusal = bench.admit(&quotas, &ana, 4).unwrap_err();
    assert_eq!(refusal.reason, Reason::RateLimited);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(6)));
    assert_eq!(&*refusal.rule.unwrap().name, "q");
    let standing = &refusal.standings[0];
    assert_eq!((standing.limit, standing.remaining), (6, 0));
    assert_eq!(standing.window, Some(Duration::from_secs(60)));
    // Nothing is left: not when it is whole, but when the next one passes.
    assert_eq!(standing.reset, Some(Duration::from_secs(6)));
    assert!(bench.admit(&quotas, &ana, 10).is_ok());
    assert!(bench.admit(&quotas, &ana, 10).is_err());
}

#[test]
fn a_refusal_consumes_nothing_of_the_other_quotas() {
    let quotas = compile(vec![
        quota("wide", 60, 5, &[Dimension::Tenant]),
        quota("narrow", 1, 2, &[Dimension::Principal]),
    ]);
    let bench = Bench::new(100);
    let (ana, bob) = (
        principal("corp", "ana", "acme"),
        principal("corp", "bob", "acme"),
    );
    for _ in 0..2 {
        bench.admit(&quotas, &ana, 0).unwrap();
    }
    for _ in 0..20 {
        let refusal = bench.admit(&quotas, &ana, 0).unwrap_err();
        assert_eq!(&*refusal.standings[0].quota, "narrow");
        assert_eq!(&*refusal.standings[1].quota, "wide");
        assert_eq!(refusal.standings[1].remaining, 3);
    }
    // The greedy caller took two of the tenant's five; the other still has its own two.
    assert!(bench.admit(&quotas, &bob, 0).is_ok());
    assert_eq!(
        bench.admit(&quotas, &bob, 0).unwrap().standings()[1].remaining,
        1
    );
}

#[test]
fn retry_after_is_when_all_spent_quotas_would_pass() {
    let quotas = compile(vec![
        quota("narrow", 60, 1, &[Dimension::Principal]),
        quota("wide", 1, 1, &[Dimension::Tenant]),
    ]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    bench.admit(&quotas, &ana, 0).unwrap();
    let refusal = bench.admit(&quotas, &ana, 0).unwrap_err();
    assert_eq!(&*refusal.rule.unwrap().name, "narrow");
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(60)));
    assert!(bench.admit(&quotas, &ana, 60).is_ok());
}

#[test]
fn each_tenant_has_the_rate_of_its_tier() {
    let mut tiered = quota("q", 1, 1, &[Dimension::Tenant]);
    tiered.measure = Measure::Rate {
        rates: Rates::ByTenant {
            named: [(TenantId::new("acme").unwrap(), rate(5))].into(),
            others: rate(2),
        },
        burst: None,
    };
    let quotas = compile(vec![tiered]);
    let bench = Bench::new(100);
    let passes = |tenant| {
        let who = principal("corp", "ana", tenant);
        (0..10)
            .filter(|_| bench.admit(&quotas, &who, 0).is_ok())
            .count()
    };
    assert_eq!(
        (passes("acme"), passes("globex"), passes("initech")),
        (5, 2, 2)
    );
    let anonymous = (0..10).filter(|_| bench.admit(&quotas, &Principal::anonymous(), 0).is_ok());
    assert_eq!(anonymous.count(), 2);
}

#[test]
fn callers_are_counted_by_identity_and_id() {
    let quotas = compile(vec![quota("q", 1, 1, &[Dimension::Principal])]);
    let bench = Bench::new(100);
    assert!(
        bench
            .admit(&quotas, &principal("corp", "ana", "acme"), 0)
            .is_ok()
    );
    assert!(
        bench
            .admit(&quotas, &principal("partners", "ana", "acme"), 0)
            .is_ok()
    );
    assert!(
        bench
            .admit(&quotas, &principal("corp", "ana", "globex"), 0)
            .is_err()
    );
}

#[test]
fn callers_without_a_credential_are_counted_by_network() {
    for per in [Dimension::Principal, Dimension::Tenant] {
        let quotas = compile(vec![quota("q", 1, 1, &[per])]);
        let bench = Bench::new(100);
        let from = |source: &str| {
            let source = source.parse().unwrap();
            bench
                .admit_from(&quotas, &Principal::anonymous(), source, 0)
                .is_ok()
        };
        assert!(from("192.0.2.1"));
        assert!(!from("::ffff:192.0.2.1"), "the same address");
        assert!(from("192.0.2.2"));
        assert!(from("2001:db8::1"));
        assert!(!from("2001:db8::2"), "the same /64");
    }
}

#[test]
fn a_quota_on_a_name_counts_calls_without_one() {
    let mut on_exports = quota("q", 1, 1, &[Dimension::Principal]);
    on_exports.on = vec![ActionPattern::parse("a2a:SendMessage export-*").unwrap()];
    let quotas = compile(vec![on_exports]);
    let bench = Bench::new(100);
    let ana = principal("corp", "ana", "acme");
    let admit = |method, name| {
        let action = action(method, name);
        let subject = bench.subject(&ana, &action, SOURCE, 0);
        admitted(quotas.admit(&bench.store, permit(), &subject, Turn::default()))
    };
    assert!(admit("GetTask", None).unwrap().standings().is_empty());
    assert!(
        admit("SendMessage", Some("quote-1"))
            .unwrap()
            .standings()
            .is_empty()
    );
    assert!(admit("SendMessage", None).is_ok());
    assert!(admit("SendMessage", Some("export-1")).is_err());
}

#[test]
fn a_reload_carries_counters_over_and_adapts_the_rate() {
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let slow = compile(vec![quota("q", 1, 4, &[Dimension::Principal])]);
    for _ in 0..4 {
        bench.admit(&slow, &ana, 0).unwrap();
    }
    let same = compile(vec![quota("q", 1, 4, &[Dimension::Principal])]);
    assert!(bench.admit(&same, &ana, 0).is_err(), "no fresh burst");
    // Four calls are used, which at the new rate are paid for in four seconds, not in four minutes.
    let fast = compile(vec![quota("q", 60, 4, &[Dimension::Principal])]);
    let refusal = bench.admit(&fast, &ana, 0).unwrap_err();
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
    assert!(bench.admit(&fast, &ana, 1).is_ok());
    let renamed = compile(vec![quota("p", 1, 4, &[Dimension::Principal])]);
    assert!(bench.admit(&renamed, &ana, 1).is_ok());
}

#[test]
fn a_full_store_refuses_new_keys_and_never_forgets_live_ones() {
    let quotas = compile(vec![quota("q", 1, 1, &[Dimension::Principal])]);
    let bench = Bench::new(64);
    let callers: Vec<_> = (0..2000)
        .map(|n| principal("corp", &format!("c{n}"), "acme"))
        .collect();
    let (passed, refused): (Vec<_>, Vec<_>) = callers
        .iter()
        .map(|who| (who, bench.admit(&quotas, who, 0)))
        .partition(|(_, result)| result.is_ok());
    assert!(!passed.is_empty() && passed.len() <= 64 && bench.store.len() == passed.len());
    assert!(refused.iter().all(|(_, result)| {
        result
            .as_ref()
            .is_err_and(|refusal| refusal.reason == Reason::Overloaded)
    }));
    for (who, _) in &passed {
        let refusal = bench.admit(&quotas, who, 0).unwrap_err();
        assert_eq!(refusal.reason, Reason::RateLimited, "{who:?} was forgotten");
    }
    // A minute later everybody is idle, and there is room again.
    assert!(bench.admit(&quotas, refused[0].0, 61).is_ok());
}

#[test]
fn threads_together_get_no_more_than_the_burst() {
    let quotas = compile(vec![
        quota("narrow", 1, 50, &[Dimension::Principal]),
        quota("wide", 1, 30, &[Dimension::Tenant]),
    ]);
    let bench = Bench::new(1000);
    let passed: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let (bench, quotas) = (&bench, &quotas);
                let who = principal("corp", &format!("c{n}"), "acme");
                scope.spawn(move || {
                    (0..50)
                        .filter(|_| bench.admit(quotas, &who, 0).is_ok())
                        .count()
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    assert_eq!(passed, 30);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // In every window, not only from the start: the promise is about any stretch of time.
    #[test]
    fn no_more_than_burst_plus_rate_times_time(
        count in 1u32..5000,
        period in 1u64..100_000,
        burst in 1u32..50,
        gaps in prop::collection::vec(0u64..2_000_000_000, 1..200),
    ) {
        let rate = Rate {
            count: NonZeroU32::new(count).unwrap(),
            period: Duration::from_secs(period),
        };
        let limit = Limit::new(rate.interval(), burst);
        let (mut state, mut now, mut passed) = (None, 0, Vec::new());
        for gap in gaps {
            now += gap;
            match limit.check(state, now) {
                Verdict::Fits(next) => {
                    state = Some(next);
                    passed.push(now);
                }
                Verdict::Wait(nanos) => {
                    // The wait is exact: not a nanosecond earlier, and then it fits.
                    prop_assert!(matches!(limit.check(state, now + nanos), Verdict::Fits(_)));
                    prop_assert!(matches!(limit.check(state, now + nanos - 1), Verdict::Wait(_)));
                    prop_assert_eq!(limit.remaining(state, now), 0);
                }
            }
        }
        for (from, start) in passed.iter().enumerate() {
            for (to, end) in passed.iter().enumerate().skip(from) {
                let calls = u128::try_from(to - from + 1).unwrap();
                let earned = u128::from(end - start) * u128::from(count)
                    / Duration::from_secs(period).as_nanos();
                prop_assert!(calls <= u128::from(burst) + earned);
            }
        }
    }

    #[test]
    fn what_remains_is_what_passes(burst in 1u32..30, used in 0u32..40) {
        let limit = Limit::new(1_000, burst);
        let mut state = None;
        for _ in 0..used {
            if let Verdict::Fits(next) = limit.check(state, 5) {
                state = Some(next);
            }
        }
        let remaining = limit.remaining(state, 5);
        let mut passed = 0;
        while let Verdict::Fits(next) = limit.check(state, 5) {
            state = Some(next);
            passed += 1;
        }
        prop_assert_eq!(passed, remaining);
    }

    #[test]
    fn any_limit_ends_some_time(interval in any::<u64>(), burst in any::<u32>(), now in 0..u64::MAX / 4) {
        let limit = Limit::new(interval, burst.clamp(1, 64));
        let mut state = None;
        let passed = (0..=64).filter(|_| match limit.check(state, now) {
            Verdict::Fits(next) => { state = Some(next); true }
            Verdict::Wait(_) => false,
        }).count();
        prop_assert!(passed <= 64);
    }
}
