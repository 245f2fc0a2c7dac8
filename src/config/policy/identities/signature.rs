//! `signature` and `hmac` of an identity: how callers sign.

use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;

use super::mtls::patterns_of;
use super::{jwt, path};
use crate::config::decode::{self, Fields, bad_value, refuse_literal, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{
    HMAC, KEY_URLS, NONCE, PROFILES, SIGNATURE, SIGNATURE_KEYS, WORKLOAD_PROOFS, WORKLOADS,
};
use crate::config::policy::signing::{secret, visible};
use crate::config::tree::{Entry, quoted};
use crate::identity::signature::{
    Component, KeyKind, KeyUrlPattern, Nonces, Profile, Requirement, When,
};
use crate::identity::{
    KeySource, KeyUrls, SecretSource, SignedRequests, WorkloadProofs, WorkloadTokens,
};
use crate::model::{IdentityName, TenantId};

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
        key_urls: None,
        workloads: None,
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
    let (keys, urls, workloads, audience) = match kind {
        KeyKind::Public => (
            fields.take("keys"),
            fields.take("keyUrls"),
            fields.take("workloads"),
            fields.take("audience"),
        ),
        KeyKind::Shared => (fields.require("keys", report), None, None, None),
    };
    let profile = fields.take("profile");
    let chosen = profile
        .and_then(|entry| decode::word(&entry.value, "`profile`", PROFILES, &profiles(), report));
    let mut signed = of_profile(chosen.unwrap_or_default(), kind);
    let is_wimse = chosen == Some(Profile::Wimse);
    // Read in any case, so that what is wrong with them is told; then whether they fit together.
    let audiences = audience.map(|entry| texts(&entry.value, "`audience`", report));
    let audiences = audiences.into_iter().flatten();
    let audiences: Vec<_> = audiences.map(|(text, _)| text.to_owned()).collect();
    let tokens = workloads.and_then(|entry| tokens_of(entry, audiences, report));
    let addresses = urls.and_then(|entry| key_urls(entry, report));
    let contradicts = |entry: &Entry, title: &str, report: &mut Diagnostics| {
        report.push(Diagnostic::error(Code::Contradiction, title).at(entry.key.span, ""));
    };
    match (kind, is_wimse) {
        (KeyKind::Public, true) => {
            for (name, given) in [("keys", keys), ("keyUrls", urls)] {
                if let Some(given) = given {
                    let title = format!(
                        "with the profile `wimse` the key stands in a token: leave `{name}` out"
                    );
                    contradicts(given, &title, report);
                }
            }
            for (name, given) in [("workloads", workloads), ("audience", audience)] {
                if given.is_none() {
                    let title = format!("`signature` with the profile `wimse` needs `{name}`");
                    contradicts(entry, &title, report);
                }
            }
            signed.workloads = tokens;
        }
        (KeyKind::Shared, true) => {
            let title = "with this profile the key stands in a token, and is not shared";
            contradicts(profile.unwrap_or(entry), title, report);
        }
        (_, false) => {
            for (name, given) in [("workloads", workloads), ("audience", audience)] {
                if let Some(given) = given {
                    let title = format!("`{name}` is for the profile `wimse`");
                    contradicts(given, &title, report);
                }
            }
            if keys.is_none() && urls.is_none() && kind == KeyKind::Public {
                contradicts(entry, "`signature` needs `keys`, or `keyUrls`", report);
            }
            signed.key_urls = addresses;
        }
    }
    let keys = keys.and_then(|keys| match kind {
        KeyKind::Public => key_set(keys, report),
        KeyKind::Shared => secret(keys, report),
    });
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
    match keys {
        Some(keys) if !is_wimse => signed.keys = keys,
        // The mistake is told, or none is needed.
        Some(_) | None => {}
    }
    Some(signed)
}

/// Where keys may be fetched that a signature names by their address.
fn key_urls(entry: &Entry, report: &mut Diagnostics) -> Option<KeyUrls> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&KEY_URLS, &entry.value, "`keyUrls`", at, report)?;
    let allow = fields.require("allow", report);
    let [ca, tenant, groups] = ["ca", "tenant", "groups"].map(|name| fields.take(name));
    let private = fields.take("dangerousPrivateAddresses");
    fields.finish(report);
    let mut patterns = Vec::new();
    for (text, span) in texts(&allow?.value, "`allow`", report) {
        match KeyUrlPattern::parse(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let title = format_args!("{} is not a pattern of addresses", quoted(text));
                let diagnostic = Diagnostic::error(Code::BadValue, title).at(span, "");
                report.push(diagnostic.help(error));
            }
        }
    }
    let tenant = tenant.and_then(|entry| {
        let text = text(&entry.value, "`tenant`", report)?;
        let read = TenantId::new(text);
        if let Err(error) = &read {
            let title = format_args!("{} is not a tenant: {error}", quoted(text));
            report.push(Diagnostic::error(Code::BadValue, title).at(entry.value.span, ""));
        }
        read.ok()
    });
    let groups = groups.map(|entry| texts(&entry.value, "`groups`", report));
    let groups = groups.into_iter().flatten();
    let private = private
        .and_then(|entry| decode::boolean(&entry.value, "`dangerousPrivateAddresses`", report));
    Some(KeyUrls {
        allow: patterns,
        ca: ca.and_then(|entry| path(&entry.value, "`ca`", report)),
        dangerous_private_addresses: private.unwrap_or_default(),
        tenant,
        groups: groups.map(|(text, _)| Box::from(text)).collect(),
    })
}

/// Those who vouch for the keys of workloads, in place of a file of keys.
fn tokens_of(
    entry: &Entry,
    audiences: Vec<String>,
    report: &mut Diagnostics,
) -> Option<WorkloadTokens> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&WORKLOADS, &entry.value, "`workloads`", at, report)?;
    let issuer = fields.take("issuer");
    let issuer = issuer.and_then(|entry| text(&entry.value, "`issuer`", report));
    let jwks = fields.require("jwks", report);
    let ids = fields.require("ids", report);
    let proofs = fields.take("proof");
    let values = [
        ("any", WorkloadProofs::Any),
        ("signature", WorkloadProofs::Signature),
        ("token", WorkloadProofs::Token),
    ];
    let proofs = proofs
        .and_then(|entry| decode::word(&entry.value, "`proof`", WORKLOAD_PROOFS, &values, report));
    fields.finish(report);
    let mut source = jwt::defaults();
    jwt::read_jwks(jwks?, &mut source, report);
    if let (KeySource::Discovery { .. }, None) = (&source.keys, issuer) {
        let title = "`workloads` needs `issuer`, or says in `jwks` where the keys are";
        report.push(Diagnostic::error(Code::Contradiction, title).at(entry.key.span, ""));
    }
    Some(WorkloadTokens {
        issuer: issuer.unwrap_or_default().to_owned(),
        keys: source.keys,
        max_stale: source.max_stale,
        leeway: jwt::LEEWAY,
        workloads: patterns_of(ids?, "`ids`", report),
        audiences,
        proofs: proofs.unwrap_or_default(),
    })
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

    const WORKLOAD: &str =
        "workloads: { ids: \"spiffe://prod.example/ns/*/**\", jwks: { file: wit.json } }";

    #[test]
    fn workloads_bring_their_keys() {
        let identity = load(&format!(
            "signature: {{ profile: wimse, audience: \"https://agent.example\", {WORKLOAD} }}, tenant: spiffe.ns"
        ));
        let identity = identity.unwrap();
        assert_eq!(
            identity.tenant,
            crate::identity::TenantFrom::Segment("ns".into())
        );
        let Kind::Signature(signed) = identity.kind else {
            panic!("{identity:?}")
        };
        assert_eq!(signed.tag.as_deref(), Some("wimse-workload-to-workload"));
        let workloads = signed.workloads.unwrap();
        assert_eq!(workloads.audiences, ["https://agent.example"]);
        let tenant = workloads.tenant_of("spiffe://prod.example/ns/acme/sa/bot", &identity.tenant);
        assert_eq!(tenant, Some("acme"));
    }

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
            (
                format!("signature: {{ {keys}, profile: wimse }}"),
                "leave `keys` out",
            ),
            (
                "signature: { keyUrls: { allow: \"https://*/x\" } }".to_owned(),
                "its host is written out",
            ),
            (
                "signature: { keyUrls: { tenant: acme } }".to_owned(),
                "`keyUrls` needs `allow`",
            ),
            (
                format!("signature: {{ profile: wimse, audience: a, {WORKLOAD}, keyUrls: {{ allow: \"https://a/x\" }} }}"),
                "leave `keyUrls` out",
            ),
            (
                "signature: { profile: wimse, audience: a }".to_owned(),
                "needs `workloads`",
            ),
            (
                format!("signature: {{ profile: wimse, {WORKLOAD} }}"),
                "needs `audience`",
            ),
            (
                format!("signature: {{ {keys}, {WORKLOAD} }}"),
                "`workloads` is for the profile `wimse`",
            ),
            (
                format!("hmac: {{ {keys}, profile: wimse }}"),
                "the key stands in a token",
            ),
            (
                "signature: { profile: wimse, audience: a, workloads: { ids: \"spiffe://a/*\", jwks: { maxStale: 1h } } }".to_owned(),
                "`workloads` needs `issuer`",
            ),
            (
                format!("signature: {{ profile: wimse, audience: a, {WORKLOAD} }}, tenant: spiffe.sa"),
                "a segment that every pattern has",
            ),
            (
                "mtls: { spiffe: \"wimse://prod.example/*\" }".to_owned(),
                "no certificate has a WIMSE URI",
            ),
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
