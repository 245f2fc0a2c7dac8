//! International bank account numbers (ISO 13616): the country code is the anchor, check digits and
//! account are protected.

use super::evidence;
use super::judge::{Cursor, Verdict};
use super::kind::Kind;
use super::set::Set;
use super::view::View;

/// Judges what follows a country code: bare, or in groups of four with a space or a dash between.
pub(super) fn judge(kind: &Kind, view: &View<'_>, cursor: Cursor) -> Verdict {
    let start = cursor.start;
    let Some(country) = country(view, start, kind) else {
        return Verdict::Dead;
    };
    let wanted = length(country).unwrap_or_default();
    let mut taken = 2_u8;
    let mut at = start;
    let mut separator = None;
    while taken < wanted {
        let Some(byte) = view.at(at) else {
            return if view.ended() {
                Verdict::Dead
            } else {
                Verdict::Open {
                    cursor,
                    hold: start,
                }
            };
        };
        let is_group_end = taken.is_multiple_of(4) && view.before(at) != separator;
        match byte {
            b'0'..=b'9' => taken += 1,
            b'A'..=b'Z' if taken >= 4 => taken += 1,
            b' ' | b'-' if is_group_end && (taken == 4 || separator == Some(byte)) => {
                separator = Some(byte);
                at += 1;
                continue;
            }
            _ => return Verdict::Dead,
        }
        if is_group_end && taken > 5 && separator.is_some() {
            return Verdict::Dead;
        }
        at += 1;
    }
    match view.at(at) {
        Some(byte) if Set::WORD.or(Set::DASH).contains(byte) => Verdict::Dead,
        None if !view.ended() => Verdict::Open {
            cursor,
            hold: start,
        },
        Some(_) | None if is_valid(country, view.slice(start, at)) => {
            Verdict::Hit { start, end: at }
        }
        Some(_) | None => Verdict::Dead,
    }
}

/// The two bytes before the check digits. They may have left the view, so every country is an
/// anchor of its own and the kind is asked only whether it knows it.
fn country(view: &View<'_>, start: u64, kind: &Kind) -> Option<[u8; 2]> {
    let first = start.checked_sub(2).and_then(|at| view.at(at))?;
    let code = [first, view.before(start)?];
    kind.anchors
        .iter()
        .any(|anchor| anchor.as_bytes() == code)
        .then_some(code)
}

/// ISO 13616: the country code and the check digits go to the end, and the remainder by 97 is 1.
fn is_valid(country: [u8; 2], rest: &[u8]) -> bool {
    let compact = rest.iter().copied().filter(u8::is_ascii_alphanumeric);
    let account = compact.clone().skip(2);
    let check = compact.take(2);
    evidence::mod97(account.chain(country).chain(check)) == 1
}

/// The whole length of a number of this country, from the SWIFT registry.
pub(in crate::scan) fn length(country: [u8; 2]) -> Option<u8> {
    LENGTHS
        .iter()
        .find(|(code, _)| code.as_bytes() == country)
        .map(|(_, length)| *length)
}

/// Country codes and lengths.
pub(in crate::scan) const LENGTHS: [(&str, u8); 82] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
];
