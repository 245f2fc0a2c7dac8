//! The texts that signatures of a card are made over (A2A 1.0, section 8.4).
//!
//! The specification has one: the card without `signatures`, without members that have their default, by RFC 8785. In the
//! field there are three, because readers differ in what a default is. They say the same of the agent, so a signature over
//! any of them counts, and we make one for each that differs.

use super::UnreadableCard;
use super::canonical::canonical;
use super::tree::Tree;

/// What is known of a member (specification/a2a.proto of 1.0).
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A map whose values are of this type.
    Map(&'static [Member]),
    /// A message.
    Message(&'static [Member]),
    /// A message whose members nobody knows (`google.protobuf.Struct`).
    Open,
    /// Texts, numbers, truth values, and lists of them.
    Scalar,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    name: &'static str,
    kind: Kind,
    /// It stays although it is empty: it is required, or its presence says something.
    stays: bool,
}

/// Goes where it has its default.
const fn plain(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        stays: false,
    }
}

/// Stays in any case.
const fn kept(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        stays: true,
    }
}

use Kind::{Map, Message, Open, Scalar};

static CARD: &[Member] = &[
    kept("name", Scalar),
    kept("description", Scalar),
    kept("supportedInterfaces", Message(INTERFACE)),
    plain("provider", Message(PROVIDER)),
    kept("version", Scalar),
    kept("documentationUrl", Scalar),
    kept("capabilities", Message(CAPABILITIES)),
    plain("securitySchemes", Map(SCHEME)),
    plain("securityRequirements", Message(REQUIREMENT)),
    kept("defaultInputModes", Scalar),
    kept("defaultOutputModes", Scalar),
    kept("skills", Message(SKILL)),
    kept("iconUrl", Scalar),
];

static INTERFACE: &[Member] = &[
    kept("url", Scalar),
    kept("protocolBinding", Scalar),
    plain("tenant", Scalar),
    kept("protocolVersion", Scalar),
];

static PROVIDER: &[Member] = &[kept("url", Scalar), kept("organization", Scalar)];

static CAPABILITIES: &[Member] = &[
    kept("streaming", Scalar),
    kept("pushNotifications", Scalar),
    plain("extensions", Message(EXTENSION)),
    kept("extendedAgentCard", Scalar),
    kept("skillQuery", Scalar),
];

static EXTENSION: &[Member] = &[
    plain("uri", Scalar),
    plain("description", Scalar),
    plain("required", Scalar),
    plain("params", Open),
];

static SKILL: &[Member] = &[
    kept("id", Scalar),
    kept("name", Scalar),
    kept("description", Scalar),
    kept("tags", Scalar),
    plain("examples", Scalar),
    plain("inputModes", Scalar),
    plain("outputModes", Scalar),
    plain("securityRequirements", Message(REQUIREMENT)),
];

static REQUIREMENT: &[Member] = &[plain("schemes", Map(LIST))];
static LIST: &[Member] = &[plain("list", Scalar)];

static SCHEME: &[Member] = &[
    plain("apiKeySecurityScheme", Message(API_KEY)),
    plain("httpAuthSecurityScheme", Message(HTTP)),
    plain("oauth2SecurityScheme", Message(OAUTH2)),
    plain("openIdConnectSecurityScheme", Message(OPENID)),
    plain("mtlsSecurityScheme", Message(MTLS)),
];

static API_KEY: &[Member] = &[
    plain("description", Scalar),
    kept("location", Scalar),
    kept("name", Scalar),
];
static HTTP: &[Member] = &[
    plain("description", Scalar),
    kept("scheme", Scalar),
    plain("bearerFormat", Scalar),
];
static OAUTH2: &[Member] = &[
    plain("description", Scalar),
    kept("flows", Message(FLOWS)),
    plain("oauth2MetadataUrl", Scalar),
];
static OPENID: &[Member] = &[
    plain("description", Scalar),
    kept("openIdConnectUrl", Scalar),
];
static MTLS: &[Member] = &[plain("description", Scalar)];
static FLOWS: &[Member] = &[
    plain("authorizationCode", Message(FLOW)),
    plain("clientCredentials", Message(FLOW)),
    plain("implicit", Message(FLOW)),
    plain("password", Message(FLOW)),
    plain("deviceCode", Message(FLOW)),
];
static FLOW: &[Member] = &[
    plain("authorizationUrl", Scalar),
    plain("deviceAuthorizationUrl", Scalar),
    plain("tokenUrl", Scalar),
    plain("refreshUrl", Scalar),
    kept("scopes", Open),
    plain("pkceRequired", Scalar),
];

/// The texts of a card without its signatures; each there once.
///
/// # Errors
/// When it has none: RFC 8785 does not know its numbers.
pub(super) fn payloads(card: &Tree) -> Result<Vec<String>, UnreadableCard> {
    let mut card = card.clone();
    card.remove("signatures");
    let mut payloads = vec![canonical(&without_defaults(&card, CARD, false))?];
    let known = without_defaults(&card, CARD, true);
    let known = without_empty(&known).unwrap_or_else(|| Tree::Object(Vec::new()));
    for form in [canonical(&card)?, canonical(&known)?] {
        // Over nothing of it, a signature would say nothing.
        if form != "{}" && !payloads.contains(&form) {
            payloads.push(form);
        }
    }
    Ok(payloads)
}

/// A message without members that have their default; with `only_known`, also without those that 1.0 does not have, as
/// readers see it that go by way of protobuf.
fn without_defaults(message: &Tree, known: &[Member], only_known: bool) -> Tree {
    let Tree::Object(members) = message else {
        return message.clone();
    };
    let kept = members.iter().filter_map(|(key, value)| {
        let Some(member) = known.iter().find(|member| member.name == key) else {
            return (!only_known).then(|| (key.clone(), value.clone()));
        };
        let value = match (member.kind, value) {
            (Message(inner), Tree::List(items)) => {
                let items = items.iter();
                Tree::List(
                    items
                        .map(|item| without_defaults(item, inner, only_known))
                        .collect(),
                )
            }
            (Message(inner), value) => without_defaults(value, inner, only_known),
            (Map(inner), Tree::Object(entries)) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), without_defaults(value, inner, only_known)));
                Tree::Object(entries.collect())
            }
            (Map(_) | Open | Scalar, value) => value.clone(),
        };
        // The presence of a message says something even where nothing is in it.
        let is_message = matches!((member.kind, &value), (Message(_) | Open, Tree::Object(_)));
        (member.stays || is_message || !is_default(&value)).then(|| (key.clone(), value))
    });
    Tree::Object(kept.collect())
}

/// Whether protobuf writes nothing for it.
fn is_default(value: &Tree) -> bool {
    match value {
        Tree::List(items) => items.is_empty(),
        Tree::Object(members) => members.is_empty(),
        Tree::Plain(text) => {
            matches!(text.as_str(), "false" | "null") || text.parse() == Ok(0.0_f64)
        }
        Tree::Text(text) => text.is_empty(),
    }
}

/// Without anything that is empty, or becomes so, at any depth: what the Python SDK signs.
fn without_empty(tree: &Tree) -> Option<Tree> {
    match tree {
        Tree::List(items) => {
            let items: Vec<_> = items.iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(Tree::List(items))
        }
        Tree::Object(members) => {
            let members = members.iter();
            let members: Vec<_> = members
                .filter_map(|(key, value)| Some((key.clone(), without_empty(value)?)))
                .collect();
            (!members.is_empty()).then_some(Tree::Object(members))
        }
        Tree::Plain(text) => (text != "null").then(|| tree.clone()),
        Tree::Text(text) => (!text.is_empty()).then(|| tree.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_go_and_what_is_required_or_optional_stays() {
        let card = r#"{"name":"a","description":"","supportedInterfaces":[{"url":"u","tenant":""}],
            "capabilities":{"streaming":false,"extensions":[{"uri":"x","required":false,"params":{"n":1.0,"e":""}}]},
            "securitySchemes":{"m":{"mtlsSecurityScheme":{}}},"securityRequirements":[{"schemes":{"m":{"list":[]}}}],
            "skills":[],"iconUrl":"","url":"old","signatures":[{"protected":"p","signature":"s"}]}"#;
        let card = Tree::read(card.as_bytes()).unwrap();
        let payloads = payloads(&card).unwrap();
        let specified = concat!(
            r#"{"capabilities":{"extensions":[{"params":{"e":"","n":1},"uri":"x"}],"streaming":false},"description":"","iconUrl":"","#,
            r#""name":"a","securityRequirements":[{"schemes":{"m":{}}}],"securitySchemes":{"m":{"mtlsSecurityScheme":{}}},"skills":[],"#,
            r#""supportedInterfaces":[{"url":"u"}],"url":"old"}"#,
        );
        assert_eq!(payloads[0], specified);
        assert!(payloads[1].contains(r#""tenant":"""#), "{}", payloads[1]);
        let known = r#"{"capabilities":{"extensions":[{"params":{"n":1},"uri":"x"}],"streaming":false},"name":"a","supportedInterfaces":[{"url":"u"}]}"#;
        assert_eq!(payloads[2], known);
        assert_eq!(payloads.len(), 3);
    }

    #[test]
    fn a_card_without_defaults_has_one_text() {
        let card = br#"{"version":"1","name":"a","skills":[{"id":"x"}]}"#;
        let payloads = payloads(&Tree::read(card).unwrap()).unwrap();
        assert_eq!(
            payloads,
            [r#"{"name":"a","skills":[{"id":"x"}],"version":"1"}"#]
        );
    }
}
