//! The JSON Schema of a file, for editors.
//!
//! Draft-07, because every version of yaml-language-server and every other editor knows it, and nothing of a later
//! draft is needed. What stands beside a `$ref` only describes, as validators of that draft ignore it. The words
//! beyond the standard (`markdownDescription`, `enumDescriptions`, `patternErrorMessage`, `deprecationMessage`,
//! `doNotSuggest`) are those of VS Code's JSON support, which yaml-language-server reads too.

use std::collections::BTreeMap;

use serde_json::{Map as Object, Value as Json, json};

use super::json::read;
use super::{Field, Key, Map, Presence, Record, Text, Value, Word};
use crate::config::units;
use crate::model::Protocol;

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of a file whose root this is, as text.
pub(in crate::config) fn render(root: &'static Record, title: &str) -> String {
    format!("{:#}\n", document(root, title))
}

/// The schema of a file whose root this is.
pub(super) fn document(root: &'static Record, title: &str) -> Json {
    let mut schema = Schema::default();
    let mut document = schema.record(root, json!("object"));
    document.insert("$schema".into(), DRAFT.into());
    document.insert("title".into(), title.into());
    // Anchors hang there, and nobody needs to be told of them while typing.
    document.insert(
        "patternProperties".into(),
        json!({ "^x-": { "doNotSuggest": true } }),
    );
    document.insert(
        "definitions".into(),
        schema.definitions.into_iter().collect(),
    );
    Json::Object(document)
}

/// What has been described so far.
#[derive(Default)]
struct Schema {
    definitions: BTreeMap<&'static str, Json>,
}

impl Schema {
    fn record(&mut self, record: &'static Record, kind: Json) -> Object<String, Json> {
        let mut schema = described(record.doc);
        schema.insert("type".into(), kind);
        let fields = record.fields.iter();
        let properties: Object<_, _> = fields
            .map(|field| (field.name.to_owned(), self.field(field)))
            .collect();
        schema.insert("properties".into(), Json::Object(properties));
        let fields = record.fields.iter();
        let required: Vec<_> = fields
            .filter(|field| matches!(field.presence, Presence::Required))
            .map(|field| field.name)
            .collect();
        if !required.is_empty() {
            schema.insert("required".into(), json!(required));
        } else if !record.may_be_empty {
            schema.insert("minProperties".into(), 1.into());
        }
        if !record.one_of.is_empty() {
            let choices = record.one_of.iter();
            let choices: Vec<_> = choices
                .map(|choice| json!({ "title": choice.title, "required": [choice.field] }))
                .collect();
            schema.insert("oneOf".into(), json!(choices));
        }
        match record.others {
            Some(others) => self.others(&mut schema, others, record),
            None => {
                schema.insert("additionalProperties".into(), false.into());
            }
        }
        schema
    }

    /// What stands under names of the author's own, besides the fields.
    fn others(&mut self, schema: &mut Object<String, Json>, map: &'static Map, record: &Record) {
        schema.insert("additionalProperties".into(), self.value(&map.value));
        let names: Vec<_> = record.fields.iter().map(|field| field.name).collect();
        let others = match map.key.pattern {
            Some(pattern) => pattern.to_owned(),
            None => action_pattern(),
        };
        // One pattern: of alternatives an editor would name the first in place of what is wrong.
        schema.insert(
            "propertyNames".into(),
            json!({
                "pattern": format!("^({})$|{others}", names.join("|")),
                "patternErrorMessage": format!("not a name for this: {}", map.key.what),
            }),
        );
    }

    fn key(&mut self, key: &'static Key) -> Json {
        let Some(pattern) = key.pattern else {
            return self.value(&Value::Action);
        };
        let mut schema = Object::new();
        schema.insert("pattern".into(), pattern.into());
        let message = format!("not a name for this: {}", key.what);
        schema.insert("patternErrorMessage".into(), message.into());
        if !key.examples.is_empty() {
            schema.insert("examples".into(), json!(key.examples));
        }
        Json::Object(schema)
    }

    fn field(&mut self, field: &'static Field) -> Json {
        let mut schema = match self.value(&field.value) {
            Json::Object(schema) => schema,
            _ => Object::new(),
        };
        schema.extend(described(&field.text()));
        if let Presence::Default(text) = field.presence {
            schema.extend(read(text).map(|value| ("default".to_owned(), value)));
        }
        let examples: Vec<_> = field
            .examples
            .iter()
            .filter_map(|text| read(text))
            .collect();
        if !examples.is_empty() {
            schema.insert("examples".into(), json!(examples));
        }
        if !field.enforced {
            // yaml-language-server takes no such word from beside a reference.
            if let Some(reference) = schema.remove("$ref") {
                schema.insert("allOf".into(), json!([{ "$ref": reference }]));
            }
            let message = format!(
                "`{}` is not yet enforced: a file with it does not load",
                field.name
            );
            schema.insert("deprecated".into(), true.into());
            schema.insert("deprecationMessage".into(), message.into());
            schema.insert("doNotSuggest".into(), true.into());
        }
        Json::Object(schema)
    }

    fn value(&mut self, value: &'static Value) -> Json {
        match value {
            Value::Action => self.define("action", |_| action()),
            Value::Any => json!({}),
            Value::Boolean => json!({ "type": "boolean" }),
            Value::Decimal => json!({ "type": "number" }),
            Value::Duration => self.define("duration", |_| {
                unit(
                    r"^0*[1-9]\d*(ms|s|m|h|d)$",
                    units::DURATION,
                    &["30s", "10m", "1h"],
                )
            }),
            Value::Either(values) => {
                let values: Vec<_> = values.iter().map(|value| self.value(value)).collect();
                json!({ "anyOf": values })
            }
            Value::List(value) => {
                json!({ "type": "array", "items": self.value(value), "minItems": 1 })
            }
            Value::Map(map) => json!({
                "type": "object",
                "minProperties": 1,
                "additionalProperties": self.value(&map.value),
                "propertyNames": self.key(map.key),
            }),
            Value::Number { least, most } => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Value::OneOrMore(value) => self.one_or_more(value),
            Value::Optional(record) => Json::Object(self.record(record, json!(["object", "null"]))),
            Value::Rate => self.define("rate", |_| {
                unit(
                    r"^0*[1-9]\d*[kM]?/(s|min|hour|day)$",
                    units::RATE,
                    &["10/s", "60/min", "20k/day"],
                )
            }),
            Value::Record(record) => self.define(record.name, |schema| {
                Json::Object(schema.record(record, json!("object")))
            }),
            Value::Secret => self.define("secret", |_| secret()),
            Value::Size => self.define("size", |_| {
                unit(
                    r"^0*[1-9]\d*(B|KiB|MiB|GiB)$",
                    units::BYTES,
                    &["64KiB", "1MiB"],
                )
            }),
            Value::Text(text) => Json::Object(looks(text)),
            Value::Word(words) => word(words),
        }
    }

    /// Where one element is a text, its rules and those of a list stand side by side: each keyword is about one
    /// type, and an editor then says what is wrong with the text instead of that no alternative fits.
    fn one_or_more(&mut self, value: &'static Value) -> Json {
        let items = self.value(value);
        let text = match value {
            Value::Action => self.definitions.get("action").cloned(),
            Value::Text(text) => Some(Json::Object(looks(text))),
            _ => None,
        };
        match text {
            Some(Json::Object(mut schema)) => {
                schema.insert("type".into(), json!(["string", "array"]));
                schema.insert("items".into(), items);
                schema.insert("minItems".into(), 1.into());
                Json::Object(schema)
            }
            _ => json!({ "anyOf": [items, { "type": "array", "items": items, "minItems": 1 }] }),
        }
    }

    fn define(&mut self, name: &'static str, make: impl FnOnce(&mut Self) -> Json) -> Json {
        if !self.definitions.contains_key(name) {
            // Stands while it is made, for records that hold themselves.
            self.definitions.insert(name, Json::Null);
            let schema = make(self);
            self.definitions.insert(name, schema);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }
}

fn described(doc: &str) -> Object<String, Json> {
    let text = |name: &str| (name.to_owned(), Json::from(doc));
    [text("description"), text("markdownDescription")]
        .into_iter()
        .collect()
}

fn looks(text: &Text) -> Object<String, Json> {
    let mut schema = Object::new();
    schema.insert("type".into(), "string".into());
    schema.insert("pattern".into(), text.pattern.into());
    let message = format!("this must be {}", text.expected);
    schema.insert("patternErrorMessage".into(), message.into());
    schema
}

fn unit(pattern: &str, expected: &str, examples: &[&str]) -> Json {
    json!({
        "type": "string",
        "pattern": pattern,
        "patternErrorMessage": format!("this must be {expected}"),
        "examples": examples,
    })
}

fn word(words: &'static [Word]) -> Json {
    let docs: Vec<_> = words.iter().map(Word::text).collect();
    json!({
        "type": "string",
        "enum": words.iter().map(|word| word.word).collect::<Vec<_>>(),
        "enumDescriptions": docs,
        "markdownEnumDescriptions": docs,
    })
}

fn secret() -> Json {
    let mut schema =
        described("Where a secret lies. The secret itself is never written in a file.");
    let name = |doc: &str| {
        let mut schema = looks(&super::text::PATH);
        schema.extend(described(doc));
        Json::Object(schema)
    };
    schema.extend([
        ("type".to_owned(), json!("object")),
        ("additionalProperties".to_owned(), json!(false)),
        (
            "properties".to_owned(),
            json!({
                "file": name("The path of a file, relative to the one that names it. It is read again when it changes."),
                "env": name("The name of an environment variable."),
            }),
        ),
        (
            "oneOf".to_owned(),
            json!([{ "title": "file", "required": ["file"] }, { "title": "environment", "required": ["env"] }]),
        ),
    ]);
    Json::Object(schema)
}

/// Names that exist, or that hold a wildcard.
fn action_pattern() -> String {
    let protocols = Protocol::ALL.iter().map(|protocol| {
        let methods = protocol.methods().iter();
        let names = methods.flat_map(|(name, aliases)| std::iter::once(name).chain(*aliases));
        let names: Vec<_> = names.copied().collect();
        let known = match names.as_slice() {
            [] => r"\S+".to_owned(),
            // Servers and clients of MCP add notifications of their own.
            names if *protocol == Protocol::Mcp => {
                format!(r"({}|notifications/\S+|\S*\*\S*)", names.join("|"))
            }
            names => format!(r"({}|\S*\*\S*)", names.join("|")),
        };
        format!("{}:{known}", protocol.as_str())
    });
    format!("^({})( .*)?$", protocols.collect::<Vec<_>>().join("|"))
}

fn action() -> Json {
    let examples = Protocol::ALL.iter().flat_map(|protocol| {
        let methods = protocol.methods().iter();
        methods.map(|(name, _)| format!("{}:{name}", protocol.as_str()))
    });
    let more = [
        "a2a:*",
        "a2a:SendMessage quote-*",
        "http:GET /v1/reports/**",
    ]
    .map(String::from);
    json!({
        "type": "string",
        "description": ACTION,
        "markdownDescription": ACTION,
        "pattern": action_pattern(),
        "patternErrorMessage": "this must be an action such as `a2a:SendMessage`, `a2a:Get*` or `http:GET /v1/**`",
        "examples": examples.chain(more).collect::<Vec<_>>(),
    })
}

/// What an action pattern is.
pub(super) const ACTION: &str = "An action pattern: `protocol:method`, and perhaps a space and a name (a skill, a tool, a path). `*` stands \
     for any text within a segment, `**` also across `/`. Calls of A2A have the names of version 1.0, whatever version the caller \
     speaks: `a2a:message/send` is accepted and means `a2a:SendMessage`.";
