use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::scan::config::{Config, Hold};
use crate::scan::matcher::Hit;

fn custom(name: &str, pattern: &str) -> Custom {
    Custom {
        name: name.into(),
        pattern: Arc::new(Pattern::new(pattern).unwrap()),
        near: Vec::new(),
        proof: None,
        unless: None,
        action: LeakAction::Redact,
        severity: Severity::Medium,
    }
}

fn detectors(custom: Vec<Custom>, hold: Hold) -> Detectors {
    Detectors::compile(&Config {
        actions: BTreeMap::new(),
        custom,
        listed: Vec::new(),
        exceptions: Vec::new(),
        hold,
        buffer_bytes: 0,
        fingerprint_key: [7; 32],
    })
    .unwrap()
}

fn of(pattern: &str) -> Detectors {
    detectors(vec![custom("own", pattern)], Hold::default())
}

/// What is found, in pieces of these sizes in turn, and how far all was decided after each.
fn hits(detectors: &Detectors, text: &[u8], sizes: &[usize]) -> Vec<Hit> {
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    let (mut rest, mut sizes) = (text, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
        matcher.feed(detectors, &rest[..size], &mut hits);
        let decided = matcher.decided();
        let told = hits.iter().map(|hit| hit.end).max().unwrap_or_default();
        assert!(told <= decided, "a hit beyond what is decided");
        rest = &rest[size..];
    }
    matcher.finish(detectors, &mut hits);
    hits.sort_by_key(|hit| hit.start);
    hits
}

fn spans(detectors: &Detectors, text: &str) -> Vec<String> {
    let whole = hits(detectors, text.as_bytes(), &[usize::MAX]);
    for size in 1..6 {
        assert_eq!(hits(detectors, text.as_bytes(), &[size]), whole, "{text}");
    }
    let slice = |hit: &Hit| {
        let place = |at: u64| usize::try_from(at).unwrap();
        text.get(place(hit.start)..place(hit.end))
            .unwrap()
            .to_owned()
    };
    whole.iter().map(slice).collect()
}

#[test]
fn a_match_is_all_that_the_pattern_says_and_the_leftmost_counts() {
    let cases: [(&str, &str, &[&str]); 9] = [
        (
            r"EMP-\d{6}",
            "x EMP-123455, EMP-12, EMP-1234567",
            &["EMP-123455", "EMP-123456"],
        ),
        (
            r"\bEMP-\d{6}\b",
            "EMP-123455, EMP-1234567 XEMP-123455 EMP-000000",
            &["EMP-123455", "EMP-000000"],
        ),
        (
            r"(?i)project (falcon|eagle)",
            "Project Falcon and PROJECT EAGLE",
            &["Project Falcon", "PROJECT EAGLE"],
        ),
        (r"\d{3,5}", "1234567890 12 345", &["12345", "67890", "345"]),
        (r"abc|abcdef", "abcdef", &["abc"]),
        (
            r"[a-z]+@corp",
            "aa@corp bb@cor cc@corp",
            &["aa@corp", "cc@corp"],
        ),
        (r"^top[0-9]+$", "top123", &["top123"]),
        (r"^top[0-9]+$", "x top123", &[]),
        ("caf\u{e9} \\d{3}", "caf\u{e9} 123", &["caf\u{e9} 123"]),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(spans(&of(pattern), text), expected, "{pattern} in {text}");
    }
}

#[test]
fn a_group_that_is_called_secret_is_all_that_is_protected() {
    let detectors = of(r"(?i)acme[ _-]key\s*[:=]\s*(?P<secret>[a-z0-9]{8})\b");
    assert_eq!(
        spans(&detectors, "the ACME key: 0a1b2c3d, acme_key=zzzzzzz"),
        ["0a1b2c3d"]
    );
    // Nothing of the name waits.
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    matcher.feed(&detectors, b"the ACME key:", &mut hits);
    assert_eq!(matcher.decided(), matcher.position());
    matcher.feed(&detectors, b"0a1b", &mut hits);
    assert_eq!((matcher.decided(), hits.len()), (13, 0));
}

#[test]
fn what_fails_its_check_is_no_match_and_hides_none() {
    let mut own = custom("own", r"\d{4}");
    own.proof = Some(Proof::Luhn);
    let detectors = detectors(vec![own], Hold::default());
    // 1234 fails; 2345 passes.
    assert_eq!(spans(&detectors, "123456"), ["2345"]);
}

#[test]
fn a_word_may_stand_on_either_side() {
    let mut own = custom("own", r"\b\d{6}\b");
    own.near = vec![Box::from("employee"), Box::from("staff")];
    let detectors = detectors(vec![own], Hold::default());
    let far = " ".repeat(64);
    assert_eq!(spans(&detectors, "Employee no. 123456."), ["123456"]);
    assert_eq!(spans(&detectors, "123456 is on our staff"), ["123456"]);
    assert_eq!(spans(&detectors, &format!("staff{far}123456")), [""; 0]);
    assert_eq!(spans(&detectors, &format!("123456{far}staff")), [""; 0]);
    assert_eq!(
        spans(&detectors, "123456 and 654321, staff_id 111111"),
        ["123456", "654321", "111111"]
    );
    assert_eq!(spans(&detectors, "distaff 123456 overstaffed"), [""; 0]);
}

#[test]
fn what_goes_on_beyond_the_bound_is_blocked_or_told_of() {
    use crate::scan::AtBound;
    let text = format!("key-{} end", "a".repeat(5000));
    for (at_bound, action) in [
        (AtBound::Block, LeakAction::Block),
        (AtBound::Release, LeakAction::Flag),
    ] {
        let hold = Hold {
            at_bound,
            ..Hold::default()
        };
        let detectors = detectors(vec![custom("own", "key-[a-z]+")], hold);
        for size in [1, 700, usize::MAX] {
            let hits = hits(&detectors, text.as_bytes(), &[size]);
            let told: Vec<_> = hits
                .iter()
                .map(|hit| (hit.start, hit.end, hit.action))
                .collect();
            assert_eq!(told, [(0, 4096, action)]);
        }
    }
}

#[test]
fn a_mark_is_no_match() {
    let detectors = of(r"own\w*");
    assert_eq!(
        spans(&detectors, "known [redacted:own] own1"),
        ["own", "own1"]
    );
}

#[test]
fn what_is_no_pattern_says_why() {
    for (pattern, expected) in [
        (r"a(", "unclosed group"),
        (r"(?=x)y", "look-around"),
        (r"\d?", "is empty"),
        ("xy", "is 2 bytes"),
        (
            r"[\s\S]{0,1000}secret[\s\S]{0,1000}x{500}",
            "becomes too large",
        ),
        (r"[äö]\bxyz", "boundaries of words of all scripts"),
    ] {
        let error = Pattern::new(pattern).unwrap_err();
        assert!(error.to_string().contains(expected), "{pattern}: {error}");
        assert!(!error.help().is_empty());
    }
}

#[test]
fn costs_are_told_of_patterns_that_stall_prose_alone() {
    let cost = |pattern: &str| Cost::of(&custom("own", pattern)).unwrap();
    for pattern in [
        r"EMP-\d{6}",
        r"\bghp_[A-Za-z0-9]{36}\b",
        r"(?i)project falcon",
    ] {
        let cost = cost(pattern);
        assert!(!cost.stalls() && !cost.is_slow(), "{pattern} {cost:?}");
    }
    for pattern in [r"\b\w+ Falcon", r"[\s\S]{0,50}falcon", r"[A-Za-z ]+\d{6}"] {
        assert!(cost(pattern).stalls(), "{pattern} {:?}", cost(pattern));
    }
    assert!(cost(r"[\s\S]{0,50}falcon").is_slow());
}

/// Patterns of all sorts, for texts over few letters.
const PATTERNS: [&str; 12] = [
    r"aba",
    r"a[ab]{2,4}",
    r"[abc]{3}\b",
    r"\bab+a",
    r"ab*?c.",
    r"(a|ab)(c|bcd)(d*)x?yz|bbb",
    r"(?i)aB-\d",
    r"[a-c]+-[0-9]{2,}",
    r"^ab.*c$",
    r"(?m)^a.c$",
    r"\d{2}[ -]?\d{2}",
    r"[\s\S]{3}",
];

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let bytes = b"aaabbbcc  -B01\n.xyz\xc3".to_vec();
    prop::collection::vec(prop::sample::select(bytes), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// The judge is another engine: the one that authors try their patterns with.
    #[test]
    fn finds_what_the_regex_crate_finds_however_it_is_cut(
        text in texts(), which in 0..PATTERNS.len(), sizes in prop::collection::vec(1_usize..20, 1..5),
    ) {
        let expected = regex::bytes::RegexBuilder::new(PATTERNS[which]).unicode(false).build().unwrap();
        let expected: Vec<_> = expected.find_iter(&text).map(|it| (it.start() as u64, it.end() as u64)).collect();
        for action in [LeakAction::Flag, LeakAction::Redact] {
            let mut own = custom("own", PATTERNS[which]);
            own.action = action;
            let detectors = detectors(vec![own], Hold::default());
            let found: Vec<_> = hits(&detectors, &text, &sizes).iter().map(|hit| (hit.start, hit.end)).collect();
            prop_assert_eq!(&found, &expected, "{:?}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn words_checks_and_groups_are_the_same_however_they_are_cut(
        text in texts(), which in 0..PATTERNS.len(), sizes in prop::collection::vec(1_usize..20, 1..5),
    ) {
        let mut near = custom("near", PATTERNS[which]);
        near.near = vec![Box::from("bb"), Box::from("c-")];
        let mut proof = custom("proof", r"\d{2,4}[ -]?\d");
        proof.proof = Some(Proof::Luhn);
        let group = custom("group", r"[ab]{1,3}-?(?P<secret>[0-9b]{2,3})c");
        let detectors = detectors(vec![near, proof, group], Hold::default());
        let whole = hits(&detectors, &text, &[usize::MAX]);
        prop_assert_eq!(hits(&detectors, &text, &sizes), whole);
    }
}
