//! Makes tokens, for the guided tour, for tests, and for what lictor itself asserts: an issuer in a box, with a fresh key.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding,
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
    algorithm: Algorithm,
    key: SigningKey,
}

enum SigningKey {
    EdDsa(Ed25519KeyPair),
    /// With the size of a coordinate in bytes, and the name of the curve.
    Elliptic(EcdsaKeyPair, usize, &'static str),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Shared(Box<hmac::Key>, Vec<u8>),
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
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
            Ok::<_, MintError>(SigningKey::Rsa(key, encoding))
        };
        let elliptic = |parameters, size, curve| {
            let key = EcdsaKeyPair::generate(parameters)?;
            Ok::<_, MintError>(SigningKey::Elliptic(key, size, curve))
        };
        let key = match algorithm {
            Algorithm::EdDsa => SigningKey::EdDsa(Ed25519KeyPair::generate()?),
            Algorithm::Es256 => elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING, 32, "P-256")?,
            Algorithm::Es384 => elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING, 48, "P-384")?,
            Algorithm::Es512 => elliptic(&ECDSA_P521_SHA512_FIXED_SIGNING, 66, "P-521")?,
            Algorithm::Hs256 => shared(hmac::HMAC_SHA256, algorithm)?,
            Algorithm::Hs384 => shared(hmac::HMAC_SHA384, algorithm)?,
            Algorithm::Hs512 => shared(hmac::HMAC_SHA512, algorithm)?,
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256)?,
            Algorithm::Ps384 => rsa(&RSA_PSS_SHA384)?,
            Algorithm::Ps512 => rsa(&RSA_PSS_SHA512)?,
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256)?,
            Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384)?,
            Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512)?,
        };
        let public = key.public_members().to_string();
        let key_id = blake3::hash(public.as_bytes()).to_hex();
        Ok(Self {
            key_id: key_id.chars().take(16).collect(),
            algorithm,
            key,
        })
    }

    /// The name of the key, as tokens and key set give it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The bytes of a key that is shared with whoever verifies; none where the key has a public half.
    pub fn shared_key(&self) -> Option<&[u8]> {
        match &self.key {
            SigningKey::Shared(_, bytes) => Some(bytes),
            SigningKey::EdDsa(_) | SigningKey::Elliptic(..) | SigningKey::Rsa(..) => None,
        }
    }

    /// The public key as a JSON Web Key; of a shared key there is none, and nothing but its kind is told.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.key.public_members();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.key_id));
            members.insert("use".to_owned(), json!("sig"));
            members.insert("alg".to_owned(), json!(self.algorithm.as_str()));
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
            "alg": self.algorithm.as_str(),
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
    fn public_members(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::EdDsa(key) => json!({
                "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()),
            }),
            Self::Elliptic(key, size, curve) => {
                // Uncompressed point: 4, then x and y (SEC 1, section 2.3.3).
                let point = key.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(*size).unwrap_or_default();
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Self::Rsa(key, _) => {
                let key = key.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "kty": "RSA",
                    "n": encode(n.big_endian_without_leading_zero()),
                    "e": encode(e.big_endian_without_leading_zero()),
                })
            }
            Self::Shared(..) => json!({ "kty": "oct" }),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, MintError> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Self::Elliptic(key, ..) => key.sign(&random, message)?.as_ref().to_vec(),
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature)?;
                signature
            }
            Self::Shared(key, _) => hmac::sign(key, message).as_ref().to_vec(),
        })
    }
}

/// A fresh key of the least size that its algorithm allows.
fn shared(hash: hmac::Algorithm, algorithm: Algorithm) -> Result<SigningKey, MintError> {
    let mut bytes = vec![0; algorithm.least_key_bytes()];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(SigningKey::Shared(
        Box::new(hmac::Key::new(hash, &bytes)),
        bytes,
    ))
}
