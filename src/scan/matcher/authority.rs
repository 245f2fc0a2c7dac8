//! `scheme://user:password@host` (RFC 3986, section 3.2.1): the password is protected.

use super::judge::{Cursor, Verdict};
use super::set::Set;
use super::view::View;

const MAX_USER: u64 = 64;
const MAX_PASSWORD: u64 = 256;
const MAX_HOST: u64 = 253;
const HOST: Set = Set::WORD.or(Set::DASH).or(Set::DOT);

/// Passwords that documentation and templates put there. Exact, in any case: a list, not an
/// entropy test, because people do choose bad passwords for real databases.
const PLACEHOLDERS: [&[u8]; 12] = [
    b"changeme",
    b"mypassword",
    b"pass",
    b"passwd",
    b"password",
    b"placeholder",
    b"pwd",
    b"redacted",
    b"secret",
    b"token",
    b"yourpassword",
    b"your_password",
];

/// Judges what follows `scheme://`.
pub(super) fn judge(view: &View<'_>, cursor: Cursor) -> Verdict {
    let user_end = match part(view, cursor.start, MAX_USER, is_separator) {
        Part::Ended(b':', end) => end,
        Part::Open => return open(cursor, view.end()),
        Part::Ended(..) | Part::TooLong => return Verdict::Dead,
    };
    let start = user_end + 1;
    let mut end = match part(view, start, MAX_PASSWORD, ends_password) {
        Part::Ended(b'@', end) if end > start => end,
        Part::Open => return open(cursor, start),
        Part::Ended(..) | Part::TooLong => return Verdict::Dead,
    };
    // An `@` that should have been escaped: the last one before the path is the one that counts, as
    // most client libraries read it.
    let host_end = loop {
        let host_end = end + 1 + view.run(end + 1, HOST, MAX_HOST + 1);
        if host_end - start > MAX_PASSWORD + MAX_HOST {
            return Verdict::Dead;
        }
        match view.at(host_end) {
            Some(b'@') => end = host_end,
            None if !view.ended() => return open(cursor, start),
            Some(_) | None => break host_end,
        }
    };
    let user = view.slice(cursor.start, user_end);
    if is_placeholder(user, view.slice(start, end)) {
        return Verdict::Dead;
    }
    let host = view.slice(end + 1, host_end);
    let is_bracketed = host.is_empty() && view.at(host_end) == Some(b'[');
    if is_bracketed || (!host.is_empty() && !is_documentation(host)) {
        Verdict::Hit { start, end }
    } else {
        Verdict::Dead
    }
}

const fn open(cursor: Cursor, hold: u64) -> Verdict {
    Verdict::Open { cursor, hold }
}

enum Part {
    /// This byte stands at this offset and is not of the part.
    Ended(u8, u64),
    Open,
    TooLong,
}

/// Runs to a byte that ends the part.
fn part(view: &View<'_>, start: u64, most: u64, ends: fn(u8) -> bool) -> Part {
    for at in start..=start + most {
        match view.at(at) {
            Some(byte) if ends(byte) => return Part::Ended(byte, at),
            Some(_) => {}
            None if view.ended() => return Part::Ended(0, at),
            None => return Part::Open,
        }
    }
    Part::TooLong
}

const fn is_separator(byte: u8) -> bool {
    byte == b':' || ends_password(byte)
}

/// What cannot stand in a password here: the ends of the authority, and what encloses URLs in text.
const fn ends_password(byte: u8) -> bool {
    byte <= b' '
        || matches!(
            byte,
            b'@' | b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b'|' | b'['
        )
}

fn is_placeholder(user: &[u8], password: &[u8]) -> bool {
    let is_variable = password.starts_with(b"$")
        || password.starts_with(b"{")
        || password.starts_with(b"%s")
        || password.starts_with(b"%(");
    let is_mask = password
        .iter()
        .all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'_' | b'-'));
    is_variable
        || is_mask
        || PLACEHOLDERS
            .iter()
            .any(|word| password.eq_ignore_ascii_case(word))
        || (user.eq_ignore_ascii_case(b"user") && password.eq_ignore_ascii_case(b"pass"))
}

/// RFC 2606 and the loopback: nothing is to be reached there.
fn is_documentation(host: &[u8]) -> bool {
    let host = host.strip_suffix(b".").unwrap_or(host);
    host.eq_ignore_ascii_case(b"localhost")
        || host.starts_with(b"127.0.0.1")
        || host.eq_ignore_ascii_case(b"host")
        || host.eq_ignore_ascii_case(b"hostname")
        || super::email::is_reserved(host)
}
