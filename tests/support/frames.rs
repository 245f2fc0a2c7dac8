//! HTTP/2 as frames (RFC 9113, section 4), for what no library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::tls::Certificates;
use super::within;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The fields of a request that is nothing special.
pub(crate) const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "agent.example"),
];

/// A connection of frames.
pub(crate) struct Frames {
    stream: TlsStream<TcpStream>,
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frames {
    /// Shakes hands and sends the preface with these settings.
    pub(crate) async fn connect(
        address: SocketAddr,
        certificates: &Certificates,
        settings: &[(u16, u32)],
    ) -> Self {
        let stream = certificates.connect_h2(address).await;
        let mut frames = Self { stream };
        frames
            .stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        frames.send(SETTINGS, 0, 0, &payload).await.unwrap();
        frames
    }

    pub(crate) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }

    /// A request without a body.
    pub(crate) async fn ask(
        &mut self,
        stream: u32,
        fields: &[(&str, &str)],
    ) -> std::io::Result<()> {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &block(fields))
            .await
    }

    /// The next frame; `None` when lictor has hung up.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }

    /// Reads until a frame ends this stream or the connection.
    pub(crate) async fn end_of(&mut self, stream: u32) -> Option<Frame> {
        within("the end of a stream", async {
            loop {
                let frame = self.next().await?;
                if frame.kind == GOAWAY || (frame.stream == stream && frame.is_last()) {
                    return Some(frame);
                }
            }
        })
        .await
    }
}

impl Frame {
    /// Whether its stream is over.
    pub(crate) fn is_last(&self) -> bool {
        self.kind == RST_STREAM
            || (self.flags & END_STREAM != 0 && matches!(self.kind, DATA | HEADERS))
    }

    /// The status in the block of an answer's head, where lictor's encoder puts it first.
    pub(crate) fn status(&self) -> Option<u16> {
        /// Of RFC 7541, appendix A, from index 8 on.
        const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        let mut block = &self.payload[..];
        // The table's size was changed (RFC 7541, section 6.3).
        while block.first().is_some_and(|byte| byte & 0xe0 == 0x20) {
            block = &block[1..];
        }
        let first = *block.first()?;
        if first & 0x80 != 0 {
            return INDEXED
                .get(usize::from(first & 0x7f).checked_sub(8)?)
                .copied();
        }
        let length = usize::from(*block.get(1)?);
        let text = block.get(2..2 + (length & 0x7f))?;
        if length & 0x80 == 0 {
            return std::str::from_utf8(text).ok()?.parse().ok();
        }
        huffman_digits(text)
    }

    /// The code in a RST_STREAM or GOAWAY.
    pub(crate) fn code(&self) -> Option<u32> {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        let code = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(code.try_into().unwrap()))
    }
}

/// Three digits in the code of RFC 7541, appendix B: 0 to 2 in five bits, the others in six.
fn huffman_digits(bytes: &[u8]) -> Option<u16> {
    let bits: Vec<u16> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)))
        .collect();
    let number = |bits: &[u16]| bits.iter().fold(0, |number, bit| number * 2 + bit);
    let mut rest = &bits[..];
    let mut status = 0;
    for _ in 0..3 {
        let short = number(rest.get(..5)?);
        let (digit, used) = match short {
            0..=2 => (short, 5),
            _ => (number(rest.get(..6)?).checked_sub(0x19)? + 3, 6),
        };
        status = status * 10 + digit;
        rest = &rest[used..];
    }
    Some(status)
}

/// A header block without Huffman coding and without a table (RFC 7541, section 6.2.2).
pub(crate) fn block<T: AsRef<[u8]>>(fields: &[(T, T)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            // Lengths below 127 in one byte, longer ones in the bytes after it (RFC 7541, section 5.1).
            let mut rest = text.len();
            if rest < 127 {
                block.push(u8::try_from(rest).unwrap());
            } else {
                block.push(127);
                rest -= 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend(text);
        }
    }
    block
}
