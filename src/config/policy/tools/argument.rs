//! What one argument must be.

use super::wanted::Written;
use crate::config::decode::{Fields, boolean};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::ARGUMENT;
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, quoted};
use crate::policy::{Argument, Wanted};

/// Objects within objects: deeper arguments are a language of their own.
const MAX_STEPS: usize = 8;

/// Reads all arguments; `None` when one of them has a mistake.
pub(super) fn read_all(section: &Entry, report: &mut Diagnostics) -> Option<Vec<Argument>> {
    let at = Some(section.key.span);
    let mut fields = Fields::named(&section.value, "`args`", at, report)?;
    if fields.is_empty(report) {
        return None;
    }
    let entries = fields.rest();
    let read: Vec<_> = entries
        .iter()
        .map(|entry| Some((read(entry, report)?, entry.key.span)))
        .collect();
    let arguments: Vec<_> = read.into_iter().collect::<Option<_>>()?;
    check_paths(&arguments, report);
    Some(
        arguments
            .into_iter()
            .map(|(argument, _)| argument)
            .collect(),
    )
}

/// What is a text or a number holds nothing.
fn check_paths(arguments: &[(Argument, Span)], report: &mut Diagnostics) {
    for (inner, at) in arguments {
        let holds = |outer: &Argument| {
            outer.asks()
                && outer.path.len() < inner.path.len()
                && inner.path.starts_with(&outer.path)
        };
        if let Some((outer, first)) = arguments.iter().find(|(outer, _)| holds(outer)) {
            let outer = outer.path.join(".");
            let title = format_args!(
                "{} is asked to be a value and an object at once",
                quoted(&outer)
            );
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(*at, "asks for something in it")
                    .also(*first, "asks for a value"),
            );
        }
    }
}

fn read(entry: &Entry, report: &mut Diagnostics) -> Option<Argument> {
    let path = read_path(entry, report);
    let what = format!("argument {}", quoted(&entry.key.text));
    if matches!(&*entry.value.kind, Kind::Null) {
        return Some(Argument {
            path: path?,
            wanted: Wanted::Anything,
            optional: false,
        });
    }
    let mut fields = Fields::of(&ARGUMENT, &entry.value, &what, Some(entry.key.span), report)?;
    let written = Written::take(&mut fields);
    let optional = fields.take("optional");
    fields.finish(report);
    let optional = optional.map(|entry| boolean(&entry.value, "`optional`", report));
    let wanted = written.read(report);
    Some(Argument {
        path: path?,
        wanted: wanted?,
        optional: match optional {
            Some(optional) => optional?,
            None => false,
        },
    })
}

/// `recipient.iban`: names with dots between.
fn read_path(entry: &Entry, report: &mut Diagnostics) -> Option<Vec<Box<str>>> {
    let name = &*entry.key.text;
    let steps: Vec<Box<str>> = name.split('.').map(Box::from).collect();
    let is_step = |step: &str| !step.is_empty() && step.trim().len() == step.len();
    if steps.len() <= MAX_STEPS && steps.iter().all(|step| is_step(step)) {
        return Some(steps);
    }
    let title = format_args!("{} is not the name of an argument", quoted(name));
    let help = format!(
        "a dot leads into an argument that is an object, as in `recipient.iban`, at most {MAX_STEPS} steps deep"
    );
    report.push(
        Diagnostic::error(Code::BadValue, title)
            .at(entry.key.span, "")
            .help(help),
    );
    None
}
