//! The caller's side over HTTP/2, as a library speaks it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::request::Builder;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::tls::Certificates;
use super::within;

/// A connection that was agreed to be HTTP/2.
pub(crate) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
}

impl Http2 {
    /// Connects over TLS as somebody who trusts these certificates, and offers `h2` only.
    pub(crate) async fn connect(address: SocketAddr, certificates: &Certificates) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = certificates.connector(b"h2");
        let tls = within("a TLS handshake", connector.connect(name, stream.unwrap())).await;
        let tls = tls.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let connected = handshake(TokioExecutor::new(), TokioIo::new(tls)).await;
        let (sender, connection) = connected.unwrap();
        // It ends with the sender, or with the test's runtime.
        tokio::spawn(connection);
        Self { sender }
    }

    /// Connects in plain text, as somebody who knows that HTTP/2 is spoken (RFC 9113, section 3.3).
    pub(crate) async fn connect_plain(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        let io = TokioIo::new(stream.unwrap());
        let connected = handshake(TokioExecutor::new(), io).await;
        let (sender, connection) = connected.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    /// Sends a request, and gives back the head of its answer; the body is still to come.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Response<Incoming> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{target}"))
            .header("a2a-version", "1.0")
            .header("content-type", "application/json");
        self.request(request, body).await
    }

    /// Sends a request of one's own.
    pub(crate) async fn request(&self, request: Builder, body: Vec<u8>) -> Response<Incoming> {
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let mut sender = self.sender.clone();
        let response = within("a response", sender.send_request(request)).await;
        response.unwrap()
    }

    /// A JSON-RPC call of A2A 1.0 with the id `"r1"`.
    pub(crate) async fn call(
        &self,
        method: &str,
        params: &serde_json::Value,
    ) -> Response<Incoming> {
        let body = super::client::envelope(method, params);
        self.send(Method::POST, "/", body.into_bytes()).await
    }
}

/// Reads a body to its end. The second value tells whether that was its end: a stream that was reset is
/// a fact for the test to judge.
pub(crate) async fn read(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match within("the body", body.frame()).await {
            None => return (bytes, true),
            Some(Err(_reset)) => return (bytes, false),
            Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
        }
    }
}
