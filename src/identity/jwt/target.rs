//! Targets of requests, so that a proof for one can be held against it (RFC 9449, section 4.3).

use std::borrow::Cow;

use http::{Uri, header};

use crate::identity::Presented;

/// A target without query and fragment, normalised by syntax and scheme (RFC 3986, sections 6.2.2 and 6.2.3). Segments
/// of dots are left as they are: who writes them is refused rather than understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Self::new(secure, uri.authority()?, uri.path())
    }

    /// What the caller asked for, by our own eyes and by the word of a trusted peer.
    pub(super) fn of(presented: &Presented<'_>) -> Option<Self> {
        let host = || presented.headers.get(header::HOST);
        let authority = match (presented.host, presented.uri.authority()) {
            (Some(host), _) => Cow::Owned(host.to_str().ok()?.parse().ok()?),
            (None, Some(authority)) => Cow::Borrowed(authority),
            (None, None) => Cow::Owned(host()?.to_str().ok()?.parse().ok()?),
        };
        Self::new(presented.is_tls, &authority, presented.uri.path())
    }

    /// The same scheme, host and port with the path of a request, whatever the path was.
    pub(super) fn with_path(self, path: &str) -> Self {
        Self {
            path: normal(path),
            ..self
        }
    }

    fn new(secure: bool, authority: &http::uri::Authority, path: &str) -> Option<Self> {
        if authority.as_str().contains('@') {
            return None;
        }
        // A port that cannot be read must not pass for the usual one.
        let rest = authority.as_str().strip_prefix(authority.host())?;
        let port = match rest {
            "" | ":" => {
                if secure {
                    443
                } else {
                    80
                }
            }
            _ => authority.port_u16()?,
        };
        Some(Self {
            secure,
            host: authority.host().to_ascii_lowercase(),
            port,
            path: normal(path),
        })
    }
}

fn normal(path: &str) -> String {
    match path {
        "" => "/".to_owned(),
        path => unreserved(path),
    }
}

/// The path with its percent-encodings in one spelling: of unreserved characters none, of others in capitals.
fn unreserved(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        normal.push_str(before);
        let byte = after
            .split_at_checked(2)
            .filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|(digits, after)| Some((u8::from_str_radix(digits, 16).ok()?, after)));
        rest = match byte {
            Some((byte, after)) => {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    normal.push(char::from(byte));
                } else {
                    normal.push_str(&format!("%{byte:02X}"));
                }
                after
            }
            None => {
                normal.push('%');
                after
            }
        };
    }
    normal.push_str(rest);
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_mean_the_same_are_the_same() {
        let same = [
            "https://agent.example/a/b",
            "HTTPS://AGENT.example:443/a/b?query#fragment",
            "https://agent.example:/%61/b",
        ];
        let ours = Target::parse(same[0]).unwrap();
        for text in same {
            assert_eq!(Target::parse(text).as_ref(), Some(&ours), "{text}");
        }
        assert_eq!(
            Target::parse("https://agent.example/%2f"),
            Target::parse("https://agent.example/%2F")
        );
        assert_eq!(
            Target::parse("https://agent.example"),
            Target::parse("https://agent.example/")
        );
        let others = [
            "http://agent.example/a/b",
            "https://agent.example:8443/a/b",
            "https://agent.example:99999/a/b",
            "https://agent.example/a/b/",
            "https://agent.example/A/b",
            "https://agent.example/a%2Fb",
            "https://agent.example/x/../a/b",
            "https://agent.example.evil/a/b",
            "https://u@agent.example/a/b",
            "//agent.example/a/b",
            "/a/b",
            "",
            "urn:x",
            "wss://agent.example/a/b",
        ];
        for text in others {
            assert_ne!(Target::parse(text).as_ref(), Some(&ours), "{text}");
        }
    }
}
