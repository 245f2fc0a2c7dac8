//! JSON string escapes, one byte at a time (RFC 8259, section 7).

use memchr::{memchr, memchr2};

use super::channel::Segment;

/// An escape that may be open, cut anywhere.
#[derive(Debug, Default, Clone)]
pub(super) struct Escape {
    state: State,
    begins_at: u64,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Closed,
    /// Behind the backslash.
    Backslash,
    /// Behind `\u`, with so many digits read.
    Unicode {
        digits: u8,
        value: u16,
        high: Option<u16>,
    },
    /// Behind a high surrogate; a low one may follow.
    High { high: u16 },
    /// Behind the backslash that follows a high surrogate.
    HighBackslash { high: u16 },
}

/// What one byte did.
#[derive(Debug)]
pub(super) enum Step {
    /// The escape is complete; `consumed` is 1 if the byte belongs to it, else 0.
    Decoded { text: Decoded, consumed: u8 },
    /// The escape goes on.
    More,
}

/// The text of one escape: at most two characters of replacement, or one of four bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoded {
    bytes: [u8; 8],
    length: u8,
}

impl Decoded {
    fn new(characters: &[char]) -> Self {
        let mut decoded = Self {
            bytes: [0; 8],
            length: 0,
        };
        for character in characters {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                if let Some(slot) = decoded.bytes.get_mut(usize::from(decoded.length)) {
                    *slot = byte;
                    decoded.length += 1;
                }
            }
        }
        decoded
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.length)
    }
}

/// Text without its escapes, and the map back to the raw bytes.
#[derive(Debug, Default)]
pub(super) struct Unescaped {
    pub(super) text: Vec<u8>,
    pub(super) segments: Vec<Segment>,
}

impl Unescaped {
    /// Reads `rest`, which lies at `raw`, after what was read before: up to a quote if one `ends` the text,
    /// else all of it. Returns how many bytes were read, the quote among them, and whether there was one.
    pub(super) fn read(
        &mut self,
        escape: &mut Escape,
        rest: &[u8],
        raw: u64,
        ends: bool,
    ) -> (usize, bool) {
        let mut at = 0;
        while let Some((byte, ahead)) = rest.get(at..).and_then(<[u8]>::split_first) {
            let here = raw + at as u64;
            if escape.is_open() {
                let Step::Decoded { text, consumed } = escape.step(*byte) else {
                    at += 1;
                    continue;
                };
                at += usize::from(consumed);
                let begin = escape.close();
                self.text.extend_from_slice(text.as_bytes());
                self.segments.push(Segment::of(
                    text.len(),
                    begin,
                    here + u64::from(consumed) - begin,
                ));
            } else if *byte == b'\\' {
                escape.open(here);
                at += 1;
            } else if ends && *byte == b'"' {
                return (at + 1, true);
            } else {
                let plain = 1 + plain(ahead, ends);
                self.text
                    .extend_from_slice(rest.get(at..at + plain).unwrap_or_default());
                self.segments.push(Segment::plain(here, plain));
                at += plain;
            }
        }
        (at, false)
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.segments.clear();
    }
}

/// How many bytes stand before the next escape, or the quote that ends the text.
pub(super) fn plain(rest: &[u8], ends: bool) -> usize {
    let is_end = |byte: &u8| *byte == b'\\' || (ends && *byte == b'"');
    // Keys are shorter than what it costs to begin a search for many bytes at once.
    let (near, far) = rest.split_at_checked(NEAR).unwrap_or((rest, &[]));
    if let Some(found) = near.iter().position(is_end) {
        return found;
    }
    let found = if ends {
        memchr2(b'"', b'\\', far)
    } else {
        memchr(b'\\', far)
    };
    near.len() + found.unwrap_or(far.len())
}

/// Bytes that are looked at one by one.
const NEAR: usize = 16;

impl Escape {
    /// The backslash was read; it lies at `raw`.
    pub(super) fn open(&mut self, raw: u64) {
        (self.state, self.begins_at) = (State::Backslash, raw);
    }

    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// Where the open escape begins.
    pub(super) fn begins_at(&self) -> Option<u64> {
        self.is_open().then_some(self.begins_at)
    }

    /// Closes the escape and tells where it began.
    pub(super) fn close(&mut self) -> u64 {
        self.state = State::Closed;
        self.begins_at
    }

    pub(super) fn step(&mut self, byte: u8) -> Step {
        let done = |characters: &[char]| Step::Decoded {
            text: Decoded::new(characters),
            consumed: 1,
        };
        // The byte belongs to whatever comes after the escape.
        let before = |character: char| Step::Decoded {
            text: Decoded::new(&[character]),
            consumed: 0,
        };
        match self.state {
            State::Closed => Step::Decoded {
                text: Decoded::new(&[]),
                consumed: 0,
            },
            State::Backslash => match byte {
                b'b' => done(&['\u{8}']),
                b'f' => done(&['\u{c}']),
                b'n' => done(&['\n']),
                b'r' => done(&['\r']),
                b't' => done(&['\t']),
                b'u' => {
                    self.state = State::Unicode {
                        digits: 0,
                        value: 0,
                        high: None,
                    };
                    Step::More
                }
                // `\"`, `\\`, `\/`, and what no grammar knows: lax readers take the character itself.
                other if other.is_ascii() => done(&[char::from(other)]),
                _ => before('\\'),
            },
            State::Unicode {
                digits,
                value,
                high,
            } => {
                let Some(digit) = char::from(byte)
                    .to_digit(16)
                    .and_then(|digit| u16::try_from(digit).ok())
                else {
                    return before(char::REPLACEMENT_CHARACTER);
                };
                let value = (value << 4) | digit;
                if digits < 3 {
                    self.state = State::Unicode {
                        digits: digits + 1,
                        value,
                        high,
                    };
                    return Step::More;
                }
                self.unit(value, high)
            }
            State::High { high } if byte == b'\\' => {
                self.state = State::HighBackslash { high };
                Step::More
            }
            State::High { .. } => before(char::REPLACEMENT_CHARACTER),
            State::HighBackslash { high } if byte == b'u' => {
                self.state = State::Unicode {
                    digits: 0,
                    value: 0,
                    high: Some(high),
                };
                Step::More
            }
            // A lone surrogate, and then an escape of another kind: both are one unit for us.
            State::HighBackslash { .. } => {
                self.state = State::Backslash;
                match self.step(byte) {
                    Step::Decoded { text, consumed } => {
                        let mut both = Decoded::new(&[char::REPLACEMENT_CHARACTER]);
                        for byte in text.as_bytes() {
                            if let Some(slot) = both.bytes.get_mut(usize::from(both.length)) {
                                *slot = *byte;
                                both.length += 1;
                            }
                        }
                        Step::Decoded {
                            text: both,
                            consumed,
                        }
                    }
                    Step::More => Step::More,
                }
            }
        }
    }

    /// A UTF-16 code unit is complete.
    fn unit(&mut self, value: u16, high: Option<u16>) -> Step {
        let done = |characters: &[char]| Step::Decoded {
            text: Decoded::new(characters),
            consumed: 1,
        };
        let lone = char::REPLACEMENT_CHARACTER;
        match (high, value) {
            (None, 0xd800..=0xdbff) => {
                self.state = State::High { high: value };
                Step::More
            }
            (None, _) => done(&[char::from_u32(u32::from(value)).unwrap_or(lone)]),
            (Some(high), 0xdc00..=0xdfff) => {
                let code =
                    0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(value) - 0xdc00);
                done(&[char::from_u32(code).unwrap_or(lone)])
            }
            (Some(_), _) => done(&[lone, char::from_u32(u32::from(value)).unwrap_or(lone)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> String {
        let mut escape = Escape::default();
        escape.open(0);
        let mut decoded = Vec::new();
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.peek().copied() {
            match escape.step(byte) {
                Step::More => {
                    bytes.next();
                }
                Step::Decoded { text, consumed } => {
                    decoded.extend_from_slice(text.as_bytes());
                    if consumed == 1 {
                        bytes.next();
                    }
                    decoded.extend(bytes);
                    break;
                }
            }
        }
        String::from_utf8(decoded).unwrap()
    }

    #[test]
    fn escapes_are_what_the_grammar_says() {
        let cases = [
            ("n", "\n"),
            ("/", "/"),
            ("u0041KIA", "AKIA"),
            ("ud83d\\ude00!", "😀!"),
            ("ud83dx", "\u{fffd}x"),
            ("ud83d\\n", "\u{fffd}\n"),
            ("ud83d\\u0041", "\u{fffd}A"),
            ("u00g1", "\u{fffd}g1"),
        ];
        for (escape, expected) in cases {
            assert_eq!(decode(escape), expected, "\\{escape}");
        }
    }
}
