//! Algorithms, and keys that verify. A key has one algorithm, and nothing that a message says gives it another
//! (RFC 9421, section 7.3.6).

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};

use super::error::SignatureError;
use super::keyset::Holder;
use crate::identity::Excerpt;

/// The shortest shared key: as long as the hash (RFC 2104, section 3).
pub const MIN_SECRET_BYTES: usize = 32;

/// How a signature is made (RFC 9421, section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256; the signature is r and s, 32 bytes each.
    EcdsaP256Sha256,
    /// ECDSA over P-384 with SHA-384; the signature is r and s, 48 bytes each.
    EcdsaP384Sha384,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// HMAC with SHA-256: a shared key.
    HmacSha256,
    /// RSASSA-PSS with SHA-512, 64 bytes of salt.
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaV15Sha256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::Ed25519,
        Self::HmacSha256,
        Self::RsaPssSha512,
        Self::RsaV15Sha256,
    ];

    /// The name in the registry (section 6.2.2).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::Ed25519 => "ed25519",
            Self::HmacSha256 => "hmac-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
        }
    }

    /// The name in a JWS or a JWK (RFC 7518, section 3.1; RFC 8037, section 3.1). None for a shared key, which no key set of
    /// ours holds.
    pub const fn jws_name(self) -> Option<&'static str> {
        match self {
            Self::EcdsaP256Sha256 => Some("ES256"),
            Self::EcdsaP384Sha384 => Some("ES384"),
            Self::Ed25519 => Some("EdDSA"),
            Self::HmacSha256 => None,
            Self::RsaPssSha512 => Some("PS512"),
            Self::RsaV15Sha256 => Some("RS256"),
        }
    }

    /// The algorithm of that name in the registry, or of a JWK's `alg` (section 3.3.7).
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::EcdsaP256Sha256),
            "ES384" => Some(Self::EcdsaP384Sha384),
            "Ed25519" | "EdDSA" => Some(Self::Ed25519),
            "HS256" => Some(Self::HmacSha256),
            "PS512" => Some(Self::RsaPssSha512),
            "RS256" => Some(Self::RsaV15Sha256),
            name => Self::ALL
                .iter()
                .copied()
                .find(|algorithm| algorithm.as_str() == name),
        }
    }
}

/// A key that verifies. Prints no secret.
pub struct VerifyingKey {
    pub(super) id: Box<str>,
    pub(super) thumbprint: Option<Box<str>>,
    pub(super) algorithm: Algorithm,
    pub(super) material: Material,
    pub(super) holder: Holder,
}

pub(super) enum Material {
    Public(ParsedPublicKey),
    /// Boxed, because it is as large as twenty public keys.
    Shared(Box<hmac::Key>),
}

impl Material {
    pub(super) fn shared(secret: &[u8]) -> Self {
        Self::Shared(Box::new(hmac::Key::new(HMAC_SHA256, secret)))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl VerifyingKey {
    /// A public key in DER (SubjectPublicKeyInfo).
    pub fn from_spki(id: &str, algorithm: Algorithm, der: &[u8]) -> Option<Self> {
        let material = ParsedPublicKey::new(verifier(algorithm)?, der).ok()?;
        Some(Self {
            id: Box::from(id),
            thumbprint: None,
            algorithm,
            material: Material::Public(material),
            holder: Holder::default(),
        })
    }

    /// A shared key. None if it is too short.
    pub fn from_secret(id: &str, secret: &[u8]) -> Option<Self> {
        (secret.len() >= MIN_SECRET_BYTES).then(|| Self {
            id: Box::from(id),
            thumbprint: None,
            algorithm: Algorithm::HmacSha256,
            material: Material::shared(secret),
            holder: Holder::default(),
        })
    }

    /// What signatures call it.
    pub const fn id(&self) -> &str {
        &self.id
    }

    /// The one algorithm that it is for.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whose it is.
    pub const fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Whether a signature that names this means it: its `kid`, or its thumbprint (RFC 7638).
    pub(super) fn is_called(&self, name: &str) -> bool {
        *self.id == *name || self.thumbprint.as_deref() == Some(name)
    }

    /// Whether it made this signature. `named` is what the signature says of its algorithm.
    ///
    /// # Errors
    /// When it did not, or is for another algorithm.
    pub(super) fn verify(
        &self,
        named: Option<&str>,
        base: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if let Some(named) = named
            && named != self.algorithm.as_str()
        {
            return Err(SignatureError::AlgorithmMismatch {
                key: self.algorithm.as_str(),
                named: Excerpt::new(named),
            });
        }
        match &self.material {
            Material::Public(key) => key.verify_sig(base, signature),
            Material::Shared(key) => hmac::verify(key, base, signature),
        }
        .map_err(|_| SignatureError::BadSignature)
    }
}

fn verifier(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::EcdsaP384Sha384 => Some(&ECDSA_P384_SHA384_FIXED),
        Algorithm::Ed25519 => Some(&ED25519),
        Algorithm::HmacSha256 => None,
        Algorithm::RsaPssSha512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::RsaV15Sha256 => Some(&RSA_PKCS1_2048_8192_SHA256),
    }
}
