//! Says "no" in the caller's dialect.
//!
//! Which reason has which status, code and sentence is decided elsewhere, once; here it only gets its
//! form. Whatever stands in a refusal is written by a JSON writer, so no text breaks out of its place.

mod failed;
pub(super) mod grpc;
mod model;
mod problem;
mod rpc;
mod status;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

use crate::model::{A2aVersion, Binding, ContextId, Dialect, LlmApi, RpcId, TaskId};

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
    /// A reason of the agent's that stands beside it, where the dialect has such (A2A 1.0, section 9.5).
    pub kept: Option<&'static str>,
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
    /// What it says in fields of the head: all that gRPC has.
    pub fields: HeaderMap,
}

/// A refusal as the body of an answer.
///
/// A JSON-RPC request whose id could not be read has the id `null`; `None` is a notification, and gets
/// no body (JSON-RPC 2.0, section 4.1).
pub fn refusal(dialect: Dialect, rpc_id: Option<&RpcId>, error: &PublicError<'_>) -> Rendered {
    let json = |body: String| Rendered {
        content_type: "application/json",
        body: body.into(),
        fields: HeaderMap::new(),
    };
    match dialect {
        Dialect::A2a(_, Binding::JsonRpc) | Dialect::JsonRpc | Dialect::Mcp(_) => {
            json(rpc_id.map_or_else(String::new, |id| rpc::error(dialect, id, error)))
        }
        Dialect::A2a(A2aVersion::V1_0, Binding::Rest) => json(status::json(error)),
        // The agents of 0.3 and before have no form of their own but `code` and `message`.
        Dialect::A2a(A2aVersion::V0_1 | A2aVersion::V0_3, Binding::Rest) => {
            json(problem::message(error))
        }
        Dialect::A2a(_, Binding::Grpc) | Dialect::Grpc => Rendered {
            content_type: "application/grpc",
            body: Bytes::new(),
            fields: grpc::fields(dialect, error),
        },
        Dialect::Llm(api) => json(model::error(api, error)),
        Dialect::Http => Rendered {
            content_type: "application/problem+json",
            body: problem::details(error).into(),
            fields: HeaderMap::new(),
        },
    }
}

/// The fields that end an open stream of gRPC, behind its messages.
pub fn terminal_trailers(dialect: Dialect, error: &PublicError<'_>) -> HeaderMap {
    grpc::fields(dialect, error)
}

/// The one event that ends an open event stream: after it nothing more follows.
///
/// With task and context known, a client of A2A sees its task fail, in the form of its version (0.3
/// with `final`, which 1.0 has not). Otherwise the event is a JSON-RPC error, or an event of the type
/// `error` with what a refusal would have said. Whether the task goes on in the agent is not known here.
pub fn terminal_event(
    dialect: Dialect,
    rpc_id: Option<&RpcId>,
    task: Option<&TaskId>,
    context: Option<&ContextId>,
    error: &PublicError<'_>,
) -> Bytes {
    let null = RpcId::null();
    let rpc_id = rpc_id.unwrap_or(&null);
    let failed = failed::event(dialect, rpc_id, task, context, error);
    let event = failed
        .map(|event| data(&event))
        .unwrap_or_else(|| match dialect {
            Dialect::A2a(_, Binding::JsonRpc) | Dialect::JsonRpc | Dialect::Mcp(_) => {
                data(&rpc::error(dialect, rpc_id, error))
            }
            Dialect::Llm(api @ LlmApi::ChatCompletions) => data(&model::error(api, error)),
            Dialect::Llm(api) => format!("event: error\n{}", data(&model::error(api, error))),
            Dialect::A2a(A2aVersion::V1_0, Binding::Rest) => {
                format!("event: error\n{}", data(&status::json(error)))
            }
            Dialect::A2a(_, Binding::Rest) => {
                format!("event: error\n{}", data(&problem::message(error)))
            }
            Dialect::A2a(_, Binding::Grpc) | Dialect::Grpc | Dialect::Http => {
                format!("event: error\n{}", data(&problem::details(error)))
            }
        });
    event.into()
}

/// The name of the gRPC status that goes with a status of HTTP and a code of JSON-RPC.
pub const fn grpc_status(status: u16, code: i32) -> &'static str {
    grpc::code(status, code).as_str()
}

/// JSON of ours is one line.
fn data(json: &str) -> String {
    format!("data: {json}\n\n")
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<&'a str>,
}

impl<'a> Metadata<'a> {
    fn of(error: &PublicError<'a>) -> Self {
        match error.voice {
            Voice::Agent => Self::default(),
            Voice::Lictor => Self {
                request_id: Some(error.request_id).filter(|id| !id.is_empty()),
                decision_id: error.decision,
            },
        }
    }
}

/// What a program reads of a refusal of ours, where the dialect leaves the form to us.
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

impl<'a> PlainData<'a> {
    fn of(error: &PublicError<'a>) -> Self {
        Self {
            reason: error.reason,
            domain: OWN_DOMAIN,
            metadata: Metadata::of(error),
            retry_after_seconds: error.retry_after.map(whole_seconds),
        }
    }
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
