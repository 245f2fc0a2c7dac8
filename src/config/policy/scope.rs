//! `scope`: the fence around a file.

use std::sync::Arc;

use crate::config::decode::{Fields, list, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::SCOPE;
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::model::TenantId;
use crate::policy::Callers;

/// What a file with a scope may hold: statements about callers, whose tenants can be fenced in.
const SECTIONS: &[&str] = &["roles", "rules", "quotas", "people", "tests"];

/// What says how to read the file.
const HEAD: &[&str] = &["lictor", "mode", "scope"];

/// The tenants of a scope. With mistakes there are fewer of them, and nothing opens.
pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Arc<[TenantId]> {
    let at = Some(entry.key.span);
    let Some(mut fields) = Fields::of(&SCOPE, &entry.value, "`scope`", at, report) else {
        return Arc::default();
    };
    let tenants = fields.require("tenants", report);
    fields.finish(report);
    let named = tenants.map(|tenants| texts(&tenants.value, "`tenants`", report));
    let mut fence = Vec::new();
    for (text, span) in named.into_iter().flatten() {
        match TenantId::new(text) {
            Ok(tenant) => fence.push(tenant),
            Err(error) => {
                let title = format_args!("{} is not a tenant: {error}", quoted(text));
                report.push(Diagnostic::error(Code::BadValue, title).at(span, ""));
            }
        }
    }
    fence.into()
}

/// What stands in a file with a scope and is about more than its tenants.
pub(super) fn check_sections(root: &Node, report: &mut Diagnostics) {
    let Kind::Map(entries) = &*root.kind else {
        return;
    };
    for entry in entries {
        let name = &*entry.key.text;
        if !SECTIONS.contains(&name) && !HEAD.contains(&name) && !name.starts_with("x-") {
            let title = format_args!("a file with a scope may not hold {}", quoted(name));
            report.push(
                Diagnostic::error(Code::OutsideScope, title)
                    .at(entry.key.span, "")
                    .help(format_args!(
                        "it may hold {}; move this to a file without `scope`",
                        list(SECTIONS)
                    )),
            );
        }
    }
}

/// Keeps callers inside of the fence.
pub(super) fn fence_in(
    callers: &mut Callers,
    fence: &[TenantId],
    at: Span,
    report: &mut Diagnostics,
) {
    let asked_for_some = !callers.tenants.is_empty();
    if asked_for_some {
        callers.tenants.retain(|tenant| fence.contains(tenant));
    } else {
        callers.tenants = fence.to_vec();
    }
    if asked_for_some && callers.tenants.is_empty() {
        let title = "nobody inside of this file's scope is meant";
        report.push(
            Diagnostic::error(Code::OutsideScope, title)
                .at(at, "its tenants lie outside of `scope`")
                .help("a file affects the tenants of its `scope` only"),
        );
    }
}
