//! The answer of an agent that does not exist, and what the scan makes of it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::config::Answer;
use crate::model::{Call, Finding, Operation, Protocol};
use crate::scan::{Blocked, Carrier, Detectors, Scan, sample};

/// Any would do; one makes the same text every time.
const SEED: u64 = 1;

/// What became of an answer.
#[derive(Debug)]
pub(super) struct Screened {
    pub(super) findings: Vec<Finding>,
    /// Bytes left as something else than they came.
    pub(super) changed: bool,
    pub(super) blocked: Option<Blocked>,
}

/// Sends the answer through the scan, as the proxy does with one to this call.
pub(super) fn screen(answer: &Answer, call: &Call, detectors: &Arc<Detectors>) -> Screened {
    let (carrier, pieces) = body(answer, call);
    let mut scan = Scan::new(detectors.for_action(&call.action), carrier);
    let mut left = VecDeque::new();
    let mut blocked = None;
    for piece in pieces {
        blocked = scan.feed(piece, &mut left).err();
        left.clear();
        if blocked.is_some() {
            break;
        }
    }
    if blocked.is_none() {
        blocked = scan.finish(&mut left).err();
    }
    let mut findings = scan.take_findings();
    findings.retain(|finding| finding.allowed_by.is_none());
    Screened {
        findings,
        changed: scan.changed(),
        blocked,
    }
}

/// The bytes of the answer, in the dialect of the call.
fn body(answer: &Answer, call: &Call) -> (Carrier, Vec<Bytes>) {
    let text = text(answer);
    let piece = answer.piece.map_or(usize::MAX, usize::from);
    if call.action.protocol != Protocol::A2a {
        return (Carrier::Text, cut(&text, piece));
    }
    let is_stream = matches!(
        call.operation,
        Operation::StreamMessage | Operation::SubscribeTask
    );
    if is_stream {
        let pieces = characters(&text, piece).into_iter().enumerate();
        let events = pieces.map(|(number, piece)| event(number, piece));
        return (Carrier::Sse, events.collect());
    }
    let message = json!({ "role": "ROLE_AGENT", "messageId": "m1", "parts": [{ "text": text }] });
    let document = json!({ "jsonrpc": "2.0", "id": 1, "result": { "message": message } });
    (Carrier::Json, cut(&document.to_string(), piece))
}

fn text(answer: &Answer) -> String {
    let sample = answer
        .sample
        .as_deref()
        .and_then(|detector| sample(detector, SEED));
    let parts = [Some(answer.text.to_string()), sample];
    let parts: Vec<_> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" ")
}

/// A piece of an artifact, as an event of A2A 1.0 (section 7.2).
fn event(number: usize, text: &str) -> Bytes {
    let update = json!({
        "taskId": "t1", "contextId": "c1", "append": number > 0,
        "artifact": { "artifactId": "a1", "parts": [{ "text": text }] },
    });
    let data = json!({ "jsonrpc": "2.0", "id": 1, "result": { "artifactUpdate": update } });
    Bytes::from(format!("data: {data}\n\n"))
}

/// Cuts bytes, wherever a cut falls.
fn cut(text: &str, piece: usize) -> Vec<Bytes> {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let starts = (0..bytes.len()).step_by(piece);
    starts
        .map(|start| bytes.slice(start..bytes.len().min(start.saturating_add(piece))))
        .collect()
}

/// Cuts between characters, because no event holds half of one.
fn characters(text: &str, piece: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rest.ceil_char_boundary(piece));
        pieces.push(head);
        rest = tail;
    }
    pieces
}
