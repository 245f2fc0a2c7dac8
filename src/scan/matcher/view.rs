//! The stretch of text that can be seen right now.

use std::cell::Cell;

use super::set::Set;

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

/// Runs that were measured, so that candidates inside of one run need not measure it again each: the last of a few sets.
#[derive(Debug, Default)]
pub(super) struct Runs([Cell<Option<Run>>; 4]);

/// From one offset to another all bytes are of the set.
#[derive(Debug, Clone, Copy)]
struct Run {
    set: Set,
    start: u64,
    end: u64,
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
        let count = |from: u64, most: u64| {
            let bytes = self.slice(from, from.saturating_add(most));
            bytes.iter().take_while(|byte| set.contains(**byte)).count() as u64
        };
        if at < self.base.max(self.barrier) {
            return 0;
        }
        let near = count(at, most.min(SHORT));
        let Some(runs) = self.runs.filter(|_| near == SHORT && most > SHORT) else {
            return near;
        };
        let until = at.saturating_add(most).min(self.end());
        let cells = runs.0.iter();
        let known = cells.clone().find_map(|cell| {
            let run = cell.get()?;
            (run.set == set && run.start <= at && at <= run.end).then_some((cell, run))
        });
        let from = known.map_or(at + near, |(_, run)| run.end.max(at + near));
        let end = if from < until {
            from + count(from, until - from)
        } else {
            from
        };
        match known {
            Some((cell, run)) => cell.set(Some(Run { end, ..run })),
            None => {
                let mut newest = Some(Run {
                    set,
                    start: at,
                    end,
                });
                for cell in cells {
                    newest = cell.replace(newest);
                }
            }
        }
        end.min(until) - at
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

    /// Where the bytes must be kept from, so that a later piece can look behind: the byte before the
    /// current word, but never more than [`LOOK_BEHIND`].
    pub(super) fn tail(&self) -> u64 {
        let floor = self.end().saturating_sub(LOOK_BEHIND).max(self.base);
        let tail = self.slice(floor, self.end());
        let word = tail
            .iter()
            .rposition(|byte| Set::SPACE.contains(*byte))
            .unwrap_or(0);
        floor + word as u64
    }

    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }
}
