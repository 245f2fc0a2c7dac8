//! What is handed out to this process while it runs: its SVID, and the bundle of its trust domain.
//!
//! In memory only. A bundle vouches for the names of its own trust domain and for no others (SPIFFE Trust Domain and
//! Bundle, section 4), which no certificate in it says; so whoever is believed by one is asked for the domain here.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::certificate::Certificate;
use super::error::TlsError;

/// Where the SVID lies that was handed out last. A clone is another handle on the same place.
#[derive(Debug, Clone, Default)]
pub struct Issued(Arc<ArcSwapOption<Svid>>);

impl Issued {
    /// Puts a new one in place of the last.
    pub fn put(&self, svid: Svid) {
        self.0.store(Some(Arc::new(svid)));
    }

    /// Until when the last one is valid, and since when, as far as it says so.
    pub fn validity(&self) -> Option<(Timestamp, Timestamp)> {
        self.0.load().as_ref()?.certificate.validity
    }

    pub(super) fn svid(&self) -> Result<Arc<Svid>, TlsError> {
        self.0.load_full().ok_or(TlsError::NotIssued)
    }
}

/// The certificate of a workload with its key, and the authorities of its trust domain.
pub struct Svid {
    certificate: Certificate,
    bundle: Arc<Bundle>,
}

/// The authorities of one trust domain. Whoever believes them holds no key by it.
#[derive(Debug)]
pub(super) struct Bundle {
    trust_domain: Box<str>,
    authorities: Arc<RootCertStore>,
    fingerprint: blake3::Hash,
}

/// Why what was handed out cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SvidError {
    /// An authority that cannot be read, or none at all.
    #[error("the bundle of `{trust_domain}` cannot be used ({detail})")]
    Bundle {
        /// Whose.
        trust_domain: Box<str>,
        /// Why.
        detail: Box<str>,
    },
    /// The certificate cannot be read, or is not the key's.
    #[error("the certificate cannot be used ({0})")]
    Certificate(Box<str>),
    /// A kind of key that is not supported.
    #[error("the key cannot be used ({0})")]
    Key(Box<str>),
    /// The certificate is of another trust domain, or of none.
    #[error("the certificate is not one of a workload of `{0}`")]
    NoWorkload(Box<str>),
}

impl Svid {
    /// Joins what belongs together: the chain, leaf first; its key (PKCS #8), of which nothing is kept but what signs;
    /// and the authorities of the trust domain.
    ///
    /// # Errors
    /// When it does not belong together, or a part cannot be used.
    pub fn new(
        trust_domain: &str,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'_>,
        bundle: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, SvidError> {
        let workload = chain.first().and_then(|leaf| workload_of(leaf));
        if workload.as_deref().and_then(trust_domain_of) != Some(trust_domain) {
            return Err(SvidError::NoWorkload(trust_domain.into()));
        }
        let key = any_supported_type(key).map_err(|error| SvidError::Key(said(&error)))?;
        let certificate =
            Certificate::new(chain, key).map_err(|error| SvidError::Certificate(said(&error)))?;
        Ok(Self {
            certificate,
            bundle: Arc::new(Bundle::new(trust_domain, bundle)?),
        })
    }

    pub(super) const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(super) const fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The certificate itself, DER.
    pub(super) fn leaf(&self) -> &[u8] {
        let leaf = self.certificate.key.cert.first();
        leaf.map_or(&[], |leaf| leaf.as_ref())
    }
}

impl Bundle {
    fn new(
        trust_domain: &str,
        bundle: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, SvidError> {
        let unusable = |detail| SvidError::Bundle {
            trust_domain: trust_domain.into(),
            detail,
        };
        let mut authorities = RootCertStore::empty();
        let mut hasher = blake3::Hasher::new();
        hasher.update(trust_domain.as_bytes());
        for authority in bundle {
            hasher.update(&(authority.len() as u64).to_le_bytes());
            hasher.update(&authority);
            let added = authorities.add(authority);
            added.map_err(|error| unusable(said(&error)))?;
        }
        if authorities.is_empty() {
            return Err(unusable("it is empty".into()));
        }
        Ok(Self {
            trust_domain: trust_domain.into(),
            authorities: Arc::new(authorities),
            fingerprint: hasher.finalize(),
        })
    }

    /// Whether a certificate that these authorities vouch for is of a workload of their trust domain.
    pub(super) fn covers(&self, leaf: &[u8]) -> bool {
        let workload = workload_of(leaf);
        workload.as_deref().and_then(trust_domain_of) == Some(&*self.trust_domain)
    }

    /// The same, and whether it is of this workload.
    pub(super) fn covers_as(&self, leaf: &[u8], workload: &str) -> bool {
        self.covers(leaf) && workload_of(leaf).as_deref() == Some(workload)
    }

    pub(super) const fn authorities(&self) -> &Arc<RootCertStore> {
        &self.authorities
    }

    /// Of the trust domain and its authorities.
    pub(super) const fn fingerprint(&self) -> blake3::Hash {
        self.fingerprint
    }
}

impl fmt::Debug for Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Svid")
            .field("trust_domain", &self.bundle.trust_domain)
            .finish_non_exhaustive()
    }
}

fn said(error: &rustls::Error) -> Box<str> {
    error.to_string().into()
}

/// The name of the workload whose certificate it is: one with exactly one URI, and neither an authority's nor good for
/// signing others (X.509-SVID, sections 2, 4.3 and 5.2).
fn workload_of(leaf: &[u8]) -> Option<Box<str>> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let usage = certificate.key_usage().ok()?;
    let signs_others =
        usage.is_some_and(|usage| usage.value.key_cert_sign() || usage.value.crl_sign());
    if certificate.is_ca() || signs_others {
        return None;
    }
    let names = names.value.general_names.iter();
    let mut uris = names.filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Some(uri.into()),
        _ => None,
    }
}

/// The trust domain of a workload's name, in the one spelling that it has.
fn trust_domain_of(workload: &str) -> Option<&str> {
    let (trust_domain, path) = workload.strip_prefix("spiffe://")?.split_once('/')?;
    (!path.is_empty()).then_some(trust_domain)
}
