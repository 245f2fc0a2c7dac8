//! The nouns that every room speaks.
//!
//! Owns plain data and the grammar of names: who calls ([`Principal`]), what is asked ([`Call`],
//! [`Action`], [`ToolCall`]), what is remembered of it ([`Facts`]), why not ([`Reason`], [`Refusal`]) and what was
//! found in an answer ([`Finding`]). It imports no other room, does no I/O and reads no clock, so that
//! an offline check can build the very values that the proxy builds.

mod action;
mod call;
mod fact;
mod finding;
mod hook;
pub mod iban;
mod name;
mod place;
mod principal;
mod reason;
mod shadow;
mod tool;
mod usage;

pub use action::{
    A2A_METHODS, Action, ActionError, ActionPattern, Glob, LLM_METHODS, MCP_METHODS, Protocol,
    Protocols,
};
pub use call::{A2aVersion, Addressed, Binding, Call, Dialect, LlmApi, McpEra, Operation, RpcId};
pub use fact::{Facts, Ownership};
pub use finding::{Finding, LeakAction, Severity};
pub use hook::{Hook, HookError, HookHost, HookSecret, HookUrl};
pub use name::{
    ContextId, DecisionId, IdentityName, NameError, PrincipalId, RequestId, SessionId, TaskId,
    TenantId, TraceId,
};
pub use place::{Place, RuleRef};
pub use principal::{ANONYMOUS, Credential, Principal};
pub use reason::{Challenge, Fault, QuotaUnit, Reason, Refusal, Standing};
pub use shadow::{Mode, ShadowVerdict};
pub use tool::{Members, ToolArgs, ToolCall};
pub use usage::TokenUse;
