//! Values at run time: how they are equal and how they are ordered.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::error::EvalError;

/// A value that a condition reads. It borrows: nothing is copied for a condition.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// The JSON `null`: a value that is there and says nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// A list of texts.
    Texts(&'a [Box<str>]),
    /// An instant.
    Time(Timestamp),
    /// A span of time.
    Duration(SignedDuration),
    /// An address.
    Ip(IpAddr),
    /// Any JSON. Numbers are those of `serde_json`: whole ones of 64 bits, everything else a double.
    Json(&'a serde_json::Value),
}

impl<'a> Value<'a> {
    /// As one of the other variants where it is a scalar of JSON.
    #[inline]
    pub(super) fn plain(self) -> Self {
        match self {
            Self::Json(json) => Self::of_json(json),
            other => other,
        }
    }

    fn of_json(json: &'a serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::of_number(number),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => Self::Json(json),
        }
    }

    fn of_number(number: &serde_json::Number) -> Self {
        if let Some(whole) = number.as_i64() {
            return Self::Int(whole);
        }
        match number.as_u64() {
            Some(whole) => Self::Uint(whole),
            None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// What it is, in the words of messages.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) | Self::Uint(_) | Self::Float(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Texts(_) | Self::Json(serde_json::Value::Array(_)) => Kind::List,
            Self::Time(_) => Kind::Time,
            Self::Duration(_) => Kind::Duration,
            Self::Ip(_) => Kind::Ip,
            Self::Json(_) => Kind::Object,
        }
    }
}

/// As it is recorded: times, durations and addresses as texts.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Uint(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Time(time) => serializer.collect_str(time),
            Self::Duration(duration) => serializer.collect_str(duration),
            Self::Ip(address) => serializer.collect_str(address),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

/// The static type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Known at run time only.
    Any,
    Bool,
    Duration,
    Ip,
    List,
    Null,
    Number,
    /// Never of an expression: only JSON that is read turns out to be one.
    Object,
    Text,
    Time,
}

impl Kind {
    /// With its article, as messages say it.
    pub(super) const fn a(self) -> &'static str {
        match self {
            Self::Any => "JSON",
            Self::Bool => "true or false",
            Self::Duration => "a duration",
            Self::Ip => "an address",
            Self::List => "a list",
            Self::Null => "null",
            Self::Number => "a number",
            Self::Object => "an object",
            Self::Text => "text",
            Self::Time => "a time",
        }
    }
}

/// A value between two operators. `lowerAscii` makes the one text that nobody holds; it is folded where it is
/// looked at, so that nothing is allocated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operand<'a> {
    Plain(Value<'a>),
    Lower(&'a str),
}

impl<'a> Operand<'a> {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Plain(value) => value.kind(),
            Self::Lower(_) => Kind::Text,
        }
    }

    pub(super) const fn text(self) -> Result<Words<'a>, EvalError> {
        match self {
            Self::Plain(Value::Text(text)) => Ok(Words { text, lower: false }),
            Self::Lower(text) => Ok(Words { text, lower: true }),
            Self::Plain(_) => Err(EvalError::Kind),
        }
    }

    pub(super) const fn bool(self) -> Result<bool, EvalError> {
        match self {
            Self::Plain(Value::Bool(value)) => Ok(value),
            Self::Plain(_) | Self::Lower(_) => Err(EvalError::Kind),
        }
    }

    pub(super) const fn time(self) -> Result<Timestamp, EvalError> {
        match self {
            Self::Plain(Value::Time(time)) => Ok(time),
            Self::Plain(_) | Self::Lower(_) => Err(EvalError::Kind),
        }
    }
}

/// A text, and whether its capitals count as small letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) text: &'a str,
    pub(super) lower: bool,
}

impl<'a> Words<'a> {
    /// The text itself; allocates where letters have to change.
    pub(super) fn cow(self) -> Cow<'a, str> {
        if self.lower && self.text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(self.text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(self.text)
        }
    }

    fn bytes(self) -> impl DoubleEndedIterator<Item = u8> + ExactSizeIterator {
        let lower = self.lower;
        let fold = move |byte: u8| {
            if lower {
                byte.to_ascii_lowercase()
            } else {
                byte
            }
        };
        self.text.bytes().map(fold)
    }

    #[inline]
    fn is_same(self, other: Words<'_>) -> bool {
        if self.lower || other.lower {
            return self.text.len() == other.text.len() && self.bytes().eq(other.bytes());
        }
        self.text == other.text
    }

    /// By code points, which in UTF-8 is by bytes.
    fn order(self, other: Words<'_>) -> Ordering {
        if self.lower || other.lower {
            return self.bytes().cmp(other.bytes());
        }
        self.text.cmp(other.text)
    }

    pub(super) fn starts_with(self, part: Words<'_>) -> bool {
        if self.lower || part.lower {
            let mut bytes = self.bytes();
            return part.bytes().all(|byte| bytes.next() == Some(byte));
        }
        self.text.starts_with(part.text)
    }

    pub(super) fn ends_with(self, part: Words<'_>) -> bool {
        if self.lower || part.lower {
            let mut bytes = self.bytes().rev();
            return part.bytes().rev().all(|byte| bytes.next() == Some(byte));
        }
        self.text.ends_with(part.text)
    }

    pub(super) fn contains(self, part: Words<'_>) -> bool {
        self.cow().contains(&*part.cow())
    }
}

/// Whether two values are equal. Values of different kinds are not (CEL, "Equality"); two lists or objects
/// are not compared, because that has no bound that an author could see.
#[inline]
pub(super) fn equal(left: Operand<'_>, right: Operand<'_>) -> Result<bool, EvalError> {
    if let (Ok(left), Ok(right)) = (left.text(), right.text()) {
        return Ok(left.is_same(right));
    }
    let (Operand::Plain(left), Operand::Plain(right)) = (left, right) else {
        return Ok(false);
    };
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Time(left), Value::Time(right)) => Ok(left == right),
        (Value::Duration(left), Value::Duration(right)) => Ok(left == right),
        (Value::Ip(left), Value::Ip(right)) => Ok(left.to_canonical() == right.to_canonical()),
        (Value::Texts(_) | Value::Json(_), Value::Texts(_) | Value::Json(_)) => {
            Err(EvalError::Kind)
        }
        _ => Ok(numbers(left, right) == Some(Some(Ordering::Equal))),
    }
}

/// How two values stand to each other; `None` for a NaN. Only numbers, texts, times and durations are
/// ordered, and only among themselves.
#[inline]
pub(super) fn order(left: Operand<'_>, right: Operand<'_>) -> Result<Option<Ordering>, EvalError> {
    if let (Ok(left), Ok(right)) = (left.text(), right.text()) {
        return Ok(Some(left.order(right)));
    }
    match (left, right) {
        (Operand::Plain(Value::Time(left)), Operand::Plain(Value::Time(right))) => {
            Ok(Some(left.cmp(&right)))
        }
        (Operand::Plain(Value::Duration(left)), Operand::Plain(Value::Duration(right))) => {
            Ok(Some(left.cmp(&right)))
        }
        (Operand::Plain(left), Operand::Plain(right)) => {
            numbers(left, right).ok_or(EvalError::Kind)
        }
        _ => Err(EvalError::Kind),
    }
}

/// `None` where one is no number; the inner `None` where one is a NaN.
fn numbers(left: Value<'_>, right: Value<'_>) -> Option<Option<Ordering>> {
    if let (Value::Float(left), Value::Float(right)) = (left, right) {
        return Some(left.partial_cmp(&right));
    }
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(Some(left.cmp(&right))),
        (Some(left), None) => match right {
            Value::Float(right) => Some(against_float(left, right)),
            _ => None,
        },
        (None, Some(right)) => match left {
            Value::Float(left) => Some(against_float(right, left).map(Ordering::reverse)),
            _ => None,
        },
        (None, None) => None,
    }
}

pub(super) fn whole(value: Value<'_>) -> Option<i128> {
    match value {
        Value::Int(value) => Some(value.into()),
        Value::Uint(value) => Some(value.into()),
        _ => None,
    }
}

/// Exact: a large whole number made a double would be another number.
fn against_float(whole: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Every whole number of 64 bits lies well within, so that the conversion of what is left is exact.
    if float.abs() >= TWO_TO_THE_66 {
        return Some(if float > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        });
    }
    let floor = float.floor();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole double below 2^66 in magnitude"
    )]
    let below = floor as i128;
    Some(whole.cmp(&below).then(if float > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

const TWO_TO_THE_66: f64 = 73_786_976_294_838_206_464.0;
