//! Fields that go no further.

use http::header::{HeaderMap, HeaderName};

use crate::model::Glob;

/// The name of a field, or names with `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPattern {
    text: Box<str>,
    glob: Glob,
}

/// Why a text names no field that could be removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldPatternError {
    /// No field can have this name (RFC 9110, section 5.1).
    #[error("it is not the name of a field")]
    NotAName,
    /// It says where the message ends or what it means, or lictor has judged the message by it.
    #[error("it would remove `{0}`, by which the message is understood")]
    Needed(&'static str),
}

/// Which way the message goes whose fields are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards the agent.
    Request,
    /// Towards the caller.
    Response,
}

impl FieldPattern {
    /// Reads a name such as `x-debug`, or a pattern such as `x-internal-*`. Case says nothing.
    ///
    /// # Errors
    /// When it is no name, or would remove a field without which the message means something else.
    pub fn parse(text: &str, direction: Direction) -> Result<Self, FieldPatternError> {
        let text = text.to_ascii_lowercase();
        // `*` may stand in a name by the grammar. Nobody has one.
        if HeaderName::from_bytes(text.as_bytes()).is_err() {
            return Err(FieldPatternError::NotAName);
        }
        let pattern = Self {
            glob: Glob::new(&text),
            text: text.into_boxed_str(),
        };
        let needed = match direction {
            Direction::Request => REQUESTS_NEED,
            Direction::Response => RESPONSES_NEED,
        };
        match needed.iter().find(|name| pattern.covers(name)) {
            Some(name) => Err(FieldPatternError::Needed(name)),
            None => Ok(pattern),
        }
    }

    /// The pattern as it is compared.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a field of this name goes. Servers that hand fields to programs as variables read `x_a` and
    /// `x-a` as one, so that both go.
    pub fn covers(&self, name: &str) -> bool {
        self.glob.matches(name)
            || (name.contains('_') && self.glob.matches(&name.replace('_', "-")))
    }
}

/// What is removed in one direction.
#[derive(Debug)]
pub(super) struct Removal {
    patterns: Vec<FieldPattern>,
    hides_server: bool,
}

impl Removal {
    pub(super) const fn new(patterns: Vec<FieldPattern>, hides_server: bool) -> Self {
        Self {
            patterns,
            hides_server,
        }
    }

    /// Nearly always nothing is there to be removed, and then nothing is allocated.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        if self.patterns.is_empty() && !self.hides_server {
            return;
        }
        let doomed = headers.keys().filter(|name| self.covers(name.as_str()));
        let doomed: Vec<HeaderName> = doomed.cloned().collect();
        for name in doomed {
            headers.remove(name);
        }
    }

    fn covers(&self, name: &str) -> bool {
        (self.hides_server && tells_of_the_server(name))
            || self.patterns.iter().any(|pattern| pattern.covers(name))
    }
}

/// Fields that tell an attacker what to look up. `Via` among them: a proxy should add itself (RFC 9110, section
/// 7.6.3), and the one behind us is nobody's business.
fn tells_of_the_server(name: &str) -> bool {
    matches!(
        name,
        "server"
            | "via"
            | "x-aspnet-version"
            | "x-aspnetmvc-version"
            | "x-backend-server"
            | "x-generator"
            | "x-powered-by"
            | "x-powered-cms"
            | "x-runtime"
            | "x-served-by"
            | "x-server"
    )
}

const REQUESTS_NEED: &[&str] = &[
    "a2a-version",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "mcp-protocol-version",
    "sec-websocket-key",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const RESPONSES_NEED: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "sec-websocket-accept",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    fn parse(text: &str) -> Result<FieldPattern, FieldPatternError> {
        FieldPattern::parse(text, Direction::Request)
    }

    #[test]
    fn a_pattern_removes_no_field_that_the_message_needs() {
        for (text, needed) in [
            ("*", "a2a-version"),
            ("Host", "host"),
            ("h*", "host"),
            ("content-*", "content-encoding"),
            ("*-length", "content-length"),
            ("transfer-encoding", "transfer-encoding"),
            ("t*", "te"),
            ("**", "a2a-version"),
        ] {
            assert_eq!(
                parse(text),
                Err(FieldPatternError::Needed(needed)),
                "{text}"
            );
        }
        for text in ["", "x internal", "x:y", "x/y", "é"] {
            assert_eq!(parse(text), Err(FieldPatternError::NotAName), "{text}");
        }
        for text in ["x-*", "X-Debug", "cookie", "accept*", "*-debug"] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn fields_go_with_all_their_values_and_spellings() {
        let removal = Removal::new(
            vec![parse("x-internal-*").unwrap(), parse("Debug").unwrap()],
            true,
        );
        let mut headers = HeaderMap::new();
        for name in [
            "x-internal-a",
            "x-internal-a",
            "x_internal_b",
            "debug",
            "server",
            "via",
            "x-powered-by",
            "x-internal",
            "x-internalised",
            "date",
        ] {
            headers.append(name, HeaderValue::from_static("1"));
        }
        removal.apply(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["date", "x-internal", "x-internalised"]);
    }
}
