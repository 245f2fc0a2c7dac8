//! Keys that make signatures.

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA512,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::key::{Algorithm, MIN_SECRET_BYTES};
use super::keyset::{bytes, text, thumbprint, without_line_end};
use crate::identity::json;

/// A key that signs. Prints no secret.
pub struct SigningKey {
    algorithm: Algorithm,
    material: SigningMaterial,
    name: Option<Box<str>>,
}

enum SigningMaterial {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
    Shared(Box<hmac::Key>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Why a file holds no key to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// A private key of a kind, curve or size that signs nothing here.
    #[error("the private key is not Ed25519, P-256, P-384, or RSA of 2048 bits or more")]
    Kind,
    /// A shared key that is too short.
    #[error("the shared key is shorter than 32 bytes")]
    TooShort,
    /// An algorithm was asked for that the key is not for.
    #[error("the key is for `{0}`")]
    Algorithm(&'static str),
    /// The library failed to sign.
    #[error("no signature could be made")]
    Signing,
}

impl SigningKey {
    /// A private key in PEM (PKCS #8, SEC 1 or PKCS #1), a JWK, or the bytes of a shared key. `wanted` chooses
    /// between the two algorithms of RSA, and must otherwise be the key's own.
    ///
    /// # Errors
    /// When it is none of these, or not for this algorithm.
    pub fn parse(file: &[u8], wanted: Option<Algorithm>) -> Result<Self, SigningKeyError> {
        let key = if let Ok(der) = PrivateKeyDer::from_pem_slice(file) {
            Self::from_der(&der, wanted)?
        } else if let Ok(jwk) = json::object(file) {
            let jwk = only_key(&jwk)?;
            let name = text(jwk, "kid").ok().flatten();
            Self {
                name: name.map(Box::from),
                ..Self::from_jwk(jwk)?
            }
        } else {
            Self::from_secret(without_line_end(file))?
        };
        match wanted {
            Some(wanted) if wanted != key.algorithm => {
                Err(SigningKeyError::Algorithm(key.algorithm.as_str()))
            }
            _ => Ok(key),
        }
    }

    /// A shared key.
    ///
    /// # Errors
    /// When it is too short.
    pub fn from_secret(secret: &[u8]) -> Result<Self, SigningKeyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(SigningKeyError::TooShort);
        }
        Ok(Self {
            algorithm: Algorithm::HmacSha256,
            material: SigningMaterial::Shared(Box::new(hmac::Key::new(HMAC_SHA256, secret))),
            name: None,
        })
    }

    /// A fresh key. RSA takes a moment.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningKeyError> {
        let failed = |_| SigningKeyError::Signing;
        let material = match algorithm {
            Algorithm::EcdsaP256Sha256 => SigningMaterial::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?,
            ),
            Algorithm::EcdsaP384Sha384 => SigningMaterial::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?,
            ),
            Algorithm::Ed25519 => {
                SigningMaterial::Ed25519(Ed25519KeyPair::generate().map_err(failed)?)
            }
            Algorithm::HmacSha256 => SigningMaterial::Shared(Box::new(
                hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).map_err(failed)?,
            )),
            Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 => {
                let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048);
                SigningMaterial::Rsa(Box::new(pair.map_err(failed)?))
            }
        };
        Ok(Self {
            algorithm,
            material,
            name: None,
        })
    }

    fn from_der(
        der: &PrivateKeyDer<'_>,
        wanted: Option<Algorithm>,
    ) -> Result<Self, SigningKeyError> {
        let rsa = match wanted {
            Some(Algorithm::RsaV15Sha256) => Algorithm::RsaV15Sha256,
            _ => Algorithm::RsaPssSha512,
        };
        let curves = [
            (Algorithm::EcdsaP256Sha256, &ECDSA_P256_SHA256_FIXED_SIGNING),
            (Algorithm::EcdsaP384Sha384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        ];
        let found = match der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der())
                .ok()
                .map(|pair| (rsa, SigningMaterial::Rsa(Box::new(pair)))),
            PrivateKeyDer::Sec1(key) => curves.into_iter().find_map(|(algorithm, curve)| {
                let pair = EcdsaKeyPair::from_private_key_der(curve, key.secret_sec1_der());
                Some((algorithm, SigningMaterial::Ecdsa(pair.ok()?)))
            }),
            PrivateKeyDer::Pkcs8(key) => {
                let der = key.secret_pkcs8_der();
                // OpenSSL writes Ed25519 keys without their public half.
                let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                    .ok()
                    .map(|pair| (Algorithm::Ed25519, SigningMaterial::Ed25519(pair)));
                let ecdsa = || {
                    curves.into_iter().find_map(|(algorithm, curve)| {
                        let pair = EcdsaKeyPair::from_pkcs8(curve, der).ok()?;
                        Some((algorithm, SigningMaterial::Ecdsa(pair)))
                    })
                };
                let pair = || RsaKeyPair::from_pkcs8(der).ok().map(Box::new);
                ed25519
                    .or_else(ecdsa)
                    .or_else(|| pair().map(|pair| (rsa, SigningMaterial::Rsa(pair))))
            }
            _ => None,
        };
        let (algorithm, material) = found.ok_or(SigningKeyError::Kind)?;
        Ok(Self {
            algorithm,
            material,
            name: None,
        })
    }

    /// A private or shared key as a JWK.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, SigningKeyError> {
        let member = |name: &str| bytes(jwk, name).map(Zeroizing::new).ok();
        let kind = || SigningKeyError::Kind;
        let (kty, curve) = (
            text(jwk, "kty").ok().flatten(),
            text(jwk, "crv").ok().flatten(),
        );
        let (algorithm, material) = match (kty, curve) {
            (Some("oct"), _) => return Self::from_secret(&member("k").ok_or_else(kind)?),
            (Some("OKP"), Some("Ed25519")) => {
                let (seed, public) = (member("d"), member("x"));
                let (seed, public) = (seed.ok_or_else(kind)?, public.ok_or_else(kind)?);
                let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public);
                let pair = pair.map_err(|_| SigningKeyError::Kind)?;
                (Algorithm::Ed25519, SigningMaterial::Ed25519(pair))
            }
            (Some("EC"), Some(curve @ ("P-256" | "P-384"))) => {
                let (algorithm, signing) = match curve {
                    "P-256" => (Algorithm::EcdsaP256Sha256, &ECDSA_P256_SHA256_FIXED_SIGNING),
                    _ => (Algorithm::EcdsaP384Sha384, &ECDSA_P384_SHA384_FIXED_SIGNING),
                };
                let (x, y) = (member("x").ok_or_else(kind)?, member("y").ok_or_else(kind)?);
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                let secret = member("d").ok_or_else(kind)?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, &secret, &point);
                let pair = pair.map_err(|_| SigningKeyError::Kind)?;
                (algorithm, SigningMaterial::Ecdsa(pair))
            }
            _ => return Err(SigningKeyError::Kind),
        };
        Ok(Self {
            algorithm,
            material,
            name: None,
        })
    }

    /// What it signs by.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What it is called: by its `kid` where it came as a JWK with one, else by the thumbprint of its public half
    /// (RFC 7638). A shared key without a name has none.
    pub fn name(&self) -> Option<Box<str>> {
        let thumbprint = || self.thumbprint();
        self.name.clone().or_else(thumbprint)
    }

    /// The thumbprint of the public half (RFC 7638).
    pub fn thumbprint(&self) -> Option<Box<str>> {
        let jwk = self.public_jwk()?;
        thumbprint(&jwk)
    }

    /// The public half as a JWK without a name. None for a shared key.
    pub fn public_jwk(&self) -> Option<Map<String, Value>> {
        let encode = |bytes: &[u8]| Value::String(URL_SAFE_NO_PAD.encode(bytes));
        let word = |text: &str| Value::String(text.to_owned());
        let members: Vec<(&str, Value)> = match &self.material {
            SigningMaterial::Ed25519(pair) => vec![
                ("kty", word("OKP")),
                ("crv", word("Ed25519")),
                ("x", encode(pair.public_key().as_ref())),
            ],
            SigningMaterial::Ecdsa(pair) => {
                let (curve, length) = match self.algorithm {
                    Algorithm::EcdsaP256Sha256 => ("P-256", 32),
                    _ => ("P-384", 48),
                };
                let point = pair.public_key().as_ref().get(1..)?;
                let (x, y) = point.split_at_checked(length)?;
                vec![
                    ("kty", word("EC")),
                    ("crv", word(curve)),
                    ("x", encode(x)),
                    ("y", encode(y)),
                ]
            }
            SigningMaterial::Rsa(pair) => {
                let key = pair.public_key();
                vec![
                    ("kty", word("RSA")),
                    ("n", encode(key.modulus().big_endian_without_leading_zero())),
                    (
                        "e",
                        encode(key.exponent().big_endian_without_leading_zero()),
                    ),
                    (
                        "alg",
                        word(if self.algorithm == Algorithm::RsaV15Sha256 {
                            "RS256"
                        } else {
                            "PS512"
                        }),
                    ),
                ]
            }
            SigningMaterial::Shared(_) => return None,
        };
        Some(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// # Errors
    /// When the library fails.
    pub fn sign(&self, base: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let random = SystemRandom::new();
        let failed = |_| SigningKeyError::Signing;
        Ok(match &self.material {
            SigningMaterial::Ecdsa(pair) => {
                pair.sign(&random, base).map_err(failed)?.as_ref().to_vec()
            }
            SigningMaterial::Ed25519(pair) => pair.sign(base).as_ref().to_vec(),
            SigningMaterial::Rsa(pair) => {
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding = match self.algorithm {
                    Algorithm::RsaV15Sha256 => &RSA_PKCS1_SHA256,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, base, &mut signature)
                    .map_err(failed)?;
                signature
            }
            SigningMaterial::Shared(key) => hmac::sign(key, base).as_ref().to_vec(),
        })
    }
}

/// A JWK, or the one key of a set.
fn only_key(document: &Map<String, Value>) -> Result<&Map<String, Value>, SigningKeyError> {
    match document.get("keys") {
        None => Ok(document),
        Some(Value::Array(keys)) => match keys.as_slice() {
            [Value::Object(only)] => Ok(only),
            _ => Err(SigningKeyError::Kind),
        },
        Some(_) => Err(SigningKeyError::Kind),
    }
}
