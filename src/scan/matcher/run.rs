//! Rows of bytes of one kind, each of which is measured once.

use std::cell::Cell;

use super::set::Set;
use super::{assigned, mrz, work};

/// What bytes a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// A value without quotes.
    Bare,
    /// A line of a document for machines.
    Line,
    /// A value in these quotes.
    Quoted(u8),
    /// A set.
    Set(Set),
}

/// What was measured, so that candidates inside of one row need not do it again each: the last of a few kinds.
#[derive(Debug, Default)]
pub(super) struct Runs {
    measured: [Cell<Option<Measured>>; 4],
    /// By the remainder of their length by four: headers of JSON Web Tokens that are none, from where to where.
    headless: [Cell<(u64, u64)>; 4],
}

/// From one offset to another all bytes are of the run.
#[derive(Debug, Clone, Copy)]
struct Measured {
    run: Run,
    start: u64,
    end: u64,
}

impl Run {
    #[inline]
    pub(super) fn contains(self, byte: u8) -> bool {
        match self {
            Self::Bare => assigned::goes_on(byte, None),
            Self::Line => mrz::is_of_line(byte),
            Self::Quoted(quote) => assigned::goes_on(byte, Some(quote)),
            Self::Set(set) => set.contains(byte),
        }
    }

    /// How many bytes of the run stand at the beginning.
    pub(super) fn count(self, bytes: &[u8]) -> u64 {
        let count = match self {
            Self::Set(set) => bytes.iter().take_while(|byte| set.contains(**byte)).count(),
            _ => bytes
                .iter()
                .take_while(|byte| self.contains(**byte))
                .count(),
        };
        work::note(count as u64);
        count as u64
    }
}

impl Runs {
    /// Up to where all bytes from an offset on are known to be of the run.
    pub(super) fn known(&self, run: Run, at: u64) -> Option<u64> {
        self.measured.iter().find_map(|cell| {
            let known = cell.get()?;
            (known.run == run && known.start <= at && at <= known.end).then_some(known.end)
        })
    }

    /// All bytes from an offset to another are of the run.
    pub(super) fn note(&self, run: Run, start: u64, end: u64) {
        for cell in &self.measured {
            if let Some(known) = cell.get()
                && known.run == run
                && known.start <= start
                && start <= known.end
            {
                let end = end.max(known.end);
                return cell.set(Some(Measured { end, ..known }));
            }
        }
        let mut newest = Some(Measured { run, start, end });
        for cell in &self.measured {
            newest = cell.replace(newest);
        }
    }

    /// Whether a header that ends at an offset is none because a longer one, of which it is the end, is none.
    pub(super) fn is_headless(&self, start: u64, end: u64) -> bool {
        let known = self.header(start, end).map(Cell::get);
        known.is_some_and(|(from, to)| to == end && from <= start)
    }

    /// A header that is none.
    pub(super) fn note_headless(&self, start: u64, end: u64) {
        if let Some(cell) = self.header(start, end) {
            cell.set((start, end));
        }
    }

    fn header(&self, start: u64, end: u64) -> Option<&Cell<(u64, u64)>> {
        let length = usize::try_from(end.saturating_sub(start)).ok()?;
        self.headless.get(length % 4)
    }
}
