//! Where a pattern may begin, told by the first four bytes.

use std::ops::Range;

use regex_automata::dfa::Automaton;
use regex_automata::util::primitives::StateID;

use super::super::bits::Bits;
use super::pattern::Pattern;

/// So many bytes are looked at.
const BYTES: usize = 4;

/// Filters places by which no pattern begins. What passes is begun, and may end soon.
pub(super) struct Beginnings {
    /// The pairs of bytes that any pattern may begin with.
    pairs: Bits,
    /// By place, byte and then 64 patterns at a time: a bit for each that may have it there.
    tables: Vec<u64>,
    /// How many times 64 patterns there are.
    words: usize,
}

impl Beginnings {
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern> + Clone) -> Self {
        let words = patterns.clone().count().div_ceil(64);
        let mut beginnings = Self {
            pairs: Bits::default(),
            tables: vec![0; BYTES * 256 * words],
            words,
        };
        for (rule, pattern) in patterns.enumerate() {
            beginnings.add(rule, pattern);
        }
        beginnings
    }

    /// Calls for each place of the range, and each pattern that may begin there. What is not there yet may be anything.
    #[inline]
    pub(super) fn each(
        &self,
        text: &[u8],
        places: Range<usize>,
        mut call: impl FnMut(usize, usize),
    ) {
        let rest = text.get(places.clone()).unwrap_or_default();
        for at in (places.start..).take(rest.len()) {
            let Some(next) = text.get(at..text.len().min(at + BYTES)) else {
                return;
            };
            if let &[one, two, ..] = next
                && !self.pairs.contain(u16::from_le_bytes([one, two]))
            {
                continue;
            }
            for word in 0..self.words {
                let mut rules = !0;
                for (place, byte) in next.iter().enumerate() {
                    rules &= self.rules(place, *byte, word);
                }
                while rules != 0 {
                    call(at, word * 64 + rules.trailing_zeros() as usize);
                    rules &= rules - 1;
                }
            }
        }
    }

    #[inline]
    fn rules(&self, place: usize, byte: u8, word: usize) -> u64 {
        let index = (place * 256 + usize::from(byte)) * self.words + word;
        self.tables.get(index).copied().unwrap_or_default()
    }

    fn add(&mut self, rule: usize, pattern: &Pattern) {
        let whole = pattern.whole();
        let mut states = pattern.beginnings();
        for place in 0..BYTES {
            // Behind the shortest match anything may stand.
            if place >= pattern.least() {
                (0..=u8::MAX).for_each(|byte| self.allow(rule, place, byte));
                continue;
            }
            let mut next = Vec::new();
            for byte in 0..=u8::MAX {
                let after = after(whole, &states, byte);
                if after.is_empty() {
                    continue;
                }
                self.allow(rule, place, byte);
                if place == 0 {
                    for second in 0..=u8::MAX {
                        if after.iter().any(|state| lives(whole, *state, second)) {
                            self.pairs.insert(u16::from_le_bytes([byte, second]));
                        }
                    }
                }
                next.extend(after);
            }
            next.sort_unstable();
            next.dedup();
            states = next;
        }
    }

    fn allow(&mut self, rule: usize, place: usize, byte: u8) {
        let index = (place * 256 + usize::from(byte)) * self.words + rule / 64;
        if let Some(word) = self.tables.get_mut(index) {
            *word |= 1 << (rule % 64);
        }
    }
}

/// The states in which a byte leaves these, but for the one that leads nowhere.
fn after(automaton: &impl Automaton, states: &[StateID], byte: u8) -> Vec<StateID> {
    let next = states
        .iter()
        .map(|state| automaton.next_state(*state, byte));
    let mut next: Vec<_> = next
        .filter(|state| !automaton.is_dead_state(*state))
        .collect();
    next.sort_unstable();
    next.dedup();
    next
}

fn lives(automaton: &impl Automaton, state: StateID, byte: u8) -> bool {
    !automaton.is_dead_state(automaton.next_state(state, byte))
}

impl std::fmt::Debug for Beginnings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beginnings")
    }
}
