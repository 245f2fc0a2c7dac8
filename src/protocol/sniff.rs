//! What a body begins with.

use super::json::is_white;

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A JSON object or array, as far as can be seen.
    Json,
    /// Too little to tell.
    Open,
    /// No JSON object or array.
    Other,
    /// JSON in UTF-16 or UTF-32, which RFC 8259 forbids and Python reads unasked, or behind a byte
    /// order mark or white space that is none in JSON: many an agent trims the text before it parses it.
    Wide,
}

/// Looks at the beginning of a body, or at the whole of it.
pub(super) fn opening(bytes: &[u8]) -> Opening {
    if is_wide(bytes) || is_behind_foreign_white(bytes) {
        return Opening::Wide;
    }
    let mut rest = bytes.iter().copied().filter(|byte| !is_white(*byte));
    match (rest.next(), rest.next()) {
        (None, _) | (Some(b'{' | b'['), None) => Opening::Open,
        (Some(b'{'), Some(b'"' | b'}')) => Opening::Json,
        // A text such as `{{name}}` or `[INFO]` begins like JSON and goes on otherwise. In an array
        // only `N` and `I` are no JSON and yet read by some.
        (
            Some(b'['),
            Some(b'{' | b'[' | b']' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' | b'I'),
        ) => Opening::Json,
        (Some(_), _) => Opening::Other,
    }
}

/// Whether it begins like JSON once a text's `strip` or `trim` has taken away what is white to Unicode.
fn is_behind_foreign_white(bytes: &[u8]) -> bool {
    // Every such character begins with one of these bytes, and JSON with none; most bodies end here.
    let mut rest = bytes.iter().copied().skip_while(|byte| is_white(*byte));
    if !matches!(
        rest.next(),
        Some(0x0B | 0x0C | 0x1C..=0x1F | 0xC2 | 0xE1 | 0xE2 | 0xE3 | 0xEF)
    ) {
        return false;
    }
    let is_blank =
        |symbol: char| symbol.is_whitespace() || matches!(symbol, '\u{1C}'..='\u{1F}' | '\u{FEFF}');
    let text = bytes.utf8_chunks().next();
    let text = text.map_or("", |chunk| chunk.valid());
    matches!(
        text.trim_start_matches(is_blank).chars().next(),
        Some('{' | '[') | None
    )
}

/// Whether the body may be JSON in an encoding that is not plain UTF-8.
fn is_wide(bytes: &[u8]) -> bool {
    let (width, little, body) = match bytes {
        [0xEF, 0xBB, 0xBF, ..] => return true,
        [0xFF, 0xFE, 0, 0, rest @ ..] => (4, true, rest),
        [0, 0, 0xFE, 0xFF, rest @ ..] => (4, false, rest),
        [0xFF, 0xFE, rest @ ..] => (2, true, rest),
        [0xFE, 0xFF, rest @ ..] => (2, false, rest),
        [0, 0, ..] => (4, false, bytes),
        [0, ..] => (2, false, bytes),
        [_, 0, 0, ..] => (4, true, bytes),
        [_, 0, ..] => (2, true, bytes),
        _ => return false,
    };
    // An object or array in that encoding? Otherwise it is some binary format, and none of ours.
    let first = body
        .chunks_exact(width)
        .map(|unit| {
            let (value, filler) = if little {
                unit.split_first()
            } else {
                unit.split_last()
            }?;
            filler.iter().all(|byte| *byte == 0).then_some(*value)
        })
        .find(|unit| !unit.is_some_and(is_white));
    matches!(first, Some(Some(b'{' | b'[')) | None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_by_its_beginning() {
        let cases: &[(&[u8], Opening)] = &[
            (b"{\"a\":1}", Opening::Json),
            (b" \r\n{ }", Opening::Json),
            (b"[{\"a\"", Opening::Json),
            (b"[1", Opening::Json),
            (b"{", Opening::Open),
            (b"  ", Opening::Open),
            (b"{{name}}", Opening::Other),
            (b"[INFO] started", Opening::Json),
            (b"[warn]", Opening::Other),
            (b"a=b", Opening::Other),
            (b"\"text\"", Opening::Other),
            (b"\xEF\xBB\xBF{}", Opening::Wide),
            (b"\xFF\xFE{\0}\0", Opening::Wide),
            (b"\xFE\xFF\0{\0}", Opening::Wide),
            (b"{\0\"\0", Opening::Wide),
            (b"\0{\0\"", Opening::Wide),
            (b" \0\n\0{\0", Opening::Wide),
            (b"\0\0\0{\0\0\0}", Opening::Wide),
            (b"{\0\0\0}\0\0\0", Opening::Wide),
            (b"\xFF\xFE\0\0{\0\0\0", Opening::Wide),
            // A gRPC frame of 123 bytes: five bytes of prefix, the last of which is `{`.
            (b"\0\0\0\0{\x0A\x05hello", Opening::Other),
            (b"\0\x01binary", Opening::Other),
            (b"\x0C{\"a\":1}", Opening::Wide),
            (b" \x0B\n[1", Opening::Wide),
            ("\u{A0}{".as_bytes(), Opening::Wide),
            ("\u{2028}\u{3000}{".as_bytes(), Opening::Wide),
            ("\u{A0}text".as_bytes(), Opening::Other),
            ("\u{E4}{".as_bytes(), Opening::Other),
        ];
        for (bytes, expected) in cases {
            assert_eq!(opening(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }
}
