//! The parts of a message that a signature may cover, borrowed from wherever they lie.

use std::borrow::Cow;

use http::HeaderMap;

/// A request, as its sender saw it (RFC 9421, section 2.2).
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// With its case kept.
    pub method: &'a str,
    /// `http` or `https`: what the sender used, which is not what arrives here if another hop ended its TLS.
    pub scheme: &'a str,
    /// Host and port, from `:authority` or `Host`.
    pub authority: &'a str,
    /// The path as it came, percent-encoding kept. Empty means `/`.
    pub path: &'a str,
    /// The query as it came, without its `?`.
    pub query: Option<&'a str>,
    /// The target of the request line, where it is not path and query (RFC 9112, section 3.2): `*`, or an
    /// absolute URL.
    pub target: Option<&'a str>,
    /// The fields of the head.
    pub headers: &'a HeaderMap,
}

impl<'a> Request<'a> {
    /// Lower case, and without the port that the scheme has anyway (section 2.2.3).
    pub(super) fn normal_authority(&self) -> Cow<'a, str> {
        let default = match self.scheme {
            "https" => ":443",
            "http" => ":80",
            _ => "",
        };
        let authority = self.authority;
        let authority = match authority.strip_suffix(default) {
            // `[::443]` ends in `]`, so that what is cut off is a port.
            Some(host) if !host.is_empty() => host,
            _ => authority,
        };
        if authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(authority.to_ascii_lowercase())
        } else {
            Cow::Borrowed(authority)
        }
    }

    /// Never empty (section 2.2.6).
    pub(super) const fn normal_path(&self) -> &'a str {
        if self.path.is_empty() { "/" } else { self.path }
    }
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// A request.
    Request(Request<'a>),
    /// An answer, and what it answers.
    Response {
        /// The status code.
        status: u16,
        /// The fields of the answer's head.
        headers: &'a HeaderMap,
        /// What is answered, for components with `;req` (section 2.4).
        request: Option<Request<'a>>,
    },
}

impl<'a> Message<'a> {
    /// The fields of the message itself.
    pub const fn headers(&self) -> &'a HeaderMap {
        match self {
            Self::Request(request) => request.headers,
            Self::Response { headers, .. } => headers,
        }
    }
}
