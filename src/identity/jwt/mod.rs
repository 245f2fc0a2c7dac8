//! JSON Web Tokens (RFC 7519): found in the head, verified with the keys of their issuer, and remembered.

mod algorithm;
mod bearer;
mod binding;
mod cache;
mod claims;
mod detached;
mod fuzz;
mod introspection;
mod keys;
pub mod mint;
mod proof;
mod shared;
mod target;
mod token;
pub(super) mod workload;
pub(super) mod workload_proof;
#[cfg(test)]
mod wycheproof;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use crate::model::{Credential, Principal, PrincipalId, TenantId};

use super::replay::Memory;
use super::sources::{Origin, Source};
use super::{
    Config, CredentialError, DEFAULT_TENANT, Excerpt, Identity, Jwt, KeySource, KeyStore, Kind,
    Presented, ProofError, TenantFrom, name,
};

pub(super) use bearer::{Carried, Place};
use binding::Binding;
use cache::{Digest, Entry, TokenCache};
use claims::{Claims, Times};
use introspection::Introspector;
use token::Type;
pub(super) use token::Unverified;

pub use claims::is_same_audience;
pub(super) use detached::signed;
pub use fuzz::{fuzz_jwks, fuzz_token};
pub(super) use keys::KeySet;
pub use proof::FIELD as PROOF_FIELD;
pub(super) use shared::SharedKey;
pub use workload_proof::hash as token_hash;

/// What stands behind `Bearer` in a head.
///
/// # Errors
/// As for tokens.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    let carried = bearer::authorization(headers, true)?;
    let borne = carried.filter(|carried| carried.place == Place::Bearer);
    Ok(borne.map(|carried| carried.text))
}

/// All issuers of tokens, and the tokens that were verified.
#[derive(Debug)]
pub(super) struct Tokens {
    issuers: Vec<Issuer>,
    /// Whether some issuer's tokens stand in `authorization`.
    reads_authorization: bool,
    /// The fields in which the others' stand, without repetition, in the order of their issuers.
    fields: Vec<HeaderName>,
    cache: TokenCache,
    used: Arc<Memory>,
}

/// One issuer of the policy.
#[derive(Debug)]
struct Issuer {
    identity: Identity,
    jwt: Jwt,
    keys: Keys,
    kept: Arc<[Box<str>]>,
}

impl Tokens {
    pub(super) fn new(config: &Config, keys: &KeyStore) -> Self {
        let kept: Arc<[Box<str>]> = config.claims.clone().into();
        let issuer = |identity: &Identity| match &identity.kind {
            Kind::Jwt(jwt) => Some(Issuer {
                identity: identity.clone(),
                jwt: jwt.clone(),
                keys: Keys::of(jwt, keys),
                kept: Arc::clone(&kept),
            }),
            Kind::ApiKey(_) | Kind::Mtls(_) | Kind::Signature(_) => None,
        };
        let issuers: Vec<_> = config.identities.iter().filter_map(issuer).collect();
        let mut fields = Vec::new();
        for field in issuers
            .iter()
            .filter_map(|issuer| issuer.jwt.header.as_ref())
        {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        Self {
            reads_authorization: issuers.iter().any(|issuer| issuer.jwt.header.is_none()),
            issuers,
            fields,
            cache: TokenCache::default(),
            used: Arc::clone(keys.used()),
        }
    }

    /// Whether some issuer's tokens stand in `authorization`.
    pub(super) const fn read_authorization(&self) -> bool {
        self.reads_authorization
    }

    /// Whether some issuer's tokens in `authorization` have to be bound to a key.
    pub(super) fn ask_for_proofs(&self) -> bool {
        self.wanted().any(|jwt| jwt.require_dpop)
    }

    /// Whether some issuer's need not.
    pub(super) fn ask_for_bearers(&self) -> bool {
        self.wanted().any(|jwt| !jwt.require_dpop)
    }

    /// Issuers whose tokens stand in `authorization`.
    fn wanted(&self) -> impl Iterator<Item = &Jwt> {
        let rules = self.issuers.iter().map(|issuer| &issuer.jwt);
        rules.filter(|jwt| jwt.header.is_none())
    }

    /// The fields beside `authorization` in which tokens stand.
    pub(super) fn fields(&self) -> &[HeaderName] {
        &self.fields
    }

    /// Whom the token of `authorization` names, if there is one.
    pub(super) async fn authenticate(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        match bearer::authorization(presented.headers, self.reads_authorization)? {
            None => Ok(None),
            Some(carried) => {
                let judged = self.judge(carried, presented, now).await;
                if carried.place == Place::Dpop {
                    return judged
                        .map(Some)
                        .map_err(|error| CredentialError::UnderDpop(Box::new(error)));
                }
                judged.map(Some)
            }
        }
    }

    /// Whom the tokens of other fields name.
    pub(super) async fn asserted(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Vec<Arc<Principal>>, CredentialError> {
        let mut found = Vec::new();
        for name in &self.fields {
            if let Some(carried) = bearer::assertion(presented.headers, name)? {
                found.push(self.judge(carried, presented, now).await?);
            }
        }
        Ok(found)
    }

    /// Whom a token names. It is verified once and remembered; what the caller has to prove besides is checked each time.
    async fn judge(
        &self,
        carried: Carried<'_>,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, CredentialError> {
        let digest = Digest::of(carried.text);
        let counts = |entry: &Entry| {
            entry.validity.contains(now)
                && self.issuers.get(entry.issuer).is_some_and(|issuer| {
                    issuer.reads(carried.place)
                        && issuer.keys.is_at(entry.generation, issuer.jwt.max_stale)
                })
        };
        let entry = match self.cache.get(&digest, counts) {
            Some(entry) => entry,
            None => {
                let entry = self.verify(carried, now).await?;
                self.cache.insert(digest, entry.clone());
                entry
            }
        };
        let rules = self.issuers.get(entry.issuer).map(|issuer| &issuer.jwt);
        if let Some(rules) = rules {
            self.check_binding(entry.binding, rules, carried, presented, now)
                .await?;
        }
        Ok(entry.principal)
    }

    async fn check_binding(
        &self,
        binding: Binding,
        rules: &Jwt,
        carried: Carried<'_>,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<(), CredentialError> {
        if let Some(certificate) = binding.certificate {
            match presented.client {
                None => return Err(CredentialError::CertificateRequired),
                Some(client) if *client.sha256() == certificate => {}
                Some(_) => return Err(CredentialError::CertificateMismatch),
            }
        }
        match (binding.key, carried.place) {
            (Some(key), Place::Dpop) => {
                let wanted = proof::Wanted {
                    presented,
                    token: carried.text,
                    key,
                    leeway: rules.leeway,
                };
                let proof = proof::check(&wanted, now)?;
                // Last, so that only what is good is remembered.
                let taken = self.used.take(proof, now).await;
                Ok(taken.map_err(ProofError::from)?)
            }
            (Some(_), _) => Err(CredentialError::ProofRequired),
            (None, Place::Dpop) => Err(CredentialError::NotBound),
            (None, _) if rules.require_dpop => Err(CredentialError::BindingRequired),
            (None, _) => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn cached(&self) -> usize {
        self.cache.len()
    }

    #[cfg(test)]
    pub(super) fn source(&self, issuer: usize) -> &Arc<Source<KeySet>> {
        match &self.issuers[issuer].keys {
            Keys::Set(source) => source,
            Keys::Server(_) | Keys::Shared(_) => panic!("no key set"),
        }
    }

    /// Everything that makes a token count. What none of our issuers can have made is for the one that is asked about
    /// its tokens, if there is one.
    pub(super) async fn verify(
        &self,
        carried: Carried<'_>,
        now: Timestamp,
    ) -> Result<Entry, CredentialError> {
        let read = Unverified::parse(carried.text).and_then(|token| {
            let (index, issuer) = self.issuer_of(&token.claims, carried.place)?;
            Ok((token, index, issuer))
        });
        match read {
            Ok((token, index, issuer)) => issuer.verify(index, &token, now).await,
            Err(error) => {
                let mut asked = self.issuers.iter().enumerate();
                let asked = asked.find_map(|(index, issuer)| match &issuer.keys {
                    Keys::Server(server) if issuer.reads(carried.place) => {
                        Some((index, issuer, server))
                    }
                    Keys::Server(_) | Keys::Set(_) | Keys::Shared(_) => None,
                });
                let (index, issuer, server) = asked.ok_or(error)?;
                issuer.introspect(index, server, carried.text, now).await
            }
        }
    }

    /// The issuer that a token claims. Several identities may share one issuer for different audiences; then
    /// the audience chooses, and what it chose is verified like any other claim. Only those count whose tokens stand where
    /// this one was found.
    fn issuer_of(
        &self,
        claims: &Claims,
        place: Place<'_>,
    ) -> Result<(usize, &Issuer), CredentialError> {
        let named = || {
            self.issuers
                .iter()
                .enumerate()
                .filter(|(_, issuer)| issuer.jwt.issuer == claims.issuer && issuer.reads(place))
                .filter(|(_, issuer)| !matches!(issuer.keys, Keys::Server(_)))
        };
        named()
            .find(|(_, issuer)| claims.is_for(&issuer.jwt.audiences))
            .or_else(|| named().next())
            .ok_or_else(|| CredentialError::UnknownIssuer(Excerpt::new(&claims.issuer)))
    }
}

/// With what the tokens of an issuer are verified: a set of public keys, or one key that is shared with it. Never
/// both, so that no public key can be taken for a shared one (RFC 8725, section 2.1).
#[derive(Debug)]
enum Keys {
    Set(Arc<Source<KeySet>>),
    Shared(Arc<Source<SharedKey>>),
    /// None of them, but somebody to ask.
    Server(Box<Introspector>),
}

impl Keys {
    fn of(jwt: &Jwt, store: &KeyStore) -> Self {
        let origin = match jwt.keys.clone() {
            KeySource::Discovery { ca } => Origin::Discovery {
                issuer: jwt.issuer.clone(),
                ca,
            },
            KeySource::File(path) => Origin::File(path),
            KeySource::Url { url, ca } => Origin::Url { url, ca },
            KeySource::Introspection(config) => {
                return Self::Server(Box::new(Introspector::new(*config, store.fetcher())));
            }
            KeySource::Shared { place, least } => {
                return Self::Shared(store.shared_key(place, least, jwt.max_stale));
            }
        };
        Self::Set(store.jwks(origin, jwt.max_stale))
    }

    /// Whether the keys are still these, and not too old.
    fn is_at(&self, generation: u64, max_stale: Duration) -> bool {
        let is_same = match self {
            Self::Set(source) => source.is_at(generation),
            Self::Shared(source) => source.is_at(generation),
            Self::Server(_) => true,
        };
        is_same && self.stale_for() <= max_stale
    }

    fn stale_for(&self) -> Duration {
        match self {
            Self::Set(source) => source.stale_for(),
            Self::Shared(source) => source.stale_for(),
            Self::Server(_) => Duration::ZERO,
        }
    }

    async fn refetch(&self) {
        match self {
            Self::Set(source) => source.refetch().await,
            Self::Shared(source) => source.refetch().await,
            Self::Server(_) => {}
        }
    }
}

/// By what a token was found to be signed.
struct Signed {
    key: Option<Arc<str>>,
    /// Of the key set.
    generation: u64,
}

impl Issuer {
    /// Whether tokens of this issuer stand there.
    fn reads(&self, place: Place<'_>) -> bool {
        match (place, &self.jwt.header) {
            (Place::Bearer | Place::Dpop, own) => own.is_none(),
            (Place::Field(name), own) => own.as_ref() == Some(name),
        }
    }

    /// Signature first: nothing that a token says matters before that, but who should have signed it.
    async fn verify(
        &self,
        index: usize,
        token: &Unverified<'_>,
        now: Timestamp,
    ) -> Result<Entry, CredentialError> {
        let signed = self.check_signature(token).await?;
        token.claims.check_audience(&self.jwt)?;
        let validity = token.claims.check_time(&Times::of(&self.jwt), now)?;
        Ok(Entry {
            principal: Arc::new(self.principal(&token.claims, signed.key)?),
            issuer: index,
            generation: signed.generation,
            binding: token.claims.binding,
            validity,
        })
    }

    /// What the issuer says of a token counts like the claims of one that it signed.
    async fn introspect(
        &self,
        index: usize,
        server: &Introspector,
        token: &str,
        now: Timestamp,
    ) -> Result<Entry, CredentialError> {
        let claims = Claims::told(server.ask(token, now).await?, &self.jwt.issuer)?;
        if !self.jwt.audiences.is_empty() {
            claims.check_audience(&self.jwt)?;
        }
        let validity = claims.check_time(&Times::of(&self.jwt), now)?;
        Ok(Entry {
            principal: Arc::new(self.principal(&claims, None)?),
            issuer: index,
            generation: 0,
            binding: claims.binding,
            validity: validity.for_at_most(server.cached_for(), now),
        })
    }

    async fn check_signature(&self, token: &Unverified<'_>) -> Result<Signed, CredentialError> {
        if self.jwt.require_access_token {
            match token.kind {
                Type::AccessToken => {}
                Type::Missing => return Err(CredentialError::TypeMissing),
                Type::Token => return Err(CredentialError::WrongType(Excerpt::new("JWT"))),
            }
        }
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
                | CredentialError::KeysStale(_)
                | CredentialError::KeysUnavailable(_)
                | CredentialError::UnknownKey(_)
        ) {
            return Err(error);
        }
        self.keys.refetch().await;
        self.try_signature(token)
    }

    fn try_signature(&self, token: &Unverified<'_>) -> Result<Signed, CredentialError> {
        let name = || Box::from(self.identity.name.as_str());
        if self.keys.stale_for() > self.jwt.max_stale {
            return Err(CredentialError::KeysStale(name()));
        }
        let unavailable = || CredentialError::KeysUnavailable(name());
        match &self.keys {
            Keys::Set(source) => {
                let keys = source.loaded().ok_or_else(unavailable)?;
                Ok(Signed {
                    key: keys.contents.verify(token)?,
                    generation: keys.generation,
                })
            }
            Keys::Shared(source) => {
                let key = source.loaded().ok_or_else(unavailable)?;
                key.contents.verify(token)?;
                Ok(Signed {
                    key: None,
                    generation: key.generation,
                })
            }
            // It is asked instead.
            Keys::Server(_) => Err(unavailable()),
        }
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
