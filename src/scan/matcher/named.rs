//! A value that only its name tells: `FASTLY_API_TOKEN=...`, `"fastly": { "token": "..." }`, `--fastly-token ...`.
//!
//! Nothing is held while the name goes on. What may be the value is held from its first byte.

use super::judge::{Asked, Cursor, Verdict, Walk, takes, walk};
use super::kind::Step;
use super::run::Run;
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
    let open = |cursor, hold| Verdict::Open { cursor, hold };
    let (mut at, mut state) = if cursor.step == BETWEEN {
        (cursor.at, State(cursor.count))
    } else {
        let end = match name_end(view, asked.anchor, cursor.start) {
            Some(NameEnd::At(end)) => end,
            Some(NameEnd::Open) => {
                let name = Run::Set(case(asked.anchor));
                return open(
                    cursor.asleep_in_name(name, cursor.start + MAX_WORD),
                    view.end(),
                );
            }
            None => return Verdict::Dead,
        };
        let mut state = State::default();
        state.word(view.slice(cursor.start, end));
        (end, state)
    };
    while at <= cursor.start + REACH {
        // What was read is not read again.
        let here = Cursor {
            at,
            step: BETWEEN,
            count: state.0,
            ..cursor
        };
        let Some(byte) = view.at(at) else {
            return if view.ended() {
                Verdict::Dead
            } else {
                open(here, view.end())
            };
        };
        if state.has(MAY_BEGIN)
            && state.has(IS_SECRET)
            && steps.first().is_some_and(|step| takes(step, 0, byte))
        {
            let mut value = Cursor::new(at);
            match walk(view, &mut value, steps, after) {
                Walk::Done(end) if asked.passes(view.slice(at, end)) => {
                    return Verdict::Hit { start: at, end };
                }
                Walk::Open => {
                    let sleep = value.sleep;
                    return open(Cursor { sleep, ..here }, at);
                }
                Walk::Done(_) | Walk::Enough(_) | Walk::Failed => {}
            }
        }
        if Set::BASE64_URL.contains(byte) {
            let end = at + view.run(at, Set::BASE64_URL, MAX_WORD);
            if end == view.end() && !view.ended() {
                let word = Run::Set(Set::BASE64_URL);
                return open(here.asleep_in_name(word, at + MAX_WORD), view.end());
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

/// The step of a cursor behind the name. Its count is the [`State`] there.
const BETWEEN: usize = 1;

/// What was read between the name and the value.
#[derive(Debug, Default, Clone, Copy)]
struct State(u16);

/// The next word may be the value.
const MAY_BEGIN: u16 = 1;
/// The last word was one of [`KEYWORDS`].
const IS_KEYWORD: u16 = 1 << 1;
/// A word said that a secret follows: `GITHUB_SHA` is none.
const IS_SECRET: u16 = 1 << 2;
/// The next line may go on with a nested member.
const IS_NESTED: u16 = 1 << 3;
/// The name is over, so that only a `value` may follow: `name: FASTLY_KEY`, `value: ...`.
const IS_OVER: u16 = 1 << 4;

impl State {
    const fn has(self, what: u16) -> bool {
        self.0 & what != 0
    }

    const fn set(&mut self, what: u16, holds: bool) {
        if holds {
            self.0 |= what;
        } else {
            self.0 &= !what;
        }
    }

    /// Whether a word may stand there.
    fn word(&mut self, word: &[u8]) -> bool {
        let may_stand = !self.has(IS_OVER) || word.eq_ignore_ascii_case(b"value");
        self.set(MAY_BEGIN | IS_NESTED | IS_OVER, false);
        if !self.has(IS_SECRET) {
            let is_secret = says_secret(word) || ends_with(word, b"pat");
            self.set(IS_SECRET, is_secret);
        }
        let is_keyword = KEYWORDS.iter().any(|keyword| ends_with(word, keyword));
        self.set(IS_KEYWORD, is_keyword);
        may_stand
    }

    /// Whether a byte may stand there.
    fn sign(&mut self, byte: u8) -> bool {
        match byte {
            b'=' | b':' | b'>' | b'|' => {
                self.set(MAY_BEGIN, true);
                self.set(IS_NESTED, byte == b':');
            }
            b' ' | b'\t' if self.has(IS_KEYWORD) => self.set(MAY_BEGIN, true),
            b' ' | b'\t' => {}
            b'{' => self.set(IS_NESTED, true),
            b'\r' | b'\n' if self.has(IS_NESTED) => {}
            b'\r' | b'\n' | b',' => {
                self.set(IS_OVER, true);
                return self.has(IS_SECRET) && !self.has(MAY_BEGIN);
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
    let end = start + view.run(start, case(anchor), MAX_WORD);
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

/// The letters that go on with a name.
fn case(anchor: &str) -> Set {
    match anchor.bytes().last() {
        Some(b'A'..=b'Z') => Set::UPPER,
        _ => Set::LOWER,
    }
}

fn ends_with(word: &[u8], end: &[u8]) -> bool {
    word.len()
        .checked_sub(end.len())
        .and_then(|from| word.get(from..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn says_secret(word: &[u8]) -> bool {
    (0..word.len()).any(|at| {
        let rest = word.get(at..).unwrap_or_default();
        let first = rest.first().map(u8::to_ascii_lowercase);
        let mut alike = SECRETS.iter().filter(|part| part.first().copied() == first);
        alike.any(|part| {
            let here = rest.get(..part.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(part))
        })
    })
}
