//! What each carrier has to get right, case by case.

use std::collections::VecDeque;
use std::sync::Arc;

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
