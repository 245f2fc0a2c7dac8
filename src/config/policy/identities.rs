//! `identities`: who vouches for callers.

mod api_key;
mod introspection;
mod jwt;
mod mtls;
mod signature;

pub(super) use jwt::{checked_url, hides_user};

use std::net::IpAddr;
use std::path::PathBuf;

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::{Draft, add, each_named};
use crate::config::decode::{self, Fields, Secret, bad_value, list, nearest, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::IDENTITY;
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, quoted};
use crate::identity::signature::KeyKind;
use crate::identity::{
    ApiKey, ClaimPath, Identity, KeySource, Kind, Mtls, SecretSource, SignedRequests, TenantFrom,
};
use crate::model::{ANONYMOUS, IdentityName, TenantId};

/// Where most issuers put groups, so that the shortest policy can name some.
const DEFAULT_GROUPS: &str = "groups";

/// The kinds of credentials, one of which an identity has.
const KINDS: &[&str] = &[
    "jwt",
    "introspection",
    "apiKey",
    "mtls",
    "signature",
    "hmac",
];

impl Draft {
    /// The identity of that name, with the name; a mistake if there is none.
    pub(super) fn identity(
        &self,
        name: &str,
        at: Span,
        report: &mut Diagnostics,
    ) -> Option<(&str, &Identity)> {
        let found = self.identities.get_key_value(name);
        if found.is_none() {
            let title = format_args!("there is no identity {}", quoted(name));
            let meant = nearest(name, self.identities.keys().map(String::as_str));
            report.push(Diagnostic::error(Code::UnknownIdentity, title).suggest(at, meant));
        }
        found.map(|(name, (_, identity))| (name.as_str(), identity))
    }

    /// The identity that is meant where none is named. It is a mistake where several are declared, and
    /// where none is: then with this label and this help.
    pub(super) fn only_identity(
        &self,
        at: Span,
        (label, help): &(&str, &str),
        report: &mut Diagnostics,
    ) -> Option<(&str, &Identity)> {
        let mut identities = self.identities.iter();
        match (identities.next(), identities.next()) {
            (Some((name, (_, identity))), None) => Some((name, identity)),
            (Some((first, _)), Some(_)) => {
                let title = "`identity` is required where several are declared";
                let diagnostic = Diagnostic::error(Code::IdentityRequired, title);
                report.push(diagnostic.at(at, format_args!("for example identity: {first}")));
                None
            }
            (None, _) => {
                let title = "no identity is declared";
                let diagnostic = Diagnostic::error(Code::UnknownIdentity, title);
                report.push(diagnostic.at(at, label).help(help));
                None
            }
        }
    }

    /// A token that nobody can read has no word on who made it, so that there can be one only who is asked.
    fn check_only_asked(&self, identity: &Identity, entry: &Entry, report: &mut Diagnostics) {
        let is_asked = |identity: &Identity| matches!(&identity.kind, Kind::Jwt(jwt) if matches!(jwt.keys, KeySource::Introspection(_)));
        let mut others = self.identities.values();
        let other = others.find(|(_, other)| is_asked(other));
        if let (Some((first, _)), true) = (other, is_asked(identity)) {
            let title = "tokens that only their issuer can read can have one issuer";
            let diagnostic = Diagnostic::error(Code::Contradiction, title).at(entry.key.span, "");
            report.push(diagnostic.also(*first, "this one is asked already"));
        }
    }

    pub(super) fn read_identities(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "identity", report) {
            if &*entry.key.text == ANONYMOUS {
                let title = "`anonymous` is the identity of callers without a credential";
                report.push(
                    Diagnostic::error(Code::Contradiction, title).at(entry.key.span, "rename it"),
                );
                continue;
            }
            let identity = read_identity(entry, &mut self.issuer_tenants, report);
            // A broken one still counts as declared: a role that names it is not wrong too.
            let Some(identity) = identity.or_else(|| defaults(&entry.key.text)) else {
                continue;
            };
            self.check_only_asked(&identity, entry, report);
            add(&mut self.identities, entry, "identity", identity, report);
        }
    }
}

/// An identity with every default and nothing that must be written. Alone it stands for one with mistakes:
/// the policy does not load then, so nothing is verified with it.
fn defaults(name: &str) -> Option<Identity> {
    Some(Identity {
        name: IdentityName::new(name).ok()?,
        kind: Kind::Jwt(jwt::defaults()),
        tenant: TenantFrom::Default,
        tenants: Vec::new(),
        groups: Some(ClaimPath(vec![Box::from(DEFAULT_GROUPS)])),
    })
}

fn read_identity(
    entry: &Entry,
    issuer_tenants: &mut Vec<(String, Span)>,
    report: &mut Diagnostics,
) -> Option<Identity> {
    let what = format!("identity {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&IDENTITY, &entry.value, &what, Some(entry.key.span), report)?;
    let mut identity = defaults(&entry.key.text)?;
    let credential = credential(&mut fields, &what, entry, report);
    let [tenant, groups, tenants] = ["tenant", "groups", "tenants"].map(|name| fields.take(name));
    fields.finish(report);
    if let Some(credential) = credential {
        identity.kind = read_kind(credential, &identity.name, report);
    }
    if let Some(tenant) = tenant
        && let Some(from) = tenant_from(tenant, &identity.kind, report)
    {
        identity.tenant = from;
    }
    if let Some(groups) = groups
        && let Some(path) = claim_path(&groups.value, "`groups`", report)
    {
        identity.groups = Some(path);
    }
    let has_claims = matches!(identity.kind, Kind::Jwt(_));
    if let (Some(groups), false) = (groups, has_claims) {
        let title = "`groups` are claims of a token, and this credential has none";
        report.push(Diagnostic::error(Code::Contradiction, title).at(groups.key.span, ""));
    }
    if let Some(tenants) = tenants {
        for (text, span) in texts(&tenants.value, "`tenants`", report) {
            match TenantId::new(text) {
                Ok(tenant) => identity.tenants.push(tenant),
                // Left out it would widen the list: an empty one means all.
                Err(error) => {
                    let title = format_args!("{} is not a tenant: {error}", quoted(text));
                    report.push(Diagnostic::error(Code::BadValue, title).at(span, ""));
                }
            }
            issuer_tenants.push((text.to_owned(), span));
        }
    }
    Some(identity)
}

/// The one kind of credential that an identity has.
fn credential<'node>(
    fields: &mut Fields<'node>,
    what: &str,
    entry: &Entry,
    report: &mut Diagnostics,
) -> Option<&'node Entry> {
    let found: Vec<_> = KINDS.iter().filter_map(|kind| fields.take(kind)).collect();
    match &*found {
        [] if fields.is_refused() => None,
        [] => {
            let title = format_args!("{what} has no kind of credential");
            let diagnostic = Diagnostic::error(Code::MissingField, title).at(entry.key.span, "");
            report.push(diagnostic.help(format_args!("it has one of {}", list(KINDS))));
            None
        }
        [only] => Some(only),
        [first, second, ..] => {
            let title = format_args!("{what} has two kinds of credentials");
            let diagnostic = Diagnostic::error(Code::Contradiction, title).at(second.key.span, "");
            report.push(
                diagnostic
                    .also(first.key.span, "")
                    .help("make two identities of it: each vouches by one kind"),
            );
            Some(first)
        }
    }
}

fn read_kind(entry: &Entry, name: &IdentityName, report: &mut Diagnostics) -> Kind {
    // One with mistakes keeps its kind, so that what is said about it elsewhere is not wrong too.
    match &*entry.key.text {
        "apiKey" => Kind::ApiKey(
            api_key::read(entry, name, report).unwrap_or_else(|| ApiKey {
                header: AUTHORIZATION,
                file: PathBuf::new(),
            }),
        ),
        "introspection" => {
            let read = introspection::read(entry, name, report);
            Kind::Jwt(read.unwrap_or_else(jwt::defaults))
        }
        "mtls" => Kind::Mtls(mtls::read(entry, name, report).unwrap_or_default()),
        kind @ ("signature" | "hmac") => {
            let kind = match kind {
                "hmac" => KeyKind::Shared,
                _ => KeyKind::Public,
            };
            Kind::Signature(
                signature::read(entry, kind, name, report)
                    .unwrap_or_else(|| signature::defaults(kind)),
            )
        }
        _ => Kind::Jwt(jwt::read_jwt(entry, name, report).unwrap_or_else(jwt::defaults)),
    }
}

fn tenant_from(entry: &Entry, kind: &Kind, report: &mut Diagnostics) -> Option<TenantFrom> {
    match kind {
        Kind::Jwt(_) => claim_path(&entry.value, "`tenant`", report).map(TenantFrom::Claim),
        Kind::Signature(SignedRequests {
            workloads: Some(tokens),
            ..
        }) => segment_of(&tokens.workloads, entry, report),
        Kind::ApiKey(_) | Kind::Signature(_) => {
            let title = "the tenant of a key stands beside it, in the file of keys";
            report.push(
                Diagnostic::error(Code::Contradiction, title).at(entry.key.span, "delete this"),
            );
            None
        }
        Kind::Mtls(mtls) => segment_of(mtls, entry, report),
    }
}

fn segment_of(mtls: &Mtls, entry: &Entry, report: &mut Diagnostics) -> Option<TenantFrom> {
    let text = text(&entry.value, "`tenant`", report)?;
    if let Some(segment) = mtls::segment(mtls, text) {
        return Some(TenantFrom::Segment(Box::from(segment)));
    }
    let expected = "a segment that every pattern has: `spiffe.ns` is the `*` behind `ns`";
    report.push(bad_value(&entry.value, "`tenant`", expected));
    None
}

/// Whether requests need a field for something else than a credential: to be framed, routed, or read. It would be taken
/// off before the agent.
pub(super) fn is_taken(name: &HeaderName) -> bool {
    const TAKEN: &[&str] = &[
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "dpop",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    TAKEN.contains(&name.as_str())
}

/// Where a secret lies; a file is relative to the one that names it.
pub(super) fn secret(entry: &Entry, report: &mut Diagnostics) -> Option<SecretSource> {
    Some(match decode::secret(entry, report)? {
        Secret::File(node) => SecretSource::File(path(node, "`file`", report)?),
        Secret::Variable(name) => SecretSource::Variable(name.to_owned()),
    })
}

/// A path, relative to the file that names it.
pub(super) fn path(node: &Node, what: &str, report: &mut Diagnostics) -> Option<PathBuf> {
    let text = text(node, what, report)?;
    let folder = report.source(node.span).map(|source| source.folder.clone());
    Some(folder.unwrap_or_default().join(text))
}

/// `claims.org_id` or `claims.realm.org`.
fn claim_path(node: &Node, what: &str, report: &mut Diagnostics) -> Option<ClaimPath> {
    let text = text(node, what, report)?;
    let names = text.strip_prefix("claims.").map(|path| path.split('.'));
    match names {
        Some(names) if names.clone().all(|name| !name.is_empty()) => {
            Some(ClaimPath(names.map(Box::from).collect()))
        }
        Some(_) | None => {
            let diagnostic = bad_value(node, what, "the path of a claim");
            let name = text.trim_matches('.');
            report.push(match name.starts_with("claims") {
                true => diagnostic.help("write it as `claims.org_id`"),
                false => diagnostic.at(node.span, format_args!("did you mean `claims.{name}`?")),
            });
            None
        }
    }
}

/// Whether an address holds a user, and perhaps a password: `scheme://user:password@host`.
pub(in crate::config) fn holds_user(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    authority.contains('@')
}

/// Whether a host of a URL is this machine.
pub(in crate::config) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
