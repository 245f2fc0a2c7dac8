//! Says "no" in the caller's dialect.
//!
//! Which reason has which status, code and sentence is decided elsewhere, once; here it only gets its
//! form. Whatever stands in a refusal is written by a JSON writer, so no text breaks out of its place.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{A2aVersion, ContextId, Dialect, RpcId, TaskId};

/// Whose words a refusal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The agent's own: without any mark of lictor, so that an id of somebody else looks exactly like
    /// one that does not exist.
    Agent,
    /// lictor's.
    Lictor,
}

/// All that a caller learns of a refusal.
#[derive(Debug, Clone, Copy)]
pub struct PublicError<'a> {
    /// Whose words they are.
    pub voice: Voice,
    /// The HTTP status, which problem details repeat (RFC 9457, section 3.1.2).
    pub status: u16,
    /// The JSON-RPC code. lictor's own lie outside -32768..-32000, which JSON-RPC, A2A and MCP reserve.
    pub code: i32,
    /// The stable word, e.g. `RATE_LIMIT_EXCEEDED`.
    pub reason: &'a str,
    /// The sentence for a human.
    pub message: &'a str,
    /// The decision, for whoever asks why.
    pub decision: Option<&'a str>,
    /// The id of this exchange in every log; empty if there is none.
    pub request_id: &'a str,
    /// When the same call would pass.
    pub retry_after: Option<Duration>,
}

/// The body of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes; none for the refusal of a JSON-RPC notification, which has no answer.
    pub body: Bytes,
}

/// A refusal as the body of an answer.
///
/// A JSON-RPC request whose id could not be read has the id `null`; `None` is a notification, and gets
/// no body (JSON-RPC 2.0, section 4.1).
pub fn refusal(dialect: Dialect, rpc_id: Option<&RpcId>, error: &PublicError<'_>) -> Rendered {
    match dialect {
        Dialect::A2a(_) | Dialect::JsonRpc => Rendered {
            content_type: "application/json",
            body: rpc_id.map_or_else(Bytes::new, |id| rpc_error(dialect, id, error).into()),
        },
        Dialect::Http => Rendered {
            content_type: "application/problem+json",
            body: problem(error).into(),
        },
    }
}

/// The one event that ends an open event stream: after it nothing more follows.
///
/// With task and context known, a client of A2A sees its task fail, in the form of its version (0.3
/// with `final`, which 1.0 has not). Otherwise the event is a JSON-RPC error, or an event of the type
/// `error` with problem details. Whether the task goes on in the agent is not known here.
pub fn terminal_event(
    dialect: Dialect,
    rpc_id: Option<&RpcId>,
    task: Option<&TaskId>,
    context: Option<&ContextId>,
    error: &PublicError<'_>,
) -> Bytes {
    let null = RpcId::null();
    let rpc_id = rpc_id.unwrap_or(&null);
    let event = match (dialect, task.zip(context)) {
        (Dialect::A2a(A2aVersion::V0_3), Some(ids)) => data(&failed_0_3(rpc_id, ids, error)),
        (Dialect::A2a(A2aVersion::V1_0), Some(ids)) => data(&failed_1_0(rpc_id, ids, error)),
        (Dialect::A2a(_) | Dialect::JsonRpc, _) => data(&rpc_error(dialect, rpc_id, error)),
        (Dialect::Http, _) => format!("event: error\n{}", data(&problem(error))),
    };
    event.into()
}

/// JSON of ours is one line.
fn data(json: &str) -> String {
    format!("data: {json}\n\n")
}

#[derive(Serialize)]
struct RpcError<'a, D> {
    error: ErrorObject<'a, D>,
    id: &'a RawValue,
    jsonrpc: &'static str,
}

#[derive(Serialize)]
struct ErrorObject<'a, D> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
}

/// google.rpc.ErrorInfo and google.rpc.RetryInfo, as the elements of `data` in A2A 1.0, section 9.5.
#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'a> {
    #[serde(rename_all = "camelCase")]
    ErrorInfo {
        #[serde(rename = "@type")]
        kind: &'static str,
        reason: &'a str,
        domain: &'static str,
        metadata: Metadata<'a>,
    },
    #[serde(rename_all = "camelCase")]
    RetryInfo {
        #[serde(rename = "@type")]
        kind: &'static str,
        retry_delay: String,
    },
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<&'a str>,
}

/// `data` where it may be any value: in 0.3, and in JSON-RPC that we do not know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlainData<'a> {
    reason: &'a str,
    domain: &'static str,
    #[serde(flatten)]
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

fn rpc_error(dialect: Dialect, rpc_id: &RpcId, error: &PublicError<'_>) -> String {
    match (dialect, error.voice) {
        (Dialect::A2a(A2aVersion::V1_0), _) => envelope(rpc_id, error, Some(details(error))),
        // The recorded agents of 0.3 send no `data` with their own errors.
        (_, Voice::Agent) => envelope::<()>(rpc_id, error, None),
        (_, Voice::Lictor) => {
            let data = PlainData {
                reason: error.reason,
                domain: OWN_DOMAIN,
                metadata: metadata(error),
                retry_after_seconds: error.retry_after.map(whole_seconds),
            };
            envelope(rpc_id, error, Some(data))
        }
    }
}

fn envelope<D: Serialize>(rpc_id: &RpcId, error: &PublicError<'_>, data: Option<D>) -> String {
    json(&RpcError {
        error: ErrorObject {
            code: error.code,
            message: error.message,
            data,
        },
        id: raw(rpc_id),
        jsonrpc: "2.0",
    })
}

fn details<'a>(error: &PublicError<'a>) -> Vec<Detail<'a>> {
    let (domain, metadata) = match error.voice {
        Voice::Agent => (A2A_DOMAIN, Metadata::default()),
        Voice::Lictor => (OWN_DOMAIN, metadata(error)),
    };
    let mut details = vec![Detail::ErrorInfo {
        kind: "type.googleapis.com/google.rpc.ErrorInfo",
        reason: error.reason,
        domain,
        metadata,
    }];
    if let Some(delay) = error.retry_after {
        details.push(Detail::RetryInfo {
            kind: "type.googleapis.com/google.rpc.RetryInfo",
            retry_delay: format!("{}s", whole_seconds(delay)),
        });
    }
    details
}

fn metadata<'a>(error: &PublicError<'a>) -> Metadata<'a> {
    Metadata {
        request_id: Some(error.request_id).filter(|id| !id.is_empty()),
        decision_id: error.decision,
    }
}

/// Problem details (RFC 9457).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

fn problem(error: &PublicError<'_>) -> String {
    let own = error.voice == Voice::Lictor;
    json(&Problem {
        // RFC 9457, section 4.2.1: with `about:blank` the title is the status's phrase.
        kind: "about:blank",
        title: StatusCode::from_u16(error.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error"),
        status: error.status,
        detail: error.message,
        reason: own.then_some(error.reason),
        metadata: if own {
            metadata(error)
        } else {
            Metadata::default()
        },
        retry_after_seconds: error.retry_after.map(whole_seconds),
    })
}

fn failed_0_3(rpc_id: &RpcId, ids: (&TaskId, &ContextId), error: &PublicError<'_>) -> String {
    let (task, context) = ids;
    let result = serde_json::json!({
        "kind": "status-update",
        "taskId": task.as_str(),
        "contextId": context.as_str(),
        "status": {
            "state": "failed",
            "message": {
                "kind": "message",
                "messageId": message_id(task, error),
                "role": "agent",
                "taskId": task.as_str(),
                "contextId": context.as_str(),
                "parts": [{ "kind": "text", "text": error.message }],
            },
        },
        "final": true,
        "metadata": event_metadata(error),
    });
    answer(rpc_id, &result)
}

fn failed_1_0(rpc_id: &RpcId, ids: (&TaskId, &ContextId), error: &PublicError<'_>) -> String {
    let (task, context) = ids;
    let result = serde_json::json!({
        "statusUpdate": {
            "taskId": task.as_str(),
            "contextId": context.as_str(),
            "status": {
                "state": "TASK_STATE_FAILED",
                "message": {
                    "messageId": message_id(task, error),
                    "role": "ROLE_AGENT",
                    "taskId": task.as_str(),
                    "contextId": context.as_str(),
                    "parts": [{ "text": error.message }],
                },
            },
            "metadata": event_metadata(error),
        },
    });
    answer(rpc_id, &result)
}

/// The facts that an error would carry in `data`, for a reader that is a program.
fn event_metadata(error: &PublicError<'_>) -> serde_json::Value {
    if error.voice == Voice::Agent {
        return serde_json::json!({});
    }
    let facts = PlainData {
        reason: error.reason,
        domain: OWN_DOMAIN,
        metadata: metadata(error),
        retry_after_seconds: error.retry_after.map(whole_seconds),
    };
    serde_json::json!({ OWN_DOMAIN: facts })
}

/// A message id that no agent has given: ids of exchanges are unique, and a stream ends once.
fn message_id(task: &TaskId, error: &PublicError<'_>) -> String {
    let unique = if error.request_id.is_empty() {
        task.as_str()
    } else {
        error.request_id
    };
    format!("lictor-{unique}")
}

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: &'a serde_json::Value,
}

fn answer(rpc_id: &RpcId, result: &serde_json::Value) -> String {
    json(&Answer {
        jsonrpc: "2.0",
        id: raw(rpc_id),
        result,
    })
}

/// The id as it was sent. One that is no JSON, which no parser of ours lets pass, becomes `null`.
fn raw(rpc_id: &RpcId) -> &RawValue {
    serde_json::from_str(rpc_id.as_json()).unwrap_or(RawValue::NULL)
}

fn json(value: &impl Serialize) -> String {
    #[expect(
        clippy::expect_used,
        reason = "texts, numbers and raw JSON in structs of ours: none of them can fail to be written"
    )]
    serde_json::to_string(value).expect("our own values are JSON")
}

/// Rounded up, and never none: who is told to wait nothing asks at once.
fn whole_seconds(delay: Duration) -> u64 {
    let more = u64::from(delay.subsec_nanos() > 0);
    delay.as_secs().saturating_add(more).max(1)
}

/// The domain of lictor's reasons in ErrorInfo.
const OWN_DOMAIN: &str = "lictor.dev";

/// The domain of A2A's own reasons (A2A 1.0, section 9.5).
const A2A_DOMAIN: &str = "a2a-protocol.org";
