//! One call that nobody makes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::config::Test;
use crate::model::{
    A2aVersion, Action, Binding, Call, Dialect, Facts, LlmApi, McpEra, Operation, Principal,
    Protocol, ToolCall,
};
use crate::policy::{Question, RequestFacts};

/// When a call is made whose time nobody gives: 2026-01-01T12:00:00Z. A fixed time, so that a test says the
/// same today and in a year.
pub fn default_time() -> Timestamp {
    Timestamp::constant(1_767_268_800, 0)
}

/// Where a call comes from whose origin nobody gives.
pub fn default_source() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

/// All that a decision may look at.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The agent that is asked.
    pub agent: Box<str>,
    /// Who calls.
    pub caller: Arc<Principal>,
    /// What is asked.
    pub call: Call,
    /// What is remembered of the task that it names.
    pub facts: Facts,
    /// Its arguments, as conditions read them: `params` of JSON-RPC.
    pub args: Option<Value>,
    /// Fields of its head that conditions read, by lower-case name.
    pub headers: Vec<(Box<str>, String)>,
    /// The bytes of its body, where that is known.
    pub size: Option<u64>,
    /// The tool that it calls.
    pub tool: Option<ToolCall>,
    /// Where it comes from.
    pub source: IpAddr,
    /// When.
    pub at: Timestamp,
}

impl Scene {
    /// A call of this action by somebody, with nothing else said.
    pub fn new(agent: &str, caller: Arc<Principal>, action: Action) -> Self {
        Self {
            agent: Box::from(agent),
            caller,
            call: call(action),
            facts: Facts::default(),
            args: None,
            headers: Vec::new(),
            size: None,
            tool: None,
            source: default_source(),
            at: default_time(),
        }
    }

    pub(super) fn of(test: &Test, agent: &str) -> Self {
        let agent = test.agent.as_deref().unwrap_or(agent);
        Self {
            facts: test.facts,
            args: test.args.clone(),
            tool: test.tool.clone(),
            source: test.source,
            at: test.at,
            ..Self::new(agent, Arc::clone(&test.caller), test.action.clone())
        }
    }

    /// What the policy is asked.
    pub fn question(&self) -> Question<'_> {
        Question {
            agent: &self.agent,
            principal: &self.caller,
            call: &self.call,
            facts: &self.facts,
            source: Some(self.source),
            request: RequestFacts {
                path: self.path(),
                size: self.size,
                headers: &self.headers,
                args: self.args.as_ref(),
                tool: self.tool.as_ref(),
            },
            at: self.at,
        }
    }
}

impl Scene {
    /// The path of the request, which only plain HTTP is asked for by.
    fn path(&self) -> Option<&str> {
        let action = self.call.http.as_ref().unwrap_or(&self.call.action);
        match action.protocol {
            Protocol::Http => action.name.as_deref(),
            Protocol::A2a | Protocol::Llm | Protocol::Mcp => None,
        }
    }
}

/// The `params` of a request that calls a tool (MCP, `tools/call`).
pub fn params_of(tool: &str, args: Option<&Value>) -> Value {
    match args {
        None => json!({ "name": tool }),
        Some(args) => json!({ "name": tool, "arguments": args }),
    }
}

/// The call by which the action is asked for.
fn call(action: Action) -> Call {
    Call {
        operation: operation(&action),
        dialect: match action.protocol {
            Protocol::A2a => Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc),
            Protocol::Http => Dialect::Http,
            Protocol::Llm => Dialect::Llm(match &*action.method {
                "messages" => LlmApi::Messages,
                "responses" => LlmApi::Responses,
                _ => LlmApi::ChatCompletions,
            }),
            Protocol::Mcp => Dialect::Mcp(McpEra::Sessions),
        },
        action,
        http: None,
        rpc_id: None,
        task: None,
        references: Vec::new(),
        context: None,
        session: None,
        hook: None,
        addressed: None,
    }
}

/// What it does to tasks, as far as a decision asks.
fn operation(action: &Action) -> Operation {
    match (action.protocol, &*action.method) {
        (Protocol::A2a, "GetAgentCard") => Operation::AgentCard,
        (Protocol::A2a, "CancelTask") => Operation::CancelTask,
        (Protocol::A2a, "GetTask") => Operation::GetTask,
        (Protocol::A2a, "ListTasks") => Operation::ListTasks,
        (Protocol::A2a, "SendMessage") => Operation::SendMessage,
        (Protocol::A2a, "SendStreamingMessage") => Operation::StreamMessage,
        (Protocol::A2a, "SubscribeToTask") => Operation::SubscribeTask,
        (Protocol::A2a | Protocol::Http | Protocol::Llm | Protocol::Mcp, _) => Operation::Other,
    }
}
