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
                asked: Asked::Compact($check),
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

static KINDS: [Kind; 3] = [
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
        name: "pii.mrz",
        mark: "[redacted:pii.mrz]",
        description: "lines of a passport or an identity card for machines (ICAO Doc 9303)",
        severity: Severity::High,
        // The kind of the document, and the first letter of the state.
        anchors: &[
            "P<A", "P<B", "P<C", "P<D", "P<E", "P<F", "P<G", "P<H", "P<I", "P<J", "P<K", "P<L",
            "P<M", "P<N", "P<O", "P<P", "P<Q", "P<R", "P<S", "P<T", "P<U", "P<V", "P<W", "P<X",
            "P<Y", "P<Z", "I<A", "I<B", "I<C", "I<D", "I<E", "I<F", "I<G", "I<H", "I<I", "I<J",
            "I<K", "I<L", "I<M", "I<N", "I<O", "I<P", "I<Q", "I<R", "I<S", "I<T", "I<U", "I<V",
            "I<W", "I<X", "I<Y", "I<Z", "IDA", "IDB", "IDC", "IDD", "IDE", "IDF", "IDG", "IDH",
            "IDI", "IDJ", "IDK", "IDL", "IDM", "IDN", "IDO", "IDP", "IDQ", "IDR", "IDS", "IDT",
            "IDU", "IDV", "IDW", "IDX", "IDY", "IDZ", "A<A", "A<B", "A<C", "A<D", "A<E", "A<F",
            "A<G", "A<H", "A<I", "A<J", "A<K", "A<L", "A<M", "A<N", "A<O", "A<P", "A<Q", "A<R",
            "A<S", "A<T", "A<U", "A<V", "A<W", "A<X", "A<Y", "A<Z", "C<A", "C<B", "C<C", "C<D",
            "C<E", "C<F", "C<G", "C<H", "C<I", "C<J", "C<K", "C<L", "C<M", "C<N", "C<O", "C<P",
            "C<Q", "C<R", "C<S", "C<T", "C<U", "C<V", "C<W", "C<X", "C<Y", "C<Z",
        ],
        left: Left::WordStart,
        shape: Shape::Mrz,
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
