//! A SPIFFE Workload API: gRPC over a Unix socket, as SPIRE's agent serves it; and a trust domain that issues SVIDs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::client::Client;
use super::grpc::{fields, frame, message};
use super::within;

/// An authority that issues SVIDs, of its own trust domain or of any other.
pub(crate) struct Domain(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Svid {
    pub(crate) id: String,
    pub(crate) certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Domain {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The SVID of this workload, good for an hour.
    pub(crate) fn svid(&self, id: &str) -> Svid {
        self.svid_until(id, Duration::from_secs(3600))
    }

    /// The same, good for so long from now on. It names `localhost` too.
    pub(crate) fn svid_until(&self, id: &str, life: Duration) -> Svid {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let uri = SanType::URI(id.try_into().unwrap());
        params.subject_alt_names.push(uri);
        let seconds = u64::try_from(lictor::clock::wall().as_second()).unwrap();
        let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        params.not_before = now - Duration::from_secs(10);
        params.not_after = now + life;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Svid {
            id: id.to_owned(),
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// Connects as this workload to whom the authority vouches for.
    pub(crate) async fn connect(&self, address: SocketAddr, svid: &Svid) -> TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(vec![svid.certificate.clone()], svid.private_key())
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = within("a connection", TcpStream::connect(address)).await;
        let name = ServerName::try_from("localhost").unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream.unwrap());
        within("a TLS handshake", handshake).await.unwrap()
    }

    /// A connection as this workload that was answered, and the certificate that was shown on it; `None` where lictor
    /// does not take it.
    pub(crate) async fn meet(&self, address: SocketAddr, svid: &Svid) -> Option<(Client, Vec<u8>)> {
        let stream = self.connect(address, svid).await;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let mut client = Client::over(stream);
        let probe = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        // In TLS 1.3 the client learns with the first answer that it was refused (RFC 8446, section 4.4.2).
        client.try_exchange("GET", probe).await.ok()?;
        Some((client, shown))
    }

    /// An agent that is this workload and serves those whom the authority vouches for.
    pub(crate) fn acceptor(&self, svid: &Svid) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![svid.certificate.clone()], svid.private_key())
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Svid {
    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

/// What the API says to whoever asks.
#[derive(Clone)]
enum Says {
    Denied,
    Response(Vec<u8>),
}

/// A running Workload API; it ends with the value, and its connections with it.
pub(crate) struct WorkloadApi {
    socket: PathBuf,
    says: watch::Sender<Says>,
    serving: JoinSet<()>,
}

impl WorkloadApi {
    /// Hands out nothing yet: everybody is refused.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut api = Self {
            socket: folder.join("workload.sock"),
            says: watch::channel(Says::Denied).0,
            serving: JoinSet::new(),
        };
        api.start();
        api
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Hands this out to whoever listens, and to whoever asks later.
    pub(crate) fn hand_out(&self, svid: &Svid, bundle: &[&Domain]) {
        let bundle: Vec<_> = bundle.iter().flat_map(|it| it.0.der().to_vec()).collect();
        let entry = message(&[
            (1, svid.id.as_bytes()),
            (2, &svid.certificate),
            (3, &svid.key),
            (4, &bundle),
        ]);
        self.says
            .send_replace(Says::Response(message(&[(1, &entry)])));
    }

    /// Hands this out as it is.
    pub(crate) fn hand_out_raw(&self, response: &[u8]) {
        self.says.send_replace(Says::Response(response.to_vec()));
    }

    /// Goes away, and its socket with it.
    pub(crate) async fn stop(&mut self) {
        self.serving.shutdown().await;
        fs::remove_file(&self.socket).unwrap();
    }

    /// Is there again.
    pub(crate) fn start(&mut self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let says = self.says.clone();
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, says.clone()));
            }
        });
    }
}

async fn serve(stream: UnixStream, says: watch::Sender<Says>) {
    let Ok(mut server) = server::handshake(stream).await else {
        return;
    };
    let mut answers = JoinSet::new();
    while let Some(Ok((request, respond))) = server.accept().await {
        answers.spawn(answer(request, respond, says.subscribe()));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    mut says: watch::Receiver<Says>,
) {
    let status = |code: &str, text: &str| {
        let mut head = Response::builder()
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        head.headers_mut()
            .extend(fields(&[("grpc-status", code), ("grpc-message", text)]));
        head
    };
    let headers = request.headers();
    // Without it the request may be a browser's or a proxy's (SPIFFE Workload Endpoint, section 6.1).
    if headers.get("workload.spiffe.io").map(|it| it.as_bytes()) != Some(b"true") {
        let _gone = respond.send_response(status("3", "security header missing"), true);
        return;
    }
    if request.uri().path() != "/SpiffeWorkloadAPI/FetchX509SVID" {
        let _gone = respond.send_response(status("12", "unknown method"), true);
        return;
    }
    let mut stream: Option<SendStream<Bytes>> = None;
    loop {
        let said = says.borrow_and_update().clone();
        match (said, &mut stream) {
            (Says::Denied, None) => {
                let denied = status("7", "no identity issued");
                let _gone = respond.send_response(denied, true);
                return;
            }
            (Says::Denied, Some(stream)) => {
                let denied =
                    fields(&[("grpc-status", "7"), ("grpc-message", "no identity issued")]);
                let _gone = stream.send_trailers(denied);
                return;
            }
            (Says::Response(response), stream) => {
                let stream = match stream {
                    Some(stream) => stream,
                    None => {
                        let head = Response::builder().header("content-type", "application/grpc");
                        let Ok(opened) = respond.send_response(head.body(()).unwrap(), false)
                        else {
                            return;
                        };
                        stream.insert(opened)
                    }
                };
                if stream.send_data(frame(&response), false).is_err() {
                    return;
                }
            }
        }
        if says.changed().await.is_err() {
            return;
        }
    }
}
