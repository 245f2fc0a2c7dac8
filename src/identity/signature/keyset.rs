//! Sets of keys: what a JWKS document (RFC 7517) or a secret says of those who sign.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::error::SigningKeysError;
use super::key::{Algorithm, MIN_SECRET_BYTES, Material, VerifyingKey};
use crate::identity::json;

/// How many keys a set may hold. A set of this size is searched in no time, and read into a few hundred KiB.
const MAX_KEYS: usize = 1024;

/// Which keys a set may hold: the two are never mixed, so that no public key is taken for a shared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Public keys of the callers.
    Public,
    /// Keys that callers share with us.
    Shared,
}

/// Whose key it is: what the entry of a key says besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// `sub`: the caller's id, where it is not the key's.
    pub subject: Option<Box<str>>,
    /// `tenant`.
    pub tenant: Option<Box<str>>,
    /// `groups`.
    pub groups: Vec<Box<str>>,
}

/// The keys of one identity: at most 1,024.
#[derive(Debug, Default)]
pub struct VerifyingKeys(Vec<VerifyingKey>);

impl VerifyingKeys {
    /// Reads a JWKS (RFC 7517). Each entry may say whose key it is: `sub`, `tenant` and `groups`. Keys of kinds
    /// that we do not use are left out (section 5), a broken one is an error.
    ///
    /// # Errors
    /// When it is no key set, when a key of it cannot be used, and when two have one name.
    pub fn parse(document: &[u8], kind: KeyKind) -> Result<Self, SigningKeysError> {
        let malformed = |text: &str| SigningKeysError::Malformed(Box::from(text));
        let set = json::object(document)
            .map_err(|_| malformed("not a JSON object, or a key of it stands twice"))?;
        let Some(Value::Array(entries)) = set.get("keys") else {
            return Err(malformed("no array `keys`"));
        };
        let mut keys: Vec<VerifyingKey> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let problem = |problem: &str| SigningKeysError::Key {
                position: index + 1,
                problem: Box::from(problem),
            };
            let entry = entry
                .as_object()
                .ok_or_else(|| problem("is not an object"))?;
            let Some(key) = read_key(entry, kind).map_err(problem)? else {
                continue;
            };
            let names = [Some(&key.id), key.thumbprint.as_ref()];
            if names
                .iter()
                .flatten()
                .any(|name| keys.iter().any(|other| other.is_called(name)))
            {
                return Err(problem("has the name of another"));
            }
            keys.push(key);
            if keys.len() > MAX_KEYS {
                return Err(SigningKeysError::TooMany(MAX_KEYS));
            }
        }
        match keys.is_empty() {
            true => Err(SigningKeysError::NoKey),
            false => Ok(Self(keys)),
        }
    }

    /// The keys of a secret that is one shared key, or a set of them. A lone key is called `name`.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse), and when the key is too short.
    pub fn from_secret(name: &str, secret: &[u8]) -> Result<Self, SigningKeysError> {
        if secret.trim_ascii_start().starts_with(b"{") {
            return Self::parse(secret, KeyKind::Shared);
        }
        let key = VerifyingKey::from_secret(name, without_line_end(secret));
        key.map(|key| Self(vec![key]))
            .ok_or_else(|| SigningKeysError::Key {
                position: 1,
                problem: Box::from(TOO_SHORT),
            })
    }

    /// These keys.
    pub const fn new(keys: Vec<VerifyingKey>) -> Self {
        Self(keys)
    }

    /// The key that a signature names: by its `kid`, or by its thumbprint (RFC 7638).
    pub fn find(&self, key_id: &str) -> Option<&VerifyingKey> {
        self.0.iter().find(|key| key.is_called(key_id))
    }

    /// All of them, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.0.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A file's last line end is the editor's, not the key's.
pub(super) fn without_line_end(secret: &[u8]) -> &[u8] {
    let secret = secret.strip_suffix(b"\n").unwrap_or(secret);
    secret.strip_suffix(b"\r").unwrap_or(secret)
}

const TOO_SHORT: &str = "is shorter than 32 bytes";

/// A key of a set. `Ok(None)` is one of a kind that is not for us.
fn read_key(jwk: &Map<String, Value>, kind: KeyKind) -> Result<Option<VerifyingKey>, &'static str> {
    let kty = text(jwk, "kty")?.ok_or("has no `kty`")?;
    if text(jwk, "use")?.is_some_and(|usage| usage != "sig") {
        return Ok(None);
    }
    let curve = text(jwk, "crv")?;
    let named = text(jwk, "alg")?;
    let fitting = match (kty, curve) {
        ("oct", _) => Algorithm::HmacSha256,
        ("OKP", Some("Ed25519")) => Algorithm::Ed25519,
        ("EC", Some("P-256")) => Algorithm::EcdsaP256Sha256,
        ("EC", Some("P-384")) => Algorithm::EcdsaP384Sha384,
        // PSS is what to use unless the key says otherwise: v1.5 is there for what cannot do better.
        ("RSA", _) if matches!(named, Some("RS256" | "rsa-v1_5-sha256")) => Algorithm::RsaV15Sha256,
        ("RSA", _) => Algorithm::RsaPssSha512,
        _ => return Ok(None),
    };
    match (kind, fitting == Algorithm::HmacSha256) {
        (KeyKind::Public, true) => return Err("is a shared key among public ones"),
        (KeyKind::Shared, false) => return Err("is not a shared key (`oct`)"),
        _ if jwk.contains_key("d") => return Err("is a private key, and should not be here"),
        _ => {}
    }
    if named.is_some_and(|name| Algorithm::from_name(name) != Some(fitting)) {
        return Err("has an `alg` that does not fit it");
    }
    let material = material(jwk, fitting)?;
    let thumbprint = thumbprint(jwk);
    let id = match (text(jwk, "kid")?, &thumbprint) {
        (Some(""), _) => return Err("has an empty `kid`"),
        (Some(id), _) => Box::from(id),
        (None, Some(thumbprint)) => thumbprint.clone(),
        (None, None) => return Err("has no `kid`"),
    };
    Ok(Some(VerifyingKey {
        id,
        thumbprint,
        algorithm: fitting,
        material,
        holder: holder(jwk)?,
    }))
}

fn material(jwk: &Map<String, Value>, algorithm: Algorithm) -> Result<Material, &'static str> {
    const BROKEN: &str = "is broken";
    let point = |length: usize| -> Result<Vec<u8>, &'static str> {
        let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
        match x.len() == length && y.len() == length {
            // Uncompressed (SEC 1, section 2.3.3).
            true => Ok([&[4], &*x, &*y].concat()),
            false => Err(BROKEN),
        }
    };
    let parse = |verifier, key: &[u8]| ParsedPublicKey::new(verifier, key).map_err(|_| BROKEN);
    Ok(Material::Public(match algorithm {
        Algorithm::HmacSha256 => {
            let secret = Zeroizing::new(bytes(jwk, "k")?);
            if secret.len() < MIN_SECRET_BYTES {
                return Err(TOO_SHORT);
            }
            return Ok(Material::shared(&secret));
        }
        Algorithm::Ed25519 => match bytes(jwk, "x")? {
            point if point.len() == 32 => parse(&ED25519, &point)?,
            _ => return Err(BROKEN),
        },
        Algorithm::EcdsaP256Sha256 => parse(&ECDSA_P256_SHA256_FIXED, &point(32)?)?,
        Algorithm::EcdsaP384Sha384 => parse(&ECDSA_P384_SHA384_FIXED, &point(48)?)?,
        Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 => {
            let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
            let modulus = modulus.strip_prefix(&[0]).unwrap_or(&modulus);
            let is_odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
            if modulus.len() < 256 || !is_odd || *exponent == [1] {
                return Err("is not an RSA key of 2048 bits or more");
            }
            let components = RsaPublicKeyComponents {
                n: modulus,
                e: &*exponent,
            };
            let verifier = match algorithm {
                Algorithm::RsaV15Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                _ => &RSA_PSS_2048_8192_SHA512,
            };
            let key = components.to_parsed_public_key(verifier);
            key.map_err(|_| BROKEN)?
        }
    }))
}

/// The thumbprint of a public key as `keyid` has it: base64url.
pub(super) fn thumbprint(jwk: &Map<String, Value>) -> Option<Box<str>> {
    let hash = crate::identity::digest::thumbprint(jwk)?;
    Some(URL_SAFE_NO_PAD.encode(hash).into_boxed_str())
}

fn holder(jwk: &Map<String, Value>) -> Result<Holder, &'static str> {
    let groups = match jwk.get("groups") {
        None => Vec::new(),
        Some(groups) => {
            let groups = groups
                .as_array()
                .ok_or("has `groups` that are not a list of texts")?;
            let texts = groups.iter().map(|group| group.as_str().map(Box::from));
            texts
                .collect::<Option<_>>()
                .ok_or("has `groups` that are not a list of texts")?
        }
    };
    Ok(Holder {
        subject: text(jwk, "sub")?.map(Box::from),
        tenant: text(jwk, "tenant")?.map(Box::from),
        groups,
    })
}

pub(super) fn text<'a>(
    jwk: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, &'static str> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("has a member that should be a text and is not"),
    }
}

pub(super) fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, &'static str> {
    let text = text(jwk, name)?.ok_or("lacks a member of its key")?;
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| "has a member that is not base64url without padding")
}
