//! Hosts, as an author lists them.

use std::net::IpAddr;

use crate::model::{HookHost, HookUrl};

/// A host, all hosts below one, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `10.1.2.3` or `[fd00::1]`: this address, written out.
    Address(IpAddr),
    /// `*.acme.example`: whatever is below, at any depth, and not the name itself.
    Below(Box<str>),
    /// `hooks.acme.example`.
    Name(Box<str>),
}

/// Why a text names no hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// Every host below one label: nobody means that.
    #[error("a host, or a star with at least two labels behind it")]
    TooWide,
    /// A scheme, a port, a path, or a star elsewhere.
    #[error("a host such as `hooks.acme.example`, `*.acme.example` or `10.1.2.3`")]
    NotAHost,
}

impl HostPattern {
    /// Reads what an author wrote.
    ///
    /// # Errors
    /// When it names no hosts.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let (name, is_below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        // A host is what is one in a URL.
        let is_bare = !name.contains(['/', '?']) && (name.starts_with('[') || !name.contains(':'));
        let url = HookUrl::parse(&format!("https://{name}/"));
        match url.ok().filter(|_| is_bare).map(|url| url.host().clone()) {
            Some(HookHost::Name(name)) if is_below && !name.contains('.') => {
                Err(HostPatternError::TooWide)
            }
            Some(HookHost::Name(name)) if is_below => Ok(Self::Below(name)),
            Some(HookHost::Name(name)) => Ok(Self::Name(name)),
            Some(HookHost::Address(address)) if !is_below => {
                Ok(Self::Address(address.to_canonical()))
            }
            Some(HookHost::Address(_)) | None => Err(HostPatternError::NotAHost),
        }
    }

    /// Whether it covers a host.
    pub fn covers(&self, host: &HookHost) -> bool {
        match (self, host) {
            (Self::Address(listed), HookHost::Address(address)) => {
                *listed == address.to_canonical()
            }
            (Self::Below(parent), HookHost::Name(name)) => {
                let label = name.strip_suffix(&**parent);
                label.is_some_and(|label| label.len() > 1 && label.ends_with('.'))
            }
            (Self::Name(listed), HookHost::Name(name)) => listed == name,
            (Self::Address(_), HookHost::Name(_))
            | (Self::Below(_) | Self::Name(_), HookHost::Address(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, url: &str) -> bool {
        let url = HookUrl::parse(url).unwrap();
        HostPattern::parse(pattern).unwrap().covers(url.host())
    }

    #[test]
    fn a_star_stands_for_what_is_below() {
        for (pattern, url, expected) in [
            ("hooks.acme.example", "https://hooks.acme.example/", true),
            ("Hooks.Acme.Example", "https://hooks.ACME.example.:8/", true),
            ("hooks.acme.example", "https://a.hooks.acme.example/", false),
            ("*.acme.example", "https://a.acme.example/", true),
            ("*.acme.example", "https://a.b.acme.example/", true),
            ("*.acme.example", "https://acme.example/", false),
            ("*.acme.example", "https://evilacme.example/", false),
            (
                "*.acme.example",
                "https://a.acme.example.evil.example/",
                false,
            ),
            ("10.1.2.3", "http://10.1.2.3/", true),
            ("10.1.2.3", "http://[::ffff:10.1.2.3]/", true),
            ("10.1.2.3", "http://10.1.2.4/", false),
            ("[fd00::1]", "http://[fd00:0::1]/", true),
        ] {
            assert_eq!(covers(pattern, url), expected, "{pattern} {url}");
        }
    }

    #[test]
    fn what_is_no_host_is_no_pattern() {
        for text in [
            "",
            "*",
            "*.",
            "*.*",
            "a.*.example",
            "https://acme.example",
            "acme.example:443",
            "acme.example/x",
            "*.10.1.2.3",
            "10.1",
            "u@acme.example",
            "a b",
            "*acme.example",
        ] {
            assert_eq!(
                HostPattern::parse(text),
                Err(HostPatternError::NotAHost),
                "{text}"
            );
        }
        assert_eq!(
            HostPattern::parse("*.example"),
            Err(HostPatternError::TooWide)
        );
    }
}
