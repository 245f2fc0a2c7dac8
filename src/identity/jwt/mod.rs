//! JSON Web Tokens (RFC 7519): found in the head, verified with the keys of their issuer, and remembered.

mod bearer;
mod cache;
mod claims;
mod keys;
pub mod mint;
mod token;

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;

use crate::model::{Credential, Principal, PrincipalId, TenantId};

use super::sources::Source;
use super::{
    Config, CredentialError, DEFAULT_TENANT, Excerpt, Identity, Jwt, KeyStore, Kind, TenantFrom,
    name,
};

use cache::{Digest, Entry, TokenCache};
use claims::Claims;
pub(super) use token::Unverified;

pub(super) use keys::KeySet;

/// What stands behind `Bearer` in a head.
///
/// # Errors
/// As for tokens.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    bearer::token(headers, true)
}

/// All issuers of tokens, and the tokens that were verified.
#[derive(Debug)]
pub(super) struct Tokens {
    issuers: Vec<Issuer>,
    cache: TokenCache,
}

/// One issuer of the policy.
#[derive(Debug)]
struct Issuer {
    identity: Identity,
    jwt: Jwt,
    source: Arc<Source<KeySet>>,
    kept: Arc<[Box<str>]>,
}

impl Tokens {
    pub(super) fn new(config: &Config, keys: &KeyStore) -> Self {
        let kept: Arc<[Box<str>]> = config.claims.clone().into();
        let issuer = |identity: &Identity| match &identity.kind {
            Kind::Jwt(jwt) => Some(Issuer {
                identity: identity.clone(),
                jwt: jwt.clone(),
                source: keys.jwks(jwt),
                kept: Arc::clone(&kept),
            }),
            Kind::ApiKey(_) | Kind::Mtls(_) => None,
        };
        Self {
            issuers: config.identities.iter().filter_map(issuer).collect(),
            cache: TokenCache::default(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Who sent a request with this head, if it carries a token.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        let Some(token) = bearer::token(headers, !self.issuers.is_empty())? else {
            return Ok(None);
        };
        let digest = Digest::of(token);
        let counts = |entry: &Entry| entry.validity.contains(now) && self.is_current(entry);
        if let Some(principal) = self.cache.get(&digest, counts) {
            return Ok(Some(principal));
        }
        let entry = self.verify(token, now).await?;
        let principal = Arc::clone(&entry.principal);
        self.cache.insert(digest, entry);
        Ok(Some(principal))
    }

    #[cfg(test)]
    pub(super) fn cached(&self) -> usize {
        self.cache.len()
    }

    #[cfg(test)]
    pub(super) fn source(&self, issuer: usize) -> &Arc<Source<KeySet>> {
        &self.issuers[issuer].source
    }

    fn is_current(&self, entry: &Entry) -> bool {
        self.issuers
            .get(entry.issuer)
            .is_some_and(|issuer| issuer.source.is_at(entry.generation))
    }

    /// Everything that makes a token count, signature first: nothing it says matters before that, but who
    /// should have signed it.
    pub(super) async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Entry, CredentialError> {
        let token = Unverified::parse(token)?;
        let (index, issuer) = self.issuer_of(&token.claims)?;
        let signed = issuer.check_signature(&token).await?;
        token.claims.check_audience(&issuer.jwt)?;
        let validity = token.claims.check_time(&issuer.jwt, now)?;
        Ok(Entry {
            principal: Arc::new(issuer.principal(&token.claims, signed.key)?),
            issuer: index,
            generation: signed.generation,
            validity,
        })
    }

    /// The issuer that a token claims. Several identities may share one issuer for different audiences; then
    /// the audience chooses, and what it chose is verified like any other claim.
    fn issuer_of(&self, claims: &Claims) -> Result<(usize, &Issuer), CredentialError> {
        let named = || {
            self.issuers
                .iter()
                .enumerate()
                .filter(|(_, issuer)| issuer.jwt.issuer == claims.issuer)
        };
        named()
            .find(|(_, issuer)| claims.is_for(&issuer.jwt.audiences))
            .or_else(|| named().next())
            .ok_or_else(|| CredentialError::UnknownIssuer(Excerpt::new(&claims.issuer)))
    }
}

/// By what a token was found to be signed.
struct Signed {
    key: Option<Arc<str>>,
    /// Of the key set.
    generation: u64,
}

impl Issuer {
    async fn check_signature(&self, token: &Unverified<'_>) -> Result<Signed, CredentialError> {
        if !self.jwt.algorithms.contains(&token.algorithm) {
            let name = Excerpt::new(token.algorithm.as_str());
            return Err(CredentialError::AlgorithmNotAllowed(name));
        }
        let error = match self.try_signature(token) {
            Ok(signed) => return Ok(signed),
            Err(error) => error,
        };
        // The issuer may have a new key, also under an old name; asking again is bounded by the source.
        if !matches!(
            error,
            CredentialError::BadSignature
                | CredentialError::KeysUnavailable(_)
                | CredentialError::UnknownKey(_)
        ) {
            return Err(error);
        }
        self.source.refetch().await;
        self.try_signature(token)
    }

    fn try_signature(&self, token: &Unverified<'_>) -> Result<Signed, CredentialError> {
        let keys = self.source.loaded().ok_or_else(|| {
            CredentialError::KeysUnavailable(Box::from(self.identity.name.as_str()))
        })?;
        Ok(Signed {
            key: keys.contents.verify(token)?,
            generation: keys.generation,
        })
    }

    fn principal(
        &self,
        claims: &Claims,
        key: Option<Arc<str>>,
    ) -> Result<Principal, CredentialError> {
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

    fn tenant(&self, claims: &Claims) -> Result<TenantId, CredentialError> {
        let tenant = match &self.identity.tenant {
            TenantFrom::Default | TenantFrom::Entry | TenantFrom::Segment(_) => DEFAULT_TENANT,
            TenantFrom::Claim(path) => claims
                .text_at(path)?
                .ok_or_else(|| CredentialError::TenantMissing(Excerpt::new(&path.0.join("."))))?,
        };
        self.identity.speak_for(tenant)
    }
}
