//! JSON as two readers would agree on it: no key twice, at any depth.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why bytes are not a JSON object that we accept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    /// A key stands twice in one object.
    Duplicate(Box<str>),
    /// Not JSON, not UTF-8, nested too deeply, or not an object.
    Malformed,
}

/// Reads one JSON object and nothing after it.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let duplicate = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Strict(&duplicate).deserialize(&mut reader);
    if let Some(key) = duplicate.take() {
        return Err(JsonError::Duplicate(key));
    }
    match (read, reader.end()) {
        (Ok(Value::Object(map)), Ok(())) => Ok(map),
        _ => Err(JsonError::Malformed),
    }
}

/// Reads a value; a key that stands twice is left in the cell. serde's errors are texts, and a fact should
/// not be read back out of a text.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a RefCell<Option<Box<str>>>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                self.0.replace(Some(key.into_boxed_str()));
                return Err(A::Error::custom("duplicate key"));
            }
            let value = entries.next_value_seed(self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_twice_is_refused_at_any_depth() {
        let cases = [
            r#"{"a":1,"a":1}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
            r#"{"x":{"y":{"a":1,"b":2,"a":3}}}"#,
        ];
        for text in cases {
            assert_eq!(
                object(text.as_bytes()),
                Err(JsonError::Duplicate(Box::from("a"))),
                "{text}"
            );
        }
    }

    #[test]
    fn only_one_whole_object_is_accepted() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(500), "}".repeat(500));
        let cases = [
            "",
            "[]",
            "1",
            "null",
            "{} {}",
            "{}x",
            "{",
            r#"{"a":}"#,
            r#"{'a':1}"#,
            r#"{"a":1e999}"#,
            r#"{"a":"\ud800"}"#,
            deep.as_str(),
        ];
        for text in cases {
            assert_eq!(object(text.as_bytes()), Err(JsonError::Malformed), "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonError::Malformed));
        assert_eq!(
            object(br#" {"a":[1,-2,3.5,null,true,"x"]} "#)
                .unwrap()
                .len(),
            1
        );
    }
}
