//! Who vouches for clients, and what a handshake proved of one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, Error};
use std::time::Duration;

use super::certificate::{broken, read};
use super::config::{ClientCertificates, ClientMode};
use super::error::TlsError;
use crate::clock;

/// A client's certificate, verified in the handshake of this connection or of the one that it resumes.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    chain: Vec<CertificateDer<'static>>,
}

impl PeerCertificate {
    /// Keeps what was verified; `None` when the client showed nothing.
    pub(super) fn of(chain: &[CertificateDer<'static>]) -> Option<Self> {
        let is_shown = !chain.is_empty();
        is_shown.then(|| Self {
            chain: chain.to_vec(),
        })
    }

    /// The certificate itself, DER.
    pub fn leaf(&self) -> &[u8] {
        self.chain.first().map_or(&[], |leaf| leaf.as_ref())
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate").finish_non_exhaustive()
    }
}

/// The bytes of the file with the authorities.
pub(super) fn read_authorities(clients: &ClientCertificates) -> Result<Vec<u8>, TlsError> {
    read(&clients.authorities)
}

/// Checks clients' certificates against the authorities of a file.
pub(super) fn verifier(
    clients: &ClientCertificates,
    pem: &[u8],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = Arc::new(authorities(&clients.authorities, pem)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    let builder = match clients.mode {
        // Without one the client is nobody yet; a bad one ends the handshake all the same.
        ClientMode::Optional => builder.allow_unauthenticated(),
        ClientMode::Required => builder,
    };
    builder
        .build()
        .map_err(|error| TlsError::Setup(Error::General(error.to_string())))
}

/// The authorities in a PEM file.
pub(super) fn authorities(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| broken(path, &error))?;
        roots
            .add(certificate)
            .map_err(|error| TlsError::CertificateInvalid {
                path: path.to_owned(),
                detail: error.to_string().into(),
            })?;
    }
    if roots.is_empty() {
        return Err(TlsError::AuthoritiesMissing(path.to_owned()));
    }
    Ok(roots)
}

/// Checks again what a session ticket says was checked: since then the certificate may have ended.
pub(super) fn still_valid(
    verifier: &dyn ClientCertVerifier,
    chain: &[CertificateDer<'static>],
) -> Result<(), Error> {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return match verifier.client_auth_mandatory() {
            true => Err(Error::NoCertificatesPresented),
            false => Ok(()),
        };
    };
    let seconds = u64::try_from(clock::wall().as_second())
        .map_err(|_| Error::InvalidCertificate(CertificateError::NotValidYet))?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier
        .verify_client_cert(leaf, intermediates, now)
        .map(|_verified| ())
}
