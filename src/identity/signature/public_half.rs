//! The public halves of keys in files, whatever a file holds of them: a private key, a public one, a set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Map, Value, json};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::error::SigningKeysError;
use super::key::Algorithm;
use super::keyset::{KeyKind, VerifyingKeys};
use super::signing_key::{SigningKey, SigningKeyError};
use crate::identity::json;

/// What a public key consists of (RFC 7518, section 6; RFC 8037, section 2), and its name. Anything else of an entry is
/// not everybody's to know.
const PUBLIC_MEMBERS: &[&str] = &["kty", "crv", "x", "y", "n", "e", "kid"];

/// Why a file gives no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicHalfError {
    /// The file has neither PEM nor JSON.
    #[error("holds no private or public key: PEM, a JWK or a JWKS")]
    NoKey,
    /// A key that verifies nothing here.
    #[error(transparent)]
    Key(#[from] SigningKeysError),
    /// A private key that cannot be used.
    #[error(transparent)]
    Private(#[from] SigningKeyError),
    /// A public key of a kind, curve or size that verifies nothing here.
    #[error("the public key is not Ed25519, P-256, P-384, or RSA of 2048 bits or more")]
    Public,
    /// A key that both sides hold.
    #[error("a shared key has no public half; both sides hold the same")]
    Shared,
}

/// The public keys of a file, each with `kid`, `use` and `alg`. The `kid` is the key's own where it has one, else its
/// thumbprint (RFC 7638). `rsa` chooses between the two algorithms of RSA where the file does not.
///
/// # Errors
/// When the file holds no key, or one that cannot be used.
pub fn public_halves(
    file: &[u8],
    rsa: Option<Algorithm>,
) -> Result<Vec<Map<String, Value>>, PublicHalfError> {
    if PrivateKeyDer::from_pem_slice(file).is_ok() {
        let key = SigningKey::parse(file, None)?;
        let jwk = key.public_jwk().ok_or(PublicHalfError::Shared)?;
        return Ok(vec![finished(&jwk, rsa)?]);
    }
    if let Ok(spki) = SubjectPublicKeyInfoDer::from_pem_slice(file) {
        let jwk = of_spki(&spki).ok_or(PublicHalfError::Public)?;
        return Ok(vec![finished(&jwk, rsa)?]);
    }
    let document = json::object(file).map_err(|_| PublicHalfError::NoKey)?;
    let Some(entries) = document.get("keys").and_then(Value::as_array) else {
        return Ok(vec![of_jwk(&document, rsa)?]);
    };
    let not_an_object = || SigningKeysError::Malformed(Box::from("a key is not an object"));
    let read = |entry: &Value| of_jwk(entry.as_object().ok_or_else(not_an_object)?, rsa);
    entries.iter().map(read).collect()
}

fn of_jwk(
    jwk: &Map<String, Value>,
    rsa: Option<Algorithm>,
) -> Result<Map<String, Value>, PublicHalfError> {
    let kty = jwk.get("kty").and_then(Value::as_str);
    if kty == Some("oct") {
        return Err(PublicHalfError::Shared);
    }
    // Whether the two halves belong together. Of RSA, no JWK signs here, but it has a public half all the same.
    if jwk.contains_key("d") && kty != Some("RSA") {
        SigningKey::from_jwk(jwk)?;
    }
    let named = jwk.get("alg").and_then(Value::as_str);
    finished(jwk, named.and_then(Algorithm::from_name).or(rsa))
}

/// The members that everybody may know, if they are a key that can be used.
fn finished(
    jwk: &Map<String, Value>,
    rsa: Option<Algorithm>,
) -> Result<Map<String, Value>, PublicHalfError> {
    let is_public = |(name, _): &(&String, &Value)| PUBLIC_MEMBERS.contains(&name.as_str());
    let members = jwk.iter().filter(is_public);
    let mut public: Map<_, _> = members
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if public.get("kty").is_some_and(|kty| kty == "RSA")
        && let Some(name) = rsa.and_then(Algorithm::jws_name)
    {
        public.insert("alg".to_owned(), json!(name));
    }
    let set = json!({ "keys": [public] }).to_string();
    let keys = VerifyingKeys::parse(set.as_bytes(), KeyKind::Public)?;
    let key = keys.iter().next().ok_or(PublicHalfError::Public)?;
    public.insert("kid".to_owned(), json!(key.id()));
    public.insert("use".to_owned(), json!("sig"));
    public.insert("alg".to_owned(), json!(key.algorithm().jws_name()));
    Ok(public)
}

/// A public key as OpenSSL writes it (RFC 5280, section 4.1.2.7).
fn of_spki(der: &[u8]) -> Option<Map<String, Value>> {
    /// `id-Ed25519` (RFC 8410, section 3).
    const ED25519: &str = "1.3.101.112";
    let (rest, spki) = SubjectPublicKeyInfo::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let bytes = &*spki.subject_public_key.data;
    let jwk = if spki.algorithm.algorithm.to_id_string() == ED25519 {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(bytes) })
    } else {
        match spki.parsed().ok()? {
            PublicKey::RSA(key) => {
                let modulus = key.modulus.strip_prefix(&[0]).unwrap_or(key.modulus);
                json!({ "kty": "RSA", "n": encode(modulus), "e": encode(key.exponent) })
            }
            PublicKey::EC(point) => {
                // Uncompressed (SEC 1, section 2.3.3). The length tells the curve, and the point has to be on it.
                let (form, coordinates) = point.data().split_first()?;
                let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
                let curve = match (form, x.len(), y.len()) {
                    (4, 32, 32) => "P-256",
                    (4, 48, 48) => "P-384",
                    _ => return None,
                };
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            _ => return None,
        }
    };
    jwk.as_object().cloned()
}
