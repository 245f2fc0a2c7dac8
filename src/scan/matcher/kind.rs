//! What a detector is made of, as data.

use crate::model::Severity;

use super::number::Number;
use super::run::Run;
use super::set::Set;
use super::view::View;
use super::work;

/// One kind of secret or personal data.
#[derive(Debug)]
pub(in crate::scan) struct Kind {
    /// The pack and name, e.g. `credentials.github-pat`.
    pub(in crate::scan) name: &'static str,
    /// What stands in the place of a redacted span. Credentials go by their short name
    /// (`[redacted:github-pat]`, after the public prefix), all others by pack and name (`[redacted:pii.email]`).
    pub(in crate::scan) mark: &'static str,
    /// One line for people.
    pub(in crate::scan) description: &'static str,
    /// How bad a leak would be.
    pub(in crate::scan) severity: Severity,
    /// What it cannot do without, literally and in this case. Public: never held, never redacted.
    /// Empty for the kinds that have a shape of their own to search by.
    pub(in crate::scan) anchors: &'static [&'static str],
    /// What may stand before the anchor.
    pub(in crate::scan) left: Left,
    /// What must follow it.
    pub(in crate::scan) shape: Shape,
    /// What the body is asked besides.
    pub(in crate::scan) check: Check,
}

/// What may stand before an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) enum Left {
    /// Anything.
    Any,
    /// As with `Run`, but secret: protected from its seventeenth byte on, if the sixteen before are letters and digits and
    /// not letters alone. What may become such a head waits, and words of prose are shorter.
    Head(Set, u64, u64),
    /// The name of an option of a command, `--` and all.
    Option,
    /// The start of a part of a name: of a word, behind a `_`, or a capital behind a small letter.
    Part,
    /// Exactly so many bytes of a set, with a word start before them. They are public, like the anchor.
    Run(Set, u64, u64),
    /// The start of a word.
    WordStart,
}

/// What follows an anchor.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) enum Shape {
    /// A rest of a name, a sign (or a blank, if that will do), and a value to its quote or blank.
    Assigned { is_spaced: bool },
    /// `user:pass@host`; the password is protected.
    Authority,
    /// A payment card number, anywhere.
    Card,
    /// A pattern that a policy describes ([`super::custom`]).
    Custom,
    /// An e-mail address, anywhere.
    Email,
    /// Check digits and account number after a country code.
    Iban,
    /// `header.payload.signature` after the `eyJ` of the header.
    Jwt,
    /// The lines of a document for machines.
    Mrz,
    /// A rest of a name, a sign, and these steps, with a byte outside of the set (or the end) behind them.
    Named(&'static [Step], Set),
    /// A number of a person, an account or a device, anywhere.
    Number(&'static Number),
    /// A value of exactly `length` bytes of the set somewhere in the next `within` bytes.
    Near { set: Set, length: u64, within: u64 },
    /// The rest of a PEM begin line and the key.
    Pem,
    /// Steps one after the other, and then a byte outside of the set (or the end).
    Token(&'static [Step], Set),
}

/// A part of a token.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) enum Step {
    /// Lines of 64 bytes of base64, and a shorter one.
    Lines,
    /// These very bytes.
    Literal(&'static [u8]),
    /// At least so many bytes of the set, without an upper bound: confirmed there and swallowed. Only as the last step.
    Open(Set, u16),
    /// From so many to so many bytes of the set.
    Run(Set, u16, u16),
}

/// What a body of the right shape is asked besides. Floors are in hundredths of a bit per byte.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) enum Check {
    /// Decodes (base64) to printable text with a `:` in it.
    BasicPair,
    /// Decodes (base64 with its padding, perhaps percent-encoded) to so many bytes, and is plausible.
    Decodes(usize, u16),
    /// Holds these bytes, and is plausible.
    Holds(&'static str, u16),
    /// Plausible, with letters and digits: for prefixes that prose and code have too.
    Mixed(u16),
    /// Nothing: the shape is decisive.
    None,
    /// Plausible, with letters and digits; any more telling kind on the same bytes wins.
    Opaque(u16),
    /// What people choose for a password.
    Password,
    /// Entropy above the floor, no stop word, no pattern.
    Plausible(u16),
    /// Bears the seal of its vendor. If it does not, it must be plausible and is one severity lower.
    Sealed(Seal, u16),
    /// The anchor and the body up to its first dot are the base64 of 17 to 19 digits.
    Snowflake(u16),
}

/// What a vendor puts into its tokens so that they can be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) enum Seal {
    /// The checksum of bech32 (BIP 173), over the anchor up to its `1` too.
    Bech32,
    /// The last seven bytes are the CRC-32 of the anchor and of what stands before them, in base36.
    Crc32Base36,
    /// The last six bytes are the CRC-32 of those before, in base62.
    Crc32Base62,
    /// The last eight bytes are the CRC-32 of the anchor and of what stands before the last `_`, in hex.
    Crc32Hex,
    /// These bytes, somewhere.
    Holds(&'static str),
}

/// How a mark begins, and the longest name in one.
const MARK: &[u8] = b"[redacted:";
const MAX_MARK: u64 = 64;

/// The longest name of an option before the word that says what it is.
const MAX_OPTION: u64 = 48;

impl Left {
    /// Whether an anchor may stand at an offset.
    pub(in crate::scan) fn allows(self, view: &View<'_>, start: u64) -> bool {
        let allows = match self {
            Self::Any => true,
            Self::Option => {
                let run = view.run_before(start, Set::BASE64_URL, MAX_OPTION);
                let from = start.saturating_sub(run);
                let dashes = memchr::memmem::find(view.slice(from, start), b"--");
                dashes.is_some_and(|dashes| view.is_word_start(from + dashes as u64))
            }
            Self::Part => match view.before(start) {
                Some(b'_') | None => true,
                Some(before) => {
                    let is_capital = view.at(start).is_some_and(|byte| byte.is_ascii_uppercase());
                    view.is_word_start(start)
                        || (is_capital && (before.is_ascii_lowercase() || before.is_ascii_digit()))
                }
            },
            Self::Head(set, least, most) | Self::Run(set, least, most) => {
                // The letter of an escape before it may be of the set too.
                let run = view.run_before(start, set, most);
                (least..=most.min(run)).any(|length| view.is_word_start(start - length))
            }
            Self::WordStart => view.is_word_start(start),
        };
        allows && !is_in_mark(view, start)
    }
}

impl Left {
    /// What of [`Left::allows`] takes no longer than to look.
    pub(in crate::scan) fn may_allow(self, view: &View<'_>, start: u64) -> bool {
        match self {
            Self::WordStart => view.is_word_start(start),
            Self::Any | Self::Head(..) | Self::Option | Self::Part | Self::Run(..) => true,
        }
    }

    /// The first protected byte before an anchor.
    pub(in crate::scan) fn head(self, view: &View<'_>, start: u64) -> Option<u64> {
        let Self::Head(set, least, most) = self else {
            return None;
        };
        let run = view.run_before(start, set, most);
        (least..=most.min(run))
            .map(|length| start - length)
            .filter(|from| view.is_word_start(*from))
            .find_map(|from| protected_head(view, from))
    }
}

/// Whether a place is inside of a mark that a redaction has left. What it says of a secret is none.
pub(super) fn is_in_mark(view: &View<'_>, start: u64) -> bool {
    if !matches!(view.before(start), Some(b'-' | b'.' | b':')) {
        return false;
    }
    let reach = MAX_MARK + MARK.len() as u64;
    let before = view.slice(start.saturating_sub(reach).max(view.start()), start);
    let Some(begin) = memchr::memrchr(b'[', before) else {
        return false;
    };
    let name = Set::LOWER_ALNUM_DOT.or(Set::DASH);
    work::note(before.len() as u64);
    let mark = before.get(begin..).unwrap_or_default();
    mark.strip_prefix(MARK)
        .is_some_and(|rest| rest.iter().all(|byte| name.contains(*byte)))
}

/// Where a head that begins here is protected from.
fn protected_head(view: &View<'_>, from: u64) -> Option<u64> {
    let to = from + OPEN_HEAD;
    let open = view.slice(from, to);
    let is_drawn =
        open.iter().all(u8::is_ascii_alphanumeric) && open.iter().any(u8::is_ascii_digit);
    (open.len() as u64 == OPEN_HEAD && is_drawn).then_some(to)
}

/// Where the text must wait from, because what stands there may be the head of a secret.
pub(super) fn waiting_head(view: &View<'_>) -> Option<u64> {
    let end = view.end();
    let seen = view.seen(end.saturating_sub(MAX_HEAD), end);
    if !has_row(seen) {
        return None;
    }
    let run = seen.iter().rev();
    let run = run
        .take_while(|byte| Set::BASE64_ANY.contains(**byte))
        .count() as u64;
    work::note(run);
    if run <= OPEN_HEAD {
        return None;
    }
    let begin = end - run;
    // Three bytes behind its beginning nothing stands in the run before which only an escape would let a word begin.
    let may_begin = |from: &u64| {
        *from < begin + 3
            || view
                .before(*from)
                .is_none_or(|before| !Set::WORD.contains(before))
    };
    (begin..end - OPEN_HEAD)
        .filter(may_begin)
        .filter(|from| view.is_word_start(*from))
        .find_map(|from| protected_head(view, from))
}

/// Whether so many letters and digits stand in a row that they may be the open part of a head. Such a row holds every sixteenth
/// byte, counted from wherever, so few are looked at.
fn has_row(text: &[u8]) -> bool {
    let is_of_row = |byte: &&u8| byte.is_ascii_alphanumeric();
    (ROW - 1..text.len()).step_by(ROW).any(|at| {
        let (before, behind) = text.split_at_checked(at).unwrap_or_default();
        let behind = behind.iter().take_while(is_of_row).take(ROW).count();
        behind > 0 && behind + before.iter().rev().take_while(is_of_row).take(ROW).count() >= ROW
    })
}

/// How much of a head is not protected.
const OPEN_HEAD: u64 = ROW as u64;
const ROW: usize = 16;
/// The longest head, and its anchor.
const MAX_HEAD: u64 = 90;

impl Shape {
    /// Whether what stands behind an anchor, and before the bound of what may be held, may be the beginning of one. To ask
    /// takes less than to judge.
    pub(in crate::scan) fn may_begin(&self, view: &View<'_>, start: u64, bound: u64) -> bool {
        let view = view.ahead().until(bound);
        let Self::Token([first, ..], _) = self else {
            return true;
        };
        let is_open = |seen: u64| start + seen == view.end() && !view.ended();
        match first {
            Step::Literal(literal) => {
                let seen = view.slice(start, start + literal.len() as u64);
                seen == *literal || (literal.starts_with(seen) && is_open(seen.len() as u64))
            }
            Step::Open(set, least) | Step::Run(set, least, _) => {
                let seen = view.slice(start, start + u64::from(*least));
                let run = Run::Set(*set).count(seen);
                run == u64::from(*least) || is_open(run)
            }
            Step::Lines => true,
        }
    }
}

impl Kind {
    /// The pack: the part of the name before the dot.
    pub(in crate::scan) fn pack(&self) -> &'static str {
        self.name
            .split_once('.')
            .map_or(self.name, |(pack, _)| pack)
    }

    /// Whether it says little of what was found, so that a more telling kind on the same bytes wins.
    pub(in crate::scan) fn is_generic(&self) -> bool {
        matches!(self.check, Check::BasicPair | Check::Opaque(_))
            || matches!(self.shape, Shape::Assigned { .. } | Shape::Email)
            || matches!(self.shape, Shape::Number(number) if number.is_generic())
    }
}
