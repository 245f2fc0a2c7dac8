//! What is asked, in whatever dialect it was asked.

use std::fmt;

use super::action::Action;
use super::hook::Hook;
use super::name::{ContextId, SessionId, TaskId};

/// The wire form in which a caller speaks, and in which a refusal must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Agent2Agent.
    A2a(A2aVersion, Binding),
    /// gRPC of a service that is not ours to read.
    Grpc,
    /// Plain HTTP; refusals are `application/problem+json` (RFC 9457).
    Http,
    /// JSON-RPC 2.0 whose method no dialect of ours has, or whose version is not known yet.
    JsonRpc,
    /// A model API.
    Llm(LlmApi),
    /// Model Context Protocol.
    Mcp(McpEra),
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &[Self] = &[
        Self::A2a(A2aVersion::V0_1, Binding::JsonRpc),
        Self::A2a(A2aVersion::V0_1, Binding::Rest),
        Self::A2a(A2aVersion::V0_3, Binding::Grpc),
        Self::A2a(A2aVersion::V0_3, Binding::JsonRpc),
        Self::A2a(A2aVersion::V0_3, Binding::Rest),
        Self::A2a(A2aVersion::V1_0, Binding::Grpc),
        Self::A2a(A2aVersion::V1_0, Binding::JsonRpc),
        Self::A2a(A2aVersion::V1_0, Binding::Rest),
        Self::Grpc,
        Self::Http,
        Self::JsonRpc,
        Self::Llm(LlmApi::ChatCompletions),
        Self::Llm(LlmApi::Messages),
        Self::Llm(LlmApi::Responses),
        Self::Mcp(McpEra::Sessions),
        Self::Mcp(McpEra::Stateless),
    ];

    /// The word that stands in metrics and audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A2a(A2aVersion::V0_1, Binding::Rest) => "a2a-0.1-rest",
            Self::A2a(A2aVersion::V0_1, Binding::Grpc | Binding::JsonRpc) => "a2a-0.1",
            Self::A2a(A2aVersion::V0_3, Binding::Grpc) => "a2a-0.3-grpc",
            Self::A2a(A2aVersion::V0_3, Binding::JsonRpc) => "a2a-0.3",
            Self::A2a(A2aVersion::V0_3, Binding::Rest) => "a2a-0.3-rest",
            Self::A2a(A2aVersion::V1_0, Binding::Grpc) => "a2a-1.0-grpc",
            Self::A2a(A2aVersion::V1_0, Binding::JsonRpc) => "a2a-1.0",
            Self::A2a(A2aVersion::V1_0, Binding::Rest) => "a2a-1.0-rest",
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::JsonRpc => "jsonrpc",
            Self::Llm(LlmApi::ChatCompletions) => "openai-chat",
            Self::Llm(LlmApi::Messages) => "anthropic-messages",
            Self::Llm(LlmApi::Responses) => "openai-responses",
            Self::Mcp(McpEra::Sessions) => "mcp",
            Self::Mcp(McpEra::Stateless) => "mcp-2026-07-28",
        }
    }

    /// What carries calls of this dialect.
    pub const fn binding(self) -> Option<Binding> {
        match self {
            Self::A2a(_, binding) => Some(binding),
            Self::Grpc => Some(Binding::Grpc),
            Self::Http => None,
            Self::JsonRpc | Self::Mcp(_) => Some(Binding::JsonRpc),
            Self::Llm(_) => Some(Binding::Rest),
        }
    }
}

/// The shapes of A2A objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum A2aVersion {
    /// Before 0.2: `tasks/send`, tasks whose ids the client chooses, `sessionId`.
    V0_1,
    /// 0.2.x to 0.3: `message/send`, `kind` discriminators, lower-case states; over REST and gRPC a protobuf of its
    /// own (`a2a.v1`).
    V0_3,
    /// 1.0: `SendMessage`, wrapper objects, `TASK_STATE_*`.
    V1_0,
}

/// The model APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LlmApi {
    /// `POST /chat/completions`, as OpenAI has it.
    ChatCompletions,
    /// `POST /v1/messages`, as Anthropic has it.
    Messages,
    /// `POST /responses`, as OpenAI has it.
    Responses,
}

/// The two ways in which MCP was spoken over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum McpEra {
    /// 2024-11-05 to 2025-11-25: `initialize`, and often a session.
    Sessions,
    /// From 2026-07-28 on: no handshake; each request says its version, and fields of the head repeat what its body says.
    Stateless,
}

/// What carries an operation (A2A 1.0, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binding {
    /// Protobuf over gRPC.
    Grpc,
    /// JSON-RPC 2.0 over HTTP.
    JsonRpc,
    /// JSON over HTTP, the operation in method and path.
    Rest,
}

/// What a call does to tasks, whatever its method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reads the agent's card.
    AgentCard,
    /// Ends a task.
    CancelTask,
    /// Reads one task.
    GetTask,
    /// Reads many tasks.
    ListTasks,
    /// Touches no task that lictor knows of.
    Other,
    /// Sets, reads, lists or deletes where a task's news are pushed to.
    PushConfig,
    /// Begins or continues a task and waits for the answer.
    SendMessage,
    /// Begins or continues a task and reads along.
    StreamMessage,
    /// Reads along with a running task.
    SubscribeTask,
}

/// The id of a JSON-RPC request as its raw JSON text, so that the answer repeats value and type.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RpcId(Box<str>);

impl RpcId {
    /// The id of an answer to a request whose id could not be read (JSON-RPC 2.0, section 5).
    pub fn null() -> Self {
        Self(Box::from("null"))
    }

    /// Wraps the raw JSON text of a string, a number or `null`. The caller has parsed it.
    pub fn from_json(raw: &str) -> Self {
        Self(Box::from(raw))
    }

    /// The raw JSON text.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RpcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One call: all that policy, ledger, quotas, audit and metrics know of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The canonical action, e.g. `a2a:SendMessage quote-equity`.
    pub action: Action,
    /// The plain HTTP request that carries it, where the action is read out of more than that. A deny
    /// covers a call under either name: a body must not open a path that a rule closes.
    pub http: Option<Action>,
    /// What it does to tasks.
    pub operation: Operation,
    /// The dialect in which to answer.
    pub dialect: Dialect,
    /// The request's id, for JSON-RPC; `None` is a notification or another dialect.
    pub rpc_id: Option<RpcId>,
    /// The task that it names.
    pub task: Option<TaskId>,
    /// Tasks that its message refers to (A2A `referenceTaskIds`).
    pub references: Vec<TaskId>,
    /// The context that it names.
    pub context: Option<ContextId>,
    /// The session that it belongs to (MCP, `Mcp-Session-Id`).
    pub session: Option<SessionId>,
    /// Where it wants news of its task pushed to.
    pub hook: Option<Box<Hook>>,
    /// To whom of the agent's tenants it is addressed (A2A).
    pub addressed: Option<Box<Addressed>>,
}

impl Call {
    /// Whether it may begin a task: such calls are dear, and those that look after a task are cheap.
    pub fn may_begin_task(&self) -> bool {
        match (self.dialect, self.operation) {
            // In 0.1 the caller chooses the id of a new task, so that it looks like one that is continued.
            (Dialect::A2a(version, _), Operation::SendMessage | Operation::StreamMessage) => {
                self.task.is_none() || version == A2aVersion::V0_1
            }
            (Dialect::Mcp(_), Operation::Other) => &*self.action.method == "tools/call",
            _ => false,
        }
    }
}

/// What a call says of the tenant that it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressed {
    /// Every tenant that its parameters name. What is no text is an empty one, which no tenant has for a name.
    pub tenants: Vec<Box<str>>,
    /// What its path has before an operation of REST, if it has anything there.
    pub before: Option<Box<str>>,
}
