//! SPIFFE IDs and patterns of them (SPIFFE-ID, section 2).

use std::fmt;

/// The longest SPIFFE ID (SPIFFE-ID, section 2.3).
const MAX_ID_BYTES: usize = 2048;

/// The longest trust domain (SPIFFE-ID, section 2.1).
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The name of a workload: `spiffe://trust-domain/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpiffeId(Box<str>);

impl SpiffeId {
    pub(super) const SCHEME: &'static str = "spiffe://";

    /// Reads an ID in its one spelling; `None` for anything else. A WIMSE URI (draft-ietf-wimse-identifier) is one too, as
    /// tokens have them and certificates do not: of the same form with another scheme.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (trust_domain, path) = split(text)?;
        let is_path = path.is_none_or(|path| path.split('/').all(is_segment));
        let is_id = text.len() <= MAX_ID_BYTES && is_trust_domain(trust_domain) && is_path;
        is_id.then(|| Self(Box::from(text)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        parts(&self.0)
    }
}

/// The SPIFFE IDs that an identity takes: one with `*` for any one segment of the path, and `**` at the end for any
/// number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpiffePattern {
    /// `spiffe://` or `wimse://`.
    scheme: &'static str,
    /// The trust domain, then the segments of the path.
    parts: Vec<Box<str>>,
    /// Whether the path may go on.
    is_open: bool,
}

/// Why a text is not a pattern of SPIFFE IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpiffePatternError {
    /// It does not begin so.
    #[error("it begins with spiffe://")]
    Scheme,
    /// Whoever vouches for one trust domain must not do so for another.
    #[error("its trust domain is of small letters, digits, `-`, `.` and `_`, without `*`")]
    TrustDomain,
    /// A segment that no ID can have.
    #[error(
        "its path is of letters, digits, `-`, `.` and `_`; `*` is a whole segment, and `**` the last one"
    )]
    Path,
}

impl SpiffePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When nothing can match it, or more would than anybody means.
    pub fn parse(text: &str) -> Result<Self, SpiffePatternError> {
        let (trust_domain, path) = split(text).ok_or(SpiffePatternError::Scheme)?;
        if !is_trust_domain(trust_domain) {
            return Err(SpiffePatternError::TrustDomain);
        }
        let mut segments: Vec<&str> = path.into_iter().flat_map(|path| path.split('/')).collect();
        let is_open = segments.last() == Some(&"**");
        if is_open {
            segments.pop();
        }
        if !segments
            .iter()
            .all(|segment| *segment == "*" || is_segment(segment))
        {
            return Err(SpiffePatternError::Path);
        }
        let parts = [trust_domain].into_iter().chain(segments);
        Ok(Self {
            scheme: scheme_of(text).unwrap_or(SpiffeId::SCHEME),
            parts: parts.map(Box::from).collect(),
            is_open,
        })
    }

    /// Whether it is one of WIMSE URIs, which no certificate has.
    pub fn is_wimse(&self) -> bool {
        self.scheme == WIMSE
    }

    /// Whether the pattern has a segment that can be asked for by this name: the `*` behind it.
    pub fn names(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    pub(super) fn matches(&self, id: &SpiffeId) -> bool {
        let mut theirs = id.parts();
        let all = self.parts.iter().all(|part| {
            theirs
                .next()
                .is_some_and(|their| **part == *"*" || **part == *their)
        });
        let is_one = scheme_of(id.as_str()) == Some(self.scheme);
        is_one && all && (self.is_open || theirs.next().is_none())
    }

    /// The segment of an ID that stands where the pattern has the `*` behind the name.
    pub(super) fn segment<'id>(&self, name: &str, id: &'id str) -> Option<&'id str> {
        parts(id).nth(self.place(name)?)
    }

    fn place(&self, name: &str) -> Option<usize> {
        let pairs = self.parts.iter().zip(self.parts.iter().skip(1)).skip(1);
        let found = (2..)
            .zip(pairs)
            .find(|(_, (key, value))| ***key == *name && ***value == *"*");
        found.map(|(place, _)| place)
    }
}

impl fmt::Display for SpiffePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.is_open { "/**" } else { "" };
        write!(f, "{}{}{open}", self.scheme, self.parts.join("/"))
    }
}

/// The trust domain, then the segments of the path.
fn parts(id: &str) -> impl Iterator<Item = &str> {
    let scheme = scheme_of(id).unwrap_or_default();
    id.strip_prefix(scheme).unwrap_or_default().split('/')
}

/// The trust domain and the path behind it, if there is one.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let rest = text.strip_prefix(scheme_of(text)?)?;
    Some(match rest.split_once('/') {
        None => (rest, None),
        Some((trust_domain, path)) => (trust_domain, Some(path)),
    })
}

fn scheme_of(text: &str) -> Option<&'static str> {
    let schemes = [SpiffeId::SCHEME, WIMSE];
    schemes.into_iter().find(|scheme| text.starts_with(scheme))
}

/// The scheme of WIMSE URIs.
const WIMSE: &str = "wimse://";

fn is_trust_domain(text: &str) -> bool {
    let is_sign = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    (1..=MAX_TRUST_DOMAIN_BYTES).contains(&text.len()) && text.bytes().all(is_sign)
}

fn is_segment(text: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty() && text != "." && text != ".." && text.bytes().all(is_sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let good = [
            "spiffe://prod.example",
            "spiffe://prod.example/ns/treasury/sa/bot-1",
            "spiffe://a/B.c_d-e",
            "spiffe://p/...",
        ];
        for text in good {
            assert_eq!(SpiffeId::parse(text).unwrap().as_str(), text);
        }
        let long = format!("spiffe://a/{}", "b".repeat(2048));
        let bad = [
            "",
            "spiffe://",
            "spiffe:///x",
            "SPIFFE://a",
            "spiffe://A",
            "spiffe://a/",
            "spiffe://a//b",
            "spiffe://a/b/",
            "spiffe://a/./b",
            "spiffe://a/../b",
            "spiffe://a:80/b",
            "spiffe://u@a/b",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/b%2fc",
            "spiffe://a/b*",
            "spiffe://ä/b",
            "https://a/b",
            " spiffe://a",
            "spiffe://a/b ",
            &long,
        ];
        for text in bad {
            assert_eq!(SpiffeId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_pattern_takes_whole_segments() {
        let id = |text| SpiffeId::parse(text).unwrap();
        let pattern = SpiffePattern::parse("spiffe://prod.example/ns/*/sa/*").unwrap();
        let bot = id("spiffe://prod.example/ns/treasury/sa/bot");
        assert!(pattern.matches(&bot));
        assert_eq!(pattern.segment("ns", bot.as_str()), Some("treasury"));
        assert_eq!(pattern.segment("sa", bot.as_str()), Some("bot"));
        assert_eq!(pattern.segment("prod.example", bot.as_str()), None);
        assert_eq!(pattern.segment("treasury", bot.as_str()), None);
        for other in [
            "spiffe://prod.example",
            "spiffe://prod.example/ns/treasury/sa",
            "spiffe://prod.example/ns/treasury/sa/bot/x",
            "spiffe://evil.example/ns/treasury/sa/bot",
            "spiffe://prod.example.evil/ns/treasury/sa/bot",
            "spiffe://prod.example/NS/treasury/sa/bot",
        ] {
            assert!(!pattern.matches(&id(other)), "{other}");
        }
        let open = SpiffePattern::parse("spiffe://prod.example/ns/*/**").unwrap();
        assert!(open.matches(&bot) && open.matches(&id("spiffe://prod.example/ns/a")));
        assert!(!open.matches(&id("spiffe://prod.example/ns")));
        assert_eq!(open.to_string(), "spiffe://prod.example/ns/*/**");
        for (text, error) in [
            ("prod.example/ns", SpiffePatternError::Scheme),
            ("spiffe://*/ns/a", SpiffePatternError::TrustDomain),
            ("spiffe://**", SpiffePatternError::TrustDomain),
            ("spiffe://a/b*", SpiffePatternError::Path),
            ("spiffe://a/**/b", SpiffePatternError::Path),
            ("spiffe://a/", SpiffePatternError::Path),
        ] {
            assert_eq!(SpiffePattern::parse(text), Err(error), "{text}");
        }
    }
}
