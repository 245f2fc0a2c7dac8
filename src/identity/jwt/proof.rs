//! DPoP proofs: a caller shows that it holds the key that its token is bound to (RFC 9449, section 4.3).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::identity::Presented;
use crate::identity::config::Algorithm;
use crate::identity::digest::{Thumbprint, sha256, thumbprint};
use crate::identity::error::{CredentialError, Excerpt, Part, ProofError};
use crate::identity::replay::{Mark, Once};

use super::claims::{date, millis};
use super::keys::{has_private_part, public_key};
use super::target::Target;
use super::token::{Parts, base64url, is_of_type, object};

/// Where a proof stands (RFC 9449, section 4.1).
pub static FIELD: HeaderName = HeaderName::from_static("dpop");

/// The `typ` of a proof.
const TYPE: &str = "dpop+jwt";

/// The longest proof that is read. One with an RSA key of 8192 bits stays below it.
pub(super) const MAX_PROOF_BYTES: usize = 8 * 1024;

/// How long after its `iat` a proof counts, besides what the clocks may differ: "on the order of seconds or minutes"
/// (RFC 9449, section 11.1). It is also how long it has to be remembered.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The longest `jti`: RFC 9449 speaks of 96 random bits, and all of them are texts of less than 64 bytes.
const MAX_ID_BYTES: usize = 512;

/// What a proof has to fit.
pub(super) struct Wanted<'a> {
    /// The request.
    pub(super) presented: Presented<'a>,
    /// The token that comes with it.
    pub(super) token: &'a str,
    /// The key that the token is bound to.
    pub(super) key: Thumbprint,
    /// How much our clock and the caller's may differ.
    pub(super) leeway: Duration,
}

/// Checks the one proof of a request, which is left to be taken, so that it does not count again. The steps are those of
/// RFC 9449, section 4.3, but that the key is compared before its signature is verified, so that only its holder can make
/// us verify.
pub(super) fn check(wanted: &Wanted<'_>, now: Timestamp) -> Result<Once, ProofError> {
    let mut fields = wanted.presented.headers.get_all(&FIELD).iter();
    let field = fields.next().ok_or(ProofError::Missing)?;
    if fields.next().is_some() {
        return Err(ProofError::Repeated);
    }
    let text = field
        .to_str()
        .map_err(|_| ProofError::Malformed(Part::Token))?;
    let parts = Parts::split(text, MAX_PROOF_BYTES)?;
    let header = object(Part::Header, parts.header)?;
    check_signature(&header, &parts, &wanted.key)?;
    let claims = object(Part::Payload, parts.payload)?;
    check_request(&claims, wanted)?;
    let (issued, until) = check_age(&claims, wanted.leeway, now)?;
    let id = id_of(&claims)?;
    Ok(Once {
        mark: Mark::of_proof(&wanted.key, id),
        made: issued.div_euclid(1000),
        until,
    })
}

/// Steps 4 to 7, and that the key is the token's.
fn check_signature(
    header: &Map<String, Value>,
    parts: &Parts<'_>,
    wanted: &Thumbprint,
) -> Result<(), ProofError> {
    let malformed = || ProofError::Malformed(Part::Header);
    match header.get("typ") {
        Some(Value::String(kind)) if is_of_type(kind, TYPE) => {}
        _ => return Err(ProofError::WrongType(TYPE)),
    }
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(ProofError::CriticalExtension);
    }
    let name = header
        .get("alg")
        .and_then(Value::as_str)
        .ok_or_else(malformed)?;
    let algorithm = Algorithm::named(name)
        .filter(|algorithm| !algorithm.is_shared())
        .ok_or_else(|| ProofError::AlgorithmNotAllowed(Excerpt::new(name)))?;
    let Some(Value::Object(jwk)) = header.get("jwk") else {
        return Err(ProofError::KeyMissing);
    };
    if has_private_part(jwk) {
        return Err(ProofError::KeyPrivate);
    }
    let keys = public_key(jwk, Some(algorithm)).ok_or(ProofError::KeyUnusable)?;
    let (_, key) = keys.first().ok_or(ProofError::KeyUnusable)?;
    if thumbprint(jwk).ok_or(ProofError::KeyUnusable)? != *wanted {
        return Err(ProofError::KeyMismatch);
    }
    let signature = base64url(Part::Signature, parts.signature)?;
    key.verify_sig(parts.signed, &signature)
        .map_err(|_| ProofError::BadSignature)
}

/// Steps 8 and 9, and that the proof is for this token (`ath`).
fn check_request(claims: &Map<String, Value>, wanted: &Wanted<'_>) -> Result<(), ProofError> {
    let method = text_of(claims, "htm")?;
    if method != wanted.presented.method.as_str() {
        return Err(ProofError::WrongMethod(Excerpt::new(method)));
    }
    let target = text_of(claims, "htu")?;
    let ours = Target::of(&wanted.presented).ok_or(ProofError::TargetUnknown)?;
    if Target::parse(target).as_ref() != Some(&ours) {
        return Err(ProofError::WrongTarget(Excerpt::new(target)));
    }
    let hash = sha256(wanted.token.as_bytes());
    if text_of(claims, "ath")? != URL_SAFE_NO_PAD.encode(hash) {
        return Err(ProofError::WrongToken);
    }
    Ok(())
}

/// Step 11. Gives when the proof was made and until when it counts, in milliseconds since the epoch.
fn check_age(
    claims: &Map<String, Value>,
    leeway: Duration,
    now: Timestamp,
) -> Result<(i64, i64), ProofError> {
    let now = now.as_millisecond();
    let issued = date(claims, "iat").map_err(|_| ProofError::ClaimType("iat"))?;
    let issued = issued.ok_or(ProofError::ClaimMissing("iat"))?;
    if issued.saturating_sub(millis(leeway)) > now {
        return Err(ProofError::IssuedInFuture);
    }
    let until = issued.saturating_add(millis(MAX_AGE + leeway));
    if now >= until {
        return Err(ProofError::TooOld);
    }
    Ok((issued, until))
}

/// What makes a proof another than all that its key made before.
pub(super) fn id_of(claims: &Map<String, Value>) -> Result<&str, ProofError> {
    let id = text_of(claims, "jti")?;
    match id.len() {
        1..=MAX_ID_BYTES => Ok(id),
        _ => Err(ProofError::ClaimType("jti")),
    }
}

pub(super) fn text_of<'a>(
    claims: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a str, ProofError> {
    match claims.get(name) {
        None => Err(ProofError::ClaimMissing(name)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ProofError::ClaimType(name)),
    }
}

impl From<CredentialError> for ProofError {
    /// What reading the form of a token finds wrong with it is wrong with a proof.
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::BadBase64(part) => Self::BadBase64(part),
            CredentialError::DuplicateKey { part, key } => Self::DuplicateKey { part, key },
            CredentialError::Malformed(part) => Self::Malformed(part),
            CredentialError::TooLarge => Self::TooLarge,
            _ => Self::Malformed(Part::Token),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_thumbprint_is_the_one_of_the_standard() {
        // RFC 7638, section 3.1.
        let jwk = json!({
            "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
                  tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO\
                  pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        let found = thumbprint(jwk.as_object().unwrap()).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(found),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}
