//! Keys of agent cards: those that the agent signs its card with, pinned, and the one that lictor signs with.
//!
//! A card is signed by a JWS whose payload is the card itself in its canonical form (A2A 1.0, section 8.4). What that form
//! is, `protocol` knows.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::digest::{hex, sha256};
use super::error::{CredentialError, KeysError};
use super::jwt::{KeySet, signed};
use super::signature::{Algorithm, SigningKey, SigningKeyError};
use super::sources::{Contents, Source};
use super::{KeyStore, SignedAnswers};

/// With which keys cards are verified and signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardKeysConfig {
    /// With what lictor signs, if it does.
    pub sign: Option<SignedAnswers>,
    /// With what the agent signs, if that is asked of it.
    pub verify: Option<PinnedKeys>,
}

/// The keys of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedKeys {
    /// The file with the JWKS.
    pub file: PathBuf,
    /// Whether a card without any signature passes.
    pub accepts_unsigned: bool,
}

/// Why a card is not the agent's, or cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardKeysError {
    /// No signature of the card is one by a pinned key; the last one's problem.
    #[error("no signature of the agent's card is by a key that is pinned: {0}")]
    Forged(CredentialError),
    /// A key has not been read yet, or cannot be.
    #[error("the keys of agent cards are not there")]
    Missing,
    /// The card has no signature, and must have one.
    #[error("the agent's card is not signed")]
    Unsigned,
    /// The library failed.
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
}

/// A file with the private key that signs cards. A shared key is none: nobody could verify it who may not also sign.
#[derive(Debug)]
pub(super) struct CardKey(SigningKey);

impl Contents for CardKey {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        let key = SigningKey::parse(document, None)?;
        match key.public_jwk() {
            Some(_) => Ok(Self(key)),
            None => Err(SigningKeyError::Kind.into()),
        }
    }

    fn keys(&self) -> usize {
        1
    }
}

/// The keys of one snapshot's cards.
#[derive(Debug)]
pub struct CardKeys {
    sign: Option<Signer>,
    verify: Option<(Arc<Source<KeySet>>, bool)>,
}

#[derive(Debug)]
struct Signer {
    key: Arc<Source<CardKey>>,
    key_id: Option<Box<str>>,
}

impl CardKeys {
    /// Takes the keys from the store, which begins to load those that are new.
    pub fn new(config: &CardKeysConfig, store: &KeyStore) -> Self {
        Self {
            sign: config.sign.as_ref().map(|sign| Signer {
                key: store.card_key(sign.key.clone()),
                key_id: sign.key_id.clone(),
            }),
            verify: config
                .verify
                .as_ref()
                .map(|pinned| (store.pinned_keys(&pinned.file), pinned.accepts_unsigned)),
        }
    }

    /// Waits for keys that were never read, as long as a call waits for keys.
    pub async fn ready(&self) {
        if let Some(signer) = &self.sign
            && signer.key.loaded().is_none()
        {
            signer.key.refetch().await;
        }
        if let Some((keys, _)) = &self.verify
            && keys.loaded().is_none()
        {
            keys.refetch().await;
        }
    }

    /// Whether a card is signed by the agent, if that is asked for: `signatures` are the protected headers and the signatures
    /// that it carries, `payloads` what they may be over.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify<'a>(
        &self,
        signatures: impl IntoIterator<Item = (&'a str, &'a str)>,
        payloads: &[String],
    ) -> Result<(), CardKeysError> {
        let Some((keys, accepts_unsigned)) = &self.verify else {
            return Ok(());
        };
        let keys = keys.loaded().ok_or(CardKeysError::Missing)?;
        let mut refused = match accepts_unsigned {
            true => None,
            false => Some(CardKeysError::Unsigned),
        };
        for (protected, signature) in signatures {
            match keys
                .contents
                .verify_detached(protected, signature, payloads)
            {
                Ok(()) => return Ok(()),
                Err(error) => refused = Some(CardKeysError::Forged(error)),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// The name and the generation of the key that signs; `None` where none does.
    ///
    /// # Errors
    /// When it is not there.
    pub fn signer(&self) -> Result<Option<CardSigner>, CardKeysError> {
        let Some(signer) = &self.sign else {
            return Ok(None);
        };
        let loaded = signer.key.loaded().ok_or(CardKeysError::Missing)?;
        let named = || loaded.contents.0.name();
        let key_id = signer.key_id.clone().or_else(named).unwrap_or_default();
        Ok(Some(CardSigner { loaded, key_id }))
    }

    /// The public half of the key that signs, as a JWK, if there is one.
    pub fn public_jwk(&self) -> Option<Map<String, Value>> {
        let signer = self.signer().ok()??;
        let key = &signer.loaded.contents.0;
        let mut jwk = key.public_jwk()?;
        jwk.insert("kid".to_owned(), json!(signer.key_id));
        jwk.insert("use".to_owned(), json!("sig"));
        jwk.insert("alg".to_owned(), json!(algorithm(key).ok()?));
        Some(jwk)
    }
}

/// The key that signs cards now.
#[derive(Debug)]
pub struct CardSigner {
    loaded: Arc<super::sources::Loaded<CardKey>>,
    key_id: Box<str>,
}

impl CardSigner {
    /// What verifiers know the key by.
    pub const fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The thumbprint of its public half (RFC 7638).
    pub fn thumbprint(&self) -> Option<Box<str>> {
        self.loaded.contents.0.thumbprint()
    }

    /// Different for each key that this process read.
    pub fn generation(&self) -> u64 {
        self.loaded.generation
    }

    /// The protected header, and a signature over each payload.
    ///
    /// # Errors
    /// When the library fails.
    pub fn sign(&self, payloads: &[String]) -> Result<Vec<(String, String)>, CardKeysError> {
        let key = &self.loaded.contents.0;
        let header = json!({"alg": algorithm(key)?, "kid": self.key_id, "typ": "JOSE"});
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let sign = |payload: &String| {
            let signature = key.sign(signed(&protected, payload).as_bytes())?;
            Ok((protected.clone(), URL_SAFE_NO_PAD.encode(signature)))
        };
        payloads.iter().map(sign).collect()
    }
}

/// The SHA-256 of a text, in hex: under what a card is remembered.
pub fn text_sha256(text: &str) -> String {
    hex(&sha256(text.as_bytes()))
}

/// The name of a key's algorithm for a JWS (RFC 7518, section 3.1; RFC 8037, section 3.1).
fn algorithm(key: &SigningKey) -> Result<&'static str, SigningKeyError> {
    match key.algorithm() {
        Algorithm::EcdsaP256Sha256 => Ok("ES256"),
        Algorithm::EcdsaP384Sha384 => Ok("ES384"),
        Algorithm::Ed25519 => Ok("EdDSA"),
        Algorithm::RsaPssSha512 => Ok("PS512"),
        Algorithm::RsaV15Sha256 => Ok("RS256"),
        Algorithm::HmacSha256 => Err(SigningKeyError::Kind),
    }
}
