//! MCP over HTTP, in all its versions: which method is called, what it names, and whether the head says the same as
//! the body (MCP 2026-07-28, basic/transports).
//!
//! The body decides. What the head repeats of it is compared, in versions that have it and in those that do not:
//! somebody may route by it.

mod fields;
mod resource;

use std::borrow::Cow;

use super::envelope::{Envelope, Value};
use super::names::is_plain;
use crate::model::{MCP_METHODS, McpEra, NameError, Operation, TaskId};

use fields::Said;
pub use fields::begun_session;
pub(super) use fields::{Fields, session_at};
use resource::has_dots;

/// The first version without a handshake.
const STATELESS: &str = "2026-07-28";

/// The longest name of a tool or a prompt, and the longest URI of a resource, in bytes. Arbitrary.
const MAX_NAME_BYTES: usize = 4096;

/// A call of MCP, as far as its body says.
#[derive(Debug)]
pub(super) struct Method {
    /// The method's name.
    pub(super) name: Cow<'static, str>,
    pub(super) operation: Operation,
}

/// What a call names.
#[derive(Debug)]
pub(super) struct Objects {
    /// The tool, the prompt or the resource.
    pub(super) name: Option<Box<str>>,
    pub(super) task: Option<TaskId>,
}

/// Why a call cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum McpError {
    #[error("a key of the parameters can be read in two ways")]
    Ambiguous,
    /// The path of a resource that servers may resolve to another one.
    #[error("the URI has dot segments or backslashes")]
    DotSegment,
    /// A field of the head that says something else than the body, is there twice, or is missing.
    #[error("`{0}` does not say what the body says")]
    HeaderMismatch(&'static str),
    #[error("the id of a task is not valid: {0}")]
    IdNotValid(#[from] NameError),
    #[error("`_meta` does not name the version")]
    NoVersion,
    /// The method is about something, and names nothing that we can see.
    #[error("the name is missing or is none")]
    NoName,
    #[error("the parameters are not an object")]
    NotAnObject,
}

impl McpError {
    /// The code that a server of MCP would answer with (MCP 2026-07-28, basic/transports; JSON-RPC 2.0, section 5.1).
    pub(super) const fn code(&self, era: McpEra) -> i32 {
        match (self, era) {
            (Self::HeaderMismatch(_), McpEra::Stateless) => -32020,
            (Self::HeaderMismatch(_), McpEra::Sessions) => -32600,
            (_, McpEra::Sessions | McpEra::Stateless) => -32602,
        }
    }
}

impl Method {
    /// The method of a request of MCP. `is_a2a`: A2A has a method of that name, too. It is MCP's then where the head or the
    /// body says so.
    pub(super) fn of(
        name: &str,
        is_a2a: bool,
        fields: &Fields,
        envelope: &Envelope<'_>,
    ) -> Option<Self> {
        if is_a2a && !fields.are_there() && matches!(envelope.meta_version, Value::Absent) {
            return None;
        }
        let operation = match name {
            "tasks/get" | "tasks/result" => Operation::GetTask,
            "tasks/cancel" => Operation::CancelTask,
            "tasks/list" => Operation::ListTasks,
            _ => Operation::Other,
        };
        if name.starts_with("notifications/") && is_plain(name, MAX_NAME_BYTES) {
            let name = Cow::Owned(name.to_owned());
            return Some(Self { name, operation });
        }
        let mut methods = MCP_METHODS.iter().map(|(known, _)| *known);
        let known = methods.find(|known| *known == name && !OURS.contains(known))?;
        let name = Cow::Borrowed(known);
        Some(Self { name, operation })
    }

    /// What the parameters name.
    pub(super) fn objects(&self, envelope: &Envelope<'_>) -> Result<Objects, McpError> {
        if envelope.ambiguous_params {
            return Err(McpError::Ambiguous);
        }
        if !matches!(envelope.params, Value::Absent | Value::Null | Value::Object) {
            return Err(McpError::NotAnObject);
        }
        let mut objects = Objects {
            name: None,
            task: None,
        };
        match &*self.name {
            "tools/call" | "prompts/get" => objects.name = Some(name(envelope.params_name)?),
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                objects.name = Some(uri(envelope.params_uri)?);
            }
            "completion/complete" => {
                objects.name = Some(match (envelope.ref_name, envelope.ref_uri) {
                    (Value::Absent, value) => uri(value)?,
                    (value, Value::Absent) => name(value)?,
                    _ => return Err(McpError::Ambiguous),
                });
            }
            "tasks/get" | "tasks/cancel" | "tasks/result" | "tasks/update" => {
                // What A2A calls a task's id here is not MCP's, and one of the two readers would see it.
                if !matches!(envelope.params_id, Value::Absent) {
                    return Err(McpError::Ambiguous);
                }
                objects.task = Some(TaskId::new(&name(envelope.params_task)?)?);
            }
            _ => {}
        }
        Ok(objects)
    }

    /// Whether the head says what the body says, and by which rules.
    pub(super) fn check(
        &self,
        fields: &Fields,
        envelope: &Envelope<'_>,
        objects: Option<&Objects>,
    ) -> Result<(), McpError> {
        if fields.is_tunnelled {
            return Ok(());
        }
        let meta = match envelope.meta_version {
            Value::String(text) => text.decode().ok(),
            _ => None,
        };
        let mismatch = |field| Err(McpError::HeaderMismatch(field));
        let version = match &fields.version {
            Said::Nothing => None,
            Said::Once(version) => Some(&**version),
            Said::Broken => return mismatch(fields::VERSION),
        };
        let stateless = era(fields, envelope) == McpEra::Stateless;
        match (version, meta.as_deref()) {
            (Some(version), Some(meta)) if version != meta => return mismatch(fields::VERSION),
            (None, Some(_)) if stateless => return mismatch(fields::VERSION),
            (Some(_), None) if stateless && !self.name.starts_with("notifications/") => {
                return Err(McpError::NoVersion);
            }
            _ => {}
        }
        match &fields.method {
            Said::Once(method) if **method == *self.name => {}
            Said::Nothing if !stateless => {}
            Said::Broken | Said::Nothing | Said::Once(_) => return mismatch(fields::METHOD),
        }
        let Some(objects) = objects else {
            return Ok(());
        };
        let named = match &objects.task {
            Some(task) => Some(task.as_str()),
            None if &*self.name == "completion/complete" => None,
            None => objects.name.as_deref(),
        };
        match (&fields.name, named) {
            (Said::Nothing, None) => Ok(()),
            // Versions before do not have it, and of what has no name it says nothing.
            (Said::Nothing, Some(_)) if !stateless => Ok(()),
            (Said::Once(said), Some(name)) if **said == *name => Ok(()),
            (Said::Broken | Said::Nothing | Said::Once(_), _) => mismatch(fields::NAME),
        }
    }
}

/// By which rules the request was written.
pub(super) fn era(fields: &Fields, envelope: &Envelope<'_>) -> McpEra {
    let is_stateless = |version: &str| {
        // Versions are dates. Later ones are taken to go on like this one.
        version.len() == STATELESS.len() && version >= STATELESS
    };
    let meta = match envelope.meta_version {
        Value::String(text) => text.decode().ok(),
        _ => None,
    };
    let of_head = matches!(&fields.version, Said::Once(version) if is_stateless(version));
    if of_head || meta.as_deref().is_some_and(is_stateless) {
        McpEra::Stateless
    } else {
        McpEra::Sessions
    }
}

/// Names that we give to what is no request.
const OURS: &[&str] = &["response", "session/end", "session/listen"];

fn name(value: Value<'_>) -> Result<Box<str>, McpError> {
    let Value::String(text) = value else {
        return Err(McpError::NoName);
    };
    let name = text.decode().map_err(|_| McpError::NoName)?;
    // A server may trim what it dispatches on, and then a deny of that name would have missed it.
    if !is_plain(&name, MAX_NAME_BYTES) {
        return Err(McpError::NoName);
    }
    Ok(Box::from(name))
}

fn uri(value: Value<'_>) -> Result<Box<str>, McpError> {
    let uri = name(value)?;
    if has_dots(&uri) {
        return Err(McpError::DotSegment);
    }
    Ok(uri)
}
