//! Decimal numbers as they are written, compared exactly.

use std::cmp::Ordering;
use std::fmt;

/// A number in the grammar of JSON (RFC 8259, section 6), of any size: no double stands between what a caller
/// writes and what a policy compares it with.
#[derive(Debug, Clone)]
pub struct Decimal {
    /// As it was written.
    text: Box<str>,
    sign: Sign,
    /// The significant digits: none at the ends is zero.
    digits: Box<[u8]>,
    /// The number is 0.DIGITS times ten to this.
    exponent: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Minus,
    Zero,
    Plus,
}

impl Decimal {
    /// Reads a number; `None` of anything that is not one in JSON.
    pub fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, power(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, digits(fraction)?),
            None => (mantissa, &[][..]),
        };
        let whole = digits(whole)?;
        if whole.len() > 1 && whole.starts_with(b"0") {
            return None;
        }
        let all = || whole.iter().chain(fraction);
        let leading = all().take_while(|digit| **digit == b'0').count();
        let mut digits: Vec<u8> = all().skip(leading).copied().collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let sign = match (digits.is_empty(), unsigned.len() < text.len()) {
            (true, _) => Sign::Zero,
            (false, true) => Sign::Minus,
            (false, false) => Sign::Plus,
        };
        let places = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Some(Self {
            text: text.into(),
            sign,
            digits: digits.into(),
            exponent: exponent
                .saturating_add(places(whole.len()))
                .saturating_sub(places(leading)),
        })
    }
}

impl Decimal {
    /// What sorts as the number without its sign does: without zeros at their ends, the digits of two numbers
    /// of one exponent sort as texts.
    const fn size(&self) -> (i64, &[u8]) {
        (self.exponent, &self.digits)
    }
}

/// One digit or more.
fn digits(text: &str) -> Option<&[u8]> {
    let bytes = text.as_bytes();
    (!bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)).then_some(bytes)
}

/// What stands behind the `e`. A power that no number in use has is as large as they get here.
fn power(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let power = digits(unsigned)?.iter().fold(0_i64, |power, digit| {
        let digit = i64::from(digit - b'0');
        power.saturating_mul(10).saturating_add(digit)
    });
    let power = power.min(i64::MAX / 4);
    Some(if text.starts_with('-') { -power } else { power })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sign.cmp(&other.sign).then_with(|| match self.sign {
            Sign::Zero => Ordering::Equal,
            Sign::Plus => self.size().cmp(&other.size()),
            Sign::Minus => other.size().cmp(&self.size()),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn numbers_are_those_of_json() {
        for bad in [
            "", "-", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "1e1.5", "0x10", "1_000", "NaN",
            "Infinity", " 1", "1 ", "--1", "1..2", "1e5e5", "\u{661}",
        ] {
            assert!(Decimal::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_written_otherwise_may_be_the_same() {
        for (one, other) in [
            ("0", "-0.000e99"),
            ("1", "1.0"),
            ("100", "1e2"),
            ("100", "1E+2"),
            ("0.01", "1e-2"),
            ("-12.50", "-125e-1"),
        ] {
            assert_eq!(number(one), number(other));
        }
    }

    #[test]
    fn no_digit_is_too_many() {
        let ascending = [
            "-1e400",
            "-9007199254740993",
            "-9007199254740992",
            "-0.1",
            "0",
            "1e-99999999999999999999999",
            "1e-400",
            "0.1",
            "0.10000000000000000000000000000001",
            "250000",
            "250000.00000000001",
            "9007199254740992",
            "9007199254740992.5",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "18446744073709551617",
            "1e400",
            "1e99999999999999999999999",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (place, other) in ascending.iter().enumerate() {
                assert_eq!(
                    number(one).cmp(&number(other)),
                    at.cmp(&place),
                    "{one} {other}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_sort_as_they_are(one: i64, other: i64) {
            let (left, right) = (number(&one.to_string()), number(&other.to_string()));
            prop_assert_eq!(left.cmp(&right), one.cmp(&other));
        }

        #[test]
        fn doubles_sort_as_they_are(
            one in any::<f64>().prop_filter("finite", |x| x.is_finite()),
            other in any::<f64>().prop_filter("finite", |x| x.is_finite()),
        ) {
            let (left, right) = (number(&format!("{one:?}")), number(&format!("{other:?}")));
            prop_assert_eq!(left.cmp(&right), one.partial_cmp(&other).unwrap());
        }
    }
}
