//! What the fuzzer calls: whatever HTTP/2 lets a caller say is one HTTP/1 message for the agent, or none.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TE, TRANSFER_ENCODING};
use http::{Request, Uri, Version, request};
use http_body::{Body, Frame};

use crate::http1;
use crate::model::{Principal, Protocols, RequestId};
use crate::protocol;
use crate::upstream::{self, RequestBody};

use super::connection::Inlet;
use super::headers::IdentityHeaders;

/// Reads `data` as method, path, authority and the lines of the fields, each ended by a byte that none of
/// them may hold, and a body after an empty line; sends it to an agent; and reads it as the agent does.
///
/// # Panics
/// When the agent reads anything but this one request.
#[doc(hidden)]
pub fn fuzz_forward(data: &[u8]) {
    let Some((mut parts, body)) = request(data) else {
        return;
    };
    if protocol::read_head(&parts, Protocols::all()).is_err() {
        return;
    }
    let Ok(id) = RequestId::new("r-1") else {
        return;
    };
    let inlet = Inlet {
        source: ([192, 0, 2, 7], 1).into(),
        agent: super::agents::Chosen::default(),
        is_tls: true,
        client: None,
        trusting: None,
        host: None,
        takes_back: false,
        listener: None,
        bounds: super::connection::Bounds::of(&crate::listener::Config::new(
            ([127, 0, 0, 1], 0).into(),
        )),
    };
    let caller = Principal::anonymous();
    IdentityHeaders::default().towards_agent(&mut parts, &caller, &id, &inlet, true);
    IdentityHeaders::default().remove_credentials(&mut parts.headers, [].iter());
    let mut sent = Request::from_parts(parts.clone(), ());
    // Is kept for agents that speak HTTP/2 only.
    sent.headers_mut().remove(TE);
    let Some(body_sent) = body_of(&body) else {
        return;
    };
    let Some(written) = upstream::fuzz_written(Request::from_parts(parts, body_sent)) else {
        return;
    };
    let read = http1::fuzz_read(&written).unwrap_or_default();
    assert!(read.len() == 1, "{:?}", String::from_utf8_lossy(&written));
    for got in read {
        assert_eq!(got.method(), sent.method());
        let target = sent.uri().path_and_query();
        assert_eq!(Some(got.uri().to_string()), target.map(ToString::to_string));
        assert_eq!(fields(got.headers()), fields(sent.headers()));
        assert_eq!(got.body(), &body);
    }
}

fn request(data: &[u8]) -> Option<(request::Parts, Bytes)> {
    let mut lines = data.split(|byte| *byte == LINE);
    let (method, path, authority) = (lines.next()?, lines.next()?, lines.next()?);
    let uri = Uri::builder()
        .scheme("https")
        .authority(authority)
        .path_and_query(path)
        .build()
        .ok()?;
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .version(Version::HTTP_2);
    for field in lines.by_ref().take_while(|line| !line.is_empty()) {
        // A colon is the beginning of a value, as in the file formats of those who write seeds by hand.
        let at = field.iter().position(|byte| *byte == b':')?;
        let (name, value) = field.split_at_checked(at)?;
        request = request.header(name, value.get(1..)?);
    }
    let (parts, ()) = request.body(()).ok()?.into_parts();
    let body: Vec<u8> = lines.flatten().copied().collect();
    Some((parts, body.into()))
}

/// Of known length, or as a stream, as its first byte has it.
fn body_of(body: &Bytes) -> Option<RequestBody> {
    if body.first().is_none_or(|byte| byte & 1 == 0) {
        return Some(RequestBody::full(body.clone()));
    }
    let stream = Stream(Some(body.clone()));
    RequestBody::stream(Bytes::new(), stream, u64::MAX, Duration::from_secs(10)).ok()
}

/// One piece whose length nobody told.
struct Stream(Option<Bytes>);

impl Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// All but the framing, which is said anew.
fn fields(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    let mut fields: Vec<_> = headers
        .iter()
        .filter(|(name, _)| **name != CONTENT_LENGTH && **name != TRANSFER_ENCODING)
        .map(|(name, value)| (name.as_str(), value.as_bytes().trim_ascii()))
        .collect();
    fields.sort_unstable();
    fields
}

/// A record separator, which is allowed nowhere.
const LINE: u8 = 0x1e;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    proptest! {
        #[test]
        fn whatever_http2_says_is_one_message(
            method in select(&["GET", "POST", "HEAD", "OPTIONS", "X-Y", "get", "GET /"][..]),
            path in "(/[a-z?%]{0,6}|\\*|/[ -~]{0,8}|[^\x1e]{0,4})",
            authority in "[a-z:@\\[\\]0-9. ]{0,6}",
            fields in proptest::collection::vec(
                ("(x|te|Host|cookie|connection|x-user-id|content-length|transfer-encoding|expect|[a-z_-]{1,4})", ":[^\x1e]{0,6}"),
                0..4,
            ),
            body in "[^\x1e]{0,20}",
        ) {
            let fields: String = fields.iter().map(|(name, value)| format!("\x1e{name}{value}")).collect();
            fuzz_forward(format!("{method}\x1e{path}\x1e{authority}{fields}\x1e\x1e{body}").as_bytes());
        }
    }

    #[test]
    fn what_was_found_stays_found() {
        for data in [
            "GET\x1e/\x1ea.example",
            "POST\x1e/x?y=z\x1ea.example:80\x1ex: 1\x1ex:2\x1ecookie:a\x1ecookie:b\x1e\x1ehello",
            "PUT\x1e/x\x1ea\x1ete:trailers\x1e\x1eabc",
            "GET\x1e/x\x1ea\x1ex: \t\x1e",
            "OPTIONS\x1e*\x1ea",
            "GET\x1e\x1ea",
            "GET\x1e?x\x1ea",
            "GET\x1e/\u{a1}\x1ea",
        ] {
            assert!(request(data.as_bytes()).is_some(), "{data:?}");
            fuzz_forward(data.as_bytes());
        }
    }
}
