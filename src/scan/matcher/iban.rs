//! International bank account numbers (ISO 13616): the country code is the anchor, check digits and
//! account are protected.

use super::judge::{Cursor, Verdict};
use super::kind::Kind;
use super::set::Set;
use super::view::View;
use crate::model::iban;

/// Judges what follows a country code: bare, or in groups of four with a space or a dash between.
pub(super) fn judge(kind: &Kind, view: &View<'_>, cursor: Cursor) -> Verdict {
    let start = cursor.start;
    let Some(country) = country(view, start, kind) else {
        return Verdict::Dead;
    };
    let wanted = iban::length(country).unwrap_or_default();
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
    iban::mod97(account.chain(country).chain(check)) == 1
}
