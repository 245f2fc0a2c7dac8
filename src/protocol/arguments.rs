//! The arguments of a call, for conditions that read them.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{Call, Dialect};

#[derive(Deserialize)]
struct Request {
    params: Value,
}

/// The `params` of a JSON-RPC request. `None` where there are none, and for calls in other dialects.
///
/// `body` is the one that the call was read from, so that its keys are known to be there once. It is read again:
/// only policies whose conditions look at arguments pay for it, and what a strict reader has found well-formed
/// needs no second judgement.
pub fn arguments(call: &Call, body: &[u8]) -> Option<Value> {
    match call.dialect {
        Dialect::A2a(_) | Dialect::JsonRpc => {
            let request: Request = serde_json::from_slice(body).ok()?;
            Some(request.params)
        }
        Dialect::Http => None,
    }
}
