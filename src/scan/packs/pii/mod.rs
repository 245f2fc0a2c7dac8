//! Personal data.
//!
//! Facts from the rules of those who give the numbers out. To add one: a row in the table of its part of the world. The sweep
//! test then asks it for samples and near misses.

use super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::matcher::number::{Form, Needs, Writing};
use crate::model::Severity;

/// Kinds as rows:
///
/// ```text
/// "name" Severity "what it is" [form, ...] ["word" ...] "what is checked" check, not ["example" ...];
/// ```
///
/// A form stands freely (`free`), needs one of the words before it (`word`), or needs it close by (`close`).
macro_rules! numbers {
    ($(
        $name:literal $severity:ident $description:literal
        [$($form:expr),+] [$($word:literal)*] $checked:literal $check:expr $(, not [$($example:literal)+])?;
    )+) => {
        pub(in crate::scan) static KINDS: &[Kind] = &[$(Kind {
            name: concat!("pii.", $name),
            mark: concat!("[redacted:pii.", $name, "]"),
            description: $description,
            severity: crate::model::Severity::$severity,
            anchors: &[],
            left: Left::Any,
            shape: Shape::Number(&Number {
                forms: &[$($form),+],
                words: &[$($word),*],
                check: $check,
                checked: $checked,
                examples: &[$($($example),+)?],
            }),
            check: Check::None,
        }),+];
    };
}

mod america;
mod asia;
mod europe;
mod everywhere;
mod north;
pub(super) mod wallets;

pub(super) fn kinds() -> impl Iterator<Item = &'static Kind> {
    [
        &KINDS[..],
        everywhere::KINDS,
        wallets::KINDS,
        america::KINDS,
        europe::KINDS,
        north::KINDS,
        asia::KINDS,
    ]
    .into_iter()
    .flatten()
}

/// A number that its form tells.
const fn free(pattern: &'static str) -> Form {
    Form(Writing::As(pattern), Needs::Nothing)
}

/// A number with a check that many others pass too.
const fn word(pattern: &'static str) -> Form {
    Form(Writing::As(pattern), Needs::Word)
}

/// A number without any check.
const fn close(pattern: &'static str) -> Form {
    Form(Writing::As(pattern), Needs::Close)
}

static KINDS: [Kind; 2] = [
    Kind {
        name: "pii.email",
        mark: "[redacted:pii.email]",
        description: "e-mail address, outside of the domains that are kept for documentation",
        severity: Severity::Medium,
        anchors: &[],
        left: Left::Any,
        shape: Shape::Email,
        check: Check::None,
    },
    Kind {
        name: "pii.iban",
        mark: "[redacted:pii.iban]",
        description: "international bank account number: length of its country, remainder by 97 (ISO 13616)",
        severity: Severity::High,
        anchors: &[
            "AD", "AE", "AL", "AT", "AZ", "BA", "BE", "BG", "BH", "BR", "BY", "CH", "CR", "CY",
            "CZ", "DE", "DJ", "DK", "DO", "EE", "EG", "ES", "FI", "FK", "FO", "FR", "GB", "GE",
            "GI", "GL", "GR", "GT", "HR", "HU", "IE", "IL", "IQ", "IS", "IT", "JO", "KW", "KZ",
            "LB", "LC", "LI", "LT", "LU", "LV", "LY", "MC", "MD", "ME", "MK", "MN", "MR", "MT",
            "MU", "NI", "NL", "NO", "OM", "PK", "PL", "PS", "PT", "QA", "RO", "RS", "RU", "SA",
            "SC", "SD", "SE", "SI", "SK", "SM", "SO", "ST", "SV", "TL", "TN", "TR",
        ],
        left: Left::WordStart,
        shape: Shape::Iban,
        check: Check::None,
    },
];
