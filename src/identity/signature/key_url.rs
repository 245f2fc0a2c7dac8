//! Keys that a signature names by their address: which addresses may be asked, and what is found there.

use std::fmt;

use serde_json::{Map, Value, json};

use super::keyset::{KeyKind, VerifyingKeys};
use crate::identity::error::KeysError;
use crate::identity::json;

/// The longest address: as long as `keyid` may be.
const MAX_URL_BYTES: usize = 512;

/// Addresses that may be asked for keys: `https://host/path`, where `*` is one segment of the path, and `**` at the end any
/// number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUrlPattern {
    /// Host, and perhaps a port, in small letters.
    authority: Box<str>,
    segments: Vec<Box<str>>,
    /// Whether the path may go on.
    is_open: bool,
}

/// Why a text is not such a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyUrlPatternError {
    /// Whoever can change the answer can be anybody.
    #[error("it begins with https://")]
    Scheme,
    /// Whoever may choose the host chooses whom we trust.
    #[error("its host is written out, in small letters, and has no user")]
    Host,
    /// Something that no address has in its one spelling.
    #[error(
        "its path is of letters, digits, `-`, `.`, `_` and `~`; `*` is a whole segment, and `**` the last one"
    )]
    Path,
}

impl KeyUrlPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When nothing can match it, or more would than anybody means.
    pub fn parse(text: &str) -> Result<Self, KeyUrlPatternError> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or(KeyUrlPatternError::Scheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_authority(authority) {
            return Err(KeyUrlPatternError::Host);
        }
        let mut segments: Vec<&str> = path.split('/').collect();
        let is_open = segments.last() == Some(&"**");
        if is_open {
            segments.pop();
        }
        let is_last = |index: usize| index + 1 == segments.len() && !is_open;
        let is_good = |(index, segment): (usize, &&str)| {
            *segment == "*" || is_segment(segment) || segment.is_empty() && is_last(index)
        };
        if !segments.iter().enumerate().all(is_good) {
            return Err(KeyUrlPatternError::Path);
        }
        Ok(Self {
            authority: Box::from(authority),
            segments: segments.into_iter().map(Box::from).collect(),
            is_open,
        })
    }

    /// Whether it takes this address. One in another spelling than the one that it would be asked in is none: no query, no
    /// user, no escapes, no `..`.
    pub fn matches(&self, url: &str) -> bool {
        let Some((authority, path)) = split(url) else {
            return false;
        };
        let mut theirs = path.split('/');
        let is_taken = |ours: &str| {
            let their = theirs.next();
            their.is_some_and(|their| ours == their || ours == "*" && !their.is_empty())
        };
        *self.authority == *authority
            && self.segments.iter().map(|ours| &**ours).all(is_taken)
            && (self.is_open || theirs.next().is_none())
    }
}

impl fmt::Display for KeyUrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = match (self.is_open, self.segments.is_empty()) {
            (false, _) => "",
            (true, true) => "**",
            (true, false) => "/**",
        };
        write!(
            f,
            "{SCHEME}{}/{}{open}",
            self.authority,
            self.segments.join("/")
        )
    }
}

/// The address without its fragment, which names a key of the document there.
pub(in crate::identity) fn document(url: &str) -> &str {
    url.split_once('#').map_or(url, |(document, _)| document)
}

/// The key that is called by this address in what was found there: a JWK; or of a JWKS the one whose `kid` is the address or
/// its fragment, or the only one where there is no fragment. Its name is the address. Whose it is the document does not say:
/// that would let whoever answers choose.
pub(in crate::identity) fn key_at(url: &str, bytes: &[u8]) -> Result<VerifyingKeys, KeysError> {
    let malformed = || KeysError::Malformed(Box::from("not a JWK and no JWKS"));
    let read = json::object(bytes).map_err(|_| malformed())?;
    let fragment = url.split_once('#').map(|(_, fragment)| fragment);
    let jwk = match read.get("keys") {
        None => Some(&read),
        Some(Value::Array(keys)) => {
            let is_called = |jwk: &&Map<String, Value>| {
                let kid = jwk.get("kid").and_then(Value::as_str);
                kid.is_some_and(|kid| kid == url || Some(kid) == fragment)
            };
            let named = keys.iter().filter_map(Value::as_object).find(is_called);
            match (named, &**keys, fragment) {
                (None, [Value::Object(only)], None) => Some(only),
                (named, ..) => named,
            }
        }
        Some(_) => return Err(malformed()),
    };
    let mut jwk = jwk.ok_or(KeysError::NoUsableKey)?.clone();
    for member in ["sub", "tenant", "groups"] {
        jwk.remove(member);
    }
    jwk.insert("kid".to_owned(), json!(url));
    let set = json!({ "keys": [jwk] }).to_string();
    Ok(VerifyingKeys::parse(set.as_bytes(), KeyKind::Public)?)
}

/// Authority and path of an address, if it has the one spelling that is asked.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = document(url).strip_prefix(SCHEME)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut segments = path.split('/').peekable();
    let mut is_path = true;
    while let Some(segment) = segments.next() {
        is_path &= is_segment(segment) || segment.is_empty() && segments.peek().is_none();
    }
    let is_good = url.len() <= MAX_URL_BYTES && is_authority(authority) && is_path;
    is_good.then_some((authority, path))
}

fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_sign = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    !host.is_empty() && host.bytes().all(is_sign) && is_port
}

fn is_segment(text: &str) -> bool {
    let is_sign =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !text.is_empty() && text != "." && text != ".." && text.bytes().all(is_sign)
}

const SCHEME: &str = "https://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_addresses_of_its_host_in_their_one_spelling() {
        let keys = KeyUrlPattern::parse("https://agents.example/keys/*").unwrap();
        for good in [
            "https://agents.example/keys/a",
            "https://agents.example/keys/a.b-c_d~e#key-1",
        ] {
            assert!(keys.matches(good), "{good}");
        }
        for bad in [
            "https://agents.example/keys",
            "https://agents.example/keys/",
            "https://agents.example/keys/a/b",
            "https://agents.example/keys/a?b",
            "https://agents.example/keys/..",
            "https://agents.example/keys/../keys/a",
            "https://agents.example/keys/%61",
            "https://agents.example//keys/a",
            "https://agents.example:444/keys/a",
            "https://u@agents.example/keys/a",
            "https://agents.example\\@evil.example/keys/a",
            "https://agents.example.evil/keys/a",
            "https://evil.agents.example/keys/a",
            "https://AGENTS.example/keys/a",
            "http://agents.example/keys/a",
            "HTTPS://agents.example/keys/a",
            "//agents.example/keys/a",
            "",
        ] {
            assert!(!keys.matches(bad), "{bad}");
        }
        let long = format!("https://agents.example/keys/{}", "a".repeat(600));
        assert!(!keys.matches(&long));
        let open = KeyUrlPattern::parse("https://a.example:8443/**").unwrap();
        assert!(open.matches("https://a.example:8443/x/y") && !open.matches("https://a.example/x"));
        assert_eq!(open.to_string(), "https://a.example:8443/**");
        assert_eq!(keys.to_string(), "https://agents.example/keys/*");
        for (text, error) in [
            ("http://a/x", KeyUrlPatternError::Scheme),
            ("https:///x", KeyUrlPatternError::Host),
            ("https://*/x", KeyUrlPatternError::Host),
            ("https://A/x", KeyUrlPatternError::Host),
            ("https://u@a/x", KeyUrlPatternError::Host),
            ("https://a:0/x", KeyUrlPatternError::Host),
            ("https://a/**/x", KeyUrlPatternError::Path),
            ("https://a/x*", KeyUrlPatternError::Path),
            ("https://a/x?y", KeyUrlPatternError::Path),
            ("https://a/../x", KeyUrlPatternError::Path),
        ] {
            assert_eq!(KeyUrlPattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_address_names_one_key_of_what_is_there() {
        let x = |byte: u8| {
            use base64::Engine as _;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([byte; 32])
        };
        let jwk = |kid: &str, byte: u8| json!({ "kty": "OKP", "crv": "Ed25519", "x": x(byte), "kid": kid, "tenant": "acme" });
        let url = "https://a.example/k";
        let read = |url: &str, document: Value| key_at(url, document.to_string().as_bytes());
        for (url, document) in [
            (url, jwk("x", 1)),
            (url, json!({ "keys": [jwk("x", 1)] })),
            (url, json!({ "keys": [jwk("y", 2), jwk(url, 1)] })),
            (
                "https://a.example/k#x",
                json!({ "keys": [jwk("y", 2), jwk("x", 1)] }),
            ),
        ] {
            let keys = read(url, document).unwrap();
            let key = keys.find(url).unwrap();
            assert_eq!(key.holder(), &crate::identity::signature::Holder::default());
        }
        for (url, document) in [
            (url, json!({ "keys": [jwk("y", 2), jwk("x", 1)] })),
            (url, json!({ "keys": [] })),
            (url, json!({ "keys": {} })),
            (url, json!([])),
            ("https://a.example/k#z", json!({ "keys": [jwk("x", 1)] })),
            (url, json!({ "kty": "oct", "k": x(1) })),
        ] {
            assert!(read(url, document).is_err(), "{url}");
        }
    }
}
