//! Whether a request is one HTTP message, for one host, whoever reads it.

use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Version};

use crate::model::{Reason, Refusal};

use super::overrides::is_spelt_with_underscores;

/// Checks the method, the framing that the server left visible, and the host.
pub(super) fn check(parts: &Parts) -> Result<(), Refusal> {
    check_method(&parts.method)?;
    check_target(parts)?;
    check_coding(&parts.headers)?;
    check_expectation(&parts.headers)?;
    check_host(parts)
}

/// Methods are case-sensitive (RFC 9110, section 9.1), and yet common frameworks make `post` a `POST`: judged
/// as another method, its body would pass unread.
fn check_method(method: &Method) -> Result<(), Refusal> {
    let name = method.as_str();
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    if name.len() <= MAX_METHOD_BYTES && name.bytes().all(plain) {
        return Ok(());
    }
    Err(malformed("the method is not a word in capitals"))
}

/// Visible ASCII (RFC 3986, section 2). HTTP/1 was read so; the library for HTTP/2 takes any UTF-8, which some
/// agents decode, some encode, and some refuse.
fn check_target(parts: &Parts) -> Result<(), Refusal> {
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    if target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(malformed(
        "the target has bytes that must be percent-encoded",
    ))
}

/// `chunked` once, or nothing. Any other coding would have to be undone before the body can be judged
/// (RFC 9112, section 7). And no other spelling of the fields that frame: we would not frame by it, and who
/// takes an underscore for a hyphen would. HTTP/2 lets several equal lengths be one; HTTP/1 has no such rule.
fn check_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let framing = [CONTENT_LENGTH, TRANSFER_ENCODING];
    if framing
        .iter()
        .any(|name| is_spelt_with_underscores(headers, name))
    {
        return Err(malformed("a field that frames is spelt with an underscore"));
    }
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(malformed("the length is there more than once"));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if is_chunked(coding) => Ok(()),
        (Some(_), _) => Err(malformed("the transfer coding is not `chunked`")),
    }
}

/// The only expectation that is defined (RFC 9110, section 10.1.1).
fn check_expectation(headers: &HeaderMap) -> Result<(), Refusal> {
    let continues = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(EXPECT).iter().all(continues) {
        return Ok(());
    }
    Err(Refusal::new(Reason::ExpectationFailed)
        .detail("the request expects what nobody can promise"))
}

/// One host, said once: in `Host`, in the target, or in both alike. RFC 9112, section 3.2, lets a target
/// override the field; agents and those before us do not all obey, so what disagrees is refused.
fn check_host(parts: &Parts) -> Result<(), Refusal> {
    let target = parts.uri.authority().map(Authority::as_str);
    if parts
        .uri
        .scheme_str()
        .is_some_and(|scheme| !matches!(scheme, "http" | "https"))
    {
        return Err(malformed("the target is not one of HTTP"));
    }
    let mut fields = parts.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(malformed("`host` is there more than once"));
    }
    // RFC 9112, section 3.2: in HTTP/1 the field is there, whatever the target is.
    let may_be_in_target_only = parts.version == Version::HTTP_2;
    let host = match (field.map(HeaderValue::to_str), target) {
        (Some(Err(_)), _) => return Err(malformed("`host` is not plain text")),
        (Some(Ok(field)), Some(target)) if !field.eq_ignore_ascii_case(target) => {
            return Err(malformed("`host` and the target name two hosts"));
        }
        (Some(Ok(host)), _) => host,
        (None, Some(host)) if may_be_in_target_only => host,
        (None, _) => return Err(malformed("the request names no host")),
    };
    if is_host(host) {
        return Ok(());
    }
    Err(malformed("the host is not one"))
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), without the rare characters of a `reg-name` that no
/// host in use has.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => (
                address,
                port.strip_prefix(':')
                    .or_else(|| port.is_empty().then_some("0")),
            ),
            Some(_) | None => return false,
        },
        None => match text.bytes().position(|byte| byte == b':') {
            Some(colon) => (text.get(..colon).unwrap_or_default(), text.get(colon + 1..)),
            None => (text, Some("0")),
        },
    };
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    // No sign: `parse` takes `+80`.
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    // A last dot ends the name of a host that is not to be searched for.
    let has_labels = |name: &str| {
        let name = name.strip_suffix('.').unwrap_or(name);
        let mut labels = name.as_bytes().split(|byte| *byte == b'.');
        text.starts_with('[') || labels.all(|label| !label.is_empty())
    };
    has_labels(name) && name.bytes().all(is_of_name) && port.is_some_and(is_port)
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedRequest).detail(detail)
}

/// Longer than any registered method (IANA, HTTP Method Registry: 17 bytes).
const MAX_METHOD_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_address_and_maybe_a_port() {
        for good in [
            "a",
            "a.example",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8443",
            "a_b-c.d:65535",
            "a.",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a,b",
            "u@a",
            "a/b",
            "a:",
            "a:b",
            "a:+80",
            "a:65536",
            "[::1",
            "[a]",
            "[::1]80",
            "[::1]:",
            "a:1:2",
            "a?",
            "a#",
            "a\\b",
            "a\tb",
            ".",
            "..",
            ".a",
            "a..b",
            "[]",
            "[fe80::1%25eth0]",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
