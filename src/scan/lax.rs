//! Text as a lenient reader has it: what is written with percent signs, references of HTML or escapes of a second
//! layer is undone, what cannot be seen is left out, and letters that look like those of ASCII are those.
//!
//! It is a second reading beside the text itself, so a sequence that means nothing of the kind costs nothing but
//! the reading.

use memchr::memchr3;

use super::channel::Segment;
use super::escape::Unescaped;

/// The longest sequence: a letter with a surrogate pair would be longer, but stands in no key.
const MAX_SEQUENCE: usize = 10;

/// So much of a text is looked at in one go: what stands far behind the first sequence is no matter of its search.
const BLOCK: usize = 512;

/// A row of backslashes counts as one: each layer of JSON in JSON doubles them.
const MAX_BACKSLASHES: usize = 4;

/// Where a lenient reading begins to differ, or may once more bytes are there; `None` if it does not.
pub(super) fn first(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let block = text.get(at..text.len().min(at + BLOCK));
        let block = block.unwrap_or_default();
        let found = if block.is_ascii() {
            memchr3(b'%', b'\\', b'&', block)
        } else {
            block.iter().position(|byte| is_first(*byte))
        };
        at += found.unwrap_or(block.len());
        if found.is_some() {
            match sequence(text.get(at..).unwrap_or_default(), false) {
                Sequence::Plain => at += 1,
                Sequence::Open | Sequence::Means { .. } => return Some(at),
            }
        }
    }
    None
}

/// Whether a sequence may begin with a byte.
const fn is_first(byte: u8) -> bool {
    matches!(
        byte,
        b'%' | b'&' | b'\\' | 0xc2 | 0xcd..=0xd2 | 0xd4 | 0xe2 | 0xe3 | 0xef | 0xf0
    )
}

/// Reads text piece by piece.
#[derive(Debug, Default, Clone)]
pub(super) struct Lax {
    /// The beginning of a sequence that more bytes decide about, and where it lies.
    open: Vec<u8>,
    open_segments: Vec<Segment>,
    /// Where what was left out since the last byte begins.
    left_out: Option<u64>,
}

impl Lax {
    /// Reads one more piece into `read`; tells whether it differs from the text.
    pub(super) fn read(&mut self, text: &[u8], segments: &[Segment], read: &mut Unescaped) -> bool {
        if self.open.is_empty() {
            return self.run(text, segments, false, read);
        }
        let mut joined = std::mem::take(&mut self.open);
        let mut map = std::mem::take(&mut self.open_segments);
        joined.extend_from_slice(text);
        map.extend_from_slice(segments);
        self.run(&joined, &map, false, read)
    }

    /// The text is over: what is open means itself.
    pub(super) fn finish(&mut self, read: &mut Unescaped) {
        let text = std::mem::take(&mut self.open);
        let segments = std::mem::take(&mut self.open_segments);
        self.run(&text, &segments, true, read);
    }

    /// Where the sequence lies that is open, or what is left out and goes with the next byte.
    pub(super) fn waits_at(&self) -> Option<u64> {
        let open = self.open_segments.first().map(|segment| segment.raw);
        self.left_out.or(open)
    }

    fn run(
        &mut self,
        text: &[u8],
        segments: &[Segment],
        ended: bool,
        read: &mut Unescaped,
    ) -> bool {
        let mut map = Stretches::new(segments);
        let (mut at, mut differs) = (0, false);
        while at < text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|byte| is_first(*byte))
                .unwrap_or(rest.len());
            let (plain, meaning) = match plain {
                0 => match sequence(rest, ended) {
                    Sequence::Plain => (1, None),
                    Sequence::Open => {
                        self.open.extend_from_slice(rest);
                        map.take(rest.len(), &mut self.open_segments);
                        return true;
                    }
                    Sequence::Means { text, length } => (0, Some((text, length))),
                },
                plain => (plain, None),
            };
            if let Some((meaning, length)) = meaning {
                differs = true;
                at += length;
                let (from, to) = map.range(length);
                let from = self.left_out.take().unwrap_or(from);
                match meaning {
                    None => self.left_out = Some(from),
                    Some(byte) => {
                        read.text.push(byte);
                        read.segments
                            .push(Segment::of(1, from, to.saturating_sub(from)));
                    }
                }
                continue;
            }
            at += plain;
            read.text
                .extend_from_slice(rest.get(..plain).unwrap_or_default());
            let mut left = plain;
            if let Some(from) = self.left_out.take() {
                let (_, to) = map.range(1);
                read.segments
                    .push(Segment::of(1, from, to.saturating_sub(from)));
                left -= 1;
            }
            map.take(left, &mut read.segments);
        }
        differs
    }
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    /// `length` bytes that are read as this one, or as nothing.
    Means {
        text: Option<u8>,
        length: usize,
    },
    /// More bytes will tell.
    Open,
    Plain,
}

const fn means(text: u8, length: usize) -> Sequence {
    Sequence::Means {
        text: Some(text),
        length,
    }
}

fn sequence(rest: &[u8], ended: bool) -> Sequence {
    let found = match rest {
        [b'%', ..] => percent(rest),
        [b'&', ..] => reference(rest),
        [b'\\', ..] => backslash(rest),
        _ => letter(rest),
    };
    match found {
        Sequence::Open if ended || rest.len() >= MAX_SEQUENCE => Sequence::Plain,
        found => found,
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// `%41`, and `%2541` for it.
fn percent(rest: &[u8]) -> Sequence {
    let again = usize::from(rest.starts_with(b"%25")) * 2;
    if again > 0 && rest.len() < 5 {
        return Sequence::Open;
    }
    let pair = |from: usize| match (rest.get(from), rest.get(from + 1)) {
        (Some(high), Some(low)) => Some(Some(hex(*high)? << 4 | hex(*low)?)),
        (Some(high), None) => hex(*high).map(|_| None),
        (None, _) => Some(None),
    };
    match (pair(1 + again), again) {
        (Some(Some(byte)), _) => means(byte, 3 + again),
        (Some(None), _) => Sequence::Open,
        (None, 0) => Sequence::Plain,
        (None, _) => means(b'%', 3),
    }
}

/// `&#65;`, `&#x41;`, `&quot;`.
fn reference(rest: &[u8]) -> Sequence {
    let named: [(&[u8], u8); 6] = [
        (b"&amp;", b'&'),
        (b"&apos;", b'\''),
        (b"&gt;", b'>'),
        (b"&lt;", b'<'),
        (b"&nbsp;", b' '),
        (b"&quot;", b'"'),
    ];
    for (name, byte) in named {
        if rest.starts_with(name) {
            return means(byte, name.len());
        }
        if name.starts_with(rest) {
            return Sequence::Open;
        }
    }
    let Some(number) = rest.get(1..).and_then(|rest| rest.strip_prefix(b"#")) else {
        return Sequence::Plain;
    };
    let (radix, digits, before) = match number {
        [b'x' | b'X', digits @ ..] => (16, digits, 3),
        digits => (10, digits, 2),
    };
    let length = digits
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    let value = digits
        .get(..length)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u32::from_str_radix(digits, radix).ok());
    match (digits.get(length), value.map(u8::try_from)) {
        (None, _) => Sequence::Open,
        (Some(b';'), Some(Ok(byte))) if byte.is_ascii() => means(byte, before + length + 1),
        _ => Sequence::Plain,
    }
}

/// What one backslash or a row of them makes of the next character.
fn backslash(rest: &[u8]) -> Sequence {
    let row = rest.iter().take_while(|byte| **byte == b'\\').count();
    if row > MAX_BACKSLASHES {
        return Sequence::Means {
            text: None,
            length: MAX_BACKSLASHES,
        };
    }
    let Some((byte, behind)) = rest.get(row..).and_then(<[u8]>::split_first) else {
        return Sequence::Open;
    };
    let digits = |count: usize| {
        let shown = behind.get(..count.min(behind.len())).unwrap_or_default();
        let value = shown.iter().try_fold(0_u32, |value, byte| {
            Some(value << 4 | u32::from(hex(*byte)?))
        });
        match value {
            None => Sequence::Plain,
            Some(_) if shown.len() < count => Sequence::Open,
            Some(value) => match u8::try_from(value) {
                Ok(byte) if byte.is_ascii() => means(byte, row + 1 + count),
                _ => Sequence::Plain,
            },
        }
    };
    match byte {
        b'n' | b'r' => means(b'\n', row + 1),
        b't' => means(b'\t', row + 1),
        b'u' => digits(4),
        b'x' => digits(2),
        other if other.is_ascii() => means(*other, row + 1),
        _ => Sequence::Plain,
    }
}

/// A character beyond ASCII that is not seen, or is seen as one of ASCII.
fn letter(rest: &[u8]) -> Sequence {
    let length = match rest.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => return Sequence::Plain,
    };
    let Some(bytes) = rest.get(..length) else {
        let continues = rest.iter().skip(1).all(|byte| (0x80..0xc0).contains(byte));
        return if continues {
            Sequence::Open
        } else {
            Sequence::Plain
        };
    };
    let Some(character) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.chars().next())
    else {
        return Sequence::Plain;
    };
    let code = u32::from(character);
    let seen = match character {
        '\u{ad}'
        | '\u{34f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => {
            return Sequence::Means { text: None, length };
        }
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => Some(b' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some(b'-'),
        '\u{2018}' | '\u{2019}' => Some(b'\''),
        '\u{201c}' | '\u{201d}' => Some(b'"'),
        '\u{ff01}'..='\u{ff5e}' => u8::try_from(code - 0xff01 + 0x21).ok(),
        // Letters and digits of mathematics: thirteen alphabets, and five times the digits.
        '\u{1d400}'..='\u{1d6a3}' => {
            let nth = (code - 0x1d400) % 52;
            let from = if nth < 26 { b'A' } else { b'a' - 26 };
            u8::try_from(nth).ok().map(|nth| from + nth)
        }
        '\u{1d7ce}'..='\u{1d7ff}' => u8::try_from((code - 0x1d7ce) % 10)
            .ok()
            .map(|nth| b'0' + nth),
        other => LOOK_ALIKES
            .iter()
            .find(|(letters, _)| letters.contains(other))
            .map(|(_, seen)| *seen),
    };
    seen.map_or(Sequence::Plain, |byte| means(byte, length))
}

/// Letters of Greek and Cyrillic that are seen as ones of ASCII.
const LOOK_ALIKES: [(&str, u8); 42] = [
    ("АΑ", b'A'),
    ("ВΒ", b'B'),
    ("С", b'C'),
    ("ЕΕ", b'E'),
    ("НΗ", b'H'),
    ("ІΙӀ", b'I'),
    ("Ј", b'J'),
    ("КΚ", b'K'),
    ("МΜ", b'M'),
    ("Ν", b'N'),
    ("ОΟ", b'O'),
    ("РΡ", b'P'),
    ("Ԛ", b'Q'),
    ("Ѕ", b'S'),
    ("ТΤ", b'T'),
    ("Ѵ", b'V'),
    ("Ԝ", b'W'),
    ("ХΧ", b'X'),
    ("ҮΥ", b'Y'),
    ("Ζ", b'Z'),
    ("а", b'a'),
    ("Ь", b'b'),
    ("сϲ", b'c'),
    ("ԁ", b'd'),
    ("е", b'e'),
    ("һ", b'h'),
    ("іι", b'i'),
    ("јϳ", b'j'),
    ("к", b'k'),
    ("ӏ", b'l'),
    ("м", b'm'),
    ("п", b'n'),
    ("оο", b'o'),
    ("рρ", b'p'),
    ("ԛ", b'q'),
    ("г", b'r'),
    ("ѕ", b's'),
    ("т", b't'),
    ("ѵν", b'v'),
    ("ԝ", b'w'),
    ("хχ", b'x'),
    ("у", b'y'),
];

/// Walks the segments of a text, so many of its bytes at a time.
#[derive(Debug)]
pub(super) struct Stretches<'a> {
    rest: &'a [Segment],
    /// How many bytes of the first segment were walked.
    used: u32,
}

impl<'a> Stretches<'a> {
    pub(super) const fn new(segments: &'a [Segment]) -> Self {
        Self {
            rest: segments,
            used: 0,
        }
    }

    /// Where the next byte lies.
    pub(super) fn place(&self) -> Option<u64> {
        let first = self.rest.first()?;
        Some(first.part(self.used, 1).raw)
    }

    /// The segments of the next bytes.
    pub(super) fn take(&mut self, bytes: usize, into: &mut Vec<Segment>) {
        let mut left = u32::try_from(bytes).unwrap_or(u32::MAX);
        while left > 0 {
            let Some((first, behind)) = self.rest.split_first() else {
                return;
            };
            let here = left.min(first.length - self.used);
            into.push(first.part(self.used, here));
            left -= here;
            self.used += here;
            if self.used == first.length {
                (self.rest, self.used) = (behind, 0);
            }
        }
    }

    /// Where the next bytes lie: from the first raw byte of the first to behind the last of the last.
    fn range(&mut self, bytes: usize) -> (u64, u64) {
        let mut left = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut range: Option<(u64, u64)> = None;
        while left > 0 {
            let Some((first, behind)) = self.rest.split_first() else {
                break;
            };
            let here = left.min(first.length - self.used);
            let part = first.part(self.used, here);
            let end = part.raw + u64::from(part.raw_length);
            range = Some(range.map_or((part.raw, end), |(from, to)| (from, to.max(end))));
            left -= here;
            self.used += here;
            if self.used == first.length {
                (self.rest, self.used) = (behind, 0);
            }
        }
        range.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> (String, Vec<Segment>) {
        let (mut lax, mut read, mut raw) = (Lax::default(), Unescaped::default(), 0);
        for piece in pieces {
            let segment = Segment::plain(raw, piece.len());
            lax.read(piece.as_bytes(), &[segment], &mut read);
            raw += piece.len() as u64;
        }
        lax.finish(&mut read);
        let text = String::from_utf8_lossy(&read.text).into_owned();
        (text, read.segments)
    }

    const CASES: [(&str, &str); 22] = [
        ("plain text, 50 % off & more", "plain text, 50 % off & more"),
        ("ghp%5Fabc", "ghp_abc"),
        ("a%3a%2F%2fb", "a://b"),
        ("%2541%25zz%4", "A%zz%4"),
        ("100%", "100%"),
        ("a&quot;b&#61;c&#x3D;d&amp;", "a\"b=c=d&"),
        ("&copy;&#9999;&#", "&copy;&#9999;&#"),
        (r#"{\"key\":\"v\"}"#, r#"{"key":"v"}"#),
        (r#"\\\"deep\\\" \\n \\u0041\x42"#, "\"deep\" \n AB"),
        ("g\u{200b}h\u{200d}p\u{feff}_x", "ghp_x"),
        ("soft\u{ad}hyphen", "softhyphen"),
        ("\u{ff41}\u{ff21}\u{ff11}\u{ff3f}", "aA1_"),
        ("АKІА", "AKIA"),
        ("ѕk-proj", "sk-proj"),
        ("𝐀𝑏𝟗", "Ab9"),
        ("“q” – it’s", "\"q\" - it's"),
        ("日本語 und Grüße", "日本語 und Grüße"),
        ("tail\\", "tail\\"),
        ("tail%", "tail%"),
        ("tail&qu", "tail&qu"),
        ("\\\\\\\\\\\\n", "\n"),
        ("a\u{a0}b", "a b"),
    ];

    #[test]
    fn what_is_hidden_is_read() {
        for (text, expected) in CASES {
            assert_eq!(read(&[text]).0, expected, "{text}");
        }
    }

    #[test]
    fn no_cutting_makes_a_difference() {
        for (text, expected) in CASES {
            for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
                let (before, after) = text.split_at(cut);
                assert_eq!(read(&[before, after]).0, expected, "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_differs_is_seen_beforehand() {
        for (text, expected) in CASES {
            if first(text.as_bytes()).is_none() {
                assert_eq!(text, expected);
            }
        }
        assert_eq!(first("plain – text".as_bytes()), Some(6));
        assert_eq!(first("50 % off, R & D".as_bytes()), None);
        assert_eq!(first("ünder 日本".as_bytes()), None);
    }

    #[test]
    fn every_byte_lies_where_it_came_from() {
        let (_, segments) = read(&["g\u{200b}h%5F", "x"]);
        let of = |segment: &Segment| (segment.length, segment.raw, segment.raw_length);
        let all: Vec<_> = segments.iter().map(of).collect();
        assert_eq!(all, [(1, 0, 1), (1, 1, 4), (1, 5, 3), (1, 8, 1)]);
    }
}
