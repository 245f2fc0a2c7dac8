//! The conditions that are written for one argument, and whether they can hold together.

use std::fmt;

use super::super::condition::Place;
use crate::config::decode::{Fields, bad_value, text, word, wrong_type};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::IS;
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::policy::{Decimal, Pattern, PatternError, TextKind, Wanted};

/// The conditions as they are written.
pub(super) struct Written<'node> {
    max: Option<&'node Entry>,
    min: Option<&'node Entry>,
    one_of: Option<&'node Entry>,
    matches: Option<&'node Entry>,
    is: Option<&'node Entry>,
}

/// A value of `oneOf`.
enum Listed {
    Boolean(bool),
    Number(Decimal),
    Text(Box<str>),
}

/// The conditions but for `oneOf`.
struct Others {
    min: Option<Decimal>,
    max: Option<Decimal>,
    matches: Option<Pattern>,
    is: Option<TextKind>,
}

impl<'node> Written<'node> {
    pub(super) fn take(fields: &mut Fields<'node>) -> Self {
        Self {
            max: fields.take("max"),
            min: fields.take("min"),
            one_of: fields.take("oneOf"),
            matches: fields.take("matches"),
            is: fields.take("is"),
        }
    }

    /// What they come to; `None` for mistakes.
    pub(super) fn read(&self, report: &mut Diagnostics) -> Option<Wanted> {
        // All of them are read before one is missed, so that one run tells all mistakes.
        let max = read(self.max, |entry| decimal(&entry.value, "`max`", report));
        let min = read(self.min, |entry| decimal(&entry.value, "`min`", report));
        let matches = read(self.matches, |entry| pattern(&entry.value, report));
        let is = read(self.is, |entry| {
            word(&entry.value, "`is`", IS, TextKind::ALL, report)
        });
        let one_of = read(self.one_of, |entry| list(&entry.value, report));
        let (one_of, others) = (
            one_of?,
            Others {
                min: min?,
                max: max?,
                matches: matches?,
                is: is?,
            },
        );
        self.check_kinds(one_of.as_deref(), report)?;
        self.check_range(&others, report)?;
        let others = others.wanted();
        let Some(one_of) = one_of else {
            return Some(others);
        };
        check_list(&one_of, &others, report);
        Some(with_list(others, one_of))
    }

    /// No argument is of two kinds.
    fn check_kinds(
        &self,
        one_of: Option<&[(Listed, Span)]>,
        report: &mut Diagnostics,
    ) -> Option<()> {
        let listed = one_of
            .and_then(|values| values.first())
            .map(|(value, _)| value.kind());
        let written = [
            (self.max, Some("a number")),
            (self.min, Some("a number")),
            (self.matches, Some("a text")),
            (self.is, Some("a text")),
            (self.one_of, listed),
        ];
        let written: Vec<_> = written
            .into_iter()
            .filter_map(|(entry, kind)| Some((entry?, kind?)))
            .collect();
        let Some((first, kind)) = written.first() else {
            return Some(());
        };
        let Some((other, other_kind)) = written.iter().find(|(_, other)| other != kind) else {
            return Some(());
        };
        let (one, two) = (&first.key.text, &other.key.text);
        let title = format_args!("`{one}` asks for {kind} and `{two}` for {other_kind}");
        report.push(
            Diagnostic::error(Code::Contradiction, title)
                .at(other.key.span, format_args!("for {other_kind}"))
                .also(first.key.span, format_args!("for {kind}"))
                .help("no argument is both; delete one"),
        );
        None
    }

    fn check_range(&self, others: &Others, report: &mut Diagnostics) -> Option<()> {
        let (Some(min), Some(max)) = (&others.min, &others.max) else {
            return Some(());
        };
        let (Some(lower), Some(upper), true) = (self.min, self.max, min > max) else {
            return Some(());
        };
        report.push(
            Diagnostic::error(
                Code::Contradiction,
                "`min` is above `max`: no number is both",
            )
            .at(lower.value.span, "at least this")
            .also(upper.value.span, "at most this"),
        );
        None
    }
}

impl Others {
    fn wanted(self) -> Wanted {
        let Self {
            min,
            max,
            matches,
            is,
        } = self;
        if min.is_some() || max.is_some() {
            let one_of = Vec::new();
            return Wanted::Number { min, max, one_of };
        }
        if matches.is_some() || is.is_some() {
            let one_of = Vec::new();
            return Wanted::Text {
                matches,
                is,
                one_of,
            };
        }
        Wanted::Anything
    }
}

impl Listed {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "`true` or `false`",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Boolean(_) | Self::Number(_) => self.to_string(),
            Self::Text(value) => serde_json::Value::from(&**value).to_string(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Boolean(one), Self::Boolean(two)) => one == two,
            (Self::Number(one), Self::Number(two)) => one == two,
            (Self::Text(one), Self::Text(two)) => one == two,
            (Self::Boolean(_) | Self::Number(_) | Self::Text(_), _) => false,
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// What is not written is no mistake: `Some(None)`.
fn read<'node, T>(
    entry: Option<&'node Entry>,
    read: impl FnOnce(&'node Entry) -> Option<T>,
) -> Option<Option<T>> {
    match entry {
        None => Some(None),
        Some(entry) => read(entry).map(Some),
    }
}

/// A number without quotes, as JSON has it.
fn decimal(node: &Node, what: &str, report: &mut Diagnostics) -> Option<Decimal> {
    let (written, plain) = match &*node.kind {
        Kind::Text { text, plain } => (text.as_str(), *plain),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            report.push(wrong_type(node, what, "a number"));
            return None;
        }
    };
    match Decimal::parse(written.trim()) {
        Some(number) if plain => Some(number),
        Some(_) => {
            let diagnostic = bad_value(node, what, "a number: it stands in quotes");
            report.push(diagnostic.at(node.span, format_args!("write {}", written.trim())));
            None
        }
        None => {
            let diagnostic = bad_value(node, what, "a number such as 250000 or 0.01");
            report.push(
                diagnostic.help("a number has no unit, no sign `+` and nothing between its digits"),
            );
            None
        }
    }
}

/// A pattern; a mistake is shown where it stands in it.
fn pattern(node: &Node, report: &mut Diagnostics) -> Option<Pattern> {
    let text = text(node, "`matches`", report)?;
    let error = match Pattern::parse(text) {
        Ok(pattern) => return Some(pattern),
        Err(error) => error,
    };
    report.push(match &error {
        PatternError::TooLarge => bad_value(node, "`matches`", "of a size that can be compiled")
            .at(node.span, "write fewer or smaller repetitions"),
        PatternError::Syntax { why, at } => {
            let place = Place::of(node, text, report);
            bad_value(node, "`matches`", "a regular expression").at(place.within(at), why)
        }
    });
    None
}

/// The values of `oneOf`, all of one kind.
fn list(node: &Node, report: &mut Diagnostics) -> Option<Vec<(Listed, Span)>> {
    let Kind::List(items) = &*node.kind else {
        report.push(wrong_type(node, "`oneOf`", "a list"));
        return None;
    };
    if items.is_empty() {
        report.push(Diagnostic::error(Code::Empty, "`oneOf` is empty").at(node.span, ""));
        return None;
    }
    let values: Vec<_> = items
        .iter()
        .map(|item| Some((listed(item, report)?, item.span)))
        .collect();
    let values: Vec<(Listed, Span)> = values.into_iter().collect::<Option<_>>()?;
    let (first, at) = values.first()?;
    if let Some((other, place)) = values
        .iter()
        .find(|(value, _)| value.kind() != first.kind())
    {
        report.push(
            Diagnostic::error(Code::WrongType, "`oneOf` has values of different kinds")
                .at(*place, other.kind())
                .also(*at, first.kind())
                .help("an argument has one kind; quote a number that is meant as a text"),
        );
        return None;
    }
    for (number, (value, place)) in values.iter().enumerate() {
        let mut before = values.iter().take(number);
        if let Some((_, first)) = before.find(|(other, _)| other.is_same(value)) {
            let title = format_args!("{} stands twice in `oneOf`", quoted(&value.to_string()));
            report.push(
                Diagnostic::error(Code::DefinedTwice, title)
                    .at(*place, "second")
                    .also(*first, "first")
                    .help("delete one, or correct it"),
            );
        }
    }
    Some(values)
}

fn listed(node: &Node, report: &mut Diagnostics) -> Option<Listed> {
    let Kind::Text { text, plain } = &*node.kind else {
        let diagnostic = wrong_type(
            node,
            "a value of `oneOf`",
            "a text, a number, `true` or `false`",
        );
        report.push(match &*node.kind {
            Kind::Null => diagnostic
                .help("where the argument may be left out or `null`, write optional: true"),
            Kind::Text { .. } | Kind::List(_) | Kind::Map(_) => diagnostic,
        });
        return None;
    };
    if !plain {
        return Some(Listed::Text(text.as_str().into()));
    }
    if let Some(number) = Decimal::parse(text) {
        return Some(Listed::Number(number));
    }
    match text.as_str() {
        "true" => Some(Listed::Boolean(true)),
        "false" => Some(Listed::Boolean(false)),
        // `+5`, `.5`, `007`: numbers to some, texts to others.
        text if looks_like_number(text) => {
            let diagnostic = bad_value(node, "`oneOf`", "clear: is it a number or a text?");
            report.push(diagnostic.at(node.span, format_args!("write \"{text}\" for a text")));
            None
        }
        text => Some(Listed::Text(text.into())),
    }
}

fn looks_like_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text.parse::<f64>().is_ok()
}

/// What stands in a list and is refused by the other conditions never passes.
fn check_list(values: &[(Listed, Span)], others: &Wanted, report: &mut Diagnostics) {
    for (value, at) in values
        .iter()
        .filter(|(value, _)| !others.takes(&value.json()))
    {
        let title = format_args!(
            "{} of `oneOf` can never match: the other conditions refuse it",
            quoted(&value.to_string())
        );
        report.push(
            Diagnostic::error(Code::NeverMatches, title).at(*at, format_args!("not {others}")),
        );
    }
}

/// Adds a list to conditions of the same kind.
fn with_list(others: Wanted, values: Vec<(Listed, Span)>) -> Wanted {
    let (mut booleans, mut numbers, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for (value, _) in values {
        match value {
            Listed::Boolean(value) => booleans.push(value),
            Listed::Number(value) => numbers.push(value),
            Listed::Text(value) => texts.push(value),
        }
    }
    match others {
        Wanted::Number { min, max, .. } => Wanted::Number {
            min,
            max,
            one_of: numbers,
        },
        Wanted::Text { matches, is, .. } => Wanted::Text {
            matches,
            is,
            one_of: texts,
        },
        Wanted::Anything | Wanted::Boolean(_) if !booleans.is_empty() => Wanted::Boolean(booleans),
        Wanted::Anything | Wanted::Boolean(_) if !numbers.is_empty() => Wanted::Number {
            min: None,
            max: None,
            one_of: numbers,
        },
        Wanted::Anything | Wanted::Boolean(_) => Wanted::Text {
            matches: None,
            is: None,
            one_of: texts,
        },
    }
}
