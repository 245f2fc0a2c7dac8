//! Who calls: turns the credentials that a request carries into a [`Principal`].
//!
//! Owns the verification of every kind of credential, the keys that verify them, and the memory of tokens
//! that were verified. A credential that is present and wrong is always refused; an absent one is the
//! named principal `anonymous`. Kinds of credentials that no identity accepts are ignored.
//!
//! Leaves to others: what a principal may do (`policy`), whether its tenant is served (`policy`), how a
//! refusal is worded (`proxy`), and taking the credential out of the request before it is forwarded (`proxy`).
//!
//! Must not follow what a token says about its own keys, nor verify a token with another issuer's keys.

mod config;
mod error;
mod json;
mod jwt;
pub mod signature;
mod sources;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Uri};
use jiff::Timestamp;

use crate::model::{ANONYMOUS, IdentityName, NameError, Principal, Refusal, TenantId};

pub use config::*;
pub use error::{CredentialError, Excerpt, KeysError, Part};
pub use jwt::mint;
pub use sources::{KeyStore, SourceState};

/// The tenant of callers whose identity names no tenant claim.
pub const DEFAULT_TENANT: &str = "default";

/// What a request carries that can be a credential.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The method.
    pub method: &'a Method,
    /// What was asked for; over HTTP/1.1 most often without scheme and authority.
    pub uri: &'a Uri,
    /// Whether the caller came over TLS, by what a trusted peer says where there is one.
    pub is_tls: bool,
    /// The host that the caller asked, by the word of a trusted peer.
    pub host: Option<&'a HeaderValue>,
    /// The certificate that the caller proved to be its own on this connection.
    pub client: Option<ClientCertificate<'a>>,
}

/// A client's certificate. Whoever vouches for it was checked in the handshake.
#[derive(Debug, Clone, Copy)]
pub struct ClientCertificate<'a> {
    /// The certificate itself, DER.
    pub leaf: &'a [u8],
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: &'a str,
}

/// Verifies credentials as one snapshot of the policy wants it.
///
/// Remembers verified tokens; a new snapshot begins with an empty memory, because its audiences, tenants and
/// groups may be others.
#[derive(Debug)]
pub struct Authenticator {
    identities: Vec<(IdentityName, Vec<TenantId>)>,
    tokens: jwt::Tokens,
}

impl Authenticator {
    /// Takes the key sets that the configuration names from the store, which begins to load those that are new.
    pub fn new(config: &Config, keys: &KeyStore) -> Self {
        let speaks = |identity: &Identity| (identity.name.clone(), identity.tenants.clone());
        Self {
            identities: config.identities.iter().map(speaks).collect(),
            tokens: jwt::Tokens::new(config, keys),
        }
    }

    /// Who sent a request. Waits only for keys that are needed and not there.
    ///
    /// # Errors
    /// When a credential is present and wrong (`CredentialInvalid`), when its tenant is missing or not the
    /// identity's to name (`TenantUnknown`), and when no key was ever loaded (`KeysUnavailable`).
    pub async fn authenticate(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Refusal> {
        let token = self.tokens.authenticate(presented.headers, now).await?;
        Ok(token.unwrap_or_else(Principal::anonymous))
    }

    /// Whether the policy still lets this caller's identity vouch for it, and for its tenant: what was verified under
    /// an older snapshot may not be so any more.
    pub fn vouches_for(&self, principal: &Principal) -> bool {
        let speaks_for = |(name, tenants): &(IdentityName, Vec<TenantId>)| {
            *name == principal.identity
                && (tenants.is_empty() || tenants.contains(&principal.tenant))
        };
        principal.is_anonymous() || self.identities.iter().any(speaks_for)
    }
}

impl Identity {
    /// The tenant of that name, if this identity may speak for it.
    fn speak_for(&self, tenant: &str) -> Result<TenantId, CredentialError> {
        let id = name("tenant", TenantId::new(tenant))?;
        // `anonymous` is the tenant of callers without a credential; nobody may speak for it.
        if tenant == ANONYMOUS || !(self.tenants.is_empty() || self.tenants.contains(&id)) {
            return Err(CredentialError::TenantNotAllowed(Excerpt::new(tenant)));
        }
        Ok(id)
    }
}

fn name<T>(claim: &str, name: Result<T, NameError>) -> Result<T, CredentialError> {
    name.map_err(|error| CredentialError::ClaimInvalid {
        claim: Excerpt::new(claim),
        error,
    })
}
