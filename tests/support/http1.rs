//! HTTP/1.1 messages as bytes, read one by one from a connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// One request or response, with its body decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    /// The first line, e.g. `GET / HTTP/1.1`.
    pub(crate) line: String,
    /// The fields as they came: order, case, repetition.
    pub(crate) fields: Vec<(String, String)>,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing promised.
    pub(crate) complete: bool,
    /// The head as it came.
    pub(crate) raw: Vec<u8>,
}

impl Message {
    /// The first value of a field, whatever the case of its name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// All values of a field.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        let status = self
            .line
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok());
        status.unwrap_or_else(|| panic!("no status in `{}`", self.line))
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// The target of a request.
    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The `data` of each whole event of an SSE body, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n");
        let Some((whole, _partial)) = text.rsplit_once("\n\n") else {
            return Vec::new();
        };
        let data = |event: &str| {
            let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
            let lines: Vec<_> = lines
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
                .collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        };
        whole.split("\n\n").filter_map(data).collect()
    }
}

/// A connection, and what was read from it ahead of need.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    ahead: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        let ahead = Vec::new();
        Self { stream, ahead }
    }

    /// Writes bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Ends our direction: the peer reads an end, and may still answer.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    pub(crate) const fn stream(&self) -> &S {
        &self.stream
    }

    /// The connection itself; what was read ahead is lost.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// The next request; `None` when the peer ended the connection instead.
    pub(crate) async fn request(&mut self) -> io::Result<Option<Message>> {
        let Some(mut message) = self.head().await? else {
            return Ok(None);
        };
        self.request_body(&mut message).await?;
        Ok(Some(message))
    }

    /// The body of a request whose head was read.
    pub(crate) async fn request_body(&mut self, message: &mut Message) -> io::Result<()> {
        let length = if message.field("transfer-encoding").is_some() {
            Length::Chunked
        } else {
            Length::Known(content_length(message).unwrap_or(0))
        };
        self.body(message, length).await
    }

    /// The next final response to a request of this method; interim ones are passed over.
    pub(crate) async fn response(&mut self, method: &str) -> io::Result<Message> {
        let mut message = self.response_head().await?;
        self.response_body(&mut message, method).await?;
        Ok(message)
    }

    /// The body of a response whose head was read.
    pub(crate) async fn response_body(
        &mut self,
        message: &mut Message,
        method: &str,
    ) -> io::Result<()> {
        let length = match message.status() {
            100..200 | 204 | 304 => Length::Known(0),
            _ if method == "HEAD" => Length::Known(0),
            _ if message.field("transfer-encoding").is_some() => Length::Chunked,
            _ => content_length(message).map_or(Length::UntilClose, Length::Known),
        };
        self.body(message, length).await
    }

    /// The head of the next final response; its body stays on the wire.
    pub(crate) async fn response_head(&mut self) -> io::Result<Message> {
        loop {
            let head = self.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if head.status() >= 200 {
                return Ok(head);
            }
        }
    }

    /// The head of the next response, whatever its status.
    pub(crate) async fn any_head(&mut self) -> io::Result<Message> {
        Ok(self.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?)
    }

    /// Raw bytes as they arrive, framing and all; `None` at the end.
    pub(crate) async fn raw(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.ahead.is_empty() && !self.fill().await? {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.ahead)))
    }

    /// The next head; `None` when the peer ended the connection instead.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
                return Ok(Some(parse_head(&head)));
            }
            if !self.fill().await? {
                return match self.ahead.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Reads the body into the message. A body that is cut short is a fact for the test to judge, not
    /// an error, however the connection ended.
    async fn body(&mut self, message: &mut Message, length: Length) -> io::Result<()> {
        let outcome = match length {
            Length::Known(length) => self.take(length, &mut message.body).await,
            Length::Chunked => self.chunks(&mut message.body).await,
            Length::UntilClose => self.rest(&mut message.body).await,
        };
        message.complete = match outcome {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
            Err(_cut_off) => false,
        };
        Ok(())
    }

    async fn take(&mut self, mut length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        while length > 0 {
            if self.ahead.is_empty() && !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let part = length.min(self.ahead.len());
            body.extend(self.ahead.drain(..part));
            length -= part;
        }
        Ok(())
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, line.clone()))?;
            if size == 0 {
                while !self.line().await?.is_empty() {} // trailers
                return Ok(());
            }
            self.take(size, body).await?;
            let after = self.line().await?;
            if !after.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, after));
            }
        }
    }

    async fn rest(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            body.append(&mut self.ahead);
            if !self.fill().await? {
                return Ok(());
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.ahead).await? > 0)
    }
}

/// How the end of a body is known (RFC 9112, section 6.3).
enum Length {
    Chunked,
    Known(usize),
    UntilClose,
}

/// A body in chunked coding, one chunk for each piece; without the last chunk it is cut off.
pub(crate) fn chunked<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, complete: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        out.extend(format!("{:x}\r\n", piece.len()).bytes());
        out.extend(piece);
        out.extend(b"\r\n");
    }
    if complete {
        out.extend(b"0\r\n\r\n");
    }
    out
}

fn content_length(message: &Message) -> Option<usize> {
    message.field("content-length")?.parse().ok()
}

fn parse_head(head: &[u8]) -> Message {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.trim_end().split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let fields = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Message {
        line,
        fields,
        raw: head.to_vec(),
        ..Message::default()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
