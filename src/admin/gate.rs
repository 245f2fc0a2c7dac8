//! Who may ask: against web pages that make a browser call us (DNS rebinding, cross-origin requests).

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};

/// Whether a request may be answered; the status of the refusal where it may not.
///
/// `Host` must name us in a way that no foreign DNS name can: an address, `localhost`, or a configured
/// name. `Origin`, if a browser sends one, must be the very host that was asked.
pub(super) fn admit(uri: &Uri, headers: &HeaderMap, names: &[Box<str>]) -> Result<(), StatusCode> {
    let host = single(headers, &HOST)?.ok_or(StatusCode::BAD_REQUEST)?;
    let host: Authority = host.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    // RFC 9112, section 3.2.2: of a request in absolute form the target counts, not the header.
    for asked in [Some(&host), uri.authority()].into_iter().flatten() {
        if !is_ours(asked.host(), names) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
    }
    let Some(origin) = single(headers, &ORIGIN)? else {
        return Ok(());
    };
    let same = origin
        .split_once("://")
        .is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host.as_str()));
    if same {
        Ok(())
    } else {
        Err(StatusCode::FORBIDDEN)
    }
}

fn is_ours(host: &str, names: &[Box<str>]) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    address.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || names.iter().any(|name| host.eq_ignore_ascii_case(name))
}

/// The value of a field that stands at most once.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &http::HeaderName,
) -> Result<Option<&'a str>, StatusCode> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    value
        .to_str()
        .map(Some)
        .map_err(|_| StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str, fields: &[(&'static str, &'static str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let names = [Box::from("lictor.internal")];
        match admit(&target.parse().unwrap(), &headers, &names) {
            Ok(()) => 200,
            Err(status) => status.as_u16(),
        }
    }

    #[test]
    fn only_names_that_nobody_can_rebind_are_ours() {
        for (host, expected) in [
            ("127.0.0.1:9901", 200),
            ("10.1.2.3", 200),
            ("[::1]:9901", 200),
            ("LOCALHOST:1", 200),
            ("lictor.internal", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("user@evil.example", 421),
            ("", 400),
            ("a b", 400),
        ] {
            assert_eq!(asked("/readyz", &[("host", host)]), expected, "{host}");
        }
        assert_eq!(asked("/readyz", &[]), 400);
        assert_eq!(
            asked("/readyz", &[("host", "localhost"), ("host", "x")]),
            400
        );
        assert_eq!(asked("http://evil.example/", &[("host", "localhost")]), 421);
    }

    #[test]
    fn another_origin_is_refused() {
        for (origin, expected) in [
            ("http://127.0.0.1:9901", 200),
            ("http://127.0.0.1:8080", 403),
            ("https://evil.example", 403),
            ("null", 403),
        ] {
            let fields = [("host", "127.0.0.1:9901"), ("origin", origin)];
            assert_eq!(asked("/metrics", &fields), expected, "{origin}");
        }
    }
}
