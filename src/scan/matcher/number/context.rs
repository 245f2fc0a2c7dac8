//! The words before a number, which say what it is.
//!
//! Words are compared whole: `public` and `duplicate` are no `lic`. `date_of_birth`, `dateOfBirth` and `Date of birth` are
//! the same three words. How far back is looked is a matter of bytes alone, so no cutting changes what is seen.

use std::borrow::Cow;

use hashbrown::HashMap;

use super::super::view::View;
use super::hint::{Hint, begins_word, is_of_word};

/// How far back a word may stand that says what a checked number is.
pub(super) const WIDE: u64 = 96;
/// How far back it may stand where nothing else speaks for a number.
const NEAR: u64 = 48;
/// What must be kept before a number: a word that began earlier is none, and whether one did takes two more bytes.
pub(super) const REACH: u64 = WIDE + 4;

/// Words, by which number they speak for.
#[derive(Debug)]
pub(super) struct Words {
    /// By the hash of their beginning.
    words: HashMap<u16, Vec<Word>, foldhash::fast::FixedState>,
    hint: Hint,
}

#[derive(Debug)]
struct Word {
    /// As it stands in normal text.
    pattern: Box<[u8]>,
    owner: u16,
}

/// What was seen of the words before numbers. Numbers come close together, and one that is open is asked again with each
/// piece: what stands before it need be looked at only once.
#[derive(Debug, Default, Clone)]
pub(in crate::scan) struct Context {
    /// How far the text was glanced over for the beginnings of words.
    until: u64,
    /// Where the last of those stands.
    last: Option<u64>,
    /// The place that the rest is about.
    start: u64,
    may_speak: Option<bool>,
    /// The numbers that are spoken for there.
    wide: Option<Vec<u16>>,
    near: Option<Vec<u16>>,
}

impl Words {
    pub(super) fn new<'a>(words: impl Iterator<Item = (u16, &'a str)>) -> Option<Self> {
        let mut all = Self {
            words: HashMap::default(),
            hint: Hint::default(),
        };
        for (owner, word) in words {
            let pattern = pattern(word);
            let beginning = all.hint.note(&pattern);
            let alike = all.words.entry(beginning).or_default();
            let pattern = pattern.into_boxed_slice();
            alike.push(Word { pattern, owner });
        }
        (!all.words.is_empty()).then_some(all)
    }

    /// Whether a name holds any of the words.
    pub(super) fn tell(&self, name: &[u8]) -> bool {
        let view = View::new(name, 0, 0, true);
        self.hint.last_in(&view, 0, name.len() as u64).is_some()
            && !self.of(&normal(name, false)).is_empty()
    }

    /// Whose words stand in a normal text.
    fn of(&self, text: &[u8]) -> Vec<u16> {
        let mut owners = Vec::new();
        for (at, byte) in text.iter().enumerate() {
            // A word has a blank before it, or needs none.
            if *byte != b' ' && *byte < 0xE0 {
                continue;
            }
            let rest = text.get(at..).unwrap_or_default();
            let beginning = match byte {
                b' ' => self.hint.spaced(rest),
                _ => self.hint.unspaced(rest),
            };
            let alike = beginning.and_then(|beginning| self.words.get(&beginning));
            let words = alike.into_iter().flatten();
            let here = words.filter(|word| rest.starts_with(&word.pattern));
            owners.extend(here.map(|word| word.owner));
        }
        owners
    }
}

impl Context {
    /// Whether a word may stand before a place at all. Errs towards a word.
    pub(super) fn may_speak(&mut self, words: &Words, view: &View<'_>, start: u64) -> bool {
        self.turn_to(start);
        if let Some(may_speak) = self.may_speak {
            return may_speak;
        }
        let from = start.saturating_sub(WIDE);
        let last = if start < self.until {
            words.hint.last_in(view, from, start)
        } else {
            // What was a word at the end of what was seen may be the beginning of another.
            let seen = self.until.saturating_sub(Hint::BYTES as u64);
            self.last = words
                .hint
                .last_in(view, from.max(seen), start)
                .or(self.last);
            self.until = start;
            self.last
        };
        let may_speak = last.is_some_and(|last| last >= from);
        self.may_speak = Some(may_speak);
        may_speak
    }

    /// Whether a word for this number stands before a place.
    pub(super) fn speaks_for(
        &mut self,
        words: &Words,
        view: &View<'_>,
        start: u64,
        number: u16,
        is_near: bool,
    ) -> bool {
        if !self.may_speak(words, view, start) {
            return false;
        }
        let seen = if is_near {
            self.near.get_or_insert_with(|| {
                let text = before(view, start, NEAR);
                words.of(behind_last_number(&text))
            })
        } else {
            self.wide
                .get_or_insert_with(|| words.of(&before(view, start, WIDE)))
        };
        seen.contains(&number)
    }

    fn turn_to(&mut self, start: u64) {
        if self.start != start {
            self.start = start;
            (self.may_speak, self.wide, self.near) = (None, None, None);
        }
    }
}

/// Words of a script without spaces stand in longer words; all others stand alone.
fn pattern(word: &str) -> Vec<u8> {
    if word.bytes().next().is_some_and(|first| first >= 0xE0) {
        word.as_bytes().to_vec()
    } else {
        normal(word.as_bytes(), false)
    }
}

/// The last `most` bytes before an offset as words in small letters, with a space before and behind each.
fn before(view: &View<'_>, start: u64, most: u64) -> Vec<u8> {
    let from = start.saturating_sub(most);
    let raw = view.seen(from, start);
    let is_cut = raw.len() as u64 == most && view.before(from).is_some_and(is_of_word);
    let raw = hide_marks(raw);
    let line = second_last_line(&raw);
    normal(raw.get(line..).unwrap_or_default(), is_cut && line == 0)
}

/// A word may stand in the line before its number, but not before that.
fn second_last_line(raw: &[u8]) -> usize {
    let mut ends = memchr::memrchr_iter(b'\n', raw);
    ends.nth(1).map_or(0, |end| end + 1)
}

/// What a redaction put there says nothing: what is redacted twice is to stay as it is.
fn hide_marks(raw: &[u8]) -> Cow<'_, [u8]> {
    const BEGIN: &[u8] = b"[redacted:";
    if memchr::memchr(b']', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut raw = raw.to_vec();
    let mut from = None;
    // The beginning of the first mark may be out of sight.
    let mut is_cut = true;
    for at in 0..raw.len() {
        let rest = raw.get(at..).unwrap_or_default();
        let Some(byte) = rest.first().copied() else {
            break;
        };
        if rest.starts_with(BEGIN) {
            from = Some(at);
        } else if byte == b']' {
            let start = from.take().or_else(|| is_cut.then_some(0));
            if let Some(mark) = start.and_then(|start| raw.get_mut(start..at)) {
                mark.fill(b' ');
            }
        }
        is_cut &= is_of_word(byte) || matches!(byte, b'.' | b'-' | b':');
    }
    Cow::Owned(raw)
}

/// Words in small letters, with a space before and behind each.
fn normal(text: &[u8], is_cut: bool) -> Vec<u8> {
    let mut words = Vec::with_capacity(text.len() + text.len() / 4 + 8);
    let mut skips = is_cut;
    let mut last = 0_u8;
    words.push(b' ');
    for (at, byte) in text.iter().copied().enumerate() {
        let behind = text.get(at + 1..).unwrap_or_default();
        let is_escape = last == b'\\' && matches!(byte, b'n' | b'r' | b't');
        if !is_of_word(byte) || is_escape {
            skips = false;
            if words.last() != Some(&b' ') {
                words.push(b' ');
            }
        } else {
            if begins_word(last, byte, behind) && words.last() != Some(&b' ') {
                words.push(b' ');
            }
            if !skips {
                words.push(byte.to_ascii_lowercase());
            }
        }
        last = byte;
    }
    if words.last() != Some(&b' ') {
        words.push(b' ');
    }
    words
}

/// A word speaks for the first number behind it.
fn behind_last_number(words: &[u8]) -> &[u8] {
    let mut from = 0;
    let mut at = 0;
    for word in words.split(|byte| *byte == b' ') {
        at += word.len() + 1;
        if word.len() >= 4 && word.iter().all(u8::is_ascii_digit) {
            from = at - 1;
        }
    }
    words.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaks(text: &str, word: &str) -> bool {
        let words = Words::new(std::iter::once((3, word))).unwrap();
        let view = View::new(text.as_bytes(), 0, 0, true);
        Context::default().speaks_for(&words, &view, text.len() as u64, 3, false)
    }

    #[test]
    fn words_are_compared_whole_however_they_are_put_together() {
        for text in [
            "her date of birth is ",
            "\"dateOfBirth\": \"",
            "DATE_OF_BIRTH=",
            "<dt>Date of birth</dt>\n<dd>",
            "userDateOfBirth: ",
            "x\\ndate-of-birth ",
        ] {
            assert!(speaks(text, "date of birth"), "{text}");
        }
        assert!(speaks("the SSNNumber=", "ssn"));
        assert!(speaks("driver's license ", "driver's license"));
        assert!(speaks("私のマイナンバーは", "マイナンバー"));
        for text in ["public ", "duplicate ", "policy ", "lics "] {
            assert!(!speaks(text, "lic"), "{text}");
        }
    }

    #[test]
    fn marks_and_what_stands_too_far_say_nothing() {
        assert!(!speaks("[redacted:pii.ssn] ", "ssn"));
        assert!(!speaks("acted:pii.ssn] ", "ssn"));
        assert!(speaks("[a] ssn] ", "ssn"));
        assert!(!speaks("ssn\n\n", "ssn"));
        assert!(speaks("ssn\n", "ssn"));
        assert!(!speaks(&format!("ssn{}", " ".repeat(96)), "ssn"));
        assert!(speaks(&format!("ssn{}", " ".repeat(93)), "ssn"));
    }
}
