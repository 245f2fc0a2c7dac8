//! How handshakes fail, how many there may be, and the key exchange.

use rustls::NamedGroup;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};

use super::*;

fn hello(files: &CertificateFiles) -> Vec<u8> {
    let connector = Client::default().trusting(&[files]);
    let name = ServerName::try_from("a.test").unwrap();
    let config = Arc::clone(connector.config());
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn the_key_exchange_is_post_quantum_with_whoever_asks_for_it() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let server = load(&config(&[&files])).unwrap();
    let cases: [(
        Vec<&'static dyn rustls::crypto::SupportedKxGroup>,
        NamedGroup,
    ); 3] = [
        (vec![X25519MLKEM768, X25519], NamedGroup::X25519MLKEM768),
        (vec![X25519, X25519MLKEM768], NamedGroup::X25519),
        (vec![SECP256R1], NamedGroup::secp256r1),
    ];
    for (groups, expected) in cases {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = groups;
        let connector = Client {
            provider,
            ..Client::default()
        }
        .trusting(&[&files]);
        let (client, _) = connect(&server, &connector, "a.test").await.unwrap();
        let (_, connection) = client.get_ref();
        let group = connection.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), expected);
        // Without a second hello: nobody pays a round trip for it.
        assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_kind() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let server = load(&config(&[&files])).unwrap();
    let said = |bytes: Vec<u8>, stays: bool| {
        let acceptor = server.acceptor();
        async move {
            let (mut near, far) = tokio::io::duplex(64 * 1024);
            near.write_all(&bytes).await.unwrap();
            let near = stays.then_some(near);
            let failed = acceptor.accept(far).await.unwrap_err();
            drop(near);
            failed.fault
        }
    };
    let hello = hello(&files);
    let half = hello[..hello.len() / 2].to_vec();
    let http = b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n".to_vec();
    let cases = [
        (Vec::new(), false, HandshakeFault::Closed),
        (Vec::new(), true, HandshakeFault::Timeout),
        (half.clone(), false, HandshakeFault::Closed),
        (half, true, HandshakeFault::Timeout),
        (hello.clone(), true, HandshakeFault::Timeout),
        (http, true, HandshakeFault::NotTls),
    ];
    for (number, (bytes, stays, expected)) in cases.into_iter().enumerate() {
        assert_eq!(said(bytes, stays).await, expected, "case {number}");
    }

    let refusals = [
        (
            Client {
                versions: TLS12_ONLY,
                ..Client::default()
            },
            HandshakeFault::Incompatible,
        ),
        (
            Client {
                alpn: &["ftp"],
                ..Client::default()
            },
            HandshakeFault::NoProtocol,
        ),
    ];
    for (client, expected) in refusals {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let connector = client.trusting(&[&files]);
        let acceptor = server.acceptor();
        let name = ServerName::try_from("a.test").unwrap();
        let (_, accepted) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
        assert_eq!(accepted.unwrap_err().fault, expected);
    }
    // One that does not trust us says so.
    let stranger = Client::default().trusting(&[&pair(&folder, "b.test")]);
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = server.acceptor();
    let name = ServerName::try_from("a.test").unwrap();
    let (_, accepted) = tokio::join!(stranger.connect(name, near), acceptor.accept(far));
    assert_eq!(accepted.unwrap_err().fault, HandshakeFault::Alert);
}

#[tokio::test(start_paused = true)]
async fn handshakes_in_flight_are_bounded_and_the_silent_take_no_place() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let narrow = Config {
        handshakes: 1,
        ..config(&[&files])
    };
    let server = load(&narrow).unwrap();
    let connector = Client::default().trusting(&[&files]);
    let begin = |bytes: Vec<u8>| {
        let acceptor = server.acceptor();
        async move {
            let (mut near, far) = tokio::io::duplex(64 * 1024);
            near.write_all(&bytes).await.unwrap();
            let accepting = tokio::spawn(async move { acceptor.accept(far).await });
            tokio::time::sleep(Duration::from_millis(1)).await;
            (near, accepting)
        }
    };
    let (_silent, silence) = begin(Vec::new()).await;
    assert!(connect(&server, &connector, "a.test").await.is_ok());

    // One that said hello and then nothing holds the place until its deadline; nobody behind it hangs.
    let (_stuck, stuck) = begin(hello(&files)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (_behind, behind) = begin(hello(&files)).await;
    let waited = connect(&server, &connector, "a.test").await;
    assert!(waited.is_ok(), "served when the place is free: {waited:?}");
    let fault =
        |ended: Result<_, HandshakeError>| ended.map(|_: Accepted<_>| ()).unwrap_err().fault;
    assert_eq!(fault(silence.await.unwrap()), HandshakeFault::Timeout);
    assert_eq!(fault(stuck.await.unwrap()), HandshakeFault::Timeout);
    assert_eq!(fault(behind.await.unwrap()), HandshakeFault::Timeout);

    let closed = Config {
        handshakes: 0,
        ..config(&[&files])
    };
    let server = load(&closed).unwrap();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("a.test").unwrap();
    let acceptor = server.acceptor();
    let (_, accepted) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
    assert_eq!(accepted.unwrap_err().fault, HandshakeFault::Crowded);
}
