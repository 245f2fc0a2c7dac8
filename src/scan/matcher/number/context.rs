//! The words before a number, which say what it is.
//!
//! Words are compared whole: `public` and `duplicate` are no `lic`. `date_of_birth`, `dateOfBirth` and `Date of birth` are
//! the same three words. How far back is looked is a matter of bytes alone, so no cutting changes what is seen.
//!
//! Numbers come close together, and what stands before one stands before the next as well: each byte is read once
//! ([`Reader`]), and what was seen before a number is remembered while more bytes may make it another.

use std::collections::VecDeque;

use super::super::view::View;
use super::super::work;
use super::lexer::{Lexer, is_of_word};
use super::words::{MAX_WORD, Owners, Words};

/// How far back a word may stand that says what a checked number is.
const WIDE: u64 = 96;
/// How far back it may stand where nothing else speaks for a number.
const NEAR: u64 = 48;
/// What must be kept before a number: a word that began earlier is none, and whether one did takes two more bytes.
pub(super) const REACH: u64 = WIDE + 4;
/// Fewer digits in a row are no number that would have the words before it for itself.
const LEAST_NUMBER: usize = 4;
/// How a mark begins that a redaction left.
const MARK: &[u8] = b"[redacted:";
/// Places that are remembered. More numbers than that are not open at once.
const PLACES: usize = 24;

/// What was seen of the words before numbers.
#[derive(Debug, Default, Clone)]
pub(in crate::scan) struct Context {
    reader: Reader,
    /// The newest takes the place of the oldest.
    places: Vec<Place>,
    newest: usize,
}

/// What speaks at one place.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u64,
    /// The numbers that are spoken for from afar, and from close by.
    wide: Owners,
    near: Owners,
}

/// Reads the text before numbers.
#[derive(Debug, Default, Clone)]
struct Reader {
    /// The next byte.
    at: u64,
    lexer: Lexer,
    /// Words that were begun and may go on.
    begun: Vec<Begun>,
    /// What was read of late.
    seen: VecDeque<Seen>,
    /// Where a mark of a redaction may begin, and where one does. What was begun before it goes on behind it.
    bracket: Option<(u64, Vec<Begun>)>,
    mark: Option<(u64, Vec<Begun>)>,
}

/// The first of some words.
#[derive(Debug, Clone, Copy)]
struct Begun {
    place: u32,
    spot: Spot,
}

/// Where something stands.
#[derive(Debug, Clone, Copy)]
struct Spot {
    start: u64,
    /// Where the letters begin that it is of.
    row: u64,
    /// Where the mark begins that it stands in.
    mark: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    spot: Spot,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// A number has the words before it for itself.
    Number,
    /// Words that speak for these.
    Words(Owners),
}

impl Context {
    /// Whether a word stands before a place at all.
    pub(super) fn may_speak(&mut self, words: &Words, view: &View<'_>, start: u64) -> bool {
        let place = self.place(words, view, start);
        place.is_some_and(|place| !place.wide.is_empty())
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
        self.place(words, view, start).is_some_and(|place| {
            let owners = if is_near { &place.near } else { &place.wide };
            owners.contain(number)
        })
    }

    fn place(&mut self, words: &Words, view: &View<'_>, start: u64) -> Option<&Place> {
        // Nearly always the newest is asked for again, or one behind it.
        let newest = self.places.get(self.newest).map(|place| place.start);
        let known = match newest {
            Some(newest) if newest == start => Some(self.newest),
            Some(newest) if newest < start && start >= self.reader.at => None,
            _ => self.places.iter().position(|place| place.start == start),
        };
        if let Some(known) = known {
            return self.places.get(known);
        }
        let place = if start < self.reader.at {
            // Behind what was read already, which is not so for numbers that are looked for one after the other.
            Reader::default().place(words, view, start)
        } else {
            self.reader.place(words, view, start)
        };
        if self.places.len() < PLACES {
            self.newest = self.places.len();
            self.places.push(place);
        } else {
            self.newest = (self.newest + 1) % PLACES;
            if let Some(oldest) = self.places.get_mut(self.newest) {
                *oldest = place;
            }
        }
        self.places.get(self.newest)
    }
}

impl Reader {
    /// What speaks at a place that is not before what was read.
    fn place(&mut self, words: &Words, view: &View<'_>, start: u64) -> Place {
        self.read(words, view, start);
        let mut place = Place {
            start,
            wide: Owners::default(),
            near: Owners::default(),
        };
        let last = self.last_word(words, view, start);
        let mut all = self.seen.iter().chain(&last);
        if !all.any(|seen| matches!(seen.what, What::Words(_))) {
            return place;
        }
        let (wide, near) = (Sight::new(view, start, WIDE), Sight::new(view, start, NEAR));
        work::note(self.seen.len() as u64);
        for seen in self.seen.iter().chain(&last) {
            match seen.what {
                What::Number if near.has(seen.spot) => place.near = Owners::default(),
                What::Number => {}
                What::Words(owners) => {
                    if wide.has(seen.spot) {
                        place.wide.add(owners);
                    }
                    if near.has(seen.spot) {
                        place.near.add(owners);
                    }
                }
            }
        }
        place
    }

    /// Reads on to an offset.
    fn read(&mut self, words: &Words, view: &View<'_>, until: u64) {
        let first = until.saturating_sub(WIDE);
        let first = first.max(view.start()).max(view.barrier());
        if self.at < first {
            *self = Self {
                at: first,
                ..Self::default()
            };
            self.lexer.last = view.before(first).unwrap_or_default();
        }
        let bytes = view.slice(self.at, until);
        for (nth, byte) in bytes.iter().enumerate() {
            let next = bytes.get(nth + 1).copied();
            if next.is_none() && self.lexer.needs_next(*byte) {
                break;
            }
            self.take(words, view, *byte, next);
        }
        let is_past = |seen: &Seen| seen.spot.start < first;
        while self.seen.front().is_some_and(is_past) {
            self.seen.pop_front();
        }
    }

    fn take(&mut self, words: &Words, view: &View<'_>, byte: u8, next: Option<u8>) {
        work::note(1);
        let at = self.at;
        self.at += 1;
        let row = self.lexer.row;
        if let Some(start) = self.lexer.step(at, byte, next) {
            self.end_word(words, view.slice(start, at), start, row);
        }
        match byte {
            b'[' => self.bracket = Some((at, self.begun.clone())),
            b':' => self.begin_mark(view, at),
            b']' => self.end_mark(),
            0x80.. => self.end_unspaced(words, view, at + 1),
            _ => {}
        }
    }

    /// A word that is over.
    fn end_word(&mut self, words: &Words, text: &[u8], start: u64, row: u64) {
        let spot = Spot {
            start,
            row,
            mark: None,
        };
        let seen = &mut self.seen;
        if is_number(text) {
            seen.push_back(Seen {
                spot,
                what: What::Number,
            });
        }
        // Most words are told at a glance.
        let may_begin = words.may_begin(text);
        if self.begun.is_empty() && !may_begin {
            return;
        }
        let mut buffer = [0; MAX_WORD];
        let Some(word) = lower(text, &mut buffer) else {
            self.begun.clear();
            return;
        };
        let mut note = |begun: &Begun| {
            let owners = words.speak_at(begun.place);
            if !owners.is_empty() {
                seen.push_back(Seen {
                    spot: begun.spot,
                    what: What::Words(owners),
                });
            }
            words.go_on(begun.place)
        };
        self.begun.retain_mut(|begun| {
            let next = words.behind(begun.place, word);
            next.is_some_and(|place| {
                begun.place = place;
                note(begun)
            })
        });
        let first = may_begin.then(|| words.behind(0, word));
        if let Some(place) = first.flatten() {
            let begun = Begun { place, spot };
            if note(&begun) {
                self.begun.push(begun);
            }
        }
    }

    /// Words of a script without spaces that end here.
    fn end_unspaced(&mut self, words: &Words, view: &View<'_>, end: u64) {
        if self.lexer.word.is_none() {
            return;
        }
        let row = self.lexer.row;
        let text = view.slice(row.max(end.saturating_sub(WIDE)), end);
        let found = words.ending(text).map(|(length, owners)| Seen {
            spot: Spot {
                start: end - length,
                row,
                mark: None,
            },
            what: What::Words(owners),
        });
        self.seen.extend(found);
    }

    /// The word that goes on where the number begins, as far as that.
    fn last_word(&self, words: &Words, view: &View<'_>, start: u64) -> Vec<Seen> {
        let Some(from) = self.lexer.word else {
            return Vec::new();
        };
        let text = view.slice(from, start);
        let mut last = Self {
            begun: self.begun.clone(),
            ..Self::default()
        };
        last.end_word(words, text, from, self.lexer.row);
        last.seen.into()
    }

    /// What a redaction put there says nothing: what is redacted twice is to stay as it is.
    fn begin_mark(&mut self, view: &View<'_>, at: u64) {
        let length = MARK.len() as u64;
        let is_mark = |(start, _): &mut (u64, Vec<Begun>)| {
            *start + length == at + 1 && view.slice(*start, at + 1) == MARK
        };
        if let Some(mark) = self.bracket.take_if(is_mark) {
            self.mark = Some(mark);
        }
    }

    fn end_mark(&mut self) {
        let Some((start, before)) = self.mark.take() else {
            return;
        };
        let hide = |spot: &mut Spot| {
            if spot.start >= start {
                spot.mark = Some(start);
            }
        };
        self.seen.iter_mut().for_each(|seen| hide(&mut seen.spot));
        self.begun
            .iter_mut()
            .for_each(|begun| hide(&mut begun.spot));
        self.begun.extend(before);
    }
}

/// What is seen from where a number begins.
#[derive(Debug)]
struct Sight {
    /// The first byte.
    from: u64,
    /// What begins before is not seen: it stands in a line before the last, or in a mark whose beginning is out of sight.
    least: u64,
    /// The first byte is in the middle of a word.
    is_cut: bool,
}

impl Sight {
    fn new(view: &View<'_>, start: u64, most: u64) -> Self {
        let raw = view.seen(start.saturating_sub(most), start);
        let from = start - raw.len() as u64;
        let is_cut = raw.len() as u64 == most && view.before(from).is_some_and(is_of_word);
        let end = memchr::memchr(b']', raw);
        let mark = end.filter(|end| {
            let name = raw.get(..*end).unwrap_or_default();
            name.iter().all(|byte| is_of_mark(*byte))
        });
        let line = last_two_lines(raw, end.is_some());
        Self {
            from,
            least: from + line.max(mark.unwrap_or_default()) as u64,
            is_cut,
        }
    }

    fn has(&self, spot: Spot) -> bool {
        let is_whole = spot.row > self.from || (spot.row == self.from && !self.is_cut);
        let is_hidden = spot.mark.is_some_and(|mark| mark >= self.from);
        is_whole && !is_hidden && spot.start >= self.least
    }
}

/// Where the last line but one begins: a word may stand in the line before its number, but not before that.
fn last_two_lines(raw: &[u8], may_have_marks: bool) -> usize {
    let mut ends = memchr::memrchr_iter(b'\n', raw);
    let line = ends.nth(1).map_or(0, |end| end + 1);
    if line == 0 || !may_have_marks {
        return line;
    }
    // An end of a line in a mark is none.
    let (mut ends, mut mark) = (Vec::new(), None);
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            b'\n' => ends.push(at),
            b']' => {
                if let Some(start) = mark.take() {
                    ends.retain(|end| *end < start);
                }
            }
            b'[' if raw.get(at..).is_some_and(|rest| rest.starts_with(MARK)) => mark = Some(at),
            _ => {}
        }
    }
    ends.iter().nth_back(1).map_or(0, |end| end + 1)
}

const fn is_of_mark(byte: u8) -> bool {
    is_of_word(byte) || matches!(byte, b'.' | b'-' | b':')
}

/// Whether a word is a number that has the words before it for itself.
fn is_number(word: &[u8]) -> bool {
    word.len() >= LEAST_NUMBER && word.iter().all(u8::is_ascii_digit)
}

/// A word in small letters.
fn lower<'a>(word: &[u8], buffer: &'a mut [u8; MAX_WORD]) -> Option<&'a [u8]> {
    let lower = buffer.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(lower)
}

#[cfg(test)]
mod tests;
