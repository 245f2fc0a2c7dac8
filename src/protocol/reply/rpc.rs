//! Errors of JSON-RPC 2.0 (section 5.1).

use serde::Serialize;
use serde_json::value::RawValue;

use super::status::details;
use super::{PlainData, PublicError, Voice, json};
use crate::model::{A2aVersion, Dialect, RpcId};

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

pub(super) fn error(dialect: Dialect, rpc_id: &RpcId, error: &PublicError<'_>) -> String {
    match (dialect, error.voice) {
        (Dialect::A2a(A2aVersion::V1_0, _), _) => envelope(rpc_id, error, Some(details(error))),
        // The recorded agents of 0.3 send no `data` with their own errors.
        (_, Voice::Agent) => envelope::<()>(rpc_id, error, None),
        (_, Voice::Lictor) => envelope(rpc_id, error, Some(PlainData::of(error))),
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

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: &'a serde_json::Value,
}

/// The answer with this result.
pub(super) fn answer(rpc_id: &RpcId, result: &serde_json::Value) -> String {
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
