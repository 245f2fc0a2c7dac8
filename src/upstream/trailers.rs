//! Fields after a body.

use http::header::{HeaderMap, HeaderName};

/// Removes what must not stand after a body (RFC 9110, section 6.5.1): whoever merges trailers into the head
/// would be told afterwards where the message ends, who sends it, or what it is.
pub(super) fn sanitize(trailers: &mut HeaderMap) {
    let forbidden = |name: &&HeaderName| is_forbidden(name.as_str());
    // Nearly always there are none.
    while let Some(name) = trailers.keys().find(forbidden).cloned() {
        trailers.remove(name);
    }
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.binary_search(&name).is_ok() || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Framing, routing, conditions, credentials, and what the answer is; in order.
const FORBIDDEN: &[&str] = &[
    "accept-ranges",
    "age",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
];

const PREFIXES: &[&str] = &[
    "access-control-",
    "content-",
    "if-",
    "proxy-",
    "sec-",
    "x-forwarded-",
];

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    #[test]
    fn names_are_looked_up_in_order() {
        assert!(FORBIDDEN.is_sorted());
    }

    #[test]
    fn only_what_may_stand_after_a_body_is_left() {
        let mut trailers: HeaderMap = [
            "authorization",
            "content-length",
            "grpc-message",
            "grpc-status",
            "host",
            "proxy-authorization",
            "server-timing",
            "set-cookie",
            "transfer-encoding",
            "x-checksum",
        ]
        .into_iter()
        .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1")))
        .collect();
        trailers.append("set-cookie", HeaderValue::from_static("2"));
        sanitize(&mut trailers);
        let mut names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["grpc-message", "grpc-status", "server-timing", "x-checksum"]
        );
    }
}
