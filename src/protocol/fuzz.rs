//! The entries of the fuzzer: whatever comes, nobody panics, no cut changes what is learned, and no path has a
//! second reading.

use http::Request;
use http::uri::PathAndQuery;
use serde::de::IgnoredAny;

use super::listing::Tasks;
use super::{
    Carrier, Heard, Listing, Observer, Part, Said, Tunnelled, Viewer, path, read_head, tool_call,
};
use crate::model::{Protocols, RpcId, ToolArgs};

/// Reads `data` as a path, and then as all the servers that we know of.
///
/// # Panics
/// When one of them reads another path than the one that is judged.
#[doc(hidden)]
pub fn fuzz_path(data: &[u8]) {
    let Ok(target) = PathAndQuery::try_from(data) else {
        return;
    };
    let Ok(judged) = path::decode(target.path()) else {
        return;
    };
    // Each bit is something that a server may do, in this order.
    for habits in 0_u8..64 {
        let does = |bit: u8| habits & 1 << bit != 0;
        let mut text = target.path().as_bytes().to_vec();
        if does(0) {
            text = without_parameters(&text);
        }
        text = unescape(&text);
        if does(1) {
            text = unescape(&text);
        }
        if does(2) {
            text.iter_mut()
                .filter(|byte| **byte == b'\\')
                .for_each(|byte| *byte = b'/');
        }
        if does(3) {
            text = without_parameters(&text);
        }
        if does(4) {
            text.dedup_by(|next, before| *next == b'/' && *before == b'/');
        }
        if does(5) {
            text = without_dots(&text);
        }
        assert_eq!(String::from_utf8_lossy(&text), *judged, "habits {habits:b}");
    }
}

/// Undoes the escapes, and leaves alone what is none.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.split_first_chunk::<2>().and_then(|(digits, tail)| {
            let digits = std::str::from_utf8(digits).ok()?;
            let plain = !digits.starts_with('+');
            Some((u8::from_str_radix(digits, 16).ok().filter(|_| plain)?, tail))
        });
        match digits.filter(|_| *first == b'%') {
            Some((byte, tail)) => {
                bytes.push(byte);
                rest = tail;
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// Drops what stands behind a semicolon, in each segment.
fn without_parameters(text: &[u8]) -> Vec<u8> {
    let segments = text.split(|byte| *byte == b'/');
    let plain = segments.map(|segment| segment.split(|byte| *byte == b';').next());
    plain
        .map(Option::unwrap_or_default)
        .collect::<Vec<_>>()
        .join(&b'/')
}

/// RFC 3986, section 5.2.4.
fn without_dots(text: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in text.split(|byte| *byte == b'/') {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    kept.join(&b'/')
}

/// Reads `data` as a request's body in some dialect, and as the answer to what it asked, whole and in pieces.
///
/// # Panics
/// When a cut changes what is learned, or what is left of a list is not all for its reader.
#[doc(hidden)]
pub fn fuzz_read_call(data: &[u8]) {
    let (first, body) = data.split_first().unwrap_or((&0, &[]));
    let content_type = if first & 1 == 0 {
        "application/json"
    } else {
        "text/plain"
    };
    let (target, version) = match first >> 1 & 7 {
        0 => ("/message:send", "1.0"),
        1 => ("/v1/tasks/a:cancel", "0.3"),
        2 => ("/tasks/send", ""),
        3 => ("/v1/chat/completions", ""),
        4 => ("/mcp?session_id=s", ""),
        _ => ("/", ""),
    };
    let request = Request::post(target)
        .header("content-type", content_type)
        .header("a2a-version", version)
        .header("host", "agent.example");
    let Ok((parts, ())) = request.body(()).map(Request::into_parts) else {
        return;
    };
    let Ok(head) = read_head(&parts, Protocols::all()) else {
        return;
    };
    let _ = head.wants_body(Some(body));
    if let Ok(Some(parts)) = head.batch(Some(body), 64) {
        for Part { call, text } in parts {
            let alone = head.clone().into_call(Some(text.as_bytes()), 64);
            assert_eq!(alone, Ok(call), "another call than alone");
        }
    }
    fuzz_tunnelled(&head.tunnelled(&parts.headers), body);
    let Ok(call) = head.into_call(Some(body), 64) else {
        return;
    };
    if let Some(ToolArgs::Json(json)) = tool_call(&call, body).map(|tool| tool.args) {
        let read = serde_json::from_str::<IgnoredAny>(&json);
        assert!(read.is_ok(), "what a tool is given is not one document");
    }
    for carrier in [Carrier::Json, Carrier::EventStream] {
        for listing in LISTINGS {
            if let Ok(Some(left)) = listing.filter(carrier, body, &Somebody) {
                let again = listing.filter(carrier, &left, &Somebody);
                assert_eq!(again, Ok(None), "something was left in a list");
            }
        }
        let whole = Observer::new(&call, carrier).map(|mut observer| {
            observer.observe(body);
            (observer.task().cloned(), observer.context().cloned())
        });
        let size = usize::from(*first).max(1);
        let pieces = Observer::new(&call, carrier).map(|mut observer| {
            for piece in body.chunks(size) {
                observer.observe(piece);
            }
            (observer.task().cloned(), observer.context().cloned())
        });
        assert_eq!(whole, pieces, "the cut changed what was learned");
    }
}

/// Reads `message` as one of a tunnel, of either end.
fn fuzz_tunnelled(reader: &Tunnelled, message: &[u8]) {
    let _ = Heard::read(message);
    let Ok(Some(Said {
        call,
        key: Some(key),
        ..
    })) = reader.read(message, 64)
    else {
        return;
    };
    let id = call.rpc_id.as_ref().map(RpcId::as_json);
    let answer = format!("{{\"id\":{},\"result\":{{}}}}", id.unwrap_or_default());
    let answered = match Heard::read(answer.as_bytes()) {
        Heard::Answer(reply) => reply.key(),
        Heard::Other | Heard::Unreadable => None,
    };
    assert_eq!(answered, Some(key), "the answer to something else");
}

const LISTINGS: [Listing; 4] = [
    Listing::Tasks(Tasks::A2a),
    Listing::Tasks(Tasks::A2aRest),
    Listing::Templates,
    Listing::Tools,
];

/// Sees what begins with `a`.
struct Somebody;

impl Viewer for Somebody {
    fn sees(&self, name: &str) -> bool {
        name.starts_with('a')
    }

    fn owned(&self) -> u64 {
        1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// What paths are made of.
    const PIECES: &[&str] = &[
        "/", "/", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", ";", "%3b", "%", "%25", "2e", "2f",
        "5c", "3b", "%00", "%c0%af", "%C3%A4", "a", "b", "%61", "?", "#", "*", "+", "%2", ":",
    ];

    /// What lists are made of.
    const LISTED: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"result\"",
        "\"tools\"",
        "\"tasks\"",
        "\"name\"",
        "\"id\"",
        "\"a1\"",
        "\"b\"",
        "{\"name\":\"b\"}",
        "{\"id\":\"a\"}",
        "\"totalSize\":7",
        "\"cacheScope\":\"public\"",
        "{\"result\":{\"tools\":[",
        "]}}",
        "data: ",
        "\n\n",
        "\r",
        "\n",
        "\r\n",
        "event: m\n",
        "\"Tools\"",
        "null",
    ];

    /// What ids are made of.
    const SAID: &[&str] = &[
        "1",
        "-",
        "0",
        ".",
        "e",
        "9007199254740991",
        "9007199254740993",
        "\"",
        "a",
        "\\u0061",
        "\\/",
        "null",
        " ",
        ",",
        "{",
        "}",
        "\"params\":{}",
    ];

    proptest! {
        #[test]
        fn nothing_foreign_is_left_in_a_list(pieces in proptest::collection::vec(select(LISTED), 0..16)) {
            fuzz_read_call(format!("\u{10}{}", pieces.concat()).as_bytes());
        }

        #[test]
        fn an_answer_in_a_tunnel_finds_its_request(pieces in proptest::collection::vec(select(SAID), 0..12)) {
            let text = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"id\":{}", pieces.concat());
            fuzz_read_call(format!("\u{10}{text}").as_bytes());
            fuzz_read_call(format!("\u{10}{text}}}").as_bytes());
        }

        #[test]
        fn a_path_has_one_reading(pieces in proptest::collection::vec(select(PIECES), 0..12)) {
            fuzz_path(format!("/{}", pieces.concat()).as_bytes());
        }
    }
}
