//! SVIDs that are handed out while listeners serve, and the bundle of one trust domain.

use rcgen::{
    BasicConstraints, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

/// An authority that issues whatever it is asked for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Issue {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// For `a.test` too, so that clients can compare a name.
    fn issue(&self, uris: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issue {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let uris = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names.extend(uris);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issue {
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    fn workload(&self) -> Issue {
        self.issue(&["spiffe://prod.example/sa/bot"], |_| {})
    }
}

impl Issue {
    fn svid(&self, authorities: &[&Authority]) -> Result<Svid, SvidError> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.as_slice()));
        let bundle = authorities.iter().map(|it| it.0.der().clone());
        let chain = vec![self.certificate.clone()];
        Svid::new("prod.example", chain, &key, bundle)
    }

    /// A client that shows it, and believes the authority.
    fn connector(&self, authority: &Authority) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![self.certificate.clone()], key)
            .unwrap();
        TlsConnector::from(Arc::new(config))
    }
}

fn asking() -> Config {
    Config {
        certificates: vec![CertificateSource::WorkloadApi],
        clients: Some(ClientCertificates {
            authorities: AuthoritySource::WorkloadApi,
            mode: ClientMode::Required,
        }),
        ..config(&[])
    }
}

#[tokio::test]
async fn an_svid_is_shown_and_one_of_its_trust_domain_believed() {
    let authority = Authority::new();
    let ours = authority.workload();
    let issued = Issued::default();
    let error = Server::load(&asking(), &issued).unwrap_err();
    assert!(matches!(error, TlsError::NotIssued), "{error}");
    issued.put(ours.svid(&[&authority]).unwrap());
    let server = Server::load(&asking(), &issued).unwrap();

    let caller = authority.workload();
    let connector = caller.connector(&authority);
    let (client, _server) = connect(&server, &connector, "a.test").await.unwrap();
    assert_eq!(presented(&client), ours.certificate.to_vec());

    // The authority vouches for each of them, and may not.
    let sign_others = |params: &mut CertificateParams| {
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    };
    for (what, caller) in [
        (
            "another trust domain",
            authority.issue(&["spiffe://other.example/sa/bot"], |_| {}),
        ),
        (
            "a longer trust domain",
            authority.issue(&["spiffe://prod.example.evil/sa/bot"], |_| {}),
        ),
        (
            "another spelling",
            authority.issue(&["SPIFFE://prod.example/sa/bot"], |_| {}),
        ),
        (
            "the trust domain itself",
            authority.issue(&["spiffe://prod.example"], |_| {}),
        ),
        ("no URI", authority.issue(&[], |_| {})),
        (
            "two URIs",
            authority.issue(
                &["spiffe://prod.example/a", "spiffe://prod.example/b"],
                |_| {},
            ),
        ),
        (
            "one that may sign others",
            authority.issue(&["spiffe://prod.example/sa/bot"], sign_others),
        ),
    ] {
        assert!(
            !refused(&server, &caller.connector(&authority))
                .await
                .is_empty(),
            "{what}"
        );
    }
    let stranger = Authority::new().workload();
    let error = refused(&server, &stranger.connector(&authority)).await;
    assert!(error.contains("certificate-untrusted"), "{error}");
}

/// Why a client was refused.
async fn refused(server: &Server, connector: &TlsConnector) -> String {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = server.acceptor();
    let name = ServerName::try_from("a.test").unwrap();
    let (_client, accepted) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
    accepted.unwrap_err().to_string()
}

#[tokio::test]
async fn the_next_svid_is_for_new_connections_and_a_new_bundle_ends_old_tickets() {
    let (old, new) = (Authority::new(), Authority::new());
    let issued = Issued::default();
    issued.put(old.workload().svid(&[&old]).unwrap());
    let server = Server::load(&asking(), &issued).unwrap();
    let connector = old.workload().connector(&old);
    let (mut client, mut held) = connect(&server, &connector, "a.test").await.unwrap();

    // Renewed, under the same bundle.
    let renewed = old.workload();
    issued.put(renewed.svid(&[&old]).unwrap());
    assert!(server.reload().unwrap() && !server.reload().unwrap());
    let (second, _server) = connect(&server, &connector, "a.test").await.unwrap();
    assert_eq!(presented(&second), renewed.certificate.to_vec());

    // The authority is changed: first both are good, then the new one alone.
    let moved = new.workload();
    issued.put(moved.svid(&[&old, &new]).unwrap());
    assert!(server.reload().unwrap());
    let moved_caller = new.workload().connector(&new);
    assert!(connect(&server, &moved_caller, "a.test").await.is_ok());
    issued.put(moved.svid(&[&new]).unwrap());
    assert!(server.reload().unwrap());
    assert!(!refused(&server, &connector).await.is_empty());
    assert!(connect(&server, &moved_caller, "a.test").await.is_ok());

    client.write_all(b"still here").await.unwrap();
    client.flush().await.unwrap();
    let mut heard = [0; 10];
    held.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[test]
fn what_does_not_belong_together_is_not_taken() {
    let authority = Authority::new();
    let good = authority.workload();
    assert!(good.svid(&[&authority]).is_ok());
    let told = |result: Result<Svid, SvidError>| result.unwrap_err().to_string();

    let other = authority.issue(&["spiffe://other.example/sa/bot"], |_| {});
    let error = told(other.svid(&[&authority]));
    assert!(
        error.contains("not one of a workload of `prod.example`"),
        "{error}"
    );
    let error = told(good.svid(&[]));
    assert!(error.contains("bundle of `prod.example`"), "{error}");
    let mixed = Issue {
        certificate: good.certificate.clone(),
        key: authority.workload().key,
    };
    assert!(matches!(
        mixed.svid(&[&authority]),
        Err(SvidError::Certificate(_))
    ));
    let broken = Issue {
        certificate: good.certificate.clone(),
        key: b"no key".to_vec(),
    };
    assert!(matches!(broken.svid(&[&authority]), Err(SvidError::Key(_))));
    let printed = format!("{:?}", good.svid(&[&authority]).unwrap());
    assert_eq!(printed, "Svid { trust_domain: \"prod.example\", .. }");
}

#[tokio::test]
async fn an_agent_is_believed_by_the_bundle_about_its_own_trust_domain() {
    let authority = Authority::new();
    let issued = Issued::default();
    let ours = authority.workload();
    issued.put(ours.svid(&[&authority]).unwrap());
    let files = ClientFiles {
        authorities: Some(AuthoritySource::WorkloadApi),
        certificate: Some(CertificateSource::WorkloadApi),
        workload: None,
        versions: vec![HttpVersion::H1],
    };
    let agent = "spiffe://prod.example/sa/agent";
    let elsewhere = "spiffe://other.example/sa/agent";
    for (uri, workload, host, is_believed) in [
        (agent, None, "a.test", true),
        (agent, None, "b.test", false),
        (agent, Some(agent), "b.test", true),
        (
            agent,
            Some("spiffe://prod.example/sa/agent/x"),
            "a.test",
            false,
        ),
        (elsewhere, None, "a.test", false),
        (elsewhere, Some(elsewhere), "a.test", false),
    ] {
        let files = ClientFiles {
            workload: workload.map(Box::from),
            ..files.clone()
        };
        let client = super::super::Client::load(&files, &issued).unwrap();
        let handed = Issued::default();
        let theirs = authority.issue(&[uri], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        });
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(theirs.key.as_slice()));
        let domain = uri.split('/').nth(2).unwrap();
        let chain = vec![theirs.certificate.clone()];
        let svid = Svid::new(domain, chain, &key, [authority.0.der().clone()]);
        handed.put(svid.unwrap());
        let config = Config {
            clients: None,
            ..asking()
        };
        let server = Server::load(&config, &handed).unwrap();
        let connector = TlsConnector::from(client.config().load_full());
        let connected = connect(&server, &connector, host).await;
        assert_eq!(connected.is_ok(), is_believed, "{uri} {workload:?} {host}");
    }
}
