//! Exact values: names of clients, numbers of accounts, whatever another tenant's data is, as keyed hashes.
//!
//! A text is read word by word. A word that begins a value waits, with the words behind it, until it is known whether
//! they are the value; a word that is not over waits, because it may become one. Which words begin a value is told by
//! one hash for each word; what follows is looked at only then.

mod file;

use std::sync::Arc;

pub use self::file::DictionaryError;
use super::super::detectors::Detectors;
use super::Matcher;
use super::view::View;
use crate::model::{LeakAction, Severity};

/// The most words of a value.
const MAX_WORDS: usize = 8;
/// The longest word of one, in bytes.
const MAX_WORD_BYTES: usize = 64;
/// So much may stand between two words of a value: blanks, and marks such as dots and dashes.
const MAX_GAP: u64 = 8;
/// How many bits each word has in the table of first words, at least.
const BITS_PER_VALUE: usize = 16;

/// A detector that looks for the values of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As the policy calls it.
    pub name: Box<str>,
    /// The values.
    pub dictionary: Arc<Dictionary>,
    /// What is done with a finding, unless `Config::actions` names it.
    pub action: LeakAction,
    /// How bad a finding is.
    pub severity: Severity,
}

/// Values as keyed hashes.
#[derive(PartialEq, Eq)]
pub struct Dictionary {
    key: [u8; 32],
    /// The most words of any.
    words: usize,
    /// Sorted.
    hashes: Box<[u64]>,
    /// A bit for the hash of each first word.
    first: Box<[u64]>,
    /// The first words, sorted.
    firsts: Box<[u64]>,
}

/// The dictionaries that are looked for.
#[derive(Debug)]
pub(in crate::scan) struct Dictionaries(Vec<(u16, Arc<Dictionary>, bool)>);

/// How the words from one place on fit.
enum Fit {
    No,
    /// More bytes may make it a value.
    Open,
    To(u64),
}

/// A hash of the words of a value, and of its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Of the first word.
    pub first: u64,
    /// Of all.
    pub value: u64,
}

impl Entry {
    /// The entry of a value, and how many words it has. None where it has no word, too many, or one that is too long.
    pub fn of(key: &[u8; 32], value: &str) -> Option<(Self, usize)> {
        let words: Vec<&[u8]> = words(value.as_bytes()).collect();
        let fits = (1..=MAX_WORDS).contains(&words.len())
            && words.iter().all(|word| word.len() <= MAX_WORD_BYTES);
        let (first, _) = words.split_first().filter(|_| fits)?;
        let mut all = Vec::new();
        for word in &words {
            append(&mut all, word);
        }
        let mut alone = Vec::new();
        append(&mut alone, first);
        let entry = Self {
            first: hash(key, &alone),
            value: hash(key, &all),
        };
        Some((entry, words.len()))
    }
}

impl Dictionary {
    /// From entries that were made with this key; `words` is the most that a value has.
    pub fn new(key: [u8; 32], words: usize, entries: &[Entry]) -> Self {
        let sorted = |hashes: &mut dyn Iterator<Item = u64>| {
            let mut hashes: Vec<u64> = hashes.collect();
            hashes.sort_unstable();
            hashes.dedup();
            hashes.into_boxed_slice()
        };
        let firsts = sorted(&mut entries.iter().map(|entry| entry.first));
        let bits = (firsts.len() * BITS_PER_VALUE).next_power_of_two().max(64);
        let mut first = vec![0; bits / 64];
        for hash in &firsts {
            let (word, bit) = place(*hash, first.len());
            if let Some(word) = first.get_mut(word) {
                *word |= bit;
            }
        }
        Self {
            key,
            words: words.min(MAX_WORDS),
            hashes: sorted(&mut entries.iter().map(|entry| entry.value)),
            first: first.into(),
            firsts,
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn begins(&self, word: &[u8]) -> bool {
        let hash = hash(&self.key, word);
        let (index, bit) = place(hash, self.first.len());
        self.first.get(index).is_some_and(|word| word & bit != 0)
            && self.firsts.binary_search(&hash).is_ok()
    }

    /// How far the longest value goes that begins with the word from `start` to `end`.
    fn fit(&self, view: &View<'_>, start: u64, end: u64) -> Fit {
        let mut text = Vec::new();
        append(&mut text, view.slice(start, end));
        if !self.begins(&text) {
            return Fit::No;
        }
        let (mut at, mut longest) = (end, None);
        for count in 1..=self.words {
            if self.hashes.binary_search(&hash(&self.key, &text)).is_ok() {
                longest = Some(at);
            }
            if count == self.words {
                break;
            }
            let gap = length(view, at, MAX_GAP + 1, |byte| !is_word(byte));
            if gap > MAX_GAP {
                break;
            }
            let from = at + gap;
            let word = length(view, from, MAX_WORD_BYTES as u64 + 1, is_word);
            if from + word == view.end() && !view.ended() && word <= MAX_WORD_BYTES as u64 {
                return Fit::Open;
            }
            if word == 0 || word > MAX_WORD_BYTES as u64 {
                break;
            }
            at = from + word;
            append(&mut text, view.slice(from, at));
        }
        longest.map_or(Fit::No, Fit::To)
    }
}

impl Dictionaries {
    /// None if there is nothing to look for.
    pub(in crate::scan) fn compile<'a>(
        listed: impl Iterator<Item = (u16, &'a Listed, bool)>,
    ) -> Option<Self> {
        let all: Vec<_> = listed
            .map(|(armed, listed, holds)| (armed, Arc::clone(&listed.dictionary), holds))
            .collect();
        (!all.is_empty()).then_some(Self(all))
    }

    /// Whether a text that stands whole may hold a value.
    pub(in crate::scan) fn may_be_in(&self, text: &[u8]) -> bool {
        let mut lower = Vec::new();
        words(text).any(|word| {
            lower.clear();
            append(&mut lower, word);
            word.len() <= MAX_WORD_BYTES && self.0.iter().any(|(_, it, _)| it.begins(&lower))
        })
    }

    fn hold(&self) -> bool {
        self.0.iter().any(|(_, _, holds)| *holds)
    }
}

impl Matcher {
    /// Looks for values in the words up to `until` that were not looked at before.
    pub(super) fn look_up(&mut self, detectors: &Detectors, view: &View<'_>, until: u64) {
        let Some(dictionaries) = detectors.dictionaries() else {
            return;
        };
        let view = view.until(until);
        let mut at = self.looked_up.max(self.barrier).max(view.start());
        self.word_hold = None;
        // The rest of a word that was too long before it ended.
        if view.before(at).is_some_and(is_word) {
            at += length(&view, at, u64::MAX, is_word);
        }
        loop {
            at += length(&view, at, u64::MAX, |byte| !is_word(byte));
            let word = length(&view, at, MAX_WORD_BYTES as u64 + 1, is_word);
            let end = at + word;
            if word == 0 {
                break;
            }
            if word > MAX_WORD_BYTES as u64 {
                at = end + length(&view, end, u64::MAX, is_word);
                continue;
            }
            if end == view.end() && !view.ended() {
                self.word_hold = dictionaries.hold().then_some(at);
                break;
            }
            let (mut next, mut is_open) = (end, false);
            let mut found = Vec::new();
            for (index, dictionary, holds) in &dictionaries.0 {
                match dictionary.fit(&view, at, end) {
                    Fit::No => {}
                    Fit::Open => {
                        is_open = true;
                        if *holds {
                            self.word_hold = Some(at);
                        }
                    }
                    Fit::To(end) => {
                        next = next.max(end);
                        found.push((*index, at, end));
                    }
                }
            }
            if is_open {
                // All are asked again when more is there.
                if found.iter().any(|(index, ..)| detectors.holds(*index)) {
                    self.word_hold = Some(at);
                }
                break;
            }
            for (index, start, end) in found {
                if let Some(armed) = detectors.armed(index) {
                    let body = view.slice(start, end);
                    self.found
                        .push(armed.found("", start, end, body, detectors.config()));
                }
            }
            at = next;
        }
        self.looked_up = at;
    }

    /// What waits is all that comes for now: what it is already is found, and the rest goes.
    pub(super) fn give_up_words(&mut self, detectors: &Detectors) {
        if self.word_hold.is_some() {
            let kept = std::mem::take(&mut self.kept);
            let base = self.position - kept.len() as u64;
            let view = View::new(&kept, base, self.barrier, true);
            self.look_up(detectors, &view, self.position);
            self.kept = kept;
        }
    }

    /// From where on bytes must be kept for the words that come: a byte more says whether one begins there.
    pub(super) fn words_need(&self, detectors: &Detectors) -> Option<u64> {
        let need = self.looked_up.saturating_sub(1);
        detectors.dictionaries().map(|_| need)
    }
}

/// In small letters, behind a blank if something stands before.
fn append(text: &mut Vec<u8>, word: &[u8]) {
    if !text.is_empty() {
        text.push(b' ');
    }
    if word.is_ascii() {
        text.extend(word.iter().map(u8::to_ascii_lowercase));
    } else {
        let lower = String::from_utf8_lossy(word).to_lowercase();
        text.extend_from_slice(lower.as_bytes());
    }
}

/// Letters and digits. All that is beyond ASCII is taken for letters.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_word(*byte))
        .filter(|word| !word.is_empty())
}

/// How many bytes of a kind stand from `at` on; counts no further than `most`.
fn length(view: &View<'_>, at: u64, most: u64, is_one: impl Fn(u8) -> bool) -> u64 {
    let bytes = view.slice(at, at.saturating_add(most).min(view.end()));
    bytes.iter().take_while(|byte| is_one(**byte)).count() as u64
}

/// The first eight bytes of the keyed hash.
fn hash(key: &[u8; 32], text: &[u8]) -> u64 {
    let hash = blake3::keyed_hash(key, text);
    let first = hash.as_bytes().first_chunk::<8>();
    first.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Which bit of a table of so many words, a power of two.
fn place(hash: u64, words: usize) -> (usize, u64) {
    let bit = usize::try_from(hash >> 8).unwrap_or(usize::MAX) & (words * 64 - 1);
    (bit / 64, 1 << (bit % 64))
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dictionary({} values)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::scan::matcher::Hit;
    use crate::scan::{Config, Hold};

    const VALUES: [&str; 5] = ["Acme Corp", "Acme", "GLOBEX", "Jos\u{e9} O'Neill", "ab a b"];

    fn detectors(action: LeakAction) -> Detectors {
        let key = [5; 32];
        let entries = VALUES.map(|value| Entry::of(&key, value).unwrap());
        let words = entries.iter().map(|(_, words)| *words).max().unwrap();
        let entries = entries.map(|(entry, _)| entry);
        Detectors::compile(&Config {
            actions: BTreeMap::new(),
            custom: Vec::new(),
            listed: vec![Listed {
                name: "clients".into(),
                dictionary: Arc::new(Dictionary::new(key, words, &entries)),
                action,
                severity: Severity::High,
            }],
            exceptions: Vec::new(),
            hold: Hold::default(),
            buffer_bytes: 0,
            fingerprint_key: [7; 32],
        })
        .unwrap()
    }

    fn hits(detectors: &Detectors, text: &[u8], sizes: &[usize]) -> Vec<Hit> {
        let mut matcher = Matcher::default();
        let mut hits = Vec::new();
        let (mut rest, mut sizes) = (text, sizes.iter().cycle());
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
            let before = matcher.decided();
            let seen = hits.len();
            matcher.feed(detectors, &rest[..size], &mut hits);
            let is_late = |hit: &Hit| hit.action > LeakAction::Flag && hit.start < before;
            assert!(!hits.iter().skip(seen).any(is_late), "a byte had left");
            rest = &rest[size..];
        }
        matcher.finish(detectors, &mut hits);
        hits.sort_by_key(|hit| hit.start);
        hits
    }

    fn found(text: &str) -> Vec<String> {
        let detectors = detectors(LeakAction::Redact);
        let whole = hits(&detectors, text.as_bytes(), &[usize::MAX]);
        for size in 1..6 {
            assert_eq!(hits(&detectors, text.as_bytes(), &[size]), whole, "{text}");
        }
        let place = |at: u64| usize::try_from(at).unwrap();
        let slice = |hit: &Hit| text.get(place(hit.start)..place(hit.end)).unwrap();
        whole.iter().map(|hit| slice(hit).to_owned()).collect()
    }

    #[test]
    fn values_are_found_as_whole_words_whatever_their_case_and_what_stands_between() {
        let cases: [(&str, &[&str]); 7] = [
            ("for acme  corp. and Globex", &["acme  corp", "Globex"]),
            (
                "ACME-CORP, acme_corp and Acme Inc",
                &["ACME-CORP", "acme_corp", "Acme"],
            ),
            ("acmecorp, globexes, xacme", &[]),
            (
                "JOS\u{c9} O\u{2019}NEILL and jos\u{e9} o'neill",
                &["jos\u{e9} o'neill"],
            ),
            ("ab a x ab a b", &["ab a b"]),
            ("acme          corp", &["acme"]),
            ("acme", &["acme"]),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn only_what_may_become_a_value_waits() {
        let detectors = detectors(LeakAction::Redact);
        let mut matcher = Matcher::default();
        let mut hits = Vec::new();
        for (piece, waiting) in [
            ("the ", 0),
            ("ac", 2),
            ("me", 4),
            (" ", 5),
            ("co", 7),
            ("rn ", 10),
            ("x ", 0),
        ] {
            matcher.feed(&detectors, piece.as_bytes(), &mut hits);
            assert_eq!(matcher.position() - matcher.decided(), waiting, "{piece}");
        }
        assert_eq!(hits.len(), 1);
    }

    #[test]
    fn a_value_has_words_and_not_too_many() {
        let key = [1; 32];
        assert!(Entry::of(&key, " -- ").is_none());
        assert!(Entry::of(&key, "a b c d e f g h i").is_none());
        assert!(Entry::of(&key, &"x".repeat(65)).is_none());
        assert_eq!(
            Entry::of(&key, "A, b").unwrap(),
            Entry::of(&key, "a B").unwrap()
        );
        assert_ne!(
            Entry::of(&key, "ab").unwrap().0,
            Entry::of(&[2; 32], "ab").unwrap().0
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_cutting_makes_a_difference(
            parts in prop::collection::vec(prop::sample::select(vec!["acme", "Corp", " ", "-", "globex", "ab", "a", "b", "xyz", "\n", "jos\u{e9} O'", "neill"]), 0..20),
            sizes in prop::collection::vec(1_usize..12, 1..5),
        ) {
            let text = parts.concat();
            for action in [LeakAction::Flag, LeakAction::Redact] {
                let detectors = detectors(action);
                let whole = hits(&detectors, text.as_bytes(), &[usize::MAX]);
                prop_assert_eq!(hits(&detectors, text.as_bytes(), &sizes), whole, "{}", text);
            }
        }
    }
}
