//! One JSON object on one line, field by field.
//!
//! Every call writes one, with some forty keys that are known here: they are copied as they are, and only
//! foreign text is looked at for what JSON escapes. A general serialiser cost five times as much, a seventh of
//! all that a small call costs.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write as _;
use std::net::SocketAddr;

use jiff::Timestamp;

/// An object that is being written at the end of a buffer.
pub(super) struct Object<'out> {
    out: &'out mut Vec<u8>,
    is_empty: bool,
}

impl<'out> Object<'out> {
    /// Begins an object.
    pub(super) fn new(out: &'out mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// Ends it. What is written after it is the caller's.
    pub(super) fn end(self) -> &'out mut Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    /// A field with a number.
    pub(super) fn number(&mut self, key: &'static str, value: impl Into<u64>) {
        self.key(key);
        put_number(self.out, value.into());
    }

    /// A field with one of our own words, which need no escaping.
    pub(super) fn word(&mut self, key: &'static str, value: &'static str) {
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    /// A field with text of anybody.
    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        self.key(key);
        put_text(self.out, value);
    }

    /// A field with a text of several pieces, of anybody. Nothing is formatted: that took seven hundred
    /// instructions for two words.
    pub(super) fn joined<const N: usize>(&mut self, key: &'static str, pieces: [&str; N]) {
        self.key(key);
        if pieces.iter().any(|piece| has_escaped(piece)) {
            return put_text(self.out, &pieces.concat());
        }
        self.out.push(b'"');
        for piece in pieces {
            self.out.extend_from_slice(piece.as_bytes());
        }
        self.out.push(b'"');
    }

    /// A field with what a value shows of itself.
    pub(super) fn display(&mut self, key: &'static str, value: impl Display) {
        self.key(key);
        self.out.push(b'"');
        let from = self.out.len();
        // Writing to memory does not fail.
        let _ = write!(self.out, "{value}");
        let shown = self.out.get(from..).unwrap_or_default();
        if shown.iter().any(|byte| is_escaped(*byte)) {
            let shown = String::from_utf8_lossy(shown).into_owned();
            self.out.truncate(from - 1);
            return put_text(self.out, &shown);
        }
        self.out.push(b'"');
    }

    /// A field with a moment: RFC 3339 in UTC with exactly six digits, so that equal lengths sort as times.
    pub(super) fn time(&mut self, key: &'static str, value: Timestamp) {
        self.key(key);
        self.out.push(b'"');
        put_second(self.out, value);
        let micros = value.subsec_microsecond().unsigned_abs();
        self.out.push(b'.');
        // A number in front keeps the zeros.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(1_000_000 + micros).as_bytes();
        self.out
            .extend_from_slice(digits.get(1..).unwrap_or_default());
        self.out.extend_from_slice(b"Z\"");
    }

    /// A field with an address and its port.
    pub(super) fn address(&mut self, key: &'static str, value: SocketAddr) {
        let SocketAddr::V4(address) = value else {
            return self.display(key, value);
        };
        self.key(key);
        for (index, part) in address.ip().octets().into_iter().enumerate() {
            self.out.push(if index == 0 { b'"' } else { b'.' });
            put_number(self.out, part.into());
        }
        self.out.push(b':');
        put_number(self.out, address.port().into());
        self.out.push(b'"');
    }

    /// A field with a list of texts; none when the list is empty.
    pub(super) fn texts<'a>(&mut self, key: &'static str, values: impl Iterator<Item = &'a str>) {
        let mut values = values.peekable();
        if values.peek().is_none() {
            return;
        }
        self.key(key);
        for (index, value) in values.enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            put_text(self.out, value);
        }
        self.out.push(b']');
    }

    /// A field with an object.
    pub(super) fn object(&mut self, key: &'static str, fields: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        self.inner(fields);
    }

    /// A field with a list of objects, also when it is empty.
    pub(super) fn objects<T>(
        &mut self,
        key: &'static str,
        values: impl IntoIterator<Item = T>,
        fields: impl Fn(&mut Object<'_>, T),
    ) {
        self.key(key);
        self.out.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.inner(|object| fields(object, value));
        }
        self.out.push(b']');
    }

    /// A field whose key is text of anybody, with a value that is JSON already.
    pub(super) fn json(&mut self, key: &str, value: &str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        put_text(self.out, key);
        self.out.push(b':');
        self.out.extend_from_slice(value.as_bytes());
        self.is_empty = false;
    }

    fn inner(&mut self, fields: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::new(self.out);
        fields(&mut object);
        object.end();
    }

    /// Keys are ours and need no escaping.
    fn key(&mut self, key: &'static str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// The second that a moment is in; the last one is remembered, as most records are of the same.
fn put_second(out: &mut Vec<u8>, time: Timestamp) {
    thread_local! {
        static LAST: RefCell<(i64, Vec<u8>)> = const { RefCell::new((i64::MIN, Vec::new())) };
    }
    LAST.with_borrow_mut(|(second, text)| {
        if *second != time.as_second() {
            *second = time.as_second();
            text.clear();
            // Writing to memory does not fail.
            let _ = write!(text, "{:.0}", jiff::tz::TimeZone::UTC.to_datetime(time));
        }
        out.extend_from_slice(text);
    });
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    if has_escaped(text) {
        // Seldom. A text is always serialised, and writing to memory does not fail.
        let _ = serde_json::to_writer(&mut *out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Whether anything in a text is escaped in JSON.
fn has_escaped(text: &str) -> bool {
    // Without an early end, so that many bytes are looked at at once.
    text.bytes()
        .fold(false, |found, byte| found | is_escaped(byte))
}

/// What may not stand in a JSON string as it is (RFC 8259, section 7).
const fn is_escaped(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_six_digits_and_sort() {
        let show = |nanos| {
            let mut out = Vec::new();
            Object::new(&mut out).time("t", Timestamp::from_nanosecond(nanos).unwrap());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(show(0), r#"{"t":"1970-01-01T00:00:00.000000Z""#);
        assert_eq!(
            show(1_795_772_096_000_042_999),
            r#"{"t":"2026-11-27T09:34:56.000042Z""#
        );
        assert_eq!(
            show(1_795_772_096_999_999_999),
            r#"{"t":"2026-11-27T09:34:56.999999Z""#
        );
    }

    #[test]
    fn any_text_is_read_back_as_it_was() {
        let texts = ["", "plain", "é\u{2028}", "a\"b\\c", "\0\n\u{1b}", "\u{7f}"];
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.number("n", u64::MAX);
        object.word("w", "word");
        object.address("v4", "192.0.2.7:80".parse().unwrap());
        object.address("v6", "[2001:db8::1]:80".parse().unwrap());
        object.display("d", "shown \"so\"\n");
        object.texts("none", std::iter::empty());
        object.texts("texts", texts.into_iter());
        object.object("inner", |inner| inner.text("t", "x"));
        object.objects("list", [1_u64, 2], |inner, number| {
            inner.number("k", number)
        });
        object.objects("empty", [0_u64; 0], |inner, number| {
            inner.number("k", number)
        });
        object.json("a\"b", "[1]");
        object.object("first", |inner| inner.json("k", "null"));
        object.end();
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "n": u64::MAX,
                "w": "word",
                "v4": "192.0.2.7:80",
                "v6": "[2001:db8::1]:80",
                "d": "shown \"so\"\n",
                "texts": texts,
                "inner": { "t": "x" },
                "list": [{ "k": 1 }, { "k": 2 }],
                "empty": [],
                "a\"b": [1],
                "first": { "k": null },
            })
        );
    }
}
