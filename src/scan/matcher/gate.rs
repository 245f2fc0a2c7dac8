//! Passes over text in which no anchor can begin, several times faster than the automaton.

use super::bits::Bits;

/// One table for each of the first bytes of an anchor; the anchors are spread over 32 buckets, and an anchor
/// may begin where one bucket is in all of them. Unlike the automaton's, the look-ups do not depend on each
/// other. The fourth is asked only where the first three agree, which prose does once in twenty words.
///
/// Before any of them, every second pair of bytes is looked up: of the first three bytes of an anchor, the first
/// two or the last two are such a pair, wherever it begins.
pub(in crate::scan) struct Gate {
    tables: Box<[[u32; 256]; 4]>,
    /// The pairs that an anchor may have for its first two bytes, or for its second and third. To tell those apart takes more
    /// for each pair than it saves for the few that are looked at again.
    pairs: Bits,
    /// The hashes of three bytes that an anchor may begin with. Where there are many anchors in a bucket, most of what its
    /// tables agree on begins none of them, and this tells.
    triples: Bits,
}

/// The last bytes of a text, which the gate cannot judge.
const AHEAD: usize = 2;

impl Gate {
    /// A gate for these anchors. Behind an anchor of two bytes there must be two digits: those are country
    /// codes, and what follows are check digits.
    pub(in crate::scan) fn new<'a>(anchors: impl Iterator<Item = &'a str>) -> Self {
        let mut anchors: Vec<&[u8]> = anchors.map(str::as_bytes).collect();
        // Neighbours share their first bytes, so a bucket of neighbours says more.
        anchors.sort_unstable();
        let mut tables = Box::new([[0; 256]; 4]);
        let mut pairs = Bits::default();
        let mut triples = Bits::default();
        for (place, anchor) in anchors.iter().enumerate() {
            let bucket = 1_u32 << (place * 32 / anchors.len());
            for (nth, table) in tables.iter_mut().enumerate() {
                for (byte, buckets) in (0..=u8::MAX).zip(table) {
                    if may_stand(anchor, nth, byte) {
                        *buckets |= bucket;
                    }
                }
            }
            if let &[one, two, ..] = *anchor {
                (0..=u8::MAX)
                    .filter(|byte| may_stand(anchor, 2, *byte))
                    .for_each(|three| triples.insert(triple([one, two, three])));
            }
            for first in [0, 1] {
                for one in (0..=u8::MAX).filter(|byte| may_stand(anchor, first, *byte)) {
                    (0..=u8::MAX)
                        .filter(|byte| may_stand(anchor, first + 1, *byte))
                        .for_each(|two| pairs.insert(pair([one, two])));
                }
            }
        }
        Self {
            tables,
            pairs,
            triples,
        }
    }

    /// Whether no anchor begins in a text that stands whole: what begins in its last two bytes is none.
    pub(in crate::scan) fn passes_all(&self, text: &[u8]) -> bool {
        self.pass(text) + AHEAD >= text.len()
    }

    /// How many bytes can be passed over: before them no anchor begins, and none that begins in the
    /// last two of the text is passed over.
    #[inline]
    pub(super) fn pass(&self, text: &[u8]) -> usize {
        let mut from = 0;
        while let Some((at, buckets)) = text.get(from..).and_then(|rest| self.next(rest)) {
            from += at;
            #[expect(
                clippy::indexing_slicing,
                reason = "there are four tables, and a u8 is always below 256"
            )]
            let may_go_on = |byte: &u8| buckets & self.tables[3][usize::from(*byte)] != 0;
            if text.get(from + AHEAD + 1).is_none_or(may_go_on) {
                return from;
            }
            from += 1;
        }
        text.len().saturating_sub(AHEAD)
    }

    /// Where the first three tables agree for the first time, and on which buckets.
    fn next(&self, text: &[u8]) -> Option<(usize, u32)> {
        let (pairs, _) = text.as_chunks::<2>();
        pairs.iter().enumerate().find_map(|(nth, bytes)| {
            if !self.pairs.contain(pair(*bytes)) {
                return None;
            }
            let at = 2 * nth;
            let before = at.checked_sub(1).and_then(|start| self.agree(text, start));
            before.or_else(|| self.agree(text, at))
        })
    }

    /// Whether the first three tables agree at this place, and on which buckets.
    fn agree(&self, text: &[u8], start: usize) -> Option<(usize, u32)> {
        let [first, second, third, _] = &*self.tables;
        let &[one, two, three] = text.get(start..)?.first_chunk()?;
        if !self.triples.contain(triple([one, two, three])) {
            return None;
        }
        #[expect(clippy::indexing_slicing, reason = "a u8 is always below 256")]
        let common = first[usize::from(one)] & second[usize::from(two)] & third[usize::from(three)];
        (common != 0).then_some((start, common))
    }
}

/// Whether a byte may be the `nth` of an anchor and of what must stand behind it.
fn may_stand(anchor: &[u8], nth: usize, byte: u8) -> bool {
    match anchor.get(nth) {
        Some(wanted) => *wanted == byte,
        None if anchor.len() > AHEAD => true,
        None => byte.is_ascii_digit(),
    }
}

/// Two bytes as a number.
const fn pair(bytes: [u8; 2]) -> u16 {
    u16::from_le_bytes(bytes)
}

/// Sixteen bits of a multiplicative hash of three bytes.
fn triple([one, two, three]: [u8; 3]) -> u16 {
    let [.., low, high] = u32::from_le_bytes([one, two, three, 0])
        .wrapping_mul(0x9E37_79B1)
        .to_le_bytes();
    u16::from_le_bytes([low, high])
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_at_an_anchor_wherever_it_begins() {
        let gate = Gate::new(["ghp_", "sk-", "DE"].into_iter());
        for length in 0..9 {
            let before = "-".repeat(length);
            for anchor in ["ghp_", "sk-x", "DE89"] {
                let text = [&before, anchor, "--"].concat();
                assert_eq!(gate.pass(text.as_bytes()), length, "{text}");
            }
        }
    }

    #[test]
    fn passes_over_what_begins_no_anchor_and_stops_before_the_end() {
        let gate = Gate::new(["ghp_", "sk-", "DE"].into_iter());
        assert_eq!(gate.pass(b"graph ghp ghp_"), 10);
        assert_eq!(gate.pass(b"DEF DE8F DE89"), 9);
        assert_eq!(gate.pass(b"the end DE8"), 8);
        assert_eq!(gate.pass(b"ask sk-8"), 4);
        assert_eq!(gate.pass(b"nothing"), 5);
        assert_eq!(gate.pass(b"gh"), 0);
        assert!(gate.passes_all(b"a plain text") && gate.passes_all(b"gh"));
        assert!(!gate.passes_all(b"a ghp_"));
    }
}
