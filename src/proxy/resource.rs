//! lictor as a protected resource of OAuth 2: where clients find out who issues tokens for it (RFC 9728), and which
//! scope they lack (RFC 6750, section 3).
//!
//! MCP asks this of servers (Authorization, "Protected Resource Metadata Discovery Requirements"); lictor does it for an
//! agent that has never heard of tokens.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde_json::json;

use crate::model::{Action, ActionPattern, IdentityName, Principal, RuleRef};

/// Where the metadata lie (RFC 9728, section 3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The most scopes that are looked through for a refused call.
const MAX_GRANTS: usize = 1024;

/// What the policy says of it, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the policy says so.
    pub rule: Arc<RuleRef>,
    /// The resource: an `https` URL without query and fragment (RFC 9728, section 1.2).
    pub resource: String,
    /// Issuers of tokens for it.
    pub authorization_servers: Vec<String>,
    /// What clients may ask for.
    pub scopes: Vec<String>,
    /// Whether every token has to come with a proof of possession (RFC 9449).
    pub is_dpop_bound: bool,
    /// Identities whose groups are the scopes of a token.
    pub scoped: Vec<IdentityName>,
    /// Which scope opens which actions.
    pub grants: Vec<(ActionPattern, Box<str>)>,
}

/// The same, ready to be told.
#[derive(Debug)]
pub struct ProtectedResource {
    rule: Arc<RuleRef>,
    /// What comes behind [`WELL_KNOWN`]: the path of the resource.
    path: Box<str>,
    metadata: Bytes,
    metadata_url: String,
    scoped: Vec<IdentityName>,
    grants: Vec<(ActionPattern, Box<str>)>,
}

impl ProtectedResource {
    /// Writes the metadata down.
    pub fn new(mut config: Config) -> Self {
        let (origin, path) = split(&config.resource);
        let mut metadata = json!({
            "resource": config.resource,
            "authorization_servers": config.authorization_servers,
            "bearer_methods_supported": ["header"],
        });
        if let Some(fields) = metadata.as_object_mut() {
            if !config.scopes.is_empty() {
                fields.insert("scopes_supported".to_owned(), json!(config.scopes));
            }
            if config.is_dpop_bound {
                fields.insert("dpop_bound_access_tokens_required".to_owned(), json!(true));
            }
        }
        config.grants.truncate(MAX_GRANTS);
        Self {
            path: path.into(),
            metadata: metadata.to_string().into(),
            metadata_url: format!("{origin}{WELL_KNOWN}{path}"),
            rule: config.rule,
            scoped: config.scoped,
            grants: config.grants,
        }
    }

    /// The metadata, if a request asks for them. Clients try the well-known path with that of the resource behind it, then
    /// the one without (MCP, Authorization).
    pub(super) fn document(&self, method: &Method, path: &str) -> Option<&Bytes> {
        let rest = path.strip_prefix(WELL_KNOWN)?;
        let is_asked = rest.is_empty() || *rest == *self.path;
        (is_asked && (method == Method::GET || method == Method::HEAD)).then_some(&self.metadata)
    }

    pub(super) const fn rule(&self) -> &Arc<RuleRef> {
        &self.rule
    }

    /// Says with a refusal where tokens come from, and which scope would have opened the call.
    pub(super) fn challenge(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        action: Option<&Action>,
        principal: Option<&Principal>,
    ) {
        let scope = action.and_then(|action| self.scope_for(action));
        let mut challenge = match (status, scope) {
            (StatusCode::UNAUTHORIZED, _) => {
                let asked = headers.get(header::WWW_AUTHENTICATE);
                let asked = asked.and_then(|value| value.to_str().ok());
                format!("{}, ", asked.unwrap_or("Bearer realm=\"lictor\""))
            }
            // More of the same credential would help only whose rights are scopes.
            (StatusCode::FORBIDDEN, Some(_))
                if principal.is_some_and(|caller| self.scoped.contains(&caller.identity)) =>
            {
                "Bearer realm=\"lictor\", error=\"insufficient_scope\", ".to_owned()
            }
            _ => return,
        };
        if let Some(scope) = scope {
            challenge.push_str(&format!("scope=\"{scope}\", "));
        }
        challenge.push_str(&format!("resource_metadata=\"{}\"", self.metadata_url));
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            // What else is asked for, a signature, stays beside it.
            let others = headers.get_all(header::WWW_AUTHENTICATE);
            let others: Vec<_> = others.iter().skip(1).cloned().collect();
            headers.insert(header::WWW_AUTHENTICATE, value);
            for other in others {
                headers.append(header::WWW_AUTHENTICATE, other);
            }
        }
    }

    fn scope_for(&self, action: &Action) -> Option<&str> {
        let mut grants = self.grants.iter();
        let (_, scope) = grants.find(|(pattern, _)| pattern.matches(action))?;
        Some(scope)
    }
}

/// The scheme and authority of a URL, and its path, which is empty for the root.
fn split(url: &str) -> (&str, &str) {
    let authority = url.find("://").map_or(0, |at| at + "://".len());
    let path = url.get(authority..).and_then(|rest| rest.find('/'));
    let (origin, path) = path.map_or((url, ""), |at| url.split_at(authority + at));
    (origin, if path == "/" { "" } else { path })
}

/// Whether a text can be a scope (RFC 6749, section 3.3).
pub fn is_scope(text: &str) -> bool {
    let is_sign = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(is_sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(url: &str) -> ProtectedResource {
        ProtectedResource::new(Config {
            rule: Arc::new(RuleRef {
                name: Arc::from("protectedResource"),
                place: None,
            }),
            resource: url.to_owned(),
            authorization_servers: vec!["https://idp.example".to_owned()],
            scopes: Vec::new(),
            is_dpop_bound: true,
            scoped: Vec::new(),
            grants: Vec::new(),
        })
    }

    #[test]
    fn the_metadata_lie_where_clients_look() {
        let cases = [
            (
                "https://a.example",
                "",
                "https://a.example/.well-known/oauth-protected-resource",
            ),
            (
                "https://a.example/mcp",
                "/mcp",
                "https://a.example/.well-known/oauth-protected-resource/mcp",
            ),
            (
                "https://a.example:8443/a/b",
                "/a/b",
                "https://a.example:8443/.well-known/oauth-protected-resource/a/b",
            ),
        ];
        for (url, path, metadata) in cases {
            let resource = resource(url);
            assert_eq!(resource.metadata_url, metadata);
            let asked = format!("{WELL_KNOWN}{path}");
            let document = resource.document(&Method::GET, &asked).unwrap();
            let document: serde_json::Value = serde_json::from_slice(document).unwrap();
            assert_eq!(document["resource"], url);
            assert_eq!(document["dpop_bound_access_tokens_required"], true);
            for other in [format!("{asked}/"), format!("{asked}/x"), "/".to_owned()] {
                assert!(resource.document(&Method::GET, &other).is_none(), "{other}");
            }
        }
    }

    #[test]
    fn what_else_is_asked_for_stays() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"lictor\""),
        );
        headers.append(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Signature realm=\"lictor\""),
        );
        resource("https://a.example").challenge(StatusCode::UNAUTHORIZED, &mut headers, None, None);
        let asked: Vec<_> = headers.get_all(header::WWW_AUTHENTICATE).iter().collect();
        let metadata = "Bearer realm=\"lictor\", \
             resource_metadata=\"https://a.example/.well-known/oauth-protected-resource\"";
        assert_eq!(asked, [metadata, "Signature realm=\"lictor\""]);
    }

    #[test]
    fn a_scope_is_of_visible_signs() {
        assert!(is_scope("quotes.read") && is_scope("https://a.example/b"));
        for text in ["", "a b", "a\"b", "a\\b", "ä"] {
            assert!(!is_scope(text), "{text}");
        }
    }
}
