//! What kind of bytes a file holds, by its name and its beginning.

use std::path::Path;

use crate::scan::Carrier;

/// How far the beginning is looked at.
const GLANCE_BYTES: usize = 1024;

/// Where a NUL byte makes a file a binary one.
const BINARY_BYTES: usize = 8 * 1024;

/// What a name says, if it says anything.
pub(super) fn by_name(path: &Path) -> Option<Carrier> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "geojson" | "har" | "ipynb" | "json" | "jsonl" | "ndjson" | "sarif" | "webmanifest" => {
            Some(Carrier::Json)
        }
        "sse" => Some(Carrier::Sse),
        _ => None,
    }
}

/// What a beginning says; `None` while more bytes may tell.
pub(super) fn by_beginning(beginning: &[u8], is_all: bool) -> Option<Carrier> {
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
    match text.trim_ascii_start().first() {
        // What turns out not to be JSON is read as text from there on.
        Some(b'{' | b'[') => Some(Carrier::Json),
        Some(_) => events(text, is_all || beginning.len() >= GLANCE_BYTES),
        None => (is_all || beginning.len() >= GLANCE_BYTES).then_some(Carrier::Text),
    }
}

/// Whether lines are those of an event stream: fields and comments up to the first blank line.
fn events(text: &[u8], is_enough: bool) -> Option<Carrier> {
    let mut has_data = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let is_whole = line.ends_with(b"\n");
        let line = line.trim_ascii_end();
        if line.is_empty() && is_whole && has_data {
            return Some(Carrier::Sse);
        }
        let is_begun = FIELDS.iter().any(|field| line.starts_with(field));
        if !is_begun && (is_whole || is_enough || !may_become_one(line)) {
            return Some(Carrier::Text);
        }
        has_data |= line.starts_with(b"data:") || line.starts_with(b"event:");
    }
    is_enough.then_some(if has_data {
        Carrier::Sse
    } else {
        Carrier::Text
    })
}

const FIELDS: &[&[u8]] = &[b":", b"data:", b"event:", b"id:", b"retry:"];

fn may_become_one(line: &[u8]) -> bool {
    FIELDS.iter().any(|field| field.starts_with(line))
}

/// Whether a file holds something else than text.
pub(super) fn is_binary(beginning: &[u8]) -> bool {
    beginning.iter().take(BINARY_BYTES).any(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_tells_what_follows() {
        let whole = |text: &str| by_beginning(text.as_bytes(), true);
        for text in [
            "data: x\n\n",
            "event: a\ndata: {}\n\n",
            ": hi\nid: 4\ndata: 1\n\n",
            "data: {\"a\"",
        ] {
            assert_eq!(whole(text), Some(Carrier::Sse), "{text}");
        }
        for text in [
            "",
            "\n",
            "data:\n  key: v\n",
            "id: 3\nname: x\n",
            "datax",
            "hello",
            ": only\n",
        ] {
            assert_eq!(whole(text), Some(Carrier::Text), "{text}");
        }
        for text in ["{}", " \n[1]", "\u{feff}{", "[section]\n"] {
            assert_eq!(whole(text), Some(Carrier::Json), "{text}");
        }
    }

    #[test]
    fn more_is_awaited_only_where_it_can_tell() {
        assert_eq!(by_beginning(b"", false), None);
        assert_eq!(by_beginning(b"da", false), None);
        assert_eq!(by_beginning(b"data: 1\n", false), None);
        assert_eq!(by_beginning(b"date", false), Some(Carrier::Text));
        assert_eq!(
            by_beginning(&[b' '; GLANCE_BYTES], false),
            Some(Carrier::Text)
        );
    }
}
