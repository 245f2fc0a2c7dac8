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

mod api_keys;
mod assertion;
mod cards;
mod certificates;
mod config;
mod digest;
mod error;
mod json;
mod jwt;
mod own_key;
pub mod replay;
pub mod signature;
mod sources;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;

use crate::model::{ANONYMOUS, Challenge, IdentityName, NameError, Principal, Refusal, TenantId};

pub use api_keys::{KeyEntry, MadeKey, key_sha256};
pub use assertion::{AssertionConfig, AssertionError, Assertions};
pub use cards::{CardKeys, CardKeysConfig, CardKeysError, CardSigner, PinnedKeys, text_sha256};
pub use certificates::{ClientCertificate, SpiffePattern, SpiffePatternError};
pub use config::*;
pub use error::{CredentialError, Excerpt, KeysError, Part, ProofError};
pub use jwt::{PROOF_FIELD, fuzz_jwks, fuzz_token, is_same_audience, mint, token_hash};
use signature::{Asked, ContentDigest};
pub use sources::{KeyStore, SourceState};

/// The tenant of callers whose identity names no tenant claim.
pub const DEFAULT_TENANT: &str = "default";

/// What a signature of a request consists of.
static SIGNATURE_FIELDS: [HeaderName; 2] = [
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
];

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
    /// Whether content follows, be it empty.
    pub has_content: bool,
    /// The certificate that the connection's client proved to be its own.
    pub client: Option<&'a ClientCertificate>,
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whom the strongest of its credentials proves.
    pub principal: Arc<Principal>,
    /// Whom the others prove, in the order of their strength. Of the same tenant.
    pub beside: Vec<Arc<Principal>>,
    /// What the content must hash to before the call goes on: what the caller signed.
    pub content: Option<ContentDigest>,
}

/// Whom a signature proves, whom a proof, and what the content must hash to.
type Held = (
    Option<Arc<Principal>>,
    Option<Arc<Principal>>,
    Option<ContentDigest>,
);

/// Verifies credentials as one snapshot of the policy wants it.
///
/// Remembers verified tokens; a new snapshot begins with an empty memory, because its audiences, tenants and
/// groups may be others.
#[derive(Debug)]
pub struct Authenticator {
    identities: Vec<(IdentityName, Vec<TenantId>)>,
    certificates: certificates::Certificates,
    keys: api_keys::Keys,
    signers: signature::Signers,
    answers: Option<signature::Answers>,
    provers: jwt::workload_proof::Provers,
    tokens: jwt::Tokens,
}

impl Authenticator {
    /// Takes the key sets that the configuration names from the store, which begins to load those that are new.
    pub fn new(config: &Config, keys: &KeyStore) -> Self {
        let speaks = |identity: &Identity| (identity.name.clone(), identity.tenants.clone());
        Self {
            identities: config.identities.iter().map(speaks).collect(),
            certificates: certificates::Certificates::new(config),
            keys: api_keys::Keys::new(config, keys),
            signers: signature::Signers::new(config, keys),
            answers: signature::Answers::new(config, keys),
            provers: jwt::workload_proof::Provers::new(config, keys),
            tokens: jwt::Tokens::new(config, keys),
        }
    }

    /// Who sent a request. Every credential of a kind that some identity accepts has to be good; the strongest of them
    /// names the caller: a signature, a workload's proof, a token, one that a proxy before us asserts, an API key, a client certificate. What was
    /// signed of the content is left to be compared, because it is not there yet. Waits only for keys that are needed and not
    /// there.
    ///
    /// # Errors
    /// When a credential is present and wrong (`CredentialInvalid`), when its tenant is missing or not the
    /// identity's to name (`TenantUnknown`), and when no key was ever loaded (`KeysUnavailable`).
    pub async fn authenticate(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        let certificate = self.certificates.authenticate(presented.client)?;
        let key = self.keys.authenticate(presented.headers, now).await?;
        let bearer = self.bearer(presented, now).await?;
        let asserted = self.tokens.asserted(presented, now).await?;
        let (signed, proved, content) = self.holder(presented, now).await?;
        let found = signed.into_iter().chain(proved);
        let found = found.chain(bearer).chain(asserted);
        let caller = Caller::strongest(found.chain(key).chain(certificate))?;
        Ok(Caller { content, ..caller })
    }

    /// Who shows that it holds a key: by a signature of the request, which may say something of the content, and by a proof.
    async fn holder(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Held, CredentialError> {
        let token = match self.read_workloads() {
            true => jwt::workload::presented(presented.headers)?,
            false => None,
        };
        let others: Vec<_> = match self.provers.is_empty() {
            true => Vec::new(),
            false => self
                .tokens
                .fields()
                .iter()
                .chain(self.keys.fields())
                .collect(),
        };
        let proving = self.provers.authenticate(presented, token, &others, now);
        let mut proved = proving.await?;
        let token = token.map(|text| signature::Token {
            text,
            is_proven: proved.is_some(),
        });
        let signing = self.signers.authenticate(presented, token, now);
        let Some(signatory) = signing.await? else {
            return Ok((None, proved, None));
        };
        // Who shows it in both ways is one caller.
        proved.take_if(|proved| {
            proved.identity == signatory.principal.identity && proved.id == signatory.principal.id
        });
        Ok((Some(signatory.principal), proved, signatory.content))
    }

    /// Whether some identity's callers bring their key in a token.
    fn read_workloads(&self) -> bool {
        self.signers.read_tokens() || !self.provers.is_empty()
    }

    /// Who is named by `Authorization: Bearer …`, which is an API key or a token.
    async fn bearer(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        if self.keys.reads(&AUTHORIZATION)
            && let Some(text) = jwt::bearer(presented.headers)?
        {
            let key = self.keys.find(&AUTHORIZATION, text.as_bytes(), now).await?;
            if key.is_some() || !self.tokens.read_authorization() {
                return key.ok_or(CredentialError::KeyUnknown).map(Some);
            }
        }
        self.tokens.authenticate(presented, now).await
    }

    /// The fields in which the identities look for credentials, beside `authorization`.
    pub fn fields(&self) -> impl Iterator<Item = &HeaderName> {
        let own = self.tokens.fields().iter().chain([&PROOF_FIELD]);
        let signature: &[HeaderName] = match self.signers.is_empty() {
            true => &[],
            false => &SIGNATURE_FIELDS,
        };
        let workload = self.read_workloads();
        let workload = workload.then_some(&jwt::workload::FIELD);
        let proof = !self.provers.is_empty();
        let proof = proof.then_some(&jwt::workload_proof::FIELD);
        own.chain(self.keys.fields())
            .chain(signature)
            .chain(workload)
            .chain(proof)
    }

    /// What an answer to this request will be bound to, if answers are signed.
    pub fn asked<B>(&self, request: &http::Request<B>) -> Option<Asked> {
        self.answers.as_ref().map(|answers| answers.asked(request))
    }

    /// Signs an answer, if answers are signed. `content` is all of it, be it nothing; of a stream it is not there.
    pub fn sign_answer(
        &self,
        asked: &Asked,
        status: StatusCode,
        headers: &mut HeaderMap,
        content: Option<&[u8]>,
        now: Timestamp,
    ) {
        if let Some(answers) = &self.answers {
            answers.sign(asked, status, headers, content, now);
        }
    }

    /// What somebody without a credential is asked for, if not for a bearer token.
    pub fn challenge(&self) -> Option<Challenge> {
        if !self.tokens.ask_for_proofs() {
            return None;
        }
        match self.tokens.ask_for_bearers() || self.keys.reads(&AUTHORIZATION) {
            true => Some(Challenge::DpopOrBearer),
            false => Some(Challenge::Dpop),
        }
    }

    /// Tells whoever was refused what to sign (RFC 9421, section 5), and that proofs count, if the policy has identities whose
    /// callers do so.
    pub fn ask_for_signature(&self, headers: &mut HeaderMap, has_content: bool) {
        let mut asked = self.tokens.read_authorization() || self.keys.reads(&AUTHORIZATION);
        let mut ask = |headers: &mut HeaderMap, challenge: &'static str| {
            let challenge = HeaderValue::from_static(challenge);
            match std::mem::replace(&mut asked, true) {
                true => drop(headers.append(WWW_AUTHENTICATE, challenge)),
                false => drop(headers.insert(WWW_AUTHENTICATE, challenge)),
            }
        };
        if let Some(wanted) = self.signers.wanted(has_content) {
            headers.insert("accept-signature", wanted.clone());
            // The RFC has no scheme; the field has to name one (RFC 9110, section 11.6.1).
            ask(headers, "Signature realm=\"lictor\"");
        }
        if !self.provers.is_empty() {
            ask(headers, "WPT");
        }
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

impl Caller {
    /// The caller whom credentials prove that stand in the order of their strength.
    ///
    /// # Errors
    /// When they are of two tenants: whose rules would count?
    fn strongest(mut found: impl Iterator<Item = Arc<Principal>>) -> Result<Self, CredentialError> {
        let principal = found.next().unwrap_or_else(Principal::anonymous);
        let beside: Vec<_> = found.collect();
        // A credential that names no tenant contradicts nobody.
        let names_another = |other: &&Arc<Principal>| {
            other.tenant.as_str() != DEFAULT_TENANT && other.tenant != principal.tenant
        };
        match beside.iter().find(names_another) {
            None => Ok(Self {
                principal,
                beside,
                content: None,
            }),
            Some(other) => Err(CredentialError::TenantsDiffer(
                Excerpt::new(principal.tenant.as_str()),
                Excerpt::new(other.tenant.as_str()),
            )),
        }
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
