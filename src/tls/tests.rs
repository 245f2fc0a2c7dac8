//! Handshakes in memory, with certificates made for the occasion.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsConnector, client};

use super::*;

mod clients;
mod handshakes;
mod svid;

/// Writes a self-signed pair and returns its files.
fn pair_of(
    folder: &TempDir,
    name: &str,
    algorithm: &'static SignatureAlgorithm,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateFiles {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let made = params.self_signed(&key).unwrap();
    let files = CertificateFiles {
        certificate: folder.path().join(format!("{name}.crt")),
        key: folder.path().join(format!("{name}.key")),
    };
    fs::write(&files.certificate, made.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

fn pair(folder: &TempDir, name: &str) -> CertificateFiles {
    pair_of(folder, name, &rcgen::PKCS_ECDSA_P256_SHA256, |_| {})
}

fn config(certificates: &[&CertificateFiles]) -> Config {
    Config {
        certificates: certificates
            .iter()
            .map(|files| CertificateSource::Files(CertificateFiles::clone(files)))
            .collect(),
        allow_tls12: false,
        versions: vec![HttpVersion::H2, HttpVersion::H1],
        clients: None,
        handshakes: 8,
        handshake_time: Duration::from_secs(60),
    }
}

/// From files alone.
fn load(config: &Config) -> Result<Server, TlsError> {
    Server::load(config, &Issued::default())
}

const TLS12_ONLY: &[&SupportedProtocolVersion] = &[&version::TLS12];

/// What a client brings to a handshake.
struct Client {
    provider: CryptoProvider,
    versions: &'static [&'static SupportedProtocolVersion],
    alpn: &'static [&'static str],
}

impl Default for Client {
    fn default() -> Self {
        Self {
            provider: aws_lc_rs::default_provider(),
            versions: rustls::ALL_VERSIONS,
            alpn: &["h2", "http/1.1"],
        }
    }
}

impl Client {
    fn trusting(self, files: &[&CertificateFiles]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for files in files {
            roots.add_parsable_certificates(
                CertificateDer::pem_file_iter(&files.certificate)
                    .unwrap()
                    .flatten(),
            );
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(self.provider))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = self
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsConnector::from(Arc::new(config))
    }
}

type Ends = (client::TlsStream<DuplexStream>, TlsStream<DuplexStream>);

async fn connect(server: &Server, connector: &TlsConnector, name: &str) -> std::io::Result<Ends> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let acceptor = server.acceptor();
    let (client, server) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
    Ok((client?, server.map_err(std::io::Error::other)?.stream))
}

fn presented(client: &client::TlsStream<DuplexStream>) -> Vec<u8> {
    let (_, connection) = client.get_ref();
    connection.peer_certificates().unwrap()[0].to_vec()
}

fn leaf(files: &CertificateFiles) -> Vec<u8> {
    CertificateDer::from_pem_file(&files.certificate)
        .unwrap()
        .to_vec()
}

#[tokio::test]
async fn tls_13_is_spoken_and_12_only_by_choice() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let old = || {
        Client {
            versions: TLS12_ONLY,
            ..Client::default()
        }
        .trusting(&[&files])
    };

    let server = load(&config(&[&files])).unwrap();
    let (client, _) = connect(&server, &Client::default().trusting(&[&files]), "a.test")
        .await
        .unwrap();
    assert_eq!(
        client.get_ref().1.protocol_version(),
        Some(ProtocolVersion::TLSv1_3)
    );
    assert!(connect(&server, &old(), "a.test").await.is_err());

    let lenient = Config {
        allow_tls12: true,
        ..config(&[&files])
    };
    let server = load(&lenient).unwrap();
    let (client, _) = connect(&server, &old(), "a.test").await.unwrap();
    assert_eq!(
        client.get_ref().1.protocol_version(),
        Some(ProtocolVersion::TLSv1_2)
    );
}

#[tokio::test]
async fn alpn_follows_our_preference_and_refuses_strangers() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let server = load(&config(&[&files])).unwrap();
    let cases: [(&'static [&'static str], Option<HttpVersion>); 5] = [
        (&["http/1.1", "h2"], Some(HttpVersion::H2)),
        (&["h2"], Some(HttpVersion::H2)),
        (&["http/1.1"], Some(HttpVersion::H1)),
        (&["http/1.0"], Some(HttpVersion::H1)),
        (&[], None),
    ];
    for (alpn, expected) in cases {
        let connector = Client {
            alpn,
            ..Client::default()
        }
        .trusting(&[&files]);
        let (_, accepted) = connect(&server, &connector, "a.test").await.unwrap();
        assert_eq!(negotiated(&accepted), expected, "{alpn:?}");
    }
    let stranger = Client {
        alpn: &["ftp"],
        ..Client::default()
    }
    .trusting(&[&files]);
    assert!(connect(&server, &stranger, "a.test").await.is_err());
}

#[tokio::test]
async fn the_server_name_chooses_the_certificate_and_the_first_is_the_fallback() {
    let folder = TempDir::new().unwrap();
    let (a, b, wild) = (
        pair(&folder, "a.test"),
        pair(&folder, "b.test"),
        pair(&folder, "*.c.test"),
    );
    let server = load(&config(&[&a, &b, &wild])).unwrap();
    let connector = Client::default().trusting(&[&a, &b, &wild]);
    for (name, files) in [("a.test", &a), ("b.test", &b), ("x.c.test", &wild)] {
        let (client, _) = connect(&server, &connector, name).await.unwrap();
        assert_eq!(presented(&client), leaf(files), "{name}");
    }
    // The handshake goes on with the first; it is the client who finds that the name is wrong.
    let error = connect(&server, &connector, "unknown.test")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("a.test"), "{error}");
}

#[tokio::test]
async fn of_two_certificates_for_a_name_the_one_that_the_client_can_verify_is_presented() {
    let folder = TempDir::new().unwrap();
    let other = TempDir::new().unwrap();
    let modern = pair_of(&folder, "a.test", &rcgen::PKCS_ED25519, |_| {});
    let common = pair(&other, "a.test");
    let server = load(&config(&[&modern, &common])).unwrap();

    let connector = Client::default().trusting(&[&modern, &common]);
    let (client, _) = connect(&server, &connector, "a.test").await.unwrap();
    assert_eq!(presented(&client), leaf(&modern));

    let mut provider = aws_lc_rs::default_provider();
    let all = provider.signature_verification_algorithms.mapping;
    let known: Vec<_> = all
        .iter()
        .copied()
        .filter(|(scheme, _)| *scheme != rustls::SignatureScheme::ED25519)
        .collect();
    provider.signature_verification_algorithms.mapping = known.leak();
    let connector = Client {
        provider,
        ..Client::default()
    }
    .trusting(&[&modern, &common]);
    let (client, _) = connect(&server, &connector, "a.test").await.unwrap();
    assert_eq!(presented(&client), leaf(&common));
}

#[tokio::test]
async fn rotation_drops_no_open_connection() {
    let folder = TempDir::new().unwrap();
    let before = pair(&folder, "a.test");
    let server = load(&config(&[&before])).unwrap();
    let old = leaf(&before);
    let (mut client, mut accepted) =
        connect(&server, &Client::default().trusting(&[&before]), "a.test")
            .await
            .unwrap();
    assert!(!server.reload().unwrap(), "nothing changed");

    let after = pair(&folder, "a.test");
    assert!(server.reload().unwrap());
    assert!(!server.reload().unwrap(), "taken over once");
    let (fresh, _) = connect(&server, &Client::default().trusting(&[&after]), "a.test")
        .await
        .unwrap();
    assert_eq!(presented(&fresh), leaf(&after));
    assert_ne!(presented(&fresh), old);

    client.write_all(b"still here").await.unwrap();
    client.flush().await.unwrap();
    let mut heard = [0; 10];
    accepted.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[tokio::test]
async fn a_bad_reload_keeps_the_last_good_certificate() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let server = load(&config(&[&files])).unwrap();
    let connector = Client::default().trusting(&[&files]);
    let good = leaf(&files);
    let other = pair(&folder, "b.test");
    fs::copy(&other.key, &files.key).unwrap();
    for _ in 0..2 {
        assert!(matches!(server.reload(), Err(TlsError::KeyMismatch { .. })));
    }
    fs::remove_file(&files.key).unwrap();
    assert!(matches!(server.reload(), Err(TlsError::NotFound(_))));
    let (client, _) = connect(&server, &connector, "a.test").await.unwrap();
    assert_eq!(presented(&client), good);
}

#[tokio::test]
async fn a_second_connection_resumes_the_session_without_early_data() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let server = load(&config(&[&files])).unwrap();
    let connector = Client::default().trusting(&[&files]);
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let (mut client, mut accepted) = connect(&server, &connector, "a.test").await.unwrap();
        // The tickets come after the handshake: a byte from the server makes the client read them.
        accepted.write_all(b"x").await.unwrap();
        accepted.flush().await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
        let (_, connection) = client.get_ref();
        assert_eq!(connection.handshake_kind(), Some(expected));
        assert!(!connection.is_early_data_accepted());
    }
}

#[test]
fn every_fault_of_a_file_has_a_message_with_its_name_and_remedy() {
    let folder = TempDir::new().unwrap();
    let good = pair(&folder, "good");
    let other = pair(&folder, "other");
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let whole = fs::read_to_string(&good.certificate).unwrap();
    let broken = write("broken", whole.replace("-----END", "-----MID").as_bytes());
    let garbage = write(
        "garbage",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let empty = write("empty", b"");
    let der = write("der", &leaf(&good));
    let large = write("large", &vec![b'x'; 1024 * 1024 + 1]);
    let encrypted = write(
        "encrypted",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let legacy = write("legacy", b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n");
    let odd = write(
        "odd",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let missing = folder.path().join("missing");
    let is_folder = folder.path().to_owned();
    let cases: [(&Path, &Path, &Path, &str); 15] = [
        (
            &missing,
            &good.key,
            &missing,
            "does not exist; check the path",
        ),
        (
            &good.certificate,
            &missing,
            &missing,
            "does not exist; check the path",
        ),
        (&is_folder, &good.key, &is_folder, "cannot be read"),
        (&empty, &good.key, &empty, "holds no certificate"),
        (&good.certificate, &empty, &empty, "holds no private key"),
        (&good.key, &good.key, &good.key, "swap `cert` and `key`"),
        (
            &good.certificate,
            &good.certificate,
            &good.certificate,
            "swap `cert` and `key`",
        ),
        (
            &good.certificate,
            &other.key,
            &other.key,
            "does not belong to the certificate",
        ),
        (
            &good.certificate,
            &encrypted,
            &encrypted,
            "is encrypted; decrypt it",
        ),
        (
            &good.certificate,
            &legacy,
            &legacy,
            "is encrypted; decrypt it",
        ),
        (&good.certificate, &odd, &odd, "cannot be used"),
        (&broken, &good.key, &broken, "the END line is missing"),
        (&garbage, &good.key, &garbage, "issue it again"),
        (&der, &good.key, &der, "convert it to PEM"),
        (&large, &good.key, &large, "larger than 1 MiB"),
    ];
    for (certificate, key, named, remedy) in cases {
        let files = CertificateFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        let message = load(&config(&[&files])).unwrap_err().to_string();
        assert!(message.contains(remedy), "{message}");
        assert!(message.contains(&named.display().to_string()), "{message}");
    }
    let message = load(&config(&[])).unwrap_err().to_string();
    assert!(message.contains("name at least one pair"), "{message}");
}

#[test]
fn a_file_that_may_not_be_read_says_whose_right_is_missing() {
    // Made by hand, because the superuser may read everything.
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = TlsError::from_io(&PathBuf::from("tls/tls.key"), denied);
    assert_eq!(
        error.to_string(),
        "`tls/tls.key` may not be read by this process; give its user or group the right to read it"
    );
}

#[test]
fn an_expired_certificate_is_loaded_and_its_end_is_known() {
    let folder = TempDir::new().unwrap();
    let fresh = pair(&folder, "fresh");
    let expired = pair_of(&folder, "expired", &rcgen::PKCS_ED25519, |params| {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 29);
    });
    let server = load(&config(&[&fresh, &expired])).unwrap();
    let end = server.first_expiry().unwrap();
    assert_eq!(end.to_string(), "2020-02-29T00:00:00Z");
}

#[test]
fn nothing_of_a_key_is_printed() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let pem = fs::read_to_string(&files.key).unwrap();
    let printed = format!("{:?}", load(&config(&[&files])).unwrap());
    let line = pem.lines().nth(1).unwrap();
    assert!(!printed.contains(line));
    assert!(printed.contains("Acceptor"));
}
