//! `when`: a condition, with the places of its mistakes.

use std::ops::Range;

use crate::config::decode::{not_enforced, text};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::source::Span;
use crate::config::tree::Node;
use crate::policy::condition::{Attribute, Condition, ConditionError, Fault, Phase};

/// Reads a condition of `what`; `None` when it has a mistake.
pub(super) fn read(node: &Node, what: &str, report: &mut Diagnostics) -> Option<Condition> {
    let text = text(node, "`when`", report)?;
    let place = Place::of(node, text, report);
    let condition = match Condition::parse(text, Phase::Request) {
        Ok(condition) => condition,
        Err(errors) => {
            for error in errors {
                let diagnostic = Diagnostic::error(code(error.fault), &error.title);
                report.push(place.show(diagnostic, &error));
            }
            return None;
        }
    };
    let unknown = condition.reads().find(|path| is_planned(path.attribute()));
    if let Some(path) = unknown {
        report.push(not_enforced(path.attribute().as_str(), node.span));
        return None;
    }
    if condition.constant() == Some(false) {
        let title = format_args!("{what} can never match: its condition is always false");
        report.push(Diagnostic::error(Code::NeverMatches, title).at(node.span, ""));
        return Some(condition);
    }
    for doubt in condition.doubts() {
        let diagnostic = Diagnostic::warning(Code::DoubtfulCondition, &doubt.title);
        report.push(place.show(diagnostic, doubt));
    }
    Some(condition)
}

/// What a condition may name and no call tells yet.
pub(super) const fn is_planned(attribute: Attribute) -> bool {
    matches!(
        attribute,
        Attribute::ActorGroups
            | Attribute::ActorId
            | Attribute::ActorIdentity
            | Attribute::ActorTenant
            | Attribute::TaskOwner
            | Attribute::TaskState
    )
}

const fn code(fault: Fault) -> Code {
    match fault {
        Fault::Limit | Fault::Syntax | Fault::Unsupported | Fault::Value => Code::BadCondition,
        Fault::Phase | Fault::Unknown => Code::UnknownAttribute,
        Fault::Type => Code::ConditionType,
    }
}

/// Where a text that has places inside of it lies in its file.
pub(super) struct Place {
    span: Span,
    // Of the first byte, where the file has the text as it is; else mistakes point to all of it.
    start: Option<usize>,
}

impl Place {
    pub(super) fn of(node: &Node, text: &str, report: &Diagnostics) -> Self {
        let source = report.source(node.span);
        let range = node.span.range();
        let written = source.and_then(|source| source.text.get(range.clone()));
        let start = written
            .and_then(|written| written.find(text))
            .map(|at| range.start + at);
        Self {
            span: node.span,
            start,
        }
    }

    fn show(&self, diagnostic: Diagnostic, error: &ConditionError) -> Diagnostic {
        let diagnostic = diagnostic.at(self.within(&error.span), &error.label);
        match &error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }

    /// Where a part of the text stands.
    pub(super) fn within(&self, range: &Range<usize>) -> Span {
        let Some(start) = self.start else {
            return self.span;
        };
        let at = |offset: usize| u32::try_from(start + offset).unwrap_or(self.span.end);
        Span {
            start: at(range.start),
            end: at(range.end.max(range.start + 1)),
            ..self.span
        }
    }
}
