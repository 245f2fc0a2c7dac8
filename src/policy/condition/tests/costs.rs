//! Bounds: of the text, of its nesting, of what it compiles to, of what it reads.

use super::call::Call;
use crate::policy::MAX_MATCHED_BYTES;
use crate::policy::condition::*;

fn faults(text: &str) -> Vec<Fault> {
    let errors = Condition::parse(text, Phase::Request).unwrap_err();
    errors.iter().map(|error| error.fault).collect()
}

fn holds(text: &str, call: &Call) -> Result<bool, EvalError> {
    Condition::parse(text, Phase::Request)
        .unwrap_or_else(|errors| panic!("{text}: {errors:#?}"))
        .evaluate(call)
}

#[test]
fn a_condition_may_be_as_large_as_its_bounds_and_no_larger() {
    let padded = |length: usize| format!("has(name){}", " ".repeat(length - "has(name)".len()));
    assert!(Condition::parse(&padded(MAX_BYTES), Phase::Request).is_ok());
    assert_eq!(faults(&padded(MAX_BYTES + 1)), [Fault::Limit]);

    let nested = |depth: usize| format!("{}has(name){}", "(".repeat(depth), ")".repeat(depth));
    assert!(Condition::parse(&nested(MAX_DEPTH - 2), Phase::Request).is_ok());
    assert_eq!(faults(&nested(MAX_DEPTH)), [Fault::Limit]);
    assert_eq!(
        faults(&format!("{}has(name)", "!".repeat(2000))),
        [Fault::Limit]
    );
    assert_eq!(
        faults(&format!("{}1 == 1", "-(".repeat(1000))),
        [Fault::Limit]
    );

    let chain = |count: usize| vec!["has(name)"; count].join(" || ");
    assert!(Condition::parse(&chain(90), Phase::Request).is_ok());
    assert_eq!(faults(&chain(MAX_NODES)), [Fault::Limit]);

    let list = |count: usize| format!("args.n in [{}]", vec!["1"; count].join(","));
    assert!(Condition::parse(&list(MAX_LIST), Phase::Request).is_ok());
    assert_eq!(faults(&list(MAX_LIST + 1)), [Fault::Limit]);

    let path = |count: usize| format!("has(args{})", ".a".repeat(count));
    assert!(Condition::parse(&path(MAX_KEYS), Phase::Request).is_ok());
    assert_eq!(faults(&path(MAX_KEYS + 1)), [Fault::Limit]);

    let patterns = |count: usize| vec!["name.matches('a')"; count].join(" || ");
    assert!(Condition::parse(&patterns(MAX_PATTERNS), Phase::Request).is_ok());
    assert_eq!(faults(&patterns(MAX_PATTERNS + 1)), [Fault::Limit]);
    assert_eq!(faults(r"name.matches('(\\w{100}){100}')"), [Fault::Limit]);
}

#[test]
fn a_long_sum_is_not_a_deep_recursion() {
    let text = format!("args.n + {} > 0", vec!["1"; 90].join(" + "));
    let call = Call::parse(r#"{"args": {"n": 1}}"#);
    assert_eq!(holds(&text, &call), Ok(true));
}

#[test]
fn a_pattern_reads_no_text_of_any_length() {
    let text = |length: usize| {
        let json = serde_json::json!({ "args": { "t": "a".repeat(length) } });
        holds("args.t.matches('^a*$')", &Call::of(json))
    };
    assert_eq!(text(MAX_MATCHED_BYTES), Ok(true));
    assert_eq!(text(MAX_MATCHED_BYTES + 1), Err(EvalError::TooLong));
}

#[test]
fn numbers_are_compared_exactly() {
    // 2^53 + 1 has no double; the largest whole numbers have neither.
    let call = Call::parse(
        r#"{"args": {"odd": 9007199254740993, "even": 9007199254740992.0, "most": 18446744073709551615,
            "wide": 1e300, "least": -9223372036854775808, "near": 9223372036854775807, "half": 2.5,
            "beyond": 123456789012345678901234567890}}"#,
    );
    for (text, expected) in [
        ("args.odd == args.even", false),
        ("args.odd > args.even", true),
        ("args.odd > 9007199254740992.0", true),
        ("args.most > args.near", true),
        ("args.most == 18446744073709551616.0", false),
        ("args.most < 18446744073709551616.0", true),
        ("args.near < 9223372036854775808.0", true),
        ("args.near == 9223372036854775808.0", false),
        ("args.least == -9223372036854775808.0", true),
        ("args.least == -9223372036854775808", true),
        ("args.wide > args.most", true),
        ("-args.wide < args.least", true),
        ("args.beyond > args.most", true),
        ("args.half > 2 && args.half < 3", true),
        ("-args.half < -2 && -args.half > -3", true),
    ] {
        assert_eq!(holds(text, &call), Ok(expected), "{text}");
    }
    for text in [
        "args.near + 1 > 0",
        "args.least - 1 < 0",
        "-args.least > 0",
        "args.near * args.near > 0",
        "args.least / -1 > 0",
        "args.odd + 0.5 > 0",
        "args.wide * args.wide > 0",
    ] {
        assert_eq!(holds(text, &call), Err(EvalError::Overflow), "{text}");
    }
}

#[test]
fn what_is_read_is_listed_once_and_can_be_numbered() {
    let text = "args.a['b'][0] == 1 || args.a.b[0] == 2 || request.header['X-Kind'] == 'a' || has(claims['https://x/y'])";
    let mut condition = Condition::parse(text, Phase::Request).unwrap();
    let paths: Vec<_> = condition.reads().map(ToString::to_string).collect();
    assert_eq!(
        paths,
        [
            "args.a.b[0]",
            "request.header['x-kind']",
            "claims['https://x/y']"
        ]
    );
    let slots: Vec<_> = condition.reads().map(Path::slot).collect();
    assert_eq!(slots, [0, 1, 2]);
    condition.number(|path| if path.header().is_some() { 7 } else { 9 });
    let slots: Vec<_> = condition.reads().map(Path::slot).collect();
    assert_eq!(slots, [9, 7, 9]);
    // Two conditions that number it differently still read the same.
    let other = Condition::parse("has(args.a.b[0])", Phase::Request).unwrap();
    assert_eq!(other.reads().next(), condition.reads().next());
}

#[test]
fn a_path_is_written_so_that_it_can_be_read_again() {
    for text in [
        "args['it\\'s']",
        "args['a b'].c",
        "args['']",
        "claims['\\\\']",
    ] {
        let read = |text: &str| {
            let condition = Condition::parse(&format!("has({text})"), Phase::Request).unwrap();
            condition.reads().next().unwrap().clone()
        };
        let path = read(text);
        assert_eq!(read(&path.to_string()), path, "{text}");
    }
}

#[test]
fn findings_exist_in_their_phase_only() {
    let text = "finding.detector == 'cards' && caller.rank > 2";
    assert!(Condition::parse(text, Phase::Finding).is_ok());
    assert_eq!(faults(text), [Fault::Phase]);
}

#[test]
fn every_mistake_is_reported_in_order() {
    let text = "caller.nam == 'a' && caller.rank > 'b' && nobody.at == 1 && has(5)";
    assert_eq!(
        faults(text),
        [Fault::Unknown, Fault::Type, Fault::Unknown, Fault::Type]
    );
}

#[test]
fn what_no_call_can_change_is_known() {
    for (text, constant) in [
        ("true", Some(true)),
        ("1 + 1 == 2", Some(true)),
        ("false && args.a == 1", Some(false)),
        ("args.a == 1 || !false", Some(true)),
        ("1 > 2 || 'a'.startsWith('b')", Some(false)),
        ("'a' in ['a', 'b']", Some(true)),
        ("size('abc') == 3 ? true : has(name)", None),
        ("size('abc') == 3 ? true : 1 == 2", Some(true)),
        ("args.a == 1", None),
        ("true && args.a == 1", None),
        (
            "timestamp('2026-01-01T00:00:00Z') + duration('24h') > timestamp('2026-01-01T12:00:00Z')",
            Some(true),
        ),
        (
            "between(timestamp('2026-07-01T06:30:00Z'), '07:00', '08:00', 'Europe/London')",
            Some(true),
        ),
    ] {
        let condition = Condition::parse(text, Phase::Request).unwrap();
        assert_eq!(condition.constant(), constant, "{text}");
        assert_eq!(condition.doubts().is_empty(), constant.is_none(), "{text}");
    }
}

#[test]
fn a_window_follows_the_clock_on_the_wall() {
    let holds = |text: &str, time: &str| {
        holds(text, &Call::of(serde_json::json!({ "time": time }))).unwrap()
    };
    let day = "between(time, '07:00', '19:00', 'Europe/London')";
    // In winter London is at UTC, in summer an hour ahead.
    assert!(!holds(day, "2026-01-15T06:59:59.999999999Z"));
    assert!(holds(day, "2026-01-15T07:00:00Z"));
    assert!(holds(day, "2026-01-15T18:59:59.999999999Z"));
    assert!(!holds(day, "2026-01-15T19:00:00Z"));
    assert!(holds(day, "2026-07-15T06:00:00Z"));
    assert!(!holds(day, "2026-07-15T18:00:00Z"));
    // The clocks go from 02:00 to 03:00 on 29 March 2026 in Berlin: the hour between does not exist.
    let skipped = "between(time, '02:00', '03:00', 'Europe/Berlin')";
    assert!(!holds(skipped, "2026-03-29T00:59:59Z"));
    assert!(!holds(skipped, "2026-03-29T01:00:00Z"));
    // And from 03:00 back to 02:00 on 25 October: it comes twice.
    assert!(holds(skipped, "2026-10-25T00:30:00Z"));
    assert!(holds(skipped, "2026-10-25T01:30:00Z"));
    assert!(!holds(skipped, "2026-10-25T02:00:00Z"));

    // A Friday night ends on Saturday morning.
    let nights = "between(time, '22:00', '06:00', 'UTC', 'mon-fri')";
    assert!(holds(nights, "2026-11-27T22:00:00Z"));
    assert!(holds(nights, "2026-11-28T05:59:59Z"));
    assert!(!holds(nights, "2026-11-28T06:00:00Z"));
    assert!(!holds(nights, "2026-11-28T22:00:00Z"));
    assert!(!holds(nights, "2026-11-30T05:00:00Z"));
    assert!(holds(
        "between(time, '00:00', '24:00', 'UTC', 'sat-mon')",
        "2026-11-29T23:59:59.9Z"
    ));
    assert!(!holds(
        "between(time, '00:00', '24:00', 'UTC', 'sat,mon')",
        "2026-11-29T00:00:00Z"
    ));
    assert!(holds(
        "between(time, '23:00', '24:00', 'UTC')",
        "1969-12-31T23:59:59.5Z"
    ));
}

#[test]
fn a_condition_is_shown_as_it_was_written() {
    let text = "caller.rank > 2 // seniors\n && has(name)";
    let condition = Condition::parse(text, Phase::Request).unwrap();
    assert_eq!(condition.to_string(), text);
}
