//! What a decision is asked.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::model::{Call, Facts, Principal, ToolCall};

/// One call, with all that a decision may look at.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The agent that is asked, by the name that its operator gives it.
    pub agent: &'a str,
    /// Who calls.
    pub principal: &'a Principal,
    /// What is asked.
    pub call: &'a Call,
    /// What is remembered of the objects that the call names.
    pub facts: &'a Facts,
    /// The address that the call comes from, where it is known.
    pub source: Option<IpAddr>,
    /// What else conditions may read of the request.
    pub request: RequestFacts<'a>,
    /// The time at which the answer holds.
    pub at: Timestamp,
}

/// What conditions and statements about tools may read of a request besides the call. Whoever asks fills in what
/// [`PolicySet::reads`](super::PolicySet::reads) names.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestFacts<'a> {
    /// The path, percent-decoded, without the query.
    pub path: Option<&'a str>,
    /// The bytes of the body, where that is known.
    pub size: Option<u64>,
    /// Fields by lower-case name; of a field that came several times, the lines joined by `, `.
    pub headers: &'a [(Box<str>, String)],
    /// The arguments.
    pub args: Option<&'a serde_json::Value>,
    /// The tool that is called, where the request calls one.
    pub tool: Option<&'a ToolCall>,
}
