//! Fields that belong to one connection, and the framing that goes with them.
//!
//! A field that is meant for the next hop only must not travel further (RFC 9110, section 7.6.1), and
//! where a message ends is said anew for each hop, by us and not by what the peer wrote.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, StatusCode, Version, response};
use http_body::Body as _;

use super::error::FramingError;
use super::request_body::RequestBody;

/// Removes what belongs to the connection that the message came on, in either direction: the fields
/// below, and those that `Connection` names (RFC 9110, section 7.6.1).
///
/// Call it on arrival, **before** setting fields of our own: otherwise a caller could name these in
/// `Connection` and have them removed. `Host` and `Content-*` cannot be named away: they describe the
/// message, and a message that loses them means something else.
///
/// Of `TE` only that trailers are welcome is kept, for whoever speaks HTTP/2 to the next hop.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    remove_hop_by_hop(headers);
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // A look at the few fields that are there costs less than a search for each that might be.
    if headers.keys().any(is_hop_by_hop) {
        let takes_trailers = takes_trailers(headers);
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
        if takes_trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// Whether `TE` says that trailers are welcome (RFC 9110, section 10.1.4).
fn takes_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Those fields of the message that its `Connection` names. Does not allocate for `close` and
/// `keep-alive`, nor for names that the message does not have.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = Vec::new();
    let tokens = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter_map(|token| std::str::from_utf8(token).ok());
    for token in tokens {
        if !headers.contains_key(token) {
            continue;
        }
        if let Ok(name) = HeaderName::from_bytes(token.as_bytes())
            // Of `TE` more than that must be known, so it is read later.
            && name != TE
            && !describes_the_message(&name)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

fn describes_the_message(name: &HeaderName) -> bool {
    name == HOST || name.as_str().starts_with("content-")
}

/// Makes the request one that any agent reads exactly as we do: origin form, nothing hop-by-hop, its length
/// left to whoever writes it.
pub(super) fn prepare(request: &mut Request<RequestBody>, host: &HeaderValue) {
    to_origin_form(request.uri_mut());
    let says_empty = matches!(
        *request.method(),
        Method::PATCH | Method::POST | Method::PUT
    );
    let is_empty = request.body().size_hint().exact() == Some(0);
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    // The body follows at once: the caller was told to go on long ago, or sent it unasked.
    headers.remove(EXPECT);
    headers.remove(CONTENT_LENGTH);
    // A server may wait for the body of a POST that does not say that it has none (RFC 9110, section 8.6).
    if is_empty && says_empty {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if !headers.contains_key(HOST) {
        headers.insert(HOST, host.clone());
    }
}

/// Says a prepared request in HTTP/1.1.
pub(super) fn for_http1(request: &mut Request<RequestBody>) {
    *request.version_mut() = Version::HTTP_11;
    // It was said in HTTP/2 before, and not sent.
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
        to_origin_form(request.uri_mut());
    }
    let is_unknown = request.body().size_hint().exact().is_none();
    let headers = request.headers_mut();
    headers.remove(TE);
    if is_unknown {
        // Said here, since the client would take a GET of unknown length for one without a body. A known
        // length it writes itself.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Says a prepared request in HTTP/2, where `Host` is `:authority` (RFC 9113, section 8.3.1).
///
/// # Errors
/// When `Host` or the target cannot stand there.
pub(super) fn for_http2(
    request: &mut Request<RequestBody>,
    scheme: Scheme,
) -> Result<(), http::Error> {
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    if let Some(host) = headers.remove(HOST) {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(scheme);
        parts.authority = Some(Authority::try_from(host.as_bytes())?);
        parts
            .path_and_query
            .get_or_insert_with(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from_parts(parts)?;
    }
    Ok(())
}

/// An absolute target is for proxies (RFC 9112, section 3.2.2); the agent is an origin server.
fn to_origin_form(uri: &mut Uri) {
    if uri.authority().is_some() {
        let target = uri.path_and_query().map(PathAndQuery::as_str);
        // `http://a?b` has no path of its own, and an empty one stands for `/` (RFC 9112, section 3.2.1).
        let target = match target {
            None | Some("/") => PathAndQuery::from_static("/"),
            Some(text) if !text.starts_with(['/', '*']) => {
                PathAndQuery::try_from(format!("/{text}"))
                    .unwrap_or_else(|_| PathAndQuery::from_static("/"))
            }
            Some(_) => uri
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
        };
        *uri = Uri::from(target);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    // Their lengths, which few others have.
    matches!(name.as_str().len(), 2 | 7 | 10 | 14 | 16..=19) && HOP_BY_HOP.contains(name)
}

/// Checks that the answer has one reading only, and removes what belongs to the agent's connection.
pub(super) fn accept(answer: &mut response::Parts) -> Result<(), FramingError> {
    check_framing(&answer.headers)?;
    strip_hop_by_hop(&mut answer.headers);
    // Means nothing in an answer.
    answer.headers.remove(TE);
    if answer.status == StatusCode::NO_CONTENT {
        // Must not be there (RFC 9110, section 8.6), and there is no body that it could describe.
        answer.headers.remove(CONTENT_LENGTH);
    }
    answer.version = Version::HTTP_11;
    // Holds a reason phrase of the agent's own, which nobody scans and HTTP/2 does not know.
    answer.extensions.clear();
    Ok(())
}

fn check_framing(headers: &HeaderMap) -> Result<(), FramingError> {
    let coded = match one(headers, &TRANSFER_ENCODING) {
        One::Value(coding) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => true,
        One::Nothing => false,
        One::Several | One::Value(_) => return Err(FramingError::TransferEncoding),
    };
    match one(headers, &CONTENT_LENGTH) {
        One::Nothing => Ok(()),
        One::Value(_) if coded => Err(FramingError::Both),
        One::Value(length) if is_number(length.as_bytes()) => Ok(()),
        One::Several | One::Value(_) => Err(FramingError::ContentLength),
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// How often a field is there.
enum One<'a> {
    Nothing,
    Several,
    Value(&'a HeaderValue),
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> One<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => One::Nothing,
        (Some(value), None) => One::Value(value),
        (Some(_), Some(_)) => One::Several,
    }
}

/// RFC 9110, section 7.6.1, and RFC 2616, section 13.5.1, whose list older agents still follow.
static HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    // Was meant for whoever would upgrade (RFC 7540, section 3.2.1), and nobody does.
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn hop_by_hop_fields_do_not_travel() {
        let mut headers = fields(&[
            ("accept", "*/*"),
            ("connection", "close, X-Hop"),
            ("connection", "x-other"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic"),
            ("proxy-connection", "keep-alive"),
            ("te", "gzip;q=0.5, Trailers"),
            ("trailer", "x-checksum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-hop", "1"),
            ("x-kept", "1"),
            ("x-other", "1"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), ["accept", "te", "x-kept"]);
        assert_eq!(headers["te"], "trailers");
    }

    #[test]
    fn every_hop_by_hop_field_is_known_by_its_length() {
        assert!(HOP_BY_HOP.iter().all(is_hop_by_hop));
    }

    #[test]
    fn connection_cannot_change_what_the_message_means() {
        let mut headers = fields(&[
            (
                "connection",
                "Host, Content-Length,content-encoding, ?/(, , x-b",
            ),
            ("content-encoding", "gzip"),
            ("content-length", "5"),
            ("host", "agent"),
            ("x-b", "1"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(
            names(&headers),
            ["content-encoding", "content-length", "host"]
        );
    }

    #[test]
    fn an_answer_must_say_its_length_once() {
        type Lines = &'static [(&'static str, &'static str)];
        let cases: &[(Lines, Result<(), FramingError>)] = &[
            (&[], Ok(())),
            (&[("content-length", "5")], Ok(())),
            (&[("transfer-encoding", "Chunked")], Ok(())),
            (
                &[("content-length", "5"), ("transfer-encoding", "chunked")],
                Err(FramingError::Both),
            ),
            (
                &[("content-length", "5"), ("content-length", "5")],
                Err(FramingError::ContentLength),
            ),
            (
                &[("content-length", "5, 5")],
                Err(FramingError::ContentLength),
            ),
            (
                &[("content-length", "+5")],
                Err(FramingError::ContentLength),
            ),
            (&[("content-length", "")], Err(FramingError::ContentLength)),
            (
                &[("transfer-encoding", "gzip, chunked")],
                Err(FramingError::TransferEncoding),
            ),
            (
                &[("transfer-encoding", "identity")],
                Err(FramingError::TransferEncoding),
            ),
            (
                &[
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                Err(FramingError::TransferEncoding),
            ),
        ];
        for (lines, expected) in cases {
            assert_eq!(check_framing(&fields(lines)), *expected, "{lines:?}");
        }
    }

    #[test]
    fn a_request_is_framed_by_us() {
        let mut request = Request::post("http://elsewhere.example/a?b=c")
            .version(Version::HTTP_2)
            .header("content-length", "99")
            .header("transfer-encoding", "chunked")
            .header("expect", "100-continue")
            .body(RequestBody::Full(Bytes::from_static(b"body")))
            .unwrap();
        prepare(&mut request, &HeaderValue::from_static("agent:9000"));
        for_http1(&mut request);
        assert_eq!(request.uri(), "/a?b=c");
        assert_eq!(request.version(), Version::HTTP_11);
        assert_eq!(names(request.headers()), ["host"]);
    }

    #[test]
    fn a_request_is_said_in_either_version_and_means_the_same() {
        let mut request = Request::get("/a?b=c")
            .header("host", "agent.example:1")
            .header("te", "trailers")
            .body(RequestBody::Empty)
            .unwrap();
        prepare(&mut request, &HeaderValue::from_static("agent:9000"));
        for _again in 0..2 {
            for_http2(&mut request, Scheme::HTTPS).unwrap();
            assert_eq!(request.uri(), "https://agent.example:1/a?b=c");
            assert_eq!(names(request.headers()), ["te"]);
        }
        for_http1(&mut request);
        assert_eq!(request.uri(), "/a?b=c");
        assert_eq!(request.headers()["host"], "agent.example:1");
        assert_eq!(names(request.headers()), ["host"]);
    }

    #[test]
    fn a_host_that_is_no_authority_is_not_sent_as_one() {
        for host in ["a b", "a/b", ""] {
            let mut request = Request::get("/")
                .header("host", host)
                .body(RequestBody::Empty)
                .unwrap();
            assert!(for_http2(&mut request, Scheme::HTTP).is_err(), "{host}");
        }
    }

    #[test]
    fn an_empty_post_says_so() {
        let mut request = Request::post("/").body(RequestBody::Empty).unwrap();
        prepare(&mut request, &HeaderValue::from_static("agent"));
        assert_eq!(request.headers()["content-length"], "0");
        let mut request = Request::get("/").body(RequestBody::Empty).unwrap();
        prepare(&mut request, &HeaderValue::from_static("agent"));
        assert_eq!(names(request.headers()), ["host"]);
    }
}
