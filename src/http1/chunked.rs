//! The chunked coding, as strict as its grammar (RFC 9112, section 7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::header::HeaderMap;

use super::error::BodyError;
use super::head::{Finder, read_fields};
use super::inflow::WORTH_SHARING;

/// Undoes the chunked coding, fed by whatever has arrived.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
    reader: Reader,
    /// Of the chunk: first as its digits come, then what is left of its data.
    size: u64,
    digits: u8,
    /// Bytes of extensions so far.
    extensions: usize,
    finder: Finder,
}

/// Whose body it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A caller's, who may want us and the agent to read two things.
    #[default]
    OfRequests,
    /// The agent's. Old servers fill a size up with blanks, and `upstream` takes out of the trailers what must
    /// not stand there.
    OfAnswers,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Blanks,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
}

/// What the buffer held.
#[derive(Debug)]
pub enum Piece {
    /// Bytes of the body, never empty.
    Data(Bytes),
    /// The end, with the trailers.
    End(HeaderMap),
    /// Nothing more until more bytes arrive.
    More,
}

impl Chunked {
    /// For a body of the agent's.
    pub fn of_an_answer() -> Self {
        Self {
            reader: Reader::OfAnswers,
            ..Self::default()
        }
    }

    /// Takes the next piece off the buffer. Small chunks that arrived together come as one piece, so that a
    /// body in chunks of one byte costs little more than another.
    ///
    /// # Errors
    /// When the bytes are not in this coding.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Piece, BodyError> {
        let mut joined = BytesMut::new();
        loop {
            if self.state == State::Data {
                let most = usize::try_from(self.size).unwrap_or(usize::MAX);
                let length = most.min(buffer.len());
                if length > 0 {
                    if length >= WORTH_SHARING {
                        if joined.is_empty() {
                            self.passed(length);
                            return Ok(Piece::Data(buffer.split_to(length).freeze()));
                        }
                        break;
                    }
                    joined.extend_from_slice(&buffer.split_to(length));
                    self.passed(length);
                    continue;
                }
            }
            if self.state == State::Trailers {
                if !joined.is_empty() {
                    break;
                }
                return self.trailers(buffer);
            }
            let Some(byte) = buffer.first().copied() else {
                break;
            };
            buffer.advance(1);
            self.step(byte)?;
        }
        if joined.is_empty() {
            return Ok(Piece::More);
        }
        Ok(Piece::Data(joined.freeze()))
    }

    /// So many bytes of the chunk's data have passed.
    const fn passed(&mut self, length: usize) {
        self.size -= length as u64;
        if self.size == 0 {
            self.state = State::DataCr;
        }
    }

    /// One byte between the data.
    fn step(&mut self, byte: u8) -> Result<(), BodyError> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.digits += 1;
                if self.digits > MAX_SIZE_DIGITS {
                    return Err(BodyError::Chunk);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.size = self.size * 16 + u64::from(digit);
                State::Size
            }
            // No white space here: what stands before the `;` is read by some as part of the size.
            (State::Size, b' ' | b'\t') if self.digits > 0 && self.reader == Reader::OfAnswers => {
                State::Blanks
            }
            (State::Blanks, b' ' | b'\t') => {
                self.extensions += 1;
                if self.extensions > MAX_EXTENSIONS {
                    return Err(BodyError::Overhead);
                }
                State::Blanks
            }
            (State::Blanks, b';') => State::Extension,
            (State::Blanks, b'\r') => State::SizeLf,
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, b'\r') if self.digits > 0 => State::SizeLf,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\t' | b' '..=b'~') => {
                self.extensions += 1;
                if self.extensions > MAX_EXTENSIONS {
                    return Err(BodyError::Overhead);
                }
                State::Extension
            }
            (State::SizeLf, b'\n') if self.size == 0 => State::Trailers,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                (self.size, self.digits) = (0, 0);
                State::Size
            }
            _ => return Err(BodyError::Chunk),
        };
        Ok(())
    }

    /// The trailer section, once it is whole.
    fn trailers(&mut self, buffer: &mut BytesMut) -> Result<Piece, BodyError> {
        let found = self.finder.find(buffer).map_err(|_| BodyError::Chunk)?;
        let Some(length) = found else {
            if buffer.len() > MAX_TRAILER_BYTES {
                return Err(BodyError::Overhead);
            }
            return Ok(Piece::More);
        };
        if length > MAX_TRAILER_BYTES {
            return Err(BodyError::Overhead);
        }
        let section = buffer.split_to(length).freeze();
        if length == 2 {
            return Ok(Piece::End(HeaderMap::new()));
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILERS];
        let fields = match httparse::parse_headers(&section, &mut fields) {
            Ok(httparse::Status::Complete((parsed, fields))) if parsed == length => fields,
            Ok(_) | Err(_) => return Err(BodyError::Trailer),
        };
        let trailers = read_fields(&section, fields).map_err(|_| BodyError::Trailer)?;
        if self.reader == Reader::OfRequests
            && trailers.keys().any(|name| is_forbidden(name.as_str()))
        {
            return Err(BodyError::Trailer);
        }
        Ok(Piece::End(trailers))
    }
}

/// Fields that say how a message is framed, routed, read or who sent it: they are judged before the body, and
/// whoever merges trailers into the head would be told them afterwards (RFC 9110, section 6.5.1).
fn is_forbidden(name: &str) -> bool {
    // Some read an underscore as a hyphen.
    let name = name.replace('_', "-");
    FORBIDDEN.contains(&name.as_str())
        || FORBIDDEN_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

const FORBIDDEN: &[&str] = &[
    "age",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "expect",
    "expires",
    "date",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-request-id",
];

/// `content-length` and its kin, conditions, credentials of proxies, and what lictor or a proxy before it
/// tells about the caller.
const FORBIDDEN_PREFIXES: &[&str] = &[
    "content-",
    "if-",
    "proxy-",
    "x-customer-",
    "x-forwarded",
    "x-lictor-",
    "x-original-",
    "x-real-",
    "x-rewrite-",
    "x-spiffe-",
    "x-user-",
];

/// 64 bits.
const MAX_SIZE_DIGITS: u8 = 16;

/// In one body, and nobody is known to send any. Without a bound they would be a second, unlimited body.
const MAX_EXTENSIONS: usize = 4096;

const MAX_TRAILER_BYTES: usize = 8192;
const MAX_TRAILERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// The body and its trailers, fed in two pieces cut at `cut`.
    fn decode(coded: &[u8], cut: usize) -> Result<(Vec<u8>, Option<HeaderMap>), BodyError> {
        let mut chunked = Chunked::default();
        let (mut body, mut buffer) = (Vec::new(), BytesMut::new());
        for part in [&coded[..cut], &coded[cut..]] {
            buffer.extend_from_slice(part);
            loop {
                match chunked.take(&mut buffer)? {
                    Piece::Data(bytes) => body.extend_from_slice(&bytes),
                    Piece::End(trailers) => return Ok((body, Some(trailers))),
                    Piece::More => break,
                }
            }
        }
        Ok((body, None))
    }

    #[test]
    fn a_body_is_the_same_at_every_cut() {
        let big = "x".repeat(3000);
        let mut coded =
            format!("1\r\na\r\n2;n=v; q=\"x\"\r\nbc\r\nbb8\r\n{big}\r\n000\r\nChecksum: 1")
                .into_bytes();
        // A field's value may hold what no first line of a request may.
        coded.splice(coded.len() - 1.., *b"1\r\nOdd: \t\xe9\r\n\r\n");
        for cut in 0..coded.len() {
            let (body, trailers) = decode(&coded, cut).unwrap();
            assert_eq!(body.len(), 3003, "{cut}");
            assert!(body.starts_with(b"abcx"));
            assert_eq!(trailers.unwrap()["checksum"], "1");
        }
    }

    #[test]
    fn what_some_read_in_another_way_is_refused() {
        for coded in [
            "\r\n",
            ";a\r\n",
            "g\r\n",
            "+1\r\na\r\n",
            "0x1\r\na\r\n",
            " 1\r\na\r\n",
            "1 \r\na\r\n",
            "1 ;a\r\na\r\n",
            "1\na\n",
            "1\rXa\r\n",
            "1;\0\r\na",
            "1;a\nb\r\na",
            "1;\x7f\r\na",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\rX",
            "00000000000000001\r\na\r\n",
            "0\r\nA: b\n\r\n",
            "0\r\n\n",
            "11111111111111111\r\n",
        ] {
            for cut in 0..=coded.len() {
                assert_eq!(
                    decode(coded.as_bytes(), cut),
                    Err(BodyError::Chunk),
                    "{coded:?}"
                );
            }
        }
        for trailer in [
            "A : b",
            " A: b",
            "A: b\0",
            "Content-Length: 1",
            "Transfer-Encoding: chunked",
            "Host: a",
            "Authorization: b",
            "X-User-Id: root",
            "Cookie: a",
            "Set-Cookie: a",
            "Content-Type: a",
            "X_User_Id: root",
            "Content_Length: 1",
        ] {
            let coded = format!("0\r\n{trailer}\r\n\r\n");
            assert_eq!(
                decode(coded.as_bytes(), 0),
                Err(BodyError::Trailer),
                "{trailer}"
            );
        }
    }

    #[test]
    fn what_is_no_body_has_bounds() {
        let extension = format!("1;{}", "a".repeat(5000));
        assert_eq!(decode(extension.as_bytes(), 0), Err(BodyError::Overhead));
        let many = format!("1;{}\r\na\r\n", "a".repeat(1000)).repeat(5);
        assert_eq!(decode(many.as_bytes(), 0), Err(BodyError::Overhead));
        let trailers = format!("0\r\n{}", "A: b\r\n".repeat(3000));
        assert_eq!(decode(trailers.as_bytes(), 0), Err(BodyError::Overhead));
    }

    #[test]
    fn small_chunks_that_came_together_are_one_piece() {
        let mut buffer = BytesMut::from("1\r\na\r\n1\r\nb\r\n1\r\nc");
        let piece = Chunked::default().take(&mut buffer).unwrap();
        assert!(matches!(piece, Piece::Data(bytes) if bytes == "abc"));
    }
}
