//! The `http` section, checked.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderName;
use http::{Method, StatusCode};

use crate::model::{Binding, Dialect, RuleRef};

use super::origin::Origins;
use super::removal::FieldPattern;
use super::security::Security;
use super::tenant::TenantRule;

/// What the policy says of header fields and of web pages that call.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which pages of other origins may call and read answers; `None` leaves CORS to the agent.
    pub cors: Option<CorsConfig>,
    /// Which origins may call at all; `None` is any.
    pub origins: Option<Guard>,
    /// How browsers are told to treat answers.
    pub security: Security,
    /// Fields of requests that the agent does not get.
    pub remove_request: Vec<FieldPattern>,
    /// Fields of answers that the caller does not get.
    pub remove_response: Vec<FieldPattern>,
    /// Whether fields that tell what the agent is made of are removed too.
    pub hides_server: bool,
    /// What is done with paths that servers read in different ways.
    pub paths: Paths,
    /// Whose word a trace's id is.
    pub trace_context: TraceContext,
    /// The HTTP status of refusals inside JSON-RPC.
    pub rpc_status: RpcStatus,
    /// In which fields callers are told how much is left of their quotas.
    pub rate_limit_fields: RateLimitFields,
    /// Whether the agent's own errors leave as they are.
    pub passes_agent_errors: bool,
    /// Which tenant a call of A2A may name; `None` is any.
    pub tenant: Option<TenantRule>,
}

impl Default for Config {
    /// What holds without the section.
    fn default() -> Self {
        Self {
            cors: None,
            origins: None,
            security: Security::Basic,
            remove_request: Vec::new(),
            remove_response: Vec::new(),
            hides_server: true,
            paths: Paths::Refuse,
            trace_context: TraceContext::Continue,
            rpc_status: RpcStatus::Http,
            rate_limit_fields: RateLimitFields::Standard,
            passes_agent_errors: false,
            tenant: None,
        }
    }
}

/// Cross-origin resource sharing (Fetch, section 3.2).
#[derive(Debug, Clone)]
pub struct CorsConfig {
    /// The statement, for records.
    pub rule: Arc<RuleRef>,
    /// Whose pages may call.
    pub origins: Origins,
    /// By which methods; `*` is one, and means any.
    pub methods: Vec<Method>,
    /// With which fields; `*` is one, and means any but `authorization`.
    pub headers: Vec<HeaderName>,
    /// Which fields of the answer they may read, besides those of lictor and the few that anybody may.
    pub expose: Vec<HeaderName>,
    /// Whether the browser may send cookies and client certificates of its own accord.
    pub credentials: bool,
    /// How long a browser may remember what it was told.
    pub max_age: Option<Duration>,
}

/// Which origins may call at all: against pages that have a name of their own resolve to our address.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The statement, for records.
    pub rule: Arc<RuleRef>,
    /// The origins.
    pub origins: Origins,
}

/// What is done with a path that servers read in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// It is put into its normal form where it has one; that is judged and forwarded.
    Normalise,
    /// It is refused.
    Refuse,
}

/// The HTTP status of refusals inside JSON-RPC: some clients read errors only in answers with 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RpcStatus {
    /// The one that says what happened.
    Http,
    /// 200; but 401, which asks for a credential.
    Ok,
}

impl RpcStatus {
    /// The status of a refusal that would have this one.
    pub(in crate::proxy) fn of(self, dialect: Dialect, status: StatusCode) -> StatusCode {
        match (self, dialect.binding()) {
            (Self::Ok, Some(Binding::JsonRpc)) if status != StatusCode::UNAUTHORIZED => {
                StatusCode::OK
            }
            (Self::Http | Self::Ok, _) => status,
        }
    }
}

/// Whether a caller may name the trace that its call is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceContext {
    /// It may.
    Continue,
    /// Each call begins a trace.
    Restart,
}

/// In which fields callers are told how much is left of their quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimitFields {
    /// Those of the standard, and `X-RateLimit-Limit`, `-Remaining` and `-Reset` of the scarcest quota.
    Both,
    /// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    Standard,
}
