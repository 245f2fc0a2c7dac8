//! Why the agent's answer did not come, or did not come whole.

use std::error::Error as _;
use std::io;

use crate::model::Reason;

/// Why an exchange with the agent failed: one variant per fact.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The agent closed the connection before it began to answer.
    #[error("the agent closed the connection without an answer")]
    Closed(#[source] hyper::Error),
    /// Nothing listens there, or the name is unknown.
    #[error("cannot connect to the agent")]
    Connect(#[source] io::Error),
    /// The connection did not open in time.
    #[error("the agent did not accept a connection in time")]
    ConnectTimeout,
    /// The answer did not begin in time.
    #[error("the agent did not begin to answer in time")]
    FirstByteTimeout,
    /// The answer's head says two things about where its body ends.
    #[error("the agent's answer has an ambiguous length: {0}")]
    Framing(#[from] FramingError),
    /// The answer began and then paused for too long.
    #[error("the agent paused in its answer for too long")]
    IdleTimeout,
    /// The bytes are not HTTP/1.1, or its head is above the limit.
    #[error("the agent's answer is not valid HTTP")]
    Malformed(#[source] hyper::Error),
    /// The request's body ended badly; the agent is not to blame.
    #[error("the request's body failed")]
    RequestBody(#[from] RequestBodyError),
    /// The whole exchange took too long.
    #[error("the exchange took longer than it may")]
    TotalTimeout,
    /// The answer ended before its declared end.
    #[error("the agent's answer ended before its end")]
    Truncated(#[source] Option<hyper::Error>),
    /// The agent switched to a protocol that nobody asked for (RFC 9110, section 7.8).
    #[error("the agent switched protocols without being asked")]
    Upgrade,
}

/// How the head of an answer contradicts itself. Whoever reads such an answer decides for itself
/// where it ends, and that gap is how answers are split (RFC 9112, section 11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112, section 6.3).
    #[error("both content-length and transfer-encoding")]
    Both,
    /// `Content-Length` more than once, or not one number.
    #[error("content-length is not one number")]
    ContentLength,
    /// `Transfer-Encoding` that is not exactly `chunked`.
    #[error("transfer-encoding is not chunked")]
    TransferEncoding,
}

/// Why a request's body could not be sent to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestBodyError {
    /// The caller went away, or its framing is wrong.
    #[error("the caller's body ended before its end")]
    Broken,
    /// The caller paused for too long.
    #[error("the caller paused in its body for too long")]
    Stalled,
    /// More bytes than the limit.
    #[error("the caller's body is above the limit")]
    TooLarge,
}

impl UpstreamError {
    /// Every label, for registering metrics.
    pub const LABELS: &[&str] = &[
        "closed",
        "connect",
        "connect-timeout",
        "first-byte-timeout",
        "framing",
        "idle-timeout",
        "malformed",
        "request-body",
        "total-timeout",
        "truncated",
        "upgrade",
    ];

    /// The stable word for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect-timeout",
            Self::FirstByteTimeout => "first-byte-timeout",
            Self::Framing(_) => "framing",
            Self::IdleTimeout => "idle-timeout",
            Self::Malformed(_) => "malformed",
            Self::RequestBody(_) => "request-body",
            Self::TotalTimeout => "total-timeout",
            Self::Truncated(_) => "truncated",
            Self::Upgrade => "upgrade",
        }
    }

    /// What the caller and the audit record are told.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Closed(_) | Self::Connect(_) | Self::ConnectTimeout => {
                Reason::UpstreamUnavailable
            }
            Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout => {
                Reason::UpstreamTimeout
            }
            Self::Framing(_) | Self::Malformed(_) | Self::Upgrade => Reason::UpstreamInvalid,
            Self::RequestBody(error) => error.reason(),
            Self::Truncated(_) => Reason::UpstreamTruncated,
        }
    }

    /// An error of the connection while no answer has begun.
    pub(super) fn before_the_answer(error: hyper::Error) -> Self {
        if error.is_parse() {
            Self::Malformed(error)
        } else {
            Self::Closed(error)
        }
    }

    /// An error of the connection within the answer's body.
    pub(super) fn within_the_answer(error: hyper::Error) -> Self {
        if is_bad_framing(&error) {
            Self::Malformed(error)
        } else {
            Self::Truncated(Some(error))
        }
    }
}

impl RequestBodyError {
    /// What the caller and the audit record are told.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Broken => Reason::MalformedRequest,
            Self::Stalled => Reason::RequestTimeout,
            Self::TooLarge => Reason::RequestTooLarge,
        }
    }
}

/// Whether bytes came that are no chunk, as opposed to bytes that did not come.
fn is_bad_framing(error: &hyper::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            )
        })
}
