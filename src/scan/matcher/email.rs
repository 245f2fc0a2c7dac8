//! E-mail addresses: the `@` is found first, the local part stands before it.

use super::judge::{Cursor, Verdict};
use super::run::Run;
use super::set::Set;
use super::view::View;
use super::work;

/// RFC 5321, section 4.5.3.1.1.
const MAX_LOCAL: u64 = 64;
/// RFC 5321, section 4.5.3.1.2.
const MAX_DOMAIN: u64 = 255;
const MAX_USER_INFO: u64 = 64;

/// Whether the byte may stand in the local part of an address, as addresses are given to people. RFC 5322 allows
/// more, but `=`, `/` and `'` are much more often what stands around an address.
pub(super) const fn is_local(byte: u8) -> bool {
    LOCAL.contains(byte) || matches!(byte, b'+' | b'%')
}

const LOCAL: Set = Set::BASE64_URL.or(Set::DOT);
const DOMAIN: Set = Set::ALNUM.or(Set::DASH).or(Set::DOT);

/// The candidate whose `@` stands at an offset, if what is before it can be a local part.
pub(super) fn open(view: &View<'_>, at_sign: u64) -> Option<Cursor> {
    let start = word(view, at_sign)?;
    let local = view.slice(start, at_sign);
    let is_well_formed = local.first().is_some_and(u8::is_ascii_alphanumeric)
        && !local.ends_with(b".")
        && !local.windows(2).any(|pair| pair == b"..");
    let is_remote = [&b"git"[..], b"hg", b"svn"].contains(&local);
    if !is_well_formed || is_remote || is_user_info(view, start) {
        return None;
    }
    Some(Cursor {
        at: at_sign + 1,
        ..Cursor::new(start)
    })
}

/// Where the word that ends at an offset begins, if it is a possible local part. Leading marks (`-`, `.`) are
/// part of the word, so that a list dash touching an address hides nothing.
pub(super) fn word(view: &View<'_>, end: u64) -> Option<u64> {
    let before = view.seen(end.saturating_sub(MAX_LOCAL + 1), end).iter();
    let length = before.rev().take_while(|byte| is_local(**byte)).count() as u64;
    work::note(length);
    if length == 0 || length > MAX_LOCAL {
        return None;
    }
    let mut start = end - length;
    let is_escape =
        view.before(start) == Some(b'\\') && matches!(view.at(start), Some(b'n' | b'r' | b't'));
    if is_escape {
        start += 1;
    }
    let length = end - start;
    let marks = view
        .slice(start, end)
        .iter()
        .take_while(|byte| !byte.is_ascii_alphanumeric())
        .count() as u64;
    (view.before(start) != Some(b'@') && marks < length).then_some(start + marks)
}

/// Judges the domain after the `@`.
pub(super) fn judge(view: &View<'_>, cursor: Cursor) -> Verdict {
    let run = view.run(cursor.at, DOMAIN, MAX_DOMAIN + 1);
    let end = cursor.at + run;
    if run > MAX_DOMAIN {
        return Verdict::Dead;
    }
    match view.at(end) {
        Some(b'@' | b'_') => return Verdict::Dead,
        None if !view.ended() => {
            return Verdict::Open {
                cursor: cursor.asleep(Run::Set(DOMAIN), cursor.at + MAX_DOMAIN),
                hold: cursor.start,
            };
        }
        Some(_) | None => {}
    }
    let run = view.slice(cursor.at, end);
    let marks = run
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'.' | b'-'))
        .count();
    let domain = run.get(..run.len() - marks).unwrap_or_default();
    if is_domain(domain) && !is_reserved(domain) {
        Verdict::Hit {
            start: cursor.start,
            end: cursor.at + domain.len() as u64,
        }
    } else {
        Verdict::Dead
    }
}

/// `user@host` and `user:password@host` after `//` belong to a URL.
fn is_user_info(view: &View<'_>, start: u64) -> bool {
    for back in 1..=MAX_USER_INFO {
        match start.checked_sub(back).and_then(|at| view.at(at)) {
            Some(b'/') => {
                return start.checked_sub(back + 1).and_then(|at| view.at(at)) == Some(b'/');
            }
            Some(byte) if is_local(byte) || matches!(byte, b':' | b'~' | b'!' | b'$' | b'&') => {}
            Some(_) | None => return false,
        }
    }
    false
}

fn is_domain(domain: &[u8]) -> bool {
    let mut labels = domain.split(|byte| *byte == b'.');
    let is_well_formed = labels.clone().count() >= 2
        && labels.clone().all(|label| {
            (1..=63).contains(&label.len()) && !label.starts_with(b"-") && !label.ends_with(b"-")
        });
    let top = domain
        .rsplit(|byte| *byte == b'.')
        .next()
        .unwrap_or_default();
    let is_top = (top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic))
        || top
            .get(..4)
            .is_some_and(|ace| ace.eq_ignore_ascii_case(b"xn--"));
    // `pkg@1.2.0-beta.rc`, but also the mail provider `163.com`.
    let is_version = labels
        .by_ref()
        .take(2)
        .all(|label| label.first().is_some_and(u8::is_ascii_digit));
    is_well_formed && is_top && !is_version && !is_file_type(top)
}

/// Endings of `logo@2x.png`, `getty@tty2.service` and the like. None of them is a top-level domain.
fn is_file_type(top: &[u8]) -> bool {
    const FILE_TYPES: [&[u8]; 22] = [
        b"automount",
        b"avif",
        b"bmp",
        b"css",
        b"device",
        b"gif",
        b"htm",
        b"html",
        b"ico",
        b"jpeg",
        b"jpg",
        b"js",
        b"json",
        b"mount",
        b"png",
        b"scope",
        b"service",
        b"slice",
        b"socket",
        b"svg",
        b"timer",
        b"webp",
    ];
    FILE_TYPES.iter().any(|kind| top.eq_ignore_ascii_case(kind))
}

/// The names that RFC 2606 and RFC 6761 keep for documentation and tests.
pub(super) fn is_reserved(domain: &[u8]) -> bool {
    const RESERVED: [&[u8]; 7] = [
        b"example",
        b"example.com",
        b"example.net",
        b"example.org",
        b"invalid",
        b"localhost",
        b"test",
    ];
    RESERVED.iter().any(|name| {
        domain
            .len()
            .checked_sub(name.len())
            .and_then(|at| domain.split_at_checked(at))
            .is_some_and(|(before, last)| {
                last.eq_ignore_ascii_case(name) && (before.is_empty() || before.ends_with(b"."))
            })
    })
}
