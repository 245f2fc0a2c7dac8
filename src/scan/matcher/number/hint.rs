//! Tells at a glance that no word stands before a number, which is so for most.

use super::super::bits::Bits;
use super::super::view::View;

/// Tells at a glance that no word begins somewhere.
#[derive(Debug, Default)]
pub(super) struct Hint {
    /// A bit for the hash of the first bytes of each word.
    words: Bits,
    /// The same of its first two bytes, which is all that most other words need.
    pairs: Bits,
}

impl Hint {
    /// So much of a word is compared.
    pub(super) const BYTES: usize = 8;
    /// And so much of one that may stand in a longer one: one character.
    const UNSPACED: usize = 3;

    /// Takes note of a word as it stands in normal text: with a blank before it, unless it may stand in longer ones. Returns the
    /// hash of its beginning.
    pub(super) fn note(&mut self, pattern: &[u8]) -> u16 {
        let key = match pattern.strip_prefix(b" ") {
            Some(words) => words.split(|byte| *byte == b' ').next(),
            None => pattern.get(..Self::UNSPACED),
        };
        let key = key.unwrap_or_default();
        let beginning = hash(key);
        self.words.insert(beginning);
        match key {
            [one] => (0..=u8::MAX).for_each(|two| self.pairs.insert(pair(*one, two))),
            [one, two, ..] => self.pairs.insert(pair(*one, *two)),
            [] => {}
        }
        beginning
    }

    /// The hash of the beginning of the word behind a blank of a normal text, if any begins so.
    pub(super) fn spaced(&self, text: &[u8]) -> Option<u16> {
        let words = text.strip_prefix(b" ")?;
        let [one, two, ..] = words else {
            return None;
        };
        if !self.pairs.contain(pair(*one, *two)) {
            return None;
        }
        let word = words.split(|byte| *byte == b' ').next()?;
        let beginning = hash(word);
        self.words.contain(beginning).then_some(beginning)
    }

    /// The same of one that stands in longer words.
    pub(super) fn unspaced(&self, text: &[u8]) -> Option<u16> {
        let beginning = hash(text.get(..Self::UNSPACED)?);
        self.words.contain(beginning).then_some(beginning)
    }

    /// Where the last word may begin in a part of a text, seen from its end.
    pub(super) fn last_in(&self, view: &View<'_>, from: u64, end: u64) -> Option<u64> {
        // Whether a word begins is told by the two bytes before.
        let text = view.slice(from.saturating_sub(2), end);
        let first = text.len() - view.slice(from, end).len();
        let mut found = None;
        let (mut before, mut last) = (SPACE, SPACE);
        for (at, byte) in text.iter().copied().enumerate() {
            let glyph = glyph(byte);
            // A word begins behind what is of none, with a capital, and behind the letter of an escape.
            let begins =
                glyph & OF_WORD & !last | glyph & MAY_BEGIN | (glyph & OF_WORD) & (before >> 2);
            if begins != 0 && at >= first && self.is_at(text.get(at..).unwrap_or_default()) {
                found = Some(at);
            }
            (before, last) = (last, glyph);
        }
        found.map(|at| end - (text.len() - at) as u64)
    }

    /// Whether a word may begin with a text.
    fn is_at(&self, text: &[u8]) -> bool {
        let two = text.get(1).copied().unwrap_or(b' ');
        let may_be = text
            .first()
            .is_some_and(|one| self.pairs.contain(pair(*one, two)));
        if !may_be {
            return false;
        }
        let length = word_length(text, Self::BYTES);
        let word = text.get(..length).unwrap_or_default();
        let is_unspaced = word.first().is_some_and(|first| *first >= 0xE0);
        self.words.contain(hash(word))
            || (is_unspaced
                && self
                    .words
                    .contain(hash(word.get(..Self::UNSPACED).unwrap_or_default())))
    }
}

/// Sixteen bits of the first bytes of a word, letters of either case alike.
fn hash(word: &[u8]) -> u16 {
    let bytes = word.iter().take(Hint::BYTES);
    let key = bytes.fold(0, |key: u64, byte| {
        key << 8 | u64::from(byte.to_ascii_lowercase())
    });
    let [.., low, high] = key.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn pair(one: u8, two: u8) -> u16 {
    u16::from_le_bytes([one.to_ascii_lowercase(), two.to_ascii_lowercase()])
}

/// A byte of a word.
const OF_WORD: u8 = 1;
/// One that may begin a word within another: a capital, or of a script without spaces.
const MAY_BEGIN: u8 = 2;
/// The letter behind it is that of an escape.
const ESCAPES: u8 = 4;
const SPACE: u8 = 0;

static GLYPHS: [u8; 256] = glyphs();

/// What each byte is to words.
const fn glyphs() -> [u8; 256] {
    let mut glyphs = [SPACE; 256];
    let mut rest: &mut [u8] = &mut glyphs;
    let mut byte = 0_u8;
    while let Some((glyph, behind)) = rest.split_first_mut() {
        if is_of_word(byte) {
            *glyph |= OF_WORD;
        }
        if byte.is_ascii_uppercase() || byte >= 0xE0 {
            *glyph |= MAY_BEGIN;
        }
        if byte == b'\\' {
            *glyph |= ESCAPES;
        }
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    glyphs
}

#[inline]
fn glyph(byte: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "a u8 is always below 256")]
    GLYPHS[usize::from(byte)]
}

/// How many bytes of a word stand at the beginning of a text; counts no further than `most`.
fn word_length(text: &[u8], most: usize) -> usize {
    let mut last = None;
    let mut at = 0;
    while let Some((byte, behind)) = text.get(at..).and_then(<[u8]>::split_first) {
        let is_next = last.is_some_and(|last| begins_word(last, *byte, behind));
        if at == most || !is_of_word(*byte) || is_next {
            break;
        }
        last = Some(*byte);
        at += 1;
    }
    at
}

/// Whether a capital begins a word within letters: behind a small one, or as the last of a row before a small one (`SSNNumber`).
pub(super) fn begins_word(last: u8, byte: u8, behind: &[u8]) -> bool {
    byte.is_ascii_uppercase()
        && (last.is_ascii_lowercase()
            || (last.is_ascii_uppercase() && behind.first().is_some_and(u8::is_ascii_lowercase)))
}

pub(super) const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}
