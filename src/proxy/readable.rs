//! Whether an answer is one that can be read.

use http::header::{self, HeaderMap, HeaderName};
use http::{StatusCode, response};

use crate::model::{Reason, Refusal};

/// Refuses what the scan could not read: it must not pass unread.
///
/// # Errors
/// When that is so.
pub(super) fn refuse_unreadable(head: &response::Parts) -> Result<(), Refusal> {
    let why = match head.status {
        StatusCode::PARTIAL_CONTENT => Some("a 206 that nobody asked for"),
        _ => unreadable(&head.headers),
    };
    why.map_or(Ok(()), |why| {
        Err(Refusal::new(Reason::UpstreamInvalid).detail(why))
    })
}

/// Why a body with this head cannot be read as its reader does, if that is so.
pub(super) fn unreadable(headers: &HeaderMap) -> Option<&'static str> {
    let mut codings = headers.get_all(&GRPC_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Some("compressed messages although identity was asked for");
    }
    ambiguous(headers)
}

/// How messages are compressed (gRPC over HTTP/2, "Responses").
static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Why a body may be read as another kind of text than we read it, if that is so.
fn ambiguous(headers: &HeaderMap) -> Option<&'static str> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let first = types.next()?;
    if types.next().is_some() {
        return Some("several content types");
    }
    let foreign = first
        .as_bytes()
        .split(|byte| *byte == b';')
        .skip(1)
        .filter_map(|parameter| parameter.trim_ascii().split_at_checked(b"charset=".len()))
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"charset="))
        .any(|(_, charset)| is_unlike_ascii(charset));
    foreign.then_some("a character set in which nothing can be found")
}

/// Whether plain letters are other bytes in this character set. Those of the web are ASCII and more, but
/// for these families.
fn is_unlike_ascii(charset: &[u8]) -> bool {
    let name = charset.trim_ascii().to_ascii_lowercase();
    let name = name.strip_prefix(b"\"").unwrap_or(&name);
    let families: [&[u8]; 8] = [
        b"utf-16",
        b"utf16",
        b"utf-32",
        b"utf32",
        b"utf-7",
        b"utf7",
        b"ucs",
        b"iso-10646",
    ];
    let ebcdic: [&[u8]; 3] = [b"ibm", b"cp037", b"ebcdic"];
    families
        .iter()
        .chain(&ebcdic)
        .any(|family| name.starts_with(family))
}
