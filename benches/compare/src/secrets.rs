//! Certificate, token and keys of one run: made at its start, shared by every proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use serde_json::json;

use crate::clock;

/// The name in the certificate.
pub(crate) const SERVER_NAME: &str = "localhost";
pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const AUDIENCE: &str = "bench-agent";
pub(crate) const GROUP: &str = "analysts";

/// How many callers there are, and of how many tenants.
const CALLERS: usize = 1000;
const TENANTS: usize = 20;

const KEY_ID: &str = "bench-key";
const LIFETIME_SECONDS: u64 = 3600;

/// Where the files of one run lie.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Certificate and key in one file, as HAProxy wants it.
    pub(crate) both: PathBuf,
    pub(crate) jwks: PathBuf,
    pub(crate) issuer_key: PathBuf,
    /// The token of one caller.
    pub(crate) token: PathBuf,
    /// The tokens of [`CALLERS`] callers, one in a line.
    pub(crate) tokens: PathBuf,
}

impl Secrets {
    /// Makes all of them below `folder`: ECDSA P-256 for the certificate and for the token (ES256).
    pub(crate) fn make(folder: &Path) -> anyhow::Result<Self> {
        let secrets = Self {
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
            both: folder.join("tls.both.pem"),
            jwks: folder.join("jwks.json"),
            issuer_key: folder.join("issuer.pub.pem"),
            token: folder.join("token"),
            tokens: folder.join("tokens"),
        };
        let server = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
        let (certificate, key) = (server.cert.pem(), server.signing_key.serialize_pem());
        fs::write(&secrets.certificate, &certificate)?;
        fs::write(&secrets.key, &key)?;
        fs::write(&secrets.both, [certificate, key].concat())?;

        let issuer = rcgen::KeyPair::generate()?;
        fs::write(&secrets.issuer_key, issuer.public_key_pem())?;
        fs::write(&secrets.jwks, jwks(&issuer)?)?;
        let tokens = (0..CALLERS).map(|caller| token(&issuer, caller));
        let tokens = tokens.collect::<anyhow::Result<Vec<_>>>()?;
        fs::write(&secrets.token, tokens.first().context("no caller")?)?;
        fs::write(&secrets.tokens, tokens.join("\n"))?;
        Ok(secrets)
    }
}

fn jwks(issuer: &rcgen::KeyPair) -> anyhow::Result<String> {
    // An uncompressed point (SEC 1, section 2.3.3): 4, x, y.
    let point = issuer.public_key_raw();
    let x = point.get(1..33).context("key is not on P-256")?;
    let y = point.get(33..65).context("key is not on P-256")?;
    let key = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID,
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    });
    Ok(json!({ "keys": [key] }).to_string())
}

fn token(issuer: &rcgen::KeyPair, caller: usize) -> anyhow::Result<String> {
    let now = clock::wall().as_secs();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": format!("caller-{caller}@acme.example"), "org_id": format!("org-{}", caller % TENANTS),
        "groups": [GROUP], "iat": now, "exp": now + LIFETIME_SECONDS,
    });
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(KEY_ID.to_owned());
    let key = EncodingKey::from_ec_pem(issuer.serialize_pem().as_bytes())?;
    Ok(jsonwebtoken::encode(&header, &claims, &key)?)
}

/// TLS 1.3 for a server with this certificate.
pub(crate) fn server_config(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}

/// The names of HTTP's versions in ALPN (RFC 7301).
pub(crate) const HTTP1: &[u8] = b"http/1.1";
pub(crate) const HTTP2: &[u8] = b"h2";

/// How a client makes sure of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The certificate is the expected one; that the server has its key is believed.
    Bytes,
    /// As everybody does.
    Chain,
}

/// TLS 1.3 for a client that trusts this certificate only and resumes nothing.
pub(crate) fn client_config(
    certificate: &Path,
    http2: bool,
    trust: Trust,
) -> anyhow::Result<ClientConfig> {
    let certificates =
        CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = match trust {
        Trust::Bytes => {
            let certificate = certificates.into_iter().next().context("no certificate")?;
            let verifier = Arc::new(Pinned { certificate });
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
        }
        Trust::Chain => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate)?;
            }
            builder.with_root_certificates(roots)
        }
    }
    .with_no_client_auth();
    config.alpn_protocols = vec![if http2 { HTTP2 } else { HTTP1 }.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Compares the certificate and verifies no signature: in a measurement of the server's half of a
/// handshake the client's is not to be the bottleneck.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
