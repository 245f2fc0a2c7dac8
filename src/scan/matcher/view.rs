//! The stretch of text that can be seen right now.

use super::run::{Run, Runs};
use super::set::Set;
use super::work;

/// How far back any judgement may look from where it stands, and so how much of a word is carried over
/// a seam. INVARIANT: every look-behind stops at white space (cards: at the end of their
/// grouping, which is kept besides; words before a number: as far as [`super::number`] keeps) and within this many bytes; else the same text cut elsewhere could be
/// judged otherwise.
pub(super) const LOOK_BEHIND: u64 = 192;

/// A window of the text, addressed by offsets from the text's beginning.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) struct View<'a> {
    bytes: &'a [u8],
    base: u64,
    barrier: u64,
    ended: bool,
    runs: Option<&'a Runs>,
}

/// Shorter runs are measured faster than they are looked up.
const SHORT: u64 = 16;

impl<'a> View<'a> {
    /// `bytes` stand at `base`; nothing before `barrier` (the end of a swallowed secret) is looked at;
    /// `ended` says that no byte will follow.
    pub(super) const fn new(bytes: &'a [u8], base: u64, barrier: u64, ended: bool) -> Self {
        Self {
            bytes,
            base,
            barrier,
            ended,
            runs: None,
        }
    }

    /// The same window, in which runs are measured once.
    pub(super) const fn measured(self, runs: &'a Runs) -> Self {
        Self {
            runs: Some(runs),
            ..self
        }
    }

    /// The bytes from `start` to `end`, as far as they are seen and stand behind the barrier.
    pub(super) fn seen(&self, start: u64, end: u64) -> &'a [u8] {
        self.slice(start.max(self.barrier), end)
    }

    /// How many bytes of the set stand from an offset on; counts no further than `most`.
    pub(super) fn run(&self, at: u64, set: Set, most: u64) -> u64 {
        self.measure(at, Run::Set(set), most)
    }

    /// How many bytes of a run stand from an offset on; counts no further than `most`.
    pub(super) fn measure(&self, at: u64, run: Run, most: u64) -> u64 {
        if at < self.base.max(self.barrier) {
            return 0;
        }
        let count = |from: u64, most: u64| run.count(self.slice(from, from.saturating_add(most)));
        let near = count(at, most.min(SHORT));
        let Some(runs) = self.runs.filter(|_| near == SHORT && most > SHORT) else {
            return near;
        };
        let until = at.saturating_add(most).min(self.end());
        let from = runs.known(run, at).unwrap_or_default().max(at + near);
        let end = if from < until {
            let end = from + count(from, until - from);
            runs.note(run, at, end);
            end
        } else {
            from
        };
        end.min(until) - at
    }

    /// What was measured in this window, if anything is remembered.
    pub(super) const fn runs(&self) -> Option<&'a Runs> {
        self.runs
    }

    /// The same window without what stands at `end` and after it, if it reaches there.
    pub(super) fn until(self, end: u64) -> Self {
        match self.bytes.get(..self.index(end)) {
            Some(bytes) if end < self.end() => Self {
                bytes,
                ended: false,
                ..self
            },
            _ => self,
        }
    }

    /// The same window without the barrier, to judge forwards a candidate that is older than it.
    pub(super) const fn ahead(self) -> Self {
        Self { barrier: 0, ..self }
    }

    /// The same window with a new barrier.
    pub(super) const fn behind(self, barrier: u64) -> Self {
        Self { barrier, ..self }
    }

    /// The end of the last swallowed secret.
    pub(super) const fn barrier(&self) -> u64 {
        self.barrier
    }

    /// The offset of the first byte that is seen.
    pub(super) const fn start(&self) -> u64 {
        self.base
    }

    /// The offset after the last byte that is seen.
    pub(super) const fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// Whether the text is over at [`View::end`].
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    /// The byte at an offset.
    pub(super) fn at(&self, offset: u64) -> Option<u8> {
        work::note(1);
        (offset >= self.base.max(self.barrier))
            .then(|| self.bytes.get(self.index(offset)).copied())
            .flatten()
    }

    /// The byte before an offset.
    pub(super) fn before(&self, offset: u64) -> Option<u8> {
        offset.checked_sub(1).and_then(|before| self.at(before))
    }

    /// The bytes from `start` to `end`, as far as they are seen.
    pub(super) fn slice(&self, start: u64, end: u64) -> &'a [u8] {
        let end = self.index(end).min(self.bytes.len());
        self.bytes
            .get(self.index(start).min(end)..end)
            .unwrap_or_default()
    }

    /// Whether a word may begin here. The letter of an escape (`\n`, one layer of JSON in JSON) and
    /// the digits of a percent-escape (`%3D`) belong to no word.
    pub(super) fn is_word_start(&self, offset: u64) -> bool {
        let Some(byte) = self.before(offset) else {
            return true;
        };
        if !Set::WORD.contains(byte) {
            return true;
        }
        match offset.checked_sub(1).and_then(|before| self.before(before)) {
            Some(b'\\') => matches!(byte, b'n' | b'r' | b't'),
            Some(high) if Set::ANY_HEX.contains(byte) && Set::ANY_HEX.contains(high) => {
                offset.checked_sub(2).and_then(|high| self.before(high)) == Some(b'%')
            }
            _ => false,
        }
    }

    /// How many bytes of the set stand right before an offset; counts no further than `most + 1`.
    pub(super) fn run_before(&self, offset: u64, set: Set, most: u64) -> u64 {
        (0..=most)
            .take_while(|back| {
                offset
                    .checked_sub(*back)
                    .and_then(|at| self.before(at))
                    .is_some_and(|byte| set.contains(byte))
            })
            .count() as u64
    }

    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }
}

/// Where the last word begins, so that a later piece can look behind.
#[derive(Debug, Default, Clone)]
pub(super) struct Tail {
    blank: Option<u64>,
    /// Up to where blanks were looked for.
    seen: u64,
}

impl Tail {
    /// Where the bytes must be kept from: the byte before the current word, but never more than [`LOOK_BEHIND`].
    pub(super) fn of(&mut self, view: &View<'_>) -> u64 {
        let end = view.end();
        let floor = end.saturating_sub(LOOK_BEHIND).max(view.start());
        let new = view.slice(self.seen.max(floor), end);
        let blank = new.iter().rposition(|byte| Set::SPACE.contains(*byte));
        work::note(new.len() as u64);
        if let Some(blank) = blank {
            self.blank = Some(end - (new.len() - blank) as u64);
        }
        self.seen = end;
        self.blank.map_or(floor, |blank| blank.max(floor))
    }
}
