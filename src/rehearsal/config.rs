//! What the room is told.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{Action, Facts, Principal, RuleRef, ToolCall};

/// The tests of a policy, and whom they speak of.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Callers by name.
    pub people: BTreeMap<String, Arc<Principal>>,
    /// In the order of their names.
    pub tests: Vec<Test>,
    /// The roles, rules and tools that decide something, in the order of their names: what tests can reach.
    pub statements: Vec<Arc<RuleRef>>,
}

/// A call, and what must become of it.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its name and where it stands.
    pub rule: Arc<RuleRef>,
    /// Who calls.
    pub caller: Arc<Principal>,
    /// What they ask for.
    pub action: Action,
    /// The agent that they ask; `None` is the one that the policy runs before.
    pub agent: Option<Box<str>>,
    /// Where they call from.
    pub source: IpAddr,
    /// When.
    pub at: Timestamp,
    /// What is remembered of the task that they name.
    pub facts: Facts,
    /// The arguments of the call, as conditions read them.
    pub args: Option<Value>,
    /// The tool that it calls.
    pub tool: Option<ToolCall>,
    /// How often they call, at that one instant.
    pub times: u32,
    /// What the agent answers to the last call.
    pub answer: Option<Answer>,
    /// What must become of it.
    pub expect: Expect,
}

/// An answer of the agent.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What it says.
    pub text: Box<str>,
    /// The detector of which a sample stands behind the text.
    pub sample: Option<Box<str>>,
    /// Into how large pieces it is cut, in bytes; `None` is one piece.
    pub piece: Option<NonZeroUsize>,
}

/// What must become of a call, and what must have decided so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It passes, and so does the answer as it is; by this role or rule, if one is named.
    Allow(Option<Box<str>>),
    /// The answer is blocked, by this pack or detector.
    Block(Box<str>),
    /// The policy refuses; by this rule or for this reason, if one is named.
    Deny(Option<Box<str>>),
    /// The answer passes as it is, and this pack or detector is counted.
    Flag(Box<str>),
    /// The answer is redacted, by this pack or detector.
    Redact(Box<str>),
    /// A quota refuses.
    Throttle {
        /// Which.
        quota: Box<str>,
        /// How many calls pass before; `None` is any number.
        after: Option<u32>,
    },
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow(None) => f.write_str("allow"),
            Self::Allow(Some(by)) => write!(f, "allow by {by}"),
            Self::Block(by) => write!(f, "block by {by}"),
            Self::Deny(None) => f.write_str("deny"),
            Self::Deny(Some(by)) => write!(f, "deny by {by}"),
            Self::Flag(by) => write!(f, "allow, flagged by {by}"),
            Self::Redact(by) => write!(f, "redact by {by}"),
            Self::Throttle { quota, after: None } => write!(f, "throttle by {quota}"),
            Self::Throttle {
                quota,
                after: Some(after),
            } => write!(f, "throttle by {quota} after {}", Calls(*after)),
        }
    }
}

/// `1 call`, `2 calls`.
pub(super) struct Calls(pub(super) u32);

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} call{plural}", self.0)
    }
}
