//! A value that only its name tells: `FASTLY_API_TOKEN=...`, `"fastly": { "token": "..." }`, `--fastly-token ...`.
//!
//! Nothing is held while the name goes on. What may be the value is held from its first byte.

use super::judge::{Asked, Cursor, Verdict, Walk, takes, walk};
use super::kind::Step;
use super::set::Set;
use super::view::View;

/// From the name of the vendor to the first byte of the value.
const REACH: u64 = 64;
/// The longest word between them that is looked at.
const MAX_WORD: u64 = 48;
/// What a name may go on with in the same case: `fastlyapitoken`.
const PARTS: [&[u8]; 12] = [
    b"access", b"account", b"cloud", b"api", b"app", b"auth", b"bot", b"client", b"key", b"pass",
    b"secret", b"token",
];
/// What in a word between says that the value is a secret.
const SECRETS: [&[u8]; 10] = [
    b"access", b"auth", b"cred", b"key", b"licen", b"pass", b"pwd", b"secret", b"team", b"token",
];
/// Words that a value may follow without a sign between them: `the Fastly token ...`, `--fastly-key ...`.
const KEYWORDS: [&[u8]; 10] = [
    b"apikey",
    b"bearer",
    b"is",
    b"key",
    b"license",
    b"pat",
    b"password",
    b"secret",
    b"team",
    b"token",
];

/// Judges what follows a name.
pub(super) fn judge(
    asked: Asked<'_>,
    view: &View<'_>,
    cursor: Cursor,
    steps: &[Step],
    after: Set,
) -> Verdict {
    let open = |hold| Verdict::Open { cursor, hold };
    let mut at = match name_end(view, asked.anchor, cursor.start) {
        Some(NameEnd::At(end)) => end,
        Some(NameEnd::Open) => return open(view.end()),
        None => return Verdict::Dead,
    };
    let mut state = State::default();
    state.word(view.slice(cursor.start, at));
    while at <= cursor.start + REACH {
        let Some(byte) = view.at(at) else {
            return if view.ended() {
                Verdict::Dead
            } else {
                open(view.end())
            };
        };
        if state.may_begin
            && state.is_secret
            && steps.first().is_some_and(|step| takes(step, 0, byte))
        {
            match walk(view, &mut Cursor::new(at), steps, after) {
                Walk::Done(end) if asked.passes(view.slice(at, end)) => {
                    return Verdict::Hit { start: at, end };
                }
                Walk::Open => return open(at),
                Walk::Done(_) | Walk::Enough(_) | Walk::Failed => {}
            }
        }
        if Set::BASE64_URL.contains(byte) {
            let end = at + view.run(at, Set::BASE64_URL, MAX_WORD);
            if end == view.end() && !view.ended() {
                return open(view.end());
            }
            if !state.word(view.slice(at, end)) {
                return Verdict::Dead;
            }
            at = end;
        } else if state.sign(byte) {
            at += 1;
        } else {
            return Verdict::Dead;
        }
    }
    Verdict::Dead
}

/// What was read between the name and the value.
#[derive(Debug, Default)]
struct State {
    /// Whether the next word may be the value.
    may_begin: bool,
    /// Whether the last word was one of [`KEYWORDS`].
    is_keyword: bool,
    /// Whether a word said that a secret follows: `GITHUB_SHA` is none.
    is_secret: bool,
    /// Whether the next line may go on with a nested member.
    is_nested: bool,
    /// Whether the name is over, so that only a `value` may follow: `name: FASTLY_KEY`, `value: ...`.
    is_over: bool,
}

impl State {
    /// Whether a word may stand there.
    fn word(&mut self, word: &[u8]) -> bool {
        self.may_begin = false;
        self.is_nested = false;
        let may_stand = !self.is_over || word.eq_ignore_ascii_case(b"value");
        self.is_over = false;
        self.is_secret |= SECRETS.iter().any(|part| holds(word, part)) || ends_with(word, b"pat");
        self.is_keyword = KEYWORDS.iter().any(|keyword| ends_with(word, keyword));
        may_stand
    }

    /// Whether a byte may stand there.
    fn sign(&mut self, byte: u8) -> bool {
        match byte {
            b'=' | b':' | b'>' | b'|' => {
                self.may_begin = true;
                self.is_nested = byte == b':';
            }
            b' ' | b'\t' => self.may_begin |= self.is_keyword,
            b'{' => self.is_nested = true,
            b'\r' | b'\n' if self.is_nested => {}
            b'\r' | b'\n' | b',' => {
                self.is_over = true;
                return self.is_secret && !self.may_begin;
            }
            b'"' | b'\'' | b'`' | b'\\' | b'[' | b']' | b'(' | b')' | b'*' | b'.' | b'/' => {}
            // `name: &str = ...`, `name { get; } = ...`
            b'&' | b';' | b'}' => {}
            _ => return false,
        }
        true
    }
}

enum NameEnd {
    At(u64),
    Open,
}

/// Where the name ends, if it ends with the anchor or goes on with a word such as `token`.
fn name_end(view: &View<'_>, anchor: &str, start: u64) -> Option<NameEnd> {
    let case = match anchor.bytes().last() {
        Some(b'A'..=b'Z') => Set::UPPER,
        _ => Set::LOWER,
    };
    let end = start + view.run(start, case, MAX_WORD);
    if end == view.end() && !view.ended() {
        return Some(NameEnd::Open);
    }
    let rest = view.slice(start, end);
    let is_name = rest.is_empty()
        || PARTS.iter().any(|part| {
            rest.get(..part.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(part))
        });
    is_name.then_some(NameEnd::At(end))
}

fn ends_with(word: &[u8], end: &[u8]) -> bool {
    word.len()
        .checked_sub(end.len())
        .and_then(|from| word.get(from..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn holds(word: &[u8], part: &[u8]) -> bool {
    word.windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part))
}
