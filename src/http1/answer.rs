//! The head of an answer, and how its body is framed.

use std::cell::RefCell;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version, response};
use jiff::fmt::rfc2822::DateTimePrinter;

use super::outbox::Outbox;
use crate::clock;

/// How the body of a message is framed that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// In chunks (RFC 9112, section 7.1).
    Chunked,
    /// Bytes that are still to come.
    Length(u64),
    /// There is none, whatever the fields say (RFC 9112, section 6.3).
    None,
    /// The end of the connection is the end: HTTP/1.0 knows nothing else.
    UntilClose,
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    Close,
    /// As HTTP/1.1 does unless told otherwise.
    KeepAlive,
    /// As HTTP/1.0 does only when told.
    KeepAliveSaid,
    Upgrade,
}

impl Persistence {
    /// For a caller that spoke this version and wants the connection again.
    pub(super) fn keep_alive(version: Version) -> Self {
        if version == Version::HTTP_10 {
            Self::KeepAliveSaid
        } else {
            Self::KeepAlive
        }
    }
}

/// The body did not have the length that its head has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongLength;

impl Coding {
    /// The framing of an answer to `method`, whose body is `length` bytes long where that is known.
    pub(super) fn of(
        head: &response::Parts,
        method: &Method,
        version: Version,
        length: Option<u64>,
    ) -> Self {
        let bodiless = *method == Method::HEAD
            || head.status.is_informational()
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        match length {
            _ if bodiless => Self::None,
            Some(length) => Self::Length(length),
            None if version == Version::HTTP_10 => Self::UntilClose,
            None => Self::Chunked,
        }
    }

    /// A piece of the body.
    ///
    /// # Errors
    /// When more comes than was told.
    pub fn data(&mut self, bytes: Bytes, outbox: &mut Outbox) -> Result<(), WrongLength> {
        if bytes.is_empty() {
            return Ok(());
        }
        match self {
            Self::Chunked => {
                // Writing to a `BytesMut` cannot fail.
                let _ = std::fmt::Write::write_fmt(
                    outbox.staged(),
                    format_args!("{:x}\r\n", bytes.len()),
                );
                outbox.push(bytes);
                outbox.staged().put_slice(b"\r\n");
            }
            Self::Length(left) => {
                *left = left.checked_sub(bytes.len() as u64).ok_or(WrongLength)?;
                outbox.push(bytes);
            }
            Self::None => {}
            Self::UntilClose => outbox.push(bytes),
        }
        Ok(())
    }

    /// The end of the body.
    ///
    /// # Errors
    /// When less came than was told.
    pub fn end(self, trailers: Option<&HeaderMap>, outbox: &mut Outbox) -> Result<(), WrongLength> {
        match self {
            Self::Chunked => {
                let staged = outbox.staged();
                staged.put_slice(b"0\r\n");
                put_fields(staged, trailers.into_iter().flatten());
                staged.put_slice(b"\r\n");
                Ok(())
            }
            Self::Length(1..) => Err(WrongLength),
            Self::Length(0) | Self::None | Self::UntilClose => Ok(()),
        }
    }
}

/// Writes the head. What says how the connection goes on and where the body ends is said here and nowhere
/// else; whatever the fields say of it is left out.
pub(super) fn put_head(
    head: &response::Parts,
    coding: Coding,
    persistence: Persistence,
    staged: &mut BytesMut,
) {
    staged.reserve(HEAD_BYTES);
    put_status(head.status, staged);
    put_fields(
        staged,
        head.headers.iter().filter(|(name, _)| {
            **name != CONNECTION
                && **name != TRANSFER_ENCODING
                && (**name != CONTENT_LENGTH || coding == Coding::None)
        }),
    );
    match coding {
        Coding::Chunked => staged.put_slice(b"transfer-encoding: chunked\r\n"),
        Coding::Length(length) => {
            staged.put_slice(b"content-length: ");
            staged.put_slice(itoa::Buffer::new().format(length).as_bytes());
            staged.put_slice(b"\r\n");
        }
        Coding::None | Coding::UntilClose => {}
    }
    staged.put_slice(match persistence {
        Persistence::Close => b"connection: close\r\n",
        Persistence::KeepAlive => b"",
        Persistence::KeepAliveSaid => b"connection: keep-alive\r\n",
        Persistence::Upgrade => b"connection: upgrade\r\n",
    });
    if !head.headers.contains_key(DATE) {
        put_date(staged);
    }
    staged.put_slice(b"\r\n");
}

/// `HTTP/1.1 200 OK`. The version is ours, not the caller's (RFC 9112, section 2.5).
fn put_status(status: StatusCode, staged: &mut BytesMut) {
    if status == StatusCode::OK {
        return staged.put_slice(b"HTTP/1.1 200 OK\r\n");
    }
    staged.put_slice(b"HTTP/1.1 ");
    staged.put_slice(status.as_str().as_bytes());
    staged.put_u8(b' ');
    staged.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    staged.put_slice(b"\r\n");
}

/// Writes fields, each on its line.
pub fn put_fields<'a>(
    staged: &mut BytesMut,
    fields: impl Iterator<Item = (&'a http::HeaderName, &'a http::HeaderValue)>,
) {
    for (name, value) in fields {
        staged.put_slice(name.as_str().as_bytes());
        staged.put_slice(b": ");
        staged.put_slice(value.as_bytes());
        staged.put_slice(b"\r\n");
    }
}

/// The moment of the answer (RFC 9110, section 6.6.1), written once a second for each thread.
fn put_date(staged: &mut BytesMut) {
    thread_local! {
        static DATE_LINE: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let now = clock::wall();
    DATE_LINE.with_borrow_mut(|(second, line)| {
        if *second != now.as_second() {
            *second = now.as_second();
            line.clear();
            line.push_str("date: ");
            // Fails for years that have not four digits only.
            if DateTimePrinter::new()
                .print_timestamp_rfc9110(&now, &mut *line)
                .is_err()
            {
                line.clear();
                return;
            }
            line.push_str("\r\n");
        }
        staged.put_slice(line.as_bytes());
    });
}

/// A head of usual size.
const HEAD_BYTES: usize = 512;
