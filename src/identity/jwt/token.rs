//! The form of a token: compact JWS (RFC 7515, section 7.1), read strictly.
//!
//! Ours and not a library's, because what libraries forgive (padding, keys twice, unknown `crit`) is where
//! two readers of one token part ways.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::claims::Claims;
use crate::identity::config::Algorithm;
use crate::identity::error::{CredentialError, Excerpt, Part};
use crate::identity::json::{self, JsonError};

/// The longest token that is read. The largest in the field carry a few hundred groups and stay below it.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A token that is well-formed. Nothing in it is verified.
#[derive(Debug)]
pub(in crate::identity) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kind: Type,
    pub(super) key_id: Option<String>,
    pub(super) claims: Claims,
    /// What the signature is over: `header.payload` as it came.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// # Errors
    /// On the first thing that is not as the RFC has it.
    pub(in crate::identity) fn parse(token: &'a str) -> Result<Self, CredentialError> {
        let parts = Parts::split(token, MAX_TOKEN_BYTES)?;
        let header = object(Part::Header, parts.header)?;
        let kind = token_type(&header)?;
        let algorithm = check_header(&header)?;
        Ok(Self {
            algorithm,
            kind,
            key_id: key_id(&header)?,
            claims: Claims::new(object(Part::Payload, parts.payload)?)?,
            signed: parts.signed,
            signature: base64url(Part::Signature, parts.signature)?,
        })
    }
}

/// The three parts of a compact JWS.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) header: &'a str,
    pub(super) payload: &'a str,
    /// `header.payload`.
    pub(super) signed: &'a [u8],
    pub(super) signature: &'a str,
}

impl<'a> Parts<'a> {
    /// Three parts: five would be an encrypted token, which we could not read.
    pub(super) fn split(text: &'a str, most: usize) -> Result<Self, CredentialError> {
        if text.len() > most {
            return Err(CredentialError::TooLarge);
        }
        let malformed = CredentialError::Malformed(Part::Token);
        let (signed, signature) = text.rsplit_once('.').ok_or_else(|| malformed.clone())?;
        let (header, payload) = signed.split_once('.').ok_or_else(|| malformed.clone())?;
        if payload.contains('.') {
            return Err(malformed);
        }
        Ok(Self {
            header,
            payload,
            signed: signed.as_bytes(),
            signature,
        })
    }
}

/// What the header may say (RFC 7515, section 4.1). `jku`, `jwk`, `x5u` and `x5c` are never followed: they
/// let a token bring its own key.
pub(super) fn check_header(header: &Map<String, Value>) -> Result<Algorithm, CredentialError> {
    // `b64` changes what is signed, and counts in `crit` only (RFC 7797, section 6): without it, readers differ.
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(CredentialError::CriticalExtension);
    }
    let malformed = || CredentialError::Malformed(Part::Header);
    match header.get("cty") {
        None => {}
        Some(Value::String(kind)) if !is_of_type(kind, "jwt") => {}
        Some(Value::String(_)) => return Err(CredentialError::Nested),
        Some(_) => return Err(malformed()),
    }
    let name = header
        .get("alg")
        .and_then(Value::as_str)
        .ok_or_else(malformed)?;
    match Algorithm::named(name) {
        Some(algorithm) => Ok(algorithm),
        None if name.eq_ignore_ascii_case("none") => Err(CredentialError::AlgorithmNone),
        None => Err(CredentialError::AlgorithmNotAllowed(Excerpt::new(name))),
    }
}

/// What `typ` says. `at+jwt` is what RFC 9068 asks for, `JWT` or nothing what most issuers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    AccessToken,
    Missing,
    Token,
}

/// Any type but these is a token for another purpose (a proof, a logout, a transaction), which must not pass for a
/// credential.
fn token_type(header: &Map<String, Value>) -> Result<Type, CredentialError> {
    match header.get("typ") {
        None => Ok(Type::Missing),
        Some(Value::String(kind)) if is_of_type(kind, "at+jwt") => Ok(Type::AccessToken),
        Some(Value::String(kind)) if is_of_type(kind, "jwt") => Ok(Type::Token),
        Some(Value::String(kind)) => Err(CredentialError::WrongType(Excerpt::new(kind))),
        Some(_) => Err(CredentialError::Malformed(Part::Header)),
    }
}

/// Whether a media type is this one; `application/` may be left out (RFC 7515, section 4.1.9).
pub(super) fn is_of_type(kind: &str, wanted: &str) -> bool {
    let kind = match kind.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => kind,
    };
    kind.eq_ignore_ascii_case(wanted)
}

pub(super) fn key_id(header: &Map<String, Value>) -> Result<Option<String>, CredentialError> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(_) => Err(CredentialError::Malformed(Part::Header)),
    }
}

pub(super) fn object(part: Part, text: &str) -> Result<Map<String, Value>, CredentialError> {
    json::object(&base64url(part, text)?).map_err(|error| match error {
        JsonError::Duplicate(key) => CredentialError::DuplicateKey {
            part,
            key: Excerpt::new(&key),
        },
        JsonError::Malformed => CredentialError::Malformed(part),
    })
}

/// The engine refuses padding, foreign characters and trailing bits, so that each value has one spelling.
pub(super) fn base64url(part: Part, text: &str) -> Result<Vec<u8>, CredentialError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| CredentialError::BadBase64(part))
}
