//! Judges what follows an anchor.
//!
//! A judgement is a function of the bytes alone: whatever is `Dead` or confirmed stays so however
//! many bytes follow, and `Open` says from where on the bytes must wait. That is what makes a seam
//! between two pieces invisible.

use super::candidates::Sleep;
use super::evidence;
use super::kind::{Check, Kind, Shape, Step};
use super::run::Run;
use super::set::Set;
use super::view::View;
use super::{assigned, authority, email, iban, jwt, mrz, named, pem, seal, work};

/// How far a candidate has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// After the anchor.
    pub(super) start: u64,
    /// The next byte to look at.
    pub(super) at: u64,
    /// The step of a token that stands there.
    pub(super) step: usize,
    /// The bytes that this step has had.
    pub(super) count: u16,
    /// Until what nothing changes, if that is known.
    pub(super) sleep: Option<Sleep>,
}

impl Cursor {
    /// A candidate whose anchor ends at `start`.
    pub(super) const fn new(start: u64) -> Self {
        Self {
            start,
            at: start,
            step: 0,
            count: 0,
            sleep: None,
        }
    }

    /// While no more than the bytes before `until` are seen, and what comes is of the run, nothing changes.
    pub(super) const fn asleep(self, run: Run, until: u64) -> Self {
        Self {
            sleep: Some(Sleep {
                run,
                until,
                is_name: false,
            }),
            ..self
        }
    }

    /// The same where what comes is of a name, so that nothing is held for it.
    pub(super) fn asleep_in_name(self, run: Run, until: u64) -> Self {
        let asleep = self.asleep(run, until);
        let sleep = asleep.sleep.map(|sleep| Sleep {
            is_name: true,
            ..sleep
        });
        Self { sleep, ..asleep }
    }
}

/// What is known of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is nothing.
    Dead,
    /// It is one; the protected span ends here.
    Hit {
        /// The first protected byte.
        start: u64,
        /// After the last protected byte.
        end: u64,
    },
    /// Still possible; the bytes from `hold` on may be protected.
    Open {
        /// Where to go on.
        cursor: Cursor,
        /// The first byte that may be protected.
        hold: u64,
    },
    /// It is one, and goes on from `end` until [`super::swallow`] says that it is over.
    Swallow {
        /// The first protected byte.
        start: u64,
        /// How far it was confirmed.
        end: u64,
    },
}

/// Judges a candidate by the bytes that can be seen.
pub(super) fn judge(kind: &Kind, anchor: &str, view: &View<'_>, cursor: Cursor) -> Verdict {
    work::note(1);
    let asked = Asked {
        check: kind.check,
        anchor,
    };
    let cursor = Cursor {
        sleep: None,
        ..cursor
    };
    match kind.shape {
        Shape::Assigned { is_spaced } => assigned::judge(asked, view, cursor, is_spaced),
        Shape::Authority => authority::judge(view, cursor),
        // Judged where its digits end, or by its pattern.
        Shape::Card | Shape::Custom | Shape::Number(_) => Verdict::Dead,
        Shape::Email => email::judge(view, cursor),
        Shape::Mrz => mrz::judge(view, cursor),
        Shape::Iban => iban::judge(kind, view, cursor),
        Shape::Jwt => jwt::judge(view, cursor),
        Shape::Named(steps, after) => named::judge(asked, view, cursor, steps, after),
        Shape::Near {
            set,
            length,
            within,
        } => near(asked, view, cursor, set, length, within),
        Shape::Pem => pem::judge(view, cursor),
        Shape::Token(steps, after) => token(asked, view, cursor, steps, after),
    }
}

/// What the body is asked, and behind which anchor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) check: Check,
    pub(super) anchor: &'a str,
}

impl Asked<'_> {
    pub(super) fn passes(self, body: &[u8]) -> bool {
        passes(self.check, self.anchor, body)
    }
}

fn token(
    asked: Asked<'_>,
    view: &View<'_>,
    mut cursor: Cursor,
    steps: &[Step],
    after: Set,
) -> Verdict {
    let start = cursor.start;
    match walk(view, &mut cursor, steps, after) {
        Walk::Done(end) => settle(asked, view, start, end),
        Walk::Enough(end) => match settle(asked, view, start, end) {
            Verdict::Hit { start, end } => Verdict::Swallow { start, end },
            other => other,
        },
        Walk::Failed => Verdict::Dead,
        Walk::Open => open(cursor),
    }
}

/// How far steps lead.
pub(super) enum Walk {
    /// All were gone, to this end.
    Done(u64),
    /// So far that what follows may be swallowed.
    Enough(u64),
    /// Nowhere.
    Failed,
    /// To the end of what can be seen.
    Open,
}

/// Goes on with the steps from where the cursor stands.
pub(super) fn walk(view: &View<'_>, cursor: &mut Cursor, steps: &[Step], after: Set) -> Walk {
    loop {
        let Some(step) = steps.get(cursor.step) else {
            return match view.at(cursor.at) {
                Some(byte) if after.contains(byte) => Walk::Failed,
                None if !view.ended() => Walk::Open,
                Some(_) | None => Walk::Done(cursor.at),
            };
        };
        if let Step::Open(_, least) = step
            && cursor.count == *least
        {
            return Walk::Enough(cursor.at);
        }
        // At once, where many bytes may be of one set.
        if let Step::Open(set, most) | Step::Run(set, _, most) = step {
            let run = view.run(
                cursor.at,
                *set,
                u64::from(most.saturating_sub(cursor.count)),
            );
            cursor.at += run;
            cursor.count += u16::try_from(run).unwrap_or(u16::MAX);
            if matches!(step, Step::Open(_, least) if cursor.count == *least) {
                return Walk::Enough(cursor.at);
            }
        }
        let Some(byte) = view.at(cursor.at) else {
            if !view.ended() {
                cursor.sleep = step.sleep(cursor);
                return Walk::Open;
            }
            if !leave(step, cursor) {
                return Walk::Failed;
            }
            continue;
        };
        if takes(step, cursor.count, byte) {
            cursor.at += 1;
            cursor.count += 1;
        } else if !leave(step, cursor) {
            return Walk::Failed;
        }
    }
}

impl Step {
    /// Until what a candidate sleeps that has come to the end of what is seen in this step.
    fn sleep(&self, cursor: &Cursor) -> Option<Sleep> {
        let (set, most) = match self {
            // With the last of the least it is one.
            Self::Open(set, least) => (*set, least.saturating_sub(1)),
            Self::Run(set, _, most) => (*set, *most),
            Self::Lines | Self::Literal(_) => return None,
        };
        Some(Sleep {
            run: Run::Set(set),
            until: cursor.at + u64::from(most.saturating_sub(cursor.count)),
            is_name: false,
        })
    }
}

const fn open(cursor: Cursor) -> Verdict {
    Verdict::Open {
        cursor,
        hold: cursor.start,
    }
}

/// The length of a line of base64 in a key file.
const LINE: u16 = 64;
/// The private part of a key on a small curve.
const LEAST_LINES: u16 = 32;
/// The longest key that is waited for.
const MAX_LINES: u16 = 4000;

/// Whether the step takes one more byte after those it has had.
pub(super) fn takes(step: &Step, count: u16, byte: u8) -> bool {
    match step {
        Step::Lines if count % (LINE + 1) == LINE => byte == b'\n',
        Step::Lines => count < MAX_LINES && Set::BASE64.or(Set::EQUALS).contains(byte),
        Step::Literal(literal) => literal.get(usize::from(count)) == Some(&byte),
        Step::Open(set, _) => set.contains(byte),
        Step::Run(set, _, most) => count < *most && set.contains(byte),
    }
}

/// Goes on to the next step, if this one has had enough.
fn leave(step: &Step, cursor: &mut Cursor) -> bool {
    let enough = match step {
        Step::Lines => cursor.count >= LEAST_LINES,
        Step::Literal(literal) => literal.len() == usize::from(cursor.count),
        Step::Open(_, least) => cursor.count >= *least,
        Step::Run(_, least, _) => cursor.count >= *least,
    };
    cursor.step += 1;
    cursor.count = 0;
    enough
}

fn settle(asked: Asked<'_>, view: &View<'_>, start: u64, end: u64) -> Verdict {
    if asked.passes(view.slice(start, end)) {
        Verdict::Hit { start, end }
    } else {
        Verdict::Dead
    }
}

/// Whether a body of the right shape is one.
pub(in crate::scan) fn passes(check: Check, anchor: &str, body: &[u8]) -> bool {
    work::note(body.len() as u64);
    let is_mixed =
        || body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic);
    match check {
        Check::BasicPair => is_basic_pair(body),
        Check::Decodes(length, floor) => {
            seal::decoded_length(body) == Some(length) && evidence::is_plausible(body, floor)
        }
        Check::Holds(part, floor) => seal::holds(body, part) && evidence::is_plausible(body, floor),
        Check::None => true,
        Check::Mixed(floor) | Check::Opaque(floor) => {
            is_mixed() && evidence::is_plausible(body, floor)
        }
        Check::Password => evidence::is_password(body),
        Check::Plausible(floor) => evidence::is_plausible(body, floor),
        Check::Sealed(seal, floor) => {
            evidence::is_plausible(body, floor) || seal.is_whole(anchor, body)
        }
        Check::Snowflake(floor) => {
            seal::is_snowflake(anchor, body) && evidence::is_plausible(body, floor)
        }
    }
}

/// RFC 7617, section 2: `user-id ":" password`, in base64.
fn is_basic_pair(body: &[u8]) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(body.trim_ascii_end())
        .or_else(|_| base64::engine::general_purpose::STANDARD.decode(body))
        .is_ok_and(|pair| {
            pair.contains(&b':') && pair.iter().all(|byte| (0x20..0x7F).contains(byte))
        })
}

/// A value that is only recognisable by what stands before it.
fn near(
    asked: Asked<'_>,
    view: &View<'_>,
    cursor: Cursor,
    set: Set,
    length: u64,
    within: u64,
) -> Verdict {
    let mut at = cursor.at;
    while at <= cursor.start + within {
        let run = view.run(at, set, length + 1);
        let end = at + run;
        if run > length {
            // Too long to be one, and longer than what is left of the neighbourhood.
            return Verdict::Dead;
        }
        let is_last = end == view.end();
        if is_last && !view.ended() {
            let cursor = Cursor { at, ..cursor }.asleep(Run::Set(set), at + length);
            return Verdict::Open { cursor, hold: at };
        }
        if run == length && at > cursor.start && asked.passes(view.slice(at, end)) {
            return Verdict::Hit { start: at, end };
        }
        if is_last {
            return Verdict::Dead;
        }
        at = end + 1;
    }
    Verdict::Dead
}
