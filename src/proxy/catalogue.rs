//! The single place where a reason gets its status, its code and its public text.
#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt::Write as _;

use http::StatusCode;

use crate::model::{Fault, Reason};
use crate::protocol;

/// What a reason looks like from outside.
pub(super) struct Entry {
    pub(super) status: StatusCode,
    /// The JSON-RPC code. lictor's own lie outside -32768..-32000, which A2A and MCP share out among
    /// themselves; where the dialect has a code for the very fact, it is used.
    pub(super) code: i32,
    pub(super) name: &'static str,
    pub(super) sentence: &'static str,
}

const fn entry(status: StatusCode, code: i32, name: &'static str, sentence: &'static str) -> Entry {
    Entry {
        status,
        code,
        name,
        sentence,
    }
}

/// The catalogue.
pub(super) const fn catalogue(reason: Reason) -> Entry {
    match reason {
        Reason::ArgumentDenied => entry(
            StatusCode::FORBIDDEN,
            -31017,
            "ARGUMENT_DENIED",
            "An argument of this call is not allowed.",
        ),
        Reason::AuditUnavailable => entry(
            StatusCode::SERVICE_UNAVAILABLE,
            -31008,
            "AUDIT_UNAVAILABLE",
            "This service cannot take calls at the moment. Please try again later.",
        ),
        Reason::BatchUnsupported => entry(
            StatusCode::BAD_REQUEST,
            -32600,
            "BATCH_UNSUPPORTED",
            "Batch requests are not supported.",
        ),
        Reason::ContextNotFound => entry(
            StatusCode::OK,
            -32602,
            "CONTEXT_NOT_FOUND",
            "Context not found.",
        ),
        Reason::CredentialInvalid => entry(
            StatusCode::UNAUTHORIZED,
            -31001,
            "AUTH_FAILED",
            "The credential was not accepted.",
        ),
        Reason::CredentialMissing => entry(
            StatusCode::UNAUTHORIZED,
            -31001,
            "AUTH_REQUIRED",
            "This call needs a credential.",
        ),
        Reason::DefaultDeny | Reason::DenyRule | Reason::SeniorityTooLow => entry(
            StatusCode::FORBIDDEN,
            -31002,
            "PERMISSION_DENIED",
            "You are not allowed to make this call.",
        ),
        Reason::ExpectationFailed => entry(
            StatusCode::EXPECTATION_FAILED,
            -31016,
            "EXPECTATION_FAILED",
            "The request expects what this service does not do.",
        ),
        Reason::HeadTooLarge => entry(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            -31011,
            "REQUEST_HEADER_TOO_LARGE",
            "The header fields of the request are too large.",
        ),
        Reason::HttpVersionUnsupported => entry(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            -31015,
            "HTTP_VERSION_UNSUPPORTED",
            "This service speaks HTTP/1.0, HTTP/1.1 and HTTP/2.",
        ),
        Reason::Internal => entry(
            StatusCode::INTERNAL_SERVER_ERROR,
            -31000,
            "INTERNAL_ERROR",
            "Something went wrong. Please try again later.",
        ),
        Reason::KeysUnavailable => entry(
            StatusCode::SERVICE_UNAVAILABLE,
            -31009,
            "KEYS_UNAVAILABLE",
            "Credentials cannot be checked at the moment. Please try again later.",
        ),
        Reason::LeakageDetected => entry(
            StatusCode::BAD_GATEWAY,
            -31004,
            "LEAKAGE_DETECTED",
            "Security check blocked the response. Please contact support.",
        ),
        Reason::MalformedRequest => entry(
            StatusCode::BAD_REQUEST,
            -32600,
            "INVALID_REQUEST",
            "The request is not well-formed.",
        ),
        Reason::OperationUnsupported => entry(
            StatusCode::BAD_REQUEST,
            -32004,
            "UNSUPPORTED_OPERATION",
            "This operation is not supported.",
        ),
        Reason::OriginDenied => entry(
            StatusCode::FORBIDDEN,
            -31018,
            "ORIGIN_DENIED",
            "Pages of this origin may not call this service.",
        ),
        Reason::Overloaded => entry(
            StatusCode::SERVICE_UNAVAILABLE,
            -31007,
            "OVERLOADED",
            "Too much work at the moment. Please try again later.",
        ),
        Reason::PushDenied => entry(
            StatusCode::FORBIDDEN,
            -31019,
            "PUSH_URL_DENIED",
            "Notifications may not be pushed to this address.",
        ),
        Reason::PushUnsupported => entry(
            StatusCode::BAD_REQUEST,
            -32003,
            "PUSH_NOTIFICATION_NOT_SUPPORTED",
            "Push notifications are not supported.",
        ),
        Reason::QuotaExhausted => entry(
            StatusCode::TOO_MANY_REQUESTS,
            -31021,
            "QUOTA_EXCEEDED",
            "The budget for these calls is used up. Please come back when it is renewed.",
        ),
        Reason::RateLimited => entry(
            StatusCode::TOO_MANY_REQUESTS,
            -31003,
            "RATE_LIMIT_EXCEEDED",
            "Too many requests. Please wait before trying again.",
        ),
        Reason::RequestLeak => entry(
            StatusCode::FORBIDDEN,
            -31020,
            "SECRET_IN_REQUEST",
            "The request holds something that may not be sent to this service.",
        ),
        Reason::RequestTimeout => entry(
            StatusCode::REQUEST_TIMEOUT,
            -31010,
            "REQUEST_TIMEOUT",
            "The request did not arrive in time.",
        ),
        Reason::RequestTooLarge => entry(
            StatusCode::PAYLOAD_TOO_LARGE,
            -31011,
            "REQUEST_TOO_LARGE",
            "The request is too large.",
        ),
        Reason::ResponseTooLarge => entry(
            StatusCode::BAD_GATEWAY,
            -31012,
            "RESPONSE_TOO_LARGE",
            "The agent's answer is too large.",
        ),
        Reason::Revoked => entry(
            StatusCode::FORBIDDEN,
            -31002,
            "ACCESS_REVOKED",
            "This access was withdrawn. Please contact support.",
        ),
        Reason::SessionNotFound => entry(
            StatusCode::NOT_FOUND,
            -32001,
            "SESSION_NOT_FOUND",
            "Session not found",
        ),
        Reason::ShuttingDown => entry(
            StatusCode::SERVICE_UNAVAILABLE,
            -31007,
            "SHUTTING_DOWN",
            "This service is restarting. Please try again.",
        ),
        Reason::TaskNotFound => entry(StatusCode::OK, -32001, "TASK_NOT_FOUND", "Task not found"),
        Reason::TenantExpired | Reason::TenantMismatch | Reason::TenantUnknown => entry(
            StatusCode::FORBIDDEN,
            -31002,
            "PERMISSION_DENIED",
            "You are not allowed to make this call.",
        ),
        Reason::ToolChanged => entry(
            StatusCode::FORBIDDEN,
            -31022,
            "TOOL_CHANGED",
            "This tool has changed and cannot be used until that was looked at.",
        ),
        Reason::UnsupportedCoding => entry(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            -31013,
            "UNSUPPORTED_CODING",
            "The request's content coding is not supported.",
        ),
        Reason::UpstreamInvalid | Reason::UpstreamTruncated => entry(
            StatusCode::BAD_GATEWAY,
            -31005,
            "AGENT_INVALID_RESPONSE",
            "The agent's answer could not be read.",
        ),
        Reason::UpstreamTimeout => entry(
            StatusCode::GATEWAY_TIMEOUT,
            -31006,
            "AGENT_TIMEOUT",
            "The agent took too long to answer.",
        ),
        Reason::UpstreamUnavailable => entry(
            StatusCode::SERVICE_UNAVAILABLE,
            -31014,
            "AGENT_UNAVAILABLE",
            "The agent cannot be reached. Please try again later.",
        ),
        Reason::VersionMismatch => entry(
            StatusCode::BAD_REQUEST,
            -32600,
            "VERSION_MISMATCH",
            "The protocol version and the method disagree.",
        ),
    }
}

/// What takes the place of an agent's own error. It is no refusal: the call was allowed, and the agent has answered. Over
/// JSON-RPC the agent's code stays.
pub(super) const AGENT_ERROR: Entry = entry(
    StatusCode::INTERNAL_SERVER_ERROR,
    -31020,
    "AGENT_ERROR",
    "The agent could not complete this call.",
);

/// Whether nothing of the answer may tell that lictor gave it: what is somebody else's looks like what
/// does not exist.
pub(super) const fn is_silent(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ContextNotFound | Reason::SessionNotFound | Reason::TaskNotFound
    )
}

/// Every refusal, as a page in Markdown.
pub fn errors_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut reasons: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| (catalogue(*reason).name, *reason))
        .collect();
    reasons.sort_by_key(|(name, reason)| (*name, reason.as_str()));
    for (name, reason) in reasons {
        let Entry {
            status,
            code,
            sentence,
            ..
        } = catalogue(reason);
        // Inside JSON-RPC a missing task is no error of HTTP.
        let (http, grpc) = match status {
            StatusCode::OK => ("200, over REST 404".to_owned(), 404),
            status => (status.as_u16().to_string(), status.as_u16()),
        };
        let fault = match reason.fault() {
            Fault::Downstream => "the caller",
            Fault::Internal => "lictor, or what it needs",
            Fault::Upstream => "the agent",
        };
        // Writing to a text cannot fail.
        let _ = writeln!(
            page,
            "| `{name}` | `{reason}` | {http} | {code} | {} | {fault} | {sentence} |",
            protocol::grpc_status(grpc, code),
        );
    }
    page.push_str(FORMS);
    page
}

const INTRODUCTION: &str = "# Every refusal

Made of the catalogue that refusals are made of. The caller reads the name, the sentence, the decision and the id of the exchange, in the form of its
dialect ([dialects.md](dialects.md)); records and metrics have the reason, and records the facts behind it, which the caller never learns. A rule's `say` takes the place of
the sentence. Names and codes are stable: programs may tell by them what to do.

| name | reason | HTTP | JSON-RPC | gRPC | whose fault | sentence |
|---|---|---|---|---|---|---|
";

const FORMS: &str = "
A request that is not well-formed has the code that JSON-RPC itself has for it (-32700, -32600, -32602), and a head of MCP 2026-07-28 that contradicts its body -32020. A
task that is somebody else's, or nobody's, is `TASK_NOT_FOUND` in the agent's own words, without a mark of lictor; to clients of MCP its code is -32602.

An error of the agent's own is no refusal and has no reason. Where it told of the agent's inside ([dialects.md](dialects.md#errors-of-the-agent)), the caller reads
`AGENT_ERROR`, \"The agent could not complete this call.\" and the decision, under the agent's status, over JSON-RPC and gRPC also under its code. Where the
dialect leaves the code to us, it is -31020.

The HTTP status is the one of the table also inside JSON-RPC. Clients that read errors of JSON-RPC only in answers with 200 get them so with
`http: { jsonRpcStatus: ok }`; 401 stays, since it asks for a credential.

## What to do

| status | a client should |
|---|---|
| 400, 404, 413, 415, 417, 431, 505 | not send the same again |
| 401 | get a credential, or a newer one; `WWW-Authenticate` says which |
| 403 | stop; somebody has to grant it. With a scope in `WWW-Authenticate`, ask for a token with that |
| 408, 503 | try again after `Retry-After`, or with growing pauses |
| 429 `RATE_LIMIT_EXCEEDED` | wait for `Retry-After`, which is soon, and call more slowly; `RateLimit` says how much is left |
| 429 `QUOTA_EXCEEDED` | not try again before `Retry-After`, which may be hours: a budget is spent |
| 500, 502, 504 | not take the call for done; try again only what may happen twice |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_dialect_or_outside_the_reserved_range() {
        for reason in Reason::ALL {
            let entry = catalogue(*reason);
            let own = !(-32768..=-32000).contains(&entry.code);
            let shared = [-32600, -32602, -32001, -32003, -32004].contains(&entry.code);
            assert!(own || shared, "{reason}: {}", entry.code);
            assert!(!entry.sentence.is_empty() && !entry.name.is_empty());
        }
    }

    #[test]
    fn a_code_of_ours_belongs_to_one_fact_or_one_kind_of_fact() {
        let mut named = std::collections::BTreeMap::new();
        for reason in Reason::ALL {
            let entry = catalogue(*reason);
            if entry.code > -32000 {
                named
                    .entry(entry.code)
                    .or_insert_with(Vec::new)
                    .push(entry.status);
            }
        }
        for (code, statuses) in named {
            let first = statuses.first().copied();
            // Too large is too large, whatever it is.
            let alike = statuses.iter().all(|status| Some(*status) == first) || code == -31011;
            assert!(alike, "{code}: {statuses:?}");
        }
    }
}
