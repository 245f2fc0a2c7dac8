//! Why bytes of a caller are no request.

use crate::model::Reason;

/// Why a head is not the head of a request, or not one that everybody reads alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// A line that ends with LF alone. Some readers take it for an end of line and some do not (RFC
    /// 9112, section 2.2).
    #[error("a line ends without a carriage return")]
    BareNewline,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112, section 6.3).
    #[error("both content-length and transfer-encoding")]
    BothLengths,
    /// `Content-Length` more than once, or not one number.
    #[error("content-length is not one number")]
    ContentLength,
    /// The request line or a field is not as the grammar has it.
    #[error("the head is not well-formed: {0}")]
    Syntax(httparse::Error),
    /// The target is in none of the forms that the method allows (RFC 9112, section 3.2).
    #[error("the request target is not one")]
    Target,
    /// The head did not come to its end in time.
    #[error("the head did not arrive in time")]
    Timeout,
    /// More bytes than the limit.
    #[error("the head is above {0} bytes")]
    TooLarge(usize),
    /// More fields than the limit.
    #[error("the head has more than {0} fields")]
    TooManyFields(usize),
    /// `Transfer-Encoding` that is not exactly `chunked`, or one in HTTP/1.0.
    #[error("transfer-encoding is not `chunked`")]
    TransferEncoding,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    #[error("the protocol version is not spoken here")]
    Version,
}

impl HeadError {
    /// What the caller and the audit record are told.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::BareNewline
            | Self::BothLengths
            | Self::ContentLength
            | Self::Syntax(_)
            | Self::Target
            | Self::TransferEncoding => Reason::MalformedRequest,
            Self::Timeout => Reason::RequestTimeout,
            Self::TooLarge(_) | Self::TooManyFields(_) => Reason::HeadTooLarge,
            Self::Version => Reason::HttpVersionUnsupported,
        }
    }
}

/// Why the body of a request did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A chunk's size, extension or end is not as the grammar has it (RFC 9112, section 7.1).
    #[error("the chunked coding is not well-formed")]
    Chunk,
    /// The caller went away.
    #[error("the connection ended before the body")]
    Ended,
    /// Extensions or trailers above the limit.
    #[error("the chunked coding carries too much besides the body")]
    Overhead,
    /// A trailer field that is not well-formed, or that has no business in a trailer (RFC 9110, section
    /// 6.5.1).
    #[error("a trailer field is not allowed")]
    Trailer,
}
