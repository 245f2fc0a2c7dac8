//! A value that is assigned to a password, a secret or a token of whatever maker.
//!
//! Nothing is held while the name goes on. What may be the value is held from its first byte, to the quote or blank that
//! ends it.

use super::evidence;
use super::judge::{Asked, Cursor, Verdict};
use super::kind::Check;
use super::run::Run;
use super::set::Set;
use super::view::View;

/// The longest rest of a name, as in `SECRET_KEY_BASE`.
const MAX_REST: u64 = 40;
/// Quotes, blanks, the type and the sign between a name and its value.
const MAX_SIGN: u64 = 48;
const MAX_VALUE: u64 = 128;
/// The shortest value that is drawn rather than chosen.
const LEAST_TOKEN: usize = 10;
/// What the rest of a name says of a value that is no secret itself.
const OTHERS: [&[u8]; 45] = [
    b"alg",
    b"arn",
    b"attempt",
    b"class",
    b"count",
    b"date",
    b"desc",
    b"enabled",
    b"endpoint",
    b"error",
    b"expir",
    b"field",
    b"file",
    b"format",
    b"hint",
    b"icon",
    b"id",
    b"input",
    b"issuer",
    b"iz",
    b"label",
    b"len",
    b"limit",
    b"link",
    b"max",
    b"message",
    b"min",
    b"name",
    b"page",
    b"path",
    b"pattern",
    b"placeholder",
    b"policy",
    b"protocol",
    b"ref",
    b"regex",
    b"reset",
    b"rule",
    b"scope",
    b"size",
    b"time",
    b"title",
    b"ttl",
    b"type",
    b"ur",
];

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Between quotes.
    Quoted,
    /// Behind a name in capitals and `=`, as in a file of variables.
    Variable,
    /// Anything else, which may be code or prose.
    Bare,
}

/// Judges what follows a name.
pub(super) fn judge(asked: Asked<'_>, view: &View<'_>, cursor: Cursor, is_spaced: bool) -> Verdict {
    let wait_with = |cursor, hold| match view.ended() {
        true => Verdict::Dead,
        false => Verdict::Open { cursor, hold },
    };
    let wait = |hold| wait_with(cursor, hold);
    let rest = view.run(cursor.start, Set::BASE64_URL, MAX_REST);
    let at = cursor.start + rest;
    if at == view.end() {
        let name = Run::Set(Set::BASE64_URL);
        return wait_with(cursor.asleep_in_name(name, cursor.start + MAX_REST), at);
    }
    if rest == MAX_REST || !is_name(asked.anchor, view.slice(cursor.start, at)) {
        return Verdict::Dead;
    }
    let is_capital = !asked.anchor.bytes().any(|byte| byte.is_ascii_lowercase());
    let (start, quote, is_tight) = match sign(view, at, is_spaced || is_capital) {
        Sign::Value {
            start,
            quote,
            is_tight,
        } => (start, quote, is_tight),
        Sign::Open(hold) => return wait(hold),
        Sign::None => return Verdict::Dead,
    };
    let style = match quote {
        Some(_) => Style::Quoted,
        None if is_tight && is_capital => Style::Variable,
        None => Style::Bare,
    };
    let run = quote.map_or(Run::Bare, Run::Quoted);
    let length = view.measure(start, run, MAX_VALUE + 1);
    if length > MAX_VALUE {
        return Verdict::Dead;
    }
    let end = start + length;
    match view.at(end) {
        None if !view.ended() => return wait_with(cursor.asleep(run, start + MAX_VALUE), start),
        Some(b'(' | b'[' | b'{') if style != Style::Quoted => return Verdict::Dead,
        Some(b' ' | b'\t' | b'\r' | b'\n') if style == Style::Quoted => return Verdict::Dead,
        Some(_) | None => {}
    }
    let end = end - u64::from(style == Style::Bare && view.before(end) == Some(b'.'));
    if is_secret(view.slice(start, end), style, asked) {
        Verdict::Hit { start, end }
    } else {
        Verdict::Dead
    }
}

/// Whether a name with this rest may be that of a secret.
fn is_name(anchor: &str, rest: &[u8]) -> bool {
    let case = |byte: &u8| {
        byte.is_ascii_lowercase() == anchor.ends_with(|last: char| last.is_ascii_lowercase())
    };
    // `tokens`, `secretary`, `passage`: another word.
    let goes_on = rest
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() && case(byte));
    let lower = rest.to_ascii_lowercase();
    !goes_on
        && !OTHERS
            .iter()
            .any(|part| lower.windows(part.len()).any(|window| window == *part))
}

enum Sign {
    /// There the value begins.
    Value {
        start: u64,
        quote: Option<u8>,
        is_tight: bool,
    },
    /// It may begin there.
    Open(u64),
    None,
}

/// What may stand between a name and the sign: types, and the word that says where the value is.
const BETWEEN: [&[u8]; 9] = [
    b"&'static str",
    b"&str",
    b"String",
    b"str",
    b"string",
    b"value",
    b"{ get; set; }",
    b"{ get; }",
    b"{get;}",
];

/// The sign between a name and its value: `=`, `:`, `:=`, `=>`, `>`, `|` or the word `is`; or, if that will do, a blank.
fn sign(view: &View<'_>, from: u64, is_spaced: bool) -> Sign {
    let mut at = from;
    let mut signs: &[u8] = &[];
    let mut is_tight = true;
    let mut has_quote = false;
    // The name is over, and its value stands behind the word `value`.
    let mut is_over = false;
    while at < from + MAX_SIGN {
        let Some(byte) = view.at(at) else {
            return if view.ended() {
                Sign::None
            } else {
                Sign::Open(at)
            };
        };
        if matches!(signs, [] | b":") {
            match between(view, at) {
                Between::Ended(end) => {
                    is_over &= byte != b'v';
                    (signs, at, is_tight) = (&[], end, false);
                    continue;
                }
                // It may be the value just as well.
                Between::Open => return Sign::Open(at),
                Between::Nothing => {}
            }
        }
        match (byte, signs) {
            (b' ' | b'\t', _) => is_tight = false,
            (b'\\', _) => match view.at(at + 1) {
                None if !view.ended() => return Sign::Open(at),
                Some(b'"' | b'\'' | b'\\') => {}
                Some(_) | None => return Sign::None,
            },
            (b'"' | b'\'' | b'`', []) => has_quote = true,
            (b'"' | b'\'' | b'`', _) => {
                return Sign::Value {
                    start: at + 1,
                    quote: Some(byte),
                    is_tight,
                };
            }
            (b']' | b'*', []) => {}
            (b'\r' | b'\n' | b',', []) => is_over = true,
            (_, []) if is_over => return Sign::None,
            (b'=', []) => signs = b"=",
            (b':', []) => signs = b":",
            (b'|', []) => signs = b"|",
            (b'>', []) if !has_quote => signs = b">",
            (b'>', b"=") => signs = b"=>",
            (b'=', b":") => signs = b":=",
            (b'i', []) if !is_tight && !has_quote => match (view.at(at + 1), view.at(at + 2)) {
                (Some(b's'), Some(b' ' | b':')) => {
                    signs = b"is";
                    at += 1;
                }
                (None, _) | (Some(b's'), None) if !view.ended() => return Sign::Open(at),
                _ if is_spaced => {
                    return Sign::Value {
                        start: at,
                        quote: None,
                        is_tight,
                    };
                }
                _ => return Sign::None,
            },
            (b':', b"is") => {}
            (b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z', [])
                if is_spaced && !is_tight && !has_quote =>
            {
                return Sign::Value {
                    start: at,
                    quote: None,
                    is_tight,
                };
            }
            (_, []) | (b'=' | b':' | b'>' | b'|', _) => return Sign::None,
            (0..=b' ' | b',' | b';' | b')' | b']' | b'}', _) => return Sign::None,
            _ => {
                return Sign::Value {
                    start: at,
                    quote: None,
                    is_tight,
                };
            }
        }
        at += 1;
    }
    Sign::None
}

enum Between {
    Ended(u64),
    Open,
    Nothing,
}

fn between(view: &View<'_>, at: u64) -> Between {
    // One of them begins with each of these.
    if !matches!(view.at(at), Some(b'&' | b'S' | b's' | b'v' | b'{')) {
        return Between::Nothing;
    }
    let mut is_open = false;
    for text in BETWEEN {
        let end = at + text.len() as u64;
        let seen = view.slice(at, end);
        if seen.len() < text.len() {
            is_open |= !view.ended() && text.starts_with(seen);
        } else if seen == text {
            match view.at(end) {
                Some(byte) if Set::WORD.contains(byte) => {}
                None if !view.ended() => return Between::Open,
                Some(_) | None => return Between::Ended(end),
            }
        }
    }
    if is_open {
        Between::Open
    } else {
        Between::Nothing
    }
}

/// Whether a byte goes on with a value.
pub(super) const fn goes_on(byte: u8, quote: Option<u8>) -> bool {
    match quote {
        Some(quote) => byte != quote && byte > b' ' && byte != b'\\',
        None => {
            byte > b' '
                && !matches!(
                    byte,
                    b'"' | b'\''
                        | b'`'
                        | b','
                        | b';'
                        | b'<'
                        | b'>'
                        | b'('
                        | b')'
                        | b'{'
                        | b'}'
                        | b'['
                        | b']'
                        | b'|'
                        | b'\\'
                        | b'&'
                )
        }
    }
}

fn is_secret(value: &[u8], style: Style, asked: Asked<'_>) -> bool {
    let is_drawn = match asked.check {
        Check::Password => match style {
            Style::Quoted | Style::Variable => true,
            Style::Bare => !evidence::is_identifier(value) || evidence::changes(value) >= 0.3,
        },
        // Sixteen hex digits are the short name of a key, as in `PublicKeyToken`.
        _ if value.len() < 20 && value.iter().all(u8::is_ascii_hexdigit) => false,
        _ if value.len() < LEAST_TOKEN => false,
        _ => evidence::changes(value) >= 0.25 || evidence::has_mark(value),
    };
    let is_code =
        style != Style::Quoted && (evidence::is_path_of_names(value) || names_another(value));
    is_drawn && !is_code && !evidence::is_reference(value) && asked.passes(value)
}

/// `password=db_password2`: a variable, not its value. What is drawn may hold such a word by chance.
fn names_another(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let words: [&[u8]; 5] = [b"pass", b"pwd", b"secret", b"token", b"key"];
    evidence::is_identifier(value)
        && evidence::changes(value) < 0.3
        && words
            .iter()
            .any(|word| lower.windows(word.len()).any(|window| window == *word))
}
