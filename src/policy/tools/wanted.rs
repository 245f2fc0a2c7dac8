//! What one argument must be.

use std::fmt;

use super::super::pattern::Pattern;
use super::decimal::Decimal;
use super::kind::TextKind;

/// What one argument must be. Each condition that is there must hold; an empty `one_of` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing is asked of it.
    Anything,
    /// `true` or `false`: one of these.
    Boolean(Vec<bool>),
    /// A number.
    Number {
        /// At least this.
        min: Option<Decimal>,
        /// At most this.
        max: Option<Decimal>,
        /// One of these.
        one_of: Vec<Decimal>,
    },
    /// A text.
    Text {
        /// All of it matches.
        matches: Option<Pattern>,
        /// It is of this kind.
        is: Option<TextKind>,
        /// One of these.
        one_of: Vec<Box<str>>,
    },
}

/// What is wrong with one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Above,
    /// It is there under another spelling, and readers are in use that do not mind.
    Ambiguous,
    Below,
    Missing,
    NoMatch,
    NotBoolean,
    NotNumber,
    NotObject,
    NotOfKind(TextKind),
    NotOneOf,
    NotText,
    /// Nobody said that there may be such an argument.
    Unknown,
    /// It cannot be told what the arguments are.
    Unreadable,
}

impl Wanted {
    /// Whether something is asked of it.
    pub(super) const fn is_something(&self) -> bool {
        !matches!(self, Self::Anything)
    }

    /// Whether a value is what it must be. The value is one JSON document.
    pub fn takes(&self, json: &str) -> bool {
        self.fault(json).is_none()
    }

    /// What is wrong with a value.
    pub(super) fn fault(&self, json: &str) -> Option<Fault> {
        match self {
            Self::Anything => None,
            Self::Boolean(one_of) => match serde_json::from_str::<bool>(json) {
                Err(_) => Some(Fault::NotBoolean),
                Ok(value) => (!one_of.contains(&value)).then_some(Fault::NotOneOf),
            },
            Self::Number { min, max, one_of } => match Decimal::parse(json) {
                None => Some(Fault::NotNumber),
                Some(value) => of_number(&value, min.as_ref(), max.as_ref(), one_of),
            },
            Self::Text {
                matches,
                is,
                one_of,
            } => match serde_json::from_str::<String>(json) {
                // A text with half a character in it is one of which no two readers see the same.
                Err(_) => Some(Fault::NotText),
                Ok(value) => of_text(&value, matches.as_ref(), *is, one_of),
            },
        }
    }
}

fn of_number(
    value: &Decimal,
    min: Option<&Decimal>,
    max: Option<&Decimal>,
    one_of: &[Decimal],
) -> Option<Fault> {
    if min.is_some_and(|min| value < min) {
        return Some(Fault::Below);
    }
    if max.is_some_and(|max| value > max) {
        return Some(Fault::Above);
    }
    (!one_of.is_empty() && !one_of.contains(value)).then_some(Fault::NotOneOf)
}

fn of_text(
    value: &str,
    matches: Option<&Pattern>,
    is: Option<TextKind>,
    one_of: &[Box<str>],
) -> Option<Fault> {
    if let Some(kind) = is.filter(|kind| !kind.includes(value)) {
        return Some(Fault::NotOfKind(kind));
    }
    if matches.is_some_and(|pattern| !pattern.matches(value)) {
        return Some(Fault::NoMatch);
    }
    let is_one = one_of.iter().any(|one| **one == *value);
    (!one_of.is_empty() && !is_one).then_some(Fault::NotOneOf)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Above => "is above `max`",
            Self::Ambiguous => "is there under another spelling",
            Self::Below => "is below `min`",
            Self::Missing => "is missing",
            Self::NoMatch => "does not match `matches`",
            Self::NotBoolean => "is neither true nor false",
            Self::NotNumber => "is not a number",
            Self::NotObject => "is not an object",
            Self::NotOfKind(kind) => return write!(f, "is not {}", kind.article()),
            Self::NotOneOf => "is none of `oneOf`",
            Self::NotText => "is not a text",
            Self::Unknown => "is not one that `args` names",
            Self::Unreadable => "cannot be read in one way only",
        })
    }
}

/// What would be right: `a number of at most 250000`.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => f.write_str("anything"),
            Self::Boolean(one_of) => f.write_str(&or(one_of)),
            Self::Number { min, max, one_of } => {
                let range = match (min, max) {
                    (None, None) if !one_of.is_empty() => return f.write_str(&or(one_of)),
                    (None, None) => String::new(),
                    (Some(min), None) => format!(" of at least {min}"),
                    (None, Some(max)) => format!(" of at most {max}"),
                    (Some(min), Some(max)) => format!(" from {min} to {max}"),
                };
                write!(f, "a number{range}{}", and_one_of(one_of))
            }
            Self::Text {
                matches,
                is,
                one_of,
            } => {
                let kind = is.map_or("a text", TextKind::article);
                match matches {
                    None if is.is_none() && !one_of.is_empty() => f.write_str(&or(one_of)),
                    None => write!(f, "{kind}{}", and_one_of(one_of)),
                    Some(pattern) => {
                        let pattern = pattern.as_str();
                        write!(f, "{kind} that matches {pattern}{}", and_one_of(one_of))
                    }
                }
            }
        }
    }
}

fn and_one_of<T: fmt::Display>(values: &[T]) -> String {
    match values {
        [] => String::new(),
        values => format!(", and {}", or(values)),
    }
}

fn or<T: fmt::Display>(values: &[T]) -> String {
    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
    values.join(" or ")
}
