//! A call of a tool, as it stands in the body of a request.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON-RPC request that calls a tool (MCP, `tools/call`). Nothing of it is converted: a number keeps its
/// digits, because who judges it and who obeys it may round otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool's name; `None` where two readers of the request may see different ones, or none.
    pub name: Option<Box<str>>,
    /// What it is given.
    pub args: ToolArgs,
}

/// The arguments of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolArgs {
    /// There are none.
    Absent,
    /// One JSON document, as it was written.
    Json(Box<str>),
    /// Two readers of the request may see different ones.
    Unreadable,
}

impl ToolCall {
    /// A call of one tool with these arguments, in JSON.
    pub fn new(name: &str, args: Option<String>) -> Self {
        Self {
            name: Some(Box::from(name)),
            args: args.map_or(ToolArgs::Absent, |args| ToolArgs::Json(args.into())),
        }
    }
}

/// The members of a JSON object in their order, each value as it was written. Of an object whose keys were
/// found to be there once.
#[derive(Debug, Clone, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads an object; `None` of anything else.
    pub fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Each key and the text of its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }

    /// The value of the member with just this key.
    pub fn of(&self, key: &str) -> Option<&'a str> {
        let mut members = self.iter();
        members.find(|(found, _)| *found == key)?.1.into()
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            members.push((key, value.get()));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_digits() {
        let members = Members::read(
            r#"{ "a": 9007199254740993 , "b\u0062":250000.00000000001,"c":{"d":[1]}}"#,
        )
        .unwrap();
        let members: Vec<_> = members.iter().collect();
        let expected = [
            ("a", "9007199254740993"),
            ("bb", "250000.00000000001"),
            ("c", r#"{"d":[1]}"#),
        ];
        assert_eq!(members, expected);
    }

    #[test]
    fn only_an_object_has_members() {
        for json in ["[]", "1", "\"{}\"", "null", "", "{} {}"] {
            assert!(Members::read(json).is_none(), "{json}");
        }
        assert!(Members::read("{}").is_some());
    }
}
