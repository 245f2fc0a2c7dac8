//! `leaks.allow`: findings that are none.

use std::sync::Arc;

use super::super::{Draft, actions, add, each_named, identities};
use super::check_detector;
use crate::config::decode::{self, Fields, Secret, refuse_literal, text};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::EXCEPTION;
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, quoted};
use crate::model::LeakAction;
use crate::scan::{self, Exception, Values};

/// An exception as it is written.
pub(in crate::config::policy) struct RawException {
    exception: Exception,
    detector: Span,
}

/// A list that a person can read.
const MAX_VALUES_BYTES: u64 = 4 << 20;
/// Shorter values are everywhere.
const MIN_VALUE_BYTES: usize = 4;

impl Draft {
    pub(super) fn read_exceptions(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "exception", report) {
            if let Some(exception) = read(entry, report) {
                let map = &mut self.leaks.exceptions;
                add(map, entry, "exception", exception, report);
            }
        }
    }

    pub(super) fn check_exceptions(
        &self,
        known: &[&str],
        config: &scan::Config,
        report: &mut Diagnostics,
    ) -> Vec<Exception> {
        let mut exceptions = Vec::new();
        for (name, (_, raw)) in &self.leaks.exceptions {
            let detector = &*raw.exception.detector;
            if !check_detector(detector, raw.detector, known, report) {
                continue;
            }
            if !is_looked_for(detector, config) {
                let title = format_args!(
                    "exception {} is about {}, which nothing looks for",
                    quoted(name),
                    quoted(detector)
                );
                report.push(
                    Diagnostic::warning(Code::NeverMatches, title)
                        .at(raw.detector, "")
                        .help("name it under `packs`, or delete the exception"),
                );
            }
            exceptions.push(raw.exception.clone());
        }
        exceptions
    }
}

/// Whether a pack or detector, or one of its detectors, is looked for.
fn is_looked_for(name: &str, config: &scan::Config) -> bool {
    let pack = name.split_once('.').map_or(name, |(pack, _)| pack);
    let is_in = |other: &str| {
        let rest = other.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let acts = |action: &LeakAction| *action > LeakAction::Allow;
    let mut actions = config.actions.iter();
    let patterns = config.custom.iter().map(|it| (&it.name, it.action));
    let lists = config.listed.iter().map(|it| (&it.name, it.action));
    let mut own = patterns.chain(lists);
    actions.any(|(other, action)| (is_in(other) || **other == *pack) && acts(action))
        || own.any(|(name, action)| is_in(name) && acts(&action))
}

fn read(entry: &Entry, report: &mut Diagnostics) -> Option<RawException> {
    let what = format!("exception {}", quoted(&entry.key.text));
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&EXCEPTION, &entry.value, &what, at, report)?;
    let detector = fields.require("detector", report);
    let detector = detector
        .and_then(|entry| Some((text(&entry.value, "`detector`", report)?, entry.value.span)));
    let values = fields.take("values");
    let is_narrowed = values.is_some();
    let values = values.map(|entry| read_values(entry, report));
    let on = fields.take("on");
    let is_narrowed = is_narrowed || on.is_some();
    let on = on.map(|entry| actions(&entry.value, "`on`", report));
    fields.finish(report);
    if !is_narrowed {
        let title = format_args!("{what} takes all findings away");
        report.push(
            Diagnostic::error(Code::Lax, title)
                .at(entry.key.span, "")
                .help("say which `values`, or `on` which actions; to look for something nowhere, write `allow` under `packs`"),
        );
        return None;
    }
    let (detector, at) = detector?;
    let on = on.into_iter().flatten();
    Some(RawException {
        exception: Exception {
            name: Box::from(&*entry.key.text),
            detector: detector.into(),
            values: values.map_or(Some(None), |values| values.map(Some))?,
            on: on.map(|(on, _)| on).collect(),
        },
        detector: at,
    })
}

fn read_values(entry: &Entry, report: &mut Diagnostics) -> Option<Arc<Values>> {
    let is_literal = refuse_literal(entry, "use { file: secrets/public-values.txt }", report);
    if is_literal {
        return None;
    }
    let (text, at) = match decode::secret(entry, report)? {
        Secret::File(node) => (read_list(node, report)?, node.span),
        Secret::Variable(name) => match std::env::var(name) {
            Ok(text) => (text, entry.value.span),
            Err(_) => {
                let title = format_args!("there is no variable {}", quoted(name));
                let diagnostic = Diagnostic::error(Code::Unreadable, title);
                report.push(diagnostic.at(entry.value.span, ""));
                return None;
            }
        },
    };
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    if let Some(short) = lines.clone().find(|line| line.len() < MIN_VALUE_BYTES) {
        let title = format_args!(
            "a value of {} bytes would be allowed nearly everywhere",
            short.len()
        );
        report.push(
            Diagnostic::error(Code::BadValue, title).at(at, "").help(
                "a line is a whole value, as it stands in an answer, and has at least 4 bytes",
            ),
        );
        return None;
    }
    let mut key = [0; 32];
    if let Err(error) = getrandom::fill(&mut key) {
        let title = format_args!("no randomness: {error}");
        report.push(Diagnostic::error(Code::Unreadable, title).at(at, ""));
        return None;
    }
    let values = Values::new(key, lines);
    if values.is_empty() {
        let title = "there is no value in the list";
        let diagnostic = Diagnostic::error(Code::Empty, title).at(at, "");
        report.push(diagnostic.help("write one value to a line; a line with `#` first is none"));
        return None;
    }
    Some(Arc::new(values))
}

fn read_list(node: &Node, report: &mut Diagnostics) -> Option<String> {
    let path = identities::path(node, "`file`", report)?;
    match crate::config::beside::read(&path, MAX_VALUES_BYTES) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) => {
                let title = "the list is not UTF-8";
                report.push(Diagnostic::error(Code::Unreadable, title).at(node.span, ""));
                None
            }
        },
        Err(error) => {
            let title = format_args!("the file cannot be read: {error}");
            report.push(
                Diagnostic::error(Code::Unreadable, title)
                    .at(node.span, "")
                    .help("a path is relative to the policy file that names it"),
            );
            None
        }
    }
}
