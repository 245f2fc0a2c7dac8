//! Which ways of writing a number may be meant by its first run of digits.

use super::pattern::{self, Beginning, MAX_APART, MAX_LETTERS, MAX_RUN};
use super::{Fits, Needs};
use crate::scan::matcher::view::View;

/// Ways of writing, by what they begin with.
#[derive(Debug)]
pub(super) struct Beginnings {
    slots: Vec<Slot>,
    /// Those that may begin with letters, by the first of them.
    with_letters: Vec<Vec<u16>>,
}

/// The ways of writing that begin alike: with so many letters before the first digits, so many of these, and the same
/// [`class`] of byte behind them; or with so many of these or more, of which none is the last yet ([`OPEN`]).
#[derive(Debug, Default, Clone)]
pub(super) struct Slot {
    /// Those that need no word before them.
    pub(super) free: Vec<u16>,
    /// Those that do.
    pub(super) told: Vec<u16>,
}

impl Beginnings {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![Slot::default(); place(MAX_LETTERS + MAX_APART + 1, 0, 0)],
            with_letters: vec![Vec::new(); 128],
        }
    }

    /// Files a way of writing under all that it may begin with.
    pub(super) fn add(&mut self, index: u16, fits: &Fits, needs: Needs) {
        let beginnings = fits.beginnings();
        if beginnings.iter().any(|beginning| beginning.letters > 0) {
            let first = fits.first();
            for (byte, forms) in (0..).zip(&mut self.with_letters) {
                if pattern::contains(first, byte) && byte.is_ascii_alphabetic() {
                    forms.push(index);
                }
            }
        }
        for Beginning { letters, run, next } in beginnings {
            let classes = (0..OPEN).filter(|class| next & members(*class) != 0);
            let complete = classes.map(|class| place(letters, run, class));
            let open = (1..=run).map(|run| place(letters, run, OPEN));
            for place in complete.chain(open) {
                let Some(slot) = self.slots.get_mut(place) else {
                    continue;
                };
                let forms = match needs {
                    Needs::Nothing => &mut slot.free,
                    Needs::Close | Needs::Word => &mut slot.told,
                };
                if forms.last() != Some(&index) {
                    forms.push(index);
                }
            }
        }
    }

    /// Those that may be meant by so many letters and digits, of which the last stands before `end`.
    pub(super) fn of(
        &self,
        letters: usize,
        digits: usize,
        view: &View<'_>,
        end: u64,
    ) -> Option<&Slot> {
        let class = match view.at(end) {
            Some(byte) => class(byte),
            None if view.ended() => OTHER,
            // There may be more of them.
            None => OPEN,
        };
        self.slots.get(place(letters, digits, class))
    }

    /// Those that may begin with this letter.
    pub(super) fn with_letter(&self, first: u8) -> &[u16] {
        let forms = self.with_letters.get(usize::from(first));
        forms.map(Vec::as_slice).unwrap_or_default()
    }
}

const fn place(letters: usize, run: usize, class: usize) -> usize {
    (letters * (MAX_RUN + 1) + run) * CLASSES + class
}

/// Bytes that are told apart behind the first digits: each of these alone, letters, and all others.
const TOLD_APART: [u8; 8] = *b" -./:(),";
const LETTER: usize = TOLD_APART.len();
const OTHER: usize = LETTER + 1;
/// Nothing stands there yet.
const OPEN: usize = OTHER + 1;
const CLASSES: usize = OPEN + 1;

fn class(byte: u8) -> usize {
    if byte.is_ascii_alphabetic() {
        return LETTER;
    }
    let apart = TOLD_APART.iter().position(|it| *it == byte);
    apart.unwrap_or(OTHER)
}

/// The bytes of ASCII in a class, a bit for each.
fn members(wanted: usize) -> u128 {
    let members = (0..128).filter(|byte| class(*byte) == wanted);
    members.fold(0, |all, byte| all | pattern::bit(byte))
}
