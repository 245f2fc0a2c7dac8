//! What of an agent's messages leaves, when, and as what.
#![expect(
    clippy::string_slice,
    reason = "cuts are where the test says, in text of its own"
)]

use proptest::prelude::*;

use super::super::fuzz::{carry, detectors, fuzz_websocket, said, written};
use super::*;
use crate::scan::sample;

const FLAG: u8 = 0;
const REDACT: u8 = 1;
const BLOCK: u8 = 2;
const NOTHING: u8 = 3;

const LIMITS: Limits = Limits {
    message_bytes: 1 << 20,
    is_compressed: false,
};

fn token() -> String {
    sample("credentials.github-pat", 7).unwrap()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// What the messages are when they leave, the close left out.
fn redacted(messages: &[&str]) -> Vec<String> {
    let detectors = detectors(REDACT).unwrap();
    let messages = texts(messages);
    let carried = carry(&detectors, &written(&messages, usize::MAX), usize::MAX);
    assert_eq!(carried.stop, None);
    for most in [1, 3, 7, 100] {
        let cut = carry(&detectors, &written(&messages, most), most);
        assert_eq!(said(&cut.frames), said(&carried.frames));
        assert_eq!(cut.findings, carried.findings);
    }
    let mut said = said(&carried.frames);
    assert_eq!(said.pop().map(|(opcode, _)| opcode), Some(Opcode::Close));
    said.into_iter()
        .map(|(_, text)| String::from_utf8(text.to_vec()).unwrap())
        .collect()
}

#[test]
fn a_secret_in_one_message_or_over_several_is_one() {
    let token = token();
    let mark = "ghp_[redacted:github-pat]";
    assert_eq!(
        redacted(&[&format!("key {token} end")]),
        [format!("key {mark} end")]
    );
    let (head, tail) = token.split_at(15);
    assert_eq!(
        redacted(&["it is ", head, tail, " indeed"]),
        ["it is ", mark, "", " indeed"]
    );
}

#[test]
fn json_stays_json_and_each_path_is_one_text() {
    let token = token();
    let (head, tail) = token.split_at(20);
    let delta = |text: &str| serde_json::json!({ "delta": text, "n": 1 }).to_string();
    assert_eq!(
        redacted(&[&delta("see "), &delta(head), &delta(tail), &delta(" end")]),
        [
            delta("see "),
            delta("ghp_[redacted:github-pat]"),
            delta(""),
            delta(" end")
        ]
    );
    let escaped: String = token
        .chars()
        .map(|character| format!("\\u{:04x}", u32::from(character)))
        .collect();
    let out = redacted(&[&format!("{{\"a\":\"{escaped}\"}}")]);
    assert!(out[0].contains("[redacted:github-pat]"), "{out:?}");
    serde_json::from_str::<serde_json::Value>(&out[0]).unwrap();
}

#[test]
fn bytes_are_read_like_text_and_stay_bytes() {
    let mut message = b"\xff\x00 ".to_vec();
    message.extend(token().bytes());
    message.extend(b" \xfe");
    let detectors = detectors(REDACT).unwrap();
    let carried = carry(&detectors, &written(&[message], 5), 3);
    let expected = [b"\xff\x00 ".as_slice(), b"ghp_[redacted:github-pat] \xfe"].concat();
    assert_eq!(said(&carried.frames)[0], (Opcode::Binary, expected.into()));
}

#[test]
fn a_block_lets_out_what_was_before_and_nothing_of_what_comes() {
    let token = token();
    let detectors = detectors(BLOCK).unwrap();
    let messages = texts(&["fine. ", &format!("key {token} end"), "more"]);
    let carried = carry(&detectors, &written(&messages, usize::MAX), usize::MAX);
    assert!(matches!(carried.stop, Some(Stop::Blocked(_))));
    assert_eq!(said(&carried.frames).len(), 1);
    assert_eq!(carried.findings.len(), 1);
    assert_eq!(&*carried.findings[0].channel, "websocket");
}

#[test]
fn a_flag_changes_nothing_and_is_told() {
    let detectors = detectors(FLAG).unwrap();
    let wire = written(&texts(&[&token(), "x"]), usize::MAX);
    let carried = carry(&detectors, &wire, 1);
    assert_eq!((carried.frames, carried.stop), (wire, None));
    assert!(!carried.findings.is_empty());
}

#[test]
fn without_detectors_frames_leave_as_they_come() {
    let detectors = detectors(NOTHING).unwrap();
    let wire = written(&texts(&[&token(), "in many frames"]), 4);
    let carried = carry(&detectors, &wire, 3);
    assert_eq!((carried.frames, carried.stop), (wire, None));
}

#[test]
fn what_waits_holds_up_messages_and_not_pings() {
    let detectors = detectors(REDACT).unwrap();
    let mut relay = Relay::new(&detectors, LIMITS);
    let mut out = VecDeque::new();
    let token = token();
    let mut say = |relay: &mut Relay, opcode, text: &str| {
        let frame = encode(opcode, text.as_bytes(), None);
        relay.buffer().extend_from_slice(&frame);
        relay.take(&mut out).unwrap();
        out.drain(..).count()
    };
    assert_eq!(say(&mut relay, Opcode::Text, "fine. "), 1);
    assert_eq!(say(&mut relay, Opcode::Text, &token[..20]), 0);
    assert_eq!(relay.waiting_bytes(), 20);
    assert!(relay.waits_from().is_some());
    assert_eq!(say(&mut relay, Opcode::Binary, "later. "), 0);
    assert_eq!(say(&mut relay, Opcode::Ping, "alive?"), 1);
    assert_eq!(say(&mut relay, Opcode::Text, " other. "), 3);
    assert_eq!((relay.waiting_bytes(), relay.waits_from()), (0, None));
}

#[test]
fn the_bound_of_a_hold_blocks_what_has_shown_itself_and_lets_a_mere_word_go() {
    let detectors = detectors(REDACT).unwrap();
    let token = token();
    for (text, lets_go) in [("a word", true), (&token[..20], false)] {
        let mut relay = Relay::new(&detectors, LIMITS);
        let mut out = VecDeque::new();
        let frame = encode(Opcode::Text, text.as_bytes(), None);
        relay.buffer().extend_from_slice(&frame);
        relay.take(&mut out).unwrap();
        assert!(out.is_empty(), "{text}");
        assert_eq!(relay.hold_time() <= Duration::from_secs(1), lets_go);
        assert_eq!(relay.hold_expired(&mut out).is_ok(), lets_go, "{text}");
        assert_eq!(out.pop_front(), lets_go.then_some(frame));
    }
}

#[test]
fn a_control_frame_with_a_secret_leaves_without_its_text() {
    let token = token();
    let reason = [b"\x03\xe8", token.as_bytes()].concat();
    for (kind, expected) in [(REDACT, Some("\u{88}")), (BLOCK, None)] {
        let detectors = detectors(kind).unwrap();
        let mut wire = encode(Opcode::Close, &reason, None).to_vec();
        let carried = carry(&detectors, &wire, 1);
        assert_eq!(carried.stop.is_some(), expected.is_none());
        if expected.is_some() {
            assert_eq!(carried.frames, b"\x88\x02\x03\xe8");
        }
        assert_eq!(&*carried.findings[0].channel, "websocket control");
        wire = encode(Opcode::Ping, token.as_bytes(), None).to_vec();
        let carried = carry(&detectors, &wire, 1);
        let left: &[u8] = if kind == REDACT { b"\x89\x00" } else { b"" };
        assert_eq!(carried.frames, left);
    }
}

#[test]
fn many_empty_messages_behind_one_that_waits_are_bounded() {
    let detectors = detectors(REDACT).unwrap();
    let mut messages = texts(&[&token()[..20]]);
    messages.resize(5000, Vec::new());
    let carried = carry(&detectors, &written(&messages, usize::MAX), usize::MAX);
    assert_eq!(carried.stop, Some(Stop::Blocked(Blocked::HoldBound)));
}

/// Words, halves of secrets, and what JSON and frames are made of.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        prop::sample::select(b"{}[]\",:\\ \n1a@.\x01\x02\x03\x04\x05\x06\xff".to_vec()),
        prop::sample::select(b"\x80\x81\x82\x88\x89\x01\x02\x00\x05".to_vec()),
        any::<u8>(),
    ];
    prop::collection::vec(byte, 0..60)
}

/// A text with a secret in it, in messages and frames of any size.
fn cut(text: &str, cuts: &[usize]) -> Vec<Vec<u8>> {
    let (mut rest, mut pieces) = (text, Vec::new());
    for cut in cuts.iter().cycle() {
        let at = rest.floor_char_boundary(*cut).max(1).min(rest.len());
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(at));
        pieces.push(piece.as_bytes().to_vec());
        rest = after;
        if rest.is_empty() {
            return pieces;
        }
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_break_it(data in bytes()) {
        fuzz_websocket(&data);
    }

    #[test]
    fn no_secret_leaves_in_any_cutting(
        which in 0_usize..4, seed in any::<u64>(), most in 1_usize..40,
        cuts in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let names = ["credentials.github-pat", "credentials.aws-access-key-id",
            "credentials.slack-token", "credentials.stripe-secret-key"];
        let secret = sample(names[which], seed).unwrap();
        let text = format!("the key is {secret} and no other. ");
        let detectors = detectors(REDACT).unwrap();
        let whole = carry(&detectors, &written(&[text.clone().into()], most), most);
        let pieces = carry(&detectors, &written(&cut(&text, &cuts), most), most);
        let joined = |wire: &[u8]| {
            let mut said = said(wire);
            said.pop();
            let texts = said.into_iter().flat_map(|(_, text)| text);
            String::from_utf8(texts.collect()).unwrap()
        };
        prop_assert_eq!(joined(&whole.frames), joined(&pieces.frames));
        prop_assert!(!joined(&whole.frames).contains(&secret[secret.len() - 10..]));
        prop_assert_eq!((&whole.stop, &pieces.stop), (&None, &None));
        // A message is read by itself, too: a token of no fixed length that is cut has a shorter one in it.
        let kinds = |findings: &[Finding]| {
            let mut kinds: Vec<_> = findings.iter().map(|finding| finding.detector).collect();
            kinds.dedup();
            kinds
        };
        prop_assert_eq!(kinds(&whole.findings), kinds(&pieces.findings));
    }
}
