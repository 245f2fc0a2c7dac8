//! Draws texts that resemble a kind and are none of it, for the sweep test.

#![expect(clippy::string_slice, reason = "samples are ASCII")]

use super::super::matcher::kind::{Check, Kind, Left, Shape, Step};
use super::super::matcher::number::{Form, Needs, Number};
use super::sample::{Draw, one};

/// Texts that resemble a kind and are none of it.
pub(in crate::scan) fn near_misses(kind: &Kind, seed: u64) -> Vec<String> {
    let mut draw = Draw::new(seed);
    let valid = (0..64).find_map(|_| one(kind, &mut draw, true)).unwrap();
    let anchor = kind
        .anchors
        .iter()
        .find(|anchor| valid.contains(**anchor))
        .copied()
        .unwrap_or_default();
    let mut misses = vec![anchor.to_owned(), format!("{anchor} and no more")];
    if kind.left == Left::WordStart {
        misses.push(format!("x{valid}"));
    }
    match kind.shape {
        Shape::Token(steps, after) => {
            misses.push(valid[..valid.len() - 1].to_owned());
            let is_fixed = matches!(steps.last(), Some(Step::Run(_, least, most)) if least == most);
            if is_fixed {
                let next = after.bytes().last().unwrap();
                misses.push(format!("{valid}{}", char::from(next)));
            }
            if !matches!(kind.check, Check::None) {
                misses.push(format!(
                    "{anchor}{}",
                    "x".repeat(valid.len() - anchor.len())
                ));
            }
        }
        Shape::Assigned { .. } => misses.extend(
            [
                " is required",
                ": string",
                ": your password here",
                " = null",
                "=${FROM_ELSEWHERE_1}",
                ": \"{{ vault_value_1 }}\"",
                "=os.environ['VALUE_1']",
                " = config.get(1)",
                ": <value-1>",
                "=%s",
                ": ****1a",
                "=/run/secrets/value_1",
                ": \"https://acme.io/reset1\"",
                "=\"two words 2\"",
                "_id: q7Zt2Lw9Xc4Vb8Nm1Kj5Hg",
                "(q7Zt2Lw9Xc4Vb8Nm1Kj5Hg)",
                ": string;",
                "\nq7Zt2Lw9Xc4Vb8Nm1Kj5Hg",
                " == q7Zt2Lw9Xc4Vb8Nm1Kj5Hg",
                ": q7Zt2Lw9Xc4Vb8Nm1Kj5Hg()",
                "=xxxxxxxx1",
            ]
            .map(|rest| format!("{}{anchor}{rest}", option(kind))),
        ),
        Shape::Authority => misses.extend(
            [
                "app:${DB_PASS}@db.acme.io",
                "app:password@db.acme.io",
                "app:****@db.acme.io",
                "app:s3cr3tX9@localhost/x",
                "db.acme.io:5432/app",
                "app@db.acme.io/x",
                "app:<pw>@db.acme.io",
            ]
            .map(|rest| format!("{anchor}{rest}")),
        ),
        Shape::Custom => {}
        Shape::Card => {
            misses.extend(
                [
                    "1732389012345",
                    "1732389012345678",
                    "4111 1111 1111 1112",
                    "a4111111111111111",
                    "4111111111111111b",
                    "0.4111111111111111",
                    "4111111111111111.5",
                    "550e8400-e29b-41d4-a716-446655440000",
                    "4111-1111 1111-1111",
                    "9111111111111111",
                    "4111_1111_1111_1111",
                    "411111111111111111111111",
                ]
                .map(str::to_owned),
            );
        }
        Shape::Email => misses.extend(
            [
                "git@github.com:acme/app.git",
                "lodash@4.17.21",
                "pkg@1.2.0-beta.rc",
                "logo@2x.png",
                "jane@example.com",
                "jane@mail.example.org",
                "jane@host.test",
                "root@localhost",
                "@acme/pkg",
                "a@b",
                "ssh://jane@acme.io/x",
                "https://jane:pw@acme.io/",
                "a@b.c",
                "jane@acme.c0m",
                "jane..doe@acme.io",
                "jane@-acme.io",
            ]
            .map(str::to_owned),
        ),
        Shape::Mrz => {
            misses.push(valid.replace('\n', ""));
            misses.push(valid[..valid.len() - 1].to_owned());
            misses.push(format!("{valid}<<"));
            misses.push("IDENTIFICATION".to_owned());
        }
        Shape::Iban => {
            let last = if valid.ends_with('7') { '8' } else { '7' };
            misses.push(format!("{}{last}", &valid[..valid.len() - 1]));
            misses.push(format!("{valid}0"));
            misses.push(format!("{}A{}", &valid[..3], &valid[4..]));
        }
        Shape::Jwt => {
            misses.push(valid.replace(".eyJ", ".abc"));
            misses.push(valid.replace("eyJhbGci", "eyJ4bGci"));
            misses.push(valid[..valid.find('.').unwrap()].to_owned());
        }
        Shape::Named(steps, after) => {
            let value = valid
                .split(|letter: char| " \"'`=".contains(letter))
                .max_by_key(|part| part.len())
                .unwrap();
            misses.push(value.to_owned());
            misses.push(format!("{anchor} {value}"));
            misses.push(format!("{anchor} id: {value}"));
            misses.push(format!("{anchor}: the token is missing, see {value}"));
            misses.push(format!("{anchor}_token: {}", "x".repeat(value.len())));
            let shorter = &value[..value.len() - 1];
            misses.push(format!("{anchor}_token: {shorter}"));
            if let Some(Step::Run(_, least, most)) = steps.last()
                && least == most
            {
                let next = char::from(after.bytes().last().unwrap());
                misses.push(format!("{anchor}_token: {value}{next}"));
            }
        }
        Shape::Near { .. } => {
            misses.push(valid[..valid.len() - 1].to_owned());
            misses.push(format!("{valid}A"));
            misses.push(format!(
                "{anchor}: {}",
                "0123456789abcdef0123456789abcdef01234567"
            ));
        }
        Shape::Number(number) => misses.extend(beside_numbers(number, &valid)),
        Shape::Pem => {
            misses.push(valid.replace("PRIVATE KEY", "PUBLIC KEY"));
            misses.push(valid.replace("PRIVATE KEY", "CERTIFICATE"));
            misses.push(
                "-----BEGIN PRIVATE KEY-----\nYOUR_KEY_HERE\n-----END PRIVATE KEY-----".to_owned(),
            );
            misses.push("the line \"-----BEGIN RSA PRIVATE KEY-----\" opens it".to_owned());
            misses.push(format!("-----BEGIN PRIVATE KEY-----\n{}\n", "A".repeat(64)));
        }
    }
    misses
}

/// What is not the number that it looks like.
fn beside_numbers(number: &Number, valid: &str) -> Vec<String> {
    let mut misses = vec![
        "order 2026-1234-12345 (ref 12345678), invoice INV-123456".to_owned(),
        "1795000000 1795000000123 2026-11-20T10:15:07.123456Z".to_owned(),
        "550e8400-e29b-41d4-a716-446655440000".to_owned(),
        "0.1234567890123456, 1.23456789e-05".to_owned(),
        "+0100 and 10.0.0.1 of 1.2.3".to_owned(),
    ];
    let is_worded = number.words.iter().any(|word| {
        valid.starts_with(word)
            || valid.starts_with(&word.replace(' ', "_"))
            || valid.get(1..).is_some_and(|rest| rest.starts_with(word))
    });
    let value = if is_worded || valid.starts_with('<') {
        value(valid)
    } else {
        valid
    };
    let word = number.words.first().copied().unwrap_or("the number");
    for after in ["x", "_1"] {
        misses.push(format!("{word}: {value}{after}"));
        misses.push(format!("{word}: 1{value}{after}"));
    }
    misses.extend(number.examples.iter().map(|example| (*example).to_owned()));
    let is_bare = number
        .forms
        .iter()
        .all(|Form(_, needs)| *needs != Needs::Nothing);
    if is_bare {
        misses.push(value.to_owned());
        misses.push(format!("[redacted:{word}] {value}"));
    }
    misses
}

/// The number of a sample, without the word before it.
fn value(sample: &str) -> &str {
    let sample = sample.trim_end_matches("</dd>").trim_end_matches('"');
    sample
        .rsplit_once("<dd>")
        .or_else(|| sample.rsplit_once('"'))
        .or_else(|| sample.split_once(": "))
        .or_else(|| sample.split_once('='))
        .unwrap()
        .1
}

/// What stands before the name of an option.
fn option(kind: &Kind) -> &'static str {
    if kind.left == Left::Option { "--" } else { "" }
}
