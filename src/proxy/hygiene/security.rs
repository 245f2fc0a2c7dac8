//! Fields that tell browsers to be careful with an answer.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// How careful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// What breaks no page: the type is not guessed, and over TLS the host stays on TLS.
    Basic,
    /// The agent's own fields, and no others.
    Off,
    /// As an answer is treated that is data and no page.
    Strict,
}

impl Security {
    /// Adds the fields. One of the agent's that is stricter stays.
    pub(super) fn apply(self, headers: &mut HeaderMap, is_tls: bool) {
        if self == Self::Off {
            return;
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Over plain HTTP browsers must ignore it (RFC 6797, section 8.1).
        if is_tls {
            stay_on_tls(headers);
        }
        if self == Self::Strict {
            for (name, value) in &STRICTEST {
                headers.insert(name, value.clone());
            }
            forbid_content(headers);
            if !headers.contains_key(CACHE_CONTROL) {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
    }
}

/// `Strict-Transport-Security` (RFC 6797), for this host only: lictor does not speak for its subdomains.
fn stay_on_tls(headers: &mut HeaderMap) {
    let mut values = headers.get_all(STRICT_TRANSPORT_SECURITY).iter();
    let is_enough = match (values.next(), values.next()) {
        (Some(value), None) => max_age(value.as_bytes()).is_some_and(|age| age >= A_YEAR),
        (_, Some(_)) | (None, None) => false,
    };
    if !is_enough {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}

/// Seconds (RFC 6797, section 6.1.1).
fn max_age(value: &[u8]) -> Option<u64> {
    let ages = value.split(|byte| *byte == b';').filter_map(|directive| {
        let (name, age) = directive.trim_ascii().split_at_checked(b"max-age=".len())?;
        let age = std::str::from_utf8(age).ok()?.trim_matches('"');
        name.eq_ignore_ascii_case(b"max-age=")
            .then(|| age.parse().ok())
    });
    let mut ages = ages;
    ages.next().flatten()
}

/// A page of the agent's brings its own policy, and is only kept out of frames; anything else is no page at all.
/// Several policies all hold (Content Security Policy 3, section 8.1), so that another can only forbid more.
fn forbid_content(headers: &mut HeaderMap) {
    let mut policies = headers.get_all(CONTENT_SECURITY_POLICY).iter().peekable();
    if policies.peek().is_none() {
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        );
        return;
    }
    headers.append(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    );
}

const A_YEAR: u64 = 31_536_000;

/// Nothing is stricter than these.
static STRICTEST: [(HeaderName, HeaderValue); 5] = [
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("x-permitted-cross-domain-policies"),
        HeaderValue::from_static("none"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(
        security: Security,
        is_tls: bool,
        given: &[(&'static str, &'static str)],
    ) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, HeaderValue::from_static(value));
        }
        security.apply(&mut headers, is_tls);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn basic_is_what_breaks_no_page() {
        assert_eq!(dressed(Security::Off, true, &[]), [""; 0]);
        assert_eq!(
            dressed(Security::Basic, false, &[]),
            ["x-content-type-options: nosniff"]
        );
        assert_eq!(
            dressed(
                Security::Basic,
                true,
                &[("x-content-type-options", "sniff")]
            ),
            [
                "strict-transport-security: max-age=31536000",
                "x-content-type-options: nosniff"
            ]
        );
    }

    #[test]
    fn strict_is_for_data() {
        assert_eq!(
            dressed(
                Security::Strict,
                false,
                &[
                    ("x-frame-options", "SAMEORIGIN"),
                    ("referrer-policy", "unsafe-url"),
                    ("cross-origin-resource-policy", "cross-origin"),
                ]
            ),
            [
                "cache-control: no-store",
                "content-security-policy: default-src 'none'; frame-ancestors 'none'",
                "cross-origin-opener-policy: same-origin",
                "cross-origin-resource-policy: same-origin",
                "referrer-policy: no-referrer",
                "x-content-type-options: nosniff",
                "x-frame-options: DENY",
                "x-permitted-cross-domain-policies: none",
            ]
        );
    }

    #[test]
    fn a_field_of_the_agent_that_says_more_stays() {
        let lines = dressed(
            Security::Strict,
            true,
            &[
                ("cache-control", "max-age=60"),
                ("content-security-policy", "default-src 'self'"),
                (
                    "strict-transport-security",
                    "max-age=63072000; includeSubDomains; preload",
                ),
            ],
        );
        for line in [
            "cache-control: max-age=60",
            "content-security-policy: default-src 'self'",
            "content-security-policy: frame-ancestors 'none'",
            "strict-transport-security: max-age=63072000; includeSubDomains; preload",
        ] {
            assert!(
                lines.iter().any(|found| found == line),
                "{line} in {lines:?}"
            );
        }
        for weaker in ["max-age=0", "max-age=600", "includeSubDomains", "max-age=x"] {
            let lines = dressed(
                Security::Basic,
                true,
                &[("strict-transport-security", weaker)],
            );
            assert!(
                lines[0].ends_with("max-age=31536000"),
                "{weaker}: {lines:?}"
            );
        }
    }
}
