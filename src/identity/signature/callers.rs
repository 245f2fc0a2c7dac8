//! Callers who sign: their keys, and whom a request's signature proves.

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use http::header::HOST;
use jiff::Timestamp;

use super::wanted::request_signature;
use super::{
    Acceptance, Accepted, ContentDigest, Fields, Holder, KeyKind, Message, Request, Signature,
    SignatureError, Signatures, VerifyingKeys, choose,
};
use crate::identity::jwt::workload::{Vouchers, Workload};
use crate::identity::replay::{Memory, Once};
use crate::identity::sources::{Contents, Loaded, Manner, OnDemand, Reach, Source, Unfetched};
use crate::identity::{
    Config, CredentialError, DEFAULT_TENANT, Excerpt, Identity, KeyStore, KeysError, Kind,
    Presented, SecretSource, SignedRequests, name,
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
    urls: Option<Arc<OnDemand>>,
}

#[derive(Debug)]
enum Keys {
    Public(Arc<Source<PublicKeys>>),
    Shared(Arc<Source<SharedKeys>>),
    /// None but those that are fetched.
    Absent,
    /// That of the token which a request brings.
    Token(Option<Box<Vouchers>>),
}

/// The keys as they were when a request was judged.
enum Held<'a> {
    Fetched(&'a VerifyingKeys),
    Public(Arc<Loaded<PublicKeys>>),
    Shared(Arc<Loaded<SharedKeys>>),
    Token(&'a VerifyingKeys),
}

/// The workload that a request's token names, and which signer said so.
struct Named {
    signer: usize,
    workload: Workload,
    keys: VerifyingKeys,
}

/// A workload identity token as it came.
#[derive(Debug, Clone, Copy)]
pub(in crate::identity) struct Token<'a> {
    pub(in crate::identity) text: &'a str,
    /// Whether something else than a signature has shown that its sender holds its key.
    pub(in crate::identity) is_proven: bool,
}

/// The key that a signature names by its address, and for which signer it was fetched.
struct Fetched {
    signer: usize,
    keys: Arc<VerifyingKeys>,
}

/// What belongs to one request alone.
#[derive(Clone, Copy, Default)]
struct Brought<'a> {
    named: Option<&'a Named>,
    fetched: Option<&'a Fetched>,
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
            Kind::Signature(signed) if signed.accepts_signatures() => Some(Signer {
                identity: identity.clone(),
                signed: signed.clone(),
                keys: Keys::new(identity, signed, store),
                urls: signed.key_urls.as_ref().map(|urls| {
                    store.on_demand(Manner {
                        ca: urls.ca.clone(),
                        reach: match urls.dangerous_private_addresses {
                            true => Reach::Anywhere,
                            false => Reach::Public,
                        },
                    })
                }),
            }),
            Kind::ApiKey(_) | Kind::Jwt(_) | Kind::Mtls(_) | Kind::Signature(_) => None,
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

    /// Who signed a request, if somebody did. `token` is the one of its workload, which must not stand there alone: whoever
    /// found it in a log could send it so.
    pub(in crate::identity) async fn authenticate(
        &self,
        presented: Presented<'_>,
        token: Option<Token<'_>>,
        now: Timestamp,
    ) -> Result<Option<Signatory>, CredentialError> {
        let fields = match self.signers.is_empty() {
            true => None,
            false => Fields::of(presented.headers)?,
        };
        let Some(fields) = fields else {
            return match token {
                Some(token) if !token.is_proven => Err(CredentialError::WorkloadTokenAlone),
                Some(_) | None => Ok(None),
            };
        };
        let signatures = Signatures::parse(&fields)?;
        let named = self.named(&signatures, token, now).await?;
        let fetched = self.fetched(&signatures, presented, now, false).await?;
        let brought = Brought {
            named: named.as_ref(),
            fetched: fetched.as_ref(),
        };
        let judged = match self.judge(&signatures, brought, presented, now) {
            // A key may be new, also under an old name; asking again is bounded by the source.
            Err(CredentialError::Signature(
                SignatureError::BadSignature
                | SignatureError::KeyUnknown(_)
                | SignatureError::KeysUnavailable(_),
            )) => {
                for signer in &self.signers {
                    signer.keys.refetch().await;
                }
                let anew = match fetched {
                    Some(_) => self.fetched(&signatures, presented, now, true).await?,
                    None => None,
                };
                let brought = Brought {
                    fetched: anew.as_ref(),
                    ..brought
                };
                self.judge(&signatures, brought, presented, now)
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

    /// Whether some identity's callers bring their key in a token.
    pub(in crate::identity) fn read_tokens(&self) -> bool {
        let mut signers = self.signers.iter();
        signers.any(|signer| signer.signed.workloads.is_some())
    }

    /// The workload of the token, where a signature goes with it. Several may vouch for workloads; the first who can counts,
    /// and where none can, what the last one says.
    async fn named(
        &self,
        signatures: &Signatures<'_>,
        token: Option<Token<'_>>,
        now: Timestamp,
    ) -> Result<Option<Named>, CredentialError> {
        let mut refused = None;
        for (index, signer) in self.signers.iter().enumerate() {
            let Keys::Token(Some(vouchers)) = &signer.keys else {
                continue;
            };
            let tag = signer.signed.tag.as_deref();
            if !signatures.iter().any(|signature| signature.tag() == tag) {
                continue;
            }
            let token = token.ok_or(CredentialError::WorkloadTokenMissing)?;
            match vouchers.verify(token.text, now).await {
                Ok(workload) => {
                    return Ok(Some(Named {
                        signer: index,
                        keys: workload.keys()?,
                        workload,
                    }));
                }
                Err(error) => refused = Some(error),
            }
        }
        match (refused, token) {
            (Some(error), _) => Err(error),
            // Signed for others, and nobody's word that its sender holds the key.
            (None, Some(token)) if !token.is_proven => Err(CredentialError::WorkloadTokenAlone),
            (None, Some(_) | None) => Ok(None),
        }
    }

    /// The key that the signature names by its address, if that is one which the policy lists. Nobody is asked for a signature
    /// that would not count whatever the key: it costs its sender nothing.
    async fn fetched(
        &self,
        signatures: &Signatures<'_>,
        presented: Presented<'_>,
        now: Timestamp,
        anew: bool,
    ) -> Result<Option<Fetched>, CredentialError> {
        for (index, signer) in self.signers.iter().enumerate() {
            let (Some(rules), Some(urls)) = (&signer.signed.key_urls, &signer.urls) else {
                continue;
            };
            let tag = signer.signed.tag.as_deref();
            let is_ours = |signature: &&Signature<'_>| {
                signature.tag() == tag && (tag.is_some() || !signature.has_tag())
            };
            let mut ours = signatures.iter().filter(is_ours);
            let (Some(signature), None) = (ours.next(), ours.next()) else {
                continue;
            };
            let Some(key_id) = signature.parameters()?.key_id else {
                continue;
            };
            let is_listed = rules.allow.iter().any(|pattern| pattern.matches(&key_id));
            let held = signer.keys.held(None);
            let is_held = held.is_some_and(|held| held.keys().find(&key_id).is_some());
            if !is_listed || is_held {
                continue;
            }
            let message = Message::Request(signer.request(presented));
            let requirements = &signer.signed.requirements;
            requirements.examine(signature, &message, presented.has_content, now.as_second())?;
            return match urls.get(&key_id, anew).await {
                Ok(keys) => Ok(Some(Fetched {
                    signer: index,
                    keys,
                })),
                Err(unfetched) if unfetched.is_absent => Ok(None),
                Err(Unfetched { why, .. }) => {
                    let key = Excerpt::new(&key_id);
                    Err(SignatureError::KeyUnfetched { key, why }.into())
                }
            };
        }
        Ok(None)
    }

    /// Whom a signature proves, if its nonce is new.
    fn judge(
        &self,
        signatures: &Signatures<'_>,
        Brought { named, fetched }: Brought<'_>,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<(Signatory, Option<Once>), CredentialError> {
        let held: Vec<_> = self
            .signers
            .iter()
            .enumerate()
            .map(|(index, signer)| {
                if let Some(fetched) = fetched.filter(|fetched| fetched.signer == index) {
                    return Some(Held::Fetched(&fetched.keys));
                }
                let named = named.filter(|named| named.signer == index);
                signer.keys.held(named.map(|named| &named.keys))
            })
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
        let is_fetched = fetched.is_some_and(|fetched| fetched.signer == accepted.identity);
        let principal = match named.filter(|named| named.signer == accepted.identity) {
            Some(named) => signer.workload(&named.workload, &accepted)?,
            None => signer.principal(&accepted, is_fetched)?,
        };
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
        let request = signer.request(presented);
        chosen.verify(&Message::Request(request), presented.has_content, now)
    }

    /// A key that is not known may be one of a set that could not be loaded.
    fn unless_unloaded(&self, held: &[Option<Held<'_>>], error: SignatureError) -> SignatureError {
        let mut pairs = self.signers.iter().zip(held);
        let is_unloaded =
            |(signer, held): &(&Signer, &Option<Held<'_>>)| held.is_none() && !signer.is_bound();
        match pairs.find(is_unloaded) {
            Some((signer, _)) => {
                SignatureError::KeysUnavailable(Box::from(signer.identity.name.as_str()))
            }
            None => error,
        }
    }
}

impl Signer {
    /// What a caller signs of a request.
    fn request<'a>(&'a self, presented: Presented<'a>) -> Request<'a> {
        let external = self.signed.authority.as_deref();
        // A trusted peer knows whom the caller asked; we see only whom the peer asked.
        let authority = external
            .or_else(|| text(presented.host))
            .or_else(|| presented.uri.authority().map(http::uri::Authority::as_str))
            .or_else(|| text(presented.headers.get(HOST)));
        Request {
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
        }
    }

    /// Whether its callers' keys are nowhere but in what they bring.
    const fn is_bound(&self) -> bool {
        matches!(self.keys, Keys::Absent | Keys::Token(_))
    }

    fn acceptance<'a>(&'a self, held: Option<&'a Held<'_>>) -> Acceptance<'a> {
        static NONE: VerifyingKeys = VerifyingKeys::new(Vec::new());
        Acceptance {
            identity: self.identity.name.as_str(),
            tag: self.signed.tag.as_deref(),
            requirements: &self.signed.requirements,
            algorithm: self.signed.algorithm,
            keys: held.map_or(&NONE, Held::keys),
            bound_for: self
                .signed
                .workloads
                .as_ref()
                .map(|workloads| &*workloads.audiences),
        }
    }

    /// The workload of a token whose key signed.
    fn workload(
        &self,
        workload: &Workload,
        accepted: &Accepted<'_>,
    ) -> Result<Principal, CredentialError> {
        let rules = self.signed.workloads.as_ref();
        let rules = rules.ok_or(SignatureError::NotForUs)?;
        let credential = Credential {
            key: Some(Arc::from(accepted.key.id())),
            issued: Timestamp::from_second(accepted.created).ok(),
        };
        workload.principal(&self.identity, rules, credential)
    }

    fn principal(
        &self,
        accepted: &Accepted<'_>,
        is_fetched: bool,
    ) -> Result<Principal, CredentialError> {
        // Whose a fetched key is, the policy says and not whoever answered.
        let urls = self.signed.key_urls.as_ref().filter(|_| is_fetched);
        let of_urls = urls.map(|urls| Holder {
            subject: None,
            tenant: urls.tenant.as_ref().map(|tenant| tenant.as_str().into()),
            groups: urls.groups.clone(),
        });
        let holder = of_urls.as_ref().unwrap_or_else(|| accepted.key.holder());
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
    fn new(identity: &Identity, signed: &SignedRequests, store: &KeyStore) -> Self {
        if let Some(workloads) = &signed.workloads {
            let vouchers = Vouchers::new(workloads, identity.name.as_str(), store);
            return Self::Token(vouchers.map(Box::new));
        }
        if signed.key_urls.is_some() && signed.keys == SecretSource::File(PathBuf::new()) {
            return Self::Absent;
        }
        match (&signed.keys, signed.kind) {
            (SecretSource::File(file), KeyKind::Public) => Self::Public(store.signing_public(file)),
            (place, _) => Self::Shared(store.signing_shared(place.clone())),
        }
    }

    fn held<'a>(&self, named: Option<&'a VerifyingKeys>) -> Option<Held<'a>> {
        match self {
            Self::Absent => None,
            Self::Token(_) => named.map(Held::Token),
            Self::Public(source) => source.loaded().map(Held::Public),
            Self::Shared(source) => source.loaded().map(Held::Shared),
        }
    }

    async fn refetch(&self) {
        match self {
            Self::Public(source) => source.refetch().await,
            Self::Shared(source) => source.refetch().await,
            // Asked for when the token was read.
            Self::Absent | Self::Token(_) => {}
        }
    }
}

impl Held<'_> {
    fn keys(&self) -> &VerifyingKeys {
        match self {
            Self::Fetched(keys) | Self::Token(keys) => keys,
            Self::Public(loaded) => &loaded.contents.0,
            Self::Shared(loaded) => &loaded.contents.0,
        }
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}
