//! From nodes to values, recording mistakes instead of returning at the first.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::language::operator::SECRET;
use super::language::{Field, Record, Word, is_planned};
use super::source::{SECRET_KEYS, Span};
use super::tree::{Entry, Kind, Node, quoted};
use super::units::{self, UnitError};
use crate::quota::Rate;

/// The fields of one mapping. Each is asked for by name; what nobody asked for is a mistake. Where the language
/// describes the mapping, that says which fields there are: a reader that asks for another, or not for all, is
/// a bug that a debug build stops at.
pub(super) struct Fields<'node> {
    /// What the mapping is, for messages: ``role `analyst` ``.
    what: String,
    /// Where its name stands.
    pub(super) at: Span,
    // Where the name stands, if the excerpt should show it.
    context: Option<Span>,
    entries: Vec<(&'node Entry, bool)>,
    // `None` where the author chooses all names.
    record: Option<&'static Record>,
    asked: Vec<&'static str>,
    refused: bool,
}

impl<'node> Fields<'node> {
    /// The fields of a node that must be a mapping; `None` (and a mistake) if it is not. What the language
    /// has and this version does not enforce is refused at once, and so is what belongs elsewhere.
    pub(super) fn of(
        record: &'static Record,
        node: &'node Node,
        what: impl fmt::Display,
        name: Option<Span>,
        report: &mut Diagnostics,
    ) -> Option<Self> {
        let mut fields = Self::named(node, what, name, report)?;
        fields.record = Some(record);
        fields.refuse(report);
        Some(fields)
    }

    /// The same for a mapping whose names the author chooses.
    pub(super) fn named(
        node: &'node Node,
        what: impl fmt::Display,
        name: Option<Span>,
        report: &mut Diagnostics,
    ) -> Option<Self> {
        let Kind::Map(entries) = &*node.kind else {
            report.push(wrong_type(node, &what, "a mapping"));
            return None;
        };
        Some(Self {
            what: what.to_string(),
            at: name.unwrap_or(node.span),
            context: name,
            entries: entries.iter().map(|entry| (entry, false)).collect(),
            record: None,
            asked: Vec::new(),
            refused: false,
        })
    }

    /// A field, if it is written. `null` counts as written.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'node Entry> {
        let field = self.record.and_then(|record| record.field(name));
        debug_assert!(
            field.is_some_and(|field| field.enforced),
            "{} has no enforced field `{name}` in the description of the language",
            self.what
        );
        self.asked.push(name);
        self.find(name)
    }

    /// A field that must be there.
    pub(super) fn require(
        &mut self,
        name: &'static str,
        report: &mut Diagnostics,
    ) -> Option<&'node Entry> {
        let entry = self.take(name);
        if entry.is_none() {
            report.push(
                Diagnostic::error(
                    Code::MissingField,
                    format_args!("{} needs `{name}`", self.what),
                )
                .at(self.at, ""),
            );
        }
        entry
    }

    /// Whether a field is written that this version does not enforce. Then others may be missing in its place.
    pub(super) const fn is_refused(&self) -> bool {
        self.refused
    }

    /// Whether nothing is written at all; a mistake then.
    pub(super) fn is_empty(&self, report: &mut Diagnostics) -> bool {
        debug_assert!(
            self.record.is_none_or(|record| !record.may_be_empty),
            "{} may be empty by the description of the language",
            self.what
        );
        if self.entries.is_empty() {
            report.push(
                Diagnostic::error(Code::Empty, format_args!("{} is empty", self.what))
                    .at(self.at, ""),
            );
        }
        self.entries.is_empty()
    }

    /// All that was not asked for: fields whose names the author chooses.
    pub(super) fn rest(&mut self) -> Vec<&'node Entry> {
        debug_assert!(
            self.record.is_none_or(|record| record.others.is_some()),
            "{} has no names of the author's by the description of the language",
            self.what
        );
        self.asked.extend(self.enforced());
        let rest = self.entries.iter_mut().filter(|(_, taken)| !*taken);
        rest.map(|(entry, taken)| {
            *taken = true;
            *entry
        })
        .collect()
    }

    /// Marks the fields whose name is of a kind as read.
    pub(super) fn take_if(&mut self, is: impl Fn(&str) -> bool) {
        for (entry, taken) in &mut self.entries {
            *taken |= is(&entry.key.text);
        }
    }

    /// Everything that nobody asked for is a typo.
    pub(super) fn finish(self, report: &mut Diagnostics) {
        debug_assert!(
            self.enforced().all(|name| self.asked.contains(&name)),
            "nobody asked {} for all fields that the description of the language calls enforced: {:?} of {:?}",
            self.what,
            self.asked,
            self.enforced().collect::<Vec<_>>()
        );
        let hints = self.record.map_or(&[][..], |record| record.hints);
        let consequence = self.record.and_then(|record| record.consequence);
        for (entry, taken) in &self.entries {
            if *taken {
                continue;
            }
            let text = &entry.key.text;
            let mut diagnostic = Diagnostic::error(
                Code::UnknownField,
                format_args!("unknown field {} in {}", quoted(text), self.what),
            )
            .within(self.context);
            let hint = hints.iter().find(|(word, _)| **word == **text);
            let meant = match hint {
                Some((_, meant)) => Some(*meant),
                None => nearest(text, self.known().map(|field| field.name)),
            };
            diagnostic = match meant {
                Some(meant) => {
                    diagnostic.at(entry.key.span, format_args!("did you mean `{meant}`?"))
                }
                None => diagnostic
                    .at(entry.key.span, "")
                    .help(format_args!("it has {}", self.offered())),
            };
            if let Some(consequence) = consequence {
                diagnostic = diagnostic.note(consequence);
            }
            report.push(diagnostic);
        }
    }

    fn find(&mut self, name: &str) -> Option<&'node Entry> {
        let mut entries = self.entries.iter_mut();
        let found = entries.find(|(entry, _)| *entry.key.text == *name)?;
        found.1 = true;
        Some(found.0)
    }

    fn refuse(&mut self, report: &mut Diagnostics) {
        for field in self.known().filter(|field| !field.enforced) {
            if let Some(entry) = self.find(field.name) {
                self.refused = true;
                report.push(not_enforced(field.name, entry.key.span).within(self.context));
            }
        }
        for misplaced in self.record.map_or(&[][..], |record| record.misplaced) {
            if let Some(entry) = self.find(misplaced.field) {
                report.push(
                    Diagnostic::error(Code::Contradiction, misplaced.title)
                        .at(entry.key.span, "")
                        .help(misplaced.help),
                );
            }
        }
    }

    // Also what is refused: a typo of one gets its suggestion.
    fn known(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.record.map_or(&[][..], |record| record.fields).iter()
    }

    fn enforced(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.known()
            .filter(|field| field.enforced)
            .map(|field| field.name)
    }

    // Nobody is invited to write what is refused.
    fn offered(&self) -> String {
        join(&self.enforced().collect::<Vec<_>>(), "and")
    }
}

/// `a, b or c`, each in backticks.
pub(super) fn list(words: &[&str]) -> String {
    join(words, "or")
}

fn join(words: &[&str], conjunction: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {conjunction} {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The candidate that differs least, if it differs little enough to have been meant.
pub(super) fn nearest<'word>(
    text: &str,
    candidates: impl Iterator<Item = &'word str>,
) -> Option<&'word str> {
    // Nobody's typo is this long, and the distance costs the product of the lengths.
    if text.len() > 64 {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    candidates
        .map(|word| {
            (
                strsim::osa_distance(&lower, &word.to_ascii_lowercase()),
                word,
            )
        })
        .filter(|(distance, word)| *distance <= (word.len() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// A part of the language that this version knows and cannot act on.
pub(super) fn not_enforced(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::NotEnforced,
        format_args!("{} is not yet enforced", quoted(name)),
    )
    .at(span, "")
    .note("a policy that cannot act does not load")
}

fn kind(node: &Node) -> &'static str {
    match &*node.kind {
        Kind::Null => "nothing",
        Kind::Text { .. } => "a text",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
    }
}

pub(super) fn wrong_type(node: &Node, what: impl fmt::Display, expected: &str) -> Diagnostic {
    Diagnostic::error(
        Code::WrongType,
        format_args!("{what} must be {expected}, not {}", kind(node)),
    )
    .at(node.span, "")
}

pub(super) fn bad_value(
    node: &Node,
    what: impl fmt::Display,
    expected: impl fmt::Display,
) -> Diagnostic {
    let shown = match &*node.kind {
        Kind::Text { text, .. } => quoted(text),
        Kind::Null | Kind::List(_) | Kind::Map(_) => kind(node).to_owned(),
    };
    Diagnostic::error(
        Code::BadValue,
        format_args!("{what}: {shown} is not {expected}"),
    )
    .at(node.span, "")
}

/// A text that is not empty.
pub(super) fn text<'node>(
    node: &'node Node,
    what: impl fmt::Display,
    report: &mut Diagnostics,
) -> Option<&'node str> {
    match &*node.kind {
        Kind::Text { text, .. } if !text.trim().is_empty() => Some(text),
        Kind::Text { .. } => {
            let title = format_args!("{what} is empty");
            report.push(Diagnostic::error(Code::Empty, title).at(node.span, ""));
            None
        }
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            report.push(wrong_type(node, what, "a text"));
            None
        }
    }
}

/// A text that is one of a kind, such as an instant.
pub(super) fn parsed<T: std::str::FromStr>(
    node: &Node,
    what: &str,
    expected: &str,
    report: &mut Diagnostics,
) -> Option<T> {
    let value = text(node, what, report)?.parse().ok();
    if value.is_none() {
        report.push(bad_value(node, what, expected));
    }
    value
}

/// `true` or `false`, as YAML 1.2 has them, without quotes.
pub(super) fn boolean(
    node: &Node,
    what: impl fmt::Display,
    report: &mut Diagnostics,
) -> Option<bool> {
    if let Kind::Text { text, plain: true } = &*node.kind {
        match text.as_str() {
            "true" => return Some(true),
            "false" => return Some(false),
            _ => {}
        }
    }
    let meant = match &*node.kind {
        Kind::Text { text, .. } => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("true"),
            "no" | "off" | "n" | "false" => Some("false"),
            _ => None,
        },
        Kind::Null | Kind::List(_) | Kind::Map(_) => None,
    };
    let diagnostic = bad_value(node, what, "`true` or `false`");
    report.push(match meant {
        Some(meant) => diagnostic.at(node.span, format_args!("write {meant}")),
        None => diagnostic,
    });
    None
}

/// A whole number within bounds.
pub(super) fn number(
    node: &Node,
    what: impl fmt::Display,
    bounds: std::ops::RangeInclusive<u64>,
    report: &mut Diagnostics,
) -> Option<u64> {
    let number = match &*node.kind {
        Kind::Text { text, plain: true } if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        Kind::Null | Kind::Text { .. } | Kind::List(_) | Kind::Map(_) => None,
    };
    let number = number.filter(|number| bounds.contains(number));
    if number.is_none() {
        let expected = format_args!("a whole number from {} to {}", bounds.start(), bounds.end());
        report.push(bad_value(node, what, expected));
    }
    number
}

/// One of a closed list of words, by what each is here. A word that this version does not enforce is refused.
pub(super) fn word<T: Copy>(
    node: &Node,
    what: impl fmt::Display,
    words: &'static [Word],
    values: &[(&'static str, T)],
    report: &mut Diagnostics,
) -> Option<T> {
    debug_assert!(
        says_the_same(words, values),
        "{what} reads other words than the description of the language has"
    );
    let text = text(node, &what, report)?;
    if is_planned(words, text) {
        report.push(not_enforced(text, node.span));
        return None;
    }
    let found = values.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let enforced = words.iter().filter(|word| word.enforced);
        let names: Vec<_> = enforced.map(|word| word.word).collect();
        let expected = match names.as_slice() {
            [only] => format!("`{only}`"),
            names => format!("one of {}", list(names)),
        };
        let diagnostic = bad_value(node, what, expected);
        report.push(match nearest(text, names.iter().copied()) {
            Some(meant) => diagnostic.at(node.span, format_args!("did you mean `{meant}`?")),
            None => diagnostic,
        });
    }
    found.map(|(_, value)| *value)
}

fn says_the_same<T>(words: &[Word], values: &[(&str, T)]) -> bool {
    let enforced = || words.iter().filter(|word| word.enforced);
    enforced().count() == values.len()
        && enforced().all(|word| values.iter().any(|(value, _)| *value == word.word))
}

/// A duration, at least `least`.
pub(super) fn duration(
    node: &Node,
    what: impl fmt::Display,
    report: &mut Diagnostics,
) -> Option<Duration> {
    let value = unit(node, &what, units::duration, report)?;
    if value.is_zero() {
        report.push(bad_value(node, what, "longer than nothing"));
        return None;
    }
    Some(value)
}

/// A size of at least one byte and at most `most`.
pub(super) fn bytes(
    node: &Node,
    what: impl fmt::Display,
    most: u64,
    report: &mut Diagnostics,
) -> Option<u64> {
    let value = unit(node, &what, units::bytes, report)?;
    if value == 0 || value > most {
        let expected = format_args!("a size from 1B to {most}B");
        report.push(bad_value(node, what, expected));
        return None;
    }
    Some(value)
}

/// A rate.
pub(super) fn rate(node: &Node, what: impl fmt::Display, report: &mut Diagnostics) -> Option<Rate> {
    unit(node, &what, units::rate, report)
}

fn unit<T>(
    node: &Node,
    what: &impl fmt::Display,
    parse: impl Fn(&str) -> Result<T, UnitError>,
    report: &mut Diagnostics,
) -> Option<T> {
    let text = text(node, what, report)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let diagnostic = bad_value(node, what, error.expected);
            report.push(match error.suggestion {
                Some(meant) => diagnostic.at(node.span, format_args!("did you mean `{meant}`?")),
                None => diagnostic,
            });
            None
        }
    }
}

/// The elements of a list, or the one value that stands in place of a list. Never an empty list: that is
/// a mistake, because "none of these" and "any" are too easily confused.
pub(super) fn one_or_more<'node>(
    node: &'node Node,
    what: impl fmt::Display,
    report: &mut Diagnostics,
) -> Vec<&'node Node> {
    match &*node.kind {
        Kind::List(items) if !items.is_empty() => items.iter().collect(),
        Kind::Text { .. } => vec![node],
        Kind::List(_) | Kind::Null => {
            let title = format_args!("{what} is empty");
            report.push(Diagnostic::error(Code::Empty, title).at(node.span, ""));
            Vec::new()
        }
        Kind::Map(_) => {
            report.push(wrong_type(node, what, "a text or a list of texts"));
            Vec::new()
        }
    }
}

/// The texts of a list or the one text that stands in its place.
pub(super) fn texts<'node>(
    node: &'node Node,
    what: impl fmt::Display,
    report: &mut Diagnostics,
) -> Vec<(&'node str, Span)> {
    one_or_more(node, &what, report)
        .into_iter()
        .filter_map(|item| Some((text(item, &what, report)?, item.span)))
        .collect()
}

/// Where a secret lies.
pub(super) enum Secret<'node> {
    /// In the file of this path.
    File(&'node Node),
    /// In this variable of the environment.
    Variable(&'node str),
}

/// A secret says where it lies, and never what it is. One that is written out was refused and hidden already.
pub(super) fn secret<'node>(
    entry: &'node Entry,
    report: &mut Diagnostics,
) -> Option<Secret<'node>> {
    if matches!(&*entry.value.kind, Kind::Text { .. }) {
        return None;
    }
    let what = format!("`{}`", entry.key.text);
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&SECRET, &entry.value, &what, at, report)?;
    let (file, env) = (fields.take("file"), fields.take("env"));
    fields.finish(report);
    match (file, env) {
        (Some(file), None) => Some(Secret::File(&file.value)),
        (None, Some(env)) => text(&env.value, "`env`", report).map(Secret::Variable),
        (Some(_), Some(_)) | (None, None) => {
            let title = format_args!("{what} needs `file` or `env`, one of them");
            report.push(Diagnostic::error(Code::MissingField, title).at(entry.key.span, ""));
            None
        }
    }
}

/// Hides the values of secrets, and refuses those that are written out.
pub(super) fn refuse_secrets(node: &Node, report: &mut Diagnostics) {
    match &*node.kind {
        Kind::List(items) => {
            for item in items {
                refuse_secrets(item, report);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                let key = entry.key.text.to_ascii_lowercase();
                if SECRET_KEYS.contains(&key.as_str()) {
                    refuse_secret(entry, report);
                }
                refuse_secrets(&entry.value, report);
            }
        }
        Kind::Null | Kind::Text { .. } => {}
    }
}

fn refuse_secret(entry: &Entry, report: &mut Diagnostics) {
    let key = Rc::clone(&entry.key.text);
    let name = key.to_ascii_uppercase();
    let _was_there = refuse_literal(
        entry,
        format_args!("use {{ file: secrets/{key} }} or {{ env: {name} }}"),
        report,
    );
}

/// Hides what is written out in a field of secrets, and says what to write instead. `false` where nothing is.
pub(super) fn refuse_literal(
    entry: &Entry,
    instead: impl fmt::Display,
    report: &mut Diagnostics,
) -> bool {
    let Kind::Text { text, .. } = &*entry.value.kind else {
        return false;
    };
    let span = entry.value.span;
    if let Some(source) = report.sources.get_mut(span.file as usize) {
        source.hide(span.range());
    }
    report.push(
        Diagnostic::error(Code::SecretLiteral, "a secret may not be written here")
            .at(span, instead)
            .note(format_args!("hidden, {} characters", text.chars().count())),
    );
    true
}
