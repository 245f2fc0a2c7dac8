//! Draws valid samples of each kind, so that no key-shaped literal has to lie in any source.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::super::matcher::check_digit;
use super::super::matcher::evidence;
use super::super::matcher::judge::passes;
use super::super::matcher::kind::{Check, Kind, Left, Seal, Shape, Step};
use super::super::matcher::number::{Form, Needs, Number, Pattern, Writing};
use super::super::matcher::seal::{self, BECH32, bech32};
use super::super::matcher::{Set, is_card};
use super::pii::wallets;
use crate::model::iban;

/// A valid, made-up sample of a detector (not of a pack): the same for the same seed. The checksums are right,
/// so a scan that looks for it must find it.
pub fn sample(name: &str, seed: u64) -> Option<String> {
    let kind = super::kinds().find(|kind| kind.name == name)?;
    let mut draw = Draw::new(seed);
    (0..64).find_map(|_| one(kind, &mut draw, false))
}

/// One attempt; nothing if the draw looks like a placeholder.
pub(super) fn one(kind: &Kind, draw: &mut Draw, is_shortest: bool) -> Option<String> {
    let anchor = draw.choose(kind.anchors).copied().unwrap_or_default();
    let bytes = match kind.shape {
        Shape::Assigned { is_spaced } => {
            let value = if is_shortest {
                draw.text(Set::ALNUM, 16)
            } else {
                let length = 16 + usize::try_from(draw.below(24)).ok()?;
                draw.text(Set::ALNUM, length)
            };
            let is_drawn = evidence::changes(value.as_bytes()) >= 0.3;
            (is_drawn && passes(kind.check, anchor, value.as_bytes()))
                .then(|| general(anchor, &value, is_spaced, draw))?
        }
        Shape::Authority => format!(
            "{anchor}{}:{}@db-{}.acme-corp.io:5432/app",
            draw.text(Set::LOWER, 6),
            draw.text(Set::ALNUM, 14),
            draw.below(90)
        ),
        Shape::Card => card(draw)?,
        Shape::Custom => return None,
        Shape::Email => format!(
            "{}.{}@{}.{}",
            draw.text(Set::LOWER, 5),
            draw.text(Set::LOWER_ALNUM, 6),
            draw.text(Set::LOWER, 9),
            draw.choose(&["com", "de", "co.uk", "io"])?
        ),
        Shape::Iban => account(anchor, draw)?,
        Shape::Mrz => document(anchor, draw),
        Shape::Jwt => jwt(draw),
        Shape::Named(steps, _) => {
            let value = body(kind.check, anchor, steps, draw, is_shortest)?;
            passes(kind.check, anchor, value.as_bytes()).then(|| assigned(anchor, &value, draw))?
        }
        Shape::Near { set, length, .. } => {
            let value = draw.text(set, usize::try_from(length).ok()?);
            passes(kind.check, anchor, value.as_bytes()).then(|| format!("{anchor} = {value}"))?
        }
        Shape::Number(it) => number(kind.name, it, draw)?,
        Shape::Pem => pem(anchor, draw)?,
        Shape::Token(steps, _) => {
            let body = body(kind.check, anchor, steps, draw, is_shortest)?;
            passes(kind.check, anchor, body.as_bytes()).then(|| format!("{anchor}{body}"))?
        }
    };
    let before = match kind.left {
        Left::Any | Left::Part | Left::WordStart => String::new(),
        Left::Option => "--app-".to_owned(),
        Left::Head(set, least, _) | Left::Run(set, least, _) => {
            draw.text(set, usize::try_from(least).ok()?)
        }
    };
    Some(before + &bytes)
}

fn body(
    check: Check,
    anchor: &str,
    steps: &[Step],
    draw: &mut Draw,
    is_shortest: bool,
) -> Option<String> {
    match check {
        Check::BasicPair => {
            let pair = format!("{}:{}", draw.text(Set::LOWER, 6), draw.text(Set::ALNUM, 12));
            return Some(STANDARD.encode(pair));
        }
        Check::Decodes(length, _) => return Some(STANDARD.encode(draw.bytes(length))),
        _ => {}
    }
    let mut body = String::new();
    for step in steps {
        let (set, least, spare) = match step {
            Step::Lines => {
                for length in [64, 64, 40] {
                    body += &draw.text(Set::BASE64, length);
                    body += if length == 64 { "\n" } else { "" };
                }
                continue;
            }
            Step::Literal(literal) => {
                body.extend(literal.iter().map(|byte| char::from(*byte)));
                continue;
            }
            Step::Open(set, least) => (*set, *least, 40),
            Step::Run(set, least, most) => (*set, *least, (most - least).min(40)),
        };
        let more = if is_shortest {
            0
        } else {
            draw.below(u64::from(spare) + 1)
        };
        let length = usize::from(least) + usize::try_from(more).unwrap_or_default();
        body += &draw.text(set, length);
    }
    match check {
        Check::Holds(mark, _) => Some(with_mark(&body, mark)),
        Check::Sealed(seal, _) => sealed(seal, anchor, &body),
        Check::Snowflake(_) => snowflake(anchor, &body, draw),
        _ => Some(body),
    }
}

/// A value behind a general name.
fn general(name: &str, value: &str, is_spaced: bool, draw: &mut Draw) -> String {
    if is_spaced {
        return format!("{name} {value}");
    }
    match draw.below(9) {
        6 => format!("{name}: &str = \"{value}\""),
        7 => format!("| {name} | {value} |"),
        8 => format!("name=\"{name}\" value=\"{value}\""),
        0 => format!("{name}=\"{value}\""),
        1 => format!("{name}: '{value}'"),
        2 => format!("{name}={value}"),
        3 => format!("\"{name}\": \"{value}\""),
        4 => format!("{name}_1 => '{value}'"),
        _ => format!("{name} is `{value}`"),
    }
}

/// A value behind its name, in one of the ways in which they are written.
fn assigned(name: &str, value: &str, draw: &mut Draw) -> String {
    let is_upper = name.bytes().all(|byte| !byte.is_ascii_lowercase());
    let is_lower = name.bytes().all(|byte| !byte.is_ascii_uppercase());
    match (draw.below(4), is_upper, is_lower) {
        (0, true, _) => format!("{name}_API_KEY={value}"),
        (1, true, _) => format!("export {name}_TOKEN='{value}'"),
        (_, true, _) => format!("{name}_SECRET_KEY: {value}"),
        (0, _, true) => format!("{name}_token = \"{value}\""),
        (1, _, true) => format!("\"{name}\": {{ \"apiKey\": \"{value}\" }}"),
        (2, _, true) => format!("--{name}-secret {value}"),
        (_, _, true) => format!("{name}.auth.key => '{value}'"),
        (0, ..) => format!("{name} token: {value}"),
        (1, ..) => format!("{name}-Key: {value}"),
        (2, ..) if name.starts_with(|first: char| first.is_ascii_uppercase()) => {
            format!("my{name}Secret = `{value}`")
        }
        _ => format!("the {name} API key is {value}"),
    }
}

/// The body with the seal of its vendor.
fn sealed(seal: Seal, anchor: &str, body: &str) -> Option<String> {
    let but_last = |count: usize| body.get(..body.len().checked_sub(count)?);
    let with =
        |payload: &str, end: &[u8]| Some(format!("{payload}{}", std::str::from_utf8(end).ok()?));
    match seal {
        Seal::Bech32 => {
            let letter = |value: u32| {
                BECH32
                    .get(usize::try_from(value & 31).ok()?)
                    .map(|byte| char::from(*byte))
            };
            let payload: String = but_last(6)?
                .bytes()
                .filter_map(|byte| letter(byte.into()))
                .collect();
            let rest = bech32(anchor, format!("{payload}QQQQQQ").as_bytes())? ^ 1;
            let end = (0..6).rev().filter_map(|nth| letter(rest >> (5 * nth)));
            Some(payload.chars().chain(end).collect())
        }
        Seal::Crc32Base36 => {
            let payload = but_last(7)?;
            with(payload, &seal::crc32_base36(anchor, payload.as_bytes()))
        }
        Seal::Crc32Base62 => {
            let payload = but_last(6)?;
            with(payload, &seal::crc32_base62(payload.as_bytes()))
        }
        Seal::Crc32Hex => {
            let payload = but_last(9)?;
            with(
                &format!("{payload}_"),
                &seal::crc32_hex(anchor, payload.as_bytes()),
            )
        }
        Seal::Holds(mark) => Some(with_mark(body, mark)),
    }
}

/// The body with the mark in its middle.
fn with_mark(body: &str, mark: &str) -> String {
    let from = body.len().saturating_sub(mark.len()) / 2;
    let (before, rest) = body.split_at_checked(from).unwrap_or_default();
    let after = rest.get(mark.len()..).unwrap_or_default();
    [before, mark, after].concat()
}

/// The number of an account that begins with the anchor in base64, and the rest of the body.
fn snowflake(anchor: &str, body: &str, draw: &mut Draw) -> Option<String> {
    let (_, rest) = body.split_once('.')?;
    (0..4000).find_map(|_| {
        let id = STANDARD_NO_PAD.encode(draw.text(Set::DIGIT, 18));
        Some(format!("{}.{rest}", id.strip_prefix(anchor)?))
    })
}

/// A number of one of the common issuers, bare or as it is printed.
fn card(draw: &mut Draw) -> Option<String> {
    let (prefix, length, groups): (&str, usize, &[usize]) = draw
        .choose::<(&str, usize, &[usize])>(&[
            ("4", 16, &[4, 4, 4, 4]),
            ("53", 16, &[4, 4, 4, 4]),
            ("2221", 16, &[4, 4, 4, 4]),
            ("37", 15, &[4, 6, 5]),
            ("6011", 16, &[4, 4, 4, 4]),
            ("3530", 16, &[4, 4, 4, 4]),
            ("36", 14, &[4, 6, 4]),
            ("62", 19, &[4, 4, 4, 4, 3]),
        ])
        .copied()?;
    let number = prefix.to_owned() + &draw.text(Set::DIGIT, length - prefix.len() - 1);
    let number = (0..10)
        .map(|check| format!("{number}{check}"))
        .find(|number| is_card(number.as_bytes()))?;
    let separator = draw.choose(&["", " ", "-"]).copied()?;
    let mut rest = number.as_str();
    let mut parts = Vec::new();
    for group in groups {
        let (part, after) = rest.split_at_checked(*group)?;
        parts.push(part);
        rest = after;
    }
    Some(parts.join(separator))
}

/// Digits only: every country's numbers may be of digits as far as the check goes.
fn account(country: &str, draw: &mut Draw) -> Option<String> {
    let code = country.as_bytes().first_chunk::<2>()?;
    let length = usize::from(iban::length(*code)?).checked_sub(4)?;
    let account = draw.text(Set::DIGIT, length);
    let rest = iban::mod97(account.bytes().chain(*code).chain(*b"00"));
    let bare = format!("{country}{:02}{account}", 98 - rest);
    if draw.below(2) == 0 {
        return Some(bare);
    }
    let groups: Vec<&str> = bare
        .as_bytes()
        .chunks(4)
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    Some(groups.join(" "))
}

/// Two lines as in a passport.
fn document(anchor: &str, draw: &mut Draw) -> String {
    let digit = |text: &str| char::from(check_digit(text.as_bytes()));
    let checked = |text: String| format!("{text}{}", digit(&text));
    let name = format!("{}<<{}", draw.text(Set::UPPER, 7), draw.text(Set::UPPER, 5));
    let first = format!("{anchor}TO{name}");
    let number = checked(draw.text(Set::UPPER_ALNUM, 9));
    let birth = checked(format!("7{}0412", draw.below(10)));
    let expiry = checked(format!("3{}1130", draw.below(10)));
    let rest = format!("{}1", "<".repeat(14));
    let all = format!("{number}{birth}{expiry}{rest}");
    let last = digit(&all);
    format!("{first:<<44}\n{number}UTO{birth}F{expiry}{rest}{last}")
}

/// A number in one of its forms, with a word before it if it needs one.
fn number(name: &str, number: &Number, draw: &mut Draw) -> Option<String> {
    let Form(writing, needs) = draw.choose(number.forms).copied()?;
    let text = match (name, writing) {
        // Chance makes no address whose sum or whose form is right.
        ("pii.bitcoin", _) => wallets::drawn(draw),
        ("network.ipv6", _) => format!(
            "2a02:{}::{}",
            draw.text(Set::HEX, 4),
            draw.text(Set::HEX, 4)
        ),
        ("pii.ethereum", _) => format!("0x{}", draw.text(Set::HEX, 40)),
        (_, Writing::International) => format!("+4930{}", draw.text(Set::DIGIT, 7)),
        (_, Writing::National) => format!("030 {}", draw.text(Set::DIGIT, 7)),
        (_, Writing::As(pattern)) => {
            let pattern: Vec<_> = Pattern::new(pattern).sets().collect();
            (0..TRIES).find_map(|_| {
                let text = written(&pattern, draw);
                number.is_valid(text.as_bytes()).then_some(text)
            })?
        }
    };
    if !number.is_valid(text.as_bytes()) {
        return None;
    }
    if needs == Needs::Nothing {
        return Some(text);
    }
    let word = draw.choose(number.words).copied()?;
    Some(match draw.below(4) {
        0 => format!("{word}: {text}"),
        1 => format!("\"{word}\": \"{text}\""),
        2 => format!("<dt>{word}</dt><dd>{text}</dd>"),
        _ => format!("{}={text}", word.replace(' ', "_")),
    })
}

/// Two check digits come right once in a hundred draws, and a date in thirty.
const TRIES: usize = 2000;

fn written(pattern: &[(Vec<u8>, bool, bool)], draw: &mut Draw) -> String {
    let mut text = String::new();
    let mut separator = None;
    for (members, may_be_missing, is_separator) in pattern {
        if *may_be_missing && draw.below(2) == 0 {
            continue;
        }
        let Some(drawn) = draw.choose(members).copied() else {
            continue;
        };
        let byte = if *is_separator {
            *separator.get_or_insert(drawn)
        } else {
            drawn
        };
        text.push(char::from(byte));
    }
    text
}

fn jwt(draw: &mut Draw) -> String {
    let payload = format!(
        "{{\"sub\":\"{}\",\"exp\":{}}}",
        draw.text(Set::LOWER, 12),
        1_900_000_000 + draw.below(9999)
    );
    format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
        URL_SAFE_NO_PAD.encode(payload),
        draw.text(Set::BASE64_URL, 43)
    )
}

fn pem(begin: &str, draw: &mut Draw) -> Option<String> {
    let label = draw.choose(&[
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
    ])?;
    let end = draw.choose(&["\n", "\r\n", "\\n"]).copied()?;
    let mut pem = format!("{begin}{label}-----{end}");
    for _ in 0..3 + draw.below(20) {
        pem += &draw.text(Set::BASE64, 64);
        pem += end;
    }
    pem += &draw.text(Set::BASE64, 30);
    Some(format!("{pem}=={end}-----END {label}-----"))
}

/// Numbers that look drawn and come out the same for the same seed (SplitMix64).
#[derive(Debug)]
pub(in crate::scan) struct Draw(u64);

impl Draw {
    pub(in crate::scan) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below a bound, which must not be zero.
    pub(in crate::scan) const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let bound = u64::try_from(from.len())
            .ok()
            .filter(|length| *length > 0)?;
        from.get(usize::try_from(self.below(bound)).ok()?)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .filter_map(|_| u8::try_from(self.below(256)).ok())
            .collect()
    }

    pub(in crate::scan) fn text(&mut self, set: Set, length: usize) -> String {
        let alphabet: Vec<u8> = set.bytes().collect();
        (0..length)
            .filter_map(|_| self.choose(&alphabet))
            .map(|byte| char::from(*byte))
            .collect()
    }
}
