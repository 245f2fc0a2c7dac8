//! Telephone numbers: digits in groups that people make as they like, so their count decides (ITU-T E.164).

use super::super::card;
use super::super::set::Set;
use super::super::view::View;
use super::pattern::Fit;

/// The longest number of all, and a zero that is dialled within the country only.
const MAX_DIGITS: usize = 16;
/// Without the code of a country.
const NATIONAL: std::ops::RangeInclusive<usize> = 7..=12;
/// `) ` and the like.
const MAX_MARKS: u64 = 2;

/// The groups of digits from an offset on.
struct Groups {
    digits: Vec<u8>,
    /// Where each group ends, and how many digits there are up to there.
    ends: Vec<(u64, usize)>,
    /// Whether the last group, or one more, may still come.
    is_open: bool,
}

/// How far a number goes whose country begins here, behind a `+`.
pub(super) fn international(view: &View<'_>, start: u64) -> Fit {
    let is_dialled = start.checked_sub(1).is_some_and(|plus| {
        let is_base64 = view
            .before(plus)
            .is_some_and(|byte| Set::BASE64_MARKS.contains(byte));
        view.at(plus) == Some(b'+') && view.is_word_start(plus) && !is_base64
    });
    if !is_dialled {
        return Fit::No;
    }
    let groups = Groups::of(view, start, most_with_country);
    groups.longest(view, is_international)
}

/// How far a number goes that is dialled from here.
pub(super) fn national(view: &View<'_>, start: u64) -> Fit {
    // It is the rest of a longer one, which is none.
    let is_rest = matches!(view.before(start), Some(b' ' | b'/' | b'('))
        && start
            .checked_sub(2)
            .and_then(|at| view.at(at))
            .is_some_and(|byte| byte.is_ascii_digit());
    if is_rest || view.before(start) == Some(b'+') {
        return Fit::No;
    }
    let groups = Groups::of(view, start, |digits| {
        if digits.starts_with(b"00") {
            MAX_DIGITS
        } else {
            *NATIONAL.end()
        }
    });
    match groups.longest(view, is_national) {
        Fit::To(end) if is_other(view.slice(start, end)) => Fit::No,
        fit => fit,
    }
}

/// Whether digits are a number with the code of its country.
pub(in crate::scan) fn is_international(digits: &[u8]) -> bool {
    let Some((code, rest)) = country(digits) else {
        return false;
    };
    // Written in brackets for those who dial from within: `+49 (0)30`.
    let rest = match rest.strip_prefix(b"0") {
        Some(rest) if code != 39 => rest,
        _ => rest,
    };
    let (least, most) = lengths(code);
    (least..=most).contains(&rest.len())
        && (code != 1 || is_american(rest))
        && !is_fictional(code, rest)
}

/// Whether digits may be a number without the code of its country.
pub(in crate::scan) fn is_national(digits: &[u8]) -> bool {
    match digits.strip_prefix(b"00") {
        Some(digits) if digits.len() > 8 => is_international(digits),
        _ => {
            let is_american_one = digits.len() == 10 && is_american(digits);
            NATIONAL.contains(&digits.len())
                && (!digits.starts_with(b"1") || digits.len() >= 10)
                && !(is_american_one && is_fictional(1, digits))
                && !digits
                    .strip_prefix(b"0")
                    .is_some_and(|digits| is_fictional(44, digits))
        }
    }
}

impl Groups {
    /// Reads groups until there are more digits than `most` allows.
    fn of(view: &View<'_>, start: u64, most: impl Fn(&[u8]) -> usize) -> Self {
        let mut groups = Self {
            digits: Vec::new(),
            ends: Vec::new(),
            is_open: false,
        };
        let mut at = start;
        loop {
            while let Some(digit) = view.at(at).filter(u8::is_ascii_digit) {
                groups.digits.push(digit);
                at += 1;
                if groups.digits.len() > most(&groups.digits) {
                    return groups;
                }
            }
            if at == view.end() && !view.ended() {
                groups.is_open = true;
                return groups;
            }
            groups.ends.push((at, groups.digits.len()));
            let marks = view.slice(at, at + MAX_MARKS + 1);
            let count = marks
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')'))
                .count() as u64;
            at += count;
            if at == view.end() && !view.ended() {
                groups.is_open = count <= MAX_MARKS;
                return groups;
            }
            let goes_on = (1..=MAX_MARKS).contains(&count)
                && view.at(at).is_some_and(|byte| byte.is_ascii_digit());
            if !goes_on {
                return groups;
            }
        }
    }

    /// The longest beginning that is a number, and does not go on as something else.
    fn longest(&self, view: &View<'_>, is_number: fn(&[u8]) -> bool) -> Fit {
        if self.is_open {
            return Fit::Open;
        }
        for (nth, (end, count)) in self.ends.iter().enumerate().rev() {
            if !self.digits.get(..*count).is_some_and(is_number) {
                continue;
            }
            match card::continues(view, *end) {
                None => return Fit::Open,
                Some(false) => return Fit::To(*end),
                // Written without groups it is over at a blank, whatever number stands behind that.
                Some(true) if nth == 0 && view.at(*end) == Some(b' ') => return Fit::To(*end),
                Some(true) => {}
            }
        }
        Fit::No
    }
}

/// Dates and addresses of the net are written like numbers in groups.
fn is_other(text: &[u8]) -> bool {
    let groups: Vec<&[u8]> = text
        .split(|byte| !byte.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let is_year = |group: Option<&&[u8]>| {
        group.is_some_and(|group| group.starts_with(b"19") || group.starts_with(b"20"))
    };
    match lengths.as_slice() {
        [4, 2, 2, ..] => is_year(groups.first()),
        [1 | 2, 1 | 2, 4] => is_year(groups.last()),
        [_, _] => text.contains(&b'.'),
        [_, _, _, _] => text.iter().filter(|byte| **byte == b'.').count() == 3,
        _ => false,
    }
}

/// How many digits a number that begins so may have.
fn most_with_country(digits: &[u8]) -> usize {
    match country(digits) {
        Some((code, rest)) => {
            let (_, most) = lengths(code);
            let zero = usize::from(rest.starts_with(b"0") && code != 39);
            digits.len() - rest.len() + most + zero
        }
        // Not known yet, or no country.
        None if digits.len() < 3 => MAX_DIGITS,
        None => 0,
    }
}

/// The code of the country, and what follows it.
fn country(digits: &[u8]) -> Option<(u16, &[u8])> {
    let length = match digits {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        [b'2', b'1'..=b'6' | b'9', _, ..]
        | [b'3', b'5' | b'7' | b'8', _, ..]
        | [b'4', b'2', b'0' | b'1' | b'3', ..]
        | [b'5', b'0' | b'9', _, ..]
        | [b'6', b'7'..=b'9', _, ..]
        | [b'8', b'5' | b'8', _, ..]
        | [b'9', b'6' | b'7', _, ..]
        | [b'9', b'9', b'2'..=b'6' | b'8', ..] => 3,
        _ => return None,
    };
    let (code, rest) = digits.split_at_checked(length)?;
    let code = code
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    Some((code, rest))
}

/// The shortest and the longest number of people in a country, without its code.
const fn lengths(code: u16) -> (usize, usize) {
    match code {
        1 | 7 | 30 | 52 | 57 | 58 | 90 | 91 | 98 | 234 | 964 => (10, 10),
        27 | 31 | 33 | 34 | 40 | 41 | 48 | 56 | 61 | 93 | 94 | 212 | 351 | 375 | 380 | 420
        | 421 | 595 | 963 | 966 | 967 | 970 | 992 | 994 | 995 | 996 | 998 => (9, 9),
        45 | 47 | 53 | 65 | 216 | 350 | 356 | 357 | 370 | 371 | 373 | 374 | 382 | 383 | 386
        | 387 | 389 | 598 | 852 | 853 | 965 | 968 | 973 | 974 | 975 | 976 | 993 => (8, 8),
        20 | 60 | 63 | 64 | 82 | 856 | 880 | 977 => (8, 10),
        32 | 36 | 51 | 66 | 353 | 355 | 377 | 381 | 385 | 593 | 855 | 886 | 962 | 971 | 972 => {
            (8, 9)
        }
        39 => (8, 11),
        43 => (7, 13),
        44 | 81 | 84 | 92 => (9, 10),
        46 => (7, 10),
        49 => (7, 11),
        54 | 55 => (10, 11),
        62 => (8, 12),
        86 => (10, 11),
        95 => (7, 10),
        352 | 376 | 378 => (6, 10),
        358 => (6, 11),
        372 => (7, 8),
        960 => (7, 7),
        961 => (7, 8),
        _ => (7, 9),
    }
}

/// North America: neither area nor exchange begins with 0 or 1, and `X11` are services.
fn is_american(digits: &[u8]) -> bool {
    let [a, a2, a3, e, e2, e3, ..] = digits else {
        return false;
    };
    let is_service = |second: &u8, third: &u8| *second == b'1' && *third == b'1';
    *a >= b'2' && *e >= b'2' && !is_service(a2, a3) && !is_service(e2, e3)
}

/// What is kept for films and documentation, and nobody has.
fn is_fictional(code: u16, digits: &[u8]) -> bool {
    const BRITISH: [&[u8]; 13] = [
        b"1632960", b"7700900", b"2079460", b"1134960", b"1144960", b"1154960", b"1164960",
        b"1174960", b"1184960", b"1214960", b"1314960", b"1414960", b"1614960",
    ];
    const FRENCH: [&[u8]; 6] = [b"19900", b"26191", b"35301", b"46571", b"53649", b"63998"];
    const GERMAN: [&[u8]; 3] = [b"3023125", b"17139200", b"15228817386"];
    let begins = |with: &[&[u8]]| with.iter().any(|start| digits.starts_with(start));
    match code {
        1 => digits.get(3..8) == Some(b"55501"),
        33 => begins(&FRENCH),
        44 => begins(&BRITISH),
        49 => begins(&GERMAN),
        61 => begins(&[b"491570"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_say_how_long_a_number_is() {
        for number in [
            "14155552671",
            "491512345678",
            "4930901820",
            "49030901820",
            "33612345678",
            "31612345678",
            "390612345678",
            "5511987654321",
            "35850123456",
        ] {
            assert!(is_international(number.as_bytes()), "{number}");
        }
        for number in [
            "12125550123",
            "1155552671",
            "0100",
            "4412",
            "999123456789",
            "442079460123",
            "15551",
            "336123456789",
        ] {
            assert!(!is_international(number.as_bytes()), "{number}");
        }
    }

    #[test]
    fn a_number_ends_with_the_group_that_completes_it() {
        for (text, end) in [
            ("+49 30 90182023 2024", Some(15)),
            ("+49 (0)30 9018-2023, or", Some(19)),
            ("+1-415-555-2671.", Some(15)),
            ("+33 6 12 34 56 78 9", Some(17)),
            ("+1 415 555 26711", None),
            ("+1 415 555 2671x", None),
            ("+3161234567a", None),
        ] {
            let view = View::new(text.as_bytes(), 0, 0, true);
            let expected = end.map_or(Fit::No, Fit::To);
            assert_eq!(international(&view, 1), expected, "{text}");
        }
    }

    #[test]
    fn dates_and_addresses_are_no_numbers() {
        for text in ["2024-01-31", "31.12.1999", "192.168.1.100", "12345678.25"] {
            assert!(is_other(text.as_bytes()), "{text}");
        }
        assert!(!is_other(b"06.12.34.56.78"));
        assert!(!is_other(b"030 1234567"));
    }
}
