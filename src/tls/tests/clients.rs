//! Clients' certificates: who is believed, for how long, and what a ticket carries.

use rcgen::{BasicConstraints, CertifiedIssuer, IsCa};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::tls::clients::still_valid;

/// An authority, and the file in which a listener finds it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &TempDir, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = folder.path().join(format!("{name}.ca"));
        fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file }
    }

    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["caller.test".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![certificate.der().clone()],
            key: key.serialize_der(),
        }
    }
}

/// What a client shows, and the proof that it is its own.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    fn sha256(&self) -> String {
        sha256(&PeerCertificate::of(&self.chain).unwrap())
    }
}

fn sha256(certificate: &PeerCertificate) -> String {
    let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, certificate.leaf());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

fn asking(files: &CertificateFiles, authority: &Authority, mode: ClientMode) -> Config {
    Config {
        clients: Some(ClientCertificates {
            authorities: AuthoritySource::File(authority.file.clone()),
            mode,
        }),
        ..config(&[files])
    }
}

fn showing(files: &CertificateFiles, identity: Option<&Identity>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(leaf(files).into()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        Some(identity) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.clone()));
            builder
                .with_client_auth_cert(identity.chain.clone(), key)
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    TlsConnector::from(Arc::new(config))
}

/// What the server makes of a client, and how the handshake went. The client reads its tickets.
async fn meet(
    server: &Server,
    connector: &TlsConnector,
) -> Result<(Option<String>, HandshakeKind), HandshakeError> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = server.acceptor();
    let accepting = tokio::spawn(async move { acceptor.accept(far).await });
    let name = ServerName::try_from("a.test").unwrap();
    let connected = connector.connect(name, near).await;
    let mut accepted = accepting.await.unwrap()?;
    let mut client = connected.unwrap();
    accepted.stream.write_all(b"x").await.unwrap();
    accepted.stream.flush().await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    let (_, connection) = accepted.stream.get_ref();
    let kind = connection.handshake_kind().unwrap();
    let client = accepted.client.as_ref();
    Ok((client.map(|client| sha256(client)), kind))
}

#[tokio::test]
async fn a_client_is_who_the_authority_says_or_nobody() {
    use ClientMode::{Optional, Required};
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let (ours, other) = (
        Authority::new(&folder, "ours"),
        Authority::new(&folder, "other"),
    );
    let good = ours.issue(|_| {});
    let foreign = other.issue(|_| {});
    let ended = ours.issue(|params| {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let server_only = ours.issue(|params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    let known = Ok(Some(good.sha256()));
    let cases = [
        (Required, Some(&good), known.clone()),
        (Optional, Some(&good), known),
        (Optional, None, Ok(None)),
        (Required, None, Err(HandshakeFault::CertificateMissing)),
        (
            Required,
            Some(&foreign),
            Err(HandshakeFault::CertificateUntrusted),
        ),
        (
            Optional,
            Some(&foreign),
            Err(HandshakeFault::CertificateUntrusted),
        ),
        (
            Optional,
            Some(&ended),
            Err(HandshakeFault::CertificateExpired),
        ),
        (
            Optional,
            Some(&server_only),
            Err(HandshakeFault::CertificateUntrusted),
        ),
    ];
    for (number, (mode, identity, expected)) in cases.into_iter().enumerate() {
        for allow_tls12 in [false, true] {
            let config = Config {
                allow_tls12,
                ..asking(&files, &ours, mode)
            };
            let server = load(&config).unwrap();
            let got = meet(&server, &showing(&files, identity)).await;
            let got = got.map(|(client, _)| client).map_err(|error| error.fault);
            assert_eq!(got, expected, "case {number}");
        }
    }
}

#[tokio::test]
async fn a_ticket_opens_only_where_and_under_what_it_was_made() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let authority = Authority::new(&folder, "ours");
    let caller = authority.issue(|_| {});
    let config = asking(&files, &authority, ClientMode::Optional);
    let (server, neighbour) = (load(&config).unwrap(), load(&config).unwrap());
    let open = load(&super::config(&[&files])).unwrap();

    let connector = showing(&files, Some(&caller));
    let full = (Some(caller.sha256()), HandshakeKind::Full);
    let resumed = (Some(caller.sha256()), HandshakeKind::Resumed);
    assert_eq!(meet(&server, &connector).await.unwrap(), full);
    assert_eq!(meet(&server, &connector).await.unwrap(), resumed);
    // The same client, files and authority, and another listener.
    assert_eq!(meet(&neighbour, &connector).await.unwrap(), full);
    // One that asks nobody for a certificate proves nothing to one that does.
    let nobody = showing(&files, None);
    let unknown = (None, HandshakeKind::Full);
    assert_eq!(meet(&open, &nobody).await.unwrap(), unknown);
    assert_eq!(meet(&server, &nobody).await.unwrap(), unknown);

    // Another certificate for us changes nothing of what we know about clients.
    let renewed = pair(&folder, "a.test");
    assert!(server.reload().unwrap());
    let connector = showing(&renewed, Some(&caller));
    assert_eq!(meet(&server, &connector).await.unwrap(), full);
    assert_eq!(meet(&server, &connector).await.unwrap(), resumed);

    // Another authority does: the ticket is worth nothing, and the certificate no more.
    let other = Authority::new(&folder, "other");
    fs::copy(&other.file, &authority.file).unwrap();
    assert!(server.reload().unwrap());
    assert!(!server.reload().unwrap(), "taken over once");
    let error = meet(&server, &connector).await.unwrap_err();
    assert_eq!(error.fault, HandshakeFault::CertificateUntrusted);
    let newcomer = other.issue(|_| {});
    let (client, _) = meet(&server, &showing(&renewed, Some(&newcomer)))
        .await
        .unwrap();
    assert_eq!(client, Some(newcomer.sha256()));
}

#[tokio::test]
async fn other_authorities_drop_no_open_connection_and_bad_ones_are_not_taken() {
    let folder = TempDir::new().unwrap();
    let files = pair(&folder, "a.test");
    let authority = Authority::new(&folder, "ours");
    let caller = authority.issue(|_| {});
    let server = load(&asking(&files, &authority, ClientMode::Required)).unwrap();
    let connector = showing(&files, Some(&caller));
    let (mut client, mut accepted) = connect(&server, &connector, "a.test").await.unwrap();

    fs::write(&authority.file, "").unwrap();
    let error = server.reload().unwrap_err();
    assert!(matches!(error, TlsError::AuthoritiesMissing(_)), "{error}");
    assert!(
        meet(&server, &connector).await.is_ok(),
        "the last good ones stay"
    );

    let other = Authority::new(&folder, "other");
    fs::copy(&other.file, &authority.file).unwrap();
    assert!(server.reload().unwrap());
    assert!(meet(&server, &connector).await.is_err());
    client.write_all(b"still here").await.unwrap();
    client.flush().await.unwrap();
    let mut heard = [0; 10];
    accepted.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[test]
fn a_certificate_that_ended_since_its_ticket_is_not_believed() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(&folder, "ours");
    let clients = |mode| ClientCertificates {
        authorities: AuthoritySource::File(authority.file.clone()),
        mode,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pem = Authorities::Pem(fs::read(&authority.file).unwrap());
    let verifier = |mode| super::super::clients::verifier(&clients(mode), &pem, &provider).unwrap();
    let required = verifier(ClientMode::Required);
    let ended = authority.issue(|params| {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let error = still_valid(required.as_ref(), &ended.chain).unwrap_err();
    assert_eq!(
        HandshakeFault::of(&error),
        HandshakeFault::CertificateExpired
    );
    let good = authority.issue(|_| {});
    assert!(still_valid(required.as_ref(), &good.chain).is_ok());
    assert!(still_valid(required.as_ref(), &[]).is_err());
    let optional = verifier(ClientMode::Optional);
    assert!(still_valid(optional.as_ref(), &[]).is_ok());
}
