//! The lengths before what was redacted.

use bytes::Bytes;

use crate::protobuf::put_varint;

use super::super::tape::Tape;

/// A length in a message, and what it counts. Places are from the beginning of the prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    /// Where the number stands.
    pub(super) at: usize,
    /// Behind the number: the first byte that it counts.
    pub(super) begin: usize,
    /// Behind the last.
    pub(super) end: usize,
    /// The length that counts this one too; an index.
    pub(super) parent: Option<usize>,
}

/// By how much something grows.
type Growth = i64;

/// Edits the lengths of a message that begins at `raw` on the tape, so that they count what will leave. Those are in the
/// order of their places, each behind the one that counts it; the first is that of the prefix, whose number has four bytes.
pub(super) fn mend(tape: &mut Tape, raw: u64, lengths: &[Length]) {
    let Some(whole) = lengths.first() else {
        return;
    };
    let mut growths: Vec<Growth> = vec![0; lengths.len()];
    let mut is_gone = vec![false; lengths.len()];
    let place = |at: u64| usize::try_from(at.saturating_sub(raw)).unwrap_or(usize::MAX);
    for (start, end, instead) in tape.edits(raw, raw + whole.end as u64) {
        let (start, end) = (place(start), place(end));
        // What is taken away needs no length. An edit ends in the middle of a number only where a text was no message.
        let from = lengths.partition_point(|length| length.begin <= start);
        let inside = lengths.iter().zip(&mut is_gone).skip(from);
        inside
            .take_while(|(length, _)| length.at < end)
            .for_each(|(_, is_gone)| *is_gone = true);
        // The innermost that counts all of it.
        let mut counts = from.checked_sub(1);
        while let Some(index) = counts {
            let Some(length) = lengths.get(index) else {
                break;
            };
            if length.end >= end {
                if let Some(growth) = growths.get_mut(index) {
                    *growth += grown(end - start, instead);
                }
                break;
            }
            counts = length.parent;
        }
    }
    for (index, length) in lengths.iter().enumerate().rev() {
        let growth = growths.get(index).copied().unwrap_or_default();
        if growth == 0 {
            continue;
        }
        let parent = length.parent.and_then(|parent| growths.get_mut(parent));
        if is_gone.get(index).copied().unwrap_or(true) {
            parent.into_iter().for_each(|it| *it += growth);
            continue;
        }
        let counted = (length.end - length.begin).saturating_add_signed(narrow(growth));
        let mut number = Vec::new();
        if length.parent.is_some() {
            put_varint(&mut number, counted as u64);
        } else {
            number.extend_from_slice(&u32::try_from(counted).unwrap_or(u32::MAX).to_be_bytes());
        }
        let more = growth + grown(length.begin - length.at, number.len());
        parent.into_iter().for_each(|it| *it += more);
        tape.edit(
            raw + length.at as u64,
            raw + length.begin as u64,
            Bytes::from(number),
        );
    }
}

/// By how much what had so many bytes grows if it has so many.
fn grown(before: usize, after: usize) -> Growth {
    let signed = |length: usize| Growth::try_from(length).unwrap_or(Growth::MAX);
    signed(after) - signed(before)
}

fn narrow(growth: Growth) -> isize {
    isize::try_from(growth).unwrap_or(isize::MIN)
}
