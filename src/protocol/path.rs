//! The path of a request, as policies write it.

/// Why a path cannot be judged: the agent may read another path than we.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    /// `\` is `/` to some servers.
    #[error("the path holds a backslash")]
    Backslash,
    /// A control character, NUL among them, ends or splits the path in some servers.
    #[error("the path holds a control character")]
    ControlCharacter,
    /// `.` and `..` are resolved by some servers and by some not.
    #[error("the path holds a dot segment")]
    DotSegment,
    /// What decodes to another escape is decoded twice by some.
    #[error("the path is encoded twice")]
    DoubleEncoding,
    /// `//` is `/` to some servers.
    #[error("the path holds an empty segment")]
    EmptySegment,
    /// `%2F` is a separator to some servers and part of a name to others.
    #[error("the path holds an encoded slash")]
    EncodedSlash,
    /// `%` without two hexadecimal digits.
    #[error("the path holds a broken escape")]
    BadEscape,
    /// The bytes behind the escapes are not UTF-8, so the path has no text.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// `;` begins a parameter that servlet containers drop before they route.
    #[error("the path holds a parameter")]
    Parameter,
    /// Neither `/...` nor `*`.
    #[error("the path does not begin with a slash")]
    Relative,
}

/// Decodes a path once, and refuses every path that the servers we know of read in two ways. The list
/// is the one that strict firewalls of servlet containers keep, because there the ways differ most.
pub(super) fn decode(path: &str) -> Result<Box<str>, PathError> {
    if path == "*" {
        return Ok(Box::from(path));
    }
    if !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    let decoded = if path.contains('%') {
        String::from_utf8(unescape_path(path)?).map_err(|_| PathError::NotUtf8)?
    } else {
        path.to_owned()
    };
    // Also an escaped one: some decode first.
    if decoded.contains(';') {
        return Err(PathError::Parameter);
    }
    if decoded.contains('\\') {
        return Err(PathError::Backslash);
    }
    if decoded.chars().any(char::is_control) {
        return Err(PathError::ControlCharacter);
    }
    if is_encoded(&decoded) {
        return Err(PathError::DoubleEncoding);
    }
    check_segments(&decoded)?;
    Ok(decoded.into_boxed_str())
}

/// Decodes the escapes once. An escaped slash has no meaning that all servers share.
fn unescape_path(path: &str) -> Result<Vec<u8>, PathError> {
    let slash = |escape: &[u8; 3]| escape.eq_ignore_ascii_case(b"%2F");
    if path.as_bytes().array_windows().any(slash) {
        return Err(PathError::EncodedSlash);
    }
    unescape(path).ok_or(PathError::BadEscape)
}

/// Decodes the escapes of a text once; `None` where one is broken.
pub(super) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let ([high, low], tail) = tail.split_first_chunk()?;
        decoded.push(hex(*high)? << 4 | hex(*low)?);
        rest = tail;
    }
    Some(decoded)
}

fn check_segments(decoded: &str) -> Result<(), PathError> {
    let mut segments = decoded.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(PathError::DotSegment),
            "" if segments.peek().is_some() => return Err(PathError::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the text still holds an escape.
fn is_encoded(text: &str) -> bool {
    text.contains('%')
        && text.as_bytes().array_windows().any(|[percent, high, low]| {
            *percent == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
        })
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_judged_by_what_it_means_or_not_at_all() {
        let cases: &[(&str, Result<&str, PathError>)] = &[
            ("/", Ok("/")),
            ("*", Ok("*")),
            ("/v1/reports/", Ok("/v1/reports/")),
            ("/adm%69n", Ok("/admin")),
            ("/a%20b/%C3%A4", Ok("/a b/ä")),
            ("/tasks/t1:cancel", Ok("/tasks/t1:cancel")),
            ("/tasks/t1%3Acancel", Ok("/tasks/t1:cancel")),
            ("/100%25", Ok("/100%")),
            ("/...", Ok("/...")),
            ("/.well-known/agent.json", Ok("/.well-known/agent.json")),
            ("/public%2Fadmin", Err(PathError::EncodedSlash)),
            ("/public%2fadmin", Err(PathError::EncodedSlash)),
            ("/public%5Cadmin", Err(PathError::Backslash)),
            ("/public\\admin", Err(PathError::Backslash)),
            ("/a%00", Err(PathError::ControlCharacter)),
            ("/a%0d%0aX:y", Err(PathError::ControlCharacter)),
            ("/a%C2%85", Err(PathError::ControlCharacter)),
            ("/public/../admin", Err(PathError::DotSegment)),
            ("/public/%2e%2E/admin", Err(PathError::DotSegment)),
            ("/public/.%2e", Err(PathError::DotSegment)),
            ("/./admin", Err(PathError::DotSegment)),
            ("/public/..;/admin", Err(PathError::Parameter)),
            ("/admin;x=1", Err(PathError::Parameter)),
            ("/public/..%3B/admin", Err(PathError::Parameter)),
            ("/%252e%252e/admin", Err(PathError::DoubleEncoding)),
            ("/%25%32%65", Err(PathError::DoubleEncoding)),
            ("//admin", Err(PathError::EmptySegment)),
            ("/a//b", Err(PathError::EmptySegment)),
            ("/a%c0%af", Err(PathError::NotUtf8)),
            ("/a%2", Err(PathError::BadEscape)),
            ("/a%", Err(PathError::BadEscape)),
            ("/a%zz", Err(PathError::BadEscape)),
            ("admin", Err(PathError::Relative)),
        ];
        for (path, expected) in cases {
            assert_eq!(
                decode(path).as_deref(),
                expected.as_ref().map(|text| *text),
                "{path}"
            );
        }
    }
}
