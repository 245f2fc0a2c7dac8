//! Every detector, as a page in Markdown.

use std::fmt::Write as _;

use super::super::matcher::kind::{Check, Kind, Left, Seal, Shape};
use super::super::matcher::number::{Form, Needs};
use super::kinds;

/// Every detector of every pack, as a page in Markdown.
pub fn detectors_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut packs: Vec<&str> = kinds().map(Kind::pack).collect();
    packs.sort_unstable();
    packs.dedup();
    for pack in packs {
        let mut kinds: Vec<&Kind> = kinds().filter(|kind| kind.pack() == pack).collect();
        kinds.sort_by_key(|kind| kind.name);
        // Writing to a text cannot fail.
        let _ = write!(page, "\n## `{pack}`: {}\n\n{HEAD}", kinds.len());
        for kind in kinds {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} | {} |",
                kind.name
                    .strip_prefix(pack)
                    .unwrap_or(kind.name)
                    .trim_start_matches('.'),
                kind.description,
                kind.severity.as_str(),
                found_by(kind),
                protected(kind),
                checked(kind),
            );
        }
    }
    page
}

/// Three anchors say how the others look.
const SHOWN: usize = 3;

fn found_by(kind: &Kind) -> String {
    if let Shape::Number(number) = kind.shape {
        let needs =
            |wanted: fn(Needs) -> bool| number.forms.iter().any(|Form(_, needs)| wanted(*needs));
        let words: Vec<&str> = number.words.iter().take(SHOWN).copied().collect();
        let words = words.join(", ");
        return match (
            needs(|it| it == Needs::Nothing),
            needs(|it| it != Needs::Nothing),
        ) {
            (true, false) => "its form".to_owned(),
            (true, true) => format!("its form, or a word before it ({words})"),
            (false, _) => format!("a word before it ({words})"),
        };
    }
    let anchors: Vec<String> = kind
        .anchors
        .iter()
        .take(SHOWN)
        .map(|anchor| format!("`{anchor}`"))
        .collect();
    let more = kind.anchors.len().saturating_sub(SHOWN);
    match (anchors.is_empty(), more) {
        (true, _) => "its form".to_owned(),
        (false, 0) => anchors.join(" "),
        (false, more) => format!("{} and {more} more", anchors.join(" ")),
    }
}

const fn protected(kind: &Kind) -> &'static str {
    match (kind.shape, kind.left) {
        (Shape::Authority, _) => "the password",
        (Shape::Card | Shape::Custom | Shape::Email | Shape::Number(_), _) => "all of it",
        (Shape::Assigned { .. } | Shape::Named(..) | Shape::Near { .. }, _) => {
            "the value; needs its name"
        }
        (
            Shape::Iban | Shape::Jwt | Shape::Mrz | Shape::Pem | Shape::Token(..),
            Left::Any | Left::Option | Left::Part | Left::WordStart,
        ) => "what follows",
        (Shape::Iban | Shape::Jwt | Shape::Mrz | Shape::Pem | Shape::Token(..), Left::Head(..)) => {
            "what stands before from its 17th byte on, and what follows"
        }
        (Shape::Iban | Shape::Jwt | Shape::Mrz | Shape::Pem | Shape::Token(..), Left::Run(..)) => {
            "what follows, not what stands before"
        }
    }
}

fn checked(kind: &Kind) -> String {
    let floor = |floor: u16| format!("entropy from {}.{:02}", floor / 100, floor % 100);
    match kind.check {
        Check::BasicPair => "decodes to `user:password`".to_owned(),
        Check::Decodes(length, _) => format!("decodes to {length} bytes"),
        Check::Holds(part, _) => format!("holds `{part}`"),
        Check::None => match kind.shape {
            Shape::Number(number) => number.checked.to_owned(),
            Shape::Card => "issuer, grouping, Luhn".to_owned(),
            Shape::Mrz => "check digits of number, birth, expiry and all".to_owned(),
            Shape::Iban => "length of the country, remainder by 97".to_owned(),
            Shape::Jwt => "the header names an algorithm".to_owned(),
            Shape::Authority | Shape::Email => "no placeholder".to_owned(),
            Shape::Assigned { .. }
            | Shape::Custom
            | Shape::Named(..)
            | Shape::Near { .. }
            | Shape::Pem
            | Shape::Token(..) => "form".to_owned(),
        },
        Check::Mixed(least) | Check::Opaque(least) => {
            format!("letters and digits, {}", floor(least))
        }
        Check::Password => "letters, a digit or a mark, no placeholder".to_owned(),
        Check::Plausible(least) => floor(least),
        Check::Sealed(seal, _) => match seal {
            Seal::Bech32 => "bech32".to_owned(),
            Seal::Crc32Base36 | Seal::Crc32Base62 | Seal::Crc32Hex => "CRC-32".to_owned(),
            Seal::Holds(mark) => format!("`{mark}` within"),
        },
        Check::Snowflake(_) => "begins with the number of an account".to_owned(),
    }
}

const INTRODUCTION: &str = "# Every detector

Made of the packs that the scan is made of. A policy names a pack (`credentials`) or one detector (`credentials.github-pat`); [leaks.md](leaks.md)
says what happens to a finding. What a detector is found by is public and leaves at once; what is protected waits until it is a secret or is not.
A key that stands before what tells it is protected from its 17th byte on, if the sixteen before are letters and digits and not letters alone: words are
shorter, so prose does not wait. Where a checksum or mark is named and does not fit, the finding is one severity lower. Nowhere does a
documentation example (`\u{2026}EXAMPLE`, `xxxx`, one character repeated) count.
";

const HEAD: &str = "| detector | finds | severity | found by | protected | checked |
|---|---|---|---|---|---|
";
