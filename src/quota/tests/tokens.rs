//! Tokens.

use super::*;
use crate::quota::Estimate;
use crate::quota::gcra::State;

fn tokens(name: &str, count: u32, per: &[Dimension]) -> Quota {
    Quota {
        measure: Measure::Tokens(Rates::Fixed(rate(count))),
        ..quota(name, count, count, per)
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
        asked.settle(0, self.at(seconds));
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
    first.settle(150, bench.at(0));
    assert_eq!(bench.left(&quotas, &ana, 0), 450);
    // Once only.
    first.settle(600, bench.at(0));
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
    first.settle(900, bench.at(0));
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
    large.settle(500, bench.at(0));
    assert_eq!(bench.left(&quotas, &ana, 0), 100);
    assert!(bench.prompt(&quotas, &ana, (0, 1000), 49).is_err());
    let mut large = bench.prompt(&quotas, &ana, (0, 1000), 50).unwrap();
    // A number that an agent made up does not count for years.
    large.settle(u64::MAX, bench.at(50));
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
    assert_eq!(estimate.broken_off(0, None), 100);
    assert_eq!(estimate.broken_off(400, None), 200);
    assert_eq!(estimate.broken_off(400, Some(300)), 300);
    assert_eq!(estimate.broken_off(1 << 40, None), 1100);
    assert_eq!(estimate.broken_off(1 << 40, Some(5000)), 5000);
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
