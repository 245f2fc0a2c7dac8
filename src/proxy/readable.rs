//! Whether an answer is one that can be read.

use http::header::{self, HeaderMap, HeaderName};
use http::{StatusCode, response};

use crate::model::{Reason, Refusal};

/// Refuses what the scan could not read: it must not pass unread.
///
/// # Errors
/// When that is so.
pub(super) fn refuse_unreadable(head: &response::Parts) -> Result<(), Refusal> {
    if head.status == StatusCode::PARTIAL_CONTENT {
        return Err(Refusal::new(Reason::UpstreamInvalid).detail("a 206 that nobody asked for"));
    }
    refuse_ambiguous(&head.headers)?;
    let mut codings = head.headers.get_all(&GRPC_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::new(Reason::UpstreamInvalid)
            .detail("compressed messages although identity was asked for"));
    }
    Ok(())
}

/// How messages are compressed (gRPC over HTTP/2, "Responses").
static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Refuses a body that the caller may read as another kind of text than we.
fn refuse_ambiguous(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(first) = types.next() else {
        return Ok(());
    };
    if types.next().is_some() {
        return Err(Refusal::new(Reason::UpstreamInvalid).detail("several content types"));
    }
    let foreign = first
        .as_bytes()
        .split(|byte| *byte == b';')
        .skip(1)
        .filter_map(|parameter| parameter.trim_ascii().split_at_checked(b"charset=".len()))
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"charset="))
        .any(|(_, charset)| is_unlike_ascii(charset));
    if foreign {
        return Err(Refusal::new(Reason::UpstreamInvalid)
            .detail("a character set in which nothing can be found"));
    }
    Ok(())
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
