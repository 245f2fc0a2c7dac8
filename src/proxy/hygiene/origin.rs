//! Origins of web pages (RFC 6454), compared as browsers write them.

use http::header::HeaderValue;

/// An origin in the one spelling that browsers send (HTML, section 7.1.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(HeaderValue);

/// Why a text is no origin that a request could be compared with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Browsers send small letters.
    #[error("browsers write an origin in small letters")]
    Capitals(String),
    /// Browsers leave the port of the scheme out.
    #[error("browsers leave this port out")]
    DefaultPort(String),
    /// The host or port is not one.
    #[error("the host is not one")]
    Host,
    /// Names beyond ASCII travel in their `xn--` form.
    #[error("names beyond ASCII are written as `xn--…`")]
    NotAscii,
    /// Sandboxed pages, local files and some redirects have it, so that it names nobody.
    #[error("`null` is the origin of every sandboxed page and every local file")]
    Null,
    /// A pattern covers more names than its author thinks of.
    #[error("origins are compared whole")]
    Pattern,
    /// An origin is a scheme, a host and a port, and nothing behind.
    #[error("an origin ends with its host or port")]
    Path(String),
    /// A host alone.
    #[error("an origin begins with its scheme")]
    Scheme(String),
}

impl OriginError {
    /// What was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::Capitals(meant)
            | Self::DefaultPort(meant)
            | Self::Path(meant)
            | Self::Scheme(meant) => Some(meant),
            Self::Host | Self::NotAscii | Self::Null | Self::Pattern => None,
        }
    }
}

impl Origin {
    /// Reads an origin such as `https://desk.example` or `http://localhost:3000`.
    ///
    /// # Errors
    /// When no browser would send this text.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text == "null" {
            return Err(OriginError::Null);
        }
        if text.contains('*') {
            return Err(OriginError::Pattern);
        }
        if !text.is_ascii() {
            return Err(OriginError::NotAscii);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(OriginError::Scheme(format!("https://{text}")));
        };
        if let Some(end) = rest.find(['/', '?', '#']) {
            let host = rest.get(..end).unwrap_or_default();
            return Err(OriginError::Path(format!("{scheme}://{host}")));
        }
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(OriginError::Capitals(text.to_ascii_lowercase()));
        }
        let (host, port) = split_port(rest);
        let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(of_scheme)
            || !is_host(host)
            || !port.is_none_or(is_port)
        {
            return Err(OriginError::Host);
        }
        if matches!(
            (scheme, port),
            ("http", Some("80")) | ("https", Some("443"))
        ) {
            return Err(OriginError::DefaultPort(format!("{scheme}://{host}")));
        }
        let value = HeaderValue::from_str(text).map_err(|_| OriginError::Host)?;
        Ok(Self(value))
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The port is behind the last colon, if that is not within the brackets of an address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(of_name)
        }
    }
}

fn is_port(port: &str) -> bool {
    let plain = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    plain && port.parse::<u16>().is_ok()
}

/// Which origins are meant.
#[derive(Debug, Clone)]
pub enum Origins {
    /// Every one, and requests of no page's as well.
    Any,
    /// Those that are listed.
    Listed(Listed),
}

/// Origins in order, so that many cost little.
#[derive(Debug, Clone)]
pub struct Listed(Box<[Origin]>);

impl Origins {
    /// Those that are listed.
    pub fn listed(origins: impl IntoIterator<Item = Origin>) -> Self {
        let mut origins: Vec<_> = origins.into_iter().collect();
        origins.sort_unstable();
        Self::Listed(Listed(origins.into_boxed_slice()))
    }

    /// Whether every origin is meant.
    pub const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// What to call the origin of a request, if it is one of these.
    pub(super) fn find(&self, origin: &HeaderValue) -> Option<&HeaderValue> {
        match self {
            Self::Any => Some(&ANY),
            Self::Listed(Listed(origins)) => {
                let at =
                    origins.binary_search_by(|listed| listed.0.as_bytes().cmp(origin.as_bytes()));
                origins.get(at.ok()?).map(|Origin(value)| value)
            }
        }
    }
}

static ANY: HeaderValue = HeaderValue::from_static("*");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in [
            "https://desk.example",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "https://[2001:db8::1]:8443",
            "https://[::1]",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "vscode-webview://1a2b-3c",
            "http://a.example:443",
        ] {
            assert_eq!(Origin::parse(good).as_ref().map(Origin::as_str), Ok(good));
        }
        let meant = |text: &str| {
            Origin::parse(text)
                .unwrap_err()
                .suggestion()
                .map(str::to_owned)
        };
        for (bad, expected) in [
            ("desk.example", "https://desk.example"),
            ("https://desk.example/", "https://desk.example"),
            ("https://desk.example/app?a=b", "https://desk.example"),
            ("https://desk.example:443", "https://desk.example"),
            ("http://desk.example:80", "http://desk.example"),
            ("https://Desk.Example", "https://desk.example"),
        ] {
            assert_eq!(meant(bad).as_deref(), Some(expected), "{bad}");
        }
        for (bad, error) in [
            ("null", OriginError::Null),
            ("*", OriginError::Pattern),
            ("https://*.desk.example", OriginError::Pattern),
            ("https://däsk.example", OriginError::NotAscii),
            ("https://", OriginError::Host),
            ("https://a b", OriginError::Host),
            ("https://a,b", OriginError::Host),
            ("https://u@a", OriginError::Host),
            ("https://a:", OriginError::Host),
            ("https://a:0", OriginError::Host),
            ("https://a:080", OriginError::Host),
            ("https://a:65536", OriginError::Host),
            ("https://[::1", OriginError::Host),
            ("https://::1", OriginError::Host),
            ("1https://a", OriginError::Host),
            ("://a", OriginError::Host),
        ] {
            assert_eq!(Origin::parse(bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn nothing_but_the_whole_origin_is_found() {
        let origins = Origins::listed(
            ["https://desk.example", "https://a.example:8443"]
                .map(|text| Origin::parse(text).unwrap()),
        );
        let finds = |text: &str| {
            origins
                .find(&HeaderValue::from_str(text).unwrap())
                .is_some()
        };
        assert!(finds("https://desk.example"));
        assert!(finds("https://a.example:8443"));
        for other in [
            "null",
            "*",
            "",
            "http://desk.example",
            "https://desk.example.evil.example",
            "https://evil-desk.example",
            "https://evil.example/https://desk.example",
            "https://desk.example:443",
            "https://desk.example/",
            "https://DESK.example",
            "https://desk.example https://evil.example",
            "https://a.example",
        ] {
            assert!(!finds(other), "{other}");
        }
    }
}
