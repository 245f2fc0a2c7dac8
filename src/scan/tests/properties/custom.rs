//! Detectors that a policy describes, in the same bodies and cuttings as those of the packs.

use super::*;
use crate::model::Severity;
use crate::scan::{Config, Custom, Dictionary, Entry, Hold, Listed, Pattern, Proof};

static REDACT: LazyLock<Arc<Detectors>> = LazyLock::new(|| own(LeakAction::Redact));
static BLOCK: LazyLock<Arc<Detectors>> = LazyLock::new(|| own(LeakAction::Block));

const CLIENTS: [&str; 3] = ["Zephyr Holdings 4711", "zephyr", "Overland M\u{fc}ller"];

fn clients() -> Dictionary {
    let key = [9; 32];
    let entries = CLIENTS.map(|client| Entry::of(&key, client).unwrap().0);
    Dictionary::new(key, 3, &entries)
}

/// Four detectors and a dictionary of a policy beside two packs.
fn own(action: LeakAction) -> Arc<Detectors> {
    let custom = |name: &str, pattern: &str, near: &[&str], proof| Custom {
        name: name.into(),
        pattern: Arc::new(Pattern::new(pattern).unwrap()),
        near: near.iter().map(|word| Box::from(*word)).collect(),
        proof,
        unless: None,
        action,
        severity: Severity::High,
    };
    let packs = ["credentials", "private-keys"];
    Arc::new(
        Detectors::compile(&Config {
            actions: packs.map(|pack| (Box::from(pack), action)).into(),
            custom: vec![
                custom("staff", r"\bEMP-\d{10}\b", &[], Some(Proof::Luhn)),
                custom("falcon", r"(?i)project (falcon|eagle) [0-9]{4}", &[], None),
                custom("passport", r"\b[A-Z]{2}\d{7}\b", &["passport"], None),
                custom("order", r"order (?P<secret>\d{9})", &[], None),
            ],
            listed: vec![Listed {
                name: "clients".into(),
                dictionary: Arc::new(clients()),
                action,
                severity: Severity::High,
            }],
            exceptions: Vec::new(),
            hold: Hold::default(),
            buffer_bytes: 1 << 20,
            fingerprint_key: [7; 32],
        })
        .unwrap(),
    )
}

/// A text with something of one of them, and what of it is secret.
fn planted(dice: &mut Dice) -> (String, String) {
    let mut digits = |count: usize| -> String {
        (0..count)
            .map(|_| char::from(b'0' + u8::try_from(dice.below(10)).unwrap()))
            .collect()
    };
    let (before, secret) = match digits(1).as_bytes()[0] % 5 {
        0 => {
            let body = digits(9);
            let last = (0..10).find(|last| {
                crate::scan::matcher::evidence::luhn(format!("{body}{last}").as_bytes())
            });
            ("", format!("EMP-{body}{}", last.unwrap()))
        }
        1 => ("", format!("Project Eagle {}", digits(4))),
        2 => ("passport: ", format!("XK{}", digits(7))),
        3 => ("order ", digits(9)),
        _ => ("", "zephyr holdings 4711".to_owned()),
    };
    (format!("{before}{secret}"), secret)
}

fn leaves_nothing(secret: &str, left: &str) -> bool {
    let mut windows = secret.as_bytes().windows(7);
    windows.all(|window| !left.contains(&*String::from_utf8_lossy(window)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_of_a_policys_own_leaves_in_any_cutting(
        seed in 1_u64..u64::MAX, kind in 0_usize..7, cuts in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let mut dice = Dice(seed);
        let (text, secret) = planted(&mut dice);
        let text = format!("{} {text} {}", dice.words(), dice.words());
        let (carrier, body) = body(&mut dice, kind, &text);
        let pieces = cuttings(body.as_bytes(), &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();

        let whole = run(&REDACT, carrier, &[body.as_bytes()]);
        let cut = run(&REDACT, carrier, &pieces);
        prop_assert_eq!(&whole.outcome, &Ok(()), "{}", body);
        prop_assert!(!whole.findings.is_empty(), "{}", body);
        let out = String::from_utf8(whole.bytes.clone()).unwrap();
        prop_assert_eq!(&out, &String::from_utf8_lossy(&cut.bytes), "{}", body);
        prop_assert_eq!(&whole.findings, &cut.findings, "{}", body);
        prop_assert!(leaves_nothing(&secret, &joined(carrier, &out)), "{} in {} from {}", secret, out, body);
        let again = run(&REDACT, carrier, &[&whole.bytes]);
        prop_assert_eq!(String::from_utf8_lossy(&again.bytes), out, "twice, from {}", body);

        let whole = run(&BLOCK, carrier, &[body.as_bytes()]);
        let cut = run(&BLOCK, carrier, &pieces);
        prop_assert!(whole.outcome.is_err());
        prop_assert_eq!(&whole.outcome, &cut.outcome, "{}", body);
        prop_assert_eq!(&whole.findings, &cut.findings, "{}", body);
        prop_assert!(leaves_nothing(&secret, &String::from_utf8_lossy(&whole.bytes)));
        prop_assert!(leaves_nothing(&secret, &String::from_utf8_lossy(&cut.bytes)));
    }

    #[test]
    fn nothing_of_a_policys_own_leaves_out_of_base64(
        seed in 1_u64..u64::MAX, cuts in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let mut dice = Dice(seed);
        let (text, secret) = planted(&mut dice);
        let text = format!("Some text, {text} {}", dice.words());
        let text = encoded(&mut dice, &text);
        let body = format!("{} {text} {} .", dice.words(), dice.words());
        let pieces = cuttings(body.as_bytes(), &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let whole = run(&REDACT, Carrier::Text, &[body.as_bytes()]);
        let cut = run(&REDACT, Carrier::Text, &pieces);
        prop_assert_eq!(&whole.outcome, &Ok(()), "{}", body);
        prop_assert!(!whole.findings.is_empty(), "{}", body);
        let out = String::from_utf8(whole.bytes.clone()).unwrap();
        prop_assert_eq!(&out, &String::from_utf8_lossy(&cut.bytes), "{}", body);
        prop_assert_eq!(&whole.findings, &cut.findings, "{}", body);
        prop_assert!(leaves_nothing(&secret, &decoded(&out)), "{} in {} from {}", secret, out, body);
    }
}

#[test]
fn what_hides_it_from_a_plain_search_does_not_hide_it() {
    for text in [
        "EMP-12345\\u003678\\u00397",
        "EMP%2D1234567897",
        "E\u{200b}MP-123\u{ad}4567897",
        "\u{ff25}MP-1234567897",
    ] {
        let body = format!("{{\"text\":\"x {text} y\"}}");
        let out = run(&REDACT, Carrier::Json, &[body.as_bytes()]);
        let left = String::from_utf8(out.bytes).unwrap();
        assert_eq!(left, "{\"text\":\"x [redacted:staff] y\"}", "{text}");
    }
    // The name beside a value may be the word that must stand close by.
    let body = "{\"passport\":\"XK1234567\",\"other\":\"XK1234567\"}";
    let out = run(&REDACT, Carrier::Json, &[body.as_bytes()]);
    assert_eq!(
        String::from_utf8(out.bytes).unwrap(),
        "{\"passport\":\"[redacted:passport]\",\"other\":\"XK1234567\"}"
    );
}
