//! `jwt` of an identity: how the tokens of an issuer are verified.

use std::time::Duration;

use super::{holds_user, is_loopback, path};
use crate::config::decode::{self, Fields, bad_value, list, nearest, not_enforced, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::is_planned;
use crate::config::language::policy::{self as shapes, JWKS, JWT, REQUIRE};
use crate::config::tree::{Entry, Node, quoted};
use crate::identity::{Algorithm, Jwt, KeySource};
use crate::model::IdentityName;

/// How much the clocks of an issuer and of ours may differ. Both keep time by NTP today; half a minute
/// covers the ones that do it badly.
const LEEWAY: Duration = Duration::from_secs(30);

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("ES256", Algorithm::Es256),
    ("EdDSA", Algorithm::EdDsa),
    ("RS256", Algorithm::Rs256),
];

/// Everything by default, and nothing that must be written.
pub(super) const fn defaults() -> Jwt {
    Jwt {
        issuer: String::new(),
        audiences: Vec::new(),
        algorithms: Vec::new(),
        keys: KeySource::Discovery { ca: None },
        require_exp: true,
        max_age: None,
        leeway: LEEWAY,
    }
}

/// How the tokens of an issuer are verified.
pub(super) fn read_jwt(
    entry: &Entry,
    name: &IdentityName,
    report: &mut Diagnostics,
) -> Option<Jwt> {
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

/// Keys come over TLS, or from this machine.
pub(in crate::config::policy) fn check_url(
    node: &Node,
    what: &str,
    report: &mut Diagnostics,
) -> Option<()> {
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
