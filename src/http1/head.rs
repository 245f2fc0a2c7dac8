//! The head of a request: found, parsed, and refused when two readers could read it in two ways.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Method, Request, Uri, Version};

use super::error::HeadError;

/// How large a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes, request line and final blank line included.
    pub bytes: usize,
    /// Fields.
    pub fields: usize,
}

/// A head that has one reading.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: Parts,
    pub(super) framing: Framing,
    /// Whether the caller wants the connection for another request (RFC 9112, section 9.3).
    pub(super) is_persistent: bool,
    /// Whether the caller waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    pub(super) expects_continue: bool,
}

/// Where the body of a request ends (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// With its last chunk.
    Chunked,
    /// After so many bytes.
    Length(u64),
    /// There is none.
    None,
}

/// Finds the end of a head, looking at each byte once however many pieces it comes in.
#[derive(Debug, Default)]
pub(super) struct Finder {
    looked_at: usize,
    line: usize,
}

impl Finder {
    /// The length of the head with its final blank line, once all of it is there.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        let unseen = bytes.get(self.looked_at..).unwrap_or_default();
        for at in memchr::memchr_iter(b'\n', unseen) {
            let end = self.looked_at + at;
            let before = end.checked_sub(1).and_then(|before| bytes.get(before));
            if before != Some(&b'\r') {
                return Err(HeadError::BareNewline);
            }
            if end == self.line + 1 {
                return Ok(Some(end + 1));
            }
            self.line = end + 1;
        }
        self.looked_at = bytes.len();
        Ok(None)
    }

    /// Whether anything was seen.
    pub(super) const fn has_begun(&self) -> bool {
        self.looked_at > 0
    }
}

/// Takes the head of a request off the buffer, once it is whole.
///
/// Blank lines before it are skipped, as RFC 9112, section 2.2, asks; `blank_lines` counts down how many
/// more of them there may be.
pub(super) fn take(
    buffer: &mut BytesMut,
    finder: &mut Finder,
    blank_lines: &mut u8,
    limits: HeadLimits,
) -> Result<Option<Head>, HeadError> {
    while !finder.has_begun() && buffer.starts_with(b"\r\n") {
        *blank_lines = blank_lines
            .checked_sub(1)
            .ok_or(HeadError::Syntax(httparse::Error::Token))?;
        buffer.advance(2);
    }
    // Half a blank line: the next byte tells.
    if !finder.has_begun() && buffer[..] == b"\r"[..] {
        return Ok(None);
    }
    let (looked_at, is_in_first_line) = (finder.looked_at, finder.line == 0);
    let found = finder.find(buffer)?;
    // What begins with other bytes is another protocol, and nobody waits for the end of its head.
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r');
    if found.is_none() && is_in_first_line {
        let unseen = buffer.get(looked_at..).unwrap_or_default();
        let mut first_line = unseen.iter().take_while(|byte| **byte != b'\n');
        if !first_line.all(is_text) {
            return Err(HeadError::Syntax(httparse::Error::Token));
        }
    }
    match found {
        Some(length) if length <= limits.bytes => {
            let head = buffer.split_to(length).freeze();
            *finder = Finder::default();
            parse(&head, limits.fields).map(Some)
        }
        None if buffer.len() <= limits.bytes => Ok(None),
        Some(_) | None => Err(HeadError::TooLarge(limits.bytes)),
    }
}

/// Reads a head that is there as a whole, with its final blank line, as it is read on a connection: for whoever has
/// saved one.
///
/// # Errors
/// When it is none, or one that two readers could read in two ways.
pub fn read_head(head: &Bytes, most_fields: usize) -> Result<(Parts, Framing), HeadError> {
    parse(head, most_fields).map(|head| (head.parts, head.framing))
}

fn parse(head: &Bytes, most_fields: usize) -> Result<Head, HeadError> {
    // Enough for nearly everybody without an allocation; above it, as many as the operator allows.
    let mut few = [const { MaybeUninit::uninit() }; FEW_FIELDS];
    let mut many;
    let fields = match few.get_mut(..most_fields) {
        Some(few) => few,
        None => {
            many = vec![MaybeUninit::uninit(); most_fields];
            &mut many[..]
        }
    };
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, fields) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        // A blank line within what the finder took for one head: cannot be, and must not pass.
        Ok(_) => return Err(HeadError::Syntax(httparse::Error::NewLine)),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(HeadError::TooManyFields(most_fields));
        }
        Err(httparse::Error::Version) => return Err(HeadError::Version),
        Err(error) => return Err(HeadError::Syntax(error)),
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request
        .method
        .and_then(|name| Method::from_bytes(name.as_bytes()).ok())
        .ok_or(HeadError::Syntax(httparse::Error::Token))?;
    parts.version = match request.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    parts.uri = target(head, request.path.unwrap_or_default(), &parts.method)?;
    parts.headers = read_fields(head, request.headers)?;
    let headers = &parts.headers;
    let framing = framing(parts.version, headers)?;
    Ok(Head {
        framing,
        is_persistent: is_persistent(parts.version, headers),
        expects_continue: framing != Framing::None
            && parts.version == Version::HTTP_11
            && headers
                .get(EXPECT)
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
        parts,
    })
}

/// The fields as a map, whose values share the memory of the head.
///
/// # Errors
/// When a name or a value is none, or there are too many.
pub fn read_fields(head: &Bytes, fields: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    // What lictor adds on the way to the agent has room too: to grow the map costs more than to fill it.
    let mut headers = HeaderMap::with_capacity(fields.len() + ROOM_FOR_OURS);
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| HeadError::Syntax(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value))
            .map_err(|_| HeadError::Syntax(httparse::Error::HeaderValue))?;
        headers
            .try_append(name, value)
            .map_err(|_| HeadError::TooManyFields(fields.len()))?;
    }
    Ok(headers)
}

/// The target in one of the four forms of RFC 9112, section 3.2.
fn target(head: &Bytes, text: &str, method: &Method) -> Result<Uri, HeadError> {
    // A fragment has no place here, and whoever parses it away has another target than whoever does not.
    // Bytes above ASCII are no part of a URI (RFC 3986, section 2).
    if text.bytes().any(|byte| byte == b'#' || !byte.is_ascii()) {
        return Err(HeadError::Target);
    }
    let uri =
        Uri::from_maybe_shared(head.slice_ref(text.as_bytes())).map_err(|_| HeadError::Target)?;
    let is_allowed = if text.starts_with('/') {
        *method != Method::CONNECT
    } else if text == "*" {
        *method == Method::OPTIONS
    } else if *method == Method::CONNECT {
        uri.scheme().is_none() && uri.authority().is_some()
    } else {
        uri.scheme().is_some() && uri.authority().is_some()
    };
    if is_allowed {
        Ok(uri)
    } else {
        Err(HeadError::Target)
    }
}

/// Refuses whatever somebody downstream of us could frame in another way (RFC 9112, section 6.3).
fn framing(version: Version, headers: &HeaderMap) -> Result<Framing, HeadError> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    match (length, coding) {
        (None, None) => Ok(Framing::None),
        (Some(_), Some(_)) => Err(HeadError::BothLengths),
        // Two equal values could be merged. The agent may not merge them as we would.
        (Some(_), None) if lengths.next().is_some() => Err(HeadError::ContentLength),
        (Some(length), None) => content_length(length.as_bytes()).map(|length| match length {
            0 => Framing::None,
            length => Framing::Length(length),
        }),
        (None, Some(coding)) => {
            let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && codings.next().is_none()
                && version == Version::HTTP_11;
            if is_chunked {
                Ok(Framing::Chunked)
            } else {
                Err(HeadError::TransferEncoding)
            }
        }
    }
}

/// Digits only: no sign, no list.
fn content_length(text: &[u8]) -> Result<u64, HeadError> {
    if text.is_empty() || text.len() > MAX_LENGTH_DIGITS {
        return Err(HeadError::ContentLength);
    }
    text.iter().try_fold(0_u64, |length, byte| match byte {
        b'0'..=b'9' => Ok(length * 10 + u64::from(byte - b'0')),
        _ => Err(HeadError::ContentLength),
    })
}

/// Whether a connection may be used again, by what a message on it says (RFC 9112, section 9.3).
pub fn is_persistent(version: Version, headers: &HeaderMap) -> bool {
    let (mut close, mut keep_alive) = (false, false);
    let options = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    for option in options {
        close |= option.eq_ignore_ascii_case(b"close");
        keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    !close && (version == Version::HTTP_11 || keep_alive)
}

/// Fields that tell the agent of the caller, and those of the framing.
const ROOM_FOR_OURS: usize = 8;

/// Fields that are parsed on the stack. A head of a browser has some 20.
const FEW_FIELDS: usize = 128;

/// Above this a number does not fit into 63 bits, and readers differ in what they make of it.
const MAX_LENGTH_DIGITS: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 1024,
        fields: 8,
    };

    fn read(text: &str) -> Result<Option<Head>, HeadError> {
        let mut buffer = BytesMut::from(text);
        take(&mut buffer, &mut Finder::default(), &mut 2, LIMITS)
    }

    fn framed(fields: &str) -> Result<Framing, HeadError> {
        let head = read(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))?;
        Ok(head.unwrap().framing)
    }

    #[test]
    fn a_head_is_found_at_every_cut_and_each_byte_is_looked_at_once() {
        let text = b"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\nrest";
        for cut in 0..text.len() {
            let mut buffer = BytesMut::from(&text[..cut]);
            let (mut finder, mut blanks) = (Finder::default(), 2);
            let early = take(&mut buffer, &mut finder, &mut blanks, LIMITS).unwrap();
            let whole = early.is_some();
            buffer.extend_from_slice(&text[cut..]);
            let late = if whole {
                early
            } else {
                take(&mut buffer, &mut finder, &mut blanks, LIMITS).unwrap()
            };
            assert_eq!(late.unwrap().parts.uri, "/a", "{cut}");
            assert_eq!(&buffer[..], b"rest", "{cut}");
        }
    }

    #[test]
    fn a_body_ends_where_everybody_thinks_it_ends() {
        assert_eq!(framed(""), Ok(Framing::None));
        assert_eq!(framed("Content-Length: 0\r\n"), Ok(Framing::None));
        assert_eq!(framed("Content-Length: 12\r\n"), Ok(Framing::Length(12)));
        assert_eq!(
            framed("Transfer-Encoding: Chunked\r\n"),
            Ok(Framing::Chunked)
        );
        for length in [
            "+5",
            "-5",
            "5 5",
            "5, 5",
            "0x5",
            "",
            "5;",
            "1e3",
            "1234567890123456789",
        ] {
            let fields = format!("Content-Length: {length}\r\n");
            assert_eq!(framed(&fields), Err(HeadError::ContentLength), "{length}");
        }
        assert_eq!(
            framed("Content-Length: 5\r\ncontent-length: 5\r\n"),
            Err(HeadError::ContentLength)
        );
        assert_eq!(
            framed("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            Err(HeadError::BothLengths)
        );
        for coding in [
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "xchunked",
            "\"chunked\"",
            "",
        ] {
            let fields = format!("Transfer-Encoding: {coding}\r\n");
            assert_eq!(
                framed(&fields),
                Err(HeadError::TransferEncoding),
                "{coding}"
            );
        }
    }

    #[test]
    fn a_target_has_one_of_four_forms() {
        let uri = |line: &str| {
            let head = read(&format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"))?;
            Ok::<_, HeadError>(head.unwrap().parts.uri.to_string())
        };
        assert_eq!(uri("GET /a?b=c"), Ok("/a?b=c".into()));
        assert_eq!(uri("GET http://a/b"), Ok("http://a/b".into()));
        assert_eq!(uri("OPTIONS *"), Ok("*".into()));
        assert_eq!(uri("CONNECT a:443"), Ok("a:443".into()));
        for bad in [
            "GET a",
            "GET *",
            "GET /a#b",
            "GET /\u{e9}",
            "GET a:443",
            "CONNECT /a",
            "GET ?a",
            "GET http:///a",
            "POST *",
        ] {
            assert_eq!(uri(bad), Err(HeadError::Target), "{bad}");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let cases = [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", HeadError::BareNewline),
            ("\nGET / HTTP/1.1\r\n\r\n", HeadError::BareNewline),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", HeadError::BareNewline),
            ("GET / HTTP/1.2\r\n\r\n", HeadError::Version),
            ("GET / HTTP/2.0\r\n\r\n", HeadError::Version),
        ];
        for (text, error) in cases {
            assert_eq!(read(text).unwrap_err(), error, "{text:?}");
        }
        for text in [
            "GET / HTTP/1.1\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET\t/ HTTP/1.1\r\n\r\n",
            "G@T / HTTP/1.1\r\n\r\n",
            "\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(read(text), Err(HeadError::Syntax(_))), "{text:?}");
        }
    }

    #[test]
    fn a_head_has_bounds() {
        let many = "A: b\r\n".repeat(9);
        assert_eq!(
            read(&format!("GET / HTTP/1.1\r\n{many}\r\n")).unwrap_err(),
            HeadError::TooManyFields(8)
        );
        let long = "a".repeat(1025);
        for text in [long.clone(), format!("GET /{long} HTTP/1.1\r\n\r\n")] {
            assert_eq!(read(&text).unwrap_err(), HeadError::TooLarge(1024));
        }
    }
}
