//! Just enough HTTP/2 for the load (RFC 9113): many streams on one connection, each an exchange.
//!
//! What a general library does for every frame would cost as much as the proxy, on the core that backend
//! and load share. So the fields of the request lie in the dynamic table after the first one, as with every
//! client, and of an answer's fields only the status is read, which servers write first and indexed.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::clock;
use crate::wire::invalid;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// `:status: 200`, indexed (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;
/// What we let the peer send on the connection before it hears from us again.
const WINDOW: u32 = 1 << 30;
/// What the peer lets us send on a connection at first (RFC 9113, section 6.9.2).
const FIRST_WINDOW: usize = 65_535;

/// What is asked on every stream.
#[derive(Debug)]
pub(crate) struct Question {
    /// Fields that put themselves into the peer's table.
    first: Vec<u8>,
    /// The same by their places in that table.
    later: Vec<u8>,
    body: Vec<u8>,
}

impl Question {
    /// A POST of `body` to `/` with these fields, of which none may be longer than 126 bytes.
    pub(crate) fn new(authority: &str, fields: &[(&str, &str)], body: Vec<u8>) -> Self {
        // `:method: POST`, `:scheme: https`, `:path: /`: indexed in the static table.
        let mut first = vec![0x83, 0x87, 0x84];
        let mut later = first.clone();
        // Literals with incremental indexing: the name `:authority` is number 1, others come as text.
        first.push(0x41);
        text(&mut first, authority);
        for (name, value) in fields {
            first.push(0x40);
            text(&mut first, name);
            text(&mut first, value);
        }
        // The last one in is number 62.
        let entries = u8::try_from(fields.len()).unwrap_or(u8::MAX);
        later.extend((0..=entries).rev().map(|back| 0x80 | (62 + back)));
        Self { first, later, body }
    }
}

fn text(block: &mut Vec<u8>, text: &str) {
    block.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    block.extend_from_slice(text.as_bytes());
}

/// Asks on this many streams at the same time until the connection fails. Every answer must be 200 with
/// the body `expected`; `done` hears when each was asked for.
pub(crate) async fn exchanges<S>(
    mut stream: S,
    streams: usize,
    question: &Question,
    expected: &[u8],
    mut done: impl FnMut(Instant),
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = Client::new(question, expected);
    let mut input = BytesMut::with_capacity(64 * 1024);
    loop {
        client.ask(streams)?;
        stream.write_all(&client.output).await?;
        stream.flush().await?;
        client.output.clear();
        input.reserve(64 * 1024);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        while let Some(frame) = Frame::take(&mut input) {
            client.read(&frame, &mut done)?;
        }
    }
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Bytes,
}

impl Frame {
    /// The next frame, if all of it is there.
    fn take(input: &mut BytesMut) -> Option<Self> {
        let [high, middle, low, kind, flags, a, b, c, d, ..] = **input else {
            return None;
        };
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if input.len() < 9 + length {
            return None;
        }
        input.advance(9);
        Some(Self {
            kind,
            flags,
            stream: u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff,
            payload: input.split_to(length).freeze(),
        })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn number(&self) -> Option<u32> {
        let bytes = self.payload.get(..4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?) & 0x7fff_ffff)
    }
}

struct Exchange {
    asked: Instant,
    /// Bytes of the answer that were right so far.
    seen: usize,
}

struct Client<'a> {
    question: &'a Question,
    expected: &'a [u8],
    output: Vec<u8>,
    open: HashMap<u32, Exchange>,
    next: u32,
    /// What we may still send.
    window: usize,
    /// What came since the peer's window was renewed.
    received: u32,
}

impl<'a> Client<'a> {
    fn new(question: &'a Question, expected: &'a [u8]) -> Self {
        let mut client = Self {
            question,
            expected,
            output: PREFACE.to_vec(),
            open: HashMap::new(),
            next: 1,
            window: FIRST_WINDOW,
            received: 0,
        };
        // No pushes, and 1 MiB for each stream: our answers fit.
        let settings = [0, 2, 0, 0, 0, 0, 0, 4, 0, 16, 0, 0];
        client.frame(SETTINGS, 0, 0, &settings);
        client.frame(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        client
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        self.output.extend(length.iter().skip(1));
        self.output.extend([kind, flags]);
        self.output.extend(stream.to_be_bytes());
        self.output.extend_from_slice(payload);
    }

    /// Opens streams as far as the window reaches.
    fn ask(&mut self, streams: usize) -> io::Result<()> {
        let question = self.question;
        while self.open.len() < streams && self.window >= question.body.len() {
            let stream = self.next;
            if stream > 0x7fff_ffff {
                return Err(invalid("no stream ids are left"));
            }
            let block = if stream == 1 {
                &question.first
            } else {
                &question.later
            };
            self.frame(HEADERS, END_HEADERS, stream, block);
            self.frame(DATA, END_STREAM, stream, &question.body);
            self.window -= question.body.len();
            self.next += 2;
            let asked = clock::now();
            self.open.insert(stream, Exchange { asked, seen: 0 });
        }
        Ok(())
    }

    fn read(&mut self, frame: &Frame, done: &mut impl FnMut(Instant)) -> io::Result<()> {
        match frame.kind {
            DATA => self.data(frame)?,
            HEADERS => status(frame)?,
            SETTINGS if !frame.has(ACK) => self.frame(SETTINGS, ACK, 0, &[]),
            PING if !frame.has(ACK) => self.frame(PING, ACK, 0, &frame.payload),
            WINDOW_UPDATE if frame.stream == 0 => {
                self.window += frame.number().unwrap_or_default() as usize;
            }
            SETTINGS | PING | WINDOW_UPDATE | CONTINUATION => {}
            _ => return Err(invalid("a stream or the connection was reset")),
        }
        if matches!(frame.kind, DATA | HEADERS) && frame.has(END_STREAM) {
            let exchange = self.open.remove(&frame.stream);
            let exchange = exchange.ok_or_else(|| invalid("answer to no question"))?;
            if exchange.seen != self.expected.len() {
                return Err(invalid("answer is too short"));
            }
            done(exchange.asked);
        }
        Ok(())
    }

    fn data(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.has(PADDED) {
            return Err(invalid("padding is not read here"));
        }
        let exchange = self.open.get_mut(&frame.stream);
        let exchange = exchange.ok_or_else(|| invalid("answer to no question"))?;
        let end = exchange.seen + frame.payload.len();
        if self.expected.get(exchange.seen..end) != Some(&*frame.payload) {
            return Err(invalid("answer is not what the backend sent"));
        }
        exchange.seen = end;
        self.received += u32::try_from(frame.payload.len()).unwrap_or(0);
        if self.received > WINDOW / 2 {
            let received = std::mem::take(&mut self.received);
            self.frame(WINDOW_UPDATE, 0, 0, &received.to_be_bytes());
        }
        Ok(())
    }
}

/// Only 200 goes on.
fn status(frame: &Frame) -> io::Result<()> {
    let skipped = usize::from(frame.has(PADDED)) + if frame.has(PRIORITY) { 5 } else { 0 };
    let mut block = frame.payload.iter().skip(skipped);
    // Before the first field the size of the table may change (RFC 7541, section 4.2).
    let first = block.find(|byte| **byte & 0xe0 != 0x20);
    if first == Some(&STATUS_200) {
        Ok(())
    } else {
        Err(invalid("answer is not 200"))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use http::{Request, Response};
    use hyper::body::Incoming;
    use hyper::server::conn::http2::Builder;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    use super::*;

    /// Against a server of hyper's that answers a right question with this.
    async fn against(answer: &'static [u8], count: u32) -> io::Result<()> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let service = service_fn(async |request: Request<Incoming>| {
                let asked = request.headers().get("a2a-version").is_some()
                    && request
                        .uri()
                        .authority()
                        .is_some_and(|name| name == "agent.example");
                let mut response = Response::new(String::from_utf8_lossy(answer).into_owned());
                if !asked {
                    *response.status_mut() = http::StatusCode::BAD_REQUEST;
                }
                Ok::<_, std::convert::Infallible>(response)
            });
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(theirs), service)
                .await;
        });
        let fields = [("a2a-version", "1.0"), ("accept", "*/*")];
        let question = Question::new("agent.example", &fields, vec![b'q'; 300]);
        let seen = Cell::new(0);
        let enough = async {
            while seen.get() < count {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        tokio::select! {
            ended = exchanges(ours, 8, &question, b"right", |_| seen.set(seen.get() + 1)) => ended,
            enough = enough => enough,
        }
    }

    #[tokio::test]
    async fn many_answers_come_and_the_table_is_understood() {
        against(b"right", 1000).await.unwrap();
    }

    #[tokio::test]
    async fn another_answer_is_an_error() {
        against(b"wrong", 1).await.unwrap_err();
        against(b"righ", 1).await.unwrap_err();
    }
}
