//! The reference page of a file.

use std::fmt::Write;

use super::schema::ACTION;
use super::{Field, Map, Record, Value};
use crate::config::units;

/// The page of a file whose root this is, as Markdown.
pub(in crate::config) fn render(root: &'static Record, title: &str, intro: &str) -> String {
    let mut page = format!("# {title}\n\n{intro}\n\n{}\n\n", root.doc);
    let mut records = vec![root];
    let mut next = 0;
    // Breadth first: what stands in the file first is read first.
    while let Some(record) = records.get(next).copied() {
        next += 1;
        for field in record.fields {
            collect(&field.value, &mut records);
        }
        if let Some(others) = record.others {
            collect(&others.value, &mut records);
        }
    }
    section(root, "Sections", &mut page);
    for record in records.into_iter().skip(1) {
        section(record, &format!("`{}`", record.name), &mut page);
    }
    values(&mut page);
    page
}

fn collect(value: &'static Value, records: &mut Vec<&'static Record>) {
    match value {
        Value::Record(record) | Value::Optional(record) => {
            if !records.iter().any(|known| known.name == record.name) {
                records.push(record);
            }
        }
        Value::Either(values) => values.iter().for_each(|value| collect(value, records)),
        Value::List(value) | Value::OneOrMore(value) => collect(value, records),
        Value::Map(map) => collect(&map.value, records),
        Value::Action
        | Value::Any
        | Value::Boolean
        | Value::Decimal
        | Value::Duration
        | Value::Number { .. }
        | Value::Rate
        | Value::Secret
        | Value::Size
        | Value::Text(_)
        | Value::Word(_) => {}
    }
}

fn section(record: &'static Record, title: &str, page: &mut String) {
    let _infallible = writeln!(page, "## {title}\n");
    if title.starts_with('`') {
        let _infallible = writeln!(page, "{}\n", record.doc);
    }
    if !record.one_of.is_empty() {
        let choices: Vec<_> = record
            .one_of
            .iter()
            .map(|choice| format!("`{}`", choice.field))
            .collect();
        let _infallible = writeln!(
            page,
            "Exactly one of {} must be written.\n",
            choices.join(", ")
        );
    }
    page.push_str("| field | takes | says |\n|---|---|---|\n");
    for field in record.fields {
        let _infallible = writeln!(
            page,
            "| `{}` | {} | {} |",
            field.name,
            takes(&field.value),
            says(field)
        );
    }
    if let Some(others) = record.others {
        let _infallible = writeln!(page, "| {} | {} | |", key(others), takes(&others.value));
    }
    page.push('\n');
}

fn says(field: &'static Field) -> String {
    let mut text = field.text();
    if let Some(example) = field.examples.first() {
        let _infallible = write!(text, " Example: `{}: {example}`.", field.name);
    }
    for word in words(&field.value) {
        let _infallible = write!(text, "<br>`{}`: {}", word.word, word.text());
    }
    cell(&text)
}

fn words(value: &'static Value) -> Vec<&'static super::Word> {
    match value {
        Value::Word(words) => words.iter().collect(),
        Value::Either(values) => values.iter().flat_map(words).collect(),
        Value::List(value) | Value::OneOrMore(value) => words(value),
        _ => Vec::new(),
    }
}

fn takes(value: &'static Value) -> String {
    match value {
        Value::Action => link("action"),
        Value::Any => "anything".to_owned(),
        Value::Boolean => "`true` or `false`".to_owned(),
        Value::Decimal => "number".to_owned(),
        Value::Duration => link("duration"),
        Value::Either(values) => {
            let values: Vec<_> = values.iter().map(takes).collect();
            values.join(", or ")
        }
        Value::List(value) => format!("list of {}", takes(value)),
        Value::Map(map) => format!("names, each: {}", takes(&map.value)),
        Value::Number { least, most } => format!("whole number from {least} to {most}"),
        Value::OneOrMore(value) => format!("{}, or a list of such", takes(value)),
        Value::Rate => link("rate"),
        Value::Record(record) | Value::Optional(record) => {
            format!("[`{0}`](#{1})", record.name, anchor(record.name))
        }
        Value::Secret => link("secret"),
        Value::Size => link("size"),
        Value::Text(text) => cell(text.name),
        Value::Word(words) => {
            let words: Vec<_> = words
                .iter()
                .map(|word| format!("`{}`", word.word))
                .collect();
            words.join(", ")
        }
    }
}

fn key(map: &Map) -> String {
    match map.key.pattern {
        Some(_) => format!("*any other {}*", map.key.what),
        None => format!("*any {}*", link("action")),
    }
}

fn link(kind: &str) -> String {
    format!("[{kind}](#{kind})")
}

/// As forges make anchors of titles.
fn anchor(title: &str) -> String {
    title.to_lowercase()
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn values(page: &mut String) {
    let kinds = [
        ("action", ACTION.to_owned()),
        ("duration", format!("{}. Units: `ms`, `s`, `m`, `h`, `d`.", sentence(units::DURATION))),
        (
            "rate",
            format!(
                "{}. Counts may end in `k` or `M`; periods are `s`, `min`, `hour`, `day`.",
                sentence(units::RATE)
            ),
        ),
        (
            "secret",
            "`{ file: PATH }` or `{ env: NAME }`: where the secret lies. A secret that is written out is an error that does not \
             show it."
                .to_owned(),
        ),
        ("size", format!("{}. Units: `B`, `KiB`, `MiB`, `GiB`.", sentence(units::BYTES))),
    ];
    page.push_str("# Kinds of values\n\nWhere a list of such may stand, a single one may stand in its place.\n");
    for (name, doc) in kinds {
        let _infallible = write!(page, "\n## {name}\n\n{doc}\n");
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
