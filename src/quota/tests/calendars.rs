//! Calendars.

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::quota::calendar::Limit;
use crate::quota::{Calendar, Period};

fn calendar(count: u32, zone: &str, period: Period) -> Quota {
    Quota {
        measure: Measure::Calendar {
            rates: Rates::Fixed(Rate {
                count: NonZeroU32::new(count).unwrap(),
                period: Duration::from_secs(period.seconds().try_into().unwrap()),
            }),
            calendar: Calendar::new(TimeZone::get(zone).unwrap(), period),
        },
        ..quota("q", count, count, &[Dimension::Tenant])
    }
}

#[test]
fn a_budget_is_whole_again_at_midnight_of_its_zone() {
    // The clock starts at noon in Greenwich: midnight is 12 h away there, 11 in Berlin, 17 in New York.
    for (zone, hours) in [
        ("UTC", 12),
        ("Europe/Berlin", 11),
        ("America/New_York", 17),
        ("Asia/Kathmandu", 6),
    ] {
        let quotas = compile(vec![calendar(2, zone, Period::Day)]);
        let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
        let rest = match zone {
            // Five and three quarters ahead.
            "Asia/Kathmandu" => Duration::from_secs(6 * 3600 + 15 * 60),
            _ => Duration::from_secs(hours * 3600),
        };
        for left in [1, 0] {
            let admission = bench.admit(&quotas, &ana, 0).unwrap();
            let standing = &admission.standings()[0];
            assert_eq!((standing.limit, standing.remaining), (2, left));
            assert_eq!(standing.window, Some(Duration::from_secs(86_400)));
            assert_eq!(standing.reset, Some(rest), "{zone}");
        }
        let refusal = bench.admit(&quotas, &ana, 0).unwrap_err();
        assert_eq!(refusal.reason, Reason::QuotaExhausted);
        assert_eq!(refusal.retry_after, Some(rest));
        let seconds = rest.as_secs();
        assert!(bench.admit(&quotas, &ana, seconds - 1).is_err(), "{zone}");
        assert!(bench.admit(&quotas, &ana, seconds).is_ok(), "{zone}");
    }
}

#[test]
fn an_hour_ends_when_the_clock_strikes() {
    let quotas = compile(vec![calendar(1, "Asia/Kathmandu", Period::Hour)]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    bench.admit(&quotas, &ana, 0).unwrap();
    // Noon in Greenwich is a quarter to six there.
    let refusal = bench.admit(&quotas, &ana, 0).unwrap_err();
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(15 * 60)));
    assert!(bench.admit(&quotas, &ana, 15 * 60).is_ok());
}

#[test]
fn days_on_which_clocks_change_are_shorter_or_longer() {
    let berlin = Calendar::new(TimeZone::get("Europe/Berlin").unwrap(), Period::Day);
    // In Beirut clocks go forward at midnight: the day begins at one.
    let beirut = Calendar::new(TimeZone::get("Asia/Beirut").unwrap(), Period::Day);
    for (calendar, zone, day, hours) in [
        (&berlin, "Europe/Berlin", date(2026, 3, 29), 23),
        (&berlin, "Europe/Berlin", date(2026, 7, 1), 24),
        (&berlin, "Europe/Berlin", date(2026, 10, 25), 25),
        (&beirut, "Asia/Beirut", date(2026, 3, 29), 23),
    ] {
        let limit = Limit::new(1, calendar);
        let zone = TimeZone::get(zone).unwrap();
        let midnight = zone.to_timestamp(day.at(0, 0, 0, 0)).unwrap();
        let rest = limit.at(None, midnight).rest(midnight);
        assert_eq!(rest, hours * 3_600_000_000_000, "{day}");
    }
}

#[test]
fn what_is_used_is_kept_when_the_calendar_is_changed() {
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let by_day = compile(vec![calendar(3, "UTC", Period::Day)]);
    for _ in 0..3 {
        bench.admit(&by_day, &ana, 0).unwrap();
    }
    let more = compile(vec![calendar(4, "UTC", Period::Day)]);
    assert!(bench.admit(&more, &ana, 0).is_ok());
    let by_hour = compile(vec![calendar(4, "UTC", Period::Hour)]);
    let refusal = bench.admit(&by_hour, &ana, 0).unwrap_err();
    // By the hour that it is counted by now.
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(3600)));
    assert!(bench.admit(&by_hour, &ana, 3600).is_ok());
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_out_for_years() {
    let calendar = Calendar::new(TimeZone::UTC, Period::Day);
    let limit = Limit::new(1, &calendar);
    let wrong = Timestamp::constant(2_000_000_000, 0);
    let spent = limit.at(None, wrong).counted();
    let right = wrong - SignedDuration::from_hours(24 * 365);
    let state = limit.at(Some(spent), right);
    assert!(limit.wait(state, right).unwrap() <= 24 * 3_600_000_000_000);
    assert_eq!(limit.remaining(state), 0, "what was used is not forgotten");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_period_admits_more_than_its_budget(
        count in 1u32..20,
        by_day: bool,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
        start in 1_700_000_000i64..1_900_000_000,
        gaps in prop::collection::vec(0i64..20_000, 1..200),
    ) {
        let period = if by_day { Period::Day } else { Period::Hour };
        let zone = TimeZone::get(zone).unwrap();
        let calendar = Calendar::new(zone.clone(), period);
        let limit = Limit::new(count, &calendar);
        let (mut state, mut now) = (None, start);
        let mut passed = std::collections::HashMap::new();
        for gap in gaps {
            now += gap;
            let at = Timestamp::from_second(now).unwrap();
            let current = limit.at(state, at);
            state = Some(current);
            match limit.wait(current, at) {
                None => {
                    state = Some(current.counted());
                    let civil = jiff::ZonedDateTime::new(at, zone.clone());
                    let hour = (!by_day).then(|| (civil.hour(), civil.offset()));
                    *passed.entry((civil.date(), hour)).or_insert(0) += 1;
                }
                Some(wait) => {
                    let later = at + SignedDuration::from_nanos(i64::try_from(wait).unwrap());
                    prop_assert!(limit.wait(limit.at(state, later), later).is_none());
                }
            }
        }
        prop_assert!(passed.values().all(|passed| *passed <= count));
    }
}
