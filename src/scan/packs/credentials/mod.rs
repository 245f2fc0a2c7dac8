//! Keys and tokens of services, by how common and how decisive their form is.
//!
//! Facts from vendors' documentation; no key-shaped literal stands here, samples are drawn ([`super::sample`]).
//! To add one: a row in the table of its subject. The sweep test then asks it for samples and near misses.

use super::super::matcher::Set;
use super::super::matcher::kind::{Kind, Step};

/// Kinds as rows:
///
/// ```text
/// "name" Severity "what it is" ["anchor" ...] [step ...] Check, left Left, not SET;
/// ```
///
/// A step is `(SET 36)`, `(SET 36 255)` from so many to so many, `(SET 36 ..)` without end, or `"literal"`;
/// `[UUID]` are the steps of one. `left` is the start of a word, `not` (what may not follow) the letters of a
/// word and the last set, unless told otherwise. The mark bears the short name alone, because the public
/// prefix stays before it.
macro_rules! table {
    ($(
        $name:literal $severity:ident $description:literal
        [$($anchor:literal)+] [$($step:tt)+] $check:expr $(, left $left:expr)? $(, not $after:ident)?;
    )+) => {
        pub(in crate::scan) static KINDS: &[Kind] = &[$({
            const STEPS: &[Step] = steps!($($step)+);
            Kind {
                name: concat!("credentials.", $name),
                mark: concat!("[redacted:", $name, "]"),
                description: $description,
                severity: crate::model::Severity::$severity,
                anchors: &[$($anchor),+],
                left: either!([$($left)?] Left::WordStart),
                shape: Shape::Token(STEPS, either!([$(Set::$after)?] super::after(STEPS))),
                check: $check,
            }
        }),+];
    };
}

/// Kinds that are told by a name beside them, which stands in its three spellings: `fastly`, `Fastly`, `FASTLY`.
macro_rules! named {
    ($(
        $name:literal $severity:ident $description:literal [$($vendor:literal)+] [$($step:tt)+] $check:expr;
    )+) => {
        pub(in crate::scan) static KINDS: &[Kind] = &[$({
            const STEPS: &[Step] = steps!($($step)+);
            Kind {
                name: concat!("credentials.", $name),
                mark: concat!("[redacted:", $name, "]"),
                description: $description,
                severity: crate::model::Severity::$severity,
                anchors: &[$($vendor, spelled!($vendor, 1), spelled!($vendor, usize::MAX)),+],
                left: Left::Part,
                shape: Shape::Named(STEPS, super::after(STEPS)),
                check: $check,
            }
        }),+];
    };
}

/// A name with so many of its letters in capitals.
macro_rules! spelled {
    ($name:literal, $capitals:expr) => {{
        const BYTES: [u8; $name.len()] = super::capitalised($name, $capitals);
        match std::str::from_utf8(&BYTES) {
            Ok(name) => name,
            Err(_) => $name,
        }
    }};
}

macro_rules! either {
    ([] $other:expr) => {
        $other
    };
    ([$first:expr] $other:expr) => {
        $first
    };
}

macro_rules! steps {
    (UUID) => { super::UUID };
    ($($step:tt)+) => { &[$(step!($step)),+] };
}

macro_rules! step {
    (($set:ident $length:literal)) => {
        Step::Run(Set::$set, $length, $length)
    };
    (($set:ident $least:literal ..)) => {
        Step::Open(Set::$set, $least)
    };
    (($set:ident $least:literal $most:literal)) => {
        Step::Run(Set::$set, $least, $most)
    };
    ($literal:literal) => {
        Step::Literal($literal.as_bytes())
    };
}

mod ai;
mod cloud;
mod formats;
mod generic;
mod named;
mod saas;
mod scm;

pub(super) fn kinds() -> impl Iterator<Item = &'static Kind> {
    [
        scm::KINDS,
        cloud::KINDS,
        ai::KINDS,
        saas::KINDS,
        named::KINDS,
        formats::KINDS,
        generic::KINDS,
    ]
    .into_iter()
    .flatten()
}

const UUID: &[Step] = &[
    Step::Run(Set::ANY_HEX, 8, 8),
    Step::Literal(b"-"),
    Step::Run(Set::ANY_HEX, 4, 4),
    Step::Literal(b"-"),
    Step::Run(Set::ANY_HEX, 4, 4),
    Step::Literal(b"-"),
    Step::Run(Set::ANY_HEX, 4, 4),
    Step::Literal(b"-"),
    Step::Run(Set::ANY_HEX, 12, 12),
];

/// What may not follow: the letters of a word, and the last set but for the dot that ends a sentence.
const fn after(steps: &[Step]) -> Set {
    match steps {
        [.., Step::Open(set, _) | Step::Run(set, ..)]
        | [
            ..,
            Step::Open(set, _) | Step::Run(set, ..),
            Step::Literal(_),
        ] => Set::WORD.or(set.without(Set::DOT)),
        _ => Set::WORD,
    }
}

/// The name with its first so many bytes in capitals.
const fn capitalised<const N: usize>(name: &str, capitals: usize) -> [u8; N] {
    let name = name.as_bytes();
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        #[expect(clippy::indexing_slicing, reason = "N is the length of the name")]
        {
            bytes[at] = if at < capitals {
                name[at].to_ascii_uppercase()
            } else {
                name[at]
            };
        }
        at += 1;
    }
    bytes
}
