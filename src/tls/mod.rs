//! Terminates TLS: certificates, their rotation, and what is negotiated.
//!
//! Owns the server side of TLS: 1.3 (1.2 by choice), ALPN, the choice of a certificate by server name, clients'
//! certificates, session tickets, and the bounds of a handshake in time and number; and the Workload API, from which
//! certificates come that are in no file. There is no early data: it
//! can be replayed, and calls have effects (RFC 8446, appendix E.5). The key exchange is X25519MLKEM768 with
//! every client that asks for it first, and classical with the others.
//!
//! Leaves to others: sockets (`listener`), when to look for changed files (whoever calls [`Server::reload`]),
//! what a client's certificate says of the caller, and connecting to servers that we call (the rooms that call
//! them). [`Client`] has the certificates of that side.
//!
//! Must not use the process-wide default provider: what is negotiated is decided here.
//!
//! INVARIANT: a ticket opens only under the listener, and the authorities of clients, that it was made under.
//! It carries who the client was, and whoever takes it believes that without another proof.

mod certificate;
mod clients;
mod config;
mod der;
mod error;
mod handshake;
mod outbound;
mod servers;
mod svid;
#[cfg(test)]
mod tests;
#[cfg(feature = "spiffe")]
mod workload_api;

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio_rustls::server::TlsStream;

use crate::clock;

use certificate::{Certificate, Material};
use clients::Authorities;

pub use clients::PeerCertificate;
pub use config::*;
pub use error::TlsError;
pub use handshake::{Accepted, Acceptor, HandshakeError, HandshakeFault};
pub use outbound::Client;
pub use svid::{Issued, Svid, SvidError};
#[cfg(feature = "spiffe")]
pub use workload_api::{WorkloadApi, WorkloadApiError, WorkloadApiMetrics};

/// The server side of one listener. Connections keep the certificate that they began with; new ones get the
/// one that was loaded last.
#[derive(Debug)]
pub struct Server {
    config: Config,
    issued: Issued,
    provider: Arc<CryptoProvider>,
    loaded: Arc<ArcSwap<Loaded>>,
    trust: Arc<ArcSwap<Trust>>,
    acceptor: Acceptor,
}

impl Server {
    /// Reads the files, and what was issued where the configuration wants that, and checks them. Blocks for as long as
    /// that takes.
    ///
    /// # Errors
    /// When a file cannot be read or used; the message names the file and the remedy. A certificate that is
    /// expired, or not valid yet, is a warning in the log: clients may know better, and a server that does not
    /// start cannot be repaired by a rotation.
    pub fn load(config: &Config, issued: &Issued) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let materials = read(config, issued)?;
        let loaded = Loaded::new(config, &materials, &provider)?;
        loaded.warn_of_dates(config, clock::wall());
        let loaded = Arc::new(ArcSwap::from_pointee(loaded));
        let authorities = read_authorities(config, issued)?;
        let trust = Trust::new(config, authorities.as_ref(), &provider, &loaded)?;
        let trust = Arc::new(ArcSwap::from_pointee(trust));
        let acceptor = Acceptor::new(Arc::clone(&trust), config.handshakes, config.handshake_time);
        Ok(Self {
            config: config.clone(),
            issued: issued.clone(),
            provider,
            loaded,
            trust,
            acceptor,
        })
    }

    /// Reads everything again, and takes it over if it changed and is good. `true` when it was taken
    /// over. Blocks like [`Server::load`]; no open connection notices.
    ///
    /// # Errors
    /// As [`Server::load`], each time until the files are good again; the last good ones stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let materials = read(&self.config, &self.issued)?;
        let authorities = read_authorities(&self.config, &self.issued)?;
        let loaded = match fingerprint(&materials) == self.loaded.load().fingerprint {
            true => None,
            false => Some(Loaded::new(&self.config, &materials, &self.provider)?),
        };
        let believed = authorities.as_ref().map(Authorities::fingerprint);
        let trust = match believed == self.trust.load().fingerprint {
            true => None,
            false => Some(Trust::new(
                &self.config,
                authorities.as_ref(),
                &self.provider,
                &self.loaded,
            )?),
        };
        // All or nothing: both are good here.
        let changed = loaded.is_some() || trust.is_some();
        if let Some(loaded) = loaded {
            loaded.warn_of_dates(&self.config, clock::wall());
            self.loaded.store(Arc::new(loaded));
        }
        if let Some(trust) = trust {
            self.trust.store(Arc::new(trust));
        }
        Ok(changed)
    }

    /// Performs handshakes; it sees every reload, so it need not be asked for again.
    pub fn acceptor(&self) -> Acceptor {
        self.acceptor.clone()
    }

    /// Whom the certificates are for; it sees every reload.
    pub fn names(&self) -> Names {
        Names(Arc::clone(&self.loaded))
    }

    /// When the first of the certificates ends, as far as their dates can be told.
    pub fn first_expiry(&self) -> Option<Timestamp> {
        let loaded = self.loaded.load();
        let ends = loaded.certificates.iter().filter_map(|certificate| {
            let (_, until) = certificate.validity?;
            Some(until)
        });
        ends.min()
    }
}

/// Whom the certificates of a listener are for.
#[derive(Debug, Clone)]
pub struct Names(Arc<ArcSwap<Loaded>>);

impl Names {
    /// Whether a certificate names this host, by name or address; wildcards included.
    pub fn contains(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else {
            return false;
        };
        let loaded = self.0.load();
        let mut certificates = loaded.certificates.iter();
        certificates.any(|certificate| certificate.is_for(&name))
    }
}

/// The HTTP version that was agreed on by ALPN; `None` when the client offered none, which means HTTP/1.1 by
/// custom and anything by right (RFC 9113, section 3.2).
pub fn negotiated<IO>(stream: &TlsStream<IO>) -> Option<HttpVersion> {
    let (_, connection) = stream.get_ref();
    match connection.alpn_protocol()? {
        b"h2" => Some(HttpVersion::H2),
        b"http/1.0" | b"http/1.1" => Some(HttpVersion::H1),
        _ => None,
    }
}

impl HttpVersion {
    /// The names in ALPN, the better one first (RFC 7301, section 6; RFC 9113, section 3.1). Who offers HTTP/1.0
    /// alone would be refused without the second.
    const fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::H1 => &[b"http/1.1", b"http/1.0"],
            Self::H2 => &[b"h2"],
        }
    }
}

/// Whom we believe, and the sessions that were begun under it.
struct Trust {
    /// Of the authorities.
    fingerprint: Option<blake3::Hash>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    config: Arc<ServerConfig>,
}

impl Trust {
    fn new(
        config: &Config,
        authorities: Option<&Authorities>,
        provider: &Arc<CryptoProvider>,
        loaded: &Arc<ArcSwap<Loaded>>,
    ) -> Result<Self, TlsError> {
        let verifier = match config.clients.as_ref().zip(authorities) {
            Some((clients, authorities)) => {
                Some(clients::verifier(clients, authorities, provider)?)
            }
            None => None,
        };
        let server = server_config(config, provider, verifier.clone(), Arc::clone(loaded))?;
        Ok(Self {
            fingerprint: authorities.map(Authorities::fingerprint),
            verifier,
            config: Arc::new(server),
        })
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

fn server_config(
    config: &Config,
    provider: &Arc<CryptoProvider>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    loaded: Arc<ArcSwap<Loaded>>,
) -> Result<ServerConfig, TlsError> {
    let versions: &[_] = if config.allow_tls12 {
        &[&version::TLS13, &version::TLS12]
    } else {
        &[&version::TLS13]
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(TlsError::Setup)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_cert_resolver(Arc::new(Resolver(loaded)));
    server.alpn_protocols = config
        .versions
        .iter()
        .flat_map(|version| version.alpn())
        .map(|name| name.to_vec())
        .collect();
    // Tickets carry the session themselves, sealed with keys that rotate: resumption without memory. The keys,
    // and the memory for clients of TLS 1.2 without tickets, are this configuration's own.
    server.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
    // One for each handshake: a second is sealed and sent in vain to all clients but browsers.
    server.send_tls13_tickets = 1;
    server.max_early_data_size = 0;
    Ok(server)
}

/// What the files held when they were last good. Never empty.
#[derive(Debug)]
struct Loaded {
    fingerprint: blake3::Hash,
    certificates: Vec<Certificate>,
}

impl Loaded {
    fn new(
        config: &Config,
        materials: &[Material],
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let pairs = config.certificates.iter().zip(materials);
        let certificates: Vec<_> = pairs
            .map(|(source, material)| Certificate::parse(source, material, provider))
            .collect::<Result<_, _>>()?;
        if certificates.is_empty() {
            return Err(TlsError::Empty);
        }
        Ok(Self {
            fingerprint: fingerprint(materials),
            certificates,
        })
    }

    fn warn_of_dates(&self, config: &Config, now: Timestamp) {
        for (source, certificate) in config.certificates.iter().zip(&self.certificates) {
            let file = match source {
                CertificateSource::Files(files) => files.certificate.display().to_string(),
                CertificateSource::WorkloadApi => "workloadApi".to_owned(),
            };
            match certificate.validity {
                Some((_, until)) if until < now => tracing::warn!(
                    tls.certificate = %file, tls.not_after = %until,
                    "certificate is expired; clients will refuse it until it is renewed"
                ),
                Some((from, _)) if now < from => tracing::warn!(
                    tls.certificate = %file, tls.not_before = %from,
                    "certificate is not valid yet; is the clock right?"
                ),
                _ => {}
            }
        }
    }

    /// The certificate for a server name that the client can verify; else for the name; else the first, with
    /// which a client that named nobody, or somebody unknown, learns at least whom it reached.
    fn choose(&self, hello: &ClientHello<'_>) -> Option<&Certificate> {
        let first = self.certificates.first()?;
        if self.certificates.len() == 1 {
            return Some(first);
        }
        let name = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let named =
            |certificate: &&Certificate| name.as_ref().is_some_and(|name| certificate.is_for(name));
        let certificates = || self.certificates.iter().filter(named);
        certificates()
            .find(|certificate| certificate.suits(hello))
            .or_else(|| certificates().next())
            .or(Some(first))
    }
}

/// Answers each handshake from what is loaded now.
#[derive(Debug)]
struct Resolver(Arc<ArcSwap<Loaded>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.0.load();
        loaded
            .choose(&hello)
            .map(|certificate| Arc::clone(&certificate.key))
    }
}

fn read_authorities(config: &Config, issued: &Issued) -> Result<Option<Authorities>, TlsError> {
    let clients = config.clients.as_ref();
    clients
        .map(|clients| Authorities::read(&clients.authorities, issued))
        .transpose()
}

fn read(config: &Config, issued: &Issued) -> Result<Vec<Material>, TlsError> {
    let sources = config.certificates.iter();
    sources
        .map(|source| Material::read(source, issued))
        .collect()
}

fn fingerprint(materials: &[Material]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for material in materials {
        material.hash(&mut hasher);
    }
    hasher.finalize()
}
