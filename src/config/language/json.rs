//! YAML as JSON, for the schema and for what is checked by it.

use serde_json::{Map, Number, Value};

use crate::config::diagnostic::Diagnostics;
use crate::config::tree::{self, Kind, Node};
use crate::policy::Decimal;

/// What a YAML text says; `None` if it is no YAML.
pub(super) fn read(text: &str) -> Option<Value> {
    let mut report = Diagnostics::default();
    tree::parse(0, text, &mut report).map(|node| from_tree(&node))
}

/// A tree as JSON, with plain scalars read as the core schema of YAML 1.2 has it (section 10.3.2).
pub(in crate::config) fn from_tree(node: &Node) -> Value {
    match &*node.kind {
        Kind::Null => Value::Null,
        Kind::Text { text, plain: true } => scalar(text),
        Kind::Text { text, plain: false } => Value::from(text.as_str()),
        Kind::List(items) => items.iter().map(from_tree).collect(),
        Kind::Map(entries) => {
            let entries = entries.iter();
            let fields: Map<_, _> = entries
                .map(|entry| (entry.key.text.to_string(), from_tree(&entry.value)))
                .collect();
            Value::Object(fields)
        }
    }
}

/// A tree as the text of JSON, with the digits of numbers as they are written.
pub(in crate::config) fn exact(node: &Node) -> String {
    let key = |text: &str| Value::from(text).to_string();
    match &*node.kind {
        Kind::Text { text, plain: true } if Decimal::parse(text).is_some() => text.clone(),
        Kind::Null | Kind::Text { .. } => from_tree(node).to_string(),
        Kind::List(items) => {
            let items: Vec<_> = items.iter().map(exact).collect();
            format!("[{}]", items.join(","))
        }
        Kind::Map(entries) => {
            let entries = entries.iter();
            let members: Vec<_> = entries
                .map(|entry| format!("{}:{}", key(&entry.key.text), exact(&entry.value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !is_number {
        return Value::from(text);
    }
    let whole = text.parse::<u64>().ok().map(Number::from);
    let float = || Number::from_f64(text.parse().ok()?);
    whole
        .or_else(float)
        .map_or_else(|| Value::from(text), Value::Number)
}
