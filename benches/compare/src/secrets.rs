//! Certificate, token and keys of one run: made at its start, shared by every proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;

use crate::clock;

/// The name in the certificate.
pub(crate) const SERVER_NAME: &str = "localhost";
pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const AUDIENCE: &str = "bench-agent";
pub(crate) const GROUP: &str = "analysts";

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
    pub(crate) token: PathBuf,
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
        };
        let server = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
        let (certificate, key) = (server.cert.pem(), server.signing_key.serialize_pem());
        fs::write(&secrets.certificate, &certificate)?;
        fs::write(&secrets.key, &key)?;
        fs::write(&secrets.both, [certificate, key].concat())?;

        let issuer = rcgen::KeyPair::generate()?;
        fs::write(&secrets.issuer_key, issuer.public_key_pem())?;
        fs::write(&secrets.jwks, jwks(&issuer)?)?;
        fs::write(&secrets.token, token(&issuer)?)?;
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

fn token(issuer: &rcgen::KeyPair) -> anyhow::Result<String> {
    let now = clock::wall().as_secs();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ana@acme.example", "org_id": "acme",
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
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// TLS 1.3 for a client that trusts this certificate only.
pub(crate) fn client_config(certificate: &Path) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(certificate)? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
