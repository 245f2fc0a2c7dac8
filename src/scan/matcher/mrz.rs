//! The lines of a passport or identity card that machines read (ICAO Doc 9303): two of 44 or 36 characters, three of 30.

use super::judge::{Cursor, Verdict};
use super::run::Run;
use super::view::View;

/// The kind of the document and the first letter of its state, which are public.
pub(super) const ANCHOR: usize = 3;
/// The longest line.
const LONGEST: usize = 44;
/// The passport of the specification.
const SPECIMENS: [&[u8]; 2] = [b"L898902C", b"D23145890"];

/// Judges what follows the kind of a document.
pub(super) fn judge(view: &View<'_>, cursor: Cursor) -> Verdict {
    let start = cursor.start;
    let open = Verdict::Open {
        cursor,
        hold: start,
    };
    let mut at = start;
    let first = line(view, at);
    at += first.len() as u64;
    if at == view.end() && !view.ended() && first.len() + ANCHOR <= LONGEST {
        return Verdict::Open {
            cursor: cursor.asleep(Run::Line, start + (LONGEST - ANCHOR) as u64),
            hold: start,
        };
    }
    let length = first.len() + ANCHOR;
    let count = match length {
        30 => 3,
        36 | 44 => 2,
        _ => return Verdict::Dead,
    };
    let mut lines = vec![first];
    while lines.len() < count {
        let Some(broken) = line_break(view, at) else {
            return if view.end() - at < 3 && !view.ended() {
                open
            } else {
                Verdict::Dead
            };
        };
        at += broken;
        let next = view.slice(at, at + length as u64);
        let is_whole = next.len() == length && next.iter().all(|byte| is_of_line(*byte));
        if !is_whole {
            let is_cut = at + line(view, at).len() as u64 == view.end() && !view.ended();
            return if is_cut { open } else { Verdict::Dead };
        }
        at += length as u64;
        match goes_on(view, at) {
            None => return open,
            Some(true) => return Verdict::Dead,
            Some(false) => {}
        }
        lines.push(next);
    }
    let is_valid = match lines.as_slice() {
        [first, second, _] => is_card(first, second),
        [_, second] => is_passport(second),
        _ => false,
    };
    if is_valid {
        Verdict::Hit { start, end: at }
    } else {
        Verdict::Dead
    }
}

/// The characters of a line from an offset on, and one more if there are too many.
fn line<'a>(view: &View<'a>, at: u64) -> &'a [u8] {
    let rest = view.slice(at, at + LONGEST as u64 + 1);
    let length = rest.iter().take_while(|byte| is_of_line(**byte)).count();
    rest.get(..length).unwrap_or_default()
}

pub(super) const fn is_of_line(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<'
}

/// Whether a line is longer than it may be. A `<` may also begin the tag that ends an element.
fn goes_on(view: &View<'_>, end: u64) -> Option<bool> {
    let known = |at: u64| match view.at(at) {
        None if !view.ended() => None,
        byte => Some(byte),
    };
    match known(end)? {
        Some(b'<') => Some(known(end + 1)?.is_none_or(is_of_line)),
        Some(byte) => Some(is_of_line(byte)),
        None => Some(false),
    }
}

/// How long the end of a line is: as it stands, or escaped in JSON in JSON.
fn line_break(view: &View<'_>, at: u64) -> Option<u64> {
    let rest = view.slice(at, at + 4);
    [&b"\r\n"[..], b"\n", b"\\r\\n", b"\\n"]
        .into_iter()
        .find(|end| rest.starts_with(end))
        .map(|end| end.len() as u64)
}

/// Number, birth and expiry, and all of it, each with its check digit.
fn is_passport(line: &[u8]) -> bool {
    let last = line.len().saturating_sub(1);
    let part = |from: usize, to: usize| line.get(from..to).unwrap_or_default();
    let all = [part(0, 10), part(13, 20), part(21, last)].concat();
    is_checked(line, 0, 9)
        && is_checked(line, 13, 19)
        && is_checked(line, 21, 27)
        && is_digit_of(line.get(last), &all)
        && !is_specimen(line)
}

/// As [`is_passport`]; the number stands in the first line, of which the anchor is missing.
fn is_card(first: &[u8], second: &[u8]) -> bool {
    let (head, last) = (5 - ANCHOR, 29);
    let part = |from: usize, to: usize| second.get(from..to).unwrap_or_default();
    let first_rest = first.get(head..).unwrap_or_default();
    let all = [first_rest, part(0, 7), part(8, 15), part(18, last)].concat();
    is_checked(first, head, head + 9)
        && is_checked(second, 0, 6)
        && is_checked(second, 8, 14)
        && is_digit_of(second.get(last), &all)
        && !is_specimen(first)
}

fn is_specimen(line: &[u8]) -> bool {
    let holds = |specimen: &&[u8]| line.windows(specimen.len()).any(|part| part == *specimen);
    SPECIMENS.iter().any(holds)
}

fn is_checked(line: &[u8], from: usize, to: usize) -> bool {
    is_digit_of(line.get(to), line.get(from..to).unwrap_or_default())
}

fn is_digit_of(digit: Option<&u8>, text: &[u8]) -> bool {
    !text.is_empty() && digit.is_some_and(|digit| *digit == check_digit(text))
}

/// The sum of letters and digits, weighted by 7, 3 and 1.
pub(in crate::scan) fn check_digit(text: &[u8]) -> u8 {
    let sum =
        text.iter()
            .zip([7_u8, 3, 1].into_iter().cycle())
            .fold(0, |sum: u8, (byte, weight)| {
                let value = match byte {
                    b'0'..=b'9' => byte - b'0',
                    b'A'..=b'Z' => byte - b'A',
                    _ => 0,
                };
                (sum + value % 10 * weight) % 10
            });
    b'0' + sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_match_the_specimens_of_the_standard() {
        let part = |text: &str| char::from(check_digit(text.as_bytes()));
        assert_eq!(
            (part("L898902C3"), part("740812"), part("120415")),
            ('6', '2', '9')
        );
        assert_eq!(part("L898902C3674081221204159ZE184226B<<<<<1"), '0');
        assert_eq!(
            part("D231458907<<<<<<<<<<<<<<<74081221204159<<<<<<<<<<<"),
            '6'
        );
    }

    #[test]
    fn a_document_is_found_and_its_specimen_is_not() {
        let first = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<";
        let specimen = "L898902C36UTO7408122F1204159ZE184226B<<<<<10";
        let head = "K1234567";
        let number = format!("{head}9{}", char::from(check_digit(b"K12345679")));
        let body = format!("{number}UTO7408122F1204159ZE184226B<<<<<1");
        let part = |from, to| body.as_bytes().get(from..to).unwrap();
        let all = [part(0, 10), part(13, 20), part(21, body.len())].concat();
        let line = format!("{body}{}", char::from(check_digit(&all)));
        for (second, is_found) in [(specimen, false), (line.as_str(), true)] {
            let text = format!("{first}\r\n{second}");
            let view = View::new(text.as_bytes(), 0, 0, true);
            let verdict = judge(&view, Cursor::new(3));
            assert_eq!(matches!(verdict, Verdict::Hit { .. }), is_found, "{text}");
        }
    }
}
