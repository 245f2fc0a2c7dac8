//! `jwt` of an identity: how the tokens of an issuer are verified.

use std::time::Duration;

use http::HeaderName;

use super::{holds_user, is_loopback, is_taken, path, secret};
use crate::config::decode::{self, Fields, bad_value, list, nearest, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{JWKS, JWT, REQUIRE, TYPES};
use crate::config::tree::{Entry, Node, quoted};
use crate::identity::{Algorithm, Jwt, KeySource};
use crate::model::IdentityName;

/// How much the clocks of an issuer and of ours may differ. Both keep time by NTP today; half a minute
/// covers the ones that do it badly.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// A day: an issuer that is down over night locks nobody out, and a key that it withdrew is not good for ever.
const MAX_STALE: Duration = Duration::from_hours(24);

/// In the order in which messages offer them; the first three are what holds where none is named.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
];

/// Everything by default, and nothing that must be written.
pub(super) const fn defaults() -> Jwt {
    Jwt {
        header: None,
        issuer: String::new(),
        audiences: Vec::new(),
        algorithms: Vec::new(),
        keys: KeySource::Discovery { ca: None },
        max_stale: MAX_STALE,
        require_dpop: false,
        require_access_token: false,
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
    let named = fields.take("algorithms");
    let (jwks, shared) = (fields.take("jwks"), fields.take("sharedKey"));
    let mut jwt = Jwt {
        issuer: issuer_text.unwrap_or_default().to_owned(),
        audiences: audiences
            .into_iter()
            .flatten()
            .map(|(text, _)| text.to_owned())
            .collect(),
        algorithms: match named {
            Some(entry) => algorithms(&entry.value, shared.is_some(), report),
            None if shared.is_some() => Vec::new(),
            None => ALGORITHMS.iter().take(3).copied().collect(),
        },
        ..defaults()
    };
    if let Some(entry) = fields.take("header") {
        jwt.header = header(&entry.value, report);
    }
    if let Some(entry) = fields.take("require") {
        read_require(entry, &mut jwt, report);
    }
    fields.finish(report);
    if let (Some(jwks), Some(shared)) = (jwks, shared) {
        let title = "`jwt` takes `jwks` or `sharedKey`, not both";
        report.push(
            Diagnostic::error(Code::Contradiction, title)
                .at(shared.key.span, "")
                .also(jwks.key.span, "")
                .help("delete one: a public key must not be taken for a shared one"),
        );
        return None;
    }
    if let Some(jwks) = jwks {
        read_jwks(jwks, &mut jwt, report);
    }
    if let Some(shared) = shared {
        let place = secret(shared, report)?;
        // Where none is named it may be too short for some, but not for all.
        let named = jwt.algorithms.iter();
        let least = named.map(|algorithm| algorithm.least_key_bytes()).max();
        let least = least.unwrap_or(Algorithm::Hs256.least_key_bytes());
        jwt.keys = KeySource::Shared { place, least };
        if jwt.algorithms.is_empty() {
            let all = Algorithm::ALL.iter().copied();
            jwt.algorithms = all.filter(|algorithm| algorithm.is_shared()).collect();
        }
    }
    if let (KeySource::Discovery { .. }, Some(issuer)) = (&jwt.keys, issuer)
        && issuer_text.is_some()
    {
        let _told = checked_url(&issuer.value, "`issuer`", report);
    }
    Some(jwt)
}

/// A field that can hold a token: none that means something else to whoever reads it.
fn header(node: &Node, report: &mut Diagnostics) -> Option<HeaderName> {
    let text = text(node, "`header`", report)?;
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        let expected = "the name of a header field such as x-goog-iap-jwt-assertion";
        report.push(bad_value(node, "`header`", expected));
        return None;
    };
    if name == http::header::AUTHORIZATION {
        let title = "a token in `authorization` has a scheme: leave `header` out";
        report.push(Diagnostic::error(Code::Contradiction, title).at(node.span, ""));
        return None;
    }
    if is_taken(&name) {
        let title = format_args!("{} holds something else than a token", quoted(text));
        report.push(Diagnostic::error(Code::Contradiction, title).at(node.span, ""));
        return None;
    }
    Some(name)
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
    if let Some(dpop) = fields.take("dpop")
        && let Some(required) = decode::boolean(&dpop.value, "`dpop`", report)
    {
        jwt.require_dpop = required;
        if required && jwt.header.is_some() {
            let title = "a proof goes with `authorization`, not with a `header` of its own";
            report.push(Diagnostic::error(Code::Contradiction, title).at(dpop.key.span, ""));
        }
    }
    if let Some(kind) = fields.take("typ") {
        let word = decode::word(&kind.value, "`typ`", TYPES, &[("at+jwt", ())], report);
        jwt.require_access_token = word.is_some();
    }
    fields.finish(report);
}

pub(super) fn read_jwks(entry: &Entry, jwt: &mut Jwt, report: &mut Diagnostics) {
    let at = Some(entry.key.span);
    let Some(mut fields) = Fields::of(&JWKS, &entry.value, "`jwks`", at, report) else {
        return;
    };
    let [file, url, ca] = [fields.take("file"), fields.take("url"), fields.take("ca")];
    let max_stale = fields.take("maxStale");
    fields.finish(report);
    if let Some(age) = max_stale
        && let Some(age) = decode::duration(&age.value, "`maxStale`", report)
    {
        jwt.max_stale = age;
    }
    let ca = ca.and_then(|ca| path(&ca.value, "`ca`", report));
    if let (Some(file), Some(_)) = (file, &ca) {
        let title = "`ca` is for keys that come over TLS, not from a file";
        report.push(Diagnostic::error(Code::Contradiction, title).at(file.key.span, ""));
    }
    match (file, url) {
        (Some(file), None) => {
            if let Some(path) = path(&file.value, "`file`", report) {
                jwt.keys = KeySource::File(path);
            }
        }
        (None, Some(entry)) => {
            if let Some(url) = checked_url(&entry.value, "`url`", report) {
                let url = url.to_owned();
                jwt.keys = KeySource::Url { url, ca };
            }
        }
        (None, None) if ca.is_some() || max_stale.is_some() => {
            jwt.keys = KeySource::Discovery { ca };
        }
        (None, None) => {
            let title = "`jwks` needs `file` or `url`";
            report.push(Diagnostic::error(Code::MissingField, title).at(entry.key.span, ""));
        }
        (Some(file), Some(url)) => {
            let title = "`jwks` takes `file` or `url`, not both";
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(url.key.span, "")
                    .also(file.key.span, "")
                    .help("delete one: keys come from one place"),
            );
        }
    }
}

/// The algorithms that are named, of those that go with a shared key or of the others.
fn algorithms(node: &Node, shared: bool, report: &mut Diagnostics) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    let offered = ALGORITHMS
        .iter()
        .filter(|algorithm| algorithm.is_shared() == shared);
    let names: Vec<_> = offered.map(|algorithm| algorithm.as_str()).collect();
    for (text, span) in texts(node, "`algorithms`", report) {
        let found = ALGORITHMS
            .iter()
            .find(|algorithm| algorithm.as_str() == text);
        match found {
            Some(algorithm) if algorithm.is_shared() == shared => {
                if !algorithms.contains(algorithm) {
                    algorithms.push(*algorithm);
                }
                continue;
            }
            Some(_) | None => {}
        }
        let bad = |title: String| Diagnostic::error(Code::BadValue, title).at(span, "");
        report.push(if shared && (found.is_some() || text == "none") {
            bad(format!("{} is not for a shared key", quoted(text)))
                .help(format_args!("one with a shared key is {}", list(&names)))
        } else if found.is_some() || text == "none" {
            bad(format!("{} is never accepted with a key set", quoted(text)))
                .help(format_args!("an asymmetric algorithm is {}", list(&names)))
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

/// Refuses a URL with a user in it, and hides that.
pub(in crate::config::policy) fn hides_user(
    text: &str,
    node: &Node,
    what: &str,
    report: &mut Diagnostics,
) -> bool {
    let found = holds_user(text);
    if found {
        let title = format_args!("{what} may not hold a user or a password");
        if let Some(source) = report.sources.get_mut(node.span.file as usize) {
            source.hide(node.span.range());
        }
        report.push(Diagnostic::error(Code::SecretLiteral, title).at(node.span, ""));
    }
    found
}

/// Keys come over TLS, or from this machine.
pub(in crate::config::policy) fn checked_url<'node>(
    node: &'node Node,
    what: &str,
    report: &mut Diagnostics,
) -> Option<&'node str> {
    let text = text(node, what, report)?;
    // Before anything is parsed, because what does not parse is shown.
    if hides_user(text, node, what, report) {
        return None;
    }
    let uri = text.parse::<http::Uri>().ok();
    let scheme = uri.as_ref().and_then(http::Uri::scheme_str);
    let authority = uri.as_ref().and_then(http::Uri::authority);
    let host = authority.map(|authority| authority.host());
    match (scheme, host) {
        (Some("https"), Some(_)) => Some(text),
        (Some("http"), Some(host)) if is_loopback(host) => Some(text),
        _ => {
            let expected = "an address such as https://idp.example (http:// only on loopback)";
            report.push(bad_value(node, what, expected));
            None
        }
    }
}
