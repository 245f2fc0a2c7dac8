//! JSON Web Tokens (RFC 7519): confirmed at the `eyJ` of the payload, then swallowed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::judge::{Cursor, Verdict};
use super::run::Run;
use super::set::Set;
use super::view::View;
use super::work;

/// The longest header that is waited for. A header with a certificate chain in it (`x5c`) is longer and is
/// not recognised: nearly nobody issues those as bearer tokens, and the hold must end somewhere.
const MAX_HEADER: u64 = 1024;

/// Judges what follows the `eyJ` of a header.
pub(super) fn judge(view: &View<'_>, cursor: Cursor) -> Verdict {
    let start = cursor.start;
    let seen = cursor.at - start;
    let at = cursor.at + view.run(cursor.at, Set::BASE64_URL, MAX_HEADER - seen + 1);
    if at - start > MAX_HEADER {
        return Verdict::Dead;
    }
    for (offset, wanted) in (at..).zip(b".eyJ") {
        match view.at(offset) {
            Some(byte) if byte == *wanted => {}
            None if !view.ended() => {
                let mut cursor = Cursor { at, ..cursor };
                if offset == at {
                    cursor = cursor.asleep(Run::Set(Set::BASE64_URL), start + MAX_HEADER);
                }
                return Verdict::Open {
                    cursor,
                    hold: start,
                };
            }
            Some(_) | None => return Verdict::Dead,
        }
    }
    // Many an `eyJ` may stand in one header. What is not named in all of it is not named in the end of it.
    let runs = view.runs();
    if runs.is_some_and(|runs| runs.is_headless(start, at)) {
        return Verdict::Dead;
    }
    work::note(at - start);
    if names_algorithm(view.slice(start, at)) {
        return Verdict::Swallow { start, end: at + 4 };
    }
    if let Some(runs) = runs {
        runs.note_headless(start, at);
    }
    Verdict::Dead
}

/// RFC 7515, section 4.1.1: a header without `alg` is no header.
fn names_algorithm(rest_of_header: &[u8]) -> bool {
    let header = [b"eyJ", rest_of_header].concat();
    URL_SAFE_NO_PAD
        .decode(header)
        .is_ok_and(|json| memchr::memmem::find(&json, b"\"alg\"").is_some())
}
