//! PEM private keys (RFC 7468, and the older forms of RFC 1421 and RFC 4880): confirmed at the beginning of
//! their body, then swallowed to the END mark.

use super::judge::{Cursor, Verdict};
use super::set::Set;
use super::view::View;

/// `RSA `, `OPENSSH `, `ENCRYPTED `, `PGP ` ... before and ` BLOCK` after.
const MAX_LABEL: u64 = 40;
/// Line ends, indentation, quotes and escapes between two lines.
const MAX_LEAD: u64 = 48;
/// Bytes of base64 that no placeholder has in one piece.
const LEAST_BODY: u64 = 24;
/// The longest name of a header line, as in `Proc-Type: 4,ENCRYPTED`.
const MAX_HEADER_NAME: u64 = 20;

/// Judges what follows `-----BEGIN `.
pub(super) fn judge(view: &View<'_>, cursor: Cursor) -> Verdict {
    let label = view.run(cursor.start, Set::UPPER_ALNUM.or(Set::SPACE), MAX_LABEL + 1);
    let dashes = cursor.start + label;
    if label > MAX_LABEL {
        return Verdict::Dead;
    }
    let run = view.run(dashes, Set::DASH, 5);
    if run < 5 {
        // Nothing is protected before the dashes.
        return wait(view, cursor, dashes + run, view.end());
    }
    let label = view.slice(cursor.start, dashes);
    if !(label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK")) {
        return Verdict::Dead;
    }
    body(view, cursor, dashes + 5)
}

fn body(view: &View<'_>, cursor: Cursor, start: u64) -> Verdict {
    let at = match lead(view, start) {
        Ok(at) => at,
        Err(at) if at - start > MAX_LEAD => return Verdict::Dead,
        Err(at) => return wait(view, cursor, at, start),
    };
    let run = view.run(at, Set::BASE64, LEAST_BODY);
    let end = at + run;
    if run == LEAST_BODY && has_variety(view.slice(at, end)) {
        return Verdict::Swallow { start, end };
    }
    if run == LEAST_BODY {
        return Verdict::Dead;
    }
    let name = view.run(at, Set::LETTER.or(Set::DASH), MAX_HEADER_NAME);
    let colon = at + name;
    if name > 3 && view.at(colon) == Some(b':') {
        return Verdict::Swallow {
            start,
            end: colon + 1,
        };
    }
    wait(view, cursor, end.max(colon), start)
}

/// Still open if all that is seen was looked at, else dead.
fn wait(view: &View<'_>, cursor: Cursor, looked_at: u64, hold: u64) -> Verdict {
    if looked_at >= view.end() && !view.ended() {
        Verdict::Open { cursor, hold }
    } else {
        Verdict::Dead
    }
}

/// Passes over what may stand between two lines; an error says how far the view reached.
fn lead(view: &View<'_>, start: u64) -> Result<u64, u64> {
    let mut at = start;
    while at - start <= MAX_LEAD {
        match view.at(at) {
            Some(b'\\') if view.at(at + 1).is_none() => return Err(view.end()),
            Some(b'\\') if view.at(at + 1) == Some(b'\\') => at += 1,
            Some(b'\\') => at += 2,
            Some(
                b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b'>' | b'|' | b'#' | b'*',
            ) => {
                at += 1;
            }
            Some(_) => return Ok(at),
            None => return Err(at),
        }
    }
    Err(at)
}

/// `xxxxxxxx` and `AAAAAAAA` are no keys.
fn has_variety(body: &[u8]) -> bool {
    let mut seen = 0_u128;
    for byte in body {
        seen |= 1 << (byte & 0x7F);
    }
    seen.count_ones() >= 8
}
