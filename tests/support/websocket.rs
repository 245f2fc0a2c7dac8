//! WebSocket by hand: frames as bytes, an agent whose side the test itself plays, and one that plays its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::client::Client;
use super::http1::{Message, Wire};
use super::lictor::{EVERYBODY, Lictor};
use super::within;

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) const WISH: &str = "host: agent.example\r\nupgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n";

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

pub(crate) fn wish(more: &str) -> Vec<u8> {
    format!("GET /chat?x=1 HTTP/1.1\r\n{WISH}{more}\r\n").into_bytes()
}

pub(crate) fn accept_of(key: &str) -> String {
    let salted = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes()))
}

pub(crate) fn agreed(more: &str) -> Vec<u8> {
    let accept = accept_of(KEY);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n{more}\r\n"
    )
    .into_bytes()
}

/// A frame by hand. `first` is its first byte.
pub(crate) fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut wire = vec![first];
    match payload.len() {
        length @ ..=125 => wire.push(masked | u8::try_from(length).unwrap()),
        length @ ..=0xffff => {
            wire.push(masked | 126);
            wire.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            wire.push(masked | 127);
            wire.extend((length as u64).to_be_bytes());
        }
    }
    let mask = mask.inspect(|mask| wire.extend(mask)).unwrap_or_default();
    wire.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    wire
}

/// One of a caller.
pub(crate) fn said(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([7, 0x80, 1, 0xff]))
}

/// One of the agent.
pub(crate) fn told(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

pub(crate) fn close(code: u16) -> Vec<u8> {
    code.to_be_bytes().to_vec()
}

/// An agent whose side the test itself plays.
pub(crate) struct Agent {
    listener: TcpListener,
}

impl Agent {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    pub(crate) async fn lictor(&self, more: &str) -> Lictor {
        Lictor::spawn(&format!("{EVERYBODY}{more}"), self.address()).await
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The next connection of lictor, and the request on it.
    pub(crate) async fn asked(&self) -> (Message, Wire<TcpStream>) {
        let (stream, _) = within("lictor at the agent", self.listener.accept())
            .await
            .unwrap();
        let mut wire = Wire::new(stream);
        let request = within("a request", wire.request()).await.unwrap();
        (request.unwrap(), wire)
    }

    pub(crate) async fn is_not_asked(&self) {
        let asked = tokio::time::timeout(Duration::from_millis(200), self.listener.accept());
        assert!(asked.await.is_err(), "the agent was asked");
    }
}

/// Both ends of a tunnel.
pub(crate) struct Ends {
    pub(crate) caller: Client,
    pub(crate) agent: Wire<TcpStream>,
    pub(crate) request: Message,
    pub(crate) answer: Message,
}

/// A tunnel in plain text, with these fields more of the caller and of the agent.
pub(crate) async fn open(lictor: &Lictor, agent: &Agent, wished: &str, more: &str) -> Ends {
    let mut caller = lictor.client().await;
    caller.wire.send(&wish(wished)).await.unwrap();
    let (request, mut wire) = agent.asked().await;
    wire.send(&agreed(more)).await.unwrap();
    let answer = head(&mut caller).await;
    Ends {
        caller,
        agent: wire,
        request,
        answer,
    }
}

/// The head of an answer, whatever its status.
pub(crate) async fn head(caller: &mut Client) -> Message {
    within("an answer", caller.wire.any_head()).await.unwrap()
}

/// So many bytes, or what there is until the end.
pub(crate) async fn bytes<S>(wire: &mut Wire<S>, most: usize) -> Vec<u8>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut all = Vec::new();
    within("bytes", async {
        while all.len() < most {
            match wire.raw().await {
                Ok(Some(piece)) => all.extend(piece),
                Ok(None) | Err(_) => return,
            }
        }
    })
    .await;
    all
}

/// Everything until the end.
pub(crate) async fn rest<S>(wire: &mut Wire<S>) -> Vec<u8>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    bytes(wire, usize::MAX).await
}

/// The code of the close frame that these bytes begin with.
pub(crate) fn closed_with(wire: &[u8]) -> Option<u16> {
    let (&[first, second], body) = wire.split_first_chunk()?;
    let masked = second & 0x80 != 0;
    assert_eq!(first, CLOSE, "{wire:02x?}");
    let (code, mask) = if masked {
        (body.get(4..6)?, body.get(..2)?)
    } else {
        (body.get(..2)?, &[0, 0][..])
    };
    Some(u16::from_be_bytes([code[0] ^ mask[0], code[1] ^ mask[1]]))
}

/// Reads a connection frame by frame.
pub(crate) struct Frames<S> {
    pub(crate) wire: Wire<S>,
    buffer: Vec<u8>,
}

/// A frame, or a message that came in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Its first byte.
    pub(crate) first: u8,
    /// Without its mask.
    pub(crate) payload: Vec<u8>,
    /// As it came.
    pub(crate) raw: Vec<u8>,
}

impl Frame {
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.payload);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    pub(crate) const fn new(wire: Wire<S>) -> Self {
        Self {
            wire,
            buffer: Vec::new(),
        }
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn try_next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = whole(&self.buffer) {
                self.buffer.drain(..frame.raw.len());
                return Some(frame);
            }
            match self.wire.raw().await {
                Ok(Some(piece)) => self.buffer.extend(piece),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next frame, which comes.
    pub(crate) async fn next(&mut self) -> Frame {
        within("a frame", self.try_next()).await.expect("a frame")
    }
}

fn whole(bytes: &[u8]) -> Option<Frame> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        short => (usize::from(short), rest),
    };
    let (mask, rest) = match second & 0x80 {
        0 => ([0; 4], rest),
        _ => {
            let (mask, rest) = rest.split_first_chunk()?;
            (*mask, rest)
        }
    };
    let payload = rest.get(..length)?;
    let size = bytes.len() - rest.len() + length;
    Some(Frame {
        first,
        payload: payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect(),
        raw: bytes[..size].to_vec(),
    })
}

/// An agent that answers the messages of every connection, each by what the script says.
pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

/// What an agent says to a message, one message each.
pub(crate) type Script = fn(&Value) -> Vec<String>;

impl Server {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script, Arc::clone(&all)));
            }
        });
        Self { address, heard }
    }

    /// What it was told so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, script: Script, heard: Arc<Mutex<Vec<String>>>) {
    let mut wire = Wire::new(stream);
    let Ok(Some(request)) = wire.request().await else {
        return;
    };
    let key = request.field("sec-websocket-key").unwrap_or_default();
    let protocol = request
        .field("sec-websocket-protocol")
        .map_or_else(String::new, |offered| {
            let first = offered.split(',').next().unwrap_or_default();
            format!("sec-websocket-protocol: {first}\r\n")
        });
    let accept = accept_of(key);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n{protocol}\r\n"
    );
    if wire.send(answer.as_bytes()).await.is_err() {
        return;
    }
    let mut frames = Frames::new(wire);
    let mut text = Vec::new();
    while let Some(frame) = frames.try_next().await {
        match frame.first & 0x0f {
            0x8 => {
                let _gone = frames.wire.send(&told(CLOSE, &frame.payload)).await;
                return;
            }
            0x9 => {
                let _gone = frames.wire.send(&told(PONG, &frame.payload)).await;
            }
            0x0..=0x2 => text.extend(frame.payload),
            _ => {}
        }
        if frame.first & 0x88 == 0x80 {
            let message = String::from_utf8(std::mem::take(&mut text)).unwrap();
            let said = serde_json::from_str(&message).unwrap_or(Value::Null);
            heard.lock().unwrap().push(message);
            for answer in script(&said) {
                let _gone = frames.wire.send(&told(TEXT, answer.as_bytes())).await;
            }
        }
    }
}
