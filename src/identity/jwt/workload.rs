//! Workload identity tokens (draft-ietf-wimse-workload-creds): by them an issuer says which workload holds a key. They are
//! no credential by themselves: who sends one shows with a signature of the request that it holds the key.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::identity::config::Algorithm;
use crate::identity::digest::{Thumbprint, thumbprint};
use crate::identity::error::{CredentialError, Excerpt, KeysError, Part};
use crate::identity::signature::{KeyKind, VerifyingKeys};
use crate::identity::sources::{Contents, Origin, Source};
use crate::identity::{Identity, KeySource, KeyStore, Mtls, TenantFrom, WorkloadTokens, name};
use crate::model::{Credential, Principal, PrincipalId};

use super::claims::{Claims, Times, date};
use super::keys::{KeySet, has_private_part};
use super::token::{Parts, base64url, check_header, is_of_type, key_id, object};

/// Where the token stands (draft-ietf-wimse-http-signature, section 3).
pub(in crate::identity) static FIELD: HeaderName =
    HeaderName::from_static("workload-identity-token");

/// The longest token that is read: a name and a public key.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The `typ` of such a token.
const TYPE: &str = "wit+jwt";

/// Those who vouch for workloads by tokens: one identity.
#[derive(Debug)]
pub(in crate::identity) struct Vouchers {
    rules: WorkloadTokens,
    identity: Box<str>,
    keys: Arc<Source<KeySet>>,
}

/// The token of lictor's own workload, as it lies in a file: it goes with answers that are signed with its key.
#[derive(Debug)]
pub(in crate::identity) struct OwnToken {
    value: HeaderValue,
    key: Thumbprint,
    /// In milliseconds since 1970.
    until: Option<i64>,
}

impl Contents for OwnToken {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        Self::read(document).map_err(|error| {
            KeysError::WorkloadToken(CredentialError::WorkloadToken(Box::new(error)))
        })
    }

    fn keys(&self) -> usize {
        1
    }
}

impl OwnToken {
    fn read(document: &[u8]) -> Result<Self, CredentialError> {
        let malformed = || CredentialError::Malformed(Part::Token);
        let text = str::from_utf8(document).map_err(|_| malformed())?;
        let parts = Parts::split(text.trim(), MAX_TOKEN_BYTES)?;
        check_type(&object(Part::Header, parts.header)?)?;
        let claims = object(Part::Payload, parts.payload)?;
        let unusable = || CredentialError::WorkloadKey(Box::from("cannot be used"));
        Ok(Self {
            value: HeaderValue::from_str(text.trim()).map_err(|_| malformed())?,
            key: thumbprint(&confirmed(&claims)?).ok_or_else(unusable)?,
            until: date(&claims, "exp")?,
        })
    }

    /// Whether it says now whose this key is.
    pub(in crate::identity) fn is_good(&self, key: Option<Thumbprint>, now: Timestamp) -> bool {
        let lasts = |until: i64| now.as_millisecond() < until;
        key == Some(self.key) && self.until.is_none_or(lasts)
    }

    /// The token.
    pub(in crate::identity) const fn value(&self) -> &HeaderValue {
        &self.value
    }
}

/// A workload, and its key. Nobody has proved to hold it yet.
#[derive(Debug)]
pub(in crate::identity) struct Workload {
    /// Its name: a SPIFFE ID or a WIMSE URI.
    id: Box<str>,
    /// A public key that says its algorithm and has no name.
    jwk: Map<String, Value>,
}

impl Workload {
    /// Its public key, which says its algorithm.
    pub(super) const fn jwk(&self) -> &Map<String, Value> {
        &self.jwk
    }

    /// Its key for signatures of requests: one, called by its thumbprint, so that no two keys share the memory of nonces.
    ///
    /// # Errors
    /// When there are no such signatures by a key of its algorithm.
    pub(in crate::identity) fn keys(&self) -> Result<VerifyingKeys, CredentialError> {
        let set = json!({ "keys": [self.jwk] }).to_string();
        VerifyingKeys::parse(set.as_bytes(), KeyKind::Public).map_err(|_| {
            let problem = "is none that verifies signatures here by its `alg`";
            let error = CredentialError::WorkloadKey(Box::from(problem));
            CredentialError::WorkloadToken(Box::new(error))
        })
    }

    /// The caller that it is once it has proved to hold its key.
    pub(in crate::identity) fn principal(
        &self,
        identity: &Identity,
        rules: &WorkloadTokens,
        credential: Credential,
    ) -> Result<Principal, CredentialError> {
        let tenant = rules.tenant_of(&self.id, &identity.tenant);
        let tenant = tenant.ok_or_else(|| CredentialError::TenantMissing(Excerpt::new("sub")))?;
        Ok(Principal {
            identity: identity.name.clone(),
            id: name("sub", PrincipalId::new(&self.id))?,
            tenant: identity.speak_for(tenant)?,
            groups: Vec::new(),
            claims: None,
            credential,
        })
    }
}

/// The token of a request, if it has one.
///
/// # Errors
/// When there are several, or something else than a token.
pub(in crate::identity) fn presented(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    let mut values = headers.get_all(&FIELD).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(CredentialError::AssertionRepeated(Excerpt::new(
            FIELD.as_str(),
        )));
    }
    let text = value.to_str();
    text.map(Some)
        .map_err(|_| CredentialError::AssertionMalformed(Excerpt::new(FIELD.as_str())))
}

impl Vouchers {
    pub(in crate::identity) fn new(
        rules: &WorkloadTokens,
        identity: &str,
        store: &KeyStore,
    ) -> Option<Self> {
        let origin = match &rules.keys {
            KeySource::Discovery { ca } => Origin::Discovery {
                issuer: rules.issuer.clone(),
                ca: ca.clone(),
            },
            KeySource::File(path) => Origin::File(path.clone()),
            KeySource::Url { url, ca } => Origin::Url {
                url: url.clone(),
                ca: ca.clone(),
            },
            // Neither says which workload holds a key.
            KeySource::Introspection(_) | KeySource::Shared { .. } => return None,
        };
        Some(Self {
            keys: store.jwks(origin, rules.max_stale),
            identity: Box::from(identity),
            rules: rules.clone(),
        })
    }

    /// The workload that a token names. Waits only for keys that are needed and not there.
    ///
    /// # Errors
    /// With what is wrong with the token.
    pub(in crate::identity) async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Workload, CredentialError> {
        let verified = self.verified(token, now).await;
        verified.map_err(|error| CredentialError::WorkloadToken(Box::new(error)))
    }

    async fn verified(&self, token: &str, now: Timestamp) -> Result<Workload, CredentialError> {
        let parts = Parts::split(token, MAX_TOKEN_BYTES)?;
        let header = object(Part::Header, parts.header)?;
        check_type(&header)?;
        let algorithm = check_header(&header)?;
        if algorithm.is_shared() {
            let name = Excerpt::new(algorithm.as_str());
            return Err(CredentialError::AlgorithmNotAllowed(name));
        }
        let key_id = key_id(&header)?;
        let signature = base64url(Part::Signature, parts.signature)?;
        let signed = Signed {
            algorithm,
            key_id: key_id.as_deref(),
            signed: parts.signed,
            signature: &signature,
        };
        self.check_signature(&signed).await?;
        self.read(object(Part::Payload, parts.payload)?, now)
    }

    async fn check_signature(&self, signed: &Signed<'_>) -> Result<(), CredentialError> {
        match self.try_signature(signed) {
            // The issuer may have a new key, also under an old name; asking again is bounded by the source.
            Err(
                CredentialError::BadSignature
                | CredentialError::KeysStale(_)
                | CredentialError::KeysUnavailable(_)
                | CredentialError::UnknownKey(_),
            ) => {
                self.keys.refetch().await;
                self.try_signature(signed)
            }
            judged => judged,
        }
    }

    fn try_signature(&self, signed: &Signed<'_>) -> Result<(), CredentialError> {
        if self.keys.stale_for() > self.rules.max_stale {
            return Err(CredentialError::KeysStale(self.identity.clone()));
        }
        let keys = self.keys.loaded();
        let keys = keys.ok_or_else(|| CredentialError::KeysUnavailable(self.identity.clone()))?;
        let Signed {
            algorithm,
            key_id,
            signed,
            signature,
        } = *signed;
        let by = keys.contents.signer(algorithm, key_id, signed, signature);
        by.map(drop)
    }

    /// What a token says that its issuer has signed.
    fn read(&self, all: Map<String, Value>, now: Timestamp) -> Result<Workload, CredentialError> {
        let jwk = confirmed(&all)?;
        let claims = Claims::of_workload(all, &self.rules.issuer)?;
        let times = Times {
            leeway: self.rules.leeway,
            require_exp: true,
            max_age: None,
        };
        claims.check_time(&times, now)?;
        let id = claims.subject()?;
        if !self.rules.workloads.takes(id) {
            return Err(CredentialError::WorkloadUnknown(Excerpt::new(id)));
        }
        Ok(Workload {
            id: Box::from(id),
            jwk,
        })
    }
}

impl WorkloadTokens {
    /// The tenant of the workload of this name; `None` where no pattern takes it.
    pub fn tenant_of<'id>(&self, id: &'id str, from: &TenantFrom) -> Option<&'id str> {
        self.workloads.tenant_of(id, from)
    }
}

impl Mtls {
    fn takes(&self, id: &str) -> bool {
        self.tenant_of(id, &TenantFrom::Default).is_some()
    }
}

/// What the issuer signed, and how.
struct Signed<'a> {
    algorithm: Algorithm,
    key_id: Option<&'a str>,
    signed: &'a [u8],
    signature: &'a [u8],
}

/// A token for another purpose must not pass for one, and the other way round (RFC 8725, section 3.11).
fn check_type(header: &Map<String, Value>) -> Result<(), CredentialError> {
    match header.get("typ") {
        Some(Value::String(kind)) if is_of_type(kind, TYPE) => Ok(()),
        Some(Value::String(kind)) => Err(CredentialError::NotOfWorkload(Excerpt::new(kind))),
        None => Err(CredentialError::TypeMissing),
        Some(_) => Err(CredentialError::Malformed(Part::Header)),
    }
}

/// The key that `cnf` names: a public one that says its algorithm, because nothing else does.
fn confirmed(claims: &Map<String, Value>) -> Result<Map<String, Value>, CredentialError> {
    let problem = |problem: &str| CredentialError::WorkloadKey(Box::from(problem));
    let members = match claims.get("cnf") {
        None => return Err(CredentialError::ClaimMissing("cnf")),
        Some(Value::Object(members)) => members,
        Some(_) => {
            return Err(CredentialError::ClaimType {
                claim: Excerpt::new("cnf"),
                expected: "an object",
            });
        }
    };
    // A member that is not understood could be the one that matters.
    if let Some(other) = members.keys().find(|name| *name != "jwk") {
        return Err(CredentialError::ConfirmationUnknown(Excerpt::new(other)));
    }
    let Some(Value::Object(jwk)) = members.get("jwk") else {
        return Err(problem("is no JWK"));
    };
    if has_private_part(jwk) {
        return Err(problem("is not a public one"));
    }
    if !jwk.contains_key("alg") {
        return Err(problem("does not say its algorithm (`alg`)"));
    }
    let mut jwk = jwk.clone();
    jwk.remove("kid");
    Ok(jwk)
}
