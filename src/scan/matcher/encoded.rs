//! Text inside of base64: a long run of its letters that begins as text is decoded and read by a matcher of its own.
//!
//! A run is looked at from its first letter on, and behind each of its marks (`/`, `-`), since the path before a
//! value may be of the same letters. What does not begin with six bytes of text is none. What is found counts once
//! the run is long enough; until then it waits, so that no cutting of the text makes a difference.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton as _;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use bytes::Bytes;

use super::super::detectors::Detectors;
use super::set::Set;
use super::settle::Found;
use super::swallow::Swallow;
use super::view::View;
use super::work;
use super::{Hit, Matcher, Part};

/// Shorter runs hold no secret: the shortest key has 16 bytes.
pub(super) const MIN_RUN: u64 = 24;

/// So much of what was decoded has to be text.
const TEXT_BYTES: usize = 6;

/// A line of wrapped base64 has so many letters. What stands in a longer one and goes on in the next is another run.
pub(super) const LINES: RangeInclusive<u64> = 60..=128;

/// Base64 in base64 in base64 is not read.
const MAX_DEPTH: u8 = 2;

/// What is decoded at a time.
const BLOCK: usize = 4096;

/// A run that is being read.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    inner: Matcher,
    /// Where it begins, and the next letter.
    begin: u64,
    at: u64,
    /// Letters in this line, and where what may be a break of lines begins.
    line: u64,
    break_at: Option<u64>,
    /// Letters of the group that is not complete.
    group: [u8; 4],
    filled: usize,
    /// Where lines begin: (decoded, text), both at the beginning of a group.
    lines: VecDeque<(u64, u64)>,
    /// Decoded bytes from `kept_from` on, as far back as a hit may begin.
    kept: Vec<u8>,
    kept_from: u64,
    /// What was found in a run that is not long enough yet.
    early: Vec<Found>,
    /// A long secret, which takes the rest of the run with it.
    swallowed: Option<Found>,
    /// Up to where groups are replaced by those of hits.
    replaced_to: u64,
    /// Whether the second group is held from its first letter on, because of what stands in the first.
    holds_second: bool,
    /// Whether letters are held that tell a digit, and those that are of a word.
    holds_digits: bool,
    holds_words: bool,
    is_url: bool,
    is_over: bool,
    /// It does not begin as text.
    is_dead: bool,
}

impl Encoded {
    fn new(depth: u8, begin: u64) -> Self {
        Self {
            inner: Matcher {
                depth: depth + 1,
                ..Matcher::default()
            },
            begin,
            at: begin,
            line: 0,
            break_at: None,
            group: [0; 4],
            filled: 0,
            lines: VecDeque::from([(0, begin)]),
            kept: Vec::new(),
            kept_from: 0,
            early: Vec::new(),
            swallowed: None,
            replaced_to: 0,
            holds_second: false,
            holds_digits: false,
            holds_words: false,
            is_url: false,
            is_over: false,
            is_dead: false,
        }
    }

    /// Goes on over what can be seen.
    fn advance(&mut self, detectors: &Detectors, view: &View<'_>, found: &mut Vec<Found>) {
        let mut decoded = Vec::new();
        self.holds_digits = detectors.holds_digits();
        self.holds_words = detectors
            .email()
            .is_some_and(|email| detectors.holds(email));
        while !self.is_over && !self.is_dead && self.at < view.end() {
            let before = self.at;
            decoded.clear();
            // The first group alone: what is known behind it says what of the second may leave.
            let is_first = self.kept.is_empty() && self.kept_from == 0;
            self.decode(view, if is_first { 1 } else { BLOCK }, &mut decoded);
            self.kept.extend_from_slice(&decoded);
            if self.judge_beginning(false) {
                self.read(detectors, &decoded, found);
            }
            if is_first && !decoded.is_empty() {
                self.holds_second = self.is_under_way(detectors);
            }
            if self.at == before {
                break;
            }
        }
        if (self.is_over || view.ended()) && !self.is_dead {
            self.end(detectors, found);
        }
    }

    /// Whether it is text so far; decided once six bytes are there, or the run is over.
    fn judge_beginning(&mut self, is_over: bool) -> bool {
        if self.kept_from > 0 {
            return !self.is_dead;
        }
        let first = self.kept.get(..self.kept.len().min(TEXT_BYTES));
        // Where more follows, a letter of several bytes may be cut in two.
        let is_whole = is_over && self.kept.len() <= TEXT_BYTES;
        self.is_dead |= !is_text(first.unwrap_or_default(), is_whole);
        !self.is_dead
    }

    /// Some letters more, as whole groups.
    fn decode(&mut self, view: &View<'_>, most: usize, decoded: &mut Vec<u8>) {
        while decoded.len() < most
            && let Some(byte) = view.at(self.at)
        {
            work::note(1);
            let Some(value) = value(byte) else {
                if !self.goes_on_behind(byte) {
                    self.is_over = true;
                    return;
                }
                self.at += 1;
                continue;
            };
            if self.break_at.take().is_some() {
                self.line = 0;
                self.lines.push_back((
                    self.kept_from + (self.kept.len() + decoded.len()) as u64,
                    self.at - self.filled as u64,
                ));
            }
            self.is_url |= matches!(byte, b'-' | b'_');
            self.line += 1;
            self.at += 1;
            if let Some(slot) = self.group.get_mut(self.filled) {
                *slot = value;
            }
            self.filled += 1;
            if self.filled == 4 {
                self.filled = 0;
                decoded.extend_from_slice(&bytes(self.group));
            }
        }
    }

    /// Whether a byte that is none of the letters may stand between two lines of them.
    fn goes_on_behind(&mut self, byte: u8) -> bool {
        let is_break =
            matches!(byte, b'\r' | b'\n') && LINES.contains(&self.line) && self.filled == 0;
        let is_indent = byte == b' ' || is_break;
        match self.break_at {
            None if is_break => {
                self.break_at = Some(self.at);
                true
            }
            Some(at) => is_indent && self.at - at < 20,
            None => false,
        }
    }

    fn read(&mut self, detectors: &Detectors, decoded: &[u8], found: &mut Vec<Found>) {
        let mut hits = Vec::new();
        self.inner.feed(detectors, decoded, &mut hits);
        self.deliver(hits, found);
        let needed = self.inner.decided().min(self.inner.remembers_from());
        // A group more, so that what stands before a hit in its group is there.
        let needed = (needed / 3 * 3).saturating_sub(3);
        if needed > self.kept_from && needed >= TEXT_BYTES as u64 {
            let gone = usize::try_from(needed - self.kept_from).unwrap_or_default();
            self.kept.drain(..gone.min(self.kept.len()));
            self.kept_from = needed;
            while self.lines.get(1).is_some_and(|(at, _)| *at <= needed) {
                self.lines.pop_front();
            }
        }
    }

    /// The run is over: what is left of a group says one or two bytes more.
    fn end(&mut self, detectors: &Detectors, found: &mut Vec<Found>) {
        self.is_over = true;
        let last = bytes(std::mem::take(&mut self.group));
        let last = last
            .get(..self.filled.saturating_sub(1))
            .unwrap_or_default();
        self.kept.extend_from_slice(last);
        if !self.judge_beginning(true) {
            return;
        }
        let mut hits = Vec::new();
        self.inner.feed(detectors, last, &mut hits);
        self.inner.finish(detectors, &mut hits);
        self.deliver(hits, found);
        if !self.is_long() {
            self.early.clear();
        }
    }

    const fn is_long(&self) -> bool {
        self.at - self.begin >= MIN_RUN
    }

    fn deliver(&mut self, hits: Vec<Hit>, found: &mut Vec<Found>) {
        for hit in hits {
            match hit.part {
                // What goes with the rest of the run.
                _ if self.swallowed.is_some() => {}
                Part::Whole | Part::Begin if hit.is_long => self.swallowed = self.outer(hit),
                Part::Whole => self.early.extend(self.outer(hit)),
                Part::Begin | Part::Continue | Part::End => {}
            }
        }
        if self.is_long() {
            let ends = self.early.iter().map(|found| found.end);
            self.replaced_to = ends.fold(self.replaced_to, u64::max);
            found.append(&mut self.early);
        }
    }

    /// A hit in what was decoded, as found in the text. Whole groups are replaced, by ones that decode to the mark and
    /// to what else stood in them. Behind a long secret nothing is kept.
    fn outer(&self, hit: Hit) -> Option<Found> {
        let mut finding = hit.finding?;
        let total = self.kept_from + self.kept.len() as u64;
        let start = hit.start / 3 * 3;
        let is_whole = !hit.is_long;
        let end = if is_whole {
            (hit.end.div_ceil(3) * 3).min(total)
        } else {
            total
        };
        let begin = self.place(start);
        // Letters of the group that may have left tell whole bytes, and the upper bits of one more.
        let left = self.may_have_left(start);
        let mut instead = self.decoded(start, hit.start).to_vec();
        if let Some(told) = left.checked_sub(1).filter(|told| instead.len() <= *told) {
            let partial = start + told as u64;
            instead = self.decoded(start, partial).to_vec();
            let told = u8::MAX << (2 * left);
            let partial = self.decoded(partial, partial + 1).first();
            instead.extend(partial.map(|byte| (byte & told).max(b' ')));
        }
        instead.extend_from_slice(hit.instead.as_deref().unwrap_or(hit.mark.as_bytes()));
        let (after, replaced) = if is_whole {
            (self.decoded(hit.end, end), (end - start) % 3)
        } else {
            (&[][..], 0)
        };
        while (instead.len() + after.len()) as u64 % 3 != replaced {
            instead.push(b' ');
        }
        instead.extend_from_slice(after);
        let alphabet = if self.is_url { &URL_SAFE } else { &STANDARD };
        let mut instead = GeneralPurpose::new(alphabet, NO_PAD).encode(instead);
        instead.drain(..left.min(instead.len()));
        finding.offset = begin;
        Some(Found {
            start: begin + left as u64,
            anchor: begin,
            end: self.end_of(end),
            mark: hit.mark,
            instead: Some(Bytes::from(instead)),
            is_generic: false,
            is_long: hit.is_long,
            finding,
        })
    }

    fn decoded(&self, start: u64, end: u64) -> &[u8] {
        let at = |offset: u64| {
            usize::try_from(offset.saturating_sub(self.kept_from)).unwrap_or(usize::MAX)
        };
        self.kept.get(at(start)..at(end)).unwrap_or_default()
    }

    /// Where the group of a decoded byte begins in the text.
    fn place(&self, decoded: u64) -> u64 {
        let line = self.lines.iter().rev().find(|(at, _)| *at <= decoded);
        let (at, text) = line
            .or_else(|| self.lines.front())
            .copied()
            .unwrap_or((0, self.begin));
        text + decoded.saturating_sub(at) / 3 * 4
    }

    /// Behind the letters of all bytes before `decoded`.
    fn end_of(&self, decoded: u64) -> u64 {
        let Some(last) = decoded.checked_sub(1) else {
            return self.begin;
        };
        let letters = match decoded % 3 {
            0 => 4,
            some => some + 1,
        };
        self.place(last) + letters
    }

    /// As [`Matcher::give_up`].
    pub(super) fn give_up(&mut self, detectors: &Detectors, found: &mut Vec<Found>) {
        let mut hits = Vec::new();
        self.inner.give_up(detectors, &mut hits);
        self.deliver(hits, found);
        found.append(&mut self.early);
    }

    /// As [`Matcher::is_anchored`].
    pub(super) fn is_anchored(&self, detectors: &Detectors) -> bool {
        !self.early.is_empty() || self.swallowed.is_some() || self.inner.is_anchored(detectors)
    }

    /// The first letter that may yet be of something that is found.
    fn holds_from(&self, detectors: &Detectors) -> Option<u64> {
        let early = self.early.iter().chain(&self.swallowed);
        let early = early.map(|found| found.start).min();
        let is_read = !self.is_over && !self.is_dead && self.may_hold(detectors);
        let inner = is_read.then(|| {
            // The letters of a group that is not complete are replaced with it, or not at all.
            let open = self.at - self.filled as u64;
            let inner = self.place(self.inner.decided()).min(open);
            inner.max(self.replaced_to)
        });
        early.into_iter().chain(inner).min()
    }

    /// Whether something may stand here. Any word of prose begins as base64 of text might: it does not wait for
    /// more of it before that is likely, or before an anchor has begun.
    fn may_hold(&self, detectors: &Detectors) -> bool {
        let decoded = self.kept_from + self.kept.len() as u64;
        decoded >= TEXT_BYTES as u64
            || self.is_under_way(detectors)
            || (self.holds_digits && {
                let [one, two, three, _] = self.group;
                let group = match self.filled {
                    2 => [one, two, 0, 0],
                    _ => [one, two, three, 0],
                };
                tells_digit(self.kept.last().copied(), bytes(group), self.filled)
            })
    }

    /// Whether what was decoded so far may be the beginning of something.
    fn is_under_way(&self, detectors: &Detectors) -> bool {
        let inner = &self.inner;
        !inner.is_idle()
            || inner.decided() < inner.position()
            || self
                .kept
                .last()
                .is_some_and(|last| inner.is_in_anchor(detectors, *last))
    }

    /// How many letters of the group that begins here leave where the text is cut behind them. It must not matter whether it
    /// was.
    fn may_have_left(&self, start: u64) -> usize {
        let before = match start {
            0 => None,
            3 if !self.holds_second => self.decoded(2, 3).first().copied(),
            _ => return 0,
        };
        let group = self.decoded(start, start + 3);
        let group = [0, 1, 2].map(|nth| group.get(nth).copied().unwrap_or_default());
        if self.holds_words && letters_of(group).iter().all(|letter| *letter < MARKS) {
            return 0;
        }
        let leaves = |count: &usize| !(self.holds_digits && tells_digit(before, group, *count));
        (1..=3).rev().find(leaves).unwrap_or_default()
    }
}

impl Matcher {
    /// Looks for base64 in what was not looked at before.
    pub(super) fn read_encoded(&mut self, detectors: &Detectors, view: &View<'_>) {
        if self.depth >= MAX_DEPTH || self.swallow.is_some() {
            return;
        }
        let mut at = self.encoded_from.max(view.start());
        if at >= view.end() && !view.ended() {
            return;
        }
        loop {
            let mut encoded = match self.encoded.take() {
                Some(encoded) => encoded,
                None => match next_run(view, at) {
                    Ok(begin) => Box::new(Encoded::new(self.depth, begin)),
                    Err(from) => {
                        self.encoded_from = from;
                        return;
                    }
                },
            };
            encoded.advance(detectors, &view.ahead(), &mut self.found);
            at = if encoded.swallowed.is_some() && encoded.is_long() {
                match self.swallow_run(&mut encoded, view) {
                    Some(end) => end,
                    None => return,
                }
            } else if encoded.is_dead {
                next_start(view, (encoded.begin + 1).max(view.start()))
            } else if encoded.is_over || view.ended() {
                encoded.at.max(encoded.begin + 1)
            } else {
                self.encoded_from = view.end();
                self.encoded = Some(encoded);
                return;
            };
        }
    }

    /// A long secret takes the rest of its run with it, and what was found in there otherwise. Returns where the run
    /// ends, if that is seen.
    fn swallow_run(&mut self, encoded: &mut Encoded, view: &View<'_>) -> Option<u64> {
        let mut found = encoded.swallowed.take()?;
        self.found.append(&mut encoded.early);
        found.end = encoded.at;
        let start = found.start;
        let is_between = encoded.break_at.is_some();
        let mut swallow = Swallow::encoded(found, if is_between { 0 } else { encoded.line });
        let is_over = swallow.advance(&view.ahead());
        let end = swallow.found.end;
        self.found
            .retain(|other| other.start < start || other.start >= end);
        self.live
            .retain(|other| other.hold < start || other.hold >= end);
        self.drop_customs(start, end);
        if is_over {
            self.found.push(swallow.found);
            return Some(end);
        }
        self.swallow = Some(Box::new(swallow));
        None
    }

    /// Ends a run at `end`, where a secret that begins at or behind its letters is known to be a long one.
    pub(super) fn end_encoded(&mut self, detectors: &Detectors, view: &View<'_>, end: u64) {
        self.read_encoded(detectors, &view.until(end));
        if let Some(mut encoded) = self.encoded.take() {
            encoded.end(detectors, &mut self.found);
        }
    }

    /// The first byte that a run under way may yet protect.
    pub(super) fn encoded_holds_from(&self, detectors: &Detectors, view: &View<'_>) -> Option<u64> {
        let Some(encoded) = &self.encoded else {
            return self.letters_hold_from(detectors, view);
        };
        encoded
            .holds_from(detectors)
            .filter(|_| detectors.hold_anything())
    }

    /// Letters that are not a group yet, if they tell a digit of a number that may begin there.
    fn letters_hold_from(&self, detectors: &Detectors, view: &View<'_>) -> Option<u64> {
        let from = self.encoded_from;
        if view.ended()
            || from >= view.end()
            || self.depth >= MAX_DEPTH
            || !detectors.holds_digits()
        {
            return None;
        }
        let letters = view.slice(from, view.end());
        let mut group = [0; 4];
        for (slot, letter) in group.iter_mut().zip(letters) {
            *slot = value(*letter)?;
        }
        tells_digit(None, bytes(group), letters.len()).then_some(from)
    }

    /// Whether more than the last byte may be of an anchor that goes on.
    fn is_in_anchor(&self, detectors: &Detectors, last: u8) -> bool {
        let Some((anchors, _)) = detectors.anchors() else {
            return false;
        };
        let (Some(state), Ok(idle)) = (self.state, anchors.start_state(Anchored::No)) else {
            return false;
        };
        state != idle && state != anchors.next_state(Anchored::No, idle, last)
    }
}

/// Where a run begins as text that is long enough, or that reaches the end of what is seen and may be; or from where
/// on to look when more is there.
fn next_run(view: &View<'_>, from: u64) -> Result<u64, u64> {
    let end = view.end();
    let mut at = from;
    let mut row_end = from;
    loop {
        let is_inside = view
            .before(at)
            .is_some_and(|byte| value(byte).is_some() && !is_mark(byte));
        if is_inside {
            at = next_start(view, at);
        }
        // What stands behind a mark stands in the same row.
        row_end = row_end.max(at);
        row_end += letters(view.slice(row_end, end.min(at + MIN_RUN)));
        let length = row_end - at;
        let is_open = at + length == end && !view.ended();
        if length < MIN_RUN && !is_open {
            // Too short, with all that it holds.
            let rest = view.slice(at + length, end);
            let inside = match long_stretch(rest) {
                Some(inside) => at + length + inside as u64,
                None if view.ended() => return Err(end),
                None => end,
            };
            let before = view.slice(at + length, inside);
            let before = before.iter().rev();
            let before = before.take_while(|byte| value(**byte).is_some()).count();
            at = inside - before as u64;
            if at == end {
                return Err(end);
            }
        } else if length < 4 {
            return Err(at);
        } else if begins_as_text(view, at) {
            return Ok(at);
        } else {
            at = next_start(view, at + 1);
        }
    }
}

/// Whether the first two groups at a place decode to the beginning of a text, as far as they are there.
fn begins_as_text(view: &View<'_>, at: u64) -> bool {
    let (groups, _) = view.slice(at, at + 8).as_chunks::<4>();
    let decoded = match groups {
        [one, two, ..] => decode(one).zip(decode(two)),
        [one] => return decode(one).is_some_and(|one| is_text(&one, false)),
        [] => None,
    };
    decoded.is_some_and(|([a, b, c], [d, e, f])| is_text(&[a, b, c, d, e, f], false))
}

fn decode([one, two, three, four]: &[u8; 4]) -> Option<[u8; 3]> {
    Some(bytes([
        value(*one)?,
        value(*two)?,
        value(*three)?,
        value(*four)?,
    ]))
}

/// Behind the next mark of a run, where another reading of it may begin, or behind the run.
fn next_start(view: &View<'_>, from: u64) -> u64 {
    let rest = view.slice(from, view.end());
    let is_start = |nth: usize, byte: u8| {
        let before = match nth.checked_sub(1) {
            Some(before) => rest.get(before).copied(),
            None => view.before(from),
        };
        value(byte).is_none() || before.is_some_and(is_mark)
    };
    let start = rest
        .iter()
        .enumerate()
        .position(|(nth, byte)| is_start(nth, *byte));
    from + start.unwrap_or(rest.len()) as u64
}

/// Whether the first letters of a group, so many of them, tell a digit of a number that begins in it. Other secrets begin behind an
/// anchor, which is seen before them; a number is seen by itself. Less than a digit may leave: nearly every word of prose could be
/// the beginning of such a group.
fn tells_digit(before: Option<u8>, [one, two, three]: [u8; 3], letters: usize) -> bool {
    let is_free = before.is_none_or(|before| !Set::WORD.contains(before));
    let goes_on = |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.');
    match letters {
        // The upper half of the second byte is there: of a digit, or of what stands between two groups.
        2 => is_free && one.is_ascii_digit() && matches!(two >> 4, 2 | 3),
        // And the two upper bits of the third.
        3 if three >> 6 == 0 => {
            let first = is_free && one.is_ascii_digit() && goes_on(two);
            first || (!Set::WORD.contains(one) && is_text(&[one], false) && two.is_ascii_digit())
        }
        _ => false,
    }
}

/// The values of letters from here on are those of marks.
const MARKS: u8 = 62;

/// The first three letters of a group.
const fn letters_of([one, two, three]: [u8; 3]) -> [u8; 3] {
    [
        one >> 2,
        (one & 3) << 4 | two >> 4,
        (two & 15) << 2 | three >> 6,
    ]
}

const fn is_mark(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'/' | b'_')
}

/// Where sixteen letters of base64 stand in a row. A run of [`MIN_RUN`] has them at a multiple of eight.
pub(in crate::scan) fn long_stretch(bytes: &[u8]) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<8>();
    let mut before = false;
    blocks.iter().enumerate().find_map(|(nth, block)| {
        // Nearly every word ends within eight bytes, with a byte below all letters.
        let word = u64::from_le_bytes(*block);
        let low = word.wrapping_sub(0x2b2b_2b2b_2b2b_2b2b) & !word & 0x8080_8080_8080_8080;
        let is_run = low == 0 && block.iter().all(|byte| value(*byte).is_some());
        let found = is_run && before;
        before = is_run;
        found.then(|| nth * 8 - 8)
    })
}

/// How many letters stand at the beginning.
fn letters(bytes: &[u8]) -> u64 {
    let count = bytes.iter().take_while(|byte| value(**byte).is_some());
    let count = count.count() as u64;
    work::note(count);
    count
}

/// The six bits of a letter, of either alphabet (RFC 4648, sections 4 and 5).
#[inline]
fn value(byte: u8) -> Option<u8> {
    #[expect(clippy::indexing_slicing, reason = "a u8 is always below 256")]
    let value = VALUES[usize::from(byte)];
    (value != NONE).then_some(value)
}

/// No letter.
const NONE: u8 = u8::MAX;

static VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut rest: &mut [u8] = &mut values;
    let mut byte = 0_u8;
    while let Some((value, behind)) = rest.split_first_mut() {
        *value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => NONE,
        };
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    values
}

const fn bytes([one, two, three, four]: [u8; 4]) -> [u8; 3] {
    [
        one << 2 | two >> 4,
        two << 4 | three >> 2,
        three << 6 | four,
    ]
}

/// Whether bytes can be the beginning of a text.
fn is_text(bytes: &[u8], is_over: bool) -> bool {
    let has_control = bytes
        .iter()
        .any(|byte| byte.is_ascii_control() && !Set::SPACE.contains(*byte));
    let is_utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !is_over && error.error_len().is_none(),
    };
    !has_control && is_utf8
}
