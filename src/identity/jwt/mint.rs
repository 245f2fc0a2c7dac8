//! Makes tokens, for the guided tour and for tests: an issuer in a box, with a fresh key.
//!
//! Nothing on the path of a call uses it.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::identity::config::Algorithm;

/// The system gave no randomness, or the library failed to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no signing key could be made or used")]
pub struct MintError;

impl From<aws_lc_rs::error::Unspecified> for MintError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// A signing key that lives and dies with this value.
pub struct TokenMinter {
    key_id: String,
    key: SigningKey,
}

enum SigningKey {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl fmt::Debug for TokenMinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMinter")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl TokenMinter {
    /// A fresh key (RSA: 2048 bits, which takes a moment). Its name is derived from its public half.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, MintError> {
        let key = match algorithm {
            Algorithm::EdDsa => SigningKey::EdDsa(Ed25519KeyPair::generate()?),
            Algorithm::Es256 => {
                SigningKey::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?)
            }
            Algorithm::Rs256 => SigningKey::Rs256(RsaKeyPair::generate(KeySize::Rsa2048)?),
        };
        let public = key.public_members().to_string();
        let key_id = blake3::hash(public.as_bytes()).to_hex();
        Ok(Self {
            key_id: key_id.chars().take(16).collect(),
            key,
        })
    }

    /// The name of the key, as tokens and key set give it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.key.public_members();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.key_id));
            members.insert("use".to_owned(), json!("sig"));
            members.insert("alg".to_owned(), json!(self.key.algorithm().as_str()));
        }
        jwk
    }

    /// A key set with the public key alone.
    pub fn jwks(&self) -> String {
        json!({ "keys": [self.jwk()] }).to_string()
    }

    /// A token with these claims and nothing added.
    ///
    /// # Errors
    /// When the library fails to sign.
    pub fn mint(&self, claims: &Value) -> Result<String, MintError> {
        let header = json!({
            "alg": self.key.algorithm().as_str(),
            "kid": self.key_id,
            "typ": "at+jwt",
        });
        self.sign(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// Signs these very bytes, right or wrong: tests make bad tokens with it.
    ///
    /// # Errors
    /// When the library fails to sign.
    pub fn sign(&self, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl SigningKey {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
        }
    }

    fn public_members(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::EdDsa(key) => json!({
                "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()),
            }),
            Self::Es256(key) => {
                // Uncompressed point: 4, then x and y of 32 bytes each (SEC 1, section 2.3.3).
                let point = key.public_key().as_ref();
                let (x, y) = (point.get(1..33), point.get(33..));
                json!({
                    "kty": "EC", "crv": "P-256",
                    "x": encode(x.unwrap_or_default()), "y": encode(y.unwrap_or_default()),
                })
            }
            Self::Rs256(key) => {
                let key = key.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "kty": "RSA",
                    "n": encode(n.big_endian_without_leading_zero()),
                    "e": encode(e.big_endian_without_leading_zero()),
                })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, MintError> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Self::Es256(key) => key.sign(&random, message)?.as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
        })
    }
}
