//! Where a refusal becomes an answer, with the status, the code and the text of the catalogue.
//!
//! What the peer learns is short and stable: a code, a friendly sentence, the decision id and the
//! request id. Never a rule's text, an upstream's stack trace or an internal message.
#![warn(clippy::wildcard_enum_match_arm)]

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, request};

use crate::model::{
    Binding, Call, Challenge, DecisionId, Dialect, Reason, Refusal, RequestId, RpcId,
};
use crate::protocol::{self, Malformed, Observer, PublicError, Rendered, Voice};

use super::catalogue::{Entry, catalogue, is_silent};
use super::hygiene::Hygiene;
use super::standings::{self, whole_seconds};

/// Names the decision, so that whoever was denied can ask about it.
const DECISION_ID: HeaderName = HeaderName::from_static("lictor-decision-id");
/// Names the exchange.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In whose words to refuse: what could be read of the request before it was refused.
#[derive(Debug, Clone)]
pub(super) struct Addressee {
    dialect: Dialect,
    rpc_id: Option<RpcId>,
    /// The code that JSON-RPC itself has for what is wrong with the request.
    code: Option<i32>,
}

impl Addressee {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            dialect: call.dialect,
            rpc_id: call.rpc_id.clone(),
            code: None,
        }
    }

    pub(super) fn of_malformed(malformed: &Malformed) -> Self {
        Self {
            dialect: malformed.dialect,
            rpc_id: malformed.rpc_id.clone(),
            code: malformed.code,
        }
    }

    /// Somebody of whose request nothing was read.
    pub(super) const fn unread() -> Self {
        Self {
            dialect: Dialect::Http,
            rpc_id: None,
            code: None,
        }
    }

    /// Somebody of whose request nothing but the head is there, and not judged.
    pub(super) fn of_head(parts: &request::Parts) -> Self {
        Self {
            dialect: match protocol::is_grpc(parts) {
                true => Dialect::Grpc,
                false => Dialect::Http,
            },
            ..Self::unread()
        }
    }

    /// Whether a refusal is said in trailers.
    pub(super) fn reads_trailers(&self) -> bool {
        self.dialect.binding() == Some(Binding::Grpc)
    }

    /// What HTTP would say, whether or not the dialect says it there.
    pub(super) fn meaning(&self, reason: Reason) -> StatusCode {
        meaning(reason, self.dialect)
    }
}

/// Calls `then` with the public form of a refusal.
fn public<T>(
    addressee: &Addressee,
    refusal: &Refusal,
    decision: DecisionId,
    request_id: &RequestId,
    then: impl FnOnce(&PublicError<'_>) -> T,
) -> T {
    let entry = catalogue(refusal.reason);
    // The code of a malformed request is JSON-RPC's own; one that was read and refused has ours.
    let own = matches!(
        refusal.reason,
        Reason::BatchUnsupported | Reason::MalformedRequest | Reason::VersionMismatch
    );
    then(&PublicError {
        voice: if is_silent(refusal.reason) {
            Voice::Agent
        } else {
            Voice::Lictor
        },
        status: meaning(refusal.reason, addressee.dialect).as_u16(),
        code: match (addressee.dialect, refusal.reason) {
            // As the servers of MCP answer (MCP 2025-11-25, basic/utilities/tasks).
            (Dialect::Mcp(_), Reason::TaskNotFound) => -32602,
            _ => addressee.code.filter(|_| own).unwrap_or(entry.code),
        },
        reason: entry.name,
        kept: None,
        message: refusal.say.as_deref().unwrap_or(entry.sentence),
        decision: Some(&decision.to_string()),
        request_id: request_id.as_str(),
        retry_after: refusal.retry_after,
    })
}

/// The status of a refusal in a dialect. gRPC has one of its own, beside that of HTTP.
pub fn status(reason: Reason, dialect: Dialect) -> StatusCode {
    match dialect.binding() {
        Some(Binding::Grpc) => StatusCode::OK,
        None | Some(Binding::JsonRpc | Binding::Rest) => meaning(reason, dialect),
    }
}

/// What HTTP would say: a missing task is answered as an agent answers it inside JSON-RPC, and everywhere else
/// there is a status for it.
const fn meaning(reason: Reason, dialect: Dialect) -> StatusCode {
    match (catalogue(reason).status, dialect.binding()) {
        (StatusCode::OK, None | Some(Binding::Grpc | Binding::Rest)) => StatusCode::NOT_FOUND,
        (status, _) => status,
    }
}

const BEARER: &str = "Bearer realm=\"lictor\"";

/// By which algorithms proofs may be signed (RFC 9449, section 7.1).
macro_rules! dpop_algorithms {
    () => {
        "algs=\"ES256 EdDSA RS256 ES384 ES512 PS256 PS384 PS512 RS384 RS512\""
    };
}

/// The whole answer to a call that was refused before its answer began.
pub(super) fn refuse(
    addressee: &Addressee,
    refusal: &Refusal,
    decision: DecisionId,
    request_id: &RequestId,
    hygiene: &Hygiene,
) -> Response<Bytes> {
    refuse_all(addressee, None, refusal, decision, request_id, hygiene)
}

/// The same to somebody who has sent a batch, of which each request that has an id is told.
pub(super) fn refuse_all(
    addressee: &Addressee,
    batch: Option<&[RpcId]>,
    refusal: &Refusal,
    decision: DecisionId,
    request_id: &RequestId,
    hygiene: &Hygiene,
) -> Response<Bytes> {
    let rendered = public(addressee, refusal, decision, request_id, |error| {
        let single = protocol::refusal(addressee.dialect, addressee.rpc_id.as_ref(), error);
        let Some(ids) = batch else {
            return single;
        };
        let of = |id| protocol::refusal(addressee.dialect, Some(id), error).body;
        let all: Vec<Bytes> = ids.iter().map(of).collect();
        Rendered {
            body: match all.is_empty() {
                // Nobody waits for an answer.
                true => Bytes::new(),
                false => [&b"["[..], &all.join(&b","[..]), b"]"].concat().into(),
            },
            ..single
        }
    });
    let rpc_status = hygiene.rpc_status();
    let status = rpc_status.of(addressee.dialect, status(refusal.reason, addressee.dialect));
    let mut response = Response::new(rendered.body);
    *response.status_mut() = status;
    *response.headers_mut() = rendered.fields;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(rendered.content_type),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(headers, REQUEST_ID, request_id.as_str());
    if !is_silent(refusal.reason) {
        insert(headers, DECISION_ID, &decision.to_string());
    }
    if addressee.meaning(refusal.reason) == StatusCode::UNAUTHORIZED {
        let challenge = match (refusal.challenge, refusal.reason) {
            (Some(Challenge::Dpop | Challenge::DpopOrBearer), _) => {
                concat!("DPoP realm=\"lictor\", ", dpop_algorithms!())
            }
            (Some(Challenge::DpopProof), _) => concat!(
                "DPoP realm=\"lictor\", error=\"invalid_dpop_proof\", ",
                dpop_algorithms!()
            ),
            (Some(Challenge::DpopToken), _) => concat!(
                "DPoP realm=\"lictor\", error=\"invalid_token\", ",
                dpop_algorithms!()
            ),
            (None, Reason::CredentialInvalid) => "Bearer realm=\"lictor\", error=\"invalid_token\"",
            (None, _) => BEARER,
        };
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        );
        if refusal.challenge == Some(Challenge::DpopOrBearer) {
            // The stronger first: clients take the first that they know.
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(BEARER));
        }
    }
    if let Some(wait) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    let fields = hygiene.rate_limit_fields();
    standings::tell(headers, &refusal.standings, fields);
    response
}

/// A refusal to somebody whose call it is not, and who has no record.
pub(super) fn brief(reason: Reason) -> Response<Bytes> {
    let Entry {
        status, sentence, ..
    } = catalogue(reason);
    let mut response = Response::new(Bytes::from_static(sentence.as_bytes()));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

/// What a plain connection is told for which there is no place, before anything of it is read.
pub fn no_place() -> Bytes {
    let Entry {
        status, sentence, ..
    } = catalogue(Reason::Overloaded);
    let phrase = status.canonical_reason().unwrap_or_default();
    Bytes::from(format!(
        "HTTP/1.1 {} {phrase}\r\nretry-after: 1\r\nconnection: close\r\n\
         content-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\r\n{sentence}",
        status.as_u16(),
        sentence.len()
    ))
}

/// The event that ends a stream which has begun.
pub(super) fn end_stream(
    addressee: &Addressee,
    observer: Option<&Observer>,
    refusal: &Refusal,
    decision: DecisionId,
    request_id: &RequestId,
) -> Bytes {
    let (task, context) = (
        observer.and_then(Observer::task),
        observer.and_then(Observer::context),
    );
    public(addressee, refusal, decision, request_id, |error| {
        protocol::terminal_event(
            addressee.dialect,
            addressee.rpc_id.as_ref(),
            task,
            context,
            error,
        )
    })
}

/// The trailers that end a stream of gRPC which has begun.
pub(super) fn end_messages(
    addressee: &Addressee,
    refusal: &Refusal,
    decision: DecisionId,
    request_id: &RequestId,
) -> HeaderMap {
    public(addressee, refusal, decision, request_id, |error| {
        protocol::terminal_trailers(addressee.dialect, error)
    })
}

/// The reason of the close frame that ends a tunnel, which holds 123 bytes (RFC 6455, section 5.5).
pub(super) fn close_reason(refusal: &Refusal, decision: DecisionId) -> String {
    let sentence = catalogue(refusal.reason).sentence;
    format!("{sentence} ({decision})")
}

/// Names the decision in an answer of the agent that is not all its own.
pub(super) fn name_decision(headers: &mut HeaderMap, decision: DecisionId) {
    insert(headers, DECISION_ID, &decision.to_string());
}

/// What every answer of an agent carries besides its own fields.
pub(super) fn mark(headers: &mut HeaderMap, request_id: &RequestId) {
    insert(headers, REQUEST_ID, request_id.as_str());
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // A text that cannot stand in a header is left out: losing the hint is better than losing the answer.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_fits_into_a_close_frame_with_its_decision() {
        let decision = DecisionId::new(uuid::Uuid::nil());
        for reason in Reason::ALL {
            let text = close_reason(&Refusal::new(*reason), decision);
            assert!(text.len() <= 123, "{text}");
        }
    }
}
