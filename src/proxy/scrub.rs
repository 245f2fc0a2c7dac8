//! The agent's own errors on their way out: without what tells of its inside, where the policy does not let that pass.

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{StatusCode, response};

use crate::model::Dialect;
use crate::protocol::{Document, ErrorEvents, Scrubber, Words};
use crate::scan::Carrier;

use super::catalogue::AGENT_ERROR;
use super::headers;
use super::standing::Case;
use super::toll::Toll;

/// Whether the answer to such a call is asked for without a coding, since errors in it are read. Of plain HTTP only answers
/// that say of themselves that they are errors are, and event streams.
pub(super) const fn reads(dialect: Dialect) -> bool {
    match dialect {
        Dialect::A2a(..) | Dialect::JsonRpc | Dialect::Llm(_) | Dialect::Mcp(_) => true,
        Dialect::Grpc | Dialect::Http => false,
    }
}

/// Writes errors anew for whoever made this call.
pub(super) fn scrubber(case: &Case, toll: &Toll) -> Scrubber {
    let words = Words {
        code: AGENT_ERROR.code,
        reason: AGENT_ERROR.name,
        sentence: AGENT_ERROR.sentence,
        decision: toll.decision().to_string(),
        request_id: toll.request_id().as_str().to_owned(),
    };
    Scrubber::new(&case.call, words)
}

/// What takes the place of the body of an answer that is an error, where that must not leave, with a head that fits. `body` is
/// `None` if it could not be read.
pub(super) fn failure(
    scrubber: &Scrubber,
    head: &mut response::Parts,
    body: Option<&[u8]>,
) -> Option<Bytes> {
    let rendered = scrubber.answer(head.status.as_u16(), body)?;
    let fields = &mut head.headers;
    headers::remove_digests(fields);
    fields.remove(header::CONTENT_ENCODING);
    fields.remove(header::LAST_MODIFIED);
    fields.extend(rendered.fields);
    let content_type = HeaderValue::from_static(rendered.content_type);
    fields.insert(header::CONTENT_TYPE, content_type);
    fields.insert(header::CONTENT_LENGTH, rendered.body.len().into());
    Some(rendered.body)
}

/// Where in an answer errors are looked for, while it runs.
pub(super) enum Errors {
    Document(Box<Document>),
    Events(Box<ErrorEvents>),
    Trailers(Box<Scrubber>),
}

impl Errors {
    /// For an answer with this status, if errors may stand in it.
    pub(super) fn of(scrubber: Scrubber, status: StatusCode, carrier: Carrier) -> Option<Self> {
        if scrubber.speaks_grpc() {
            return Some(Self::Trailers(Box::new(scrubber)));
        }
        match carrier {
            Carrier::Json if scrubber.speaks_json_rpc() => {
                let document = Document::new(scrubber, status.as_u16());
                Some(Self::Document(Box::new(document)))
            }
            Carrier::Sse => Some(Self::Events(Box::new(ErrorEvents::new(scrubber)))),
            Carrier::Grpc(_) | Carrier::Json | Carrier::Multipart(_) | Carrier::Text => None,
        }
    }

    /// Whether the body may become another one.
    pub(super) const fn change_bodies(&self) -> bool {
        match self {
            Self::Document(_) | Self::Events(_) => true,
            Self::Trailers(_) => false,
        }
    }

    /// The next piece; how many errors were written anew.
    pub(super) fn feed(&mut self, bytes: Bytes, out: &mut VecDeque<Bytes>) -> u64 {
        match self {
            Self::Document(document) => document.feed(bytes, out),
            Self::Events(events) => events.feed(bytes, out),
            Self::Trailers(_) => {
                out.push_back(bytes);
                0
            }
        }
    }

    /// The body has ended.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Bytes>) -> u64 {
        match self {
            Self::Document(document) => document.finish(out),
            Self::Events(events) => events.finish(out),
            Self::Trailers(_) => 0,
        }
    }

    /// What comes last.
    pub(super) fn trailers(&self, trailers: &mut HeaderMap) -> u64 {
        match self {
            Self::Document(_) | Self::Events(_) => 0,
            Self::Trailers(scrubber) => u64::from(scrubber.fields(trailers)),
        }
    }
}
