//! The words that say what a number is, to be compared with those of a text one by one.

use hashbrown::HashMap;

use super::super::bits::Bits;
use super::lexer::Lexer;

/// Longer words say nothing.
pub(super) const MAX_WORD: usize = 64;

/// Words, by which number they speak for.
#[derive(Debug)]
pub(super) struct Words {
    /// What may follow each other; the first begins.
    places: Vec<Place>,
    /// The first two bytes of those that begin, so that nearly all others are told at a glance.
    pairs: Bits,
    /// Words of a script without spaces, which stand in longer words, by their last bytes.
    unspaced: HashMap<[u8; UNSPACED], Vec<Unspaced>, foldhash::fast::FixedState>,
}

/// Behind some words.
#[derive(Debug, Default)]
struct Place {
    next: HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>,
    /// For which numbers those speak.
    speaks: Owners,
}

#[derive(Debug)]
struct Unspaced {
    text: Box<[u8]>,
    speaks: Owners,
}

/// Numbers, each a bit.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owners([u64; Self::WORDS]);

/// One character of a script without spaces.
const UNSPACED: usize = 3;

impl Owners {
    const WORDS: usize = 4;
    fn insert(&mut self, number: u16) {
        if let Some(word) = self.0.get_mut(usize::from(number) / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub(super) fn contain(&self, number: u16) -> bool {
        let word = self.0.get(usize::from(number) / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    pub(super) fn add(&mut self, others: Self) {
        for (word, other) in self.0.iter_mut().zip(others.0) {
            *word |= other;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Words {
    pub(super) fn new<'a>(words: impl Iterator<Item = (u16, &'a str)>) -> Option<Self> {
        let mut all = Self {
            places: vec![Place::default()],
            pairs: Bits::default(),
            unspaced: HashMap::default(),
        };
        let mut any = false;
        for (owner, word) in words {
            any = true;
            if word.bytes().next().is_some_and(|first| first >= 0xE0) {
                all.add_unspaced(owner, word.as_bytes());
            } else {
                all.add(owner, word.as_bytes());
            }
        }
        any.then_some(all)
    }

    /// The place behind one more word, if any words go on so. They begin at place 0.
    pub(super) fn behind(&self, place: u32, word: &[u8]) -> Option<u32> {
        let place = self.places.get(usize::try_from(place).ok()?)?;
        place.next.get(word).copied()
    }

    /// Whether any words may begin with this one, in letters of either case.
    pub(super) fn may_begin(&self, word: &[u8]) -> bool {
        self.pairs.contain(pair(word))
    }

    /// Whether words go on behind a place.
    pub(super) fn go_on(&self, place: u32) -> bool {
        self.place(place)
            .is_some_and(|place| !place.next.is_empty())
    }

    /// For which numbers the words before a place speak.
    pub(super) fn speak_at(&self, place: u32) -> Owners {
        self.place(place)
            .map(|place| place.speaks)
            .unwrap_or_default()
    }

    /// The words of a script without spaces that end with a text: how long they are, and for which numbers they speak.
    pub(super) fn ending<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (u64, Owners)> + 'a {
        let alike = text.last_chunk().and_then(|last| self.unspaced.get(last));
        let words = alike.into_iter().flatten();
        words
            .filter(|word| text.ends_with(&word.text))
            .map(|word| (word.text.len() as u64, word.speaks))
    }

    fn place(&self, place: u32) -> Option<&Place> {
        self.places.get(usize::try_from(place).ok()?)
    }

    fn add(&mut self, owner: u16, text: &[u8]) {
        let words = words_of(text);
        if let Some(first) = words.first() {
            self.pairs.insert(pair(first));
        }
        let mut place = 0;
        for word in words {
            let new = self.places.len();
            let Some(here) = self.places.get_mut(place) else {
                return;
            };
            let next = *here
                .next
                .entry(word.into_boxed_slice())
                .or_insert(u32::try_from(new).unwrap_or(u32::MAX));
            place = usize::try_from(next).unwrap_or(usize::MAX);
            if place == new {
                self.places.push(Place::default());
            }
        }
        if let Some(last) = self.places.get_mut(place) {
            last.speaks.insert(owner);
        }
    }

    fn add_unspaced(&mut self, owner: u16, text: &[u8]) {
        let Some(last) = text.last_chunk() else {
            return;
        };
        let alike = self.unspaced.entry(*last).or_default();
        match alike.iter_mut().find(|word| &*word.text == text) {
            Some(word) => word.speaks.insert(owner),
            None => {
                let mut speaks = Owners::default();
                speaks.insert(owner);
                alike.push(Unspaced {
                    text: Box::from(text),
                    speaks,
                });
            }
        }
    }
}

/// The words of a text, in small letters.
fn words_of(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lexer = Lexer::default();
    let mut words = Vec::new();
    let word = |start: u64, end: usize| {
        let start = usize::try_from(start).unwrap_or_default();
        text.get(start..end)
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    for (at, byte) in text.iter().enumerate() {
        let next = text.get(at + 1).copied();
        if let Some(start) = lexer.step(at as u64, *byte, next) {
            words.push(word(start, at));
        }
    }
    words.extend(lexer.word.map(|start| word(start, text.len())));
    words
}

/// The first two bytes of a word as a number.
fn pair(word: &[u8]) -> u16 {
    match word {
        [one, two, ..] => u16::from_le_bytes([one.to_ascii_lowercase(), two.to_ascii_lowercase()]),
        [one] => u16::from_le_bytes([one.to_ascii_lowercase(), b' ']),
        [] => 0,
    }
}

impl Words {
    /// Whether a name holds any of the words.
    pub(super) fn tell(&self, name: &[u8]) -> bool {
        let mut places: Vec<u32> = Vec::new();
        let has_spaced = words_of(name).iter().any(|word| {
            let next = places.iter().chain([&0]);
            places = next.filter_map(|place| self.behind(*place, word)).collect();
            places.iter().any(|place| !self.speak_at(*place).is_empty())
        });
        has_spaced
            || (1..=name.len()).any(|end| {
                let text = name.get(..end).unwrap_or_default();
                self.ending(text).next().is_some()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::matcher::kind::Shape;
    use crate::scan::packs;

    #[test]
    fn there_is_a_bit_for_each_number() {
        let numbers = packs::kinds().filter(|kind| matches!(kind.shape, Shape::Number(_)));
        assert!(numbers.count() <= Owners::WORDS * 64);
    }
}
