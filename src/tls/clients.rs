//! Who vouches for clients, and what a handshake proved of one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use std::time::Duration;

use super::certificate::{broken, read};
use super::config::{AuthoritySource, ClientCertificates, ClientMode};
use super::error::TlsError;
use super::svid::{Bundle, Issued};
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

/// The authorities that are at a source now.
pub(super) enum Authorities {
    /// PEM in a file.
    Pem(Vec<u8>),
    /// The bundle that was handed out last.
    Bundle(Arc<Bundle>),
}

impl Authorities {
    pub(super) fn read(source: &AuthoritySource, issued: &Issued) -> Result<Self, TlsError> {
        Ok(match source {
            AuthoritySource::File(path) => Self::Pem(read(path)?),
            AuthoritySource::WorkloadApi => Self::Bundle(Arc::clone(issued.svid()?.bundle())),
        })
    }

    pub(super) fn fingerprint(&self) -> blake3::Hash {
        match self {
            Self::Pem(pem) => blake3::hash(pem),
            Self::Bundle(bundle) => bundle.fingerprint(),
        }
    }

    pub(super) fn roots(&self, source: &AuthoritySource) -> Result<Arc<RootCertStore>, TlsError> {
        match (source, self) {
            (AuthoritySource::File(path), Self::Pem(pem)) => authorities(path, pem).map(Arc::new),
            (_, Self::Bundle(bundle)) => Ok(Arc::clone(bundle.authorities())),
            (AuthoritySource::WorkloadApi, Self::Pem(_)) => Err(TlsError::NotIssued),
        }
    }
}

/// Checks clients' certificates against the authorities.
pub(super) fn verifier(
    clients: &ClientCertificates,
    authorities: &Authorities,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = authorities.roots(&clients.authorities)?;
    let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    let builder = match clients.mode {
        // Without one the client is nobody yet; a bad one ends the handshake all the same.
        ClientMode::Optional => builder.allow_unauthenticated(),
        ClientMode::Required => builder,
    };
    let verifier = builder
        .build()
        .map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
    Ok(match authorities {
        Authorities::Pem(_) => verifier,
        Authorities::Bundle(bundle) => Arc::new(OfOneDomain {
            verifier,
            bundle: Arc::clone(bundle),
        }),
    })
}

/// Believes authorities only about the names of their own trust domain.
#[derive(Debug)]
struct OfOneDomain {
    verifier: Arc<dyn ClientCertVerifier>,
    bundle: Arc<Bundle>,
}

impl ClientCertVerifier for OfOneDomain {
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(leaf, intermediates, now)?;
        match self.bundle.covers(leaf) {
            true => Ok(verified),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The authorities in a PEM file.
fn authorities(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
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
