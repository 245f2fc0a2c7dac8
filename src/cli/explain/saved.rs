//! A request as somebody saved it: what a proxy writes to a file, what `curl -v` shows, what an editor made of either.

use bytes::Bytes;
use http::request::Parts;

use crate::http1::{self, Framing, HeadError};

/// A saved request.
#[derive(Debug)]
pub(in crate::cli) struct Saved {
    pub(in crate::cli) parts: Parts,
    pub(in crate::cli) body: Vec<u8>,
    /// What the head says of the body's length, where the body is another.
    pub(in crate::cli) claimed: Option<u64>,
}

/// Why a text is no request.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum SavedError {
    #[error(
        "the body is not there, and `content-length` says {0} bytes; put it behind the blank line (`curl -v` does not show it)"
    )]
    BodyMissing(u64),
    #[error(
        "the body is still in chunks; save it whole, with `content-length` instead of `transfer-encoding`"
    )]
    Chunked,
    #[error("nothing is in it")]
    Empty,
    #[error("this is not the head of a request of HTTP/1.1: {0}")]
    Head(#[from] HeadError),
    #[error("there is a body, and the head says of none: `content-length` is missing")]
    Unannounced,
}

/// Reads it. Lines may end with CRLF or with LF alone, as on no connection.
pub(in crate::cli) fn read(text: &[u8]) -> Result<Saved, SavedError> {
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return Err(SavedError::Empty);
    }
    let text = if is_shown_by_curl(text) {
        sent_by_curl(text)
    } else {
        text.to_vec()
    };
    let (head, body) = split(&text);
    let (parts, framing) = http1::read_head(&Bytes::from(head), MAX_FIELDS)?;
    let (body, claimed) = framed(body, framing)?;
    Ok(Saved {
        parts,
        body: body.to_vec(),
        claimed,
    })
}

/// The head with its lines as HTTP has them, and what stands behind the first blank line.
fn split(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut head = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = tail;
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        // As `curl -v` shows a request of HTTP/2, whose fields mean the same.
        let line = match line.strip_suffix(b" HTTP/2") {
            Some(line) if head.is_empty() => [line, b" HTTP/1.1"].concat(),
            _ => line.to_vec(),
        };
        head.extend_from_slice(&line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    (head, rest)
}

/// The body, without the line feed that editors put at the end of a file; and what the head says of its length, if that is
/// something else. A body that was edited is judged as it stands there.
fn framed(body: &[u8], framing: Framing) -> Result<(&[u8], Option<u64>), SavedError> {
    let length = match framing {
        Framing::Chunked => return Err(SavedError::Chunked),
        Framing::None if body.trim_ascii().is_empty() => return Ok((&[], None)),
        Framing::None => return Err(SavedError::Unannounced),
        Framing::Length(length) => length,
    };
    let is_claimed = |body: &[u8]| body.len() as u64 == length;
    if is_claimed(body) {
        return Ok((body, None));
    }
    if body.trim_ascii().is_empty() {
        return Err(SavedError::BodyMissing(length));
    }
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let body = match body.strip_suffix(b"\r") {
        Some(shorter) if !is_claimed(body) => shorter,
        _ => body,
    };
    Ok((body, Some(length).filter(|_| !is_claimed(body))))
}

fn is_shown_by_curl(text: &[u8]) -> bool {
    text.starts_with(b"> ") || text.starts_with(b"* ")
}

/// What `curl -v` sent: the lines behind `> `, and behind them what is neither a remark of its own nor of the answer.
fn sent_by_curl(text: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    let mut is_head = true;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.trim_ascii_end();
        if is_head && bare.starts_with(b">") {
            let shown = bare.strip_prefix(b"> ").unwrap_or_default();
            is_head = !shown.is_empty();
            sent.extend_from_slice(shown);
            sent.push(b'\n');
        } else if !is_head && !is_remark(bare) {
            sent.extend_from_slice(line);
        }
    }
    sent
}

/// A remark, a field of the answer, or `} [73 bytes data]`.
fn is_remark(line: &[u8]) -> bool {
    let is_progress =
        (line.starts_with(b"} [") || line.starts_with(b"{ [")) && line.ends_with(b" bytes data]");
    is_progress
        || line == b"<"
        || [b"* ", b"< ", b"> "]
            .iter()
            .any(|mark| line.starts_with(*mark))
}

/// As many as lictor takes unless its operator says otherwise.
const MAX_FIELDS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "POST /a HTTP/1.1\nHost: agent\nContent-Length: 2\n";

    fn body(text: &str) -> Result<(String, Option<u64>), String> {
        let saved = read(text.as_bytes()).map_err(|error| error.to_string())?;
        assert_eq!(
            (saved.parts.method.as_str(), saved.parts.uri.path()),
            ("POST", "/a")
        );
        Ok((String::from_utf8(saved.body).unwrap(), saved.claimed))
    }

    #[test]
    fn a_request_is_read_however_it_was_saved() {
        let whole = ("{}".to_owned(), None);
        for text in [
            format!("{HEAD}\n{{}}"),
            format!("\n{HEAD}\n{{}}\n"),
            format!("{HEAD}\n{{}}\n").replace('\n', "\r\n"),
            format!("{HEAD}\n{{}}\n").replace("1.1", "2"),
            format!(
                "* Trying 127.0.0.1\n> {}\n>\n}} [2 bytes data]\n< HTTP/1.1 200 OK\n<\n{{}}\n* left intact\n",
                HEAD.trim_end().replace('\n', "\n> ")
            ),
        ] {
            assert_eq!(body(&text), Ok(whole.clone()), "{text}");
        }
    }

    #[test]
    fn a_body_that_was_edited_is_judged_as_it_stands_there() {
        assert_eq!(
            body(&format!("{HEAD}\n{{\"a\":1}}\n")),
            Ok(("{\"a\":1}".to_owned(), Some(2)))
        );
    }

    #[test]
    fn what_is_no_request_is_said_with_the_remedy() {
        for (text, part) in [
            ("\n", "nothing"),
            (HEAD, "`curl -v` does not show it"),
            ("hello", "not the head of a request"),
            (
                "POST /a HTTP/1.1\nHost: a\n\n{}",
                "`content-length` is missing",
            ),
            (
                "POST /a HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n0\n\n",
                "chunks",
            ),
        ] {
            let message = body(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
