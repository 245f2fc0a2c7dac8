//! A certificate authority for one test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::within;

/// Files for a server called `localhost`, and the authority that vouches for them.
pub(crate) struct Certificates {
    /// The chain, PEM.
    pub(crate) certificate: PathBuf,
    /// The key, PEM.
    pub(crate) key: PathBuf,
    /// The authority, PEM.
    pub(crate) ca: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a client proves itself with.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    /// The SHA-256 of the certificate, in hexadecimal digits.
    pub(crate) fn sha256(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }
}

impl Certificates {
    /// Writes a fresh certificate and key into the folder.
    pub(crate) fn generate(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let files = Self {
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
            ca: folder.join("ca.crt"),
            issuer,
        };
        std::fs::write(&files.certificate, leaf.pem()).unwrap();
        std::fs::write(&files.ca, files.issuer.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    /// A connection on which HTTP/2 was agreed, and nothing said yet.
    pub(crate) async fn connect_h2(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let handshake = self.connector(b"h2").connect(name, stream);
        within("a TLS handshake", handshake).await.unwrap()
    }

    /// The certificate of the authority, PEM.
    pub(crate) fn authority(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a client, with its key.
    pub(crate) fn identity(&self) -> Identity {
        self.identity_of(&[])
    }

    /// A certificate for a client with these URIs, with its key.
    pub(crate) fn identity_of(&self, uris: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(["caller.test".to_owned()]).unwrap();
        let uris = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()));
        leaf.subject_alt_names.extend(uris);
        let leaf = leaf.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate: leaf.der().clone(),
            key: key.serialize_der(),
        }
    }

    /// A server with the certificate, which speaks this protocol (RFC 7301).
    pub(crate) fn acceptor(&self, protocol: &[u8]) -> TlsAcceptor {
        let chain = CertificateDer::pem_file_iter(&self.certificate).unwrap();
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(&self.key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// A client that trusts the authority and offers this protocol (RFC 7301).
    pub(crate) fn connector(&self, protocol: &[u8]) -> TlsConnector {
        self.connector_as(protocol, None)
    }

    /// The same client with a certificate of its own.
    pub(crate) fn connector_as(
        &self,
        protocol: &[u8],
        identity: Option<&Identity>,
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(Identity { certificate, key }) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
                builder
                    .with_client_auth_cert(vec![certificate.clone()], key)
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}
