//! The arithmetic of check digits. Letters and digits come without what stands between them.

use crate::scan::matcher::evidence;

/// The values of digits.
pub(in crate::scan) fn digits(text: &[u8]) -> impl DoubleEndedIterator<Item = u32> + Clone + '_ {
    text.iter()
        .filter(|byte| byte.is_ascii_digit())
        .map(|byte| u32::from(byte - b'0'))
}

/// The digits as one number.
pub(in crate::scan) fn value(text: &[u8]) -> u64 {
    digits(text).fold(0, |value: u64, digit| {
        value.wrapping_mul(10).wrapping_add(u64::from(digit))
    })
}

/// The digits, each by its weight, together.
pub(in crate::scan) fn weighted(text: &[u8], weights: &[u32]) -> u32 {
    digits(text)
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum()
}

/// Whether the last digit is `expected` of those before it.
pub(in crate::scan) fn last_is(text: &[u8], expected: impl Fn(&[u8]) -> u32) -> bool {
    let Some((last, body)) = text.split_last() else {
        return false;
    };
    last.is_ascii_digit() && u32::from(last - b'0') == expected(body)
}

/// The check of ISO/IEC 7812-1.
pub(in crate::scan) fn luhn(text: &[u8]) -> bool {
    evidence::luhn(text)
}

/// ISO 7064, MOD 11,10.
pub(in crate::scan) fn mod11_10(text: &[u8]) -> bool {
    last_is(text, |body| {
        let product = digits(body).fold(10, |product, digit| {
            let sum = (digit + product) % 10;
            (if sum == 0 { 10 } else { sum }) * 2 % 11
        });
        (11 - product) % 10
    })
}

/// The check of EAN-13, which others use too: 1 and 3 in turn, counted from the end.
pub(in crate::scan) fn ean(text: &[u8]) -> bool {
    let sum: u32 = digits(text)
        .rev()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    sum.is_multiple_of(10)
}

/// The dihedral check of Verhoeff.
pub(in crate::scan) fn verhoeff(text: &[u8]) -> bool {
    let places = PERMUTED.iter().cycle();
    let permuted = digits(text).rev().zip(places).map(|(digit, permuted)| {
        let permuted = permuted.get(digit as usize);
        u32::from(permuted.copied().unwrap_or_default())
    });
    permuted.fold(0, dihedral) == 0
}

/// The digits as they count at each place: each time permuted once more.
static PERMUTED: [[u8; 10]; 8] = permuted();

const fn permuted() -> [[u8; 10]; 8] {
    const ONCE: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut all = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]; 8];
    let mut place = 1;
    while place < 8 {
        let mut digit = 0;
        while digit < 10 {
            #[expect(clippy::indexing_slicing, reason = "eight places, ten digits")]
            {
                all[place][digit] = ONCE[all[place - 1][digit] as usize];
            }
            digit += 1;
        }
        place += 1;
    }
    all
}

/// The product of two symmetries of a pentagon.
const fn dihedral(left: u32, right: u32) -> u32 {
    match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right) % 5,
        (false, true) => 5 + (left - right) % 5,
        (false, false) => (left + 5 - right) % 5,
    }
}

/// Whether there is such a day. The year is of two digits or four.
pub(in crate::scan) fn is_day(year: u64, month: u64, day: u64) -> bool {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        || year == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Whether six digits are year, month and day.
pub(in crate::scan) fn is_ymd(text: &[u8]) -> bool {
    parts(text, [2, 2, 2]).is_some_and(|[year, month, day]| is_day(year, month, day))
}

/// Whether six digits are day, month and year.
pub(in crate::scan) fn is_dmy(text: &[u8]) -> bool {
    parts(text, [2, 2, 2]).is_some_and(|[day, month, year]| is_day(year, month, day))
}

/// The numbers that the first digits are, in parts of these lengths.
pub(in crate::scan) fn parts<const N: usize>(text: &[u8], lengths: [usize; N]) -> Option<[u64; N]> {
    let mut rest = text;
    let mut parts = [0; N];
    for (part, length) in parts.iter_mut().zip(lengths) {
        let (digits, after) = rest.split_at_checked(length)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        *part = value(digits);
        rest = after;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_published_vectors() {
        assert!(verhoeff(b"2363") && !verhoeff(b"2364"));
        assert!(verhoeff(b"758722"));
        assert!(mod11_10(b"86095742719") && !mod11_10(b"86095742718"));
        assert!(ean(b"4006381333931") && !ean(b"4006381333932"));
        assert_eq!(digits(b"1a2").collect::<Vec<_>>(), [1, 2]);
        assert!(is_day(2024, 2, 29) && !is_day(2023, 2, 29) && !is_day(90, 13, 1));
        assert!(is_ymd(b"811218") && is_dmy(b"311299") && !is_dmy(b"320199"));
        assert_eq!(parts(b"19901231x", [4, 2, 2]), Some([1990, 12, 31]));
    }
}
