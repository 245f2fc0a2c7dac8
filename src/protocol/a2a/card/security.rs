//! What a card says of credentials, in the shape of either version.

use super::tree::Tree;

/// What callers have to show, as lictor asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardSecurity {
    /// By name: any one of these is enough.
    pub schemes: Vec<(Box<str>, SecurityScheme)>,
}

/// A kind of credential (A2A 1.0, section 4.5; OpenAPI 3, Security Scheme Object).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecurityScheme {
    /// A key in a header field.
    ApiKey {
        /// The field's name.
        header: Box<str>,
    },
    /// `Authorization` with a scheme.
    Http {
        /// `Bearer` and the like.
        scheme: Box<str>,
        /// What a bearer token is, if that is known.
        format: Option<&'static str>,
    },
    /// A client certificate.
    MutualTls,
    /// A token of an issuer whose metadata lie there (OpenID Connect Discovery 1.0).
    OpenIdConnect {
        /// Where.
        url: Box<str>,
    },
}

/// The shapes that a card has; merged ones have both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shapes {
    /// Of 0.3 and before.
    pub(super) old: bool,
    /// Of 1.0.
    pub(super) new: bool,
}

impl CardSecurity {
    /// Puts these in the place of the agent's own. `is_optional`: somebody without any may call, too.
    pub(super) fn put(&self, card: &mut Tree, shapes: Shapes, is_optional: bool) {
        if card.of("authentication").is_some() {
            let mut words: Vec<&str> = Vec::new();
            for (_, scheme) in &self.schemes {
                if !words.contains(&scheme.legacy()) {
                    words.push(scheme.legacy());
                }
            }
            let schemes = Tree::List(words.into_iter().map(Tree::text).collect());
            card.set("authentication", Tree::object([("schemes", schemes)]));
        }
        if self.schemes.is_empty() {
            for key in ["securitySchemes", "security", "securityRequirements"] {
                card.remove(key);
            }
            return;
        }
        let schemes = self.schemes.iter();
        let schemes = schemes.map(|(name, scheme)| (name.to_string(), scheme.tree(shapes)));
        card.set("securitySchemes", Tree::Object(schemes.collect()));
        let none = || Tree::Object(Vec::new());
        let empty = || Tree::List(Vec::new());
        let names = || self.schemes.iter().map(|(name, _)| &**name);
        if shapes.old {
            let any = names().map(|name| Tree::object([(name, empty())]));
            let any = any.chain(is_optional.then(none));
            card.set("security", Tree::List(any.collect()));
        } else {
            card.remove("security");
        }
        if shapes.new {
            let list = || Tree::object([("list", empty())]);
            let any = names().map(|name| Tree::object([(name, list())]));
            let any = any.chain(is_optional.then(none));
            let any = any.map(|schemes| Tree::object([("schemes", schemes)]));
            card.set("securityRequirements", Tree::List(any.collect()));
        } else {
            card.remove("securityRequirements");
        }
    }
}

impl SecurityScheme {
    /// The word of 0.1.
    fn legacy(&self) -> &str {
        match self {
            Self::ApiKey { .. } => "apiKey",
            Self::Http { scheme, .. } => scheme,
            Self::MutualTls => "mtls",
            Self::OpenIdConnect { .. } => "Bearer",
        }
    }

    /// In 0.3 `type` says what it is, in 1.0 the name of the one member; a merged card has all.
    fn tree(&self, shapes: Shapes) -> Tree {
        let text = |text: &str| Tree::text(text);
        let (kind, wrapper, old, new) = match self {
            Self::ApiKey { header } => (
                "apiKey",
                "apiKeySecurityScheme",
                vec![("in", text("header")), ("name", text(header))],
                vec![("location", text("header")), ("name", text(header))],
            ),
            Self::Http { scheme, format } => {
                let mut members = vec![("scheme", text(scheme))];
                members.extend(format.map(|format| ("bearerFormat", text(format))));
                ("http", "httpAuthSecurityScheme", members.clone(), members)
            }
            Self::MutualTls => ("mutualTLS", "mtlsSecurityScheme", Vec::new(), Vec::new()),
            Self::OpenIdConnect { url } => {
                let members = vec![("openIdConnectUrl", text(url))];
                (
                    "openIdConnect",
                    "openIdConnectSecurityScheme",
                    members.clone(),
                    members,
                )
            }
        };
        let owned = |(key, value): (&str, Tree)| (key.to_owned(), value);
        let mut members = Vec::new();
        if shapes.new {
            let inner = Tree::Object(new.into_iter().map(owned).collect());
            members.push((wrapper.to_owned(), inner));
        }
        if shapes.old {
            members.push(("type".to_owned(), text(kind)));
            members.extend(old.into_iter().map(owned));
        }
        Tree::Object(members)
    }
}
