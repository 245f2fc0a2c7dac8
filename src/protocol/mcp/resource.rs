//! URIs of resources.

use super::super::path;

/// Whether some server may resolve the URI to another resource than its text says: dot segments, backslashes, and
/// either of them escaped, once or twice.
pub(super) fn has_dots(uri: &str) -> bool {
    let mut text = uri.as_bytes().to_vec();
    for _ in 0..3 {
        let mut segments = text.split(|byte| matches!(byte, b'/' | b'?' | b'#'));
        if text.contains(&b'\\') || segments.any(|segment| segment == b"." || segment == b"..") {
            return true;
        }
        let Some(decoded) = std::str::from_utf8(&text).ok().and_then(path::unescape) else {
            return false;
        };
        text = decoded;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_says_where_it_leads() {
        for uri in [
            "file:///docs/a.md",
            "file:///docs/..hidden",
            "test://template/42/data",
            "https://a.example/v1.2/x?y=1.0",
            "weather:Paris, FR 100%",
        ] {
            assert!(!has_dots(uri), "{uri}");
        }
        for uri in [
            "file:///docs/../etc/passwd",
            "file:///docs/./a",
            "file:///docs/%2e%2E/a",
            "file:///docs/%252e%252e/a",
            "file:///docs/..%2fetc",
            "file:///docs\\..\\a",
            "file:///docs/%5c..",
            "file:///docs/..",
            "file:///docs/..?x",
        ] {
            assert!(has_dots(uri), "{uri}");
        }
    }
}
