//! Each field by itself: the smallest file with it, with values that it takes and values that it does not. The
//! schema and the reader must agree about every one of them.

use serde_json::{Value as Json, json};

use super::super::json::read;
use super::super::{Key, Map};
use super::{Field, Presence, Record, Subject, Value, subjects};

/// What the reader says of the look of a file. What it says of how things fit together is no matter here.
const OF_LOOKS: &[&str] = &[
    "L0100", "L0102", "L0103", "L0104", "L0105", "L0106", "L0107", "L0108", "L0201", "L0301",
];

/// From a root down to a record: what stands around it.
type Around = Box<dyn Fn(Json) -> Json>;

#[test]
fn the_schema_and_the_reader_agree_about_every_field() {
    for subject in subjects() {
        let (mut count, mut wrong) = (0, Vec::new());
        let mut open: Vec<(&'static Record, Around)> = vec![(subject.root, Box::new(|file| file))];
        let mut seen: Vec<&str> = Vec::new();
        while let Some((record, around)) = open.pop() {
            if seen.contains(&record.name) {
                continue;
            }
            seen.push(record.name);
            for field in record.fields.iter().filter(|field| field.enforced) {
                let good = good(field).into_iter().map(|value| (value, true));
                let bad = bad(&field.value).into_iter().map(|value| (value, false));
                for (value, is_good) in good.chain(bad) {
                    count += 1;
                    wrong.extend(judge(&subject, record, field, &around, &value, is_good));
                }
            }
            open.extend(below(record, around));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(count >= 250, "only {count} files");
    }
}

/// Writes one field in one way, and asks both. Returns who is wrong.
fn judge(
    subject: &Subject,
    record: &'static Record,
    field: &'static Field,
    around: &Around,
    value: &Json,
    is_good: bool,
) -> Option<String> {
    let text = text_of(&around(with(record, field, value.clone())));
    let schema = subject.schema_errors(&read(&text).unwrap());
    let found = subject.reader(&text);
    let mut looks = found.iter().filter(|each| OF_LOOKS.contains(&each.code()));
    let is_read = looks.next().is_none() || is_half_a_pair(record, field) && is_good;
    let is_wrong = schema.is_empty() != is_good || is_read != is_good;
    is_wrong.then(|| {
        let good = if is_good { "good" } else { "bad" };
        format!(
            "{}.{}: {value} is {good}; the schema says {schema:?}, the reader {found}",
            record.name, field.name
        )
    })
}

/// These two only go together, which the reader alone knows.
fn is_half_a_pair(record: &Record, field: &Field) -> bool {
    record.name == "upstream-tls" && ["cert", "key"].contains(&field.name)
}

/// A file as YAML, its version first.
fn text_of(file: &Json) -> String {
    let mut text = "lictor: v1\n".to_owned();
    for (key, value) in file.as_object().unwrap() {
        if key != "lictor" {
            text.push_str(&format!("{key}: {value}\n"));
        } else if value != "v1" {
            text = format!("lictor: {value}\n");
        }
    }
    text
}

/// The smallest record with this field.
fn with(record: &'static Record, field: &'static Field, value: Json) -> Json {
    let mut smallest = smallest(record);
    let fields = smallest.as_object_mut().unwrap();
    // Of several only one may stand.
    if record
        .one_of
        .iter()
        .any(|choice| choice.field == field.name)
    {
        for choice in record.one_of {
            fields.remove(choice.field);
        }
    }
    // Keys come from a file or from elsewhere.
    if record.name == "jwks" {
        fields.clear();
    }
    // Algorithms with a shared key need one, which the reader alone knows.
    if record.name == "jwt" && value.to_string().contains("HS") {
        fields.insert("sharedKey".to_owned(), json!({ "file": "key" }));
    }
    fields.insert(field.name.to_owned(), value);
    smallest
}

/// What must stand in a record, and nothing else that can be left out.
fn smallest(record: &'static Record) -> Json {
    let enforced = || record.fields.iter().filter(|field| field.enforced);
    let mut chosen: Vec<_> = enforced()
        .filter(|field| matches!(field.presence, Presence::Required))
        .collect();
    let mut choices = record.one_of.iter();
    let choice = choices.find_map(|choice| enforced().find(|field| field.name == choice.field));
    chosen.extend(choice);
    if chosen.is_empty() && !record.may_be_empty {
        chosen.extend(enforced().next());
    }
    let fields = chosen.into_iter();
    fields
        .map(|field| {
            (
                field.name.to_owned(),
                good(field).into_iter().next().unwrap(),
            )
        })
        .collect()
}

/// Values that a field takes: its examples and its default, and one of every kind and word.
fn good(field: &'static Field) -> Vec<Json> {
    let examples = field.examples.iter().filter_map(|text| read(text));
    let default = match field.presence {
        Presence::Default(text) => read(text),
        Presence::Otherwise(_) | Presence::Required => None,
    };
    let mut values: Vec<_> = examples.chain(default).collect();
    values.extend(samples(&field.value));
    values
}

fn samples(value: &'static Value) -> Vec<Json> {
    match value {
        Value::Action => vec![
            json!("a2a:GetTask"),
            json!("a2a:message/send"),
            json!("http:GET /v1/**"),
        ],
        // By example only.
        Value::Any | Value::Secret | Value::Text(_) => Vec::new(),
        Value::Boolean => vec![json!(true), json!(false)],
        Value::Decimal => vec![json!(-3), json!(0.25), json!(250_000)],
        Value::Duration => vec![json!("10s"), json!("1h")],
        Value::Either(values) => values.iter().flat_map(samples).collect(),
        Value::List(value) => samples(value)
            .into_iter()
            .map(|value| json!([value]))
            .collect(),
        Value::Map(map) => vec![json!({ key(map.key): first(&map.value) })],
        Value::Number { least, most } => vec![json!(least), json!(most.min(&100))],
        Value::OneOrMore(value) => {
            let single = samples(value);
            let lists: Vec<_> = single.iter().map(|value| json!([value])).collect();
            single.into_iter().chain(lists).collect()
        }
        Value::Optional(record) => vec![Json::Null, smallest(record)],
        Value::Rate => vec![json!("10/s"), json!("20k/day")],
        Value::Record(record) => vec![smallest(record)],
        Value::Size => vec![json!("64KiB"), json!("1MiB")],
        Value::Word(words) => {
            let words = words.iter().filter(|word| word.enforced);
            words.map(|word| json!(word.word)).collect()
        }
    }
}

fn first(value: &'static Value) -> Json {
    let text = json!("x");
    samples(value).into_iter().next().unwrap_or(text)
}

/// Values that a field does not take.
fn bad(value: &'static Value) -> Vec<Json> {
    let strange = || json!({ "strange": 1 });
    match value {
        Value::Action => vec![
            strange(),
            json!(""),
            json!("SendMessage"),
            json!("a2a:SendMesage"),
        ],
        Value::Any | Value::Secret => Vec::new(),
        Value::Boolean => vec![strange(), json!("yes"), json!("true"), json!(1)],
        Value::Decimal => vec![strange(), json!(""), json!("5"), json!(true)],
        Value::Duration => vec![strange(), json!(""), json!("30"), json!("0s"), json!("5 m")],
        Value::Either(_) => vec![strange(), json!("")],
        Value::List(_) => vec![json!("text"), json!([])],
        Value::Map(_) => vec![json!("text"), json!([]), json!({})],
        Value::Number { least, most } => {
            let above = json!(most + 1);
            let below = least.checked_sub(1).map(|below| json!(below));
            let others = [strange(), json!("lots"), json!("5"), above];
            others.into_iter().chain(below).collect()
        }
        Value::OneOrMore(value) => {
            let mut values = bad(value);
            let lists: Vec<_> = values.iter().map(|value| json!([value])).collect();
            values.extend(lists);
            values.push(json!([]));
            values
        }
        Value::Optional(_) => vec![json!("text"), json!([])],
        Value::Rate => vec![
            strange(),
            json!(""),
            json!("60/m"),
            json!("0/s"),
            json!("60"),
        ],
        Value::Record(_) => vec![json!("text"), json!([]), strange()],
        Value::Size => vec![strange(), json!(""), json!("1MB"), json!("0B"), json!("64")],
        Value::Text(text) => {
            let of_kind = match text.name {
                "line of text" => json!("a\nb"),
                // The schema knows no grammars.
                "condition"
                | "name"
                | "path of a file"
                | "path of a file or folder"
                | "pattern of ids"
                | "regular expression"
                | "text"
                | "time zone" => json!(" "),
                "tenant" => json!("a\u{7}b"),
                // No address, path, name or date of any kind.
                _ => json!("\u{bf} ?"),
            };
            vec![strange(), json!(""), of_kind]
        }
        Value::Word(_) => vec![strange(), json!(""), json!("nonsense")],
    }
}

fn key(key: &Key) -> &'static str {
    match key.pattern {
        Some(_) => "some-name",
        None => "a2a:GetTask",
    }
}

/// The records in a record, with what stands around them.
fn below(record: &'static Record, around: Around) -> Vec<(&'static Record, Around)> {
    let around = std::rc::Rc::new(around);
    let mut found = Vec::new();
    for field in record.fields.iter().filter(|field| field.enforced) {
        let outer = std::rc::Rc::clone(&around);
        let place: Around = Box::new(move |value| outer(with(record, field, value)));
        found.extend(in_value(&field.value, place));
    }
    if let Some(others) = record.others {
        let outer = std::rc::Rc::clone(&around);
        let place: Around = Box::new(move |value| outer(json!({ key(others.key): value })));
        found.extend(in_value(&others.value, place));
    }
    found
}

fn in_value(value: &'static Value, around: Around) -> Option<(&'static Record, Around)> {
    match value {
        Value::Record(record) | Value::Optional(record) => Some((record, around)),
        Value::Either(values) => {
            let mut records = values
                .iter()
                .filter(|value| matches!(value, Value::Record(_)));
            in_value(records.next()?, around)
        }
        Value::List(value) => in_value(value, Box::new(move |inner| around(json!([inner])))),
        Value::OneOrMore(value) => in_value(value, around),
        Value::Map(Map { key: name, value }) => in_value(
            value,
            Box::new(move |inner| around(json!({ key(name): inner }))),
        ),
        _ => None,
    }
}
