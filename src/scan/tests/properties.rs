//! Random bodies with samples of random detectors in them, in random cuttings.

mod custom;

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{armed, run};
use crate::model::LeakAction;
use crate::scan::{AtBound, Carrier, Detectors, known_names, sample};

static REDACT: LazyLock<Arc<Detectors>> = LazyLock::new(|| {
    armed(
        &["cards", "credentials", "network", "pii", "private-keys"],
        LeakAction::Redact,
        AtBound::Block,
    )
});
static BLOCK: LazyLock<Arc<Detectors>> = LazyLock::new(|| {
    armed(
        &["cards", "credentials", "network", "pii", "private-keys"],
        LeakAction::Block,
        AtBound::Block,
    )
});

const WORDS: [&str; 16] = [
    "the",
    "report",
    "\"quoted\"",
    "héllo",
    "日本",
    "12.5",
    "a/b",
    "x_1",
    "\n",
    "\\",
    "(see",
    "7)",
    "😀",
    "end.",
    "-",
    "key:",
];

/// A xorshift, so that a body is a function of its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    fn words(&mut self) -> String {
        let count = self.below(6);
        let mut text: String = (0..count)
            .map(|_| format!("{} ", WORDS[self.below(WORDS.len())]))
            .collect();
        text.insert(0, ' ');
        text
    }

    /// Cuts a text at characters, into pieces that together are the text.
    fn cut(&mut self, text: &str, pieces: usize) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        let mut places: Vec<usize> = (1..pieces)
            .map(|_| self.below(characters.len() + 1))
            .chain([0, characters.len()])
            .collect();
        places.sort_unstable();
        places
            .windows(2)
            .map(|ends| characters[ends[0]..ends[1]].iter().collect())
            .collect()
    }

    fn json(&mut self, text: &str) -> Value {
        match self.below(4) {
            0 => json!({ "text": text, "n": self.below(99999), "ok": true, "none": null }),
            1 => json!([[1, -2.5e3], { "deep": [{ "k": text }] }, self.words()]),
            2 => json!({ text: self.words(), "after": [] }),
            _ => json!({ "a": { "b": [text, self.words()] }, "c": self.words() }),
        }
    }
}

/// The same JSON in one of the ways in which it is written.
fn write(dice: &mut Dice, value: &Value) -> String {
    let text = match dice.below(2) {
        0 => value.to_string(),
        _ => serde_json::to_string_pretty(value).unwrap(),
    };
    if dice.below(3) > 0 {
        return text;
    }
    // Every character beyond ASCII, and some letters of strings, as escapes.
    let mut units = [0; 2];
    text.chars()
        .map(|character| match character {
            'g' | 'A' if !text.contains("true") => format!("\\u{:04x}", u32::from(character)),
            '\0'..='\x7f' => character.to_string(),
            _ => character
                .encode_utf16(&mut units)
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect(),
        })
        .collect()
}

fn event(dice: &mut Dice, value: &Value) -> String {
    let end = ["\n", "\r\n", "\r"][dice.below(3)];
    let mut text = String::new();
    if dice.below(4) == 0 {
        text += &format!("event: message{end}");
    }
    for line in write(dice, value).lines() {
        text += &format!("data: {line}{end}");
    }
    if dice.below(5) == 0 {
        text += &format!(": ping{end}id: 7{end}");
    }
    text + end
}

/// A body of one of many kinds that carries a text, cut into pieces where the kind has pieces.
fn body(dice: &mut Dice, kind: usize, text: &str) -> (Carrier, String) {
    let count = 1 + dice.below(5);
    let pieces = dice.cut(text, count);
    match kind {
        0 => (Carrier::Text, text.to_owned()),
        1 => {
            let value = dice.json(text);
            (Carrier::Json, write(dice, &value))
        }
        2 => {
            let parts: Vec<Value> = pieces
                .iter()
                .map(|piece| json!({ "kind": "text", "text": piece, "metadata": { "m": dice.words() } }))
                .collect();
            let task =
                json!({ "result": { "artifacts": [{ "artifactId": "a", "parts": parts }] } });
            (Carrier::Json, write(dice, &task))
        }
        _ => {
            let mut stream = String::new();
            let mut at = 0;
            while at < pieces.len() {
                let take = 1 + dice.below(2);
                let some = &pieces[at..pieces.len().min(at + take)];
                let is_last = at + take >= pieces.len();
                let values = match kind {
                    3 | 4 => {
                        let parts: Vec<Value> = some
                            .iter()
                            .map(|piece| json!({ "metadata": { "m": dice.words() }, "text": piece }))
                            .collect();
                        let artifact = json!({ "artifactId": "a", "parts": parts });
                        let update = json!({ "taskId": "t", "artifact": artifact, "append": at > 0,
                            "lastChunk": is_last });
                        if kind == 3 {
                            vec![json!({ "id": 1, "result": { "artifactUpdate": update } })]
                        } else {
                            vec![json!({ "id": 1, "result": update })]
                        }
                    }
                    5 => some
                        .iter()
                        .map(|piece| {
                            json!({ "id": "c", "choices": [{ "delta": { "content": piece }, "index": 0 },
                                { "delta": { "content": "other " }, "index": 1 }] })
                        })
                        .collect(),
                    _ => some
                        .iter()
                        .map(|piece| {
                            json!({ "type": "content_block_delta", "index": 2,
                                "delta": { "type": "text_delta", "text": piece } })
                        })
                        .collect(),
                };
                for value in values {
                    stream += &event(dice, &value);
                }
                at += take;
            }
            (Carrier::Sse, stream)
        }
    }
}

/// What of a sample is protected: the part that a redaction takes away.
fn secret(sample: &str) -> String {
    let text = format!(" {sample} ");
    let out = run(&REDACT, Carrier::Text, &[text.as_bytes()]);
    let redacted = String::from_utf8(out.bytes).unwrap();
    let begin = redacted
        .find("[redacted:")
        .unwrap_or_else(|| panic!("{sample} in {redacted}, {:?}", out.findings));
    let after = redacted.rfind(']').unwrap() + 1;
    text[begin..text.len() - (redacted.len() - after)].to_owned()
}

/// The texts of a body, joined, without what JSON and events put around them.
fn joined(carrier: Carrier, body: &str) -> String {
    let mut text = String::new();
    match carrier {
        Carrier::Grpc(_) | Carrier::Multipart(_) | Carrier::Text => text.push_str(body),
        Carrier::Json => collect(&serde_json::from_str(body).unwrap(), &mut text),
        Carrier::Sse => {
            let normal = body.replace("\r\n", "\n").replace('\r', "\n");
            for event in normal.split("\n\n").filter(|event| !event.is_empty()) {
                let data: Vec<&str> = event
                    .lines()
                    .filter_map(|line| line.strip_prefix("data: "))
                    .collect();
                collect(&serde_json::from_str(&data.join("\n")).unwrap(), &mut text);
            }
        }
    }
    text
}

fn collect(value: &Value, text: &mut String) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, text)),
        Value::Object(members) => {
            for (key, value) in members {
                if matches!(
                    key.as_str(),
                    "metadata" | "type" | "artifactId" | "taskId" | "kind"
                ) {
                    continue;
                }
                if key.len() > 16 {
                    text.push_str(key);
                }
                if value != "other " {
                    collect(value, text);
                }
            }
        }
        Value::String(string) => text.push_str(string),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cuttings(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let (mut rest, mut pieces) = (bytes, Vec::new());
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(*cut));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

fn names() -> Vec<&'static str> {
    let names = known_names().iter().copied();
    names.filter(|name| sample(name, 1).is_some()).collect()
}

/// Text in base64, in one of the ways in which it is written.
fn encoded(dice: &mut Dice, text: &str) -> String {
    let standard = BASE64_STANDARD.encode(text);
    let width = [60, 64, 76][dice.below(3)];
    let end = ["\n", "\r\n", "\n    "][dice.below(3)];
    match dice.below(5) {
        0 | 1 => standard,
        2 => URL_SAFE_NO_PAD.encode(text),
        3 => BASE64_STANDARD.encode(format!("again: {standard}")),
        _ => {
            let lines = standard.as_bytes().chunks(width);
            let lines: Vec<&str> = lines.map(|it| std::str::from_utf8(it).unwrap()).collect();
            lines.join(end)
        }
    }
}

/// What all runs of base64 in a text decode to, and the runs in those.
fn decoded(text: &str) -> String {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    let text = text.replace("\r\n", "\n").replace("\n    ", "\n");
    let engine = GeneralPurpose::new(&STANDARD, LENIENT);
    let is_letter = |it: char| it.is_ascii_alphanumeric() || "+/-_\n".contains(it);
    let runs = text.split(|it| !is_letter(it));
    let runs = runs.map(|run| run.replace('\n', "").replace('-', "+").replace('_', "/"));
    let mut all = String::new();
    for run in runs.filter(|run| run.len() >= 16) {
        for from in 0..4.min(run.len()) {
            let run = &run[from..];
            let cut = run.len() - usize::from(run.len() % 4 == 1);
            let bytes = engine.decode(&run[..cut]).unwrap();
            all += &String::from_utf8_lossy(&bytes);
            all.push(' ');
        }
    }
    match all.len() {
        0 => all,
        _ => format!("{all}{}", decoded(&all)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_leaves_in_any_cutting(
        seed in 1_u64..u64::MAX, kind in 0_usize..7, which in 0_usize..1000,
        cuts in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let mut dice = Dice(seed);
        let names = names();
        let sample = sample(names[which % names.len()], seed).unwrap();
        let secret = secret(&sample);
        let text = format!("{}{sample}{}", dice.words(), dice.words());
        let (carrier, body) = body(&mut dice, kind, &text);
        let pieces = cuttings(body.as_bytes(), &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();

        let whole = run(&REDACT, carrier, &[body.as_bytes()]);
        let cut = run(&REDACT, carrier, &pieces);
        prop_assert_eq!(&whole.outcome, &Ok(()), "{}", body);
        prop_assert!(!whole.findings.is_empty(), "{} in {}", sample, body);
        let out = String::from_utf8(whole.bytes.clone()).unwrap();
        prop_assert_eq!(&out, &String::from_utf8_lossy(&cut.bytes), "{}", body);
        prop_assert_eq!(&whole.findings, &cut.findings, "{}", body);
        let left = joined(carrier, &out);
        for window in secret.as_bytes().windows(8) {
            let window = String::from_utf8_lossy(window);
            prop_assert!(!left.contains(&*window), "{} of {} in {} from {}", window, sample, out, body);
        }
        let again = run(&REDACT, carrier, &[&whole.bytes]);
        prop_assert_eq!(String::from_utf8_lossy(&again.bytes), out, "twice, from {}", body);

        let whole = run(&BLOCK, carrier, &[body.as_bytes()]);
        let cut = run(&BLOCK, carrier, &pieces);
        prop_assert!(whole.outcome.is_err());
        prop_assert_eq!(&whole.outcome, &cut.outcome, "{}", body);
        prop_assert_eq!(&whole.findings, &cut.findings, "{}", body);
        // How much of what is clean has left when the block comes is a matter of time, except that
        // events leave one by one.
        if carrier == Carrier::Sse {
            prop_assert_eq!(&whole.bytes, &cut.bytes, "{}", body);
        }
        prop_assert!(body.as_bytes().starts_with(&whole.bytes));
        prop_assert!(body.as_bytes().starts_with(&cut.bytes));
        let out = String::from_utf8_lossy(&whole.bytes).into_owned();
        for window in secret.as_bytes().windows(8) {
            prop_assert!(!out.contains(&*String::from_utf8_lossy(window)));
        }
        if carrier == Carrier::Sse && !out.is_empty() {
            let ends = ["\n\n", "\r\r", "\r\n\r\n"];
            prop_assert!(ends.iter().any(|end| out.ends_with(end)), "{}", out);
        }
    }

    #[test]
    fn no_secret_leaves_out_of_base64(
        seed in 1_u64..u64::MAX, which in 0_usize..1000, kind in 0_usize..2,
        cuts in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let mut dice = Dice(seed);
        let names = names();
        let sample = sample(names[which % names.len()], seed).unwrap();
        let secret = secret(&sample);
        let text = format!("Some text,{}{sample}{}", dice.words(), dice.words());
        let text = encoded(&mut dice, &text);
        let text = format!("{}{text}{}{text} .", dice.words(), dice.words());
        let (carrier, body) = match kind {
            0 => (Carrier::Text, text),
            _ => (Carrier::Json, json!({ "text": text, "after": "x" }).to_string()),
        };
        let pieces = cuttings(body.as_bytes(), &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let whole = run(&REDACT, carrier, &[body.as_bytes()]);
        let cut = run(&REDACT, carrier, &pieces);
        prop_assert_eq!(&whole.outcome, &Ok(()), "{}", body);
        prop_assert!(!whole.findings.is_empty(), "{} in {}", sample, body);
        let out = String::from_utf8(whole.bytes.clone()).unwrap();
        prop_assert_eq!(&out, &String::from_utf8_lossy(&cut.bytes), "{}", body);
        prop_assert_eq!(&whole.findings, &cut.findings, "{}", body);
        let left = decoded(&joined(carrier, &out));
        for window in secret.as_bytes().windows(8) {
            let window = String::from_utf8_lossy(window);
            prop_assert!(!left.contains(&*window), "{} of {} in {} from {}", window, sample, out, body);
        }
        let whole = run(&BLOCK, carrier, &[body.as_bytes()]);
        let cut = run(&BLOCK, carrier, &pieces);
        prop_assert!(whole.outcome.is_err());
        prop_assert_eq!(&whole.outcome, &cut.outcome, "{}", body);
        prop_assert_eq!(&whole.findings, &cut.findings, "{}", body);
    }

    #[test]
    fn what_holds_nothing_leaves_as_it_came(
        seed in 1_u64..u64::MAX, kind in 0_usize..7,
        cuts in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let mut dice = Dice(seed);
        let text: String = (0..8).map(|_| dice.words()).collect();
        let (carrier, body) = body(&mut dice, kind, &text);
        let pieces = cuttings(body.as_bytes(), &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let out = run(&REDACT, carrier, &pieces);
        prop_assert_eq!(String::from_utf8_lossy(&out.bytes), body);
        prop_assert!(out.findings.is_empty());
    }

    #[test]
    fn no_bytes_break_it(data in prop::collection::vec(prop_oneof![
        prop::sample::select(b"{}[]\",:\\u00 \r\n-1ntf@.\x01\x02\x03\x04\x05\x06data:".to_vec()),
        any::<u8>(),
    ], 0..200)) {
        crate::scan::fuzz_chunking(&data);
    }
}

#[test]
fn two_readings_of_what_is_no_json_tell_the_same_offsets() {
    // A token behind an escape outside of any string: the reading without escapes is shorter by one.
    crate::scan::fuzz_chunking(&[4, 123, b'{', b'\\', b'b', b'@', 2]);
}

#[test]
fn of_two_readings_the_first_block_is_told_however_the_body_was_cut() {
    // What was to be JSON, with a secret behind an escape and another behind that: the reading with escapes alone
    // sees the first.
    crate::scan::fuzz_chunking(&[8, 123, b'{', b'u', b'{', b'\\', b'f', 1, b'{', 2]);
    crate::scan::fuzz_chunking(&[
        8, 123, b'@', b'{', 4, b'u', b'{', b'{', b'{', b'{', b'{', b'{', 7, b'{', b'{', b'{', b'{',
        b'{', b'u', b'\\', b'f', 6, b'{', 1, b'{',
    ]);
}
