//! The promises of the matcher: every kind is found and its look-alikes are not, no cutting changes
//! anything, and nothing is called decided that is taken away later.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::scan::config::Hold;
use crate::scan::matcher::kind::Shape;
use crate::scan::packs::{Draw, kinds, near_misses, sample};

fn armed(actions: &[(&str, LeakAction)]) -> Detectors {
    let config = Config {
        actions: actions
            .iter()
            .map(|(name, action)| ((*name).into(), *action))
            .collect::<BTreeMap<_, _>>(),
        custom: Vec::new(),
        listed: Vec::new(),
        exceptions: Vec::new(),
        hold: Hold::default(),
        buffer_bytes: 0,
        fingerprint_key: [7; 32],
    };
    Detectors::compile(&config).unwrap()
}

fn everything(action: LeakAction) -> Detectors {
    armed(&["cards", "credentials", "pii", "private-keys"].map(|pack| (pack, action)))
}

/// Feeds the pieces, checks what holds after each, and gives back the hits with the swallowed parts joined.
fn run<'a>(detectors: &Detectors, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Hit> {
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    let mut fed = 0;
    let mut decided = 0;
    let mut seen = 0;
    let mut check = |hits: &[Hit], matcher_decided: u64, before: u64| {
        for hit in hits.iter().skip(seen) {
            if hit.action > LeakAction::Flag {
                assert!(hit.start >= before, "{hit:?} was decided at {before}");
            }
        }
        seen = hits.len();
        assert!(matcher_decided >= before, "decided went back");
    };
    for piece in pieces {
        let before = decided;
        matcher.feed(detectors, piece, &mut hits);
        fed += piece.len() as u64;
        decided = matcher.decided();
        assert_eq!(matcher.position(), fed);
        assert!(decided <= fed);
        assert!(fed - decided <= 4096);
        assert!(matcher.kept.len() <= 8192, "keeps {}", matcher.kept.len());
        check(&hits, decided, before);
        let delivered = hits.iter().rfind(|hit| hit.action > LeakAction::Flag);
        assert!(delivered.is_none_or(|hit| hit.end <= decided.max(hit.start)));
    }
    matcher.finish(detectors, &mut hits);
    check(&hits, u64::MAX, decided);
    assert_eq!(matcher.position(), 0);
    joined(hits)
}

fn joined(hits: Vec<Hit>) -> Vec<Hit> {
    let mut whole: Vec<Hit> = Vec::new();
    let mut flags = Vec::new();
    for mut hit in hits {
        if hit.action <= LeakAction::Flag {
            flags.push(hit);
            continue;
        }
        match hit.part {
            Part::Whole | Part::Begin => {
                let last = whole.last().map_or(0, |hit| hit.end);
                assert!(hit.start >= last, "{hit:?} overlaps");
                hit.part = Part::Whole;
                whole.push(hit);
            }
            Part::Continue | Part::End => {
                let last = whole.last_mut().unwrap();
                assert_eq!((last.end, last.action), (hit.start, hit.action));
                last.end = hit.end;
            }
        }
    }
    flags.sort_by_key(|hit| (hit.start, hit.end, hit.mark));
    whole.extend(flags);
    whole
}

fn at_once(detectors: &Detectors, text: &[u8]) -> Vec<Hit> {
    run(detectors, std::iter::once(text))
}

fn assert_same_for_every_cutting(detectors: &Detectors, text: &[u8], seed: u64) -> Vec<Hit> {
    let whole = at_once(detectors, text);
    assert_eq!(run(detectors, text.chunks(1)), whole, "byte by byte");
    for size in [2, 3, 7, 16, 61] {
        assert_eq!(run(detectors, text.chunks(size)), whole, "{size} at a time");
    }
    let mut draw = Draw::new(seed);
    let mut rest = text;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let size = 1 + usize::try_from(draw.below(24)).unwrap();
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(run(detectors, pieces.into_iter()), whole, "cut at random");
    whole
}

const FRAMES: [(&str, &str); 11] = [
    ("", ""),
    ("", " stands first"),
    ("it stands last: ", ""),
    ("The value is ", ", they said."),
    ("\"", "\""),
    ("key='", "'"),
    ("TOKEN=", "\n"),
    ("token: ", "\r\nnext: line"),
    ("line one\n", "\nline three"),
    ("(", ")"),
    ("{\\\"a\\\":\\\"x\\\\n", "\\\"}"),
];

#[test]
fn every_kind_finds_its_samples_in_every_frame_and_cutting() {
    for kind in kinds() {
        let detectors = armed(&[(kind.name, LeakAction::Redact)]);
        for (seed, (before, after)) in (0..).zip(FRAMES.iter().cycle().take(22)) {
            let sample = sample(kind.name, seed)
                .unwrap_or_else(|| panic!("no sample of {} for {seed}", kind.name));
            let text = format!("{before}{sample}{after}");
            let hits = assert_same_for_every_cutting(&detectors, text.as_bytes(), seed);
            let [hit] = hits.as_slice() else {
                panic!("{} in {text:?}: {hits:?}", kind.name);
            };
            let finding = hit.finding.as_ref().unwrap();
            assert_eq!(finding.detector, kind.name);
            assert_eq!(finding.severity, kind.severity, "{text:?}");
            assert!(hit.start >= before.len() as u64, "{text:?}: {hit:?}");
            let end = (before.len() + sample.len()) as u64;
            assert!(hit.end <= end, "{text:?}: {hit:?}");
        }
    }
}

#[test]
fn the_gate_knows_short_anchors_for_countries_only() {
    for kind in kinds().filter(|kind| !matches!(kind.shape, Shape::Iban)) {
        let short = kind.anchors.iter().find(|anchor| anchor.len() < 3);
        assert_eq!(short, None, "{}", kind.name);
    }
}

#[test]
fn no_kind_takes_its_near_misses() {
    for kind in kinds() {
        let detectors = armed(&[(kind.name, LeakAction::Redact)]);
        // Of numbers there are many kinds, and their look-alikes are mostly the same.
        let seeds = if matches!(kind.shape, Shape::Number(_)) {
            1
        } else {
            3
        };
        for seed in 0..seeds {
            let misses = near_misses(kind, seed);
            assert!(misses.len() >= 3);
            for (miss, (before, after)) in misses
                .iter()
                .flat_map(|miss| FRAMES.map(|frame| (miss, frame)))
            {
                let text = format!("{before}{miss}{after}");
                let hits = assert_same_for_every_cutting(&detectors, text.as_bytes(), seed);
                assert_eq!(hits, [], "{} in {text:?}", kind.name);
            }
        }
    }
}

/// Bits that meet each other's boundaries, anchors and alphabets in odd ways.
const SHARDS: [&str; 44] = [
    " ",
    "\n",
    "\\n",
    "\r\n",
    ".",
    ",",
    "-",
    "--",
    "-----",
    "_",
    "/",
    "//",
    ":",
    "@",
    "=",
    "\"",
    "eyJ",
    "eyJ.eyJ",
    ".eyJ",
    "ya29.",
    "ghp_",
    "sk-",
    "AKIA",
    "DE",
    "GB",
    "Bearer ",
    "Basic ",
    "postgres://",
    "https://a:",
    "secret_access_key ",
    "-----BEGIN ",
    "RSA PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED\n",
    "-----END ",
    "4111 1111 1111 1111",
    "4111",
    " 1111",
    "62",
    "0",
    "jane.doe",
    "@acme-corp.io",
    "é",
    "prose goes on and on",
    "pypi-AgEIcHlwaS5vcmc",
];

fn document(seed: u64, length: usize) -> Vec<u8> {
    let names: Vec<&str> = kinds().map(|kind| kind.name).collect();
    let mut draw = Draw::new(seed);
    let mut text = String::new();
    for _ in 0..length {
        let pick = usize::try_from(draw.below(1 << 20)).unwrap();
        match draw.below(8) {
            0 | 1 => text += &sample(names[pick % names.len()], draw.below(1 << 30)).unwrap(),
            2 => {
                let cut = sample(names[pick % names.len()], draw.below(1 << 30)).unwrap();
                text.extend(cut.chars().take(1 + pick % cut.len()));
            }
            3 => text += &draw.text(Set::BASE64_URL, pick % 90),
            _ => text += SHARDS[pick % SHARDS.len()],
        }
    }
    text.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cutting_changes_the_hits(seed in any::<u64>(), length in 1_usize..14, mix in 0_u8..4) {
        let detectors = match mix {
            0 => everything(LeakAction::Redact),
            1 => everything(LeakAction::Flag),
            2 => armed(&[
                ("cards", LeakAction::Flag),
                ("credentials", LeakAction::Redact),
                ("credentials.github-pat", LeakAction::Block),
                ("credentials.jwt", LeakAction::Flag),
                ("pii", LeakAction::Block),
            ]),
            _ => armed(&[
                ("cards", LeakAction::Redact),
                ("credentials", LeakAction::Block),
                ("credentials.authorization-bearer", LeakAction::Flag),
                ("private-keys", LeakAction::Redact),
                ("pii", LeakAction::Flag),
            ]),
        };
        assert_same_for_every_cutting(&detectors, &document(seed, length), seed);
    }

    #[test]
    fn no_bytes_break_it(text in proptest::collection::vec(any::<u8>(), 0..600)) {
        assert_same_for_every_cutting(&everything(LeakAction::Redact), &text, 1);
    }
}

#[test]
fn prose_waits_for_nothing_but_its_last_word() {
    let detectors = everything(LeakAction::Block);
    let text = "It was in 1987, at half past five; the `ghp_` prefix and sk- something, i.e. AKIA. See \
                https://docs.acme.io/a?b=c#d for 12 more -- or don't. Bearer tokens are basic. ";
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    for piece in text.split_inclusive(' ') {
        matcher.feed(&detectors, piece.as_bytes(), &mut hits);
        assert_eq!(matcher.decided(), matcher.position(), "after {piece:?}");
    }
    matcher.finish(&detectors, &mut hits);
    assert_eq!(hits, []);
}

#[test]
fn a_number_in_base64_waits_from_its_first_letter_on() {
    use base64::Engine as _;
    for (detector, before) in [
        ("cards.number", ""),
        ("cards.number", " "),
        ("cards.number", "x "),
        ("cards.number", "as of "),
        ("cards.number", "€"),
        ("pii.us-ssn", ""),
        ("pii.us-ssn", "no "),
    ] {
        let detectors = armed(&[(detector, LeakAction::Redact)]);
        let text = format!(
            "{before}{} and so on, for a while",
            sample(detector, 7).unwrap()
        );
        let coded = base64::engine::general_purpose::STANDARD.encode(text);
        let hits = assert_same_for_every_cutting(&detectors, format!("see {coded} ").as_bytes(), 1);
        assert_eq!(hits.len(), 1, "{detector} behind {before:?}");
    }
}

#[test]
fn flags_hold_nothing() {
    let detectors = everything(LeakAction::Flag);
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    for byte in document(3, 40).chunks(1) {
        matcher.feed(&detectors, byte, &mut hits);
        assert_eq!(matcher.decided(), matcher.position());
    }
}

#[test]
fn a_long_key_is_swallowed_in_constant_memory_up_to_its_end_mark() {
    let detectors = everything(LeakAction::Redact);
    let lines = Draw::new(1).text(Set::BASE64, 64) + "\n";
    let text = format!(
        "before -----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY----- after",
        lines.repeat(4000)
    );
    let mut matcher = Matcher::default();
    let mut hits = Vec::new();
    for piece in text.as_bytes().chunks(50) {
        matcher.feed(&detectors, piece, &mut hits);
        assert!(matcher.kept.len() < 600);
    }
    matcher.finish(&detectors, &mut hits);
    assert_eq!(hits.first().map(|hit| hit.part), Some(Part::Begin));
    assert_eq!(hits.last().map(|hit| hit.part), Some(Part::End));
    let [hit] = joined(hits).try_into().unwrap();
    assert_eq!(hit.start, text.find("-----\n").unwrap() as u64 + 5);
    assert_eq!(hit.end, text.find("-----END").unwrap() as u64);
}

#[test]
fn a_token_behind_its_authorization_goes_by_its_own_name() {
    let detectors = everything(LeakAction::Redact);
    for name in [
        "credentials.github-pat",
        "credentials.jwt",
        "credentials.openai-api-key",
    ] {
        let token = sample(name, 5).unwrap();
        let text = format!("Authorization: Bearer {token}\r\n");
        let hits = assert_same_for_every_cutting(&detectors, text.as_bytes(), 5);
        let [hit] = hits.as_slice() else {
            panic!("{hits:?}")
        };
        assert_eq!(hit.finding.as_ref().unwrap().detector, name);
    }
}

#[test]
fn a_generic_kind_takes_no_public_prefix_from_a_telling_one() {
    let detectors = everything(LeakAction::Redact);
    let token = sample("credentials.github-pat", 5).unwrap();
    for before in ["TOKEN=", "token: '", "--api-key ", "Authorization: Bearer "] {
        let text = format!("{before}{token}");
        let hits = assert_same_for_every_cutting(&detectors, text.as_bytes(), 5);
        let [hit] = hits.as_slice() else {
            panic!("{hits:?}")
        };
        assert_eq!(hit.mark, "[redacted:github-pat]");
        assert_eq!(hit.start, (before.len() + 4) as u64, "{text}");
    }
}

#[test]
fn a_drawn_value_may_hold_the_word_for_what_it_is() {
    let detectors = armed(&[("credentials", LeakAction::Redact)]);
    let [left, right] = [1, 2].map(|seed| Draw::new(seed).text(Set::ALNUM, 12));
    for word in ["PWd", "kEy"] {
        let text = format!("--api-key {left}{word}{right}");
        let hits = assert_same_for_every_cutting(&detectors, text.as_bytes(), 1);
        assert_eq!(hits.len(), 1, "{text}");
    }
    let named = b"connect(password=db_password_v2)";
    assert_eq!(assert_same_for_every_cutting(&detectors, named, 1), []);
}

#[test]
fn the_fingerprint_tells_equal_from_different_and_the_preview_tells_nothing() {
    let detectors = everything(LeakAction::Redact);
    let finding = |seed| {
        let text = sample("credentials.github-pat", seed).unwrap();
        let hits = at_once(&detectors, text.as_bytes());
        hits.into_iter().next().unwrap().finding.unwrap()
    };
    assert_eq!(finding(1).fingerprint, finding(1).fingerprint);
    assert_ne!(finding(1).fingerprint, finding(2).fingerprint);
    assert_eq!(finding(1).fingerprint.len(), 16);
    assert_eq!(&*finding(1).preview, "ghp_****");
}

#[test]
fn a_wrong_checksum_is_graver_than_nothing() {
    let detectors = everything(LeakAction::Redact);
    let mut token = sample("credentials.github-pat", 9).unwrap();
    let last = if token.ends_with('a') { 'b' } else { 'a' };
    token.pop();
    token.push(last);
    let hits = at_once(&detectors, token.as_bytes());
    assert_eq!(
        hits[0].finding.as_ref().unwrap().severity,
        crate::model::Severity::High
    );
}

#[test]
fn what_would_hold_too_much_is_blocked_or_released_as_told() {
    let token = sample("credentials.github-fine-grained-pat", 2).unwrap();
    for (at_bound, action) in [
        (AtBound::Block, LeakAction::Block),
        (AtBound::Release, LeakAction::Flag),
    ] {
        let mut config = armed(&[("credentials", LeakAction::Redact)])
            .config()
            .clone();
        config.hold = Hold {
            bytes: 40,
            at_bound,
            ..Hold::default()
        };
        let detectors = Detectors::compile(&config).unwrap();
        let hits = assert_same_for_every_cutting(&detectors, token.as_bytes(), 2);
        assert_eq!(
            hits.iter().map(|hit| hit.action).collect::<Vec<_>>(),
            [action]
        );
    }
}

#[test]
fn names_are_checked_and_the_detector_overrides_its_pack() {
    let mut config = armed(&[]).config().clone();
    config.actions.insert("pii.emial".into(), LeakAction::Flag);
    assert!(Detectors::compile(&config).is_err());
    let detectors = armed(&[("pii", LeakAction::Block), ("pii.email", LeakAction::Allow)]);
    assert_eq!(at_once(&detectors, b"jane@acme-corp.io"), []);
    assert!(armed(&[("pii", LeakAction::Allow)]).is_empty());
}

#[test]
fn a_large_piece_is_one_text_too() {
    let detectors = everything(LeakAction::Redact);
    let filler = "Nothing to see in this line of text.\n";
    let secret = sample("credentials.github-pat", 4).unwrap();
    for shift in 0..60 {
        let mut text = filler.repeat(WINDOW / filler.len());
        text.truncate(WINDOW - shift);
        text.extend(["\n", &secret, "\n", &filler.repeat(20)]);
        let whole = at_once(&detectors, text.as_bytes());
        assert_eq!(whole.len(), 1, "{shift} before the end of a window");
        assert_eq!(run(&detectors, text.as_bytes().chunks(700)), whole);
    }
}

#[test]
fn seams_and_neighbours_of_numbers_and_addresses() {
    let detectors = everything(LeakAction::Redact);
    let card = "4111 1111 1111 1111";
    for (text, hits) in [
        (format!("card {card} 12/27 and 123 {card}."), 2),
        (format!("2024 {card}, {card}"), 2),
        ("4111111111111111.".to_owned(), 1),
        (
            "mail jane@acme-corp.io. Or <joe@acme-corp.io>, mailto:jim@acme-corp.io?x".to_owned(),
            3,
        ),
        ("postgres://app:p@ssw0rd@db.acme.io/x".to_owned(), 1),
        (
            "(see jane@acme-corp.io)and\\njoe@acme-corp.io".to_owned(),
            2,
        ),
        ("a 163.com user: wang@163.com".to_owned(), 1),
    ] {
        let found = assert_same_for_every_cutting(&detectors, text.as_bytes(), 1);
        assert_eq!(found.len(), hits, "{text}: {found:?}");
    }
}

#[test]
fn the_mark_replaces_the_secret_and_leaves_its_public_prefix() {
    let detectors = everything(LeakAction::Redact);
    for (name, left) in [
        ("credentials.github-pat", "ghp_[redacted:github-pat]"),
        ("credentials.jwt", "eyJ[redacted:jwt]"),
        ("pii.email", "[redacted:pii.email]"),
        ("cards.number", "[redacted:cards.number]"),
    ] {
        let text = format!("a {} b", sample(name, 6).unwrap());
        let [hit] = at_once(&detectors, text.as_bytes()).try_into().unwrap();
        let (before, _) = text.split_at(usize::try_from(hit.start).unwrap());
        let (_, after) = text.split_at(usize::try_from(hit.end).unwrap());
        assert_eq!(
            format!("{before}{}{after}", hit.mark),
            format!("a {left} b")
        );
    }
}
