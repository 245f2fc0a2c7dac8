//! The last event of a task that A2A streams: that it failed, in the form of its version and binding.

use serde_json::{Value, json};

use super::{OWN_DOMAIN, PlainData, PublicError, Voice, rpc};
use crate::model::{A2aVersion, Binding, ContextId, Dialect, RpcId, TaskId};

/// The event's data; `None` where nothing can be said to have failed.
pub(super) fn event(
    dialect: Dialect,
    rpc_id: &RpcId,
    task: Option<&TaskId>,
    context: Option<&ContextId>,
    error: &PublicError<'_>,
) -> Option<String> {
    let Dialect::A2a(version, binding) = dialect else {
        return None;
    };
    let task = task?;
    let result = match (version, binding, context) {
        (A2aVersion::V0_1, _, _) => v0_1(task, error),
        (A2aVersion::V0_3, Binding::JsonRpc, Some(context)) => v0_3(task, context, error),
        (A2aVersion::V0_3, Binding::Rest, Some(context)) => {
            let mut update = update(task, context, error, "content");
            set(&mut update, "final", Value::Bool(true));
            json!({ "statusUpdate": update })
        }
        (A2aVersion::V1_0, Binding::JsonRpc | Binding::Rest, Some(context)) => {
            json!({ "statusUpdate": update(task, context, error, "parts") })
        }
        (_, Binding::Grpc, _) | (_, _, None) => return None,
    };
    Some(match binding {
        Binding::JsonRpc => rpc::answer(rpc_id, &result),
        Binding::Grpc | Binding::Rest => result.to_string(),
    })
}

fn v0_1(task: &TaskId, error: &PublicError<'_>) -> Value {
    json!({
        "id": task.as_str(),
        "status": {
            "state": "failed",
            "message": { "role": "agent", "parts": [{ "type": "text", "text": error.message }] },
        },
        "final": true,
        "metadata": metadata(error),
    })
}

fn v0_3(task: &TaskId, context: &ContextId, error: &PublicError<'_>) -> Value {
    json!({
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
        "metadata": metadata(error),
    })
}

/// As protobuf writes it. In 0.3 a message has `content` where 1.0 has `parts`.
fn update(task: &TaskId, context: &ContextId, error: &PublicError<'_>, parts: &str) -> Value {
    let mut message = json!({
        "messageId": message_id(task, error),
        "role": "ROLE_AGENT",
        "taskId": task.as_str(),
        "contextId": context.as_str(),
    });
    set(&mut message, parts, json!([{ "text": error.message }]));
    json!({
        "taskId": task.as_str(),
        "contextId": context.as_str(),
        "status": { "state": "TASK_STATE_FAILED", "message": message },
        "metadata": metadata(error),
    })
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

/// The facts that an error would carry in `data`, for a reader that is a program.
fn metadata(error: &PublicError<'_>) -> Value {
    match error.voice {
        Voice::Agent => json!({}),
        Voice::Lictor => json!({ OWN_DOMAIN: PlainData::of(error) }),
    }
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
