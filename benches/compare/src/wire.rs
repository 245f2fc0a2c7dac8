//! Just enough HTTP/1.1 for both ends of the measurement: cheaper than a general library, so that
//! backend and load fit on one core beside the proxy's.

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A head longer than this is no answer of ours.
const HEAD_BYTES: usize = 64 * 1024;

/// The head of a message.
#[derive(Debug)]
pub(crate) struct Head {
    /// Request or status line, without its end.
    pub(crate) line: String,
    framing: Framing,
}

impl Head {
    /// The status of an answer; 0 where the line has none.
    pub(crate) fn status(&self) -> u16 {
        let status = self.line.split(' ').nth(1);
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Chunked,
    Length(usize),
    None,
}

/// Reads messages of one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    buffer: BytesMut,
    capacity: usize,
}

impl Reader {
    pub(crate) fn new(capacity: usize) -> Self {
        let buffer = BytesMut::with_capacity(capacity);
        Self { buffer, capacity }
    }

    /// The next head; `None` when the peer has closed between two messages.
    pub(crate) async fn head<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                let head = parse_head(self.buffer.get(..end).unwrap_or_default())?;
                self.buffer.advance(end + 4);
                return Ok(Some(head));
            }
            if self.buffer.len() > HEAD_BYTES {
                return Err(invalid("head too long"));
            }
            if !self.fill(stream).await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(invalid("closed inside a head"))
                };
            }
        }
    }

    /// Hands the body of `head` to `sink`, piece by piece.
    pub(crate) async fn body<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        head: &Head,
        sink: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match head.framing {
            Framing::None => Ok(()),
            Framing::Length(bytes) => self.exactly(stream, bytes, sink).await,
            Framing::Chunked => self.chunks(stream, sink).await,
        }
    }

    async fn chunks<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        sink: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let line = self.line(stream).await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let bytes = usize::from_str_radix(digits, 16)
                .map_err(|_| invalid("chunk size is no number"))?;
            if bytes == 0 {
                break;
            }
            self.exactly(stream, bytes, sink).await?;
            if !self.line(stream).await?.is_empty() {
                return Err(invalid("chunk longer than its size"));
            }
        }
        while !self.line(stream).await?.is_empty() {}
        Ok(())
    }

    async fn exactly<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        mut bytes: usize,
        sink: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        while bytes > 0 {
            if self.buffer.is_empty() && !self.fill(stream).await? {
                return Err(invalid("closed inside a body"));
            }
            let take = bytes.min(self.buffer.len());
            sink(self.buffer.get(..take).unwrap_or_default())?;
            self.buffer.advance(take);
            bytes -= take;
        }
        Ok(())
    }

    async fn line<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<String> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") {
                let line = self.buffer.get(..end).unwrap_or_default();
                let line = String::from_utf8_lossy(line).into_owned();
                self.buffer.advance(end + 2);
                return Ok(line);
            }
            if !self.fill(stream).await? {
                return Err(invalid("closed inside a line"));
            }
        }
    }

    async fn fill<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<bool> {
        self.buffer.reserve(self.capacity);
        Ok(stream.read_buf(&mut self.buffer).await? > 0)
    }
}

fn parse_head(head: &[u8]) -> io::Result<Head> {
    let head = std::str::from_utf8(head).map_err(|_| invalid("head is no text"))?;
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let mut framing = Framing::None;
    for field in lines {
        let Some((name, value)) = field.split_once(':') else {
            return Err(invalid("field without a colon"));
        };
        if name.eq_ignore_ascii_case("content-length") {
            let bytes = value.trim().parse();
            framing = Framing::Length(bytes.map_err(|_| invalid("length is no number"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        }
    }
    Ok(Head { line, framing })
}

pub(crate) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<(Head, Vec<u8>)> {
        let mut stream = bytes;
        let mut reader = Reader::new(3);
        let head = reader.head(&mut stream).await?.unwrap();
        let mut body = Vec::new();
        let mut sink = |piece: &[u8]| {
            body.extend_from_slice(piece);
            Ok(())
        };
        reader.body(&mut stream, &head, &mut sink).await?;
        Ok((head, body))
    }

    #[tokio::test]
    async fn body_of_a_length_ends_there() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcX";
        let (head, body) = read(answer).await.unwrap();
        assert_eq!((head.status(), body.as_slice()), (200, b"abc".as_slice()));
    }

    #[tokio::test]
    async fn chunks_are_joined() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\nt: 1\r\n\r\n";
        let (_, body) = read(answer).await.unwrap();
        assert_eq!(body, b"abc");
    }

    #[tokio::test]
    async fn short_body_is_an_error() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc";
        assert!(read(answer).await.is_err());
    }
}
