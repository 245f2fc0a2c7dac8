//! `http.protectedResource`: where clients find out who issues tokens.

use super::{Draft, rule_ref};
use crate::config::decode::{Fields, bad_value, one_or_more, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::PROTECTED_RESOURCE;
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, quoted};
use crate::identity::{Identity, Jwt, Kind, is_same_audience};
use crate::model::{ActionPattern, IdentityName};
use crate::policy;
use crate::proxy::resource::{Config, is_scope};

use super::identities::checked_url;

/// As it is written.
pub(super) struct RawResource {
    resource: (String, Span),
    servers: Vec<String>,
    scopes: Vec<String>,
}

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<RawResource> {
    let at = Some(entry.key.span);
    let what = "`protectedResource`";
    let mut fields = Fields::of(&PROTECTED_RESOURCE, &entry.value, what, at, report)?;
    let resource = fields.require("resource", report);
    let resource = resource.and_then(|entry| resource_url(&entry.value, report));
    let mut servers = Vec::new();
    if let Some(entry) = fields.take("authorizationServers") {
        servers = urls(&entry.value, report);
    }
    let mut scopes = Vec::new();
    if let Some(entry) = fields.take("scopes") {
        for (text, span) in texts(&entry.value, "`scopes`", report) {
            if is_scope(text) {
                scopes.push(text.to_owned());
            } else {
                let title = format_args!("{} is not a scope", quoted(text));
                let diagnostic = Diagnostic::error(Code::BadValue, title).at(span, "");
                report.push(
                    diagnostic.help("a scope is of visible signs without blanks, `\"` and `\\`"),
                );
            }
        }
    }
    fields.finish(report);
    Some(RawResource {
        resource: resource?,
        servers,
        scopes,
    })
}

fn urls(node: &Node, report: &mut Diagnostics) -> Vec<String> {
    let found = one_or_more(node, "`authorizationServers`", report);
    let url = |node: &Node| Some(checked_url(node, "`authorizationServers`", report)?.to_owned());
    found.into_iter().filter_map(url).collect()
}

/// Clients compare it letter for letter with what they were told, and issuers write it into `aud` (RFC 8707, section 2): one
/// spelling it has.
fn resource_url(node: &Node, report: &mut Diagnostics) -> Option<(String, Span)> {
    let text = checked_url(node, "`resource`", report)?;
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_canonical = !text.contains(['?', '#'])
        && !text.ends_with('/')
        && !path.contains("//")
        && !scheme
            .bytes()
            .chain(authority.bytes())
            .any(|byte| byte.is_ascii_uppercase());
    if !is_canonical {
        let expected = "the one spelling of a resource: small letters up to the path, no query, no fragment, no `/` at the end";
        report.push(bad_value(node, "`resource`", expected));
        return None;
    }
    Some((text.to_owned(), node.span))
}

impl Draft {
    /// What clients are told, once all identities and roles are known.
    pub(super) fn check_resource(
        &self,
        policy: &policy::Config,
        report: &mut Diagnostics,
    ) -> Option<Config> {
        let (at, raw) = self.http.protected_resource()?;
        let tokens: Vec<_> = self
            .identities
            .values()
            .filter_map(|(_, identity)| token(identity))
            .collect();
        let (resource, span) = &raw.resource;
        if !tokens.is_empty()
            && !tokens.iter().any(|(_, jwt)| {
                jwt.audiences
                    .iter()
                    .any(|named| is_same_audience(named, resource))
            })
        {
            let title = "no identity takes tokens that are made out for this resource";
            let diagnostic = Diagnostic::warning(Code::Lax, title).at(*span, "");
            report.push(diagnostic.help(
                "clients ask for tokens with this `resource` (RFC 8707): name it in the `audience` of an identity with `jwt`",
            ));
        }
        let mut servers = raw.servers.clone();
        if servers.is_empty() {
            let issuers = tokens.iter().map(|(_, jwt)| jwt.issuer.clone());
            servers = issuers
                .filter(|issuer| issuer.starts_with("http"))
                .collect();
            servers.dedup();
        }
        if servers.is_empty() {
            let title = "nobody is known who issues tokens for this resource";
            let diagnostic = Diagnostic::error(Code::Contradiction, title).at(*span, "");
            report.push(
                diagnostic.help("name `authorizationServers`, or declare an identity with `jwt`"),
            );
        }
        let scoped = tokens.iter().filter(|(identity, _)| is_scoped(identity));
        let scoped: Vec<_> = scoped.map(|(identity, _)| identity.name.clone()).collect();
        let grants = grants(policy, &scoped);
        let mut scopes = raw.scopes.clone();
        if scopes.is_empty() {
            scopes = grants.iter().map(|(_, scope)| scope.to_string()).collect();
            scopes.sort_unstable();
            scopes.dedup();
        }
        Some(Config {
            rule: rule_ref("protectedResource", *at, report),
            resource: resource.clone(),
            authorization_servers: servers,
            scopes,
            is_dpop_bound: !tokens.is_empty() && tokens.iter().all(|(_, jwt)| jwt.require_dpop),
            scoped,
            grants,
        })
    }
}

fn token(identity: &Identity) -> Option<(&Identity, &Jwt)> {
    match &identity.kind {
        Kind::Jwt(jwt) => Some((identity, jwt)),
        Kind::ApiKey(_) | Kind::Mtls(_) | Kind::Signature(_) => None,
    }
}

/// Whether the groups of its callers are the scopes of their token (RFC 9068, section 2.2.3; `scp` at some issuers).
fn is_scoped(identity: &Identity) -> bool {
    let path = identity.groups.as_ref().map(|path| &*path.0);
    matches!(path, Some([only]) if **only == *"scope" || **only == *"scp")
}

/// Which scope opens which actions: of each role its own allows and those that it inherits.
fn grants(policy: &policy::Config, scoped: &[IdentityName]) -> Vec<(ActionPattern, Box<str>)> {
    let mut grants = Vec::new();
    for role in &policy.roles {
        let Some(to) = &role.to else { continue };
        let is_scoped = to
            .identity
            .as_ref()
            .is_some_and(|identity| scoped.contains(identity));
        let Some(scope) = to
            .groups
            .first()
            .filter(|scope| is_scoped && is_scope(scope))
        else {
            continue;
        };
        let mut open = vec![role];
        let mut seen: Vec<&str> = Vec::new();
        while let Some(role) = open.pop() {
            if seen.contains(&&*role.rule.name) {
                continue;
            }
            seen.push(&role.rule.name);
            grants.extend(
                role.allow
                    .iter()
                    .map(|pattern| (pattern.clone(), scope.clone())),
            );
            let parents = policy.roles.iter();
            open.extend(
                parents
                    .filter(|parent| role.inherits.iter().any(|name| **name == *parent.rule.name)),
            );
        }
    }
    grants
}
