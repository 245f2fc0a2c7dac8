//! Who calls: turns the credentials in a request's head into a [`Principal`].
//!
//! Owns the reading and verification of bearer tokens, the key sets that verify them, and the memory of
//! tokens that were verified. A credential that is present and wrong is always refused; an absent one is the
//! named principal `anonymous`. Kinds of credentials that no identity accepts are ignored.
//!
//! Leaves to others: what a principal may do (`policy`), whether its tenant is served (`policy`), how a
//! refusal is worded (`proxy`), and taking the credential out of the request before it is forwarded (`proxy`).
//!
//! Must not follow what a token says about its own keys, nor verify a token with another issuer's keys.

mod bearer;
mod cache;
mod claims;
mod config;
mod error;
mod fetch;
mod json;
mod keys;
pub mod mint;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;

use crate::model::{ANONYMOUS, Credential, NameError, Principal, PrincipalId, Refusal, TenantId};

use cache::{Digest, Entry, TokenCache};
use claims::Claims;
use source::Source;
use token::Unverified;

pub use config::*;
pub use error::{Excerpt, KeysError, Part, TokenError};
pub use source::SourceState;
pub use store::KeyStore;

/// The tenant of callers whose identity names no tenant claim.
pub const DEFAULT_TENANT: &str = "default";

/// Verifies credentials as one snapshot of the policy wants it.
///
/// Remembers verified tokens; a new snapshot begins with an empty memory, because its audiences, tenants and
/// groups may be others.
#[derive(Debug)]
pub struct Authenticator {
    issuers: Vec<Issuer>,
    cache: TokenCache,
}

/// One issuer of the policy.
#[derive(Debug)]
struct Issuer {
    identity: JwtIdentity,
    source: Arc<Source>,
    kept: Arc<[Box<str>]>,
}

impl Authenticator {
    /// Takes the key sets that the configuration names from the store, which begins to load those that are new.
    pub fn new(config: &Config, keys: &KeyStore) -> Self {
        let kept: Arc<[Box<str>]> = config.claims.clone().into();
        let issuers = config.jwt.iter().map(|identity| Issuer {
            identity: identity.clone(),
            source: keys.source(identity),
            kept: Arc::clone(&kept),
        });
        Self {
            issuers: issuers.collect(),
            cache: TokenCache::default(),
        }
    }

    /// Who sent a request with this head. Waits only for keys that are needed and not there.
    ///
    /// # Errors
    /// When a credential is present and wrong (`CredentialInvalid`), when its tenant is missing or not the
    /// issuer's to name (`TenantUnknown`), and when no key was ever loaded (`KeysUnavailable`).
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Refusal> {
        let Some(token) = bearer::token(headers, !self.issuers.is_empty())? else {
            return Ok(Principal::anonymous());
        };
        let digest = Digest::of(token);
        let counts = |entry: &Entry| entry.validity.contains(now) && self.is_current(entry);
        if let Some(principal) = self.cache.get(&digest, counts) {
            return Ok(principal);
        }
        let entry = self.verify(token, now).await?;
        let principal = Arc::clone(&entry.principal);
        self.cache.insert(digest, entry);
        Ok(principal)
    }

    /// Whether the policy still lets this caller's issuer vouch for it, and for its tenant: what was verified under
    /// an older snapshot may not be so any more.
    pub fn vouches_for(&self, principal: &Principal) -> bool {
        let of = |issuer: &&Issuer| issuer.identity.name == principal.identity;
        principal.is_anonymous()
            || self.issuers.iter().find(of).is_some_and(|issuer| {
                let tenants = &issuer.identity.tenants;
                tenants.is_empty() || tenants.contains(&principal.tenant)
            })
    }

    fn is_current(&self, entry: &Entry) -> bool {
        self.issuers
            .get(entry.issuer)
            .is_some_and(|issuer| issuer.source.is_at(entry.generation))
    }

    /// Everything that makes a token count, signature first: nothing it says matters before that, but who
    /// should have signed it.
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Entry, TokenError> {
        let token = Unverified::parse(token)?;
        let (index, issuer) = self.issuer_of(&token.claims)?;
        let signed = issuer.check_signature(&token).await?;
        token.claims.check_audience(&issuer.identity)?;
        let validity = token.claims.check_time(&issuer.identity, now)?;
        Ok(Entry {
            principal: Arc::new(issuer.principal(&token.claims, signed.key)?),
            issuer: index,
            generation: signed.generation,
            validity,
        })
    }

    /// The issuer that a token claims. Several identities may share one issuer for different audiences; then
    /// the audience chooses, and what it chose is verified like any other claim.
    fn issuer_of(&self, claims: &Claims) -> Result<(usize, &Issuer), TokenError> {
        let named = || {
            self.issuers
                .iter()
                .enumerate()
                .filter(|(_, issuer)| issuer.identity.issuer == claims.issuer)
        };
        named()
            .find(|(_, issuer)| claims.is_for(&issuer.identity.audiences))
            .or_else(|| named().next())
            .ok_or_else(|| TokenError::UnknownIssuer(Excerpt::new(&claims.issuer)))
    }
}

/// By what a token was found to be signed.
struct Signed {
    key: Option<Arc<str>>,
    /// Of the key set.
    generation: u64,
}

impl Issuer {
    async fn check_signature(&self, token: &Unverified<'_>) -> Result<Signed, TokenError> {
        if !self.identity.algorithms.contains(&token.algorithm) {
            let name = Excerpt::new(token.algorithm.as_str());
            return Err(TokenError::AlgorithmNotAllowed(name));
        }
        let error = match self.try_signature(token) {
            Ok(signed) => return Ok(signed),
            Err(error) => error,
        };
        // The issuer may have a new key, also under an old name; asking again is bounded by the source.
        if !matches!(
            error,
            TokenError::BadSignature | TokenError::KeysUnavailable(_) | TokenError::UnknownKey(_)
        ) {
            return Err(error);
        }
        self.source.refetch().await;
        self.try_signature(token)
    }

    fn try_signature(&self, token: &Unverified<'_>) -> Result<Signed, TokenError> {
        let keys = self
            .source
            .keys()
            .ok_or_else(|| TokenError::KeysUnavailable(Box::from(self.identity.name.as_str())))?;
        Ok(Signed {
            key: keys.verify(token)?,
            generation: keys.generation(),
        })
    }

    fn principal(&self, claims: &Claims, key: Option<Arc<str>>) -> Result<Principal, TokenError> {
        let groups = match &self.identity.groups {
            Some(path) => claims.list_at(path)?,
            None => Vec::new(),
        };
        Ok(Principal {
            identity: self.identity.name.clone(),
            id: name("sub", PrincipalId::new(claims.subject()?))?,
            tenant: self.tenant(claims)?,
            groups,
            claims: claims.keep(&self.kept).map(Arc::new),
            credential: Credential {
                key,
                issued: claims.issued(),
            },
        })
    }

    fn tenant(&self, claims: &Claims) -> Result<TenantId, TokenError> {
        let text = match &self.identity.tenant {
            None => DEFAULT_TENANT,
            Some(path) => claims
                .text_at(path)?
                .ok_or_else(|| TokenError::TenantMissing(Excerpt::new(&path.0.join("."))))?,
        };
        let tenant = name("tenant", TenantId::new(text))?;
        let tenants = &self.identity.tenants;
        // `anonymous` is the tenant of callers without a credential; no issuer may speak for it.
        if text == ANONYMOUS || !(tenants.is_empty() || tenants.contains(&tenant)) {
            return Err(TokenError::TenantNotAllowed(Excerpt::new(text)));
        }
        Ok(tenant)
    }
}

fn name<T>(claim: &str, name: Result<T, NameError>) -> Result<T, TokenError> {
    name.map_err(|error| TokenError::ClaimInvalid {
        claim: Excerpt::new(claim),
        error,
    })
}
