//! The description, the schema that is made of it, and the reader say the same.

mod files;
mod scalars;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::json::read;
use super::operator::OPERATOR;
use super::policy::{ALGORITHMS, LEAK_ACTIONS, PACKS, PER, POLICY};
use super::schema::document;
use super::{Document, Field, Presence, Record, Value, Word};
use crate::config::operator::inspect_operator;
use crate::config::{Diagnostics, parse_policy};
use crate::identity::Algorithm;
use crate::{quota, scan};

/// A description, and the schema that is made of it.
struct Subject {
    document: Document,
    root: &'static Record,
    validator: jsonschema::Validator,
}

impl Subject {
    fn of(document: Document) -> Self {
        let root = match document {
            Document::Operator => &OPERATOR,
            Document::Policy => &POLICY,
        };
        let schema: Json = serde_json::from_str(&document.schema()).unwrap();
        Self {
            document,
            root,
            validator: jsonschema::draft7::new(&schema).unwrap(),
        }
    }

    /// What the schema says is wrong.
    fn schema_errors(&self, file: &Json) -> Vec<String> {
        let errors = self.validator.iter_errors(file);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// What the reader says is wrong or doubtful.
    fn reader(&self, text: &str) -> Diagnostics {
        match self.document {
            Document::Policy => match parse_policy("p.yaml", text, scan::known_names()) {
                Ok(policies) => policies.warnings,
                Err(errors) => errors,
            },
            Document::Operator => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("lictor.yaml");
                std::fs::write(&path, text).unwrap();
                inspect_operator(&path).1
            }
        }
    }
}

fn subjects() -> [Subject; 2] {
    [
        Subject::of(Document::Policy),
        Subject::of(Document::Operator),
    ]
}

/// Every record below a root, by name.
fn records(root: &'static Record) -> BTreeMap<&'static str, &'static Record> {
    fn of_value(value: &'static Value, records: &mut BTreeMap<&'static str, &'static Record>) {
        match value {
            Value::Record(record) | Value::Optional(record) => of_record(record, records),
            Value::Either(values) => values.iter().for_each(|value| of_value(value, records)),
            Value::List(value) | Value::OneOrMore(value) => of_value(value, records),
            Value::Map(map) => of_value(&map.value, records),
            _ => {}
        }
    }
    fn of_record(record: &'static Record, records: &mut BTreeMap<&'static str, &'static Record>) {
        if let Some(known) = records.insert(record.name, record) {
            assert!(
                std::ptr::eq(known, record),
                "two records are called `{}`",
                record.name
            );
            return;
        }
        for field in record.fields {
            of_value(&field.value, records);
        }
        if let Some(others) = record.others {
            of_value(&others.value, records);
        }
    }
    let mut found = BTreeMap::new();
    of_record(root, &mut found);
    found
}

#[test]
fn descriptions_are_whole() {
    for root in [&POLICY, &OPERATOR] {
        for record in records(root).into_values() {
            assert!(record.doc.ends_with('.'), "{}", record.name);
            for field in record.fields {
                let name = format!("{}.{}", record.name, field.name);
                assert!(
                    field.doc.ends_with('.'),
                    "{name}: a sentence ends with a period"
                );
                let same = record
                    .fields
                    .iter()
                    .filter(|other| other.name == field.name);
                assert_eq!(same.count(), 1, "{name} is described twice");
            }
            let is_field = |name: &str| record.field(name).is_some();
            assert!(record.one_of.iter().all(|choice| is_field(choice.field)));
            assert!(record.misplaced.iter().all(|other| !is_field(other.field)));
            for (word, meant) in record.hints {
                assert!(
                    is_field(meant) && !is_field(word),
                    "{}: {word} is {meant}",
                    record.name
                );
            }
        }
    }
}

#[test]
fn defaults_and_examples_are_values_of_their_fields() {
    for subject in subjects() {
        let schema = document(subject.root, "");
        let definitions = schema["definitions"].clone();
        for record in records(subject.root).into_values() {
            let properties = if record.name == subject.root.name {
                &schema["properties"]
            } else {
                // A record that may also be nothing stands where it is used.
                match definitions.get(record.name) {
                    Some(definition) => &definition["properties"],
                    None => continue,
                }
            };
            for field in record.fields {
                let mut of_field = properties[field.name].clone();
                of_field["definitions"] = definitions.clone();
                let validator = jsonschema::draft7::new(&of_field).unwrap();
                let default = match field.presence {
                    Presence::Default(text) => Some(text),
                    Presence::Otherwise(_) | Presence::Required => None,
                };
                for text in field.examples.iter().copied().chain(default) {
                    let value = read(text).unwrap_or_else(|| panic!("{text} is no YAML"));
                    let name = format!("{}.{}: {text}", record.name, field.name);
                    assert!(
                        validator.is_valid(&value),
                        "{name}: {:?}",
                        validator.validate(&value)
                    );
                }
            }
        }
    }
}

#[test]
fn the_schema_is_one_of_its_draft() {
    for document in [Document::Policy, Document::Operator] {
        let schema: Json = serde_json::from_str(&document.schema()).unwrap();
        assert!(jsonschema::meta::is_valid(&schema));
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    }
}

#[test]
fn closed_lists_are_those_of_the_rooms() {
    let enforced = |words: &[Word]| -> Vec<&str> {
        let words = words.iter().filter(|word| word.enforced);
        words.map(|word| word.word).collect()
    };
    let dimensions = quota::Dimension::ALL.iter().map(|(word, _)| *word);
    assert_eq!(enforced(PER), dimensions.collect::<Vec<_>>());
    let mut algorithms = enforced(ALGORITHMS);
    let mut known: Vec<_> = Algorithm::ALL
        .iter()
        .map(|algorithm| algorithm.as_str())
        .collect();
    algorithms.sort_unstable();
    known.sort_unstable();
    assert_eq!(algorithms, known);
    assert_eq!(enforced(LEAK_ACTIONS), ["allow", "flag", "redact", "block"]);
    let mut packs: Vec<_> = scan::known_names()
        .iter()
        .filter_map(|name| name.split('.').next())
        .collect();
    packs.sort_unstable();
    packs.dedup();
    let mut described: Vec<_> = PACKS.fields.iter().map(|field| field.name).collect();
    described.sort_unstable();
    assert_eq!(described, packs);
}
