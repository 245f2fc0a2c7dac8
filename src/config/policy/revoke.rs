//! `revoke`: who and what must not go on.

use jiff::Timestamp;

use super::{Draft, Named, add, each_named, rule_ref};
use crate::config::decode::{Fields, parsed, text};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::REVOCATION;
use crate::config::source::Span;
use crate::config::tree::{Entry, quoted};
use crate::model::{IdentityName, NameError, PrincipalId, TaskId, TenantId};
use crate::policy::{Revocation, Subject};

/// A revocation as it is written.
pub(super) struct RawRevocation {
    subject: Subject,
    since: Option<Timestamp>,
    // Where the identity stands, if one is named.
    identity_at: Option<Span>,
}

impl Draft {
    pub(super) fn read_revocations(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "revocation", report) {
            if let Some(revocation) = read(entry, report) {
                add(
                    &mut self.revocations,
                    entry,
                    "revocation",
                    revocation,
                    report,
                );
            }
        }
    }

    /// Checks what needs all files.
    pub(super) fn check_revocations(&self, report: &mut Diagnostics) -> Vec<Revocation> {
        for (_, raw) in self.revocations.values() {
            if let (Some(identity), Some(at)) = (&raw.subject.identity, raw.identity_at) {
                let _declared = self.identity(identity.as_str(), at, report);
            }
        }
        all(&self.revocations, report)
    }
}

pub(super) fn all(revocations: &Named<RawRevocation>, report: &Diagnostics) -> Vec<Revocation> {
    let revocation = |(name, (at, raw)): (&String, &(Span, RawRevocation))| Revocation {
        rule: rule_ref(name, *at, report),
        subject: raw.subject.clone(),
        since: raw.since,
    };
    revocations.iter().map(revocation).collect()
}

/// `None` for one with a mistake: what is left of it might be about more callers than was meant.
fn read(entry: &Entry, report: &mut Diagnostics) -> Option<RawRevocation> {
    let before = report.errors();
    let what = format!("revocation {}", quoted(&entry.key.text));
    let mut fields = Fields::of(
        &REVOCATION,
        &entry.value,
        &what,
        Some(entry.key.span),
        report,
    )?;
    if fields.is_empty(report) {
        return None;
    }
    let identity = fields.take("identity");
    let revocation = RawRevocation {
        subject: Subject {
            agent: fields
                .take("agent")
                .and_then(|entry| text(&entry.value, "`agent`", report))
                .map(Box::from),
            identity: identity.and_then(|entry| name(entry, IdentityName::new, report)),
            // Any id will do.
            key: fields
                .take("key")
                .and_then(|entry| name(entry, TaskId::new, report))
                .map(|key| Box::from(key.as_str())),
            principal: fields
                .take("principal")
                .and_then(|entry| name(entry, PrincipalId::new, report)),
            task: fields
                .take("task")
                .and_then(|entry| name(entry, TaskId::new, report)),
            tenant: fields
                .take("tenant")
                .and_then(|entry| name(entry, TenantId::new, report)),
        },
        since: fields.take("since").and_then(|entry| {
            let expected = "an instant such as 2026-01-31T18:00:00Z";
            parsed(&entry.value, "`since`", expected, report)
        }),
        identity_at: identity.map(|entry| entry.value.span),
    };
    fields.finish(report);
    if report.errors() > before {
        return None;
    }
    if revocation.subject == Subject::default() {
        report.push(
            Diagnostic::error(Code::MissingField, format_args!("{what} is about nobody"))
                .at(entry.key.span, "")
                .help(
                    "say who or what: `principal`, `identity`, `tenant`, `key`, `agent` or `task`",
                ),
        );
        return None;
    }
    Some(revocation)
}

fn name<T>(
    entry: &Entry,
    new: impl Fn(&str) -> Result<T, NameError>,
    report: &mut Diagnostics,
) -> Option<T> {
    let title = format!("`{}`", entry.key.text);
    match new(text(&entry.value, &title, report)?) {
        Ok(name) => Some(name),
        Err(error) => {
            let title = format_args!("{title}: {error}");
            report.push(Diagnostic::error(Code::BadValue, title).at(entry.value.span, ""));
            None
        }
    }
}
