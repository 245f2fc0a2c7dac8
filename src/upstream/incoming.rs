//! An answer as it comes off an HTTP/1.1 connection.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Response, StatusCode, Version, response};
use http_body::Frame;

use super::HEAD_BYTES;
use super::error::{Broken, UpstreamError};
use crate::http1::{Chunked, Piece, appetite, read_fields, take_piece};

/// What is still to come of an answer.
#[derive(Debug, Default)]
pub(super) enum Rest {
    Chunked(Box<Chunked>),
    /// Bytes that are still to come.
    Length(u64),
    /// All of it was read.
    #[default]
    Nothing,
    /// The end of the connection is its end.
    UntilClose,
}

/// Takes the head of the answer off the buffer, once it is whole. Interim answers are passed over (RFC 9110,
/// section 15.2), but for a 101.
///
/// Strict: no folded lines, no spaces before a colon, no HTTP/0.9.
///
/// # Errors
/// When the bytes are no head, or one that is above the limits.
pub(super) fn take_head(inbox: &mut BytesMut) -> Result<Option<Response<()>>, UpstreamError> {
    loop {
        let Some(length) = head_length(inbox) else {
            return refuse_what_is_none(inbox).map(|()| None);
        };
        if length > HEAD_BYTES {
            return Err(UpstreamError::Malformed(Broken::TooLarge));
        }
        let head = inbox.split_to(length).freeze();
        let answer = parse(&head)?;
        let is_interim = answer.status().is_informational();
        if !is_interim || answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some(answer));
        }
    }
}

/// Where the blank line ends that ends a head. A line may end without a carriage return (RFC 9112, section 2.2).
fn head_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| {
        let behind = bytes.get(at + 1..)?;
        match behind {
            [b'\n', ..] => Some(at + 2),
            [b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        }
    })
}

/// What cannot become a head is not waited for.
fn refuse_what_is_none(begun: &[u8]) -> Result<(), UpstreamError> {
    if begun.is_empty() {
        return Ok(());
    }
    if begun.len() >= HEAD_BYTES {
        return Err(UpstreamError::Malformed(Broken::TooLarge));
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    match httparse::Response::new(&mut fields).parse(begun) {
        Ok(_) => Ok(()),
        Err(error) => Err(UpstreamError::Malformed(Broken::Head(error))),
    }
}

fn parse(head: &Bytes) -> Result<Response<()>, UpstreamError> {
    let malformed = |error| UpstreamError::Malformed(Broken::Head(error));
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, head, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(malformed(httparse::Error::NewLine)),
        Err(error) => return Err(malformed(error)),
    }
    let mut answer = Response::new(());
    *answer.status_mut() = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| malformed(httparse::Error::Status))?;
    *answer.version_mut() = match parsed.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    *answer.headers_mut() =
        read_fields(head, parsed.headers).map_err(|_| malformed(httparse::Error::HeaderName))?;
    Ok(answer)
}

impl Rest {
    /// What follows this head, which answers `method` (RFC 9112, section 6.3). That there is one coding at most
    /// and one length, and not both, is for [`accept`](super::headers::accept) to see to.
    ///
    /// # Errors
    /// When the head says two things about it.
    pub(super) fn of(method: &Method, head: &response::Parts) -> Result<Self, UpstreamError> {
        let bodiless = *method == Method::HEAD
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS
            );
        if bodiless {
            return Ok(Self::Nothing);
        }
        if head.headers.contains_key(TRANSFER_ENCODING) {
            if head.version == Version::HTTP_10 {
                return Err(UpstreamError::Malformed(Broken::Length));
            }
            return Ok(Self::Chunked(Box::new(Chunked::of_an_answer())));
        }
        Ok(match length(&head.headers)? {
            Some(0) => Self::Nothing,
            Some(length) => Self::Length(length),
            None => Self::UntilClose,
        })
    }

    /// Whether all of it was read.
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// How much is still to come, where that is known.
    pub(super) const fn length(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Nothing => Some(0),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// How much to read at once.
    pub(super) fn appetite(&self) -> usize {
        appetite(match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::Nothing | Self::UntilClose => None,
        })
    }

    /// The next piece that has arrived; `None` when there is none, or all of it was read.
    ///
    /// # Errors
    /// When the chunked coding is not one.
    pub(super) fn take(
        &mut self,
        inbox: &mut BytesMut,
    ) -> Result<Option<Frame<Bytes>>, UpstreamError> {
        let piece = match self {
            Self::Nothing => return Ok(None),
            Self::Chunked(chunked) => chunked
                .take(inbox)
                .map_err(|error| UpstreamError::Malformed(Broken::Body(error)))?,
            Self::Length(_) | Self::UntilClose if inbox.is_empty() => return Ok(None),
            Self::UntilClose => Piece::Data(take_piece(inbox, inbox.len())),
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX);
                let length = length.min(inbox.len());
                *left -= length as u64;
                let is_last = *left == 0;
                let piece = take_piece(inbox, length);
                if is_last {
                    *self = Self::Nothing;
                }
                Piece::Data(piece)
            }
        };
        Ok(match piece {
            Piece::Data(bytes) => Some(Frame::data(bytes)),
            Piece::More => None,
            Piece::End(trailers) => {
                *self = Self::Nothing;
                (!trailers.is_empty()).then(|| Frame::trailers(trailers))
            }
        })
    }
}

/// The length that the fields tell.
fn length(fields: &HeaderMap) -> Result<Option<u64>, UpstreamError> {
    let values = fields.get_all(CONTENT_LENGTH).iter();
    let mut lengths = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let Some(first) = lengths.next() else {
        return Ok(None);
    };
    let number = |text: &[u8]| {
        let text = std::str::from_utf8(text.trim_ascii()).ok()?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_number)
    };
    let length = number(first);
    match length {
        Some(_) if lengths.all(|other| number(other) == length) => Ok(length),
        Some(_) | None => Err(UpstreamError::Malformed(Broken::Length)),
    }
}

/// Fields of an answer; as many as are parsed without an allocation.
const MOST_FIELDS: usize = 100;
