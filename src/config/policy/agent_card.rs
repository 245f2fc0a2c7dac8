//! `http.agentCard`: what callers are told of the agent.

use std::path::PathBuf;

use http::header::AUTHORIZATION;

use super::identities::{hides_user, path};
use super::{Draft, policy, signing};
use crate::config::decode::{Fields, bad_value, one_or_more, refuse_literal, text, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{AGENT_CARD, CARD_KEYS, SIGN_CARD, UNSIGNED, VERIFY_CARD};
use crate::config::tree::{Entry, Node};
use crate::identity::{CardKeysConfig, Identity, Jwt, KeySource, Kind, PinnedKeys};
use crate::model::Protocol;
use crate::protocol::{BaseUrl, CardSecurity, SecurityScheme};
use crate::proxy::card::Config;

/// As it is written.
pub(super) struct RawCard {
    public: BaseUrl,
    agent: Vec<BaseUrl>,
    keys: CardKeysConfig,
}

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<RawCard> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&AGENT_CARD, &entry.value, "`agentCard`", at, report)?;
    let public = fields.require("publicUrl", report);
    let public = public.and_then(|entry| base(&entry.value, "`publicUrl`", report));
    let mut agent = Vec::new();
    if let Some(entry) = fields.take("agentUrl") {
        for node in one_or_more(&entry.value, "`agentUrl`", report) {
            agent.extend(base(node, "`agentUrl`", report));
        }
    }
    let verify = fields.take("verify");
    let verify = verify.and_then(|entry| read_verify(entry, report));
    let sign = fields.take("sign");
    let sign = sign.and_then(|entry| signing::read_as(&SIGN_CARD, "`sign`", entry, report));
    fields.finish(report);
    Some(RawCard {
        public: public?,
        agent,
        keys: CardKeysConfig { sign, verify },
    })
}

fn base(node: &Node, what: &str, report: &mut Diagnostics) -> Option<BaseUrl> {
    let text = text(node, what, report)?;
    if hides_user(text, node, what, report) {
        return None;
    }
    let base = BaseUrl::parse(text);
    if base.is_none() {
        let expected =
            "an address such as `https://agents.example/quotes`, without query and fragment";
        report.push(bad_value(node, what, expected));
    }
    base
}

fn read_verify(entry: &Entry, report: &mut Diagnostics) -> Option<PinnedKeys> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&VERIFY_CARD, &entry.value, "`verify`", at, report)?;
    let keys = fields.require("keys", report);
    let file = keys.and_then(|entry| read_keys(entry, report));
    let mut accepts_unsigned = false;
    if let Some(entry) = fields.take("unsigned") {
        let words = [("refuse", false), ("accept", true)];
        let read = word(&entry.value, "`unsigned`", UNSIGNED, &words, report);
        accepts_unsigned = read.unwrap_or_default();
    }
    fields.finish(report);
    Some(PinnedKeys {
        file: file?,
        accepts_unsigned,
    })
}

fn read_keys(entry: &Entry, report: &mut Diagnostics) -> Option<PathBuf> {
    if refuse_literal(entry, "use { file: keys/agent-card.json }", report) {
        return None;
    }
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&CARD_KEYS, &entry.value, "`keys`", at, report)?;
    let file = fields.require("file", report);
    fields.finish(report);
    path(&file?.value, "`file`", report)
}

impl Draft {
    /// What callers are told, once all identities are known.
    pub(super) fn check_card(
        &self,
        policy: &policy::Config,
        report: &mut Diagnostics,
    ) -> Option<Config> {
        let (at, raw) = self.http.agent_card()?;
        let roles = policy.roles.iter().flat_map(|role| &role.allow);
        let rules = policy.rules.iter().flat_map(|rule| &rule.actions);
        let mut patterns = roles.chain(rules);
        if !patterns.any(|pattern| pattern.protocol() == Protocol::A2a) {
            let title =
                "cards over REST stay as they are: nothing else of the policy speaks of A2A";
            let diagnostic = Diagnostic::warning(Code::Lax, title).at(*at, "");
            report.push(diagnostic.help(
                "paths of A2A over REST are read where a role or a rule names an action of `a2a:`",
            ));
        }
        let identities = self.identities.values();
        let schemes = identities.map(|(_, identity)| {
            let name = Box::from(identity.name.as_str());
            (name, scheme(identity))
        });
        Some(Config {
            public: raw.public.clone(),
            agent: raw.agent.clone(),
            security: CardSecurity {
                schemes: schemes.collect(),
            },
            keys: raw.keys.clone(),
        })
    }
}

/// How the callers of an identity show who they are.
fn scheme(identity: &Identity) -> SecurityScheme {
    let http = |scheme: &str, format| SecurityScheme::Http {
        scheme: scheme.into(),
        format,
    };
    match &identity.kind {
        Kind::ApiKey(key) if key.header == AUTHORIZATION => http("Bearer", None),
        Kind::ApiKey(key) => SecurityScheme::ApiKey {
            header: key.header.as_str().into(),
        },
        Kind::Jwt(jwt) => token(jwt),
        Kind::Mtls(_) => SecurityScheme::MutualTls,
        // No version of A2A has a word for it; this is what lictor asks for with a 401.
        Kind::Signature(_) => http("Signature", None),
    }
}

fn token(jwt: &Jwt) -> SecurityScheme {
    let http = |scheme: &str, format| SecurityScheme::Http {
        scheme: scheme.into(),
        format,
    };
    match (&jwt.header, &jwt.keys) {
        (Some(header), _) => SecurityScheme::ApiKey {
            header: header.as_str().into(),
        },
        (None, _) if jwt.require_dpop => http("DPoP", None),
        // Only here it is known that the issuer has the document.
        (None, KeySource::Discovery { .. }) => SecurityScheme::OpenIdConnect {
            url: format!(
                "{}/.well-known/openid-configuration",
                jwt.issuer.trim_end_matches('/')
            )
            .into(),
        },
        (None, KeySource::Introspection(_)) => http("Bearer", None),
        (None, KeySource::File(_) | KeySource::Shared { .. } | KeySource::Url { .. }) => {
            http("Bearer", Some("JWT"))
        }
    }
}
