//! Other ways to the agent than plain TCP: TLS, and sockets of this machine.

use std::path::Path;

use arc_swap::ArcSwap;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::upstream::ClientTls;

/// An authority, and what it has issued.
struct Authority(CertifiedIssuer<'static, KeyPair>);

type Pair = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn issue(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &self.0).unwrap();
        (leaf.der().clone(), key.into())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// Somebody who trusts this authority.
    fn client(&self, own: Option<Pair>) -> ClientConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match own {
            Some((certificate, key)) => builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

fn acceptor((certificate, key): Pair, protocol: &[u8], clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(clients) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn upstream_to(
    listener: &TcpListener,
    tls: ClientConfig,
    name: Option<&str>,
) -> (Upstream, ClientTls) {
    let port = listener.local_addr().unwrap().port();
    let host = "localhost".to_owned();
    let mut config = Config::new(Endpoint::Https { host, port });
    config.server_name = name.map(|name| ServerName::try_from(name.to_owned()).unwrap());
    let tls = Arc::new(ArcSwap::from_pointee(tls));
    (Upstream::new(&config, Some(Arc::clone(&tls))), tls)
}

/// Answers each request of each connection over HTTP/1.1, and tells who asked for whom.
fn answering(
    listener: TcpListener,
    acceptor: TlsAcceptor,
) -> mpsc::Receiver<(Option<String>, bool)> {
    let (tell, told) = mpsc::channel(9);
    tokio::spawn(async move {
        loop {
            let stream = acceptor.accept(accept(&listener).await).await;
            let Ok(mut stream) = stream else { continue };
            let (_, session) = stream.get_ref();
            let asked = session.server_name().map(str::to_owned);
            let known = session.peer_certificates().is_some();
            tell.send((asked, known)).await.unwrap();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    seen.push(byte);
                    if seen.ends_with(b"\r\n\r\n") {
                        stream.write_all(OK).await.unwrap();
                        stream.flush().await.unwrap();
                    }
                }
            });
        }
    });
    told
}

#[tokio::test]
async fn an_agent_behind_tls_is_verified_and_its_connection_reused() {
    let authority = Authority::new();
    let (listener, agent) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        authority.issue("localhost"),
    );
    let (upstream, _) = upstream_to(&listener, authority.client(None), None);
    let mut told = answering(listener, acceptor(agent, b"http/1.1", None));
    for _ in 0..3 {
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    }
    assert_eq!(
        told.recv().await,
        Some((Some("localhost".to_owned()), false))
    );
    assert_eq!(upstream.stats().opened.load(Relaxed), 1);
}

#[tokio::test]
async fn an_agent_behind_tls_may_choose_http2() {
    let authority = Authority::new();
    let (listener, agent) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        authority.issue("localhost"),
    );
    let (upstream, _) = upstream_to(&listener, authority.client(None), None);
    let acceptor = acceptor(agent, b"h2", None);
    tokio::spawn(async move {
        let stream = acceptor.accept(accept(&listener).await).await.unwrap();
        let mut server = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = server.accept().await {
            assert_eq!(request.uri().scheme_str(), Some("https"));
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"ok"), true).unwrap();
        }
    });
    let exchange = || async { whole(forward(&upstream, get()).await.unwrap()).await };
    let all = async { tokio::join!(exchange(), exchange(), exchange()) };
    let bodies = Box::pin(within(all)).await;
    assert_eq!(bodies.2, b"ok");
    assert_eq!(upstream.stats().opened.load(Relaxed), 1);
}

#[tokio::test]
async fn an_agent_that_is_somebody_else_is_named_with_the_remedy() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let cases = [
        (stranger.issue("localhost"), "upstream.tls.ca"),
        (authority.issue("elsewhere"), "upstream.tls.serverName"),
    ];
    for (agent, remedy) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (upstream, _) = upstream_to(&listener, authority.client(None), None);
        let _told = answering(listener, acceptor(agent, b"http/1.1", None));
        let error = within(forward(&upstream, get())).await.unwrap_err();
        assert_eq!(
            (error.label(), error.reason()),
            ("tls", Reason::UpstreamUnavailable)
        );
        assert!(error.to_string().contains(remedy), "{error}");
        within(settled(&upstream.stats(), 0)).await;
    }
}

#[tokio::test]
async fn an_agent_that_speaks_no_tls_is_not_spoken_to_in_the_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (upstream, _) = upstream_to(&listener, Authority::new().client(None), None);
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.ok();
        seen
    });
    let error = within(forward(&upstream, get())).await.unwrap_err();
    assert_eq!(error.label(), "tls", "{error:?}");
    assert!(error.to_string().contains("http://"), "{error}");
    let seen = within(agent).await.unwrap();
    assert!(!seen.windows(4).any(|part| part == b"GET "));
}

#[tokio::test]
async fn an_agent_is_asked_for_the_name_that_the_operator_gives() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let agent = authority.issue("agent.internal");
    let (upstream, _) = upstream_to(&listener, authority.client(None), Some("agent.internal"));
    let mut told = answering(listener, acceptor(agent, b"http/1.1", None));
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    assert_eq!(
        told.recv().await.unwrap().0.as_deref(),
        Some("agent.internal")
    );
}

#[tokio::test]
async fn an_agent_that_wants_a_certificate_gets_it_as_soon_as_there_is_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let agent = authority.issue("localhost");
    let (upstream, tls) = upstream_to(&listener, authority.client(None), None);
    let mut told = answering(listener, acceptor(agent, b"http/1.1", Some(&clients)));
    let error = within(forward(&upstream, get())).await.unwrap_err();
    assert_eq!(error.label(), "tls", "{error:?}");
    assert!(error.to_string().contains("upstream.tls.cert"), "{error}");
    // The files changed, and whoever reads them has put in what they hold now.
    tls.store(Arc::new(authority.client(Some(clients.issue("lictor")))));
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    assert!(told.recv().await.unwrap().1);
}

#[tokio::test]
async fn an_open_connection_does_not_notice_a_change_of_the_files() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let agent = authority.issue("localhost");
    let (upstream, tls) = upstream_to(&listener, authority.client(None), None);
    let _told = answering(listener, acceptor(agent, b"http/1.1", None));
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    // From now on nobody is trusted who answers there.
    tls.store(Arc::new(Authority::new().client(None)));
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    assert_eq!(upstream.stats().opened.load(Relaxed), 1);
    let exchange = || async { forward(&upstream, get()).await.map(drop) };
    let (first, second) = tokio::join!(exchange(), exchange());
    assert!(
        first.is_err() || second.is_err(),
        "a new connection trusts whom it should not"
    );
}

#[tokio::test]
async fn an_agent_may_listen_on_a_socket_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let upstream = |path: &Path| Upstream::new(&Config::new(Endpoint::Unix(path.into())), None);
    let missing = forward(&upstream(&path), get()).await.unwrap_err();
    assert!(matches!(missing, UpstreamError::Connect(_)), "{missing:?}");

    let listener = UnixListener::bind(&path).unwrap();
    let agent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.clear();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(OK).await.unwrap();
        }
        String::from_utf8(seen).unwrap()
    });
    let upstream = upstream(&path);
    for _ in 0..2 {
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    }
    let head = within(agent).await.unwrap();
    assert!(head.contains("host: localhost\r\n"), "{head}");
}
