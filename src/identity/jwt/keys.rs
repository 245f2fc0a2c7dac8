//! Key sets: what a JWKS document says (RFC 7517), and whether one of its keys made a signature.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::identity::config::Algorithm;
use crate::identity::error::{CredentialError, Excerpt, KeysError};
use crate::identity::json::{self, JsonError};
use crate::identity::sources::Contents;

use super::token::Unverified;

/// How many keys are tried for one token. More than one only if the token or the set leaves names out, or
/// gives one name twice; the bound is what a forged token can cost.
const MAX_TRIES: usize = 4;

/// How many keys are kept of one document. The largest public issuers publish fewer than ten.
const MAX_KEYS: usize = 64;

/// The keys of one issuer.
#[derive(Debug)]
pub(in crate::identity) struct KeySet {
    keys: Vec<Key>,
}

impl Contents for KeySet {
    /// Reads a JWKS. Keys of a kind that we do not use are left out, as RFC 7517, section 5, asks.
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        let malformed = |text: &str| KeysError::Malformed(Box::from(text));
        let set = json::object(document).map_err(|error| match error {
            JsonError::Duplicate(key) => malformed(&format!("key `{}` twice", Excerpt::new(&key))),
            JsonError::Malformed => malformed("not a JSON object"),
        })?;
        let Some(Value::Array(entries)) = set.get("keys") else {
            return Err(malformed("no array `keys`"));
        };
        let keys: Vec<_> = entries
            .iter()
            .filter_map(|entry| Key::parse(entry.as_object()?))
            .take(MAX_KEYS)
            .collect();
        if keys.is_empty() {
            return Err(KeysError::NoUsableKey);
        }
        Ok(Self { keys })
    }

    fn keys(&self) -> usize {
        self.keys.len()
    }
}

impl KeySet {
    /// Whether a key of this set made the token's signature. The key decides the algorithm: one that is
    /// for another is never tried, so an RSA key cannot be taken for a secret (RFC 8725, section 2.1). Gives the
    /// key's id, if it has one.
    pub(super) fn verify(
        &self,
        token: &Unverified<'_>,
    ) -> Result<Option<Arc<str>>, CredentialError> {
        let wanted = token.key_id.as_deref();
        self.signer(token.algorithm, wanted, token.signed, &token.signature)
    }

    /// The same for any signature by one of these keys.
    pub(super) fn signer(
        &self,
        algorithm: Algorithm,
        wanted: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<Option<Arc<str>>, CredentialError> {
        let named = || {
            self.keys
                .iter()
                .filter(|key| wanted.is_none() || key.id.as_deref() == wanted)
        };
        let mut fitting = named()
            .filter_map(|key| Some((key, key.verifier(algorithm)?)))
            .take(MAX_TRIES)
            .peekable();
        if fitting.peek().is_none() {
            return Err(match wanted {
                Some(_) if named().next().is_some() => {
                    CredentialError::AlgorithmMismatch(algorithm.as_str())
                }
                Some(id) => CredentialError::UnknownKey(Excerpt::new(id)),
                None => CredentialError::UnknownKey(Excerpt::new(algorithm.as_str())),
            });
        }
        fitting
            .find(|(_, key)| key.verify_sig(signed, signature).is_ok())
            .map(|(key, _)| key.id.clone())
            .ok_or(CredentialError::BadSignature)
    }
}

/// One public key.
struct Key {
    id: Option<Arc<str>>,
    /// Parsed once for each algorithm that it is for: one, unless it is an RSA key without `alg`.
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// The key of a JWK, if it is one that verifies signatures of ours.
    fn parse(jwk: &Map<String, Value>) -> Option<Self> {
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(Arc::from(id.as_str()?)),
        };
        if !is_for_signatures(jwk)? {
            return None;
        }
        let named = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::named(name.as_str()?)?),
        };
        let verifiers = public_key(jwk, named)?;
        (!verifiers.is_empty()).then_some(Self { id, verifiers })
    }

    fn verifier(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let mut verifiers = self.verifiers.iter();
        let found = verifiers.find(|(own, _)| *own == algorithm)?;
        Some(&found.1)
    }
}

/// Whether a JWK has members that are nobody's business (RFC 7518, section 6).
pub(super) fn has_private_part(jwk: &Map<String, Value>) -> bool {
    const PRIVATE: [&str; 8] = ["d", "dp", "dq", "k", "oth", "p", "q", "qi"];
    PRIVATE.iter().any(|member| jwk.contains_key(*member))
}

/// The public key of a JWK, for the algorithm or for each that keys of its kind are for; `None` where it is of no such
/// kind. A private or a shared key is none: one that lies in a public document is no longer secret.
pub(super) fn public_key(
    jwk: &Map<String, Value>,
    only: Option<Algorithm>,
) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
    if jwk.contains_key("d") || jwk.contains_key("k") {
        return None;
    }
    let is_wanted = |algorithm: Algorithm| only.is_none_or(|only| only == algorithm);
    let mut keys = match jwk.get("kty")?.as_str()? {
        "EC" => vec![elliptic(jwk)?],
        "OKP" => vec![(Algorithm::EdDsa, ed25519(jwk)?)],
        "RSA" => rsa(jwk, is_wanted)?,
        _ => return None,
    };
    keys.retain(|(algorithm, _)| is_wanted(*algorithm));
    Some(keys)
}

/// Whether `use` and `key_ops`, where they stand, agree (RFC 7517, sections 4.2 and 4.3).
fn is_for_signatures(jwk: &Map<String, Value>) -> Option<bool> {
    let usage = match jwk.get("use") {
        None => true,
        Some(usage) => usage.as_str()? == "sig",
    };
    let operations = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array()?.iter().any(|item| item == "verify"),
    };
    Some(usage && operations)
}

/// A point on the curve of an ECDSA algorithm (RFC 7518, section 6.2.1); the library checks that it is on it.
fn elliptic(jwk: &Map<String, Value>) -> Option<(Algorithm, ParsedPublicKey)> {
    let (algorithm, size, parameters) = match jwk.get("crv")?.as_str()? {
        "P-256" => (Algorithm::Es256, 32, &ECDSA_P256_SHA256_FIXED),
        "P-384" => (Algorithm::Es384, 48, &ECDSA_P384_SHA384_FIXED),
        "P-521" => (Algorithm::Es512, 66, &ECDSA_P521_SHA512_FIXED),
        _ => return None,
    };
    let (x, y) = (number(jwk, "x")?, number(jwk, "y")?);
    if x.len() != size || y.len() != size {
        return None;
    }
    let point = [&[4], &*x, &*y].concat();
    let key = ParsedPublicKey::new(parameters, point).ok()?;
    Some((algorithm, key))
}

/// RFC 8037, section 2.
fn ed25519(jwk: &Map<String, Value>) -> Option<ParsedPublicKey> {
    if jwk.get("crv")?.as_str()? != "Ed25519" {
        return None;
    }
    let point = number(jwk, "x").filter(|point| point.len() == 32)?;
    ParsedPublicKey::new(&ED25519, point).ok()
}

/// RFC 7518, section 6.3.1. 2048 bits are the least (section 3.3).
fn rsa(
    jwk: &Map<String, Value>,
    is_wanted: impl Fn(Algorithm) -> bool,
) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
    static PARAMETERS: &[(Algorithm, &RsaParameters)] = &[
        (Algorithm::Ps256, &RSA_PSS_2048_8192_SHA256),
        (Algorithm::Ps384, &RSA_PSS_2048_8192_SHA384),
        (Algorithm::Ps512, &RSA_PSS_2048_8192_SHA512),
        (Algorithm::Rs256, &RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Rs384, &RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::Rs512, &RSA_PKCS1_2048_8192_SHA512),
    ];
    let (modulus, exponent) = (number(jwk, "n")?, number(jwk, "e")?);
    // Some issuers write the sign byte of DER before the modulus; its value is the same.
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(&modulus);
    let bits = modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    // An even exponent or 1 is no RSA key; the library refuses what is left of the odd ones.
    let exponent_is_sane = exponent.last()? % 2 == 1 && *exponent != [1];
    if !(2048..=8192).contains(&bits) || !exponent_is_sane {
        return None;
    }
    let key = RsaPublicKeyComponents {
        n: modulus,
        e: &exponent,
    };
    let parse = |(algorithm, parameters): &(Algorithm, &'static RsaParameters)| {
        let key = key.to_parsed_public_key(parameters).ok()?;
        Some((*algorithm, key))
    };
    let wanted = PARAMETERS
        .iter()
        .filter(|(algorithm, _)| is_wanted(*algorithm));
    wanted.map(parse).collect()
}

fn number(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}
