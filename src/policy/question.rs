//! What a decision is asked.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::model::{Call, Facts, Principal};

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
    /// The time at which the answer holds.
    pub at: Timestamp,
}
