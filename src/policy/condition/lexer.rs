//! Text to tokens, spelled as in CEL ("Syntax").

use super::ast::Span;
use super::error::{ConditionError, Fault};
use super::shown::ticked;
use super::text;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) span: Span,
    pub(super) kind: TokenKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    End,
    Float(f64),
    /// Without its sign, which is an operator.
    Int(u64),
    Name(String),
    Symbol(&'static str),
    Text(String),
}

/// All tokens, the last of which is the end.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, ConditionError> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let ended = token.kind == TokenKind::End;
        tokens.push(token);
        if ended {
            return Ok(tokens);
        }
    }
}

/// Longer ones first, so that `<=` is not `<` and `=`.
const SYMBOLS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", "(", ")",
    "[", "]", "{", "}", ",", ".",
];

/// What people write by habit of another language, and what CEL has for it.
const HABITS: &[(&str, &str)] = &[
    ("===", "write `==`"),
    ("!==", "write `!=`"),
    ("=~", "write `x.matches('…')`"),
    ("=>", "write `>=`"),
    ("=<", "write `<=`"),
    ("<>", "write `!=`"),
    ("++", "conditions change nothing"),
    ("--", "write `-(-x)`, or one `-`"),
    ("**", "write `x * x`"),
    ("??", "write `has(x) ? x : y`"),
    ("?.", "write `has(x) && x == …`"),
    ("#", "a comment begins with `//`"),
    ("/*", "a comment begins with `//`"),
    ("=", "write `==`"),
    ("&", "write `&&`"),
    ("|", "write `||`"),
    ("^", "write `a != b`"),
    ("~", "write `!`"),
    ("$", "attributes are written without `$`"),
    ("@", "attributes are written without `@`"),
    (";", "a condition is one expression; write `&&`"),
    ("`", "a text stands in `'` or `\"`"),
    ("’", "a text stands in plain `'`"),
    ("‘", "a text stands in plain `'`"),
    ("“", "a text stands in plain `\"`"),
    ("”", "a text stands in plain `\"`"),
];

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token, ConditionError> {
        self.skip_blank();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Ok(self.token(start, TokenKind::End));
        };
        if let Some(quoted) = text::read(self.rest()) {
            return self.text(quoted);
        }
        let digits = first == '.' && self.byte_at(1).is_some_and(|byte| byte.is_ascii_digit());
        if first.is_ascii_digit() || digits {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == '_' {
            self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let name = self.since(start).to_owned();
            return Ok(self.token(start, TokenKind::Name(name)));
        }
        self.symbol()
    }

    fn text(&mut self, quoted: text::Quoted) -> Result<Token, ConditionError> {
        let start = self.at;
        match quoted {
            Ok((length, text)) => {
                self.at += length;
                Ok(self.token(start, TokenKind::Text(text)))
            }
            Err(wrong) => Err(ConditionError::new(
                wrong.fault,
                start + wrong.span.start..start + wrong.span.end,
                wrong.title,
                wrong.label,
            )),
        }
    }

    fn symbol(&mut self) -> Result<Token, ConditionError> {
        let start = self.at;
        let rest = self.rest();
        let known = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
        let habit = HABITS
            .iter()
            .find(|(habit, _)| rest.starts_with(habit))
            // `!` and then `=`… is a habit; `- -x` and `a<b` are not.
            .filter(|(habit, _)| known.is_none_or(|known| habit.len() > known.len()));
        if let Some((habit, remedy)) = habit {
            let title = match *habit {
                "`" => "a backtick means nothing here".to_owned(),
                "#" | "$" | ";" | "@" | "’" | "‘" | "“" | "”" | "/*" => {
                    format!("`{habit}` means nothing here")
                }
                _ => format!("`{habit}` is no operator of a condition"),
            };
            let span = start..start + habit.len();
            return Err(ConditionError::new(Fault::Syntax, span, title, *remedy));
        }
        let Some(symbol) = known else {
            let character = rest.chars().next().map_or(1, char::len_utf8);
            return Err(ConditionError::new(
                Fault::Syntax,
                start..start + character,
                format!(
                    "{} means nothing here",
                    ticked(rest.get(..character).unwrap_or_default())
                ),
                "remove it, or put it into a text",
            ));
        };
        self.at += symbol.len();
        Ok(self.token(start, TokenKind::Symbol(symbol)))
    }

    fn number(&mut self) -> Result<Token, ConditionError> {
        let start = self.at;
        let hex = self.rest().starts_with("0x") || self.rest().starts_with("0X");
        let kind = if hex {
            self.at += 2;
            self.skip_while(|byte| byte.is_ascii_hexdigit());
            let digits = self.since(start + 2);
            u64::from_str_radix(digits, 16).ok().map(TokenKind::Int)
        } else {
            self.decimal()
        };
        let end = self.at;
        // What follows a number directly belongs to it in the author's eyes.
        self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.');
        let written = self.since(start);
        let suffix = self.since(end).to_owned();
        let wrong = |title, label| {
            let span = start..self.at;
            Err(ConditionError::new(Fault::Syntax, span, title, label))
        };
        match kind {
            _ if !suffix.is_empty() => wrong(
                format!("{} is not a number", ticked(written)),
                remedy_of_suffix(&suffix, self.source.get(start..end).unwrap_or_default()),
            ),
            None if written.len() <= 2 => wrong(
                format!("{} is not a number", ticked(written)),
                "hexadecimal digits follow `0x`".to_owned(),
            ),
            None => wrong(
                format!("{} is too large", ticked(written)),
                "write a smaller number".to_owned(),
            ),
            Some(kind) => Ok(self.token(start, kind)),
        }
    }

    /// `None` where there is no such number.
    fn decimal(&mut self) -> Option<TokenKind> {
        let start = self.at;
        let digit = |byte: u8| byte.is_ascii_digit();
        self.skip_while(digit);
        let mut whole = true;
        if self.byte_at(0) == Some(b'.') && self.byte_at(1).is_some_and(digit) {
            whole = false;
            self.at += 1;
            self.skip_while(digit);
        }
        if matches!(self.byte_at(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.byte_at(1), Some(b'+' | b'-')));
            if self.byte_at(1 + sign).is_some_and(digit) {
                whole = false;
                self.at += 1 + sign;
                self.skip_while(digit);
            }
        }
        let written = self.since(start);
        if whole {
            written.parse().ok().map(TokenKind::Int)
        } else {
            let value: Option<f64> = written.parse().ok();
            value
                .filter(|value| value.is_finite())
                .map(TokenKind::Float)
        }
    }

    fn skip_blank(&mut self) {
        loop {
            self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.skip_while(|byte| byte != b'\n');
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        let count = self.rest().bytes().take_while(|byte| wanted(*byte)).count();
        self.at += count;
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> &str {
        self.source.get(start..self.at).unwrap_or_default()
    }

    fn byte_at(&self, offset: usize) -> Option<u8> {
        self.rest().as_bytes().get(offset).copied()
    }

    const fn token(&self, start: usize, kind: TokenKind) -> Token {
        Token {
            span: start..self.at,
            kind,
        }
    }
}

fn remedy_of_suffix(suffix: &str, digits: &str) -> String {
    let duration = ["ns", "us", "ms", "s", "m", "h"].contains(&suffix);
    match suffix {
        "u" | "U" => format!("write {digits}"),
        _ if duration => format!("write duration('{digits}{suffix}')"),
        _ if suffix.starts_with('_') => "write it without `_`".to_owned(),
        "." => format!("write {digits}.0"),
        _ => "write it in digits".to_owned(),
    }
}
