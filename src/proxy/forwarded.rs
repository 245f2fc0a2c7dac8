//! What proxies in front of us say of the caller: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! Only a trusted peer is heard, and each hop only about the one before it: the caller is the last address of
//! the chain that no trusted peer has. Where the two fields tell of different callers, or `Forwarded` cannot be
//! read to its end, the request is refused: a caller wrote what the proxy that we trust did not mean.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderValue};
use http::uri::Authority;

use crate::listener::TrustedPeers;
use crate::model::{Reason, Refusal};

/// What is believed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Where the caller comes from; `None` is the peer itself.
    pub(super) source: Option<SocketAddr>,
    /// Whether the caller came over TLS.
    pub(super) is_tls: Option<bool>,
    /// Which host it asked.
    pub(super) host: Option<HeaderValue>,
}

/// Reads what a trusted peer wrote.
///
/// # Errors
/// When the fields contradict one another, or cannot be read.
pub(super) fn hear(headers: &HeaderMap, trusted: &TrustedPeers) -> Result<Heard, Refusal> {
    let elements = elements(headers).map_err(|_unreadable| {
        Refusal::new(Reason::MalformedRequest).detail("forwarded cannot be read")
    })?;
    let by_list = headers
        .contains_key(X_FORWARDED_FOR)
        .then(|| caller(list(headers, X_FORWARDED_FOR).map(address), trusted));
    let by_element = headers.contains_key(FORWARDED).then(|| {
        let hops = elements.iter().map(|element| element.source);
        caller(hops, trusted)
    });
    let ip = |source: Option<SocketAddr>| source.map(|source| source.ip());
    if let (Some(list), Some(element)) = (by_list, by_element)
        && ip(list) != ip(element)
    {
        return Err(Refusal::new(Reason::MalformedRequest)
            .detail("x-forwarded-for and forwarded tell of different callers"));
    }
    // Of the proxy that we talk with, and no other: it stands last.
    let last = elements.last();
    let proto = only(headers, "x-forwarded-proto").or_else(|| last?.proto.as_deref());
    let host = only(headers, "x-forwarded-host").or_else(|| last?.host.as_deref());
    Ok(Heard {
        source: by_list.or(by_element).flatten(),
        is_tls: match proto {
            Some(proto) if proto.eq_ignore_ascii_case("https") => Some(true),
            Some(proto) if proto.eq_ignore_ascii_case("http") => Some(false),
            _ => None,
        },
        host: host
            .filter(|host| is_host(host))
            .and_then(|host| HeaderValue::from_str(host).ok()),
    })
}

/// Walks from the nearest hop back to the first that is not trusted. A hop that cannot be read ends the walk at
/// the one that told of it.
fn caller(
    hops: impl DoubleEndedIterator<Item = Option<SocketAddr>>,
    trusted: &TrustedPeers,
) -> Option<SocketAddr> {
    let mut source = None;
    for hop in hops.rev() {
        let Some(hop) = hop else { break };
        source = Some(hop);
        if !trusted.contains(hop.ip()) {
            break;
        }
    }
    source
}

/// The items of all fields of a name, in order. What is not text is an item that nobody can read.
fn list<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> impl DoubleEndedIterator<Item = &'a str> {
    let fields: Vec<_> = headers.get_all(name).iter().collect();
    fields
        .into_iter()
        .flat_map(|field| field.to_str().unwrap_or("?").split(',').map(str::trim))
}

/// A value of which there is one.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    match values.next() {
        None => value.to_str().ok(),
        Some(_) => None,
    }
}

/// `192.0.2.7`, `192.0.2.7:80`, `2001:db8::9`, `[2001:db8::9]` or `[2001:db8::9]:80`.
fn address(text: &str) -> Option<SocketAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let parsed = match bare {
        Some(bare) => SocketAddr::new(bare.parse::<Ipv6Addr>().ok()?.into(), 0),
        None => match text.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, 0),
            Err(_) => text.parse().ok()?,
        },
    };
    Some(SocketAddr::new(parsed.ip().to_canonical(), parsed.port()))
}

fn is_host(text: &str) -> bool {
    // A user before the host is no host, and a parser behind us may think otherwise.
    !text.contains('@') && text.parse::<Authority>().is_ok()
}

/// One hop as `Forwarded` tells of it.
#[derive(Debug, Default)]
struct Element {
    source: Option<SocketAddr>,
    proto: Option<String>,
    host: Option<String>,
}

/// A field that is not as the grammar has it. With a quote that a caller opened, what a proxy appended would be
/// part of the caller's text.
#[derive(Debug)]
struct Unreadable;

/// The elements of all `Forwarded` fields, the nearest hop last.
fn elements(headers: &HeaderMap) -> Result<Vec<Element>, Unreadable> {
    let mut elements = Vec::new();
    for field in headers.get_all(FORWARDED) {
        elements.extend(read_field(field.to_str().map_err(|_| Unreadable)?)?);
    }
    Ok(elements)
}

/// `for=192.0.2.7;proto=https, for="[2001:db8::9]:80"` (RFC 7239, section 4).
fn read_field(text: &str) -> Result<Vec<Element>, Unreadable> {
    let mut elements = vec![Element::default()];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(Unreadable)?;
        let (value, after) = value(after)?;
        let element = elements.last_mut().ok_or(Unreadable)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "for" if element.source.is_some() => return Err(Unreadable),
            "for" => element.source = address(&value),
            "proto" => element.proto = Some(value),
            "host" => element.host = Some(value),
            "by" => {}
            other if is_token(other) => {}
            _ => return Err(Unreadable),
        }
        let after = after.trim_start();
        rest = match after.split_at_checked(1) {
            None => "",
            Some((";", after)) => after.trim_start(),
            Some((",", after)) => {
                elements.push(Element::default());
                after.trim_start()
            }
            Some(_) => return Err(Unreadable),
        };
    }
    Ok(elements)
}

/// A token or a quoted string, and what stands behind it.
fn value(text: &str) -> Result<(String, &str), Unreadable> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, after) = text.split_at_checked(end).ok_or(Unreadable)?;
        return match is_token(token) {
            true => Ok((token.to_owned(), after)),
            false => Err(Unreadable),
        };
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(characters.next().ok_or(Unreadable)?.1),
            other => value.push(other),
        }
    }
    Err(Unreadable)
}

/// RFC 9110, section 5.6.2; a port needs quotes, and is often written without.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:[]".contains(&byte))
}

const X_FORWARDED_FOR: &str = "x-forwarded-for";

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    fn heard(fields: &[(&'static str, &str)]) -> Result<Heard, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        let trusted = TrustedPeers::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "fd00::/8".parse().unwrap(),
        ]);
        hear(&headers, &trusted)
    }

    fn source(fields: &[(&'static str, &str)]) -> Option<String> {
        let source = heard(fields).unwrap().source;
        source.map(|source| source.ip().to_string())
    }

    #[test]
    fn the_caller_is_the_last_that_no_trusted_peer_is() {
        let cases = [
            ("192.0.2.7", Some("192.0.2.7")),
            ("1.1.1.1, 192.0.2.7", Some("192.0.2.7")),
            ("1.1.1.1, 192.0.2.7, 10.0.0.1,10.0.0.2", Some("192.0.2.7")),
            ("192.0.2.7:4711", Some("192.0.2.7")),
            ("[2001:db8::9]:80, fd00::1", Some("2001:db8::9")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("10.0.0.1, 10.0.0.2", Some("10.0.0.1")),
            // What cannot be read ends the walk; what stands before it is anybody's word.
            ("1.1.1.1, nonsense, 10.0.0.2", Some("10.0.0.2")),
            ("1.1.1.1, nonsense", None),
            ("1.1.1.1,", None),
            ("", None),
        ];
        for (field, expected) in cases {
            let got = source(&[(X_FORWARDED_FOR, field)]);
            assert_eq!(got.as_deref(), expected, "{field:?}");
        }
        let split = [
            (X_FORWARDED_FOR, "1.1.1.1, 192.0.2.7"),
            (X_FORWARDED_FOR, "10.0.0.1"),
        ];
        assert_eq!(source(&split).as_deref(), Some("192.0.2.7"));
        assert_eq!(heard(&[]).unwrap(), Heard::default());
    }

    #[test]
    fn forwarded_says_the_same_in_its_own_words() {
        let cases = [
            ("for=192.0.2.7", Some("192.0.2.7")),
            ("For=192.0.2.7;proto=https;by=10.0.0.1", Some("192.0.2.7")),
            (
                r#"for="[2001:db8::9]:4711", for=10.0.0.2"#,
                Some("2001:db8::9"),
            ),
            (
                r#"for=1.1.1.1, for=192.0.2.7 ; host="a,b" , for=10.0.0.2"#,
                Some("192.0.2.7"),
            ),
            ("for=unknown", None),
            ("for=1.1.1.1, for=_hidden, for=10.0.0.2", Some("10.0.0.2")),
            ("for=1.1.1.1, proto=https", None),
        ];
        for (field, expected) in cases {
            let got = source(&[("forwarded", field)]);
            assert_eq!(got.as_deref(), expected, "{field:?}");
        }
        let unreadable = [
            r#"for="192.0.2.7"#,
            r#"for="1.1.1.1, for=192.0.2.7"#,
            "for=192.0.2.7 x",
            "for=192.0.2.7;for=1.1.1.1",
            "192.0.2.7",
        ];
        for field in unreadable {
            let refusal = heard(&[("forwarded", field)]).unwrap_err();
            assert_eq!(refusal.reason, Reason::MalformedRequest, "{field}");
        }
    }

    #[test]
    fn two_stories_are_refused_and_two_tellings_are_not() {
        let both = |forwarded| heard(&[(X_FORWARDED_FOR, "192.0.2.7"), ("forwarded", forwarded)]);
        assert!(both("for=192.0.2.7:80").is_ok());
        for other in ["for=1.1.1.1", "for=unknown", "nonsense"] {
            let refusal = both(other).unwrap_err();
            assert_eq!(refusal.reason, Reason::MalformedRequest, "{other}");
        }
    }

    #[test]
    fn scheme_and_host_are_those_of_the_nearest_proxy() {
        type Case<'a> = (&'a [(&'static str, &'a str)], Option<bool>, Option<&'a str>);
        let cases: [Case<'_>; 7] = [
            (&[("x-forwarded-proto", "https")], Some(true), None),
            (
                &[
                    ("x-forwarded-proto", "HTTP"),
                    ("x-forwarded-host", "a.test:80"),
                ],
                Some(false),
                Some("a.test:80"),
            ),
            (&[("x-forwarded-proto", "https, http")], None, None),
            (
                &[
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-proto", "http"),
                ],
                None,
                None,
            ),
            (&[("x-forwarded-host", "u@a.test")], None, None),
            (&[("x-forwarded-host", "a.test/x")], None, None),
            (
                &[(
                    "forwarded",
                    "for=1.1.1.1;proto=http, for=192.0.2.7;proto=https;host=a.test",
                )],
                Some(true),
                Some("a.test"),
            ),
        ];
        for (fields, is_tls, host) in cases {
            let heard = heard(fields).unwrap();
            let got = heard.host.as_ref().map(|host| host.to_str().unwrap());
            assert_eq!((heard.is_tls, got), (is_tls, host), "{fields:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        // Whatever a caller writes, the proxy appends where it saw the caller, and that is what counts.
        #[test]
        fn nobody_writes_over_what_the_proxy_appends(text in "[ -~]{0,60}", quotes in "[a-z=;,\"\\\\ .0-9]{0,40}") {
            let list = format!("{text}, 192.0.2.7");
            prop_assert_eq!(source(&[(X_FORWARDED_FOR, &list)]).unwrap(), "192.0.2.7");
            let own = [("forwarded", quotes.as_str()), ("forwarded", "for=192.0.2.7")];
            if let Ok(heard) = heard(&own) {
                prop_assert_eq!(heard.source.unwrap().ip().to_string(), "192.0.2.7");
            }
            let appended = format!("{quotes}, for=192.0.2.7");
            if let Ok(heard) = heard(&[("forwarded", &appended)]) {
                prop_assert_eq!(heard.source.unwrap().ip().to_string(), "192.0.2.7");
            }
        }
    }
}
