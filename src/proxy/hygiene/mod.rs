//! Which header fields travel, and which web pages may ask: the policy's `http` section.
//!
//! Owns what is compiled of it once for each snapshot, so that a call only looks up and inserts values that are
//! ready. Pure: no I/O, no clock. `cors` answers browsers, `security` tells them how to treat an answer,
//! `removal` takes fields off; which fields are hop-by-hop, or speak of who calls, is not an author's to say
//! and stands in `headers`.

mod config;
mod cors;
mod origin;
mod removal;
mod security;
mod tenant;

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode, response};

use crate::model::{Call, Reason, Refusal, RuleRef, TenantId};

pub use config::{Config, CorsConfig, Guard, Paths, RateLimitFields, RpcStatus, TraceContext};
pub use origin::{Origin, OriginError, Origins};
pub use removal::{Direction, FieldPattern, FieldPatternError};
pub use security::Security;
pub use tenant::TenantRule;

use cors::Cors;
use removal::Removal;

/// The compiled `http` section.
#[derive(Debug)]
pub struct Hygiene {
    cors: Option<Cors>,
    guard: Option<Guard>,
    security: Security,
    requests: Removal,
    responses: Removal,
    paths: Paths,
    trace_context: TraceContext,
    rpc_status: RpcStatus,
    rate_limit_fields: RateLimitFields,
    passes_agent_errors: bool,
    tenant: Option<TenantRule>,
}

/// What a request tells of the page that it comes from.
#[derive(Debug)]
pub(super) struct Visit {
    // The page's origin, as the policy has it, if the page may read the answer.
    granted: Option<HeaderValue>,
    is_tls: bool,
}

impl Visit {
    /// The request could not be read.
    pub(super) const fn unread(is_tls: bool) -> Self {
        Self {
            granted: None,
            is_tls,
        }
    }
}

/// A preflight that is answered here, and the statement that says so.
pub(super) struct Preflight {
    pub(super) head: response::Parts,
    pub(super) rule: Arc<RuleRef>,
}

impl Hygiene {
    /// Makes of a checked section what each call needs.
    pub fn compile(config: Config) -> Self {
        Self {
            cors: config.cors.map(Cors::compile),
            guard: config.origins,
            security: config.security,
            requests: Removal::new(config.remove_request, false),
            responses: Removal::new(config.remove_response, config.hides_server),
            paths: config.paths,
            trace_context: config.trace_context,
            rpc_status: config.rpc_status,
            rate_limit_fields: config.rate_limit_fields,
            passes_agent_errors: config.passes_agent_errors,
            tenant: config.tenant,
        }
    }

    /// The HTTP status of refusals inside JSON-RPC.
    pub(super) const fn rpc_status(&self) -> RpcStatus {
        self.rpc_status
    }

    /// In which fields callers are told how much is left of their quotas.
    pub(super) const fn rate_limit_fields(&self) -> RateLimitFields {
        self.rate_limit_fields
    }

    /// Whether the agent's own errors are written anew, without what tells of its inside.
    pub(super) const fn scrubs_agent_errors(&self) -> bool {
        !self.passes_agent_errors
    }

    /// Judges the tenant that a call names.
    ///
    /// # Errors
    /// When it is not the caller's.
    pub(super) fn check_tenant(&self, call: &Call, tenant: &TenantId) -> Result<(), Refusal> {
        let rule = self.tenant.as_ref();
        rule.map_or(Ok(()), |rule| rule.check(call, tenant))
    }

    /// Whether paths are put into their normal form before they are judged.
    pub(super) fn normalises_paths(&self) -> bool {
        self.paths == Paths::Normalise
    }

    /// Whether callers may name the trace that their call is part of.
    pub(super) fn continues_traces(&self) -> bool {
        self.trace_context == TraceContext::Continue
    }

    /// What the answer must know of the request.
    pub(super) fn visit(&self, headers: &HeaderMap, is_tls: bool) -> Visit {
        let granted = self.cors.as_ref().and_then(|cors| cors.grant(headers));
        Visit { granted, is_tls }
    }

    /// Judges where a request comes from, before it is asked who sends it: a browser puts no credential into a
    /// preflight (Fetch, section 3.2.2), so that is answered here.
    ///
    /// # Errors
    /// When a web page asks that may not.
    pub(super) fn admit(&self, parts: &Parts, visit: &Visit) -> Result<Option<Preflight>, Refusal> {
        if let Some(guard) = &self.guard
            && !guard.admits(&parts.headers)
        {
            let refusal = Refusal::new(Reason::OriginDenied).rule(Arc::clone(&guard.rule));
            return Err(refusal.detail("`origins` does not list where the request comes from"));
        }
        let Some(cors) = self.cors.as_ref().filter(|_| cors::is_preflight(parts)) else {
            return Ok(None);
        };
        if visit.granted.is_none() {
            let refusal = Refusal::new(Reason::OriginDenied).rule(Arc::clone(&cors.rule));
            return Err(refusal.detail("`cors` does not list where the preflight comes from"));
        }
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = StatusCode::NO_CONTENT;
        cors.permit(&mut head.headers);
        Ok(Some(Preflight {
            head,
            rule: Arc::clone(&cors.rule),
        }))
    }

    /// Takes off what the agent shall not see. Call it before fields of our own are set.
    pub(super) fn strip_request(&self, headers: &mut HeaderMap) {
        self.requests.apply(headers);
    }

    /// Takes off what the caller shall not see of the agent's own fields.
    pub(super) fn strip_answer(&self, headers: &mut HeaderMap) {
        self.responses.apply(headers);
        if self.cors.is_some() {
            cors::remove(headers);
        }
    }

    /// Adds what browsers must know, to answers and refusals alike: a page that cannot read why it was refused
    /// can only guess.
    pub(super) fn towards_caller(&self, headers: &mut HeaderMap, visit: &Visit) {
        self.security.apply(headers, visit.is_tls);
        if let Some(cors) = &self.cors {
            cors.apply(headers, visit.granted.as_ref());
        }
    }
}

impl Guard {
    /// A caller that is no page of a browser sends no `Origin` (Fetch, section 3.2), and more than one is none
    /// that a browser sends.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => self.origins.find(origin).is_some(),
            (Some(_), Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests;
