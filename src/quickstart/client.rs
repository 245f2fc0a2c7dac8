//! The callers of the tour: a TLS client that trusts the tour's own certificate and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// No step of the tour takes longer, whatever happens.
const DEADLINE: Duration = Duration::from_secs(20);

/// Speaks to one address over TLS.
pub(super) struct Client {
    address: SocketAddr,
    connector: TlsConnector,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The body ended as its framing says; a cut-off answer is not whole.
    pub(super) whole: bool,
}

impl Client {
    /// A client of `address` that trusts `root` only.
    pub(super) fn new(address: SocketAddr, root: CertificateDer<'static>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(root).context("the tour's own certificate")?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address,
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Sends one request on a connection of its own, and reads the whole answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer> {
        tokio::time::timeout(DEADLINE, self.exchange(request))
            .await
            .context("no answer within 20 s")?
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Answer> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self
            .connector
            .connect(ServerName::try_from("localhost")?, stream)
            .await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let host = format!("localhost:{}", self.address.port());
        request.headers_mut().insert(header::HOST, host.parse()?);
        let (head, mut body) = sender.send_request(request).await?.into_parts();
        let (mut bytes, mut whole) = (Vec::new(), true);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        connection.abort();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: Bytes::from(bytes),
            whole,
        })
    }
}
