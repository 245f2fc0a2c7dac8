//! Workload proof tokens (draft-ietf-wimse-wpt): a workload shows by a token of its own making that it holds the key which
//! its identity token names. The draft has it in a field of its own or, in its newest text, behind `Authorization: WPT`;
//! both are read. Unlike a signature of the request it says nothing of the content.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::identity::config::Algorithm;
use crate::identity::digest::{sha256, thumbprint};
use crate::identity::error::{CredentialError, Excerpt, Part, ProofError};
use crate::identity::replay::{Mark, Memory, Once};
use crate::identity::{Config, Identity, KeyStore, Kind, Presented, WorkloadTokens};
use crate::model::{Credential, Principal};

use super::bearer;
use super::claims::{date, millis};
use super::keys::public_key;
use super::proof::{MAX_PROOF_BYTES, id_of, text_of};
use super::target::Target;
use super::token::{Parts, base64url, is_of_type, object};
use super::workload::{Vouchers, Workload};

/// Where a proof stands (draft-ietf-wimse-wpt-01, section 2).
pub(in crate::identity) static FIELD: HeaderName = HeaderName::from_static("workload-proof-token");

/// Where a transaction token stands (draft-ietf-oauth-transaction-tokens).
static TRANSACTION: HeaderName = HeaderName::from_static("txn-token");

/// The `typ` of a proof.
const TYPE: &str = "wpt+jwt";

/// How long a proof may count: "on the order of minutes or seconds". So long it has to be remembered.
const MAX_LIFE: Duration = Duration::from_mins(5);

/// All identities whose workloads may prove so that they hold their key.
#[derive(Debug)]
pub(in crate::identity) struct Provers {
    provers: Vec<Prover>,
    used: Arc<Memory>,
}

/// One identity.
#[derive(Debug)]
struct Prover {
    identity: Identity,
    rules: WorkloadTokens,
    vouchers: Vouchers,
}

/// What a proof has to fit.
struct Wanted<'a> {
    presented: Presented<'a>,
    /// The token of the workload, as it came.
    token: &'a str,
    /// The workload's key.
    key: &'a Map<String, Value>,
    rules: &'a WorkloadTokens,
    /// The fields in which other tokens of the caller are read.
    others: &'a [&'a HeaderName],
}

/// The proof of a request, if it has one.
///
/// # Errors
/// When there are several, or something else than a token.
pub(in crate::identity) fn presented(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    let own = bearer::assertion(headers, &FIELD)?.map(|carried| carried.text);
    let in_authorization = bearer::with_scheme(headers, "wpt")?;
    match (own, in_authorization) {
        (Some(_), Some(_)) => Err(CredentialError::WorkloadProof(ProofError::Repeated)),
        (own, other) => Ok(own.or(other)),
    }
}

impl Provers {
    pub(in crate::identity) fn new(config: &Config, store: &KeyStore) -> Self {
        let prover = |identity: &Identity| {
            let Kind::Signature(signed) = &identity.kind else {
                return None;
            };
            let rules = signed.workloads.as_ref()?;
            if !rules.proofs.are_tokens() {
                return None;
            }
            Some(Prover {
                vouchers: Vouchers::new(rules, identity.name.as_str(), store)?,
                identity: identity.clone(),
                rules: rules.clone(),
            })
        };
        Self {
            provers: config.identities.iter().filter_map(prover).collect(),
            used: Arc::clone(store.used()),
        }
    }

    pub(in crate::identity) const fn is_empty(&self) -> bool {
        self.provers.is_empty()
    }

    /// The workload that proves by a token to hold the key of `token`, if one does. `others` are the fields in which further
    /// tokens of the caller are read.
    pub(in crate::identity) async fn authenticate(
        &self,
        presented: Presented<'_>,
        token: Option<&str>,
        others: &[&HeaderName],
        now: Timestamp,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        if self.provers.is_empty() {
            return Ok(None);
        }
        let Some(proof) = self::presented(presented.headers)? else {
            return Ok(None);
        };
        let token = token.ok_or(CredentialError::WorkloadProofAlone)?;
        // Several may vouch for workloads; the first who can counts, and where none can, what the last one says.
        let mut refused = CredentialError::WorkloadProofAlone;
        for prover in &self.provers {
            let workload = match prover.vouchers.verify(token, now).await {
                Ok(workload) => workload,
                Err(error) => {
                    refused = error;
                    continue;
                }
            };
            let wanted = Wanted {
                presented,
                token,
                key: workload.jwk(),
                rules: &prover.rules,
                others,
            };
            let (once, issued) = wanted
                .check(proof, now)
                .map_err(CredentialError::WorkloadProof)?;
            let principal = prover.principal(&workload, issued)?;
            // Last, so that only what is good is remembered.
            let taken = self.used.take(once, now).await;
            taken.map_err(|error| CredentialError::WorkloadProof(error.into()))?;
            return Ok(Some(Arc::new(principal)));
        }
        Err(refused)
    }
}

impl Prover {
    fn principal(
        &self,
        workload: &Workload,
        issued: Option<Timestamp>,
    ) -> Result<Principal, CredentialError> {
        let key = thumbprint(workload.jwk()).map(|key| URL_SAFE_NO_PAD.encode(key).into());
        workload.principal(&self.identity, &self.rules, Credential { key, issued })
    }
}

impl Wanted<'_> {
    /// Checks all but that the proof is new. Gives how it is remembered, and when it says that it was made.
    fn check(&self, text: &str, now: Timestamp) -> Result<(Once, Option<Timestamp>), ProofError> {
        let parts = Parts::split(text, MAX_PROOF_BYTES)?;
        let header = object(Part::Header, parts.header)?;
        self.check_signature(&header, &parts)?;
        let claims = object(Part::Payload, parts.payload)?;
        self.check_audience(&claims)?;
        self.check_tokens(&claims)?;
        let (made, until) = self.check_time(&claims, now)?;
        let owner = thumbprint(self.key).ok_or(ProofError::KeyUnusable)?;
        let once = Once {
            mark: Mark::of_proof(&owner, id_of(&claims)?),
            made: made.div_euclid(1000),
            until,
        };
        let issued = claims.get("iat").map(|_| made);
        let issued = issued.and_then(|made| Timestamp::from_millisecond(made).ok());
        Ok((once, issued))
    }

    /// The key says its algorithm, and the proof the same.
    fn check_signature(
        &self,
        header: &Map<String, Value>,
        parts: &Parts<'_>,
    ) -> Result<(), ProofError> {
        match header.get("typ") {
            Some(Value::String(kind)) if is_of_type(kind, TYPE) => {}
            _ => return Err(ProofError::WrongType(TYPE)),
        }
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(ProofError::CriticalExtension);
        }
        let name = header.get("alg").and_then(Value::as_str);
        let name = name.ok_or(ProofError::Malformed(Part::Header))?;
        if self.key.get("alg").and_then(Value::as_str) != Some(name) {
            return Err(ProofError::AlgorithmOther(Excerpt::new(name)));
        }
        let algorithm = Algorithm::named(name)
            .filter(|algorithm| !algorithm.is_shared())
            .ok_or_else(|| ProofError::AlgorithmNotAllowed(Excerpt::new(name)))?;
        let keys = public_key(self.key, Some(algorithm)).ok_or(ProofError::KeyUnusable)?;
        let (_, key) = keys.first().ok_or(ProofError::KeyUnusable)?;
        let signature = base64url(Part::Signature, parts.signature)?;
        key.verify_sig(parts.signed, &signature)
            .map_err(|_| ProofError::BadSignature)
    }

    /// A proof is for one of the policy's audiences, or for the target of this request at one of them. What the request
    /// says of its host does not count: whoever got a proof for himself would write his own name there.
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), ProofError> {
        let audience = match claims.get("aud") {
            None => return Err(ProofError::ClaimMissing("aud")),
            Some(Value::String(one)) => one,
            Some(Value::Array(many)) => match many.as_slice() {
                [Value::String(one)] => one,
                // One of several could use it towards the others.
                _ => return Err(ProofError::ClaimType("aud")),
            },
            Some(_) => return Err(ProofError::ClaimType("aud")),
        };
        let target = Target::parse(audience);
        let path = self.presented.uri.path();
        let is_ours = |ours: &String| {
            ours == audience
                || target.is_some()
                    && Target::parse(ours).map(|ours| ours.with_path(path)) == target
        };
        match self.rules.audiences.iter().any(is_ours) {
            true => Ok(()),
            false => Err(ProofError::WrongTarget(Excerpt::new(audience))),
        }
    }

    /// The proof is bound to the workload's token, and to every other token of the caller that is there.
    fn check_tokens(&self, claims: &Map<String, Value>) -> Result<(), ProofError> {
        if text_of(claims, "wth")? != hash(self.token) {
            return Err(ProofError::WrongToken);
        }
        let headers = self.presented.headers;
        let access = bearer::authorization(headers, true).ok().flatten();
        let access = access.map(|carried| carried.text);
        bound_to(claims, "ath", &AUTHORIZATION, access)?;
        let transaction = match headers.contains_key(&TRANSACTION) {
            true => Some(once(headers, TRANSACTION.as_str())?),
            false => None,
        };
        bound_to(claims, "tth", &TRANSACTION, transaction)?;
        let empty = Map::new();
        let named = match claims.get("oth") {
            None => &empty,
            Some(Value::Object(named)) => named,
            Some(_) => return Err(ProofError::ClaimType("oth")),
        };
        for (name, expected) in named {
            if expected.as_str() != Some(&hash(once(headers, name)?)) {
                return Err(ProofError::OtherDiffers(Excerpt::new(name)));
            }
        }
        let unbound = |name: &&&HeaderName| {
            headers.contains_key(**name) && !named.contains_key(name.as_str())
        };
        match self.others.iter().find(unbound) {
            None => Ok(()),
            Some(name) => Err(ProofError::OtherUnbound {
                claim: "oth",
                field: Excerpt::new(name.as_str()),
            }),
        }
    }

    /// When it was made at the earliest, and until when it counts.
    fn check_time(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(i64, i64), ProofError> {
        let now = now.as_millisecond();
        let leeway = millis(self.rules.leeway);
        let time = |name| date(claims, name).map_err(|_| ProofError::ClaimType(name));
        let expires = time("exp")?.ok_or(ProofError::ClaimMissing("exp"))?;
        let until = expires.saturating_add(leeway);
        if now >= until {
            return Err(ProofError::Expired);
        }
        let life = millis(MAX_LIFE);
        if expires > now.saturating_add(life).saturating_add(leeway) {
            return Err(ProofError::LastsTooLong);
        }
        let latest = now.saturating_add(leeway);
        if time("nbf")?.is_some_and(|from| from > latest) {
            return Err(ProofError::NotYetValid);
        }
        match time("iat")? {
            Some(issued) if issued > latest => Err(ProofError::IssuedInFuture),
            Some(issued) => Ok((issued, until)),
            // It need not say: then it may be as old as one that ends then can be.
            None => Ok((expires.saturating_sub(life), until)),
        }
    }
}

/// Whether a claim with the hash of one token says of it what is there.
fn bound_to(
    claims: &Map<String, Value>,
    claim: &'static str,
    field: &HeaderName,
    token: Option<&str>,
) -> Result<(), ProofError> {
    let field = || Excerpt::new(field.as_str());
    match (claims.contains_key(claim), token) {
        (false, None) => Ok(()),
        (true, None) => Err(ProofError::OtherAbsent(field())),
        (false, Some(_)) => Err(ProofError::OtherUnbound {
            claim,
            field: field(),
        }),
        (true, Some(token)) if text_of(claims, claim)? == hash(token) => Ok(()),
        (true, Some(_)) => Err(ProofError::OtherDiffers(field())),
    }
}

/// The value of a field that stands there once.
fn once<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, ProofError> {
    let absent = || ProofError::OtherAbsent(Excerpt::new(name));
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map(str::trim).map_err(|_| absent()),
        _ => Err(absent()),
    }
}

/// What a proof says of a token: the SHA-256 of its text, in base64url.
pub fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(text.as_bytes()))
}
