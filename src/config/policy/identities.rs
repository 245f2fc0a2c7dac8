//! `identities`: who vouches for callers.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Draft, add, each_named};
use crate::config::decode::{self, Fields, bad_value, list, nearest, not_enforced, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::is_planned;
use crate::config::language::policy::{self as shapes, IDENTITY, JWKS, JWT, REQUIRE};
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, quoted};
use crate::identity::{Algorithm, ClaimPath, Identity, Jwt, KeySource, Kind, TenantFrom};
use crate::model::{ANONYMOUS, IdentityName, TenantId};

/// How much the clocks of an issuer and of ours may differ. Both keep time by NTP today; half a minute
/// covers the ones that do it badly.
const LEEWAY: Duration = Duration::from_secs(30);

/// Where most issuers put groups, so that the shortest policy can name some.
const DEFAULT_GROUPS: &str = "groups";

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("ES256", Algorithm::Es256),
    ("EdDSA", Algorithm::EdDsa),
    ("RS256", Algorithm::Rs256),
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
            add(&mut self.identities, entry, "identity", identity, report);
        }
    }
}

/// An identity with every default and nothing that must be written. Alone it stands for one with mistakes:
/// the policy does not load then, so nothing is verified with it.
fn defaults(name: &str) -> Option<Identity> {
    Some(Identity {
        name: IdentityName::new(name).ok()?,
        kind: Kind::Jwt(Jwt {
            issuer: String::new(),
            audiences: Vec::new(),
            algorithms: Vec::new(),
            keys: KeySource::Discovery { ca: None },
            require_exp: true,
            max_age: None,
            leeway: LEEWAY,
        }),
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
    let mut fields = Fields::of(&IDENTITY, &entry.value, what, Some(entry.key.span), report)?;
    let jwt = if fields.is_refused() {
        fields.take("jwt")
    } else {
        fields.require("jwt", report)
    };
    let mut identity = defaults(&entry.key.text)?;
    let claim = |entry: Option<&Entry>, what, report: &mut Diagnostics| {
        entry.and_then(|entry| claim_path(&entry.value, what, report))
    };
    if let Some(tenant) = claim(fields.take("tenant"), "`tenant`", report) {
        identity.tenant = TenantFrom::Claim(tenant);
    }
    if let Some(groups) = claim(fields.take("groups"), "`groups`", report) {
        identity.groups = Some(groups);
    }
    let tenants = fields.take("tenants");
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
    fields.finish(report);
    if let Some(jwt) = jwt
        && let Some(jwt) = read_jwt(jwt, &identity.name, report)
    {
        identity.kind = Kind::Jwt(jwt);
    }
    Some(identity)
}

fn read_jwt(entry: &Entry, name: &IdentityName, report: &mut Diagnostics) -> Option<Jwt> {
    let what = format!("`jwt` of identity `{name}`");
    let mut fields = Fields::of(&JWT, &entry.value, what, Some(entry.key.span), report)?;
    let issuer = fields.require("issuer", report);
    let issuer_text = issuer.and_then(|entry| text(&entry.value, "`issuer`", report));
    let audience = fields.require("audience", report);
    let audiences = audience.map(|entry| texts(&entry.value, "`audience`", report));
    let algorithms = match fields.take("algorithms") {
        Some(entry) => algorithms(&entry.value, report),
        None => ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect(),
    };
    let jwks = fields.take("jwks");
    let mut jwt = Jwt {
        issuer: issuer_text.unwrap_or_default().to_owned(),
        audiences: audiences
            .into_iter()
            .flatten()
            .map(|(text, _)| text.to_owned())
            .collect(),
        algorithms,
        keys: KeySource::Discovery { ca: None },
        require_exp: true,
        max_age: None,
        leeway: LEEWAY,
    };
    if let Some(entry) = fields.take("require") {
        read_require(entry, &mut jwt, report);
    }
    fields.finish(report);
    if let Some(jwks) = jwks
        && let Some(keys) = read_jwks(jwks, report)
    {
        jwt.keys = keys;
    }
    if let (KeySource::Discovery { .. }, Some(issuer)) = (&jwt.keys, issuer)
        && issuer_text.is_some()
    {
        check_url(&issuer.value, "`issuer`", report);
    }
    Some(jwt)
}

fn read_require(entry: &Entry, jwt: &mut Jwt, report: &mut Diagnostics) {
    let at = Some(entry.key.span);
    let Some(mut fields) = Fields::of(&REQUIRE, &entry.value, "`require`", at, report) else {
        return;
    };
    if let Some(exp) = fields.take("exp")
        && let Some(required) = decode::boolean(&exp.value, "`exp`", report)
    {
        jwt.require_exp = required;
        if !required {
            report.push(
                Diagnostic::warning(Code::Lax, "tokens without `exp` are valid for ever")
                    .at(exp.value.span, ""),
            );
        }
    }
    if let Some(age) = fields.take("maxAge") {
        jwt.max_age = decode::duration(&age.value, "`maxAge`", report);
    }
    fields.finish(report);
}

fn read_jwks(entry: &Entry, report: &mut Diagnostics) -> Option<KeySource> {
    let mut fields = Fields::of(&JWKS, &entry.value, "`jwks`", Some(entry.key.span), report)?;
    let [file, url, ca] = [fields.take("file"), fields.take("url"), fields.take("ca")];
    fields.finish(report);
    let ca = ca.and_then(|ca| path(&ca.value, "`ca`", report));
    if let (Some(file), Some(_)) = (file, &ca) {
        let title = "`ca` is for keys that come over TLS, not from a file";
        report.push(Diagnostic::error(Code::Contradiction, title).at(file.key.span, ""));
    }
    match (file, url) {
        (Some(file), None) => path(&file.value, "`file`", report).map(KeySource::File),
        (None, Some(url)) => {
            check_url(&url.value, "`url`", report)?;
            let url = text(&url.value, "`url`", report)?.to_owned();
            Some(KeySource::Url { url, ca })
        }
        (None, None) if ca.is_some() => Some(KeySource::Discovery { ca }),
        (None, None) => {
            let title = "`jwks` needs `file` or `url`";
            report.push(Diagnostic::error(Code::MissingField, title).at(entry.key.span, ""));
            None
        }
        (Some(file), Some(url)) => {
            let title = "`jwks` takes `file` or `url`, not both";
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(url.key.span, "")
                    .also(file.key.span, "")
                    .help("delete one: keys come from one place"),
            );
            None
        }
    }
}

/// A path, relative to the file that names it.
fn path(node: &Node, what: &str, report: &mut Diagnostics) -> Option<PathBuf> {
    let text = text(node, what, report)?;
    let folder = report.source(node.span).map(|source| source.folder.clone());
    Some(folder.unwrap_or_default().join(text))
}

fn algorithms(node: &Node, report: &mut Diagnostics) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for (text, span) in texts(node, "`algorithms`", report) {
        if let Some((_, algorithm)) = ALGORITHMS.iter().find(|(name, _)| *name == text) {
            if !algorithms.contains(algorithm) {
                algorithms.push(*algorithm);
            }
            continue;
        }
        let names: Vec<_> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        let bad = |title: String| Diagnostic::error(Code::BadValue, title).at(span, "");
        report.push(if text.starts_with("HS") || text == "none" {
            bad(format!("{} is never accepted with a key set", quoted(text)))
                .help(format_args!("an asymmetric algorithm is {}", list(&names)))
        } else if is_planned(shapes::ALGORITHMS, text) {
            not_enforced(text, span)
        } else {
            let unknown = bad(format!("{} is not an algorithm", quoted(text)));
            match nearest(text, names.iter().copied()) {
                Some(meant) => unknown.at(span, format_args!("did you mean `{meant}`?")),
                None => unknown.help(format_args!("it is one of {}", list(&names))),
            }
        });
    }
    algorithms
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

/// Keys come over TLS, or from this machine.
fn check_url(node: &Node, what: &str, report: &mut Diagnostics) -> Option<()> {
    let text = text(node, what, report)?;
    // Before anything is parsed, because what does not parse is shown.
    if holds_user(text) {
        let title = format_args!("{what} may not hold a user or a password");
        if let Some(source) = report.sources.get_mut(node.span.file as usize) {
            source.hide(node.span.range());
        }
        report.push(Diagnostic::error(Code::SecretLiteral, title).at(node.span, ""));
        return None;
    }
    let uri = text.parse::<http::Uri>().ok();
    let scheme = uri.as_ref().and_then(http::Uri::scheme_str);
    let authority = uri.as_ref().and_then(http::Uri::authority);
    let host = authority.map(|authority| authority.host());
    match (scheme, host) {
        (Some("https"), Some(_)) => Some(()),
        (Some("http"), Some(host)) if is_loopback(host) => Some(()),
        _ => {
            let expected = "an address such as https://idp.example (http:// only on loopback)";
            report.push(bad_value(node, what, expected));
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
