//! google.rpc.Status, which A2A 1.0 speaks over REST (section 11.6), and its details, which it has over JSON-RPC too.

use serde::Serialize;

use super::{A2A_DOMAIN, Metadata, OWN_DOMAIN, PublicError, Voice, whole_seconds};

#[derive(Serialize)]
struct Body<'a> {
    error: Status<'a>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    status: &'static str,
    message: &'a str,
    details: Vec<Detail<'a>>,
}

/// google.rpc.ErrorInfo and google.rpc.RetryInfo, as the elements of `data` in A2A 1.0, section 9.5.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Detail<'a> {
    #[serde(rename_all = "camelCase")]
    ErrorInfo {
        #[serde(rename = "@type")]
        kind: &'static str,
        reason: &'a str,
        domain: &'static str,
        metadata: Metadata<'a>,
    },
    #[serde(rename_all = "camelCase")]
    RetryInfo {
        #[serde(rename = "@type")]
        kind: &'static str,
        retry_delay: String,
    },
}

/// The body of a refusal.
pub(super) fn json(error: &PublicError<'_>) -> String {
    super::json(&Body {
        error: Status {
            code: error.status,
            status: Code::of(error.status).as_str(),
            message: error.message,
            details: details(error),
        },
    })
}

pub(super) fn details<'a>(error: &PublicError<'a>) -> Vec<Detail<'a>> {
    let info = |reason, domain, metadata| Detail::ErrorInfo {
        kind: "type.googleapis.com/google.rpc.ErrorInfo",
        reason,
        domain,
        metadata,
    };
    let mut details = Vec::with_capacity(2);
    if let Some(reason) = error.kept {
        // First: clients take the first that they find.
        details.push(info(reason, A2A_DOMAIN, Metadata::default()));
    }
    let domain = match error.voice {
        Voice::Agent => A2A_DOMAIN,
        Voice::Lictor => OWN_DOMAIN,
    };
    details.push(info(error.reason, domain, Metadata::of(error)));
    if let Some(delay) = error.retry_after {
        details.push(Detail::RetryInfo {
            kind: "type.googleapis.com/google.rpc.RetryInfo",
            retry_delay: format!("{}s", whole_seconds(delay)),
        });
    }
    details
}

/// google.rpc.Code, as far as refusals need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
}

impl Code {
    /// The code for an HTTP status, as google.rpc.Code maps them. A blocked answer is `INTERNAL`, since who gets
    /// `UNAVAILABLE` asks again.
    pub(super) const fn of(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            408 | 504 => Self::DeadlineExceeded,
            413 | 429 | 431 => Self::ResourceExhausted,
            417 => Self::FailedPrecondition,
            501 | 505 => Self::Unimplemented,
            503 => Self::Unavailable,
            400..=499 => Self::InvalidArgument,
            _ => Self::Internal,
        }
    }

    /// Its number.
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::DeadlineExceeded => 4,
            Self::FailedPrecondition => 9,
            Self::Internal => 13,
            Self::InvalidArgument => 3,
            Self::NotFound => 5,
            Self::PermissionDenied => 7,
            Self::ResourceExhausted => 8,
            Self::Unauthenticated => 16,
            Self::Unavailable => 14,
            Self::Unimplemented => 12,
        }
    }

    /// Its name in JSON.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Internal => "INTERNAL",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unimplemented => "UNIMPLEMENTED",
        }
    }
}
