//! Payment card numbers (ISO/IEC 7812): judged backwards from where a run of digits ends, so that nothing
//! has to be remembered between pieces but the run itself.

use super::evidence;
use super::set::Set;
use super::view::View;

/// 19 digits and four separators.
const MAX_SPAN: u64 = 23;
const MAX_GROUPS: usize = 5;

/// The groupings that are printed on cards and written by people.
const GROUPINGS: [&[u8]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// The lengths of a number in one piece.
const BARE: std::ops::RangeInclusive<u8> = 13..=19;

/// The groups of digits before an offset, last one first.
#[derive(Debug, Default)]
struct Groups {
    /// Start and length of each.
    spans: [(u64, u8); MAX_GROUPS],
    count: usize,
}

/// Whether a number ends at `end`: where it begins. `end` must be after a digit, and what stands
/// there must not continue it ([`continues`]).
pub(super) fn ending_at(view: &View<'_>, end: u64) -> Option<u64> {
    // Nearly all numbers in text are shorter than any card's.
    let last = view.slice(end.saturating_sub(u64::from(*BARE.start())), end);
    if last.len() < usize::from(*BARE.start())
        || !last
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'))
    {
        return None;
    }
    let groups = Groups::before(view, end);
    let is_wanted = |start: u64| is_free_before(view, start) && is_card(view.slice(start, end));
    let (start, bare) = *groups.spans.first().filter(|_| groups.count > 0)?;
    if BARE.contains(&bare) && is_wanted(start) {
        return Some(start);
    }
    GROUPINGS.iter().find_map(|grouping| {
        let (start, _) = *groups.spans.get(grouping.len() - 1)?;
        let fits = grouping.len() <= groups.count
            && groups
                .lengths()
                .zip(grouping.iter().rev())
                .all(|(length, wanted)| length == *wanted);
        (fits && is_wanted(start)).then_some(start)
    })
}

/// Whether what stands at `end` makes the digits before it part of something else: a word, a decimal, a
/// UUID. `None`: not known yet.
pub(super) fn continues(view: &View<'_>, end: u64) -> Option<bool> {
    match view.at(end) {
        None => view.ended().then_some(false),
        Some(b'.') => match view.at(end + 1) {
            None => view.ended().then_some(false),
            Some(next) => Some(next.is_ascii_digit()),
        },
        Some(byte) => Some(byte == b'-' || Set::WORD.contains(byte)),
    }
}

/// Whether there are digits enough for a card in all of a text.
pub(in crate::scan) fn may_hold_card(text: &[u8]) -> bool {
    // Counted in bytes, of which many are added at once.
    let digits = text.chunks(usize::from(u8::MAX)).map(|piece| {
        let digits = piece.iter().map(|byte| u8::from(byte.is_ascii_digit()));
        usize::from(digits.fold(0, u8::wrapping_add))
    });
    digits.sum::<usize>() >= usize::from(*BARE.start())
}

/// Where a number that is still being written may begin.
pub(super) fn hold(view: &View<'_>) -> Option<u64> {
    let end = view.end();
    let last = view.before(end)?;
    if last == b'.' {
        return ending_at(view, end - 1);
    }
    let is_separated = matches!(last, b' ' | b'-');
    let groups = Groups::before(view, if is_separated { end - 1 } else { end });
    (0..groups.count).rev().find_map(|first| {
        let (start, length) = *groups.spans.get(first)?;
        let is_bare = first == 0 && !is_separated && length <= *BARE.end();
        let fits = is_bare
            || GROUPINGS
                .iter()
                .any(|grouping| groups.may_become(grouping, first, is_separated));
        let may_begin = matches!(view.at(start), Some(b'2'..=b'6' | b'8'));
        (fits && may_begin && is_free_before(view, start)).then_some(start)
    })
}

impl Groups {
    fn before(view: &View<'_>, end: u64) -> Self {
        let mut groups = Self::default();
        let mut separator = None;
        let mut at = end;
        for span in &mut groups.spans {
            let most = MAX_SPAN.saturating_sub(end - at);
            let length = view.run_before(at, Set::DIGIT, most);
            let Some(length) = u8::try_from(length).ok().filter(|length| *length > 0) else {
                break;
            };
            at -= u64::from(length);
            *span = (at, length);
            groups.count += 1;
            match view.before(at) {
                Some(byte @ (b' ' | b'-')) if separator.is_none_or(|known| known == byte) => {
                    separator = Some(byte);
                    at -= 1;
                }
                _ => break,
            }
        }
        groups
    }

    fn lengths(&self) -> impl Iterator<Item = u8> {
        self.spans
            .iter()
            .take(self.count)
            .map(|(_, length)| *length)
    }

    /// Whether the groups from `first` (counted from the end) on are a beginning of the grouping.
    fn may_become(&self, grouping: &[u8], first: usize, is_separated: bool) -> bool {
        let have = first + 1;
        if have > grouping.len() || (is_separated && have == grouping.len()) {
            return false;
        }
        let lengths = self
            .spans
            .iter()
            .take(have)
            .rev()
            .map(|(_, length)| *length);
        lengths
            .zip(grouping)
            .enumerate()
            .all(|(place, (length, wanted))| {
                length == *wanted || (place + 1 == have && !is_separated && length < *wanted)
            })
    }
}

/// A number does not begin inside a word, a decimal, a UUID or after a sign.
fn is_free_before(view: &View<'_>, start: u64) -> bool {
    match view.before(start) {
        Some(b'.' | b'-' | b'_') => false,
        _ => view.is_word_start(start),
    }
}

/// Issuer, length and check digit.
pub(in crate::scan) fn is_card(text: &[u8]) -> bool {
    let mut prefix = 0_u32;
    let mut digits = 0_u8;
    let mut first = None;
    let mut varies = false;
    for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
        if digits < 6 {
            prefix = prefix * 10 + u32::from(byte - b'0');
        }
        digits = digits.saturating_add(1);
        varies |= *first.get_or_insert(*byte) != *byte;
    }
    varies && digits >= 13 && is_issued(prefix, digits) && evidence::luhn(text)
}

/// Whether an issuer gives out numbers of this length that begin with these six digits.
pub(in crate::scan) const fn is_issued(prefix: u32, digits: u8) -> bool {
    match prefix {
        // Visa. Its numbers of 13 digits are long gone, and those of articles in trade have as many.
        400_000..=499_999 => matches!(digits, 16 | 19),
        // Mastercard
        510_000..=559_999 | 222_100..=272_099 => digits == 16,
        // American Express
        340_000..=349_999 | 370_000..=379_999 => digits == 15,
        // Diners Club
        300_000..=305_999 | 360_000..=369_999 | 380_000..=399_999 => matches!(digits, 14 | 16 | 19),
        // JCB
        352_800..=358_999 => matches!(digits, 16..=19),
        // Mir
        220_000..=220_499 => matches!(digits, 16..=19),
        // Discover, UnionPay, RuPay
        601_100..=601_199 | 620_000..=629_999 | 644_000..=659_999 | 810_000..=829_999 => {
            matches!(digits, 16..=19)
        }
        // Maestro, and RuPay from 60. Maestro allows 12 to 19; in use are these.
        500_000..=509_999 | 560_000..=619_999 | 630_000..=643_999 | 660_000..=699_999 => {
            matches!(digits, 16 | 18 | 19)
        }
        _ => false,
    }
}
