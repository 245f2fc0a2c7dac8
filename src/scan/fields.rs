//! The lines of one event: which are data, and where each byte of the data lies.

use memchr::memchr2;

use super::channel::Segment;

/// The lines of an event, as ranges in it.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Values of `data`.
    pub(super) data: Vec<(usize, usize)>,
    /// Everything else that is not blank: whole lines.
    pub(super) others: Vec<(usize, usize)>,
}

impl Fields {
    /// Reads a whole event. Readers skip a byte order mark before the first.
    pub(super) fn read(&mut self, event: &[u8], is_first: bool) {
        self.data.clear();
        self.others.clear();
        let mut at = if is_first && event.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        while let Some(rest) = event.get(at..).filter(|rest| !rest.is_empty()) {
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            if let Some(value) = line.strip_prefix(b"data") {
                match value {
                    [b':', b' ', ..] => self.data.push((at + 6, at + length)),
                    [b':', ..] => self.data.push((at + 5, at + length)),
                    [] => self.data.push((at + length, at + length)),
                    _ => self.others.push((at, at + length)),
                }
            } else if !line.is_empty() {
                self.others.push((at, at + length));
            }
            at += length;
            at += match event.get(at..) {
                Some([b'\r', b'\n', ..]) => 2,
                _ => 1,
            };
        }
    }

    /// The event's data, lines joined by LF, with the map back to the tape, where the event begins at `raw`.
    pub(super) fn join<'a>(
        &self,
        event: &'a [u8],
        raw: u64,
        joined: &'a mut Vec<u8>,
        map: &mut Map,
    ) -> &'a [u8] {
        map.0.clear();
        if let [(start, end)] = self.data.as_slice() {
            map.0.push((0, raw + *start as u64));
            return event.get(*start..*end).unwrap_or_default();
        }
        joined.clear();
        for (start, end) in &self.data {
            if !map.0.is_empty() {
                joined.push(b'\n');
            }
            map.0.push((joined.len() as u64, raw + *start as u64));
            joined.extend_from_slice(event.get(*start..*end).unwrap_or_default());
        }
        joined
    }
}

/// Where the lines of data lie: (offset in the data, offset on the tape).
#[derive(Debug, Default)]
pub(super) struct Map(Vec<(u64, u64)>);

impl Map {
    /// All of the data lies in one piece from `raw` on.
    pub(super) fn begin(&mut self, raw: u64) {
        self.0.clear();
        self.0.push((0, raw));
    }

    /// Segments over the data, as segments over the tape.
    pub(super) fn segments(&self, of_data: &[Segment], of_tape: &mut Vec<Segment>) {
        of_tape.clear();
        for segment in of_data {
            if self.0.len() > 1 && segment.length == segment.raw_length {
                self.lines(*segment, of_tape);
            } else {
                // An escape holds no line break, so both its ends are in one line.
                let (raw, _) = self.place(segment.raw);
                of_tape.push(Segment { raw, ..*segment });
            }
        }
    }

    /// A run that decodes to itself, cut at the line breaks of the data.
    fn lines(&self, segment: Segment, of_tape: &mut Vec<Segment>) {
        let (mut start, mut left) = (segment.raw, u64::from(segment.length));
        while left > 0 {
            let (place, next) = self.place(start);
            let here = next.map_or(left, |(begin, _)| left.min(begin.saturating_sub(start + 1)));
            if here > 0 {
                of_tape.push(Segment::of(narrow(here), place, here));
            }
            let Some((begin, next_place)) = next.filter(|_| here < left) else {
                return;
            };
            // The joint: one LF in the data, the line's end and `data:` on the wire.
            of_tape.push(Segment::of(1, place + here, next_place - (place + here)));
            left -= here + 1;
            start = begin;
        }
    }

    /// Where `offset` of the data lies, and the line after it.
    fn place(&self, offset: u64) -> (u64, Option<(u64, u64)>) {
        let after = self.0.partition_point(|(begin, _)| *begin <= offset);
        let (begin, place) = after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .copied()
            .unwrap_or_default();
        (place + (offset - begin), self.0.get(after).copied())
    }
}

fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
