//! Bodies of several parts.

use proptest::prelude::*;

use super::{armed, run, token};
use crate::model::LeakAction;
use crate::scan::{AtBound, Boundary, Carrier, sample};

const TYPE: &str = "multipart/form-data; boundary=x-7";

fn carrier() -> Carrier {
    Carrier::of(Some(TYPE))
}

/// A body of parts, each with its head.
fn body(parts: &[(&str, &str)]) -> String {
    let parts = parts
        .iter()
        .map(|(head, text)| format!("--x-7\r\n{head}\r\n\r\n{text}\r\n"));
    format!("{}--x-7--\r\n", parts.collect::<String>())
}

fn redacted(body: &str) -> String {
    let detectors = armed(
        &["cards", "credentials", "pii", "private-keys"],
        LeakAction::Redact,
        AtBound::Block,
    );
    let whole = run(&detectors, carrier(), &[body.as_bytes()]);
    assert_eq!(whole.outcome, Ok(()), "{body}");
    for length in [1, 2, 3, 7] {
        let pieces: Vec<&[u8]> = body.as_bytes().chunks(length).collect();
        let pieces = run(&detectors, carrier(), &pieces);
        assert_eq!(whole.bytes, pieces.bytes, "{body} in pieces of {length}");
        assert_eq!(whole.findings, pieces.findings, "{body}");
    }
    String::from_utf8(whole.bytes).unwrap()
}

#[test]
fn the_content_type_names_the_boundary() {
    for (content_type, is_known) in [
        ("multipart/mixed; boundary=abc", true),
        (
            "Multipart/Related; type=\"text/xml; a=b\"; Boundary=\"a b\\\"c\"",
            true,
        ),
        ("multipart/form-data; charset=utf-8 ;boundary = abc", true),
        ("multipart/mixed; boundary=abc; boundary=abc", true),
        ("multipart/mixed", false),
        ("multipart/mixed; boundary=\"\"", false),
        // Nobody knows which of them a reader takes.
        ("multipart/mixed; boundary=abc; boundary=abd", false),
        ("text/plain; boundary=abc", false),
    ] {
        let carrier = Carrier::of(Some(content_type));
        let is_multipart = matches!(carrier, Carrier::Multipart(_));
        assert_eq!(is_multipart, is_known, "{content_type}");
    }
    assert_eq!(
        Boundary::of("multipart/mixed; boundary=\"a\\-b\""),
        Boundary::of("multipart/mixed; boundary=a-b")
    );
    let long = format!("multipart/mixed; boundary={}", "a".repeat(71));
    assert_eq!(Boundary::of(&long), None);
}

#[test]
fn each_part_is_a_text_of_its_own_kind() {
    let token = token();
    let escaped = token.replace("ghp_", "gh\\u0070_");
    let json = format!("{{\"k\":\"{escaped}\",\"n\":1}}");
    let text = body(&[
        ("Content-Type: text/plain", &format!("see {token} there")),
        ("Content-Type: application/json", &json),
        ("", "nothing"),
    ]);
    let out = redacted(&text);
    assert_eq!(out.matches("[redacted:github-pat]").count(), 2, "{out}");
    assert!(
        out.contains("{\"k\":\"[redacted:github-pat]\",\"n\":1}")
            || out.contains("_[redacted:github-pat]\",\"n\":1}")
    );
    assert_eq!(out.matches("--x-7").count(), text.matches("--x-7").count());
    // A number that becomes a mark stands in quotes, as in any JSON.
    let card = (0..99).filter_map(|seed| sample("cards.number", seed));
    let card = card
        .map(|card| card.replace([' ', '-'], ""))
        .next()
        .unwrap();
    let out = redacted(&body(&[(
        "content-type: application/a2a+json",
        &format!("{{\"c\":{card}}}"),
    )]));
    assert!(out.contains("{\"c\":\"[redacted:cards.number]\"}"), "{out}");
}

#[test]
fn the_name_of_a_field_tells_what_its_value_is() {
    let value = "tr0ub4dor&Zebra9";
    let named = "Content-Disposition: form-data; name=\"password\"";
    let other = "Content-Disposition: form-data; name=\"comment\"";
    let out = redacted(&body(&[(named, value), (other, value)]));
    assert_eq!(out.matches(value).count(), 1, "{out}");
    let folded = "Content-Disposition: form-data;\r\n name=\"password\"";
    assert!(!redacted(&body(&[(folded, value)])).contains(value));
    // The last boundary may be the last byte.
    let open = body(&[(named, value)]);
    assert!(!redacted(open.trim_end()).contains(value));
}

#[test]
fn heads_base64_and_what_stands_around_the_parts_are_read() {
    use base64::Engine as _;
    let token = token();
    let hidden = base64::prelude::BASE64_STANDARD.encode(format!("the key is {token}, keep it"));
    let wrapped: Vec<&str> = hidden
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    for text in [
        format!("{token}\r\n{}", body(&[("", "a")])),
        format!("{}{token}", body(&[("", "a")])),
        body(&[(
            &format!("Content-Disposition: form-data; name=\"f\"; filename=\"{token}\""),
            "a",
        )]),
        body(&[("Content-Transfer-Encoding: base64", &wrapped.join("\r\n"))]),
    ] {
        let out = redacted(&text);
        assert!(out != text && !out.contains(&token[4..]), "{out}");
    }
}

#[test]
fn what_is_no_good_multipart_is_searched_all_the_same() {
    let token = token();
    for text in [
        // No boundary at all, or another; a line that only begins like one; a head that never ends.
        format!("see {token}"),
        format!("--x-8\r\n\r\n{token}\r\n--x-8--\r\n"),
        format!("--x-7\r\n\r\na\r\n--x-77 {token}\r\n--x-7 {token}\r\n"),
        format!("--x-7\r\nA: b\r\n--x-7\r\n{token}"),
        format!("--x-7\r\n{token}"),
        format!("--x-7\r\n{}{token} \r\n\r\na", "a ".repeat(4000)),
        format!("--x-7\n\n{token}\n--x-7--\n"),
        format!("\r\n--x-7\r\n\r\n--x-7\r\n\r\n{token}--x-7\r\n\r\r\n"),
        format!("--x-7\r\nContent-Type: application/json\r\n\r\nno json {token}\r\n--x-7--"),
    ] {
        let out = redacted(&text);
        assert!(!out.contains(&token[4..]), "{out}");
        assert!(out.contains("[redacted:github-pat]"), "{out}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cutting_of_parts_makes_a_difference(
        pieces in prop::collection::vec(0..18_usize, 1..40),
        cuts in prop::collection::vec(1..40_usize, 1..9),
    ) {
        let token = token();
        let apart = format!(" {token} ");
        let pieces: Vec<&str> = pieces
            .iter()
            .map(|piece| match piece {
                0 | 1 => "\r\n--x-7\r\n",
                2 => "--x-7--",
                3 => "\r\n",
                4 => "\n",
                5 => "\r",
                6 => "--x-7",
                7 => "--",
                8 => "\r\n\r\n",
                9 => "Content-Type: application/json",
                10 => "Content-Disposition: form-data; name=\"password\"",
                11 => "{\"k\":\"",
                12 => "\"}",
                13 => &apart,
                14 => "tr0ub4dor&Zebra9",
                15 => "alan.turing@corp.io",
                16 => " ",
                _ => "word",
            })
            .collect();
        let text = pieces.concat();
        let detectors = armed(&["credentials", "pii"], LeakAction::Redact, AtBound::Block);
        let whole = run(&detectors, carrier(), &[text.as_bytes()]);
        let mut rest = text.as_bytes();
        let mut cut = Vec::new();
        for length in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(rest.len().min(*length));
            cut.push(piece);
            rest = behind;
        }
        let cut = run(&detectors, carrier(), &cut);
        prop_assert_eq!(String::from_utf8_lossy(&whole.bytes), String::from_utf8_lossy(&cut.bytes), "{:?}", text);
        prop_assert_eq!(&whole.findings, &cut.findings, "{:?}", text);
        prop_assert!(!String::from_utf8_lossy(&whole.bytes).contains(&token[4..]), "{:?}", text);
        if whole.findings.is_empty() {
            prop_assert_eq!(String::from_utf8_lossy(&whole.bytes), text);
        }
    }
}
