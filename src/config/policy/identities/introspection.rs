//! `introspection` of an identity: how its issuer is asked about a token.

use std::time::Duration;

use super::{jwt, path, secret};
use crate::config::decode::{self, Fields, bad_value, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::INTROSPECTION;
use crate::config::tree::Entry;
use crate::identity::{Introspection, Jwt, KeySource};
use crate::model::IdentityName;

/// For how long an answer counts where the policy does not say: as long as a token that was taken back still opens.
const CACHE: Duration = Duration::from_secs(60);

/// The longest time that it may count.
const MAX_CACHE: Duration = Duration::from_hours(1);

pub(super) fn read(entry: &Entry, name: &IdentityName, report: &mut Diagnostics) -> Option<Jwt> {
    let what = format!("`introspection` of identity `{name}`");
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&INTROSPECTION, &entry.value, what, at, report)?;
    let url = fields.require("url", report);
    let client = fields.require("clientId", report);
    let key = fields.require("clientSecret", report);
    let [ca, issuer, audience, cache] =
        ["ca", "issuer", "audience", "cache"].map(|name| fields.take(name));
    fields.finish(report);
    let url = url.and_then(|entry| super::checked_url(&entry.value, "`url`", report));
    let client = client.and_then(|client| text(&client.value, "`clientId`", report));
    let secret = key.and_then(|key| secret(key, report));
    let mut rules = Jwt {
        require_exp: false,
        ..jwt::defaults()
    };
    if let Some(issuer) = issuer.and_then(|entry| text(&entry.value, "`issuer`", report)) {
        issuer.clone_into(&mut rules.issuer);
    }
    match audience {
        Some(entry) => {
            let named = texts(&entry.value, "`audience`", report);
            rules.audiences = named.into_iter().map(|(text, _)| text.to_owned()).collect();
        }
        None => {
            let title = "tokens for other services of this issuer work here too";
            let diagnostic = Diagnostic::warning(Code::Lax, title).at(entry.key.span, "");
            report.push(
                diagnostic.help("say for whom they have to be made out: audience: quotes-agent"),
            );
        }
    }
    let mut kept = CACHE;
    if let Some(cache) = cache
        && let Some(time) = decode::duration(&cache.value, "`cache`", report)
    {
        kept = time;
        if time > MAX_CACHE {
            let expected = "at most 1h: a token that is taken back opens for as long";
            report.push(bad_value(&cache.value, "`cache`", expected));
        }
    }
    let ca = ca.and_then(|ca| path(&ca.value, "`ca`", report));
    rules.keys = KeySource::Introspection(Box::new(Introspection {
        url: url?.to_owned(),
        ca,
        client: client?.to_owned(),
        secret: secret?,
        cache: kept,
    }));
    Some(rules)
}
