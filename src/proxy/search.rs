//! What callers send, searched before it is judged.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};

use crate::model::{Finding, Reason, Refusal};
use crate::scan::{Carrier, Detectors, Scan};

use super::answer::join;
use super::headers;
use super::inbound::Inbound;
use super::readable::unreadable;

/// What came of a request's body.
pub(super) struct Searched {
    /// What may go on: what is judged from here on.
    pub(super) inbound: Inbound,
    pub(super) found: Vec<Finding>,
    /// Why it may not go on.
    pub(super) refusal: Option<Refusal>,
}

/// Looks for what must not come in a body that was read whole. What is redacted has fields of its own; what somebody
/// signed cannot be.
pub(super) fn search(
    detectors: &Arc<Detectors>,
    headers: &mut HeaderMap,
    inbound: Inbound,
    is_signed: bool,
) -> Searched {
    let refused = |inbound, found, refusal| Searched {
        inbound,
        found,
        refusal: Some(refusal),
    };
    let (bytes, whole): (_, fn(Bytes) -> Inbound) = match &inbound {
        Inbound::Buffered(bytes) => (bytes.clone(), Inbound::Buffered),
        Inbound::Held(bytes) => (bytes.clone(), Inbound::Held),
        Inbound::Empty => {
            return Searched {
                inbound,
                found: Vec::new(),
                refusal: None,
            };
        }
        // Nobody makes one where requests are searched; were there one, it must not pass unread.
        Inbound::Streamed { .. } => {
            let refusal = Refusal::new(Reason::Internal).detail("a body that was not read whole");
            return refused(inbound, Vec::new(), refusal);
        }
    };
    if let Some(why) = unreadable(headers) {
        let refusal = Refusal::new(Reason::UnsupportedCoding).detail(why);
        return refused(inbound, Vec::new(), refusal);
    }
    let content_type = headers.get(header::CONTENT_TYPE);
    let carrier = Carrier::of(content_type.and_then(|value| value.to_str().ok()));
    let mut scan = Scan::new(Arc::clone(detectors), carrier);
    let mut released = VecDeque::new();
    let judged = scan
        .feed(bytes, &mut released)
        .and_then(|()| scan.finish(&mut released));
    let found = scan.take_findings();
    let found = found.into_iter().map(|finding| Finding {
        channel: format!("request {}", finding.channel).into(),
        ..finding
    });
    let found = found.collect();
    if let Err(blocked) = judged {
        let refusal = Refusal::new(Reason::RequestLeak).detail(blocked);
        return refused(inbound, found, refusal);
    }
    if !scan.changed() {
        return Searched {
            inbound,
            found,
            refusal: None,
        };
    }
    if is_signed || is_signed_for_the_agent(headers) {
        let refusal = Refusal::new(Reason::RequestLeak);
        let refusal = refusal.detail("something to redact in a body whose digest is signed");
        return refused(inbound, found, refusal);
    }
    headers::remove_digests(headers);
    Searched {
        inbound: whole(join(released)),
        found,
        refusal: None,
    }
}

/// Whether a signature may cover the content that lictor does not verify and the agent may.
fn is_signed_for_the_agent(headers: &HeaderMap) -> bool {
    let digests = [
        HeaderName::from_static("content-digest"),
        HeaderName::from_static("digest"),
        HeaderName::from_static("repr-digest"),
    ];
    headers.contains_key(HeaderName::from_static("signature-input"))
        && digests.iter().any(|digest| headers.contains_key(digest))
}
