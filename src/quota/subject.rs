//! Whom and what a counter is about.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::net::IpAddr;
use std::time::Instant;

use jiff::Timestamp;

use super::config::{Dimension, Measure, Quota};
use crate::model::{Action, Principal, TokenUse};

/// A call that asks to be admitted.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'call> {
    /// The agent that is called.
    pub agent: &'call str,
    /// Who calls.
    pub principal: &'call Principal,
    /// What is asked.
    pub action: &'call Action,
    /// Whether it may begin a task.
    pub begins_task: bool,
    /// How many tokens it may use, if it is one to a model.
    pub tokens: Estimate,
    /// Where it comes from.
    pub source: IpAddr,
    /// Now, for what is counted over time.
    pub now: Instant,
    /// Now, for what is counted by the calendar.
    pub at: Timestamp,
}

/// How many tokens a call may use, before anybody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// What it says.
    pub request: u64,
    /// What it lets the model answer.
    pub answer: u64,
}

impl Estimate {
    /// Of a request with so many bytes that lets the model answer with so many tokens.
    pub const fn new(request_bytes: u64, answer: u64) -> Self {
        Self {
            request: tokens_of(request_bytes),
            answer,
        }
    }

    /// All of it, and something in any case.
    pub fn total(self) -> u64 {
        self.request.saturating_add(self.answer).max(1)
    }

    /// What a call has used whose answer did not get to its end after so many bytes, and said of `told` until then.
    pub fn broken_off(self, answer_bytes: u64, told: Option<TokenUse>) -> TokenUse {
        let told = told.unwrap_or_default();
        let came = tokens_of(answer_bytes);
        let all = self.request.saturating_add(came).min(self.total());
        TokenUse {
            input: self.request.max(told.input),
            output: came.min(self.answer).max(told.output),
            total: all.max(told.total),
        }
    }
}

/// About four bytes are a token: of English text, and of JSON rather more.
const fn tokens_of(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// What makes a counter: the quota's name, what it measures, and each dimension's tag and value, so that no two
/// different lists of parts read as the same bytes.
pub(super) struct Parts<'call> {
    pub(super) quota: &'call Quota,
    pub(super) subject: &'call Subject<'call>,
}

impl Hash for Parts<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Subject {
            agent,
            principal,
            action,
            source,
            ..
        } = self.subject;
        let who = |state: &mut H| match principal.is_anonymous() {
            true => network(*source).hash(state),
            false => (principal.identity.as_str(), principal.id.as_str()).hash(state),
        };
        self.quota.rule.name.hash(state);
        discriminant(&self.quota.measure).hash(state);
        self.quota.count.hash(state);
        if let Measure::Tokens { part, .. } = &self.quota.measure {
            part.hash(state);
        }
        for dimension in &self.quota.per {
            dimension.hash(state);
            match dimension {
                Dimension::Action => (action.protocol, &*action.method).hash(state),
                // One agent to a process: the tag is the value.
                Dimension::Agent => {}
                Dimension::Name => action.name.hash(state),
                Dimension::Pair => {
                    principal.tenant.as_str().hash(state);
                    who(state);
                    agent.hash(state);
                }
                Dimension::Principal => who(state),
                Dimension::Source => network(*source).hash(state),
                Dimension::Tenant if principal.is_anonymous() => network(*source).hash(state),
                Dimension::Tenant => principal.tenant.as_str().hash(state),
            }
        }
    }
}

/// The part of an address that one party holds: all of IPv4, the first 64 bits of IPv6.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}
