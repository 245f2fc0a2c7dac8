//! What the fuzzer calls: what an agent says in a tunnel, in two cuttings.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::Finding;
use crate::scan::{Config, Detectors, Hold, fuzz_detectors, fuzz_plant};
use crate::websocket::{Limits, Opcode, Reader, Sender};

use super::relay::{Relay, Stop};

/// Carries bytes of an agent in one piece and in many, and messages in one frame each and in many.
///
/// The first byte says what is done with findings, the second how the rest is cut. The rest is taken for
/// frames first, and then for messages: `0xff` is between two of them, and control characters stand for
/// samples of secrets.
///
/// # Panics
/// When a cutting makes a difference, when something leaves that is no frame, or when what holds no finding
/// is changed.
pub fn fuzz_websocket(data: &[u8]) {
    let Some((&[kind, seed], rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let Some(detectors) = detectors(kind) else {
        return;
    };
    let most = usize::from(seed % 16) + 1;

    let whole = carry(&detectors, rest, usize::MAX);
    assert_eq!(whole, carry(&detectors, rest, most));

    let messages: Vec<Vec<u8>> = rest.split(|byte| *byte == 0xff).map(fuzz_plant).collect();
    let single = written(&messages, usize::MAX);
    let one = carry(&detectors, &single, usize::MAX);
    let many = carry(&detectors, &written(&messages, most), most);
    assert_eq!(said(&one.frames), said(&many.frames));
    assert_eq!((&one.findings, &one.stop), (&many.findings, &many.stop));
    let joined = carry_joined(&detectors, &written(&messages, most), most);
    assert_eq!(said(&one.frames), said(&joined.frames));
    assert_eq!((&one.findings, &one.stop), (&joined.findings, &joined.stop));
    if one.findings.is_empty() && one.stop.is_none() {
        assert_eq!(one.frames, single);
    }
}

/// What became of an agent's bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Carried {
    pub(super) frames: Vec<u8>,
    pub(super) findings: Vec<Finding>,
    pub(super) stop: Option<Stop>,
}

/// Carries bytes in pieces.
pub(super) fn carry(detectors: &Arc<Detectors>, wire: &[u8], most: usize) -> Carried {
    carry_by(detectors, wire, most, Relay::take)
}

/// The same where somebody looks at each message before it passes.
fn carry_joined(detectors: &Arc<Detectors>, wire: &[u8], most: usize) -> Carried {
    carry_by(detectors, wire, most, |relay, out| {
        while let Some(message) = relay.next(out)? {
            relay.pass(message, out)?;
        }
        Ok(())
    })
}

fn carry_by(
    detectors: &Arc<Detectors>,
    wire: &[u8],
    most: usize,
    mut take: impl FnMut(&mut Relay, &mut VecDeque<Bytes>) -> Result<(), Stop>,
) -> Carried {
    let mut relay = Relay::new(detectors, LIMITS);
    let mut out = VecDeque::new();
    let mut stop = None;
    for piece in wire.chunks(most.min(wire.len()).max(1)) {
        relay.buffer().extend_from_slice(piece);
        stop = take(&mut relay, &mut out).err();
        if stop.is_some() {
            break;
        }
    }
    let mut findings = relay.take_findings();
    // A flag waits for nothing, so in which order two of them are told of is a matter of the cutting.
    findings.sort_by_key(|finding| (finding.offset, finding.detector));
    Carried {
        frames: out.into_iter().flatten().collect(),
        findings,
        stop,
    }
}

/// The messages in frames of at most so many bytes, with a ping within each that has several, and a close at
/// the end.
pub(super) fn written(messages: &[Vec<u8>], most: usize) -> Vec<u8> {
    let mut wire = BytesMut::new();
    for message in messages {
        let is_text = std::str::from_utf8(message).is_ok();
        let mut opcode = if is_text { TEXT } else { BINARY };
        let mut rest = &message[..];
        loop {
            let (piece, after) = rest.split_at_checked(most).unwrap_or((rest, &[]));
            let last = if after.is_empty() { FINAL } else { 0 };
            put(&mut wire, last | opcode, piece);
            if after.is_empty() {
                break;
            }
            put(&mut wire, FINAL | PING, b"p");
            (opcode, rest) = (0, after);
        }
    }
    put(&mut wire, FINAL | CLOSE, b"\x03\xe8");
    wire.to_vec()
}

fn put(wire: &mut BytesMut, first: u8, payload: &[u8]) {
    wire.put_u8(first);
    match u8::try_from(payload.len()) {
        Ok(length @ ..=125) => wire.put_u8(length),
        _ => {
            wire.put_u8(if payload.len() > 0xffff { 127 } else { 126 });
            match u16::try_from(payload.len()) {
                Ok(length) => wire.put_u16(length),
                Err(_) => wire.put_u64(payload.len() as u64),
            }
        }
    }
    wire.put_slice(payload);
}

/// The messages in what has left, joined from their frames.
///
/// # Panics
/// When it is not made of frames.
pub(super) fn said(wire: &[u8]) -> Vec<(Opcode, Bytes)> {
    let mut reader = Reader::new(Sender::Agent, LIMITS);
    reader.buffer().extend_from_slice(wire);
    let mut messages: Vec<(Opcode, BytesMut)> = Vec::new();
    loop {
        let frame = match reader.next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(violation) => {
                assert_eq!(Some(violation), None, "what has left is no frame");
                break;
            }
        };
        match frame.opcode() {
            Opcode::Ping | Opcode::Pong => {}
            Opcode::Continuation => messages
                .last_mut()
                .into_iter()
                .for_each(|(_, message)| message.extend_from_slice(&frame.payload())),
            opcode => messages.push((opcode, BytesMut::from(frame.payload()))),
        }
    }
    assert!(reader.buffer().is_empty(), "half a frame has left");
    let frozen = messages.into_iter();
    frozen
        .map(|(opcode, message)| (opcode, message.freeze()))
        .collect()
}

/// None at all, or all with one action.
pub(super) fn detectors(kind: u8) -> Option<Arc<Detectors>> {
    let armed = fuzz_detectors();
    let choice = usize::from(kind) % (armed.len() + 1);
    if let Some(detectors) = armed.get(choice) {
        return Some(Arc::clone(detectors));
    }
    let none = Detectors::compile(&Config {
        actions: std::collections::BTreeMap::new(),
        custom: Vec::new(),
        listed: Vec::new(),
        exceptions: Vec::new(),
        hold: Hold::default(),
        buffer_bytes: LIMITS.message_bytes,
        fingerprint_key: [7; 32],
    });
    none.ok().map(Arc::new)
}

const LIMITS: Limits = Limits {
    message_bytes: 1 << 20,
    is_compressed: false,
};

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
