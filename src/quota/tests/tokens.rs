//! Tokens.

use super::*;
use crate::model::TokenUse;
use crate::quota::Estimate;
use crate::quota::gcra::State;

fn tokens(name: &str, count: u32, per: &[Dimension]) -> Quota {
    Quota {
        measure: Measure::Tokens {
            rates: Rates::Fixed(rate(count)),
            part: TokenPart::All,
        },
        ..quota(name, count, count, per)
    }
}

/// Of which half was written.
fn used(total: u64) -> TokenUse {
    TokenUse {
        input: total - total / 2,
        output: total / 2,
        total,
    }
}

impl Bench {
    fn prompt(
        &self,
        quotas: &Quotas,
        who: &Principal,
        (request, answer): (u64, u64),
        seconds: u64,
    ) -> Result<Admission, Refusal> {
        let chat = Action::known(Protocol::Llm, "chat");
        let subject = Subject {
            tokens: Estimate { request, answer },
            ..self.subject(who, &chat, SOURCE, seconds)
        };
        admitted(quotas.admit(&self.store, permit(), &subject, Turn::default()))
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// What is left of the first quota, by asking for one token and giving it back.
    fn left(&self, quotas: &Quotas, who: &Principal, seconds: u64) -> u64 {
        let mut asked = self.prompt(quotas, who, (1, 0), seconds).unwrap();
        let left = asked.standings()[0].remaining + 1;
        asked.settle(used(0), self.at(seconds));
        left
    }
}

#[test]
fn an_estimate_is_reserved_and_what_was_used_is_settled() {
    let quotas = compile(vec![tokens("q", 600, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let mut first = bench.prompt(&quotas, &ana, (100, 300), 0).unwrap();
    assert!(first.is_metered());
    let standing = &first.standings()[0];
    assert_eq!((standing.limit, standing.remaining), (600, 200));
    // Not both at once.
    let refusal = bench.prompt(&quotas, &ana, (100, 300), 0).unwrap_err();
    assert_eq!(refusal.reason, Reason::QuotaExhausted);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(20)));
    first.settle(used(150), bench.at(0));
    assert_eq!(bench.left(&quotas, &ana, 0), 450);
    // Once only.
    first.settle(used(600), bench.at(0));
    assert_eq!(bench.left(&quotas, &ana, 0), 450);
}

#[test]
fn without_settlement_the_estimate_stays() {
    let quotas = compile(vec![tokens("q", 600, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    drop(bench.prompt(&quotas, &ana, (100, 300), 0).unwrap());
    assert_eq!(bench.left(&quotas, &ana, 0), 200);
    // 10 come back each second.
    assert_eq!(bench.left(&quotas, &ana, 10), 300);
}

#[test]
fn an_overdraft_is_paid_by_the_next() {
    let quotas = compile(vec![tokens("q", 600, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let mut first = bench.prompt(&quotas, &ana, (10, 0), 0).unwrap();
    first.settle(used(900), bench.at(0));
    let refusal = bench.prompt(&quotas, &ana, (10, 0), 0).unwrap_err();
    // 300 too many, and the 10: at 10 a second.
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(31)));
    assert!(bench.prompt(&quotas, &ana, (10, 0), 31).is_ok());
}

#[test]
fn a_call_larger_than_the_budget_passes_when_all_of_it_is_there() {
    let quotas = compile(vec![tokens("q", 600, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let mut large = bench.prompt(&quotas, &ana, (0, 1000), 0).unwrap();
    large.settle(used(500), bench.at(0));
    assert_eq!(bench.left(&quotas, &ana, 0), 100);
    assert!(bench.prompt(&quotas, &ana, (0, 1000), 49).is_err());
    let mut large = bench.prompt(&quotas, &ana, (0, 1000), 50).unwrap();
    // A number that an agent made up does not count for years.
    large.settle(used(u64::MAX), bench.at(50));
    let refusal = bench.prompt(&quotas, &ana, (1, 0), 50).unwrap_err();
    assert!(refusal.retry_after.unwrap() <= Duration::from_secs(181));
}

#[test]
fn only_calls_of_models_count() {
    let quotas = compile(vec![tokens("q", 1, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    for _ in 0..5 {
        let admission = bench.admit(&quotas, &ana, 0).unwrap();
        assert!(admission.standings().is_empty() && !admission.is_metered());
    }
    assert!(bench.prompt(&quotas, &ana, (0, 0), 0).is_ok());
    assert!(
        bench.prompt(&quotas, &ana, (0, 0), 0).is_err(),
        "at least one"
    );
}

#[test]
fn what_was_broken_off_counts_as_what_came_of_it() {
    let estimate = Estimate::new(400, 1000);
    assert_eq!(estimate.total(), 1100);
    let broken_off = |bytes, told: Option<u64>| {
        let used = estimate.broken_off(bytes, told.map(used));
        (used.input, used.output, used.total)
    };
    assert_eq!(broken_off(0, None), (100, 0, 100));
    assert_eq!(broken_off(400, None), (100, 100, 200));
    assert_eq!(broken_off(400, Some(300)), (150, 150, 300));
    assert_eq!(broken_off(1 << 40, None), (100, 1000, 1100));
    assert_eq!(broken_off(1 << 40, Some(5000)), (2500, 2500, 5000));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However calls overlap, what was settled is what counts: nothing leaks, and nothing is given away.
    #[test]
    fn settled_is_as_if_it_had_been_known(
        calls in prop::collection::vec((0u64..300, 0u64..300, any::<bool>()), 1..40),
    ) {
        const INTERVAL: u64 = 1_000;
        let limit = Limit::new(INTERVAL, 1_000_000);
        let (mut state, mut open, mut used) = (None::<State>, Vec::new(), 0);
        for (reserved, spent, overlaps) in calls {
            let Verdict::Fits(next) = limit.check_units(state, reserved, 5) else {
                panic!("there is enough for all")
            };
            state = Some(next);
            open.push((reserved, spent));
            if !overlaps {
                for (reserved, spent) in open.drain(..) {
                    state = state.map(|state| limit.settle(state, reserved, spent, 5));
                    used += spent;
                }
                prop_assert_eq!(limit.whole_in(state, 5), used * INTERVAL);
            }
        }
    }
}

#[test]
fn a_quota_may_count_what_is_read_or_what_is_written_alone() {
    for (part, left) in [
        (TokenPart::All, 600 - 400),
        (TokenPart::Input, 600 - 100),
        (TokenPart::Output, 600 - 300),
    ] {
        let mut quota = tokens("q", 600, &[Dimension::Principal]);
        let rates = Rates::Fixed(rate(600));
        quota.measure = Measure::Tokens { rates, part };
        let quotas = compile(vec![quota]);
        let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
        let mut call = bench.prompt(&quotas, &ana, (100, 300), 0).unwrap();
        assert_eq!(call.standings()[0].remaining, left, "{part:?}");
        let used = TokenUse {
            input: 20,
            output: 50,
            total: 80,
        };
        call.settle(used, bench.at(0));
        assert_eq!(
            bench.left(&quotas, &ana, 0),
            600 - part.of(used),
            "{part:?}"
        );
    }
}
