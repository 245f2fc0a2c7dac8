//! `signature` and `hmac` of an identity: how callers sign.

use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;

use super::path;
use crate::config::decode::{self, Fields, bad_value, refuse_literal, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{HMAC, NONCE, PROFILES, SIGNATURE, SIGNATURE_KEYS};
use crate::config::policy::signing::{secret, visible};
use crate::config::tree::{Entry, quoted};
use crate::identity::signature::{Component, KeyKind, Nonces, Profile, Requirement, When};
use crate::identity::{SecretSource, SignedRequests};
use crate::model::IdentityName;

/// The longest age: nonces are remembered as long, and Web Bot Auth allows no more.
const MOST_AGE: Duration = Duration::from_hours(24);

/// What is computed of the content is there only where there is some.
const OF_CONTENT: &[&str] = &[
    "content-digest",
    "content-encoding",
    "content-length",
    "content-type",
];

/// The default profile, without keys.
pub(super) fn defaults(kind: KeyKind) -> SignedRequests {
    of_profile(Profile::default(), kind)
}

fn of_profile(profile: Profile, kind: KeyKind) -> SignedRequests {
    SignedRequests {
        kind,
        keys: SecretSource::File(PathBuf::new()),
        tag: profile.tag().map(Box::from),
        requirements: profile.requirements(),
        algorithm: profile.algorithm(),
        authority: None,
    }
}

pub(super) fn read(
    entry: &Entry,
    kind: KeyKind,
    name: &IdentityName,
    report: &mut Diagnostics,
) -> Option<SignedRequests> {
    let what = format!("`{}` of identity `{name}`", entry.key.text);
    let shape = match kind {
        KeyKind::Public => &SIGNATURE,
        KeyKind::Shared => &HMAC,
    };
    let mut fields = Fields::of(shape, &entry.value, what, Some(entry.key.span), report)?;
    let keys = fields.require("keys", report);
    let keys = keys.and_then(|keys| match kind {
        KeyKind::Public => key_set(keys, report),
        KeyKind::Shared => secret(keys, report),
    });
    let profile = fields.take("profile");
    let chosen = profile
        .and_then(|entry| decode::word(&entry.value, "`profile`", PROFILES, &profiles(), report));
    let mut signed = of_profile(chosen.unwrap_or_default(), kind);
    if let (KeyKind::Shared, Some(_), Some(profile)) = (kind, signed.algorithm, profile) {
        let title = "this profile has one algorithm, and it is not for shared keys";
        report.push(Diagnostic::error(Code::Contradiction, title).at(profile.value.span, ""));
    }
    let requirements = &mut signed.requirements;
    if let Some(covers) = fields.take("covers") {
        requirements.covers = requirements_of(covers, report);
    }
    if let Some(age) = fields.take("maxAge")
        && let Some(most) = decode::duration(&age.value, "`maxAge`", report)
    {
        if most > MOST_AGE {
            report.push(bad_value(&age.value, "`maxAge`", "at most 24h"));
        }
        requirements.max_age = most;
    }
    if let Some(entry) = fields.take("nonce") {
        let values = [
            ("required", Nonces::Required),
            ("optional", Nonces::Optional),
        ];
        if let Some(nonces) = decode::word(&entry.value, "`nonce`", NONCE, &values, report) {
            requirements.nonces = nonces;
        }
    }
    if let Some(tag) = fields.take("tag") {
        signed.tag = visible(tag, "`tag`", report);
    }
    if let Some(authority) = fields.take("authority") {
        signed.authority = authority_of(authority, report);
    }
    fields.finish(report);
    signed.keys = keys?;
    Some(signed)
}

fn profiles() -> Vec<(&'static str, Profile)> {
    let word = |profile: &Profile| (profile.as_str(), *profile);
    Profile::ALL.iter().map(word).collect()
}

fn key_set(entry: &Entry, report: &mut Diagnostics) -> Option<SecretSource> {
    if refuse_literal(entry, "use { file: secrets/keys.json }", report) {
        return None;
    }
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&SIGNATURE_KEYS, &entry.value, "`keys`", at, report)?;
    let file = fields.require("file", report);
    fields.finish(report);
    path(&file?.value, "`file`", report).map(SecretSource::File)
}

fn requirements_of(entry: &Entry, report: &mut Diagnostics) -> Vec<Requirement> {
    let mut requirements = Vec::new();
    for (text, span) in texts(&entry.value, "`covers`", report) {
        let (name, is_optional) = match text.strip_suffix('?') {
            Some(name) => (name, true),
            None => (text, false),
        };
        match Component::parse(name) {
            Ok(component) if !component.belongs_to_request() => {
                let title = format_args!("{} is no part of a request", quoted(text));
                report.push(Diagnostic::error(Code::BadValue, title).at(span, ""));
            }
            Ok(component) => {
                let when = match OF_CONTENT.contains(&component.name()) {
                    _ if is_optional => When::IfPresent,
                    true => When::IfContent,
                    false => When::Always,
                };
                requirements.push(Requirement { component, when });
            }
            Err(error) => {
                let title = format_args!("{} cannot be covered", quoted(text));
                let diagnostic = Diagnostic::error(Code::BadValue, title).at(span, "");
                report.push(diagnostic.help(error));
            }
        }
    }
    requirements
}

fn authority_of(entry: &Entry, report: &mut Diagnostics) -> Option<Box<str>> {
    let text = text(&entry.value, "`authority`", report)?;
    let is_good = |authority: &Authority| !authority.as_str().contains('@');
    if text.parse::<Authority>().ok().filter(is_good).is_none() {
        let expected = "a host such as agents.example, or agents.example:8443";
        report.push(bad_value(&entry.value, "`authority`", expected));
        return None;
    }
    Some(Box::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_policy;
    use crate::identity::{Identity, Kind};

    fn load(fields: &str) -> Result<Identity, String> {
        let text = format!("lictor: v1\nidentities:\n  desk: {{ {fields} }}\n");
        match parse_policy("desk.yaml", &text, &[]) {
            Ok(policies) => Ok(policies.identity.identities.into_iter().next().unwrap()),
            Err(found) => Err(found.excerpts(false)),
        }
    }

    fn signed(fields: &str) -> SignedRequests {
        match load(fields).unwrap().kind {
            Kind::Signature(signed) => signed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn profiles_say_what_is_left_out() {
        let signed =
            |more: &str| signed(&format!("signature: {{ keys: {{ file: k.json }}{more} }}"));
        let usual = signed("");
        assert_eq!(usual.tag.as_deref(), Some("lictor"));
        assert_eq!(usual.requirements, Profile::Lictor.requirements());
        assert_eq!(signed(", profile: a2a").tag, None);
        let bots = signed(", profile: web-bot-auth, maxAge: 1h, nonce: required, tag: mine");
        assert_eq!(bots.tag.as_deref(), Some("mine"));
        assert_eq!(bots.requirements.max_age, Duration::from_hours(1));
        assert_eq!(bots.requirements.nonces, Nonces::Required);
        let covers = signed(
            ", covers: [\"@method\", content-digest, \"x-team?\", \"@query-param;name=\\\"id\\\"\"]",
        );
        let whens: Vec<_> = covers
            .requirements
            .covers
            .iter()
            .map(|wanted| wanted.when)
            .collect();
        assert_eq!(
            whens,
            [When::Always, When::IfContent, When::IfPresent, When::Always]
        );
    }

    #[test]
    fn shared_keys_come_from_a_file_or_the_environment() {
        let shared = signed("hmac: { keys: { env: DESK_KEY }, authority: agents.example }");
        assert_eq!(shared.keys, SecretSource::Variable("DESK_KEY".to_owned()));
        assert_eq!(shared.kind, KeyKind::Shared);
        assert_eq!(shared.authority.as_deref(), Some("agents.example"));
    }

    #[test]
    fn mistakes_are_told() {
        let keys = "keys: { file: k.json }";
        let cases = [
            ("signature: {}".to_owned(), "keys"),
            ("signature: { keys: { env: X } }".to_owned(), "env"),
            (
                "hmac: { keys: geheim-geheim-geheim-geheim-geheim }".to_owned(),
                "a secret may not be written here",
            ),
            (
                "hmac: { keys: { file: a, env: B } }".to_owned(),
                "`keys` needs `file` or `env`, one of them",
            ),
            (format!("signature: {{ {keys}, profile: wimse }}"), "wimse"),
            (
                format!("hmac: {{ {keys}, profile: a2a }}"),
                "this profile has one algorithm",
            ),
            (
                format!("signature: {{ {keys}, covers: [\"@status\"] }}"),
                "is no part of a request",
            ),
            (
                format!("signature: {{ {keys}, covers: [\"@body\"] }}"),
                "cannot be covered",
            ),
            (
                format!("signature: {{ {keys}, covers: [Date] }}"),
                "cannot be covered",
            ),
            (
                format!("signature: {{ {keys}, maxAge: 25h }}"),
                "at most 24h",
            ),
            (
                format!("signature: {{ {keys}, tag: \"\" }}"),
                "`tag` is empty",
            ),
            (
                format!("signature: {{ {keys}, authority: \"a b\" }}"),
                "a host such as",
            ),
            (
                format!("signature: {{ {keys} }}, tenant: claims.org"),
                "the tenant of a key stands beside it",
            ),
            (
                format!("signature: {{ {keys} }}, groups: claims.g"),
                "`groups` are claims",
            ),
            (
                format!("signature: {{ {keys} }}, hmac: {{ {keys} }}"),
                "two kinds of credentials",
            ),
        ];
        for (fields, expected) in cases {
            let said = load(&fields).unwrap_err();
            assert!(said.contains(expected), "{fields}:\n{said}");
            assert!(!said.contains("geheim"), "{said}");
        }
    }
}
