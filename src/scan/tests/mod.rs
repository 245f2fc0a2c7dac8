#![expect(
    clippy::string_slice,
    reason = "cuts are where the test says, in text of its own"
)]

mod carriers;
mod multipart;
mod properties;
mod wire;
mod worst;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Finding, LeakAction};
use crate::scan::{AtBound, Blocked, Carrier, Config, Detectors, Hold, Scan};

pub(super) fn detectors(action: LeakAction) -> Arc<Detectors> {
    armed(&["credentials"], action, AtBound::Block)
}

pub(super) fn armed(packs: &[&str], action: LeakAction, at_bound: AtBound) -> Arc<Detectors> {
    let actions = packs
        .iter()
        .map(|pack| (Box::from(*pack), action))
        .collect::<BTreeMap<_, _>>();
    let hold = Hold {
        at_bound,
        ..Hold::default()
    };
    Arc::new(
        Detectors::compile(&Config {
            actions,
            custom: Vec::new(),
            listed: Vec::new(),
            exceptions: Vec::new(),
            hold,
            buffer_bytes: 1 << 20,
            fingerprint_key: [7; 32],
        })
        .unwrap(),
    )
}

pub(super) fn token() -> String {
    crate::scan::sample("credentials.github-pat", 7).unwrap()
}

pub(super) struct Out {
    pub(super) bytes: Vec<u8>,
    pub(super) findings: Vec<Finding>,
    pub(super) outcome: Result<(), Blocked>,
    /// How much had left after each piece.
    steps: Vec<usize>,
}

pub(super) fn run(detectors: &Arc<Detectors>, carrier: Carrier, pieces: &[&[u8]]) -> Out {
    let mut scan = Scan::new(Arc::clone(detectors), carrier);
    let mut out = Out {
        bytes: Vec::new(),
        findings: Vec::new(),
        outcome: Ok(()),
        steps: Vec::new(),
    };
    let mut released = VecDeque::new();
    for piece in pieces {
        out.outcome = scan.feed(Bytes::copy_from_slice(piece), &mut released);
        released
            .drain(..)
            .for_each(|bytes| out.bytes.extend_from_slice(&bytes));
        out.findings.extend(scan.take_findings());
        out.steps.push(out.bytes.len());
        if out.outcome.is_err() {
            return out;
        }
    }
    out.outcome = scan.finish(&mut released);
    released
        .drain(..)
        .for_each(|bytes| out.bytes.extend_from_slice(&bytes));
    out.findings.extend(scan.take_findings());
    // A flag waits for nothing, so in which order two of them are told of is a matter of the cutting.
    out.findings
        .sort_by_key(|finding| (finding.offset, finding.detector));
    out
}

fn documents() -> Vec<(Carrier, String, bool)> {
    let t = token();
    let (a, rest) = t.split_at(3);
    let (b, c) = rest.split_at(15);
    let a2a = |piece: &str, append: bool| {
        format!(
            "data: {{\"jsonrpc\":\"2.0\",\"id\":\"r1\",\"result\":{{\"artifactUpdate\":{{\"taskId\":\"t1\",\"contextId\":\"c1\",\"artifact\":{{\"artifactId\":\"a1\",\"parts\":[{{\"text\":\"{piece}\"}}]}},\"append\":{append}}}}}}}\n\n"
        )
    };
    let a2a_03 = |piece: &str, append: bool| {
        format!(
            "data: {{\"id\":\"r1\",\"result\":{{\"kind\":\"artifact-update\",\"append\":{append},\"taskId\":\"t1\",\"artifact\":{{\"parts\":[{{\"kind\":\"text\",\"text\":\"{piece}\"}}],\"artifactId\":\"a1\"}}}}}}\r\n\r\n"
        )
    };
    let openai = |piece: &str, index: u8| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"choices\":[{{\"delta\":{{\"content\":\"{piece}\"}},\"index\":{index}}}]}}\n\n"
        )
    };
    let anthropic = |piece: &str| {
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{piece}\"}}}}\n\n"
        )
    };
    vec![
        (
            Carrier::Text,
            "nothing here, ghp is a prefix of nothing".to_owned(),
            false,
        ),
        (Carrier::Text, format!("the key {t} and text after"), true),
        (Carrier::Text, t.clone(), true),
        (
            Carrier::Json,
            format!("{{\"a\":[1,2.5e3,true,null],\"k\":\"see {t}.\",\"z\":\"\\u0041\"}}"),
            true,
        ),
        (Carrier::Json, format!("{{\"{t}\":\"as a key\"}}"), true),
        (
            Carrier::Json,
            format!("{{\"k\":\"gh\\u0070_{}\"}}", &t[4..]),
            true,
        ),
        (
            Carrier::Json,
            format!("{{\"k\":\"\\ud83d\\ude00\\n{t}\\\"\"}}\n{{\"next\":\"{t}\"}}\n"),
            true,
        ),
        (
            Carrier::Json,
            format!(
                "{{\"parts\":[{{\"text\":\"{a}\"}},{{\"text\":\"{b}\"}},{{\"kind\":\"x\",\"text\":\"{c}\"}}],\"q\":1}}"
            ),
            true,
        ),
        (
            Carrier::Json,
            format!("not json at all {t} \" \\u0041 {{"),
            true,
        ),
        (
            Carrier::Json,
            "{\"a\": \"b\", \"unfinished\": \"str".to_owned(),
            false,
        ),
        (
            Carrier::Sse,
            format!(
                "{}{}{}{}",
                a2a(&format!("x {a}"), false),
                a2a(b, true),
                a2a(&format!("{c} end"), true),
                a2a("more", true)
            ),
            true,
        ),
        (
            Carrier::Sse,
            format!(
                "{}{}{}",
                a2a_03(&format!("x {a}"), false),
                a2a_03(b, true),
                a2a_03(c, true)
            ),
            true,
        ),
        (
            Carrier::Sse,
            format!(
                "{}{}{}{}{}data: [DONE]\n\n",
                openai(a, 0),
                openai("other", 1),
                openai(b, 0),
                openai(c, 0),
                openai(" done", 0)
            ),
            true,
        ),
        (
            Carrier::Sse,
            format!(
                "{}{}{}event: message_stop\ndata: {{}}\n\n",
                anthropic(a),
                anthropic(b),
                anthropic(&format!("{c} x"))
            ),
            true,
        ),
        (
            Carrier::Sse,
            format!(
                ": hello\n\ndata: line one\ndata: {t}\ndata: three\n\nid: 7\rdata: x\r\rdata:{t}\n\n"
            ),
            true,
        ),
        (
            Carrier::Sse,
            format!("data: {{\"a\":\ndata: \"{t}\",\ndata: \"b\": 2}}\n\nevent: {t}\ndata: 1\n\n"),
            true,
        ),
        (
            Carrier::Sse,
            "\u{feff}data: plain\n\n:\n\nretry: 5\n\ndata: unfinished".to_owned(),
            false,
        ),
        (
            Carrier::Sse,
            format!("data: {}\n\ndata: {}\n\ndata: {} tail\n\n", a, b, c),
            true,
        ),
    ]
}

/// Every way of cutting gives the same bytes and the same findings, and at no time has a byte of the
/// secret left.
#[test]
fn no_cutting_makes_a_difference() {
    for (carrier, document, leaks) in documents() {
        for action in [LeakAction::Flag, LeakAction::Redact, LeakAction::Block] {
            let detectors = detectors(action);
            let bytes = document.as_bytes();
            let whole = run(&detectors, carrier, &[bytes]);
            assert_eq!(
                !whole.findings.is_empty(),
                leaks,
                "{carrier:?} {action:?} {document}"
            );
            if action != LeakAction::Redact || !leaks {
                assert!(document.as_bytes().starts_with(&whole.bytes), "{document}");
            }
            if !leaks || action == LeakAction::Flag {
                assert_eq!(whole.bytes, bytes, "{document}");
            }
            let check = |out: &Out, how: &str| {
                assert_eq!(
                    String::from_utf8_lossy(&out.bytes),
                    String::from_utf8_lossy(&whole.bytes),
                    "{how} {carrier:?} {action:?} {document}"
                );
                assert_eq!(out.findings, whole.findings, "{how} {document}");
                assert_eq!(out.outcome, whole.outcome, "{how} {document}");
            };
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            check(&run(&detectors, carrier, &single), "byte by byte");
            for cut in 0..=bytes.len() {
                check(
                    &run(&detectors, carrier, &[&bytes[..cut], &bytes[cut..]]),
                    &format!("cut at {cut}"),
                );
            }
            if leaks && action != LeakAction::Flag {
                let text = String::from_utf8_lossy(&whole.bytes).into_owned();
                assert!(
                    !pieces_of(&token()).any(|piece| text.contains(&piece)),
                    "{action:?} {text}"
                );
            }
        }
    }
}

fn pieces_of(token: &str) -> impl Iterator<Item = String> {
    let secret: Vec<u8> = token.bytes().skip(4).collect();
    (0..secret.len() - 6).map(move |at| String::from_utf8(secret[at..at + 6].to_vec()).unwrap())
}
