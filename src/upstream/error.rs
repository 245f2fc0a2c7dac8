//! Why the agent's answer did not come, or did not come whole.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use crate::http1::BodyError;
use crate::model::Reason;

/// Why an exchange with the agent failed: one variant per fact.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The agent closed the connection, or reset the stream, before it began to answer.
    #[error("the agent closed the connection without an answer")]
    Closed(#[source] Broken),
    /// Nothing listens there, or the name is unknown.
    #[error("cannot connect to the agent")]
    Connect(#[source] io::Error),
    /// The connection did not open in time.
    #[error("the agent did not accept a connection in time")]
    ConnectTimeout,
    /// It failed too often, or its probes fail, and is not asked for a while.
    #[error("the agent is not asked for now, since it failed before")]
    Ejected {
        /// When it may be asked again.
        retry_after: Duration,
    },
    /// The answer did not begin in time.
    #[error("the agent did not begin to answer in time")]
    FirstByteTimeout,
    /// The answer's head says two things about where its body ends.
    #[error("the agent's answer has an ambiguous length: {0}")]
    Framing(#[from] FramingError),
    /// The answer began and then paused for too long.
    #[error("the agent paused in its answer for too long")]
    IdleTimeout,
    /// The bytes are not the HTTP that was agreed on, or its head is above the limit.
    #[error("the agent's answer is not valid HTTP")]
    Malformed(#[source] Broken),
    /// The request's body ended badly; the agent is not to blame.
    #[error("the request's body failed")]
    RequestBody(#[from] RequestBodyError),
    /// As many exchanges as may be are with the agent, and as many calls as may wait do.
    #[error("too many calls are with the agent, or wait for it")]
    Saturated,
    /// The agent is not who it should be, does not want us, or does not speak TLS.
    #[error("no TLS with the agent; {}", remedy(.0))]
    Tls(#[source] rustls::Error),
    /// The whole exchange took too long.
    #[error("the exchange took longer than it may")]
    TotalTimeout,
    /// The answer ended before its declared end.
    #[error("the agent's answer ended before its end")]
    Truncated(#[source] Option<Broken>),
    /// The request cannot be said in HTTP/2.
    #[error("the request cannot be said in HTTP/2")]
    Unsendable(#[source] http::Error),
    /// The agent switched to a protocol that nobody asked for (RFC 9110, section 7.8).
    #[error("the agent switched protocols without being asked")]
    Upgrade,
}

/// What ended a connection to the agent, or an exchange on it.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The body of the answer is not framed as its head says.
    #[error(transparent)]
    Body(BodyError),
    /// The agent closed.
    #[error("the connection ended")]
    Ended,
    /// The bytes are no head of an answer.
    #[error("the head is not well-formed: {0}")]
    Head(httparse::Error),
    /// An HTTP/2 connection failed, or one of its streams.
    #[error(transparent)]
    Http2(hyper::Error),
    /// The head says two lengths, or none that is one.
    #[error("the length is not one number")]
    Length,
    /// The head is above the limit.
    #[error("the head is above {} bytes", super::HEAD_BYTES)]
    TooLarge,
    /// Bytes came before anything was asked.
    #[error("bytes came that nobody asked for")]
    Unasked,
    /// Reading or writing failed.
    #[error(transparent)]
    Wire(io::Error),
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
        "ejected",
        "first-byte-timeout",
        "framing",
        "idle-timeout",
        "malformed",
        "request-body",
        "saturated",
        "tls",
        "total-timeout",
        "truncated",
        "unsendable",
        "upgrade",
    ];

    /// The stable word for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect-timeout",
            Self::Ejected { .. } => "ejected",
            Self::FirstByteTimeout => "first-byte-timeout",
            Self::Framing(_) => "framing",
            Self::IdleTimeout => "idle-timeout",
            Self::Malformed(_) => "malformed",
            Self::RequestBody(_) => "request-body",
            Self::Saturated => "saturated",
            Self::Tls(_) => "tls",
            Self::TotalTimeout => "total-timeout",
            Self::Truncated(_) => "truncated",
            Self::Unsendable(_) => "unsendable",
            Self::Upgrade => "upgrade",
        }
    }

    /// What the caller and the audit record are told.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Closed(_)
            | Self::Connect(_)
            | Self::ConnectTimeout
            | Self::Ejected { .. }
            | Self::Tls(_) => Reason::UpstreamUnavailable,
            Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout => {
                Reason::UpstreamTimeout
            }
            Self::Framing(_) | Self::Malformed(_) | Self::Upgrade => Reason::UpstreamInvalid,
            Self::RequestBody(error) => error.reason(),
            Self::Saturated => Reason::Overloaded,
            Self::Truncated(_) => Reason::UpstreamTruncated,
            Self::Unsendable(_) => Reason::MalformedRequest,
        }
    }

    /// When the same call might pass, where there is something to tell.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Ejected { retry_after } => Some(*retry_after),
            Self::Saturated => Some(Duration::from_secs(1)),
            Self::Closed(_)
            | Self::Connect(_)
            | Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::Framing(_)
            | Self::IdleTimeout
            | Self::Malformed(_)
            | Self::RequestBody(_)
            | Self::Tls(_)
            | Self::TotalTimeout
            | Self::Truncated(_)
            | Self::Unsendable(_)
            | Self::Upgrade => None,
        }
    }

    /// A handshake that failed.
    pub(super) fn handshake(error: io::Error) -> Self {
        match tls_error(&error) {
            Some(error) => Self::Tls(error.clone()),
            None => Self::Connect(error),
        }
    }

    /// Reading or writing failed while no answer had begun.
    pub(super) fn not_answered(error: io::Error) -> Self {
        match tls_error(&error) {
            // With TLS 1.3 a server refuses a client's certificate after the client's handshake.
            Some(error) => Self::Tls(error.clone()),
            None => Self::Closed(Broken::Wire(error)),
        }
    }

    /// An error of an HTTP/2 connection while no answer has begun.
    pub(super) fn before_the_answer(error: hyper::Error) -> Self {
        if let Some(error) = io_error(&error).and_then(tls_error) {
            return Self::Tls(error.clone());
        }
        if error.is_parse() || http2_error(&error).is_some_and(is_violation) {
            Self::Malformed(Broken::Http2(error))
        } else {
            Self::Closed(Broken::Http2(error))
        }
    }

    /// An error of an HTTP/2 connection within the answer's body.
    pub(super) fn within_the_answer(error: hyper::Error) -> Self {
        if http2_error(&error).is_some_and(is_violation) {
            Self::Malformed(Broken::Http2(error))
        } else {
            Self::Truncated(Some(Broken::Http2(error)))
        }
    }

    /// Whether the agent says that it has not begun on the request, so that it may be sent again: the
    /// stream was refused (RFC 9113, section 8.7) or is above the last one that the agent takes (section
    /// 6.8).
    pub(super) fn is_unprocessed(&self) -> bool {
        let Self::Closed(Broken::Http2(error)) = self else {
            return false;
        };
        http2_error(error).is_some_and(|error| {
            error.is_remote()
                && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
        })
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

/// Whether it was us who found that the agent breaks the rules of HTTP/2.
fn is_violation(error: &h2::Error) -> bool {
    error.is_library()
}

fn http2_error(error: &hyper::Error) -> Option<&h2::Error> {
    error.source().and_then(|source| source.downcast_ref())
}

fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    let source = error.source()?;
    let nested = || source.downcast_ref::<h2::Error>()?.get_io();
    source.downcast_ref().or_else(nested)
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// What to do about it.
fn remedy(error: &rustls::Error) -> &'static str {
    use rustls::AlertDescription as Alert;
    use rustls::CertificateError as Certificate;
    use rustls::Error;
    match error {
        // The second is what is found when an authority was made anew under its old name.
        Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "nobody whom we trust has issued its certificate: name the authority in `upstream.tls.ca`"
        }
        Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => {
            "its certificate is for another name: name that in `upstream.tls.serverName`, or issue it for this one"
        }
        Error::InvalidCertificate(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        ) => "its certificate is not valid now: renew it, or set the clock",
        Error::InvalidCertificate(_) => "its certificate is not acceptable: issue it again",
        Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => "it does not accept who we are: check `upstream.tls.cert` and `upstream.tls.key`",
        Error::InvalidMessage(_) => {
            "it does not speak TLS at this port: use http:// or h2c://, or another port"
        }
        _ => "check `upstream.tls`",
    }
}
