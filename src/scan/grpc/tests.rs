#![expect(
    clippy::string_slice,
    reason = "cuts are where the test says, in text of its own"
)]

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::Reply;
use crate::model::LeakAction;
use crate::protobuf::{put, put_number};
use crate::scan::tests::{armed, detectors, run, token};
use crate::scan::{AtBound, Blocked, Carrier, Scan};

const MARK: &str = "ghp_[redacted:github-pat]";

/// A field and what is in it.
#[derive(Debug, Clone)]
enum Node {
    Message(u32, Vec<Self>),
    Number(u32, u64),
    Text(u32, String),
}

use Node::{Message, Number, Text};

fn text(number: u32, text: &str) -> Node {
    Text(number, text.to_owned())
}

fn encoded(nodes: &[Node]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for node in nodes {
        match node {
            Message(number, nodes) => put(&mut bytes, *number, &encoded(nodes)),
            Number(number, value) => put_number(&mut bytes, *number, *value),
            Text(number, text) => put(&mut bytes, *number, text.as_bytes()),
        }
    }
    bytes
}

fn frame(nodes: &[Node]) -> Vec<u8> {
    let message = encoded(nodes);
    let length = u32::try_from(message.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], &message].concat()
}

/// An update of an artifact, with its parts where 0.3 or 1.0 has them.
fn chunk(artifact: &str, parts: u32, texts: &[&str], append: bool, last: bool) -> Vec<u8> {
    let texts = texts
        .iter()
        .map(|it| Message(parts, vec![text(1, it)]))
        .collect::<Vec<_>>();
    let artifact = [vec![text(1, artifact)], texts].concat();
    frame(&[Message(
        4,
        vec![
            text(1, "3c19a167-46ef-42d2-936e-27c35013914a"),
            text(2, "00196453-a685-41ed-992c-5de13ebfbf75"),
            Message(3, artifact),
            Number(4, append.into()),
            Number(5, last.into()),
        ],
    )])
}

/// What leaves, the same in every cutting.
fn redacted(reply: Reply, body: &[u8]) -> Vec<u8> {
    let detectors = detectors(LeakAction::Redact);
    let whole = run(&detectors, Carrier::Grpc(reply), &[body]);
    assert_eq!(whole.outcome, Ok(()));
    for length in [1, 2, 3, 7, 64] {
        let pieces: Vec<&[u8]> = body.chunks(length).collect();
        let out = run(&detectors, Carrier::Grpc(reply), &pieces);
        assert_eq!(out.findings, whole.findings);
        assert_eq!(out.bytes, whole.bytes, "{length}");
    }
    whole.bytes
}

#[test]
fn a_secret_that_is_split_over_messages_does_not_leave() {
    let token = token();
    for parts in [4, 5] {
        for cut in 0..=token.len() {
            let (before, after) = (&token[..cut], &token[cut..]);
            let body = [
                chunk("a", parts, &[&format!("the key is {before}")], false, false),
                chunk("b", parts, &["another one"], false, false),
                chunk("a", parts, &[&format!("{after} and more")], true, true),
            ]
            .concat();
            let out = redacted(Reply::Sent, &body);
            // What of the prefix stands in the second message stays there.
            let kept = before.get(..before.len().min(4)).unwrap();
            let (first, second) = match cut {
                0..=4 => (format!("the key is {kept}"), MARK[kept.len()..].to_owned()),
                _ => (format!("the key is {MARK}"), String::new()),
            };
            let expected = [
                chunk("a", parts, &[&first], false, false),
                chunk("b", parts, &["another one"], false, false),
                chunk("a", parts, &[&format!("{second} and more")], true, true),
            ]
            .concat();
            assert_eq!(
                out.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{cut}"
            );
        }
    }
}

#[test]
fn what_replaces_an_artifact_is_another_text_and_no_text_goes_on_behind_its_last_piece() {
    let token = token();
    let (before, after) = token.split_at(20);
    let body = [
        chunk("a", 4, &["x ", before], false, true),
        chunk("a", 4, &[after, " y"], true, false),
    ]
    .concat();
    assert_eq!(redacted(Reply::Sent, &body), body);
}

#[test]
fn deltas_of_a_service_that_nobody_knows_are_one_text() {
    let token = token();
    let detectors = detectors(LeakAction::Redact);
    let message = |piece: &str| frame(&[Message(2, vec![text(7, piece), Number(9, 4)])]);
    for length in 1..=token.len() {
        let text = format!("so it is {token}, as you see");
        let body: Vec<u8> = text
            .as_bytes()
            .chunks(length)
            .flat_map(|piece| message(std::str::from_utf8(piece).unwrap()))
            .collect();
        let out = run(&detectors, Carrier::Grpc(Reply::Unknown), &[&body]);
        assert_eq!(out.findings.len(), 1, "{length}");
        let left = String::from_utf8_lossy(&out.bytes).into_owned();
        for piece in token.as_bytes().windows(length.min(6)).skip(5) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert!(
                length < 4 || !left.contains(piece),
                "{piece} {}",
                left.escape_debug()
            );
        }
    }
}

#[test]
fn every_length_above_what_is_redacted_is_right() {
    let token = token();
    let value = |text_: &str| Message(2, vec![text(3, text_)]);
    let tree = |secret: &str, around: usize| {
        let long = format!("{} {secret} {}", "a".repeat(around), "b ".repeat(around));
        frame(&[Message(
            1,
            vec![
                text(1, "t1"),
                Message(
                    4,
                    vec![
                        text(1, "a1"),
                        Message(4, vec![text(1, &long)]),
                        text(9, "end"),
                    ],
                ),
                Message(
                    6,
                    vec![
                        Message(1, vec![text(1, "note"), value(&long)]),
                        Message(1, vec![text(1, "and"), value(secret)]),
                    ],
                ),
                Number(11, 300),
            ],
        )])
    };
    for around in [0, 1, 20, 40, 41, 42, 43, 44, 45, 46, 47, 60, 8000, 8190] {
        for reply in [Reply::Sent, Reply::Unknown] {
            let body = [tree(&token, around), tree("none", around)].concat();
            let expected = [tree(MARK, around), tree("none", around)].concat();
            let out = redacted(reply, &body);
            assert_eq!(
                out.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{around}"
            );
        }
    }
}

#[test]
fn the_key_of_a_map_tells_what_its_value_is() {
    let secret = crate::scan::sample("credentials.aws-secret-access-key", 3).unwrap();
    let secret = &secret[secret.len() - 40..];
    let entry = |key: &str, value: &str| {
        let value = Message(2, vec![text(3, value)]);
        Message(6, vec![Message(1, vec![text(1, key), value])])
    };
    let body = frame(&[Message(1, vec![entry("aws_secret_access_key", secret)])]);
    let out = redacted(Reply::Sent, &body);
    let expected = entry("aws_secret_access_key", "[redacted:aws-secret-access-key]");
    assert_eq!(out, frame(&[Message(1, vec![expected])]));
    let body = frame(&[Message(1, vec![entry("sha", secret)])]);
    assert_eq!(redacted(Reply::Sent, &body), body);
}

#[test]
fn json_in_messages_is_read_as_json() {
    let json = |secret: &str| {
        let text = format!(r#"{{"delta":{{"text":"{secret}"}}}}"#);
        let length = u32::try_from(text.len()).unwrap();
        [&[0], &length.to_be_bytes()[..], text.as_bytes()].concat()
    };
    assert_eq!(redacted(Reply::Json, &json(&token())), json(MARK));
}

#[test]
fn what_cannot_be_read_does_not_leave() {
    for (body, blocked) in [
        (&b"\x01\0\0\0\x02hi"[..], Blocked::Compressed),
        (b"\0\x7f\0\0\0", Blocked::MessageTooLarge),
    ] {
        let out = run(
            &detectors(LeakAction::Redact),
            Carrier::Grpc(Reply::Sent),
            &[body],
        );
        assert_eq!(out.outcome, Err(blocked));
        assert!(out.bytes.is_empty());
    }
    // Neither does the half of a message, if the stream breaks off.
    let token = token();
    let body = frame(&[text(1, &format!("a {token} b"))]);
    let mut scan = Scan::new(detectors(LeakAction::Redact), Carrier::Grpc(Reply::Unknown));
    let mut out = VecDeque::new();
    scan.feed(Bytes::copy_from_slice(&body[..20]), &mut out)
        .unwrap();
    scan.abort(&mut out);
    assert!(out.is_empty());
    // Bytes that are no message are read as they are.
    let broken = frame(&[text(1, &format!("a {token} b"))]);
    let length = u8::try_from(broken.len() - 5 + 3).unwrap();
    let broken = [&[0, 0, 0, 0, length][..], &broken[5..], b"\x07\x07\x07"].concat();
    let out = redacted(Reply::Sent, &broken);
    assert!(!String::from_utf8_lossy(&out).contains(&token[6..]));
    assert_eq!(usize::from(out[4]), out.len() - 5);
}

#[test]
fn a_message_in_which_something_waits_waits_whole() {
    let token = token();
    let detectors = armed(&["credentials"], LeakAction::Block, AtBound::Block);
    let mut scan = Scan::new(Arc::clone(&detectors), Carrier::Grpc(Reply::Sent));
    let mut out = VecDeque::new();
    let first = chunk("a", 4, &["words"], false, false);
    scan.feed(Bytes::from(first.clone()), &mut out).unwrap();
    assert_eq!(out.drain(..).map(|it| it.len()).sum::<usize>(), first.len());
    scan.feed(
        Bytes::from(chunk("a", 4, &[" and ", &token[..9]], true, false)),
        &mut out,
    )
    .unwrap();
    assert!(out.is_empty() && scan.waits_from() == Some(first.len() as u64));
    let last = Bytes::from(chunk("a", 4, &[&token[9..], " "], true, false));
    assert!(scan.feed(last, &mut out).is_err());
    assert!(out.is_empty());
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let leaf = prop_oneof![
        (1_u32..20, "[a-z ]{0,40}").prop_map(|(number, text)| Text(number, text)),
        (1_u32..20, 1_u64..100_000).prop_map(|(number, value)| Number(number, value)),
        (1_u32..20, "[a-z]{0,9}")
            .prop_map(|(number, before)| { Text(number, format!("{before} TOKEN {before}")) }),
    ];
    let node = leaf.prop_recursive(5, 40, 5, |node| {
        (1_u32..20, prop::collection::vec(node, 1..5))
            .prop_map(|(number, nodes)| Message(number, nodes))
    });
    prop::collection::vec(node, 1..6)
}

fn planted(nodes: &[Node], secret: &str) -> Vec<Node> {
    let plant = |node: &Node| match node {
        Message(number, nodes) => Message(*number, planted(nodes, secret)),
        Number(number, value) => Number(*number, *value),
        Text(number, text) => Text(*number, text.replace("TOKEN", secret)),
    };
    nodes.iter().map(plant).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redaction_anywhere_leaves_a_message_of_the_same_kind(nodes in nodes(), more in nodes()) {
        let (token, detectors) = (token(), detectors(LeakAction::Redact));
        let body = |secret: &str| [frame(&planted(&nodes, secret)), frame(&planted(&more, secret))].concat();
        let out = run(&detectors, Carrier::Grpc(Reply::Unknown), &[&body(&token)]);
        prop_assert_eq!(out.outcome, Ok(()));
        prop_assert_eq!(
            out.bytes.escape_ascii().to_string(),
            body(MARK).escape_ascii().to_string(),
            "{:?}", nodes
        );
        // What is not what a schema says is read all the same.
        for reply in [Reply::Sent, Reply::Task, Reply::Tasks] {
            let out = run(&detectors, Carrier::Grpc(reply), &[&body(&token)]);
            prop_assert!(!String::from_utf8_lossy(&out.bytes).contains(&token[6..]));
        }
    }

    #[test]
    fn no_bytes_break_it(data: Vec<u8>, length in 1_usize..20) {
        let detectors = detectors(LeakAction::Redact);
        let size = u32::try_from(data.len()).unwrap();
        let body = [&[0], &size.to_be_bytes()[..], &data, &data].concat();
        for reply in [Reply::Json, Reply::Unknown, Reply::Sent, Reply::Task, Reply::Tasks] {
            let pieces: Vec<&[u8]> = body.chunks(length).collect();
            let whole = run(&detectors, Carrier::Grpc(reply), &[&body]);
            let cut = run(&detectors, Carrier::Grpc(reply), &pieces);
            prop_assert_eq!(&whole.bytes, &cut.bytes);
            prop_assert_eq!(&whole.outcome, &cut.outcome);
            if whole.outcome.is_ok() && whole.findings.is_empty() {
                prop_assert_eq!(&whole.bytes, &body);
            }
        }
    }
}
