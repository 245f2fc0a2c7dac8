//! What each carrier has to get right, case by case.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;

use super::{armed, detectors, pieces_of, run, token};
use crate::model::LeakAction;
use crate::scan::{AtBound, Blocked, Carrier, Scan, sample};

fn redacted(carrier: Carrier, body: &str) -> String {
    let detectors = armed(
        &["cards", "credentials", "pii", "private-keys"],
        LeakAction::Redact,
        AtBound::Block,
    );
    let whole = run(&detectors, carrier, &[body.as_bytes()]);
    let single: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    let single = run(&detectors, carrier, &single);
    let text = String::from_utf8(whole.bytes).unwrap();
    assert_eq!(text, String::from_utf8(single.bytes).unwrap(), "{body}");
    assert_eq!(whole.findings, single.findings, "{body}");
    text
}

/// A card number of 16 digits, in groups of four.
fn groups() -> Vec<String> {
    let card = (0..99)
        .filter_map(|seed| sample("cards.number", seed))
        .map(|card| card.replace([' ', '-'], ""))
        .find(|card| card.len() == 16)
        .unwrap();
    let digits = card.as_bytes().chunks(4);
    digits
        .map(|group| String::from_utf8(group.to_vec()).unwrap())
        .collect()
}

#[test]
fn bare_words_that_are_not_json_are_read_as_text() {
    let jwt = sample("credentials.jwt", 3).unwrap();
    let card = groups().join(" ");
    for body in [
        "[alan.turing@corp.io]".to_owned(),
        "{\"a\": nullify@corp.io}".to_owned(),
        format!("[{jwt}]"),
        card.clone(),
        format!("[1, {card}]"),
    ] {
        for carrier in [Carrier::Json, Carrier::Text] {
            let out = redacted(carrier, &body);
            assert!(out.contains("[redacted:"), "{body} -> {out}");
        }
    }
}

#[test]
fn the_mark_of_a_number_is_a_string() {
    let card = groups().concat();
    let json = redacted(Carrier::Json, &format!("{{\"n\":{card} ,\"m\":[-1,2e5]}}"));
    assert_eq!(json, "{\"n\":\"[redacted:cards.number]\" ,\"m\":[-1,2e5]}");
    let sse = redacted(Carrier::Sse, &format!("data: {{\"n\":{card}}}\n\n"));
    assert_eq!(sse, "data: {\"n\":\"[redacted:cards.number]\"}\n\n");
    let alone = redacted(Carrier::Sse, &format!("data: {card}\n\n"));
    assert_eq!(alone, "data: \"[redacted:cards.number]\"\n\n");
}

#[test]
fn a_byte_order_mark_may_be_cut() {
    let token = token();
    let body = format!("\u{feff}{{\"k\":\"gh\\u0070_{}\"}}", &token[4..]);
    assert_eq!(
        redacted(Carrier::Json, &body),
        "\u{feff}{\"k\":\"gh\\u0070_[redacted:github-pat]\"}"
    );
}

#[test]
fn what_stops_being_json_is_still_read_with_its_escapes() {
    let secret = token().split_off(4);
    for body in [
        format!("{{/* note */\"k\":\"gh\\u0070_{secret}\"}}"),
        format!("{{\"k\":'gh\\u0070_{secret}'}}"),
        format!("{{\"k\":1}} trailing gh\\u0070_{secret}"),
    ] {
        let out = redacted(Carrier::Json, &body);
        assert!(!out.contains(&secret), "{out}");
    }
    let out = redacted(
        Carrier::Sse,
        &format!("data: {{\"k\":gh\\u0070_{secret}}}\n\n"),
    );
    assert!(!out.contains(&secret), "{out}");
}

#[test]
fn tokens_of_plain_data_that_look_like_json_are_text_too() {
    let token = token();
    let at = token.len() - 6;
    let stream = format!("data: {}\n\ndata: true\n\n", &token[..20]);
    assert_eq!(
        redacted(Carrier::Sse, &stream),
        stream,
        "nothing is complete"
    );
    let groups = groups();
    let stream: String = groups
        .iter()
        .map(|group| format!("data:  {group}\n\n"))
        .collect();
    let out = redacted(Carrier::Sse, &stream);
    assert!(groups.iter().all(|group| !out.contains(group)), "{out}");
    let stream = format!("data: {}\n\ndata: {}\n\n", &token[..at], &token[at..]);
    assert!(!redacted(Carrier::Sse, &stream).contains(&token[4..16]));
}

fn update(artifact: &str, append: Option<bool>, parts: &[&str]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("{{\"text\":\"{part}\",\"metadata\":{{\"lang\":\"en\"}}}}"))
        .collect();
    let append = append.map_or(String::new(), |append| format!(",\"append\":{append}"));
    format!(
        "data: {{\"result\":{{\"artifactUpdate\":{{\"taskId\":\"t\",\"artifact\":{{\"artifactId\":\"{artifact}\",\"parts\":[{}]}}{append}}}}}}}\n\n",
        parts.join(",")
    )
}

#[test]
fn a_key_split_over_parts_and_events_is_one_text() {
    let token = token();
    let (a, rest) = token.split_at(9);
    let (b, c) = rest.split_at(11);
    for stream in [
        update("a", None, &[a, b, c]),
        update("a", None, &[a, b]) + &update("a", Some(true), &[c]),
        // Replaced for one reader, appended for another.
        update("a", None, &[a]) + &update("a", None, &[b]) + &update("a", None, &[c]),
        format!(
            "data: {{\"task\":{{\"id\":\"t\",\"artifacts\":[{{\"parts\":[{{\"text\":\"{a}\"}},{{\"data\":1}},{{\"text\":\"{b}{c}\"}}]}}]}}}}\n\n"
        ),
        update("a", None, &[a])
            + &update("a", Some(true), &[b, c]).replace(":true}", ":true,\"lastChunk\":true}"),
    ] {
        let out = redacted(Carrier::Sse, &stream);
        assert!(out.contains("[redacted:github-pat]"), "{out}");
        assert!(!out.contains(b) && !out.contains(&c[..10]), "{out}");
    }
    // Another artifact in between is another text.
    let mixed =
        update("a", None, &[a]) + &update("b", None, &["x"]) + &update("a", Some(true), &[b, c]);
    assert!(!redacted(Carrier::Sse, &mixed).contains(b));
}

#[test]
fn a_large_event_is_refused_in_every_cutting() {
    let detectors = detectors(LeakAction::Redact);
    let body = format!("data: ok\n\ndata: {}\n\n", "x ".repeat(600_000));
    let bytes = body.as_bytes();
    for size in [bytes.len(), 100_000] {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        let out = run(&detectors, Carrier::Sse, &pieces);
        assert_eq!(out.outcome, Err(Blocked::EventTooLarge));
        assert_eq!(out.bytes, b"data: ok\n\n");
    }
}

#[test]
fn comments_keep_their_place() {
    let stream = ": hi\n\ndata: word\n\n:\n\n\r\n\ndata: more\n\n";
    assert_eq!(redacted(Carrier::Sse, stream), stream);
}

fn text_of(released: &mut VecDeque<Bytes>) -> String {
    let bytes: Vec<u8> = released.drain(..).flatten().collect();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn only_what_has_waited_its_time_is_let_go() {
    let detectors = armed(
        &["cards", "credentials", "pii", "private-keys"],
        LeakAction::Redact,
        AtBound::Block,
    );
    let mut scan = Scan::new(Arc::clone(&detectors), Carrier::Text);
    let mut out = VecDeque::new();
    scan.feed(Bytes::from("to john.doe"), &mut out).unwrap();
    assert_eq!(text_of(&mut out), "to ");
    assert_eq!(scan.waits_from(), Some(3));
    scan.feed(Bytes::from(" and ghp_abc"), &mut out).unwrap();
    assert_eq!(text_of(&mut out), "john.doe and ");
    // The clock of the key does not start with the word before it.
    assert_eq!(scan.waits_from(), Some(16));
    assert_eq!(scan.hold_expired(&mut out), Err(Blocked::HoldBound));
    assert_eq!(text_of(&mut out), "");

    let mut scan = Scan::new(detectors, Carrier::Text);
    scan.feed(Bytes::from("to john.doe"), &mut out).unwrap();
    scan.hold_expired(&mut out).unwrap();
    assert_eq!(text_of(&mut out), "to john.doe");
    scan.feed(Bytes::from("@corp.io, bye"), &mut out).unwrap();
    scan.finish(&mut out).unwrap();
    assert_eq!(text_of(&mut out), "[redacted:pii.email], bye");
}

#[test]
fn what_is_released_at_the_bound_is_told_of() {
    let detectors = armed(&["credentials"], LeakAction::Redact, AtBound::Release);
    let mut scan = Scan::new(detectors, Carrier::Text);
    let mut out = VecDeque::new();
    scan.feed(Bytes::from("ghp_abcdefgh"), &mut out).unwrap();
    scan.hold_expired(&mut out).unwrap();
    assert_eq!(text_of(&mut out), "ghp_abcdefgh");
    let findings = scan.take_findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].action, LeakAction::Flag);
}

#[test]
fn a_stream_that_breaks_off_keeps_its_candidate() {
    let detectors = detectors(LeakAction::Redact);
    let token = token();
    for (carrier, body) in [
        (Carrier::Text, format!("x {}", &token[..30])),
        (Carrier::Json, format!("{{\"k\":\"{}", &token[..30])),
        (Carrier::Sse, update("a", None, &[&token[..30]])),
    ] {
        let mut scan = Scan::new(Arc::clone(&detectors), carrier);
        let mut out = VecDeque::new();
        scan.feed(Bytes::from(body), &mut out).unwrap();
        scan.abort(&mut out);
        let out = text_of(&mut out);
        assert!(
            !pieces_of(&token).any(|piece| out.contains(&piece)),
            "{out}"
        );
    }
}

#[test]
fn more_texts_than_can_be_told_apart_are_forgotten_or_refused() {
    let detectors = detectors(LeakAction::Redact);
    let idle: String = (0..1500)
        .map(|at| update(&at.to_string(), None, &["word "]))
        .collect();
    let out = run(&detectors, Carrier::Sse, &[idle.as_bytes()]);
    assert_eq!(out.bytes, idle.as_bytes());
    let waiting: String = (0..1500)
        .map(|at| update(&at.to_string(), None, &["ghp_ab"]))
        .collect();
    let out = run(&detectors, Carrier::Sse, &[waiting.as_bytes()]);
    assert_eq!(out.outcome, Err(Blocked::TooManyTexts));
}

#[test]
fn what_is_said_about_an_event_does_not_wait_for_the_next() {
    let detectors = armed(&["credentials", "pii"], LeakAction::Redact, AtBound::Block);
    let mut scan = Scan::new(detectors, Carrier::Sse);
    let mut out = VecDeque::new();
    let event = "data: {\"artifactUpdate\":{\"artifact\":{\"parts\":[{\"text\":\"a word, \"}]},\
                 \"metadata\":{\"sent\":\"1795181975\",\"by\":{\"run\":[\"e-7f3a\"]}}}}\n\n";
    scan.feed(Bytes::from(event), &mut out).unwrap();
    assert_eq!(text_of(&mut out), event);
    let token = token();
    let leak = format!("data: {{\"metadata\":{{\"note\":\"{token}\"}}}}\n\n");
    scan.feed(Bytes::from(leak), &mut out).unwrap();
    assert!(!text_of(&mut out).contains(&token[4..]));
}

/// The value of a sample that is only recognisable by the name before it.
fn nameless(seed: u64) -> String {
    let sample = sample("credentials.aws-secret-access-key", seed).unwrap();
    sample[sample.len() - 40..].to_owned()
}

#[test]
fn a_key_tells_what_its_value_is() {
    let secret = nameless(3);
    for body in [
        format!(r#"{{"aws_secret_access_key":"{secret}"}}"#),
        format!(r#"{{"a":[],"aws_secret_access_key" : [1, "{secret}"],"b":"c"}}"#),
        format!(
            r#"{{"aws\u005fsecret_access_key":"{}\u00{:02x}{}"}}"#,
            &secret[..9],
            secret.as_bytes()[9],
            &secret[10..]
        ),
        format!(r#"{{"env":[{{"name":"AWS_SECRET_ACCESS_KEY","value":"{secret}"}}]}}"#),
        format!(r#"{{"Key":"SecretAccessKey","Tags":null,"Value":"{secret}"}}"#),
    ] {
        for (carrier, body) in [
            (Carrier::Json, body.clone()),
            (Carrier::Sse, format!("data: {body}\n\n")),
        ] {
            let out = redacted(carrier, &body);
            let mark = "\"[redacted:aws-secret-access-key]\"";
            assert!(
                out.contains(mark) && !out.contains(&secret[20..]),
                "{body} -> {out}"
            );
        }
    }
    // Where it stands says nothing of another one.
    for body in [
        format!(r#"{{"aws_secret_access_key":{{"sha":"{secret}"}}}}"#),
        format!(r#"{{"aws_secret_access_key":"","sha":"{secret}"}}"#),
        format!(r#"[{{"name":"aws_secret_access_key"}},{{"value":"{secret}"}}]"#),
    ] {
        assert_eq!(redacted(Carrier::Json, &body), body);
        let event = format!("data: {body}\n\n");
        assert_eq!(redacted(Carrier::Sse, &event), event);
    }
}

/// The ways of writing a token that a plain search does not see.
fn guises(token: &str) -> Vec<String> {
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let (anchor, secret) = token.split_at(4);
    let percent: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let references: String = token.bytes().map(|byte| format!("&#{byte};")).collect();
    let escaped: String = token.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let unseen: String = token.chars().flat_map(|it| [it, '\u{200b}']).collect();
    let wide = |byte: u8| char::from_u32(u32::from(byte) - 0x21 + 0xff01).unwrap();
    vec![
        format!("key ghp%5F{secret} end"),
        format!("key {percent} end"),
        format!("key %2567hp_{secret} end"),
        format!("<b>{references}</b>"),
        format!("<b>ghp&#x5f;{secret}</b>"),
        format!("print('{escaped}')"),
        format!("a {unseen} b"),
        format!("a {anchor}\u{ad}{secret} b"),
        format!("a {} b", token.bytes().map(wide).collect::<String>()),
        // Two layers of JSON, and three.
        json(&json(&format!("line\n{token}\n"))),
        json(&json(&json(&format!("\n{token}\"")))),
        format!("g\u{4bb}p_{secret}"),
    ]
}

/// What a lenient reader makes of a text.
fn bare(text: &str) -> String {
    let mut text = text.replace(['\u{200b}', '\u{ad}', '\\'], "");
    for byte in 0x21_u8..0x7f {
        let wide = char::from_u32(u32::from(byte) - 0x21 + 0xff01).unwrap();
        for form in [
            format!("%{byte:02X}"),
            format!("&#{byte};"),
            format!("u{byte:04x}"),
            wide.to_string(),
        ] {
            text = text.replace(&form, &char::from(byte).to_string());
        }
    }
    text
}

#[test]
fn a_secret_in_another_guise_does_not_leave() {
    let token = token();
    for guise in guises(&token) {
        let json = serde_json::to_string(&guise).unwrap();
        for (carrier, body) in [
            (Carrier::Text, guise.clone()),
            (Carrier::Json, format!("{{\"text\":{json}}}")),
            (Carrier::Sse, format!("data: {{\"delta\":{json}}}\n\n")),
        ] {
            let out = redacted(carrier, &body);
            assert!(out.contains("[redacted:github-pat]"), "{body} -> {out}");
            let left = bare(&out);
            for piece in pieces_of(&token) {
                assert!(!left.contains(&piece), "{piece} of {body} in {out}");
            }
        }
        // Piece by piece nothing of it leaves before it is known.
        for action in [LeakAction::Redact, LeakAction::Block] {
            let detectors = detectors(action);
            for cut in 0..=guise.len() {
                let (before, after) = guise.as_bytes().split_at(cut);
                let out = run(&detectors, Carrier::Text, &[before, after]);
                let left = bare(&String::from_utf8_lossy(&out.bytes));
                for piece in pieces_of(&token) {
                    assert!(
                        !left.contains(&piece),
                        "{piece} of {guise} cut at {cut} in {left}"
                    );
                }
            }
        }
    }
}

#[test]
fn text_with_what_looks_like_guises_leaves_as_it_came() {
    let text = "50% off \u{2014} R&amp;D \\n C:\\new\\table %zz \u{200b} \u{442}\u{435}\u{441}\u{442} &copy; %";
    let long = text.repeat(40);
    for body in [text, &long] {
        for carrier in [Carrier::Text, Carrier::Sse] {
            assert_eq!(redacted(carrier, body), body);
        }
        let json = serde_json::to_string(body).unwrap();
        assert_eq!(redacted(Carrier::Json, &json), json);
    }
}

fn wrapped(text: &str, width: usize, end: &str) -> String {
    let lines = text.as_bytes().chunks(width);
    let lines: Vec<&str> = lines
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    lines.join(end)
}

/// What stands in the longest run of base64 in a text.
fn unwrapped(text: &str) -> String {
    let letters = |it: char| it.is_ascii_alphanumeric() || "+/-_=".contains(it);
    let text = text.replace("\\r", "").replace("\\n", "");
    let text = text.replace(['\n', '\r'], "");
    let runs = text.split(|it| !letters(it));
    let run = runs.max_by_key(|run| run.len()).unwrap();
    let run = run
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    let run = run.rsplit_once("dir/").map_or(run.as_str(), |(_, run)| run);
    let decoded = STANDARD_NO_PAD
        .decode(run)
        .unwrap_or_else(|error| panic!("{error}: {run}"));
    String::from_utf8(decoded).unwrap()
}

#[test]
fn what_is_found_in_base64_leaves_as_base64() {
    let token = token();
    for (before, after) in [
        ("", ""),
        ("=", "\""),
        ("a: ", ".."),
        ("{\"token\":\"", "\"}"),
        (
            "Some lines of text stand here before it,\nand there they end: ",
            "\nand more of them behind it, to be whole\n",
        ),
    ] {
        let text = format!("{before}{token}{after}");
        let (standard, url) = (STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text));
        let twice = STANDARD.encode(format!("data: {standard}"));
        for body in [
            standard.clone(),
            format!("see {url}."),
            format!("src=\"data:text/plain;base64,{standard}\""),
            format!("https://x.example/a/dir/{url}?q=1"),
            wrapped(&standard, 76, "\n"),
            wrapped(&standard, 64, "\r\n"),
        ] {
            let out = redacted(Carrier::Text, &body);
            let left = unwrapped(&out);
            assert!(
                left.contains("[redacted:github-pat]"),
                "{body} -> {out} {left}"
            );
            assert!(
                left.starts_with(before) && left.ends_with(after),
                "{text} -> {left}"
            );
            for piece in pieces_of(&token) {
                assert!(!left.contains(&piece), "{left}");
            }
            let json = serde_json::to_string(&body).unwrap();
            let out = redacted(Carrier::Json, &format!("{{\"raw\":{json}}}"));
            assert!(unwrapped(&out).contains("[redacted:github-pat]"), "{out}");
            let out = redacted(Carrier::Sse, &format!("data: {{\"raw\":{json}}}\n\n"));
            assert!(unwrapped(&out).contains("[redacted:github-pat]"), "{out}");
        }
        let out = redacted(Carrier::Text, &twice);
        let left = unwrapped(&out);
        let left = unwrapped(left.trim_start_matches("data: "));
        assert!(left.contains("[redacted:github-pat]"), "{out}");
    }
}

#[test]
fn no_byte_of_what_is_in_base64_leaves_however_it_is_cut() {
    let token = token();
    let text = format!("the key is {token}, as you asked");
    for body in [
        format!("here: {} and text", STANDARD.encode(&text)),
        format!("here: {} and text", URL_SAFE_NO_PAD.encode(&token)),
        format!("a/b-c/dir/{}", URL_SAFE_NO_PAD.encode(&text)),
        wrapped(&STANDARD.encode(text.repeat(3)), 76, "\n"),
    ] {
        for action in [LeakAction::Redact, LeakAction::Block] {
            let detectors = detectors(action);
            let whole = run(&detectors, Carrier::Text, &[body.as_bytes()]);
            assert!(!whole.findings.is_empty(), "{body}");
            let cuts = (0..=body.len()).map(|cut| {
                let (before, after) = body.as_bytes().split_at(cut);
                vec![before, after]
            });
            let steady = (1..20).map(|length| body.as_bytes().chunks(length).collect());
            for pieces in cuts.chain(steady) {
                let out = run(&detectors, Carrier::Text, &pieces);
                assert_eq!(out.findings, whole.findings, "{body} {pieces:?}");
                assert_eq!(out.outcome, whole.outcome, "{body} {pieces:?}");
                if action == LeakAction::Redact {
                    assert_eq!(out.bytes, whole.bytes, "{body} {pieces:?}");
                    continue;
                }
                // What has left of the run tells nothing of the token.
                let left = String::from_utf8(out.bytes).unwrap();
                let run = left.rsplit([' ', '\n', '/']).next().unwrap();
                let run = run.replace('-', "+").replace('_', "/");
                let known = STANDARD_NO_PAD.decode(&run[..run.len() / 4 * 4]).unwrap();
                let known = String::from_utf8_lossy(&known).into_owned();
                assert!(!known.contains(&token[..6]), "{known}");
            }
        }
    }
}

#[test]
fn a_word_that_could_be_base64_does_not_wait() {
    let detectors = armed(&["credentials"], LeakAction::Redact, AtBound::Block);
    let mut scan = Scan::new(detectors, Carrier::Text);
    let mut out = VecDeque::new();
    for piece in [
        "The ",
        "quick",
        " brow",
        "n fox",
        " jump",
        "s over",
        " http://a",
        "/b/c",
    ] {
        scan.feed(Bytes::from(piece), &mut out).unwrap();
        assert_eq!(text_of(&mut out), piece);
    }
}

#[test]
fn what_stands_beside_a_long_secret_is_found_too() {
    let token = token();
    let long = sample("private-keys.pem", 7).unwrap();
    let (text, key) = (format!("a text: {token}"), STANDARD.encode(&long));
    let packs = ["credentials", "private-keys"];
    let detectors = armed(&packs, LeakAction::Redact, AtBound::Block);
    for (tokens, body) in [
        // In a run before a key, in one run with it, and behind the run that it takes with it.
        (
            2,
            format!("{} and {long} and {token}", STANDARD.encode(&text)),
        ),
        (
            2,
            format!("{} {token} .", STANDARD.encode(format!("{text} {long}"))),
        ),
        (1, format!("{key}\n{}", STANDARD.encode(&text))),
    ] {
        let whole = run(&detectors, Carrier::Text, &[body.as_bytes()]);
        let found = whole.findings.iter();
        let found = found.filter(|it| it.detector == "credentials.github-pat");
        assert_eq!(found.count(), tokens, "{body} {:?}", whole.findings);
        for length in 1..40 {
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(length).collect();
            let out = run(&detectors, Carrier::Text, &pieces);
            assert_eq!(out.findings, whole.findings, "{length}: {body}");
            assert_eq!(out.bytes, whole.bytes, "{length}: {body}");
        }
    }
}

#[test]
fn a_run_that_is_longer_than_what_is_kept_is_left() {
    // What began as text and is none after all, with the beginning far behind by then.
    let body = format!("{}{}", "QUJDREVG".repeat(3), "/".repeat(3000));
    for length in [1, 7, 191, 193, 600] {
        let pieces: Vec<&[u8]> = body.as_bytes().chunks(length).collect();
        let out = run(&detectors(LeakAction::Redact), Carrier::Text, &pieces);
        assert_eq!(String::from_utf8_lossy(&out.bytes), body);
    }
}

#[test]
fn base64_without_a_secret_leaves_as_it_came() {
    let text = "No secret stands here, but quite some text, and more of it. ".repeat(30);
    let binary: Vec<u8> = (0..2000_u32).map(|it| (it * 7919 % 251) as u8).collect();
    for body in [
        STANDARD.encode(&text),
        wrapped(&STANDARD.encode(&binary), 76, "\r\n"),
        "src/scan/matcher/encoded/and/more/of/it-and_more 0123456789abcdef0123456789abcdef"
            .to_owned(),
        "A".repeat(5000),
        "QUJD/QUJD-QUJD_".repeat(400),
    ] {
        for carrier in [Carrier::Text, Carrier::Json, Carrier::Sse] {
            assert_eq!(redacted(carrier, &body), body);
        }
    }
}
