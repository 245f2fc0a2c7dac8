//! The normal form of a path, for policies that ask for it.

use http::Uri;
use http::uri::PathAndQuery;

/// Puts the path into the one form that all servers read alike, so that the agent gets what was judged: escapes
/// of characters that need none are decoded, and those that stay are written in capitals (RFC 3986, section
/// 6.2.2); empty segments vanish; then `.` and `..` are resolved (section 5.2.4).
///
/// A path that has no such form stays as it is: one that climbs above its root, or whose escapes are broken.
/// [`read_head`](super::read_head) refuses those, and with them whatever has two meanings in the normal form
/// too, such as an escaped slash.
pub fn normalise_path(uri: &mut Uri) {
    if is_normal(uri.path()) {
        return;
    }
    let Some(mut normal) = normal(uri.path()) else {
        return;
    };
    if let Some(query) = uri.query() {
        normal.push('?');
        normal.push_str(query);
    }
    let mut parts = std::mem::take(uri).into_parts();
    // What is left of a path that was one is one, and the other parts are as they were: neither step fails.
    if let Ok(target) = PathAndQuery::try_from(normal) {
        parts.path_and_query = Some(target);
    }
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// Nearly every path is, and costs three searches.
fn is_normal(path: &str) -> bool {
    !path.starts_with('/') || !(path.contains('%') || path.contains("//") || path.contains("/."))
}

fn normal(path: &str) -> Option<String> {
    let path = unescape_unreserved(path)?;
    let mut normal = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "" | "." => {}
            ".." => normal.truncate(normal.rfind('/')?),
            segment => {
                normal.push('/');
                normal.push_str(segment);
                continue;
            }
        }
        // What ended in a folder still does.
        if is_last {
            normal.push('/');
        }
    }
    Some(normal)
}

/// Decodes the escapes of letters, digits, `-`, `.`, `_` and `~`, which mean the same either way (RFC 3986, section
/// 2.3); `None` where an escape is broken.
fn unescape_unreserved(path: &str) -> Option<String> {
    let mut plain = String::with_capacity(path.len());
    let mut pieces = path.split('%');
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            plain.push('%');
            plain.push_str(&digits.to_ascii_uppercase());
        }
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::path;
    use super::*;

    fn normalised(target: &str) -> String {
        let mut uri: Uri = target.parse().unwrap();
        normalise_path(&mut uri);
        uri.to_string()
    }

    #[test]
    fn what_means_the_same_is_written_the_same() {
        for (given, expected) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("*", "*"),
            ("/a?b=//../%61", "/a?b=//../%61"),
            ("/%61dmin", "/admin"),
            ("/a%3ab%2d", "/a%3Ab-"),
            ("/%c3%a4", "/%C3%A4"),
            ("//a//b//", "/a/b/"),
            ("/a/./b/.", "/a/b/"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b?c", "/b?c"),
            ("/a/.%2e", "/"),
            ("/a//../b", "/b"),
            ("/...", "/..."),
            ("/.well-known/agent.json", "/.well-known/agent.json"),
            ("http://h/a/../b?c", "http://h/b?c"),
        ] {
            assert_eq!(normalised(given), expected, "{given}");
        }
    }

    #[test]
    fn what_has_two_meanings_stays_and_is_refused() {
        for path in [
            "/..",
            "/a/../../b",
            "/%2e%2e/a",
            "/a/../%2e%2e",
            "/a%2Fb",
            "/a/..%2fb",
            "/a%5cb",
            "/a%00",
            "/a%0d%0a",
            "/%252e%252e/a",
            "/%25%32%65",
            "/a%",
            "/a%2",
            "/a%zz/..",
            "/a/..;/b",
            "/a%c0%af",
        ] {
            assert!(path::decode(&normalised(path)).is_err(), "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        // The form is final, and of what passes afterwards no reader resolves anything any more.
        #[test]
        fn the_normal_form_is_its_own(path in "/(\\.|/|%2e|%2F|%41|%25|a|;|%c3%a4|\\.\\.){0,12}") {
            let once = normalised(&path);
            prop_assert_eq!(&normalised(&once), &once);
            if let Ok(judged) = path::decode(&once) {
                prop_assert!(!judged.split('/').any(|segment| matches!(segment, "." | "..")));
                prop_assert!(!judged.contains("//"));
            }
        }
    }
}
