//! Passes over text in which no anchor can begin, several times faster than the automaton.

/// Three tables, one for each of the first three bytes of an anchor; the anchors are spread over 32 buckets, and
/// an anchor may begin where one bucket is in all three. Unlike the automaton's, the look-ups do
/// not depend on each other.
pub(in crate::scan) struct Gate {
    tables: Box<[[u32; 256]; 3]>,
}

/// The last bytes of a text, which the gate cannot judge.
const AHEAD: usize = 2;

impl Gate {
    /// A gate for these anchors. The third byte of an anchor of two must be a digit: those are country
    /// codes, and what follows is a check digit.
    pub(in crate::scan) fn new<'a>(anchors: impl Iterator<Item = &'a str>) -> Self {
        let mut anchors: Vec<&[u8]> = anchors.map(str::as_bytes).collect();
        // Neighbours share their first bytes, so a bucket of neighbours says more.
        anchors.sort_unstable();
        let mut tables = Box::new([[0; 256]; 3]);
        for (place, anchor) in anchors.iter().enumerate() {
            let bucket = 1_u32 << (place * 32 / anchors.len());
            for (nth, table) in tables.iter_mut().enumerate() {
                for (byte, buckets) in (0..=u8::MAX).zip(table) {
                    let may_stand = match anchor.get(nth) {
                        Some(wanted) => *wanted == byte,
                        None => byte.is_ascii_digit(),
                    };
                    if may_stand {
                        *buckets |= bucket;
                    }
                }
            }
        }
        Self { tables }
    }

    /// How many bytes can be passed over: before them no anchor begins, and none that begins in the
    /// last two of the text is passed over.
    #[inline]
    pub(super) fn pass(&self, text: &[u8]) -> usize {
        let [first, second, third] = &*self.tables;
        text.windows(AHEAD + 1)
            .position(|window| {
                let &[one, two, three] = window else {
                    return true;
                };
                #[expect(clippy::indexing_slicing, reason = "a u8 is always below 256")]
                let buckets =
                    first[usize::from(one)] & second[usize::from(two)] & third[usize::from(three)];
                buckets != 0
            })
            .unwrap_or_else(|| text.len().saturating_sub(AHEAD))
    }
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
    fn passes_over_what_begins_no_anchor_and_stops_before_the_end() {
        let gate = Gate::new(["ghp_", "DE"].into_iter());
        assert_eq!(gate.pass(b"graph ghp_"), 6);
        assert_eq!(gate.pass(b"DEF DE8"), 4);
        assert_eq!(gate.pass(b"nothing"), 5);
        assert_eq!(gate.pass(b"gh"), 0);
    }
}
