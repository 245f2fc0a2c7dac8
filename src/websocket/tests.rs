//! What is a handshake, what is a frame, and where it may stand.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, request, response};

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to it (RFC 6455, section 1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const WISH: [(&str, &str); 4] = [
    ("upgrade", "websocket"),
    ("connection", "keep-alive, Upgrade"),
    ("sec-websocket-key", KEY),
    ("sec-websocket-version", "13"),
];

const AGREED: [(&str, &str); 3] = [
    ("upgrade", "WebSocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-accept", ACCEPT),
];

/// The fields with one of them replaced, added, or left out where the new value is empty.
fn with(fields: &[(&str, &str)], name: &str, value: &str) -> Vec<(String, String)> {
    let others = fields.iter().filter(|(other, _)| *other != name);
    let more = (!value.is_empty()).then_some((name, value));
    others
        .copied()
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn wish(fields: &[(String, String)]) -> request::Parts {
    let mut request = Request::get("/chat");
    for (name, value) in fields {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

fn agreed(fields: &[(String, String)]) -> response::Parts {
    let mut response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    for (name, value) in fields {
        response = response.header(name, value);
    }
    response.body(()).unwrap().into_parts().0
}

fn handshake(name: &str, value: &str) -> Result<Option<Handshake>, HandshakeError> {
    Handshake::read(&wish(&with(&WISH, name, value)))
}

#[test]
fn a_wish_in_which_nothing_is_missing_is_a_handshake() {
    let handshake = handshake("origin", "https://app.example").unwrap().unwrap();
    let accepted = handshake
        .check(&agreed(&with(&AGREED, "server", "x")))
        .unwrap();
    assert!(!accepted.is_compressed);
}

#[test]
fn who_names_websocket_must_say_it_right() {
    let long = "A".repeat(24) + "AAAA";
    let cases = [
        ("connection", "", HandshakeError::Connection),
        ("connection", "keep-alive", HandshakeError::Connection),
        ("sec-websocket-key", "", HandshakeError::Key),
        ("sec-websocket-key", "c2hvcnQ=", HandshakeError::Key),
        ("sec-websocket-key", &long, HandshakeError::Key),
        (
            "sec-websocket-key",
            "dGhlIHNhbXBsZSBub25jZR==",
            HandshakeError::Key,
        ),
        (
            "sec-websocket-key",
            "dGhlIHNhbXBsZSBub25jZQ",
            HandshakeError::Key,
        ),
        ("sec-websocket-version", "", HandshakeError::Version),
        ("sec-websocket-version", "8", HandshakeError::Version),
        ("sec-websocket-version", "13, 8", HandshakeError::Version),
        ("sec-websocket-protocol", "a, a", HandshakeError::Protocol),
        ("sec-websocket-protocol", "a b", HandshakeError::Protocol),
        ("sec-websocket-protocol", "a,,b", HandshakeError::Protocol),
        ("content-length", "1", HandshakeError::Body),
        ("transfer-encoding", "chunked", HandshakeError::Body),
    ];
    for (name, value, error) in cases {
        assert_eq!(handshake(name, value), Err(error), "{name}: {value}");
    }
    let mut twice = with(&WISH, "x", "");
    twice.push(("sec-websocket-key".to_owned(), KEY.to_owned()));
    assert_eq!(Handshake::read(&wish(&twice)), Err(HandshakeError::Key));
    let mut head = wish(&with(&WISH, "x", ""));
    head.method = Method::POST;
    assert_eq!(Handshake::read(&head), Err(HandshakeError::Method));
}

#[test]
fn who_names_another_protocol_or_several_is_not_listened_to() {
    for upgrade in [
        "",
        "h2c",
        "websocket, h2c",
        "h2c, websocket",
        "websockets",
        "websocket/13",
    ] {
        assert_eq!(handshake("upgrade", upgrade), Ok(None), "{upgrade}");
    }
    let mut twice = with(&WISH, "x", "");
    twice.push(("upgrade".to_owned(), "h2c".to_owned()));
    assert_eq!(Handshake::read(&wish(&twice)), Ok(None));
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let mut head = wish(&with(&WISH, "x", ""));
        head.version = version;
        assert_eq!(Handshake::read(&head), Ok(None));
    }
}

#[test]
fn only_the_answer_to_what_was_offered_opens_a_tunnel() {
    let protocols = "sec-websocket-protocol";
    let extensions = "sec-websocket-extensions";
    let mut offer = with(&WISH, protocols, "a.v1, b.v1");
    offer.push((
        extensions.to_owned(),
        "permessage-deflate; client_max_window_bits".to_owned(),
    ));
    let handshake = Handshake::read(&wish(&offer)).unwrap().unwrap();
    let answer = |name, value| handshake.check(&agreed(&with(&AGREED, name, value)));
    let plain = Ok(Accepted {
        is_compressed: false,
    });
    let compressed = Ok(Accepted {
        is_compressed: true,
    });
    for (name, value, expected) in [
        (protocols, "b.v1", plain),
        (protocols, "a.v1, b.v1", Err(AcceptError::Protocol)),
        (protocols, "B.V1", Err(AcceptError::Protocol)),
        (protocols, "c", Err(AcceptError::Protocol)),
        (extensions, "permessage-deflate", compressed),
        (
            extensions,
            "permessage-deflate; server_no_context_takeover",
            compressed,
        ),
        (
            extensions,
            "permessage-deflate, permessage-deflate",
            Err(AcceptError::Extension),
        ),
        (extensions, "x-other", Err(AcceptError::Extension)),
        (extensions, "caf\u{e9}", Err(AcceptError::Extension)),
        ("sec-websocket-accept", KEY, Err(AcceptError::Accept)),
        ("sec-websocket-accept", "", Err(AcceptError::Accept)),
        ("upgrade", "h2c", Err(AcceptError::Upgrade)),
        ("upgrade", "", Err(AcceptError::Upgrade)),
        ("connection", "", Err(AcceptError::Connection)),
        ("content-length", "0", Err(AcceptError::Length)),
        ("transfer-encoding", "chunked", Err(AcceptError::Length)),
    ] {
        assert_eq!(answer(name, value), expected, "{name}: {value}");
    }
}

#[test]
fn what_is_scanned_is_not_compressed_and_no_unknown_extension_is_offered() {
    let name = "sec-websocket-extensions";
    for (offered, scanned, kept) in [
        ("permessage-deflate", false, true),
        ("permessage-deflate", true, false),
        ("permessage-deflate, x-mux", false, false),
        ("x-mux", false, false),
    ] {
        let mut head = wish(&with(&WISH, name, offered));
        let mut handshake = Handshake::read(&head).unwrap().unwrap();
        handshake.offer(&mut head.headers, scanned);
        assert_eq!(head.headers.contains_key(name), kept, "{offered}");
        let answer = agreed(&with(&AGREED, name, "permessage-deflate"));
        assert_eq!(handshake.check(&answer).is_ok(), kept, "{offered}");
    }
}

const LIMITS: Limits = Limits {
    message_bytes: 1000,
    is_compressed: false,
};

type Read = Result<Vec<(Opcode, Bytes)>, Violation>;

fn read(sender: Sender, limits: Limits, wire: &[u8], most: usize) -> Read {
    let mut reader = Reader::new(sender, limits);
    let mut frames = Vec::new();
    for piece in wire.chunks(most) {
        reader.buffer().extend_from_slice(piece);
        while let Some(frame) = reader.next_frame()? {
            frames.push((frame.opcode(), frame.payload()));
        }
    }
    Ok(frames)
}

/// What the agent's bytes are, in one piece and in pieces of each byte.
fn agent(wire: &[u8]) -> Read {
    let whole = read(Sender::Agent, LIMITS, wire, usize::MAX);
    assert_eq!(whole, read(Sender::Agent, LIMITS, wire, 1), "{wire:02x?}");
    whole
}

#[test]
fn frames_are_read_in_every_length_and_with_every_mask() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = vec![b'x'; length];
        let limits = Limits {
            message_bytes: length,
            ..LIMITS
        };
        let expected = vec![(Opcode::Binary, Bytes::from(payload.clone()))];
        let plain = encode(Opcode::Binary, &payload, None);
        for most in [usize::MAX, 4096] {
            assert_eq!(
                read(Sender::Agent, limits, &plain, most),
                Ok(expected.clone())
            );
        }
        for mask in [[0; 4], [1, 2, 3, 4], [0xff, 0, 0x80, 7]] {
            let masked = encode(Opcode::Binary, &payload, Some(mask));
            assert_eq!(
                read(Sender::Caller, limits, &masked, 4096),
                Ok(expected.clone())
            );
        }
    }
}

#[test]
fn the_examples_of_the_standard_are_read() {
    // RFC 6455, section 5.7.
    let hello = Ok(vec![(Opcode::Text, Bytes::from_static(b"Hello"))]);
    assert_eq!(agent(b"\x81\x05Hello"), hello);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(read(Sender::Caller, LIMITS, masked, 1), hello);
    let fragments = agent(b"\x01\x03Hel\x89\x05Hello\x80\x02lo").unwrap();
    let opcodes: Vec<Opcode> = fragments.iter().map(|(opcode, _)| *opcode).collect();
    assert_eq!(opcodes, [Opcode::Text, Opcode::Ping, Opcode::Continuation]);
}

#[test]
fn what_breaks_a_rule_ends_the_tunnel_with_its_code() {
    use Violation as V;
    let cases: [(&[u8], Violation, u16); 23] = [
        (b"\x83\x00", V::Opcode, 1002),
        (b"\x8b\x00", V::Opcode, 1002),
        (b"\xc1\x00", V::ReservedBit, 1002),
        (b"\xa1\x00", V::ReservedBit, 1002),
        (b"\x91\x00", V::ReservedBit, 1002),
        (b"\x09\x00", V::Control, 1002),
        (b"\x08\x00", V::Control, 1002),
        (b"\x89\x7e\x00\x7e", V::Control, 1002),
        (b"\x81\x80\x00\x00\x00\x00", V::Mask, 1002),
        (b"\x80\x00", V::Continuation, 1002),
        (b"\x01\x00\x81\x00", V::Interleaved, 1002),
        (b"\x81\x7e\x00\x7d", V::Length, 1002),
        (b"\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", V::Length, 1002),
        (b"\x81\x7f\x80\x00\x00\x00\x00\x01\x00\x00", V::Length, 1002),
        (b"\x88\x01\x03", V::CloseCode, 1002),
        (b"\x88\x02\x03\xed", V::CloseCode, 1002),
        (b"\x88\x02\x03\xe7", V::CloseCode, 1002),
        (b"\x88\x02\x0b\xb7", V::CloseCode, 1002),
        (b"\x88\x03\x03\xe8\xff", V::Text, 1007),
        (b"\x81\x02\xc3\x28", V::Text, 1007),
        (b"\x01\x01\xc3\x80\x01\x28", V::Text, 1007),
        (b"\x81\x01\xc3", V::Text, 1007),
        (b"\x82\x7e\x03\xe9", V::TooLarge(1000), 1009),
    ];
    for (wire, violation, code) in cases {
        assert_eq!(agent(wire), Err(violation), "{wire:02x?}");
        assert_eq!(violation.close_code().number(), code);
    }
    let unmasked = read(Sender::Caller, LIMITS, b"\x81\x00", usize::MAX);
    assert_eq!(unmasked, Err(V::Mask));
}

#[test]
fn a_message_counts_over_its_fragments() {
    let mut wire = b"\x02\x7e\x02\x58".to_vec();
    wire.extend([0; 600]);
    let first = wire.clone();
    wire.extend(b"\x80\x7e\x01\x90");
    wire.extend([0; 400]);
    assert_eq!(agent(&wire).map(|frames| frames.len()), Ok(2));
    let mut wire = first;
    wire.extend(b"\x80\x7e\x01\x91");
    assert_eq!(agent(&wire), Err(Violation::TooLarge(1000)));
    let mut wire = b"\x02\x00".to_vec();
    wire.extend(b"\x00\x00".repeat(65_535));
    assert_eq!(
        read(Sender::Agent, LIMITS, &wire, usize::MAX).map(|f| f.len()),
        Ok(65_536)
    );
    wire.extend(b"\x00\x00");
    let outcome = read(Sender::Agent, LIMITS, &wire, usize::MAX);
    assert_eq!(outcome, Err(Violation::TooManyFragments));
}

#[test]
fn a_control_frame_passes_whatever_the_limit_of_messages() {
    let limits = Limits {
        message_bytes: 0,
        ..LIMITS
    };
    let read = read(Sender::Agent, limits, b"\x89\x02hi\x81\x00", 1).unwrap();
    assert_eq!(read.len(), 2);
}

#[test]
fn compressed_messages_pass_unread_and_their_bit_stands_first_only() {
    let limits = Limits {
        is_compressed: true,
        ..LIMITS
    };
    let read = |wire: &[u8]| read(Sender::Agent, limits, wire, 1).map(|frames| frames.len());
    assert_eq!(read(b"\xc1\x02\xff\xfe\x81\x02\xff\xfe"), Ok(2));
    assert_eq!(read(b"\x41\x00\x80\x00"), Ok(2));
    assert_eq!(read(b"\x41\x00\xc0\x00"), Err(Violation::ReservedBit));
    assert_eq!(read(b"\xc9\x00"), Err(Violation::ReservedBit));
    assert_eq!(read(b"\xa1\x00"), Err(Violation::ReservedBit));
}

#[test]
fn behind_the_close_frame_nothing_is_read() {
    assert_eq!(
        agent(b"\x88\x02\x03\xe8\xff\xff\xff").map(|frames| frames.len()),
        Ok(1)
    );
    assert_eq!(agent(b"\x88\x00"), Ok(vec![(Opcode::Close, Bytes::new())]));
}

#[test]
fn text_may_be_cut_within_a_character() {
    let text = "日本 😀 héllo";
    for at in 1..text.len() {
        let (head, tail) = text.as_bytes().split_at(at);
        let mut wire = vec![0x01, u8::try_from(head.len()).unwrap()];
        wire.extend(head);
        wire.extend([0x80, u8::try_from(tail.len()).unwrap()]);
        wire.extend(tail);
        assert_eq!(agent(&wire).map(|frames| frames.len()), Ok(2), "{at}");
    }
}

#[test]
fn a_reason_is_cut_at_a_character() {
    let frame = encode_close(CloseCode::PolicyViolation, &"é".repeat(100), None);
    let read = agent(&frame).unwrap();
    let (code, reason) = read[0].1.split_at(2);
    assert_eq!(code, 1008_u16.to_be_bytes());
    assert_eq!(std::str::from_utf8(reason).unwrap(), "é".repeat(61));
}
