//! From a JSON-RPC 2.0 request to its call: A2A, MCP, or a method that we do not know.

use super::a2a::{self, ParamsError};
use super::envelope::{Envelope, Value};
use super::head::{Head, INVALID_REQUEST, Malformed};
use super::mcp::{self, McpError};
use crate::model::{
    Action, Binding, Call, Dialect, Hook, McpEra, Operation, Protocol, Reason, Refusal, RpcId,
    SessionId,
};

/// The longest id of a JSON-RPC request that we repeat, in bytes of its JSON text.
const MAX_RPC_ID_BYTES: usize = 512;

/// JSON-RPC 2.0, section 5.1.
const INVALID_PARAMS: i32 = -32602;

impl Head {
    /// `body` is what the envelope was read from.
    pub(super) fn read_object(
        self,
        envelope: &Envelope<'_>,
        body: &[u8],
        json_depth: usize,
    ) -> Result<Call, Malformed> {
        let method = match envelope.method {
            Value::String(text) => text.decode().ok(),
            _ => None,
        };
        let known = method.as_deref().and_then(a2a::Method::from_name);
        let mcp = self.mcp.as_ref().zip(method.as_deref());
        let mcp = mcp.and_then(|(fields, name)| {
            let method = mcp::Method::of(name, known.is_some(), fields, envelope)?;
            Some((fields.clone(), method))
        });
        if matches!(envelope.jsonrpc, Value::Absent) {
            return if known.is_none() && mcp.is_none() {
                Ok(self.http_call())
            } else {
                // Some agents do not insist on `jsonrpc`, and would do what it says.
                Err(invalid("a known method without `jsonrpc`", envelope))
            };
        }
        if envelope.ambiguous_request {
            return Err(invalid(
                "a key of the request can be read in two ways",
                envelope,
            ));
        }
        if !matches!(envelope.jsonrpc, Value::String(text) if text.quoted() == "\"2.0\"") {
            return Err(invalid("`jsonrpc` is not `2.0`", envelope));
        }
        let rpc_id = rpc_id(envelope)
            .ok_or_else(|| invalid("the id is not a short string or number", envelope))?;
        if let Some((fields, method)) = mcp {
            return self.mcp_call(&fields, &method, rpc_id, envelope);
        }
        match (known, envelope.method) {
            (Some(known), _) => {
                let hook = || known.registration(body, true, json_depth);
                self.rpc_a2a_call(known, rpc_id, envelope, hook)
            }
            // No method: an answer to something that the agent asked.
            (None, Value::Absent) => self.response(rpc_id),
            (None, Value::String(_)) if method.is_some() => Ok(self.rpc_call(rpc_id)),
            (None, _) => Err(invalid("the method is not a text", envelope)),
        }
    }

    fn rpc_a2a_call(
        self,
        method: a2a::Method,
        rpc_id: Option<RpcId>,
        envelope: &Envelope<'_>,
        hook: impl FnOnce() -> Result<Option<Hook>, ParamsError>,
    ) -> Result<Call, Malformed> {
        let dialect = Dialect::A2a(method.version, Binding::JsonRpc);
        if !self.asserted.agrees_with(method.version) {
            return Err(Malformed {
                refusal: Refusal::new(Reason::VersionMismatch).detail(VERSION_AND_METHOD),
                dialect,
                rpc_id,
                code: Some(INVALID_REQUEST),
            });
        }
        let objects = method.objects(envelope);
        match objects.and_then(|objects| objects.and(hook()?)) {
            Ok(objects) => Ok(self.a2a_call(method, Binding::JsonRpc, rpc_id, objects)),
            Err(error) => Err(Malformed {
                refusal: Refusal::new(Reason::MalformedRequest).detail(error),
                dialect,
                rpc_id,
                code: Some(INVALID_PARAMS),
            }),
        }
    }

    fn mcp_call(
        self,
        fields: &mcp::Fields,
        method: &mcp::Method,
        rpc_id: Option<RpcId>,
        envelope: &Envelope<'_>,
    ) -> Result<Call, Malformed> {
        let era = mcp::era(fields, envelope);
        let refuse = |error: McpError| {
            let reason = match error {
                McpError::HeaderMismatch(_) => Reason::VersionMismatch,
                McpError::Ambiguous
                | McpError::DotSegment
                | McpError::IdNotValid(_)
                | McpError::NoName
                | McpError::NoVersion
                | McpError::NotAnObject => Reason::MalformedRequest,
            };
            Malformed {
                code: Some(error.code(era)),
                refusal: Refusal::new(reason).detail(error),
                dialect: Dialect::Mcp(era),
                rpc_id: rpc_id.clone(),
            }
        };
        method.check(fields, envelope, None).map_err(refuse)?;
        let objects = method.objects(envelope).map_err(refuse)?;
        method
            .check(fields, envelope, Some(&objects))
            .map_err(refuse)?;
        let session = session(fields, era, rpc_id.clone())?;
        Ok(Call {
            action: Action {
                protocol: Protocol::Mcp,
                method: method.name.clone(),
                name: objects.name,
            },
            operation: method.operation,
            dialect: Dialect::Mcp(era),
            rpc_id,
            task: objects.task,
            session,
            ..self.carrier()
        })
    }

    /// The answer to something that the agent asked. In a session of MCP it belongs to that.
    fn response(self, rpc_id: Option<RpcId>) -> Result<Call, Malformed> {
        let Some(fields) = &self.mcp else {
            return Ok(self.rpc_call(rpc_id));
        };
        match session(fields, McpEra::Sessions, rpc_id.clone())? {
            // A tunnel is a session of its own.
            None if !self.is_tunnelled => Ok(self.rpc_call(rpc_id)),
            session => Ok(self.session_call("response", rpc_id, session)),
        }
    }

    /// The call of a request without a body: in a session of MCP, to read along with it or to end it.
    pub(super) fn bodiless(self) -> Result<Call, Malformed> {
        let method = match self.http_action().method.as_ref() {
            "GET" => "session/listen",
            "DELETE" => "session/end",
            _ => return Ok(self.http_call()),
        };
        let null = Some(RpcId::null());
        let session = match &self.mcp {
            Some(fields) => session(fields, McpEra::Sessions, null.clone())?,
            None => None,
        };
        match session {
            None => Ok(self.http_call()),
            session => Ok(self.session_call(method, null, session)),
        }
    }

    fn session_call(
        self,
        method: &'static str,
        rpc_id: Option<RpcId>,
        session: Option<SessionId>,
    ) -> Call {
        Call {
            action: Action::known(Protocol::Mcp, method),
            dialect: Dialect::Mcp(McpEra::Sessions),
            rpc_id,
            session,
            ..self.carrier()
        }
    }

    /// The plain request, as what carries another call.
    fn carrier(self) -> Call {
        let http = self.http_action();
        Call {
            http: Some(http.clone()),
            action: http,
            operation: Operation::Other,
            dialect: Dialect::Http,
            rpc_id: None,
            task: None,
            references: Vec::new(),
            context: None,
            session: None,
            hook: None,
            addressed: None,
        }
    }

    /// A JSON-RPC call that we do not know. It is judged as the POST that it is, so that default deny
    /// or a grant of that path decides.
    fn rpc_call(self, rpc_id: Option<RpcId>) -> Call {
        Call {
            dialect: Dialect::JsonRpc,
            rpc_id,
            ..self.http_call()
        }
    }
}

/// Whether it is an answer to something that the agent asked, if it is anything of JSON-RPC.
pub(super) const fn is_answer(envelope: &Envelope<'_>) -> bool {
    matches!(envelope.method, Value::Absent)
}

/// The session that the head names.
fn session(
    fields: &mcp::Fields,
    era: McpEra,
    rpc_id: Option<RpcId>,
) -> Result<Option<SessionId>, Malformed> {
    fields.session().map_err(|()| Malformed {
        refusal: Refusal::new(Reason::MalformedRequest).detail("the session is not one"),
        dialect: Dialect::Mcp(era),
        rpc_id,
        code: Some(INVALID_REQUEST),
    })
}

/// Why a request whose head and method disagree is refused.
pub(super) const VERSION_AND_METHOD: &str = "`A2A-Version` names another version than the method";

fn invalid(detail: &str, envelope: &Envelope<'_>) -> Malformed {
    let id = rpc_id(envelope).flatten();
    Malformed {
        refusal: Refusal::new(Reason::MalformedRequest).detail(detail),
        dialect: Dialect::JsonRpc,
        rpc_id: Some(id.unwrap_or_else(RpcId::null)),
        code: Some(INVALID_REQUEST),
    }
}

/// The request's id, `Some(None)` for a notification, and `None` for what is no id (JSON-RPC 2.0,
/// section 4). One that is in the request twice has been refused before.
fn rpc_id(envelope: &Envelope<'_>) -> Option<Option<RpcId>> {
    let raw = match envelope.id {
        Value::Absent => return Some(None),
        Value::Null => "null",
        Value::Number(number) => number,
        // An id with half a surrogate pair would not come back as it was sent.
        Value::String(text) => text.decode().is_ok().then(|| text.quoted())?,
        Value::Object | Value::Other => return None,
    };
    (raw.len() <= MAX_RPC_ID_BYTES).then(|| Some(RpcId::from_json(raw)))
}
