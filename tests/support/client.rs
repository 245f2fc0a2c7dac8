//! The caller's side: a raw connection to lictor, in plain text or over TLS.

use std::io;
use std::net::SocketAddr;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::http1::{Message, Wire};
use super::tls::{Certificates, Identity};
use super::within;

/// Plain or TLS: the tests do not care.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that asks and reads answers.
pub(crate) struct Client {
    pub(crate) wire: Wire<Box<dyn Stream>>,
}

impl Client {
    /// Connects in plain text.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        Self::over(stream.unwrap())
    }

    /// Connects over TLS as somebody who trusts these certificates, and offers `http/1.1`.
    pub(crate) async fn connect_tls(address: SocketAddr, certificates: &Certificates) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        let name = ServerName::try_from("localhost").unwrap();
        let handshake = certificates
            .connector(b"http/1.1")
            .connect(name, stream.unwrap());
        Self::over(within("a TLS handshake", handshake).await.unwrap())
    }

    /// Connects over TLS with a certificate; `None` when lictor does not take it.
    pub(crate) async fn try_connect_as(
        address: SocketAddr,
        certificates: &Certificates,
        identity: Option<&Identity>,
    ) -> Option<Self> {
        let stream = within("a connection", TcpStream::connect(address)).await;
        let name = ServerName::try_from("localhost").unwrap();
        let handshake = certificates
            .connector_as(b"http/1.1", identity)
            .connect(name, stream.unwrap());
        // In TLS 1.3 the client learns with the first answer that it was refused (RFC 8446, section 4.4.2).
        let mut client = Self::over(within("a TLS handshake", handshake).await.ok()?);
        let probe = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        client.try_exchange("GET", probe).await.ok()?;
        Some(client)
    }

    /// On a connection that is there.
    pub(crate) fn over(stream: impl Stream + 'static) -> Self {
        let wire = Wire::new(Box::new(stream) as Box<dyn Stream>);
        Self { wire }
    }

    /// Sends bytes as they are, and reads the answer to a request of this method.
    pub(crate) async fn exchange(&mut self, method: &str, bytes: &[u8]) -> Message {
        self.try_exchange(method, bytes).await.unwrap()
    }

    /// [`Self::exchange`], where an answer that does not come is for the test to judge.
    pub(crate) async fn try_exchange(&mut self, method: &str, bytes: &[u8]) -> io::Result<Message> {
        self.wire.send(bytes).await?;
        within("a response", self.wire.response(method)).await
    }

    /// A GET without fields of interest.
    pub(crate) async fn get(&mut self, target: &str) -> Message {
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.exchange("GET", request.as_bytes()).await
    }

    /// A JSON-RPC call of A2A 1.0.
    pub(crate) async fn call(&mut self, method: &str, params: &serde_json::Value) -> Message {
        self.exchange("POST", &call(method, params)).await
    }
}

/// The bytes of a JSON-RPC call of A2A 1.0, with the id `"r1"`.
pub(crate) fn call(method: &str, params: &serde_json::Value) -> Vec<u8> {
    let body = envelope(method, params);
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\na2a-version: 1.0\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The body of a JSON-RPC call with the id `"r1"`.
pub(crate) fn envelope(method: &str, params: &serde_json::Value) -> String {
    serde_json::json!({"jsonrpc": "2.0", "id": "r1", "method": method, "params": params})
        .to_string()
}

/// The parameters of a message that says this.
pub(crate) fn message(text: &str) -> serde_json::Value {
    serde_json::json!({
        "message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}]}
    })
}
