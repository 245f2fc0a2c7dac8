//! Lines and columns of bytes that passed a moment ago.

use std::collections::VecDeque;

use bytes::Bytes;

/// Where a byte stands, for people: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// The last blocks of an input. What a finding may still begin in is kept, and a mebibyte before it: what is only
/// flagged does not wait, and is told of when more has passed.
#[derive(Debug)]
pub(super) struct Places {
    blocks: VecDeque<Block>,
    end: u64,
    next: Place,
}

#[derive(Debug)]
struct Block {
    begin: u64,
    place: Place,
    bytes: Bytes,
}

const REACH: u64 = 1 << 20;

impl Places {
    pub(super) const fn new() -> Self {
        Self {
            blocks: VecDeque::new(),
            end: 0,
            next: Place { line: 1, column: 1 },
        }
    }

    /// The next block; nobody will ask far before `needed`.
    pub(super) fn push(&mut self, bytes: Bytes, needed: u64) {
        let reach = needed.min(self.end).saturating_sub(REACH);
        while let Some(first) = self.blocks.front() {
            if self.blocks.len() == 1 || first.end() > reach {
                break;
            }
            self.blocks.pop_front();
        }
        let (begin, place) = (self.end, self.next);
        self.end += bytes.len() as u64;
        self.next = place.behind(&bytes);
        self.blocks.push_back(Block {
            begin,
            place,
            bytes,
        });
    }

    /// How many bytes there were.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Where the byte at this offset stands.
    pub(super) fn of(&self, at: u64) -> Place {
        let behind = self.blocks.partition_point(|block| block.begin <= at);
        let block = self.blocks.get(behind.saturating_sub(1));
        block.map_or(self.next, |block| {
            let length = usize::try_from(at.saturating_sub(block.begin)).unwrap_or(usize::MAX);
            let before = block.bytes.get(..length.min(block.bytes.len()));
            block.place.behind(before.unwrap_or_default())
        })
    }
}

impl Block {
    const fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }
}

impl Place {
    /// The place behind these bytes.
    fn behind(self, bytes: &[u8]) -> Self {
        let (line, rest) = match memchr::memrchr(b'\n', bytes) {
            Some(last) => {
                let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
                let place = Self {
                    line: self.line + lines,
                    column: 1,
                };
                (place, bytes.get(last + 1..).unwrap_or_default())
            }
            None => (self, bytes),
        };
        // The bytes of a character but the first are no character of their own.
        let characters = rest.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Self {
            column: line.column + characters as u64,
            ..line
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_the_same_for_every_cutting() {
        let text = "erste\nzweite Zeile mit ü und\r\n\nende";
        for size in [1, 2, 3, 7, 100] {
            let mut places = Places::new();
            for block in text.as_bytes().chunks(size) {
                places.push(Bytes::copy_from_slice(block), 0);
            }
            let at = |what: &str| places.of(text.find(what).unwrap() as u64);
            assert_eq!(at("zweite"), Place { line: 2, column: 1 });
            assert_eq!(
                at("und"),
                Place {
                    line: 2,
                    column: 20
                }
            );
            assert_eq!(at("ende"), Place { line: 4, column: 1 });
            assert_eq!(places.of(text.len() as u64), Place { line: 4, column: 5 });
        }
    }

    #[test]
    fn what_nobody_asks_about_is_dropped() {
        let mut places = Places::new();
        for _ in 0..64 {
            let end = places.end();
            places.push(Bytes::from(vec![b'\n'; 1 << 16]), end);
        }
        assert!(places.blocks.len() <= 18);
        let last = places.of(places.end());
        assert_eq!(last.line, (64 << 16) + 1);
    }
}
