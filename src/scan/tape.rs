//! The raw bytes that wait, and the edits that they will leave with.

use std::collections::VecDeque;

use bytes::Bytes;

/// Raw bytes from the oldest that has not left to the newest, addressed by their offset from the
/// body's beginning. What leaves unedited leaves as slices of the very buffers that came in.
#[derive(Debug, Default)]
pub(super) struct Tape {
    chunks: VecDeque<Bytes>,
    /// Offset of the first byte of the first chunk.
    begin: u64,
    end: u64,
    /// In order, not overlapping.
    edits: VecDeque<Edit>,
    /// Where the last edit that has left ended.
    left_edited: u64,
    edited: bool,
}

/// Raw bytes that leave as something else.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    start: u64,
    end: u64,
    instead: Bytes,
}

impl Tape {
    /// Appends bytes; they wait until [`Tape::release`] passes them.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.end += bytes.len() as u64;
        if !bytes.is_empty() {
            self.chunks.push_back(bytes);
        }
    }

    /// The offset of the oldest byte that waits.
    pub(super) const fn begin(&self) -> u64 {
        self.begin
    }

    /// The offset behind the newest byte.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes wait.
    pub(super) const fn len(&self) -> u64 {
        self.end - self.begin
    }

    /// Whether any byte ever left as something else.
    pub(super) const fn edited(&self) -> bool {
        self.edited
    }

    /// Lets `start..end` leave as `instead`. Where it meets an older edit the two become one, which
    /// leaves as the one that begins first: of two readings of the same bytes one mark is enough.
    /// What has left already cannot be edited, so that part is cut off; if it left as a mark, no second
    /// one follows.
    pub(super) fn edit(&mut self, start: u64, end: u64, mut instead: Bytes) {
        if start < self.begin && self.left_edited == self.begin {
            instead = Bytes::new();
        }
        let (mut start, mut end) = (start.max(self.begin), end.min(self.end));
        if start >= end {
            return;
        }
        let from = self.edits.partition_point(|edit| edit.end <= start);
        while let Some(edit) = self.edits.get(from).filter(|edit| edit.start < end) {
            if edit.start < start || (edit.start == start && !edit.instead.is_empty()) {
                instead = edit.instead.clone();
            }
            (start, end) = (start.min(edit.start), end.max(edit.end));
            self.edits.remove(from);
        }
        self.edits.insert(
            from,
            Edit {
                start,
                end,
                instead,
            },
        );
    }

    /// Whether anything before `end` will leave as something else.
    pub(super) fn is_edited_before(&self, end: u64) -> bool {
        self.edits.front().is_some_and(|edit| edit.start < end)
    }

    /// The edits that lie in `start..end`, in order: from where, to where, and how many bytes leave instead.
    pub(super) fn edits(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64, usize)> {
        let from = self.edits.partition_point(|edit| edit.start < start);
        self.edits
            .range(from..)
            .take_while(move |edit| edit.end <= end)
            .map(|edit| (edit.start, edit.end, edit.instead.len()))
    }

    /// The first byte of `start..end` that is still here and would leave as it came.
    pub(super) fn first_unedited(&self, start: u64, end: u64) -> Option<u64> {
        let mut at = start.max(self.begin);
        let from = self.edits.partition_point(|edit| edit.end <= at);
        for edit in self.edits.range(from..) {
            if at < edit.start {
                break;
            }
            at = edit.end;
        }
        (at < end).then_some(at)
    }

    /// Makes an edit inside `start..end` cover all of it, with quotes around the mark: a number of JSON
    /// becomes a string. Without an edit there nothing happens.
    pub(super) fn quote(&mut self, start: u64, end: u64) {
        if self.edits.is_empty() {
            return;
        }
        let inside =
            |edit: &&Edit| edit.start < end && edit.end > start && !edit.instead.is_empty();
        let Some(mark) = self
            .edits
            .iter()
            .find(inside)
            .map(|edit| edit.instead.clone())
        else {
            return;
        };
        self.edits
            .retain(|edit| edit.end <= start || edit.start >= end);
        let mut quoted = Vec::with_capacity(mark.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(&mark);
        quoted.push(b'"');
        self.edit(start, end, Bytes::from(quoted));
    }

    /// Lets everything before `to` leave, with its edits. An edit that reaches over `to` waits whole.
    pub(super) fn release(&mut self, to: u64, released: &mut VecDeque<Bytes>) {
        let to = match self
            .edits
            .iter()
            .find(|edit| edit.start < to && edit.end > to)
        {
            Some(edit) => edit.start,
            None => to.min(self.end),
        };
        while self.begin < to {
            let Some(edit) = self.edits.front().filter(|edit| edit.start < to) else {
                return self.take(to, Some(released));
            };
            let (start, end, instead) = (edit.start, edit.end, edit.instead.clone());
            self.take(start, Some(released));
            self.take(end, None);
            self.left_edited = end;
            if !instead.is_empty() {
                released.push_back(instead);
            }
            self.edited = true;
            self.edits.pop_front();
        }
    }

    /// Moves the bytes before `to` into `released`, or drops them.
    fn take(&mut self, to: u64, mut released: Option<&mut VecDeque<Bytes>>) {
        while self.begin < to {
            let Some(mut chunk) = self.chunks.pop_front() else {
                return;
            };
            let wanted = usize::try_from(to - self.begin)
                .unwrap_or(usize::MAX)
                .min(chunk.len());
            let taken = chunk.split_to(wanted);
            self.begin += taken.len() as u64;
            if !chunk.is_empty() {
                self.chunks.push_front(chunk);
            }
            if let Some(released) = &mut released {
                released.push_back(taken);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &VecDeque<Bytes>) -> String {
        pieces
            .iter()
            .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn edits_leave_in_place_and_everything_else_untouched() {
        let mut tape = Tape::default();
        let mut released = VecDeque::new();
        tape.push(Bytes::from_static(b"abc"));
        tape.push(Bytes::from_static(b"defgh"));
        tape.edit(2, 5, Bytes::from_static(b"*"));
        tape.release(1, &mut released);
        assert_eq!(text(&released), "a");
        tape.release(4, &mut released);
        assert_eq!(text(&released), "ab", "an edit leaves whole or not at all");
        tape.release(8, &mut released);
        assert_eq!(text(&released), "ab*fgh");
        assert_eq!(tape.len(), 0);
        assert!(tape.edited());
    }

    #[test]
    fn overlapping_edits_become_one() {
        let mut tape = Tape::default();
        let mut released = VecDeque::new();
        tape.push(Bytes::from_static(b"0123456789"));
        tape.edit(4, 6, Bytes::from_static(b"B"));
        tape.edit(2, 5, Bytes::from_static(b"A"));
        tape.edit(8, 9, Bytes::new());
        tape.release(10, &mut released);
        assert_eq!(text(&released), "01A679");
    }
}
