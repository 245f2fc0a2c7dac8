//! Windows.

use super::*;
use crate::quota::window::{Limit, Log};

fn window(name: &str, count: u32, per: &[Dimension]) -> Quota {
    Quota {
        measure: Measure::Window(Rates::Fixed(rate(count))),
        ..quota(name, count, count, per)
    }
}

#[test]
fn a_call_counts_for_a_whole_window() {
    let quotas = compile(vec![window("q", 3, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    for (second, left) in [(0, 2), (20, 1), (40, 0)] {
        let admission = bench.admit(&quotas, &ana, second).unwrap();
        let standing = &admission.standings()[0];
        assert_eq!((standing.limit, standing.remaining), (3, left));
        assert_eq!(standing.window, Some(Duration::from_secs(60)));
    }
    let refusal = bench.admit(&quotas, &ana, 50).unwrap_err();
    assert_eq!(refusal.reason, Reason::RateLimited);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(10)));
    assert_eq!(refusal.standings[0].reset, Some(Duration::from_secs(10)));
    // The first is a minute ago, and no more than that.
    assert!(bench.admit(&quotas, &ana, 60).is_ok());
    assert!(bench.admit(&quotas, &ana, 61).is_err());
    assert!(bench.admit(&quotas, &ana, 80).is_ok());
}

#[test]
fn changed_numbers_hold_for_calls_that_were_counted() {
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let wide = compile(vec![window("q", 3, &[Dimension::Principal])]);
    for _ in 0..3 {
        bench.admit(&wide, &ana, 0).unwrap();
    }
    let wider = compile(vec![window("q", 4, &[Dimension::Principal])]);
    assert!(bench.admit(&wider, &ana, 0).is_ok());
    assert!(bench.admit(&wider, &ana, 0).is_err());
    let narrow = compile(vec![window("q", 1, &[Dimension::Principal])]);
    let refusal = bench.admit(&narrow, &ana, 10).unwrap_err();
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(50)));
    assert!(bench.admit(&narrow, &ana, 60).is_ok());
}

#[test]
fn another_measure_of_the_same_name_counts_anew() {
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let paced = compile(vec![quota("q", 1, 1, &[Dimension::Principal])]);
    bench.admit(&paced, &ana, 0).unwrap();
    let rolling = compile(vec![window("q", 1, &[Dimension::Principal])]);
    assert!(bench.admit(&rolling, &ana, 0).is_ok());
    assert!(bench.admit(&paced, &ana, 0).is_err());
}

#[test]
fn a_pair_is_the_calling_agent_of_a_tenant_and_the_one_it_calls() {
    let quotas = compile(vec![window("q", 1, &[Dimension::Pair])]);
    let bench = Bench::new(100);
    let bot = principal("mesh", "bot", "acme");
    let action = action("SendMessage", None);
    let to = |agent, who: &Principal| {
        let subject = Subject {
            agent,
            ..bench.subject(who, &action, SOURCE, 0)
        };
        admitted(quotas.admit(&bench.store, permit(), &subject, Turn::default())).is_ok()
    };
    assert!(to("quotes", &bot) && !to("quotes", &bot));
    assert!(to("reports", &bot), "another agent is called");
    let other = principal("mesh", "bot", "globex");
    assert!(to("quotes", &other), "for another tenant");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// In every stretch of the window's length, wherever it begins.
    #[test]
    fn no_stretch_holds_more_than_the_limit(
        count in 1u32..200,
        period in 1u64..5_000,
        gaps in prop::collection::vec(0u64..200, 1..600),
    ) {
        let limit = Limit::new(count, period);
        let (mut log, mut now, mut passed) = (Log::default(), 0, Vec::new());
        for gap in gaps {
            now += gap;
            match limit.wait(Some(&log), now) {
                None => {
                    prop_assert!(limit.remaining(Some(&log), now) > 0);
                    limit.count(&mut log, now);
                    passed.push(now);
                }
                Some(wait) => {
                    prop_assert_eq!(limit.remaining(Some(&log), now), 0);
                    // The wait is exact.
                    prop_assert_eq!(limit.wait(Some(&log), now + wait), None);
                    prop_assert!(limit.wait(Some(&log), now + wait - 1).is_some());
                    // And nobody waits for more than a window and a grain.
                    prop_assert!(wait <= period + period / 64 + 1);
                }
            }
            prop_assert!(log.len() <= 66, "{}", log.len());
        }
        for (index, start) in passed.iter().enumerate() {
            let stretch = passed.iter().skip(index);
            let held = stretch.take_while(|at| **at < start + period).count();
            prop_assert!(held <= count as usize);
        }
        prop_assert!(log.is_idle(now + 2 * period));
    }

    /// Where each call is remembered by itself, all that may pass do.
    #[test]
    fn a_small_window_is_exact(
        count in 1u32..=64,
        gaps in prop::collection::vec(0u64..100, 1..300),
    ) {
        const PERIOD: u64 = 1_000;
        let limit = Limit::new(count, PERIOD);
        let (mut log, mut now, mut passed) = (Log::default(), PERIOD, Vec::new());
        for gap in gaps {
            now += gap;
            let used = passed.iter().filter(|at| **at > now - PERIOD).count();
            let fits = used < count as usize;
            prop_assert_eq!(limit.wait(Some(&log), now).is_none(), fits);
            if fits {
                limit.count(&mut log, now);
                passed.push(now);
            }
        }
    }
}
