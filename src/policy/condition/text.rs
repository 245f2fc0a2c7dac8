//! Texts in quotes: both kinds, tripled or not, raw or with escapes (CEL, "String and Bytes Values").

use super::ast::Span;
use super::error::Fault;

/// How long it is in the source, and what it says.
pub(super) type Quoted = Result<(usize, String), Wrong>;

/// A mistake, its span counted from the beginning of the text.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) fault: Fault,
    pub(super) span: Span,
    pub(super) title: &'static str,
    pub(super) label: String,
}

/// Reads the text in quotes with which the source begins; `None` where it begins with none.
pub(super) fn read(source: &str) -> Option<Quoted> {
    let prefix = source
        .bytes()
        .take_while(|byte| matches!(byte, b'r' | b'R' | b'b' | b'B'))
        .take(2)
        .count();
    let body = source.get(prefix..)?;
    let quote = ["'''", "\"\"\"", "'", "\""]
        .into_iter()
        .find(|quote| body.starts_with(quote))?;
    let letters = source.get(..prefix)?.to_ascii_lowercase();
    if letters.contains('b') {
        return Some(Err(Wrong {
            fault: Fault::Unsupported,
            span: 0..prefix + quote.len(),
            title: "conditions know no bytes",
            label: "write a text, without `b`".to_owned(),
        }));
    }
    let mut reader = Reader {
        source,
        at: prefix + quote.len(),
        text: String::new(),
    };
    Some(
        reader
            .run(quote, letters == "r")
            .map(|()| (reader.at, reader.text)),
    )
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    text: String,
}

impl Reader<'_> {
    fn run(&mut self, quote: &str, raw: bool) -> Result<(), Wrong> {
        loop {
            let rest = self.source.get(self.at..).unwrap_or_default();
            if rest.starts_with(quote) {
                self.at += quote.len();
                return Ok(());
            }
            match rest.chars().next() {
                Some('\n' | '\r') | None if quote.len() == 1 => return Err(self.unclosed(quote)),
                None => return Err(self.unclosed(quote)),
                Some('\\') if !raw => self.escape(rest)?,
                Some(c) => {
                    self.at += c.len_utf8();
                    self.text.push(c);
                }
            }
        }
    }

    fn unclosed(&self, quote: &str) -> Wrong {
        Wrong {
            fault: Fault::Syntax,
            span: 0..self.at,
            title: "a text does not end",
            label: format!("close it with `{quote}`"),
        }
    }

    fn escape(&mut self, rest: &str) -> Result<(), Wrong> {
        let escaped = rest.chars().nth(1);
        let (digits, radix, skip) = match escaped {
            Some('x' | 'X') => (2, 16, 2),
            Some('u') => (4, 16, 2),
            Some('U') => (8, 16, 2),
            Some('0'..='3') => (3, 8, 1),
            _ => {
                let plain = escaped.and_then(plain_escape);
                let c = plain.ok_or_else(|| self.bad_escape(rest, escaped))?;
                self.text.push(c);
                self.at += 2;
                return Ok(());
            }
        };
        let c = rest
            .get(skip..skip + digits)
            .filter(|code| code.chars().all(|c| c.is_digit(radix)))
            .and_then(|code| u32::from_str_radix(code, radix).ok())
            .and_then(char::from_u32)
            .ok_or_else(|| self.bad_escape(rest, escaped))?;
        self.text.push(c);
        self.at += skip + digits;
        Ok(())
    }

    fn bad_escape(&self, rest: &str, escaped: Option<char>) -> Wrong {
        let label = match escaped {
            Some('x' | 'X') => "`\\x` takes two hexadecimal digits",
            Some('u') => "`\\u` takes four hexadecimal digits of a character",
            Some('U') => "`\\U` takes eight hexadecimal digits of a character",
            Some('0'..='7') => "three octal digits name a character, from `\\000` to `\\377`",
            _ => "write `\\\\` for a backslash, or a raw text: r'…'",
        };
        let length: usize = rest.chars().take(2).map(char::len_utf8).sum();
        Wrong {
            fault: Fault::Syntax,
            span: self.at..self.at + length,
            title: "no such escape in a text",
            label: label.to_owned(),
        }
    }
}

const fn plain_escape(c: char) -> Option<char> {
    Some(match c {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' | '?' | '"' | '\'' | '`' => c,
        _ => return None,
    })
}
