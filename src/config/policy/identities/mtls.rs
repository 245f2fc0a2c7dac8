//! `mtls` of an identity: which workloads are callers.

use crate::config::decode::{Fields, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::MTLS;
use crate::config::tree::{Entry, quoted};
use crate::identity::{Mtls, SpiffePattern};
use crate::model::IdentityName;

pub(super) fn read(entry: &Entry, name: &IdentityName, report: &mut Diagnostics) -> Option<Mtls> {
    let what = format!("`mtls` of identity `{name}`");
    let mut fields = Fields::of(&MTLS, &entry.value, what, Some(entry.key.span), report)?;
    let patterns = fields.require("spiffe", report);
    fields.finish(report);
    let patterns = patterns?;
    let mtls = patterns_of(patterns, "`spiffe`", report);
    if mtls.spiffe.iter().any(SpiffePattern::is_wimse) {
        let title = "no certificate has a WIMSE URI: a pattern here begins with spiffe://";
        report.push(Diagnostic::error(Code::BadValue, title).at(patterns.value.span, ""));
    }
    Some(mtls)
}

/// Patterns of workloads.
pub(super) fn patterns_of(entry: &Entry, what: &str, report: &mut Diagnostics) -> Mtls {
    let mut spiffe = Vec::new();
    for (text, span) in texts(&entry.value, what, report) {
        match SpiffePattern::parse(text) {
            Ok(pattern) => spiffe.push(pattern),
            Err(error) => {
                let title = format_args!("{} is not a pattern of SPIFFE IDs", quoted(text));
                let diagnostic = Diagnostic::error(Code::BadValue, title).at(span, "");
                report.push(diagnostic.help(error));
            }
        }
    }
    Mtls { spiffe }
}

/// The segment that `spiffe.ns` speaks of, if every pattern has it.
pub(super) fn segment<'text>(mtls: &Mtls, text: &'text str) -> Option<&'text str> {
    let name = text.strip_prefix("spiffe.")?;
    mtls.spiffe
        .iter()
        .all(|pattern| pattern.names(name))
        .then_some(name)
}
