//! What the room is told.

use std::path::PathBuf;
use std::time::Duration;

/// The certificate and key of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// PEM files; more than one pair is chosen between by server name (SNI).
    pub certificates: Vec<CertificateFiles>,
    /// TLS 1.2 is accepted beside 1.3.
    pub allow_tls12: bool,
    /// ALPN protocols in order of preference.
    pub versions: Vec<HttpVersion>,
    /// Clients are asked for a certificate.
    pub clients: Option<ClientCertificates>,
    /// Handshakes at the same time.
    pub handshakes: usize,
    /// How long one handshake may take.
    pub handshake_time: Duration,
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The certificates of the authorities, PEM.
    pub authorities: PathBuf,
    /// What becomes of a client without one.
    pub mode: ClientMode,
}

/// What becomes of a client that shows no certificate. One that shows a bad one is always refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMode {
    /// It is served as somebody without a certificate.
    Optional,
    /// It is refused.
    Required,
}

/// What the client side is made of, towards one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// PEM of those who vouch for the server; `None` is whom the system trusts.
    pub authorities: Option<PathBuf>,
    /// Who we say that we are, where the server asks.
    pub certificate: Option<CertificateFiles>,
    /// ALPN protocols in order of preference.
    pub versions: Vec<HttpVersion>,
}

/// A chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// An HTTP version that a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1 (and 1.0).
    H1,
    /// HTTP/2.
    H2,
}
