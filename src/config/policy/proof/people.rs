//! A caller of tests.

use std::sync::Arc;

use serde_json::Value;

use super::super::Draft;
use super::{named, object};
use crate::config::decode::{Fields, list, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{CALLER, PERSON};
use crate::config::source::Span;
use crate::config::tree::{Entry, quoted};
use crate::identity::{DEFAULT_TENANT, Identity, Kind, TenantFrom};
use crate::model::{Credential, IdentityName, Principal, PrincipalId, TenantId};

/// A person as they are written.
pub(super) struct RawPerson {
    pub(super) at: Span,
    identity: Option<(String, Span)>,
    id: Option<(String, Span)>,
    tenant: Option<(String, Span)>,
    groups: Vec<Box<str>>,
    claims: Option<Arc<Value>>,
}

/// A person under a name, who may go without an id.
pub(super) fn read(entry: &Entry, what: &str, report: &mut Diagnostics) -> Option<RawPerson> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&PERSON, &entry.value, what, at, report)?;
    let id = fields.take("id");
    Some(rest(fields, id, report))
}

/// A caller that is written out where a name could stand.
pub(super) fn read_written(
    entry: &Entry,
    what: &str,
    report: &mut Diagnostics,
) -> Option<RawPerson> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&CALLER, &entry.value, what, at, report)?;
    let id = fields.require("id", report);
    Some(rest(fields, id, report))
}

fn rest(mut fields: Fields<'_>, id: Option<&Entry>, report: &mut Diagnostics) -> RawPerson {
    let groups = fields.take("groups");
    let groups = groups.map(|entry| texts(&entry.value, "`groups`", report));
    let person = RawPerson {
        at: fields.at,
        identity: fields
            .take("identity")
            .and_then(|entry| named(&entry.value, "`identity`", report)),
        id: id.and_then(|entry| named(&entry.value, "`id`", report)),
        tenant: fields
            .take("tenant")
            .and_then(|entry| tenant_name(entry, report)),
        groups: groups
            .into_iter()
            .flatten()
            .map(|(group, _)| Box::from(group))
            .collect(),
        claims: fields
            .take("claims")
            .and_then(|entry| object(&entry.value, "`claims`", report))
            .map(Arc::new),
    };
    fields.finish(report);
    person
}

impl Draft {
    /// The caller that a credential would make of them. `name` stands for an id that is not written.
    pub(super) fn check_person(
        &self,
        raw: &RawPerson,
        name: Option<&str>,
        at: Span,
        report: &mut Diagnostics,
    ) -> Option<Principal> {
        let identity = self.identity_of(raw, at, report);
        let id = match (&raw.id, name) {
            (Some((id, at)), _) => principal_id(id, *at, report),
            (None, Some(name)) => principal_id(name, at, report),
            (None, None) => None,
        };
        let (identity_name, identity) = identity?;
        let tenant = tenant_of(raw, identity, at, report)?;
        Some(Principal {
            identity: IdentityName::new(identity_name).ok()?,
            id: id?,
            tenant,
            groups: raw.groups.clone(),
            claims: raw.claims.clone(),
            credential: Credential::default(),
        })
    }

    fn identity_of(
        &self,
        raw: &RawPerson,
        at: Span,
        report: &mut Diagnostics,
    ) -> Option<(&str, &Identity)> {
        match &raw.identity {
            Some((name, at)) => self.identity(name, *at, report),
            None => self.only_identity(at, &NOBODY, report),
        }
    }
}

/// What is wrong with a caller where no identity is declared.
const NOBODY: (&str, &str) = (
    "nobody vouches for this caller",
    "declare who vouches for callers under `identities`, or ask as `anonymous`",
);

/// A name that a tenant can have, whoever vouches for it.
fn tenant_name(entry: &Entry, report: &mut Diagnostics) -> Option<(String, Span)> {
    let (name, at) = named(&entry.value, "`tenant`", report)?;
    if let Err(error) = TenantId::new(&name) {
        let title = format_args!("{} is not a tenant: {error}", quoted(&name));
        report.push(Diagnostic::error(Code::BadValue, title).at(at, ""));
        return None;
    }
    Some((name, at))
}

fn principal_id(id: &str, at: Span, report: &mut Diagnostics) -> Option<PrincipalId> {
    match PrincipalId::new(id) {
        Ok(id) => Some(id),
        Err(error) => {
            let title = format_args!("{} is not an id: {error}", quoted(id));
            report.push(Diagnostic::error(Code::BadValue, title).at(at, ""));
            None
        }
    }
}

/// The tenant that the identity would put them in. A test with a caller who cannot exist proves nothing.
fn tenant_of(
    raw: &RawPerson,
    identity: &Identity,
    at: Span,
    report: &mut Diagnostics,
) -> Option<TenantId> {
    let by_certificate = match &raw.id {
        Some((id, at)) => by_certificate(identity, id, *at, report)?,
        None => None,
    };
    let Some((name, at)) = &raw.tenant else {
        return match (&identity.tenant, by_certificate) {
            (_, Some(tenant)) => Some(tenant),
            // A key whose entry names none.
            (TenantFrom::Default | TenantFrom::Entry, None) => TenantId::new(DEFAULT_TENANT).ok(),
            (TenantFrom::Claim(_) | TenantFrom::Segment(_), None) => {
                let title = format_args!(
                    "a caller of identity `{}` needs `tenant`: without that claim it is refused",
                    identity.name
                );
                report.push(Diagnostic::error(Code::MissingField, title).at(at, ""));
                None
            }
        };
    };
    // Checked while it was read.
    let tenant = TenantId::new(name).ok()?;
    let impossible = |title: String| {
        Diagnostic::error(Code::Contradiction, title).at(*at, "nobody can be this caller")
    };
    if let Some(theirs) = by_certificate.filter(|theirs| *theirs != tenant) {
        let title = format!("the id of this caller puts it in the tenant `{theirs}`");
        report.push(impossible(title).help("leave `tenant` out: it stands in the id"));
        return None;
    }
    if identity.tenant == TenantFrom::Default && name != DEFAULT_TENANT {
        let title = format!(
            "identity `{}` puts every caller in the tenant `{DEFAULT_TENANT}`",
            identity.name
        );
        let example = match identity.kind {
            Kind::Mtls(_) => "spiffe.ns",
            Kind::ApiKey(_) | Kind::Jwt(_) | Kind::Signature(_) => "claims.org_id",
        };
        report.push(impossible(title).help(format_args!(
            "say where the tenant comes from: tenant: {example}"
        )));
        return None;
    }
    if !identity.tenants.is_empty() && !identity.tenants.contains(&tenant) {
        let title = format!(
            "identity `{}` may not speak for tenant {}",
            identity.name,
            quoted(name)
        );
        let tenants: Vec<_> = identity.tenants.iter().map(TenantId::as_str).collect();
        report.push(impossible(title).help(format_args!("it may speak for {}", list(&tenants))));
        return None;
    }
    Some(tenant)
}

/// The tenant in which a certificate with this name puts its owner, where the identity is of certificates. `None` for an id
/// that no certificate of the identity has; the mistake is told.
fn by_certificate(
    identity: &Identity,
    id: &str,
    at: Span,
    report: &mut Diagnostics,
) -> Option<Option<TenantId>> {
    let mtls = match &identity.kind {
        Kind::Mtls(mtls) => mtls,
        Kind::Signature(signed) => match &signed.workloads {
            Some(tokens) => &tokens.workloads,
            None => return Some(None),
        },
        Kind::ApiKey(_) | Kind::Jwt(_) => return Some(None),
    };
    let Some(tenant) = mtls.tenant_of(id, &identity.tenant) else {
        let patterns: Vec<_> = mtls.spiffe.iter().map(ToString::to_string).collect();
        let title = format_args!(
            "identity `{}` accepts no certificate of {}",
            identity.name,
            quoted(id)
        );
        report.push(
            Diagnostic::error(Code::Contradiction, title)
                .at(at, "nobody can be this caller")
                .help(format_args!("it accepts {}", patterns.join(", "))),
        );
        return None;
    };
    Some(TenantId::new(tenant).ok())
}
