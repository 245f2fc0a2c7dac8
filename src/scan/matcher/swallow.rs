//! Secrets without a useful upper bound: confirmed at their beginning, then dropped in constant memory.

use super::encoded::LINES;
use super::kind::{Shape, Step};
use super::set::Set;
use super::settle::Found;
use super::view::View;

/// A line of base64 in a PEM body is longer than any word in a header line before it.
const BODY_LINE: u16 = 48;
/// After so many bytes of header lines there is no body to be expected any more.
const MAX_HEADER_LINES: u64 = 1024;

/// A confirmed secret whose end has not been seen.
#[derive(Debug, Clone)]
pub(super) struct Swallow {
    /// What was confirmed; its `end` moves on.
    pub(super) found: Found,
    /// Whether its beginning has been delivered.
    pub(super) begun: bool,
    mode: Mode,
}

#[derive(Debug, Clone)]
enum Mode {
    /// Base64, with so many letters in its line.
    Encoded { line: u64 },
    /// Payload and signature, with so many dots left between them.
    Jwt { dots: u8 },
    /// `headers_end` while lines such as `Proc-Type:` may come; `run` counts base64 since the last other byte.
    Pem { headers_end: u64, run: u16 },
    /// All of a set.
    Set(Set),
}

impl Swallow {
    /// Goes on from the confirmed beginning.
    pub(super) fn new(found: Found, shape: &Shape) -> Self {
        let mode = match shape {
            Shape::Jwt => Mode::Jwt { dots: 1 },
            Shape::Pem => Mode::Pem {
                headers_end: found.start + MAX_HEADER_LINES,
                run: 0,
            },
            Shape::Token(steps, _) => Mode::Set(match steps.last() {
                Some(Step::Open(set, _) | Step::Run(set, _, _)) => *set,
                Some(Step::Lines | Step::Literal(_)) | None => Set::WORD,
            }),
            Shape::Assigned { .. }
            | Shape::Authority
            | Shape::Card
            | Shape::Custom
            | Shape::Email
            | Shape::Number(_)
            | Shape::Iban
            | Shape::Mrz
            | Shape::Named(..)
            | Shape::Near { .. } => Mode::Set(Set::WORD),
        };
        Self {
            found,
            begun: false,
            mode,
        }
    }

    /// Goes on in base64 that holds a long secret.
    pub(super) fn encoded(found: Found, line: u64) -> Self {
        Self {
            found,
            begun: false,
            mode: Mode::Encoded { line },
        }
    }

    /// Goes on over what can be seen. True when the secret is over; `found.end` says where.
    pub(super) fn advance(&mut self, view: &View<'_>) -> bool {
        match &mut self.mode {
            Mode::Encoded { line } => {
                while let Some(byte) = view.at(self.found.end) {
                    let is_letter = Set::BASE64.or(Set::BASE64_URL).contains(byte);
                    // A line's end begins a break, and blanks stand behind it.
                    let is_break = match byte {
                        b'\r' | b'\n' => LINES.contains(line) || *line == 0,
                        _ => Set::SPACE.contains(byte) && *line == 0,
                    };
                    if is_letter {
                        *line += 1;
                    } else if is_break {
                        *line = 0;
                    } else if byte != b'=' {
                        return true;
                    }
                    self.found.end += 1;
                }
                view.ended()
            }
            Mode::Jwt { dots } => {
                while let Some(byte) = view.at(self.found.end) {
                    if byte == b'.' && *dots > 0 {
                        *dots -= 1;
                    } else if !Set::BASE64_URL.contains(byte) {
                        return true;
                    }
                    self.found.end += 1;
                }
                view.ended()
            }
            Mode::Pem { headers_end, run } => {
                advance_pem(&mut self.found.end, headers_end, run, view)
            }
            Mode::Set(set) => {
                while let Some(byte) = view.at(self.found.end) {
                    if !set.contains(byte) {
                        return true;
                    }
                    self.found.end += 1;
                }
                view.ended()
            }
        }
    }
}

/// To the dashes of the END mark, or to the first byte that a key cannot hold. Dashes that may become the
/// mark are left undecided, so `end` stops before them.
fn advance_pem(end: &mut u64, headers_end: &mut u64, run: &mut u16, view: &View<'_>) -> bool {
    let mut dashes = 0;
    while let Some(byte) = view.at(*end + dashes) {
        if byte == b'-' {
            dashes += 1;
            if dashes == 5 {
                return true;
            }
            continue;
        }
        let at = *end + dashes;
        if Set::BASE64.contains(byte) {
            *run = if dashes > 0 { 1 } else { run.saturating_add(1) };
            if *run >= BODY_LINE {
                *headers_end = 0;
            }
        } else if at < *headers_end || is_between_lines(byte) {
            *run = 0;
        } else {
            return true;
        }
        *end = at + 1;
        dashes = 0;
    }
    view.ended()
}

/// Line ends and indentation, escapes, padding, and the quotes and commas of a list of lines.
const fn is_between_lines(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'\\' | b'=' | b'"' | b'\'' | b',' | b':' | b'>' | b'|'
    )
}
