//! Callers who sign: their keys, and whom a request's signature proves.

use std::sync::Arc;

use http::HeaderValue;
use http::header::HOST;
use jiff::Timestamp;

use super::wanted::request_signature;
use super::{
    Acceptance, Accepted, ContentDigest, Fields, KeyKind, Message, Request, SignatureError,
    Signatures, VerifyingKeys, choose,
};
use crate::identity::replay::{Memory, Once};
use crate::identity::sources::{Contents, Loaded, Source};
use crate::identity::{
    Config, CredentialError, DEFAULT_TENANT, Identity, KeyStore, KeysError, Kind, Presented,
    SecretSource, SignedRequests, name,
};
use crate::model::{Credential, Principal, PrincipalId};

/// A document of public keys.
#[derive(Debug)]
pub(in crate::identity) struct PublicKeys(VerifyingKeys);

impl Contents for PublicKeys {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        Ok(Self(VerifyingKeys::parse(document, KeyKind::Public)?))
    }

    fn keys(&self) -> usize {
        self.0.len()
    }
}

/// A document of shared keys, or one shared key. A lone one has no name: it is called by that of its identity.
#[derive(Debug)]
pub(in crate::identity) struct SharedKeys(VerifyingKeys);

impl Contents for SharedKeys {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        Ok(Self(VerifyingKeys::from_secret("", document)?))
    }

    fn keys(&self) -> usize {
        self.0.len()
    }
}

/// All identities whose callers sign.
#[derive(Debug)]
pub(in crate::identity) struct Signers {
    signers: Vec<Signer>,
    used: Arc<Memory>,
    /// What is said to those who did not sign, or not well: for requests without content, and with.
    wanted: [Option<HeaderValue>; 2],
}

#[derive(Debug)]
struct Signer {
    identity: Identity,
    signed: SignedRequests,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Public(Arc<Source<PublicKeys>>),
    Shared(Arc<Source<SharedKeys>>),
}

/// The keys as they were when a request was judged.
enum Held {
    Public(Arc<Loaded<PublicKeys>>),
    Shared(Arc<Loaded<SharedKeys>>),
}

/// Whom a signature proves, and what its content must hash to.
#[derive(Debug)]
pub(in crate::identity) struct Signatory {
    pub(in crate::identity) principal: Arc<Principal>,
    pub(in crate::identity) content: Option<ContentDigest>,
}

impl Signers {
    pub(in crate::identity) fn new(config: &Config, store: &KeyStore) -> Self {
        let signer = |identity: &Identity| match &identity.kind {
            Kind::Signature(signed) => Some(Signer {
                identity: identity.clone(),
                signed: signed.clone(),
                keys: Keys::new(signed, store),
            }),
            Kind::ApiKey(_) | Kind::Jwt(_) | Kind::Mtls(_) => None,
        };
        let signers: Vec<_> = config.identities.iter().filter_map(signer).collect();
        let wanted = [false, true].map(|content| {
            let signed = signers.iter().map(|signer| &signer.signed);
            request_signature(signed, content)
        });
        Self {
            signers,
            used: Arc::clone(store.used()),
            wanted,
        }
    }

    pub(in crate::identity) const fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// What a signature must cover, as RFC 9421, section 5.1, says it.
    pub(in crate::identity) fn wanted(&self, has_content: bool) -> Option<&HeaderValue> {
        self.wanted.get(usize::from(has_content))?.as_ref()
    }

    /// Who signed a request, if somebody did.
    pub(in crate::identity) async fn authenticate(
        &self,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Option<Signatory>, CredentialError> {
        if self.signers.is_empty() {
            return Ok(None);
        }
        let Some(fields) = Fields::of(presented.headers)? else {
            return Ok(None);
        };
        let signatures = Signatures::parse(&fields)?;
        let judged = match self.judge(&signatures, presented, now) {
            // A key may be new, also under an old name; asking again is bounded by the source.
            Err(CredentialError::Signature(
                SignatureError::BadSignature
                | SignatureError::KeyUnknown(_)
                | SignatureError::KeysUnavailable(_),
            )) => {
                for signer in &self.signers {
                    signer.keys.refetch().await;
                }
                self.judge(&signatures, presented, now)
            }
            judged => judged,
        };
        // The signature, then the nonce: one that nobody signed is not remembered, so that nobody can use up another's.
        let (signatory, nonce) = judged?;
        if let Some(nonce) = nonce {
            let taken = self.used.take(nonce, now).await;
            taken.map_err(SignatureError::from)?;
        }
        Ok(Some(signatory))
    }

    /// Whom a signature proves, if its nonce is new.
    fn judge(
        &self,
        signatures: &Signatures<'_>,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<(Signatory, Option<Once>), CredentialError> {
        let held: Vec<_> = self
            .signers
            .iter()
            .map(|signer| signer.keys.held())
            .collect();
        let acceptances: Vec<_> = self
            .signers
            .iter()
            .zip(&held)
            .map(|(signer, held)| signer.acceptance(held.as_ref()))
            .collect();
        let accepted = self.accept(signatures, &acceptances, presented, now.as_second());
        let accepted = accepted.map_err(|error| match error {
            SignatureError::KeyUnknown(key) => {
                self.unless_unloaded(&held, SignatureError::KeyUnknown(key))
            }
            error => error,
        })?;
        let signer = self
            .signers
            .get(accepted.identity)
            .ok_or(SignatureError::NotForUs)?;
        let principal = signer.principal(&accepted)?;
        let signatory = Signatory {
            principal: Arc::new(principal),
            content: accepted.digest,
        };
        Ok((signatory, accepted.nonce))
    }

    fn accept<'a>(
        &self,
        signatures: &Signatures<'_>,
        acceptances: &[Acceptance<'a>],
        presented: Presented<'_>,
        now: i64,
    ) -> Result<Accepted<'a>, SignatureError> {
        let chosen = choose(signatures, acceptances)?;
        let signer = self
            .signers
            .get(chosen.identity)
            .ok_or(SignatureError::NotForUs)?;
        let external = signer.signed.authority.as_deref();
        // A trusted peer knows whom the caller asked; we see only whom the peer asked.
        let authority = external
            .or_else(|| text(presented.host))
            .or_else(|| presented.uri.authority().map(http::uri::Authority::as_str))
            .or_else(|| text(presented.headers.get(HOST)));
        let request = Request {
            method: presented.method.as_str(),
            // Whoever names the authority outside has another hop end the TLS there.
            scheme: if presented.is_tls || external.is_some() {
                "https"
            } else {
                "http"
            },
            authority: authority.unwrap_or_default(),
            path: presented.uri.path(),
            query: presented.uri.query(),
            target: None,
            headers: presented.headers,
        };
        chosen.verify(&Message::Request(request), presented.has_content, now)
    }

    /// A key that is not known may be one of a set that could not be loaded.
    fn unless_unloaded(&self, held: &[Option<Held>], error: SignatureError) -> SignatureError {
        let mut pairs = self.signers.iter().zip(held);
        match pairs.find(|(_, held)| held.is_none()) {
            Some((signer, _)) => {
                SignatureError::KeysUnavailable(Box::from(signer.identity.name.as_str()))
            }
            None => error,
        }
    }
}

impl Signer {
    fn acceptance<'a>(&'a self, held: Option<&'a Held>) -> Acceptance<'a> {
        static NONE: VerifyingKeys = VerifyingKeys::new(Vec::new());
        Acceptance {
            identity: self.identity.name.as_str(),
            tag: self.signed.tag.as_deref(),
            requirements: &self.signed.requirements,
            algorithm: self.signed.algorithm,
            keys: held.map_or(&NONE, Held::keys),
        }
    }

    fn principal(&self, accepted: &Accepted<'_>) -> Result<Principal, CredentialError> {
        let holder = accepted.key.holder();
        let key = match accepted.key.id() {
            "" => self.identity.name.as_str(),
            id => id,
        };
        let id = holder.subject.as_deref().unwrap_or(key);
        let tenant = holder.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
        Ok(Principal {
            identity: self.identity.name.clone(),
            id: name("sub", PrincipalId::new(id))?,
            tenant: self.identity.speak_for(tenant)?,
            groups: holder.groups.clone(),
            claims: None,
            credential: Credential {
                key: Some(Arc::from(key)),
                issued: Timestamp::from_second(accepted.created).ok(),
            },
        })
    }
}

impl Keys {
    fn new(signed: &SignedRequests, store: &KeyStore) -> Self {
        match (&signed.keys, signed.kind) {
            (SecretSource::File(file), KeyKind::Public) => Self::Public(store.signing_public(file)),
            (place, _) => Self::Shared(store.signing_shared(place.clone())),
        }
    }

    fn held(&self) -> Option<Held> {
        match self {
            Self::Public(source) => source.loaded().map(Held::Public),
            Self::Shared(source) => source.loaded().map(Held::Shared),
        }
    }

    async fn refetch(&self) {
        match self {
            Self::Public(source) => source.refetch().await,
            Self::Shared(source) => source.refetch().await,
        }
    }
}

impl Held {
    fn keys(&self) -> &VerifyingKeys {
        match self {
            Self::Public(loaded) => &loaded.contents.0,
            Self::Shared(loaded) => &loaded.contents.0,
        }
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}
