//! A JSON document whose members keep their order and whose numbers keep their digits.

use serde_json::value::RawValue;

use super::UnreadableCard;
use crate::model::Members;
use crate::protocol::json::Reader;

/// How deeply a card may be nested. Only the parameters of extensions nest at all.
const DEPTH: usize = 64;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    List(Vec<Self>),
    /// Its keys are there once.
    Object(Vec<(String, Self)>),
    /// A number, `true`, `false` or `null`, as it was written.
    Plain(String),
    Text(String),
}

impl Tree {
    /// Reads a document that is the same to every reader.
    ///
    /// # Errors
    /// When it is no JSON, or one that readers see differently.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, UnreadableCard> {
        let mut reader = Reader::new(bytes, DEPTH)?;
        while reader.next()?.is_some() {}
        let text = std::str::from_utf8(bytes).map_err(|_| UnreadableCard::Broken)?;
        Self::parse(text.trim()).ok_or(UnreadableCard::Broken)
    }

    /// Of a document that was found to be well-formed and not deep, so that it may recurse.
    fn parse(text: &str) -> Option<Self> {
        Some(match text.as_bytes().first()? {
            b'{' => {
                let members = Members::read(text)?;
                let members = members.iter();
                let members =
                    members.map(|(key, value)| Some((key.to_owned(), Self::parse(value)?)));
                Self::Object(members.collect::<Option<_>>()?)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let items = items.into_iter().map(|item| Self::parse(item.get()));
                Self::List(items.collect::<Option<_>>()?)
            }
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            _ => Self::Plain(text.to_owned()),
        })
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        let members = members.into_iter();
        Self::Object(
            members
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Object(_) | Self::Plain(_) => None,
        }
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Object(_) | Self::Plain(_) | Self::Text(_) => None,
        }
    }

    pub(super) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            Self::List(_) | Self::Plain(_) | Self::Text(_) => &[],
        }
    }

    pub(super) fn of(&self, key: &str) -> Option<&Self> {
        let mut members = self.members().iter();
        members
            .find(|(found, _)| found == key)
            .map(|(_, value)| value)
    }

    /// The text of a member.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.of(key)?.as_text()
    }

    /// Puts a member in the place of the one with this key, or at the end. Nothing else than an object has any.
    pub(super) fn set(&mut self, key: &str, value: Self) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(found, _)| found == key) {
            Some((_, old)) => *old = value,
            None => members.push((key.to_owned(), value)),
        }
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, key: &str) -> Option<Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let at = members.iter().position(|(found, _)| found == key)?;
        Some(members.remove(at).1)
    }

    /// Appends the document without white space, in the order of its members.
    pub(super) fn write(&self, to: &mut String) {
        match self {
            Self::Plain(text) => to.push_str(text),
            Self::Text(text) => quote(text, to),
            Self::List(items) => {
                to.push('[');
                for (nth, item) in items.iter().enumerate() {
                    if nth > 0 {
                        to.push(',');
                    }
                    item.write(to);
                }
                to.push(']');
            }
            Self::Object(members) => {
                to.push('{');
                for (nth, (key, value)) in members.iter().enumerate() {
                    if nth > 0 {
                        to.push(',');
                    }
                    quote(key, to);
                    to.push(':');
                    value.write(to);
                }
                to.push('}');
            }
        }
    }
}

/// Appends a string with as few escapes as may be (RFC 8785, section 3.2.2.2).
pub(super) fn quote(text: &str, to: &mut String) {
    to.push('"');
    for char in text.chars() {
        match char {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\u{8}' => to.push_str("\\b"),
            '\t' => to.push_str("\\t"),
            '\n' => to.push_str("\\n"),
            '\u{C}' => to.push_str("\\f"),
            '\r' => to.push_str("\\r"),
            char if char < ' ' => to.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => to.push(char),
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_stay() {
        let read = Tree::read(br#" { "b" : 1.50e3 , "a":[null,{"x":"\u0041\u20ac\/"}],"b2":{}} "#);
        let mut text = String::new();
        read.unwrap().write(&mut text);
        assert_eq!(text, r#"{"b":1.50e3,"a":[null,{"x":"A€/"}],"b2":{}}"#);
    }

    #[test]
    fn what_readers_see_differently_is_none() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        for bytes in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":NaN}"#,
            "{} {}",
            "",
            &deep,
        ] {
            assert!(Tree::read(bytes.as_bytes()).is_err(), "{bytes}");
        }
    }
}
