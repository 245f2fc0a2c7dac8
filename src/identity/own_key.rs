//! Private keys of lictor's own, by which others verify what it says: agent cards, and who calls.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::error::KeysError;
use super::jwt::signed;
use super::signature::{Algorithm, SigningKey, SigningKeyError};
use super::sources::Contents;

/// A private key with a public half. A shared key is none: nobody could verify it who may not also sign.
#[derive(Debug)]
pub(super) struct OwnKey {
    key: SigningKey,
    public: Map<String, Value>,
    name: Box<str>,
    algorithm: &'static str,
}

impl OwnKey {
    /// A fresh one (ES256), which lives and dies with this value.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(super) fn generate() -> Result<Self, SigningKeyError> {
        Self::new(SigningKey::generate(Algorithm::EcdsaP256Sha256)?)
    }

    fn new(key: SigningKey) -> Result<Self, SigningKeyError> {
        let missing = SigningKeyError::Kind;
        Ok(Self {
            public: key.public_jwk().ok_or(missing)?,
            name: key.name().ok_or(missing)?,
            algorithm: key.algorithm().jws_name().ok_or(missing)?,
            key,
        })
    }

    /// Its `kid`, or else the thumbprint of its public half.
    pub(super) const fn name(&self) -> &str {
        &self.name
    }

    /// The name of its algorithm in a JWS.
    pub(super) const fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// The thumbprint of its public half (RFC 7638).
    pub(super) fn thumbprint(&self) -> Option<Box<str>> {
        self.key.thumbprint()
    }

    /// The public half as others find it in a key set, under this name.
    pub(super) fn jwk(&self, name: &str) -> Map<String, Value> {
        let mut jwk = self.public.clone();
        jwk.insert("kid".to_owned(), json!(name));
        jwk.insert("use".to_owned(), json!("sig"));
        jwk.insert("alg".to_owned(), json!(self.algorithm));
        jwk
    }

    /// The signature of a JWS (RFC 7515, section 5.1) over a protected header, which is encoded already, and a
    /// payload, which is not.
    ///
    /// # Errors
    /// When the library fails.
    pub(super) fn sign(&self, protected: &str, payload: &str) -> Result<String, SigningKeyError> {
        let signature = self.key.sign(signed(protected, payload).as_bytes())?;
        Ok(URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Contents for OwnKey {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        Ok(Self::new(SigningKey::parse(document, None)?)?)
    }

    fn keys(&self) -> usize {
        1
    }
}
