//! Both ends of gRPC, and messages in the format of Protocol Buffers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::agent_h2::{Answer, Asked, serve};
use super::lictor::{Lictor, Setup};
use super::tls::Certificates;
use super::within;

/// A message behind its prefix: not compressed, and how long (gRPC over HTTP/2, section "Requests").
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    Bytes::from([&[0][..], &length, message].concat())
}

/// Fields of bytes, one after another. No number is above 15, and nothing longer than 16 KiB.
pub(crate) fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    for (number, bytes) in fields {
        message.push(number << 3 | 2);
        let length = u16::try_from(bytes.len()).unwrap();
        let [low, high] = [length & 0x7F, length >> 7].map(|part| u8::try_from(part).unwrap());
        match high {
            0 => message.push(low),
            _ => message.extend([low | 0x80, high]),
        }
        message.extend_from_slice(bytes);
    }
    message
}

pub(crate) fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        })
        .collect()
}

/// An answer of these frames, and of these trailers.
pub(crate) fn answer(body: Vec<Bytes>, trailers: &[(&'static str, &str)]) -> Answer {
    let head = Response::builder().header("content-type", "application/grpc");
    Answer {
        head: head.body(()).unwrap(),
        body,
        trailers: Some(fields(trailers)),
        ..Answer::default()
    }
}

/// An agent that answers so, and what it is asked.
pub(crate) async fn agent(
    script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (SocketAddr, mpsc::Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel(99);
    let script = Arc::new(move |asked: &Asked| {
        tell.try_send(asked.clone()).unwrap();
        script(asked)
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&script)));
        }
    });
    (address, told)
}

/// lictor behind TLS, and a connection to it over HTTP/2.
pub(crate) async fn before(url: String, policy: String) -> (Lictor, SendRequest<Bytes>) {
    let setup = Setup::before(url).policy(policy);
    let files = Certificates::generate(setup.home());
    let lictor = setup
        .flag("--tls-cert", &files.certificate)
        .flag("--tls-key", &files.key)
        .start()
        .await;
    let stream = files.connect_h2(lictor.public).await;
    let (sender, connection) = client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    (lictor, sender)
}

/// What a gRPC client sees of an answer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) head: Response<()>,
    pub(crate) body: Vec<u8>,
    /// The trailers, or the reset.
    pub(crate) end: Result<Option<HeaderMap>, h2::Reason>,
}

impl Seen {
    /// The fields that have the status: those of the head, where nothing comes after it.
    pub(crate) fn status(&self) -> &HeaderMap {
        let trailers = self.end.as_ref().unwrap().as_ref();
        trailers.unwrap_or_else(|| self.head.headers())
    }
}

/// Makes one call. `head` are fields beside those of every client.
pub(crate) async fn ask(
    sender: &SendRequest<Bytes>,
    path: &str,
    head: &HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
) -> Seen {
    let request = Request::post(format!("https://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "5S");
    let mut request = request.body(()).unwrap();
    request.headers_mut().extend(head.clone());
    let mut sender = within("a connection", sender.clone().ready())
        .await
        .unwrap();
    let (answer, mut stream) = sender.send_request(request, false).unwrap();
    stream.send_data(body, trailers.is_none()).unwrap();
    if let Some(trailers) = trailers {
        stream.send_trailers(trailers).unwrap();
    }
    let (head, mut body) = within("an answer", answer).await.unwrap().into_parts();
    let mut bytes = Vec::new();
    let end = loop {
        match within("the body", body.data()).await {
            Some(Ok(data)) => bytes.extend_from_slice(&data),
            Some(Err(error)) => break Err(error.reason().unwrap()),
            None => {
                let trailers = within("the trailers", body.trailers()).await;
                break trailers.map_err(|error| error.reason().unwrap());
            }
        }
    };
    Seen {
        head: Response::from_parts(head, ()),
        body: bytes,
        end,
    }
}
