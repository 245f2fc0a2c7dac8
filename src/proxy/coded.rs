//! Answers that come coded although `identity` was asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};

use crate::coding::{Accepted, Bounds, CodingError, Codings, Decoder};
use crate::model::{Reason, Refusal};
use crate::scan::{Carrier, Detectors, Scan};

use super::headers;

/// What an answer that is read has around it. It is undone while it is read, and the answer leaves without.
pub(super) struct Coded(Codings);

impl Coded {
    /// The codings of an answer; `None` where there are none.
    ///
    /// # Errors
    /// When there is one that cannot be undone.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let values = headers.get_all(header::CONTENT_ENCODING).iter();
        let codings = Codings::read(values.map(HeaderValue::as_bytes));
        let codings =
            codings.map_err(|error| Refusal::new(Reason::UpstreamInvalid).detail(error))?;
        Ok((!codings.is_identity()).then_some(Self(codings)))
    }

    /// What undoes them piece by piece.
    pub(super) fn decoder(&self, ratio: u64) -> Decoder {
        self.0.decoder(Bounds { ratio })
    }

    /// The whole body; `None` when it would be larger than `most` bytes.
    ///
    /// # Errors
    /// When what came is not what its head says.
    pub(super) fn undo(
        &self,
        came: Bytes,
        most: u64,
        ratio: u64,
    ) -> Result<Option<Bytes>, Refusal> {
        let mut decoder = self.decoder(ratio);
        let mut body = BytesMut::with_capacity(came.len());
        decoder.feed(came);
        while let Some(piece) = decoder.piece().map_err(refusal)? {
            body.extend_from_slice(&piece);
            if body.len() as u64 > most {
                return Ok(None);
            }
        }
        decoder.finish().map_err(refusal)?;
        Ok(Some(body.freeze()))
    }

    /// Whether a body of which nothing has changed may leave as it came: its reader takes the coding, and has
    /// nothing to read in it that was not read here. There is room beside the body, for names and comments and for
    /// parts to be skipped.
    pub(super) fn may_stay(
        &self,
        came: &Bytes,
        accepted: Accepted,
        detectors: Option<&Arc<Detectors>>,
    ) -> bool {
        let takes = self.0.only().is_some_and(|coding| accepted.takes(coding));
        takes && detectors.is_none_or(|detectors| is_clean(came, detectors))
    }

    /// Makes the fields of a whole answer into those of this body.
    pub(super) fn leave(&self, headers: &mut HeaderMap, body: Bytes) -> Bytes {
        let tag = headers.get(header::ETAG).and_then(weak);
        headers::remove_digests(headers);
        if let Some(tag) = tag {
            headers.insert(header::ETAG, tag);
        }
        self.strip(headers);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        body
    }

    /// Nothing is around the body any more.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        headers.remove(header::CONTENT_ENCODING);
    }

    /// What the caller takes has decided of the form, which caches have to know (RFC 9110, section 12.5.5).
    pub(super) fn vary(&self, headers: &mut HeaderMap) {
        let mut values = headers.get_all(header::VARY).iter();
        let says = |value: &HeaderValue| {
            let mut names = value.as_bytes().split(|byte| *byte == b',');
            names.any(|name| {
                let name = name.trim_ascii();
                name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding")
            })
        };
        if !values.any(says) {
            headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
    }
}

/// Whether nothing is found in the bytes as they are.
fn is_clean(came: &Bytes, detectors: &Arc<Detectors>) -> bool {
    let mut scan = Scan::new(Arc::clone(detectors), Carrier::Text);
    let mut released = VecDeque::new();
    let judged = scan
        .feed(came.clone(), &mut released)
        .and_then(|()| scan.finish(&mut released));
    judged.is_ok() && scan.take_findings().is_empty()
}

/// The tag for a body that means the same and has other bytes (RFC 9110, section 8.8.1).
fn weak(tag: &HeaderValue) -> Option<HeaderValue> {
    match tag.as_bytes() {
        [b'W', b'/', ..] => Some(tag.clone()),
        bytes => HeaderValue::from_bytes(&[b"W/", bytes].concat()).ok(),
    }
}

/// Why an answer cannot be undone.
pub(super) fn refusal(error: CodingError) -> Refusal {
    let reason = match error {
        CodingError::Broken(_) | CodingError::Trailing(_) => Reason::UpstreamInvalid,
        CodingError::TooLarge { .. } => Reason::ResponseTooLarge,
        CodingError::Truncated(_) => Reason::UpstreamTruncated,
    };
    Refusal::new(reason).detail(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn coded(name: &'static str) -> Coded {
        Coded::of(&fields(&[("content-encoding", name)]))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn what_leaves_without_its_coding_has_the_fields_of_what_leaves() {
        let mut headers = fields(&[
            ("content-encoding", "gzip"),
            ("content-length", "7"),
            ("content-digest", "sha-256=:YQ==:"),
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
        ]);
        coded("gzip").leave(&mut headers, Bytes::from_static(b"0123456789"));
        let expected = fields(&[
            ("content-length", "10"),
            ("etag", "W/\"a\""),
            ("content-type", "text/plain"),
        ]);
        assert_eq!(headers, expected);
        let mut weak = fields(&[("etag", "W/\"a\"")]);
        coded("gzip").leave(&mut weak, Bytes::new());
        assert_eq!(weak["etag"], "W/\"a\"");
    }

    #[test]
    fn caches_hear_of_the_choice_once() {
        for (before, after) in [
            (vec![], vec!["accept-encoding"]),
            (vec!["origin"], vec!["origin", "accept-encoding"]),
            (
                vec!["origin, Accept-Encoding"],
                vec!["origin, Accept-Encoding"],
            ),
            (vec!["*"], vec!["*"]),
        ] {
            let pairs: Vec<_> = before.iter().map(|value| ("vary", *value)).collect();
            let mut headers = fields(&pairs);
            coded("br").vary(&mut headers);
            let values: Vec<_> = headers.get_all("vary").iter().collect();
            assert_eq!(values, after);
        }
    }

    #[test]
    fn only_a_coding_that_is_taken_and_read_alike_by_all_stays() {
        let all = Accepted::read([&b"*"[..]].into_iter());
        let none = Accepted::default();
        for (name, accepted, stays) in [
            ("gzip", all, true),
            ("gzip", none, false),
            ("deflate", all, false),
            ("gzip, br", all, false),
        ] {
            assert_eq!(
                coded(name).may_stay(&Bytes::new(), accepted, None),
                stays,
                "{name}"
            );
        }
    }
}
