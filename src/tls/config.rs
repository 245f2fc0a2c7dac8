//! What the room is told.

use std::path::PathBuf;
use std::time::Duration;

/// The certificate and key of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Chains and keys; of more than one the server name (SNI) chooses.
    pub certificates: Vec<CertificateSource>,
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

impl Config {
    /// Whether a certificate or an authority comes from the Workload API.
    pub fn asks_workload_api(&self) -> bool {
        let clients = self.clients.as_ref();
        self.certificates.contains(&CertificateSource::WorkloadApi)
            || clients.is_some_and(|it| it.authorities == AuthoritySource::WorkloadApi)
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Where the certificates of the authorities are.
    pub authorities: AuthoritySource,
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
    /// Those who vouch for the server; `None` is whom the system trusts.
    pub authorities: Option<AuthoritySource>,
    /// Which workload the server is, by its SPIFFE ID, in place of which host; where the bundle vouches for it.
    pub workload: Option<Box<str>>,
    /// Who we say that we are, where the server asks.
    pub certificate: Option<CertificateSource>,
    /// ALPN protocols in order of preference.
    pub versions: Vec<HttpVersion>,
}

impl ClientFiles {
    /// Whether our certificate or an authority comes from the Workload API.
    pub fn asks_workload_api(&self) -> bool {
        self.certificate == Some(CertificateSource::WorkloadApi)
            || self.authorities == Some(AuthoritySource::WorkloadApi)
    }
}

/// Where a chain and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// In PEM files.
    Files(CertificateFiles),
    /// With the Workload API: our SVID.
    WorkloadApi,
}

/// Where the certificates of authorities are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthoritySource {
    /// In a PEM file.
    File(PathBuf),
    /// With the Workload API: the bundle of our own trust domain.
    WorkloadApi,
}

/// The Workload API that certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadApiConfig {
    /// Its socket; `None` is where [`SOCKET_VARIABLE`] says.
    pub socket: Option<PathBuf>,
    /// How long the start waits for the first SVID.
    pub wait: Duration,
}

impl Default for WorkloadApiConfig {
    fn default() -> Self {
        Self {
            socket: None,
            // A new workload is registered within seconds; longer, and somebody has to look.
            wait: Duration::from_secs(30),
        }
    }
}

/// The variable that says where the socket is (SPIFFE Workload Endpoint, section 4).
pub const SOCKET_VARIABLE: &str = "SPIFFE_ENDPOINT_SOCKET";

/// The files of a chain and its key.
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
