//! Takes out of an agent's own errors what tells of its inside.
//!
//! An error is the agent's fault or the caller's. Of its own the agent says nothing but that there is one, and where
//! whoever looks after it finds more; the code stays, since programs go by that. What it says of the caller's fault stays
//! as it is, unless it shows where in the agent's code it was made ([`shows_internals`]). Results are no errors: what a
//! task or a tool has to say of its failure is theirs.

mod document;
mod events;
mod fields;
mod internals;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{A2aVersion, Binding, Call, Dialect, RpcId};

use super::reply::{PublicError, Rendered, Voice, refusal};

pub use document::Document;
pub use events::ErrorEvents;
use internals::shows_internals;

/// Writes errors anew for one caller.
#[derive(Debug, Clone)]
pub struct Scrubber {
    dialect: Dialect,
    rpc_id: Option<RpcId>,
    words: Words,
}

/// What is said instead.
#[derive(Debug, Clone)]
pub struct Words {
    /// The code of JSON-RPC, where the agent gave none.
    pub code: i32,
    /// The stable word.
    pub reason: &'static str,
    /// The sentence.
    pub sentence: &'static str,
    /// Names the decision under which the call is recorded.
    pub decision: String,
    /// The id of the exchange.
    pub request_id: String,
}

/// What of an agent's error stays.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    code: Option<i32>,
    message: Option<&'static str>,
    /// A reason that A2A documents.
    reason: Option<&'static str>,
}

impl Told {
    /// All that a code tells.
    fn by(code: i32) -> Self {
        let known = KNOWN.iter().find(|known| known.code == code);
        Self {
            code: Some(code),
            message: known.map(|known| known.message),
            reason: known.and_then(|known| known.reason),
        }
    }
}

impl Scrubber {
    /// For whoever made this call.
    pub fn new(call: &Call, words: Words) -> Self {
        Self {
            dialect: call.dialect,
            rpc_id: call.rpc_id.clone(),
            words,
        }
    }

    /// Whether the caller reads errors of JSON-RPC.
    pub fn speaks_json_rpc(&self) -> bool {
        self.dialect.binding() == Some(Binding::JsonRpc)
    }

    /// Whether the caller reads errors in the fields of gRPC.
    pub fn speaks_grpc(&self) -> bool {
        self.dialect.binding() == Some(Binding::Grpc)
    }

    /// What takes the place of the body of an answer with a status of 400 or above, if it must not leave.
    /// `None` for the body is one that could not be read.
    pub fn answer(&self, status: u16, body: Option<&[u8]>) -> Option<Rendered> {
        let is_own = status >= 500;
        let parsed = body.and_then(|body| serde_json::from_slice(body).ok());
        let error = parsed.as_ref().and_then(|Parsed { error, .. }| *error);
        if self.speaks_json_rpc()
            && let Some(error) = error
        {
            let id = parsed.as_ref().and_then(Parsed::id);
            let rpc = Rpc::of(error);
            let shown = is_own || rpc.as_ref().is_none_or(|rpc| rpc.is_own(status));
            if !shown && !shows_internals(error.get().as_bytes()) {
                return None;
            }
            let told = rpc.map(|rpc| Told::by(rpc.code)).unwrap_or_default();
            return Some(self.render(id.as_ref(), status, told));
        }
        if !is_own && body.is_some_and(|body| !shows_internals(body)) {
            return None;
        }
        Some(self.render(None, status, self.told(body.unwrap_or_default())))
    }

    /// What takes the place of a document of JSON-RPC, if it is an error that must not leave.
    pub fn document(&self, status: u16, body: &[u8]) -> Option<Bytes> {
        if !may_hold_error(body) {
            return None;
        }
        if body.trim_ascii_start().starts_with(b"[") {
            return self.documents(status, body);
        }
        match serde_json::from_slice::<Parsed<'_>>(body) {
            Ok(Parsed { error: None, .. }) => None,
            Ok(_) => self.answer(status.max(200), Some(body)),
            // Something that its reader may read otherwise than we.
            Err(_) => shows_internals(body).then(|| self.render(None, status, Told::default())),
        }
        .map(|rendered| rendered.body)
    }

    /// The same for the answers to a batch, each for itself.
    fn documents(&self, status: u16, body: &[u8]) -> Option<Bytes> {
        let Ok(documents) = serde_json::from_slice::<Vec<&RawValue>>(body) else {
            return shows_internals(body).then(|| self.render(None, status, Told::default()).body);
        };
        let mut is_changed = false;
        let documents: Vec<Bytes> = documents
            .into_iter()
            .map(|document| {
                let text = document.get().as_bytes();
                // A batch in a batch is none.
                let is_one = !text.starts_with(b"[");
                let scrubbed = is_one.then(|| self.document(status, text)).flatten();
                is_changed |= scrubbed.is_some();
                scrubbed.unwrap_or_else(|| Bytes::copy_from_slice(text))
            })
            .collect();
        is_changed.then(|| {
            [&b"["[..], &documents.join(&b","[..]), b"]"]
                .concat()
                .into()
        })
    }

    /// What a body of REST tells that may stay.
    fn told(&self, body: &[u8]) -> Told {
        let Dialect::A2a(version, _) = self.dialect else {
            return Told::default();
        };
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
            return Told::default();
        };
        match version {
            A2aVersion::V1_0 => {
                let details = members.get("error").and_then(|error| error.get("details"));
                let details = details.and_then(Value::as_array).into_iter().flatten();
                let mut reasons = details.filter_map(|detail| detail.get("reason")?.as_str());
                reasons
                    .find_map(|reason| known_reason(reason.as_bytes()))
                    .map_or_else(Told::default, |known| Told::by(known.code))
            }
            A2aVersion::V0_1 | A2aVersion::V0_3 => {
                let code = members.get("code").and_then(Value::as_i64);
                let code = code.and_then(|code| i32::try_from(code).ok());
                code.filter(|code| KNOWN.iter().any(|known| known.code == *code))
                    .map_or_else(Told::default, Told::by)
            }
        }
    }

    fn render(&self, id: Option<&RpcId>, status: u16, told: Told) -> Rendered {
        let id = id.or(self.rpc_id.as_ref());
        refusal(self.dialect, id, &self.error(status, told))
    }

    fn error(&self, status: u16, told: Told) -> PublicError<'_> {
        PublicError {
            voice: Voice::Lictor,
            // In JSON-RPC an error may come with 200.
            status: if status < 400 { 500 } else { status },
            code: match told.code {
                Some(code) => code,
                None if self.speaks_json_rpc() => INTERNAL_ERROR,
                None => self.words.code,
            },
            reason: self.words.reason,
            kept: told.reason,
            message: told.message.unwrap_or(self.words.sentence),
            decision: Some(&self.words.decision),
            request_id: &self.words.request_id,
            retry_after: None,
        }
    }
}

/// An answer of JSON-RPC, as far as it is asked for.
#[derive(Deserialize)]
struct Parsed<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

impl Parsed<'_> {
    /// An id is a string, a number or null.
    fn id(&self) -> Option<RpcId> {
        let raw = self.id?.get();
        (!raw.starts_with(['{', '['])).then(|| RpcId::from_json(raw))
    }
}

/// An error of JSON-RPC.
#[derive(Deserialize)]
struct Rpc {
    code: i32,
}

impl Rpc {
    fn of(error: &RawValue) -> Option<Self> {
        serde_json::from_str(error.get()).ok()
    }

    /// Whether it is the agent's own fault. SDKs say so of any exception that nobody caught: with the code of JSON-RPC for
    /// it, with its code for a server's own errors, with none (0), or with a status of HTTP.
    const fn is_own(&self, status: u16) -> bool {
        match self.code {
            INTERNAL_ERROR | INVALID_AGENT_RESPONSE | 0 | 500..=599 => true,
            // With a status of 4xx it is what MCP says of sessions and heads.
            SERVER_ERROR => status < 400,
            _ => false,
        }
    }
}

/// An error that JSON-RPC 2.0 (section 5.1) or A2A (1.0, section 5.4) documents.
struct Known {
    code: i32,
    message: &'static str,
    reason: Option<&'static str>,
}

const fn known(code: i32, message: &'static str, reason: Option<&'static str>) -> Known {
    Known {
        code,
        message,
        reason,
    }
}

const INTERNAL_ERROR: i32 = -32603;
const INVALID_AGENT_RESPONSE: i32 = -32006;
/// The first of those that a server may give a meaning of its own.
const SERVER_ERROR: i32 = -32000;

static KNOWN: &[Known] = &[
    known(-32700, "Parse error", None),
    known(-32600, "Invalid Request", None),
    known(-32601, "Method not found", None),
    known(-32602, "Invalid params", None),
    known(INTERNAL_ERROR, "Internal error", None),
    known(SERVER_ERROR, "Server error", None),
    known(-32001, "Task not found", Some("TASK_NOT_FOUND")),
    known(
        -32002,
        "Task cannot be canceled",
        Some("TASK_NOT_CANCELABLE"),
    ),
    known(
        -32003,
        "Push Notification is not supported",
        Some("PUSH_NOTIFICATION_NOT_SUPPORTED"),
    ),
    known(
        -32004,
        "This operation is not supported",
        Some("UNSUPPORTED_OPERATION"),
    ),
    known(
        -32005,
        "Incompatible content types",
        Some("CONTENT_TYPE_NOT_SUPPORTED"),
    ),
    known(
        INVALID_AGENT_RESPONSE,
        "Invalid agent response",
        Some("INVALID_AGENT_RESPONSE"),
    ),
    known(
        -32007,
        "Authenticated Extended Card is not configured",
        Some("EXTENDED_AGENT_CARD_NOT_CONFIGURED"),
    ),
    known(
        -32008,
        "Extension support required",
        Some("EXTENSION_SUPPORT_REQUIRED"),
    ),
    known(
        -32009,
        "Version not supported",
        Some("VERSION_NOT_SUPPORTED"),
    ),
];

fn known_reason(reason: &[u8]) -> Option<&'static Known> {
    let mut known = KNOWN.iter();
    known.find(|known| known.reason.map(str::as_bytes) == Some(reason))
}

/// Whether a key `error` may be in it, also in escapes. Most answers are none, and are looked at no further.
fn may_hold_error(json: &[u8]) -> bool {
    memchr::memmem::find(json, b"\"error\"").is_some()
        || memchr::memmem::find(json, b"\\u00").is_some()
}

/// Whether errors of this dialect stand in the events of a stream, and how.
const fn form(dialect: Dialect) -> Form {
    match dialect {
        Dialect::A2a(_, Binding::JsonRpc) | Dialect::JsonRpc | Dialect::Mcp(_) => Form::JsonRpc,
        Dialect::A2a(_, Binding::Rest) | Dialect::Llm(_) => Form::Rest,
        Dialect::A2a(_, Binding::Grpc) | Dialect::Grpc | Dialect::Http => Form::Plain,
    }
}

/// What an error in an event looks like.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A document of JSON-RPC.
    JsonRpc,
    /// Whatever an event of the type `error` holds.
    Plain,
    /// `google.rpc.Status`, what was before it, or the errors of a model API.
    Rest,
}

#[cfg(test)]
mod tests;
