//! The closed list of why not.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::place::RuleRef;

/// Whose fault a refusal is: metrics and retries need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller sent something that it should not have.
    Downstream,
    /// We could not do our part.
    Internal,
    /// The agent did not do its part.
    Upstream,
}

impl Fault {
    /// The word that stands in metrics and audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Internal => "internal",
            Self::Upstream => "upstream",
        }
    }
}

macro_rules! reasons {
    ($($(#[$meta:meta])* $variant:ident $text:literal $fault:ident),* $(,)?) => {
        /// Why a call was refused or its answer cut short: one variant per fact, in alphabetical order.
        ///
        /// The texts are stable: they stand in audit records, metrics and error bodies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$meta])* $variant),*
        }

        impl Reason {
            /// Every reason, for registering metrics and for tests that sweep them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable word for logs, metrics and audit records.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }

            /// Whose fault it is.
            pub const fn fault(self) -> Fault {
                match self {
                    $(Self::$variant => Fault::$fault),*
                }
            }
        }
    };
}

reasons! {
    /// An argument of a tool is not what the policy lets it be.
    ArgumentDenied "argument-denied" Downstream,
    /// The audit record cannot be written, and the operator wants no unrecorded call.
    AuditUnavailable "audit-unavailable" Internal,
    /// A JSON-RPC batch, in a dialect that has none.
    BatchUnsupported "batch-unsupported" Downstream,
    /// The call names a context of somebody else.
    ContextNotFound "context-not-found" Downstream,
    /// A credential is present and wrong.
    CredentialInvalid "credential-invalid" Downstream,
    /// No credential, and nothing is granted to `anonymous`.
    CredentialMissing "credential-missing" Downstream,
    /// Nothing allows it.
    DefaultDeny "default-deny" Downstream,
    /// A deny rule matched.
    DenyRule "deny-rule" Downstream,
    /// The request expects what nobody can promise (RFC 9110, section 10.1.1).
    ExpectationFailed "expectation-failed" Downstream,
    /// The head of the request has more bytes or fields than the operator allows.
    HeadTooLarge "head-too-large" Downstream,
    /// A version of HTTP that is not spoken here.
    HttpVersionUnsupported "http-version-unsupported" Downstream,
    /// A bug of ours; the call did not pass.
    Internal "internal" Internal,
    /// The keys that would verify the credential could not be had.
    KeysUnavailable "keys-unavailable" Internal,
    /// The scan blocked the answer.
    LeakageDetected "leakage-detected" Upstream,
    /// The request is not well-formed in its dialect.
    MalformedRequest "malformed-request" Downstream,
    /// The operation is known and lictor cannot guard it yet, so it does not pass.
    OperationUnsupported "operation-unsupported" Downstream,
    /// The request comes from a web page that may not ask.
    OriginDenied "origin-denied" Downstream,
    /// More work than the limits allow.
    Overloaded "overloaded" Internal,
    /// News may not be pushed to where the caller wants it.
    PushDenied "push-denied" Downstream,
    /// The policy lets nobody have news pushed.
    PushUnsupported "push-unsupported" Downstream,
    /// A budget is spent; it is whole again when its period is over.
    QuotaExhausted "quota-exhausted" Downstream,
    /// Calls come faster than a quota lets them.
    RateLimited "rate-limited" Downstream,
    /// The scan blocked the request.
    RequestLeak "request-leak" Downstream,
    /// The request's body did not arrive in time.
    RequestTimeout "request-timeout" Downstream,
    /// The request's body is above its limit.
    RequestTooLarge "request-too-large" Downstream,
    /// The answer's body is above its limit.
    ResponseTooLarge "response-too-large" Upstream,
    /// The caller, its credential, its tenant, the agent or the task is revoked.
    Revoked "revoked" Downstream,
    /// The caller is too junior to instruct this agent.
    SeniorityTooLow "seniority-too-low" Downstream,
    /// No such session for this caller: foreign, unknown and ended are one.
    SessionNotFound "session-not-found" Downstream,
    /// lictor is draining.
    ShuttingDown "shutting-down" Internal,
    /// No such task for this caller: foreign, unknown and missing are one.
    TaskNotFound "task-not-found" Downstream,
    /// The tenant's time is over.
    TenantExpired "tenant-expired" Downstream,
    /// The call names another tenant than its caller's, or none where it has to.
    TenantMismatch "tenant-mismatch" Downstream,
    /// The credential names no tenant, or one that the policy does not serve.
    TenantUnknown "tenant-unknown" Downstream,
    /// The agent describes the tool otherwise than the policy has pinned it.
    ToolChanged "tool-changed" Upstream,
    /// The body's content coding cannot be read, so it cannot be judged.
    UnsupportedCoding "unsupported-coding" Downstream,
    /// The agent's answer is not one message that we can pass on.
    UpstreamInvalid "upstream-invalid" Upstream,
    /// The agent did not answer in time.
    UpstreamTimeout "upstream-timeout" Upstream,
    /// The agent's answer ended before its end.
    UpstreamTruncated "upstream-truncated" Upstream,
    /// The agent cannot be reached.
    UpstreamUnavailable "upstream-unavailable" Upstream,
    /// Two places of the request name different versions or methods.
    VersionMismatch "version-mismatch" Downstream,
}

impl Reason {
    /// Whether a quota says no.
    pub const fn is_of_a_quota(self) -> bool {
        matches!(self, Self::QuotaExhausted | Self::RateLimited)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of a quota is left, as `RateLimit` and `RateLimit-Policy` tell it
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The quota's name in the policy.
    pub quota: Arc<str>,
    /// How many the window holds.
    pub limit: u64,
    /// How many calls would pass now.
    pub remaining: u64,
    /// When the quota is whole again; when nothing is left of it, when the next call would pass.
    ///
    /// `None` where time alone changes nothing.
    pub reset: Option<Duration>,
    /// The window, where there is one.
    pub window: Option<Duration>,
    /// What is counted.
    pub unit: QuotaUnit,
}

/// What a quota counts (draft-ietf-httpapi-ratelimit-headers, section 3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaUnit {
    /// Calls at the same time.
    ConcurrentRequests,
    /// Tasks that are not finished.
    LiveTasks,
    /// Calls.
    Requests,
    /// Calls that may begin a task.
    Tasks,
    /// Tokens of models.
    Tokens,
}

/// Any of our "no"s on its way to the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The fact behind it, for the audit record and the log only; it never reaches the caller.
    pub detail: Option<Arc<str>>,
    /// The statement of the policy that decided, if one did.
    pub rule: Option<Arc<RuleRef>>,
    /// What the author wants the caller to read instead of the catalogue's sentence.
    pub say: Option<Arc<str>>,
    /// What a caller without a good credential is asked for, where it is not a bearer token.
    pub challenge: Option<Challenge>,
    /// When the same call would pass.
    pub retry_after: Option<Duration>,
    /// The standing of the quotas that were looked at; the refusing one is first.
    pub standings: Vec<Standing>,
}

/// What a caller is asked for with a 401 (RFC 9110, section 11.6.1), where it is not a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// A token that is bound to a key (RFC 9449, section 7.1), where the caller brought none.
    Dpop,
    /// That, or a bearer token.
    DpopOrBearer,
    /// A good proof that it holds the key of its token (RFC 9449, section 4.3).
    DpopProof,
    /// A good token that is bound to a key (RFC 9449, section 7.1).
    DpopToken,
}

impl Refusal {
    /// A refusal that needs no more words than its reason.
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
            rule: None,
            say: None,
            challenge: None,
            retry_after: None,
            standings: Vec::new(),
        }
    }

    /// The same refusal with the fact behind it, for the audit record and the log.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string().into());
        self
    }

    /// The same for a fact that was put into words before.
    #[must_use]
    pub fn known_detail(mut self, detail: Arc<str>) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The same refusal with the statement that decided.
    #[must_use]
    pub fn rule(mut self, rule: Arc<RuleRef>) -> Self {
        self.rule = Some(rule);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_once_and_in_order() {
        let names: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| format!("{reason:?}"))
            .collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
