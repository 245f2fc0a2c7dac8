//! Client certificates: workloads that prove by TLS who they are (X.509-SVID).
//!
//! That a certificate is good, and of an authority that may vouch for clients, is what the handshake has settled. Here
//! it is read what it says of its owner, and whether an identity wants that.

mod spiffe;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::model::{Credential, Principal, PrincipalId};

use super::digest::{hex, sha256};
use super::{
    Config, CredentialError, DEFAULT_TENANT, Excerpt, Identity, Kind, Mtls, TenantFrom, name,
};

use self::spiffe::SpiffeId;

pub use self::spiffe::{SpiffePattern, SpiffePatternError};

/// The certificate that the client of a connection proved to be its own: read once, asked by every call.
#[derive(Debug)]
pub struct ClientCertificate {
    sha256: [u8; 32],
    fingerprint: Box<str>,
    name: Result<Option<SpiffeId>, CredentialError>,
    /// Whom it was found to prove, and by which [`Certificates`].
    known: ArcSwapOption<(u64, Option<Arc<Principal>>)>,
}

impl ClientCertificate {
    /// Reads the certificate itself, DER.
    pub fn new(leaf: &[u8]) -> Self {
        let sha256 = sha256(leaf);
        Self {
            sha256,
            fingerprint: hex(&sha256).into(),
            name: spiffe_id(leaf),
            known: ArcSwapOption::empty(),
        }
    }

    /// The SHA-256 of the certificate, to which a token can be bound (RFC 8705, section 3.1).
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// The same in hexadecimal digits, as `openssl x509 -fingerprint -sha256` prints it (there in capitals and with
    /// colons).
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// The SPIFFE ID of a certificate: an X.509-SVID has exactly one URI (X.509-SVID, section 2). A certificate without one
/// is of another kind.
fn spiffe_id(leaf: &[u8]) -> Result<Option<SpiffeId>, CredentialError> {
    let invalid = CredentialError::CertificateInvalid;
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| invalid("cannot be read"))?;
    let names = certificate.subject_alternative_name();
    let Some(names) = names.map_err(|_| invalid("has alternative names that cannot be read"))?
    else {
        return Ok(None);
    };
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some(Box::<str>::from(*uri)),
        _ => None,
    };
    let uris: Vec<_> = names.value.general_names.iter().filter_map(uri).collect();
    let is_spiffe = |uri: &str| {
        uri.get(..SpiffeId::SCHEME.len())
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(SpiffeId::SCHEME))
    };
    match &*uris {
        uris if !uris.iter().any(|uri| is_spiffe(uri)) => Ok(None),
        [uri] => match SpiffeId::parse(uri) {
            Some(_) if certificate.is_ca() => Err(invalid("is of an authority, not of a workload")),
            Some(id) => Ok(Some(id)),
            None => Err(invalid("has a URI that is no SPIFFE ID")),
        },
        _ => Err(invalid("has more than one URI")),
    }
}

impl Mtls {
    fn pattern_of(&self, id: &SpiffeId) -> Option<&SpiffePattern> {
        self.spiffe.iter().find(|pattern| pattern.matches(id))
    }

    /// The tenant of the workload of this name; `None` where no pattern takes it.
    pub fn tenant_of<'id>(&self, id: &'id str, from: &TenantFrom) -> Option<&'id str> {
        let pattern = self.pattern_of(&SpiffeId::parse(id)?)?;
        match from {
            TenantFrom::Segment(name) => pattern.segment(name, id),
            TenantFrom::Claim(_) | TenantFrom::Default | TenantFrom::Entry => Some(DEFAULT_TENANT),
        }
    }
}

/// All identities whose callers show certificates.
#[derive(Debug)]
pub(super) struct Certificates {
    /// Different for each of this process.
    number: u64,
    holders: Vec<(Identity, Mtls)>,
}

impl Certificates {
    pub(super) fn new(config: &Config) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let holder = |identity: &Identity| match &identity.kind {
            Kind::Mtls(mtls) => Some((identity.clone(), mtls.clone())),
            Kind::ApiKey(_) | Kind::Jwt(_) | Kind::Signature(_) => None,
        };
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            holders: config.identities.iter().filter_map(holder).collect(),
        }
    }

    /// Whom the certificate proves; nobody, where no identity wants it.
    pub(super) fn authenticate(
        &self,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        let Some(certificate) = certificate.filter(|_| !self.holders.is_empty()) else {
            return Ok(None);
        };
        if let Some(known) = &*certificate.known.load()
            && known.0 == self.number
        {
            return Ok(known.1.clone());
        }
        let principal = self.verify(certificate)?;
        let known = (self.number, principal.clone());
        certificate.known.store(Some(Arc::new(known)));
        Ok(principal)
    }

    fn verify(
        &self,
        certificate: &ClientCertificate,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        let Some(id) = certificate.name.as_ref().map_err(Clone::clone)? else {
            return Ok(None);
        };
        let wanted = |(_, mtls): &&(Identity, Mtls)| mtls.pattern_of(id).is_some();
        let Some((identity, mtls)) = self.holders.iter().find(wanted) else {
            return Ok(None);
        };
        let tenant = mtls
            .tenant_of(id.as_str(), &identity.tenant)
            .ok_or_else(|| CredentialError::TenantMissing(Excerpt::new("spiffe")))?;
        Ok(Some(Arc::new(Principal {
            identity: identity.name.clone(),
            id: name("spiffe", PrincipalId::new(id.as_str()))?,
            tenant: identity.speak_for(tenant)?,
            groups: Vec::new(),
            claims: None,
            credential: Credential::default(),
        })))
    }
}
