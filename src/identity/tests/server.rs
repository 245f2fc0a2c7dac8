//! A key server on loopback that counts what it is asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Serves fixed answers by path, over HTTP or HTTPS, until it is dropped.
pub(super) struct KeyServer {
    pub(super) base: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, String>>,
    delay: Mutex<Duration>,
    requests: AtomicUsize,
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl KeyServer {
    pub(super) async fn http() -> Self {
        Self::start(None).await
    }

    /// With a certificate for `127.0.0.1`; returns it as PEM.
    pub(super) async fn https() -> (Self, String) {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]);
        Self::https_with(&params.unwrap()).await
    }

    /// With such a certificate, which it signs itself; returns it as PEM.
    pub(super) async fn https_with(params: &CertificateParams) -> (Self, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (Self::start(Some(acceptor)).await, certificate.pem())
    }

    async fn start(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let base = format!("{scheme}://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(serve(listener, acceptor, Arc::clone(&shared)));
        Self { base, shared, task }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Answers 200 with this body, and these header lines.
    pub(super) fn put(&self, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        self.put_raw(path, answer);
    }

    pub(super) fn put_raw(&self, path: &str, answer: String) {
        let mut answers = self.shared.answers.lock().unwrap();
        answers.insert(path.to_owned(), answer);
    }

    pub(super) fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    pub(super) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            match acceptor {
                None => answer::<TcpStream>(stream, &shared).await,
                // A client that does not trust us goes away; that is what some tests are about.
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => answer(stream, &shared).await,
                    Err(_) => None,
                },
            }
        });
    }
}

async fn answer<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO, shared: &Shared) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.ok()?);
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let delay = *shared.delay.lock().unwrap();
    tokio::time::sleep(delay).await;
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let missing = || "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
    let answer = shared.answers.lock().unwrap().get(path).cloned();
    io.write_all(answer.unwrap_or_else(missing).as_bytes())
        .await
        .ok()?;
    io.shutdown().await.ok()
}
