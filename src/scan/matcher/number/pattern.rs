//! How a number is written: a row of sets of bytes, some of which may be left out.

use super::super::card;
use super::super::view::View;
use super::super::work;

/// A row of sets. Written as text: `d` is a digit, `u` a capital, `x` a capital or a digit, `a` a letter, `w` a letter
/// or a digit, `h` a digit of hex, `n` a character of base58, `~` a space or a dash (the same wherever it stands in one number),
/// `[...]` one of these and of ranges, `?` behind a set says that it may be missing, `{9}` repeats it. All else means itself.
#[derive(Debug)]
pub(in crate::scan) struct Pattern {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    /// A bit for each byte of ASCII.
    set: u128,
    may_be_missing: bool,
    is_separator: bool,
}

/// What a pattern may begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    /// Letters before the first digit. With a blank or a dash behind them they count as so many more than
    /// [`MAX_LETTERS`].
    pub(super) letters: usize,
    /// How many digits.
    pub(super) run: usize,
    /// What may stand behind these, a bit for each byte of ASCII. Where anything may that belongs to no word, other
    /// bytes may too, and the end of the text.
    pub(super) next: u128,
}

/// How far a pattern goes with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Nowhere.
    No,
    /// As far as can be seen.
    Open,
    /// To this end, and the text does not go on with it.
    To(u64),
}

/// Letters that may stand before the first digit of a number.
pub(super) const MAX_LETTERS: usize = 8;
/// Letters that may stand before it with a blank or a dash between. They count as so many more than the most.
pub(super) const MAX_APART: usize = 3;
/// Longer runs of digits are all alike.
pub(super) const MAX_RUN: usize = 20;

impl Pattern {
    pub(in crate::scan) fn new(text: &str) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'?' => {
                    if let Some(last) = steps.last_mut() {
                        last.may_be_missing = true;
                    }
                }
                b'{' => {
                    let count = rest.by_ref().take_while(u8::is_ascii_digit);
                    let count = count.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
                    if let Some(last) = steps.last().copied() {
                        steps.extend(std::iter::repeat_n(last, count.saturating_sub(1)));
                    }
                }
                _ => steps.push(Step {
                    set: set(byte, &mut rest),
                    may_be_missing: false,
                    is_separator: byte == b'~',
                }),
            }
        }
        Self { steps }
    }

    /// How far a text that begins at an offset is one.
    pub(super) fn fit(&self, view: &View<'_>, start: u64) -> Fit {
        let mut rest = view.slice(start, start + self.steps.len() as u64).iter();
        let mut separator = None;
        for step in &self.steps {
            work::note(1);
            let Some(byte) = rest.as_slice().first().copied() else {
                if !view.ended() {
                    return Fit::Open;
                }
                if step.may_be_missing {
                    continue;
                }
                return Fit::No;
            };
            let is_same = !step.is_separator || separator.is_none_or(|known| known == byte);
            if is_same && contains(step.set, byte) {
                rest.next();
                if step.is_separator {
                    separator = Some(byte);
                }
            } else if !step.may_be_missing {
                return Fit::No;
            }
        }
        let taken = view.slice(start, start + self.steps.len() as u64).len() - rest.len();
        let at = start + taken as u64;
        match card::continues(view, at) {
            None => Fit::Open,
            Some(true) => Fit::No,
            Some(false) => Fit::To(at),
        }
    }

    /// The bytes that it may begin with, a bit for each.
    pub(super) fn first(&self) -> u128 {
        let first = self.reached(vec![0]).into_iter();
        first
            .filter_map(|place| self.steps.get(place))
            .fold(0, |all, step| all | step.set)
    }

    /// What it may begin with. Says rather too much.
    pub(super) fn beginnings(&self) -> Vec<Beginning> {
        let mut beginnings = Vec::new();
        let mut before = self.reached(vec![0]);
        for letters in 0..=MAX_LETTERS {
            self.runs(&before, letters, &mut beginnings);
            if (1..=MAX_APART).contains(&letters) {
                let apart = self.behind(&before, SEPARATORS);
                self.runs(&apart, MAX_LETTERS + letters, &mut beginnings);
            }
            before = self.behind(&before, LETTERS);
        }
        beginnings
    }

    /// The runs of digits that may begin at these places.
    fn runs(&self, from: &[usize], letters: usize, beginnings: &mut Vec<Beginning>) {
        let mut places = self.behind(from, DIGITS);
        for run in 1.. {
            if places.is_empty() {
                break;
            }
            let next = places.iter().fold(0, |all, place| {
                let next = self.steps.get(*place);
                all | next.map_or(BEHIND, |next| next.set & !DIGITS)
            });
            if next != 0 {
                beginnings.push(Beginning {
                    letters,
                    run: run.min(MAX_RUN),
                    next,
                });
            }
            places = self.behind(&places, DIGITS);
        }
    }

    /// The places behind one byte of a set.
    fn behind(&self, places: &[usize], set: u128) -> Vec<usize> {
        let takes = |place: &&usize| {
            let step = self.steps.get(**place);
            step.is_some_and(|step| step.set & set != 0)
        };
        self.reached(places.iter().filter(takes).map(|place| place + 1).collect())
    }

    /// These places, and those that are reached from them if what may be missing is.
    fn reached(&self, mut places: Vec<usize>) -> Vec<usize> {
        let mut at = 0;
        while let Some(place) = places.get(at).copied() {
            let may_skip = self
                .steps
                .get(place)
                .is_some_and(|step| step.may_be_missing);
            if may_skip && !places.contains(&(place + 1)) {
                places.push(place + 1);
            }
            at += 1;
        }
        places.dedup();
        places
    }

    /// Whether the groups have a space between them: then a neighbouring group may belong to them.
    pub(super) fn is_spaced(&self) -> bool {
        self.steps.iter().any(|step| contains(step.set, b' '))
    }

    /// The sets of a number, one after the other, for drawing one: `true` for those that may be missing.
    pub(in crate::scan) fn sets(&self) -> impl Iterator<Item = (Vec<u8>, bool, bool)> + '_ {
        self.steps.iter().map(|step| {
            let members = (0..128_u8).filter(|byte| contains(step.set, *byte));
            (members.collect(), step.may_be_missing, step.is_separator)
        })
    }
}

/// The set that a byte of a pattern stands for.
fn set(byte: u8, rest: &mut impl Iterator<Item = u8>) -> u128 {
    match byte {
        b'd' => DIGITS,
        b'u' => CAPITALS,
        b'x' => CAPITALS | DIGITS,
        b'a' => LETTERS,
        b'w' => LETTERS | DIGITS,
        b'h' => DIGITS | range(b'a', b'f') | range(b'A', b'F'),
        b'n' => (LETTERS | DIGITS) & !members(b"0OIl"),
        b'~' => SEPARATORS,
        b'[' => {
            let listed: Vec<u8> = rest.take_while(|byte| *byte != b']').collect();
            let ranges = listed.windows(3).filter_map(|part| match part {
                [from, b'-', to] => Some(range(*from, *to)),
                _ => None,
            });
            let is_range = ranges.clone().next().is_some();
            let single = members(&listed) & if is_range { !members(b"-") } else { !0 };
            ranges.fold(single, |all, range| all | range)
        }
        _ => members(&[byte]),
    }
}

fn members(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |set, byte| set | bit(*byte))
}

/// What may stand behind a number: whatever [`card::continues`] does not take for more of it.
pub(super) const BEHIND: u128 = !(DIGITS | LETTERS | bit(b'_') | bit(b'-'));
const SEPARATORS: u128 = bit(b' ') | bit(b'-');
const DIGITS: u128 = range(b'0', b'9');
const CAPITALS: u128 = range(b'A', b'Z');
const LETTERS: u128 = CAPITALS | range(b'a', b'z');

pub(super) const fn range(from: u8, to: u8) -> u128 {
    let (mut set, mut byte) = (0, from);
    while byte <= to && byte < 128 {
        set |= bit(byte);
        byte += 1;
    }
    set
}

pub(super) const fn bit(byte: u8) -> u128 {
    if byte < 128 { 1 << byte } else { 0 }
}

pub(super) const fn contains(set: u128, byte: u8) -> bool {
    set & bit(byte) != 0
}
