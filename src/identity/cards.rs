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
use super::error::CredentialError;
use super::jwt::KeySet;
use super::own_key::OwnKey;
use super::signature::SigningKeyError;
use super::sources::{Loaded, Source};
use super::{KeyStore, OwnSigning};

/// With which keys cards are verified and signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardKeysConfig {
    /// With what lictor signs, if it does.
    pub sign: Option<OwnSigning>,
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

/// The keys of one snapshot's cards.
#[derive(Debug)]
pub struct CardKeys {
    sign: Option<Signer>,
    verify: Option<(Arc<Source<KeySet>>, bool)>,
}

#[derive(Debug)]
struct Signer {
    key: Arc<Source<OwnKey>>,
    key_id: Option<Box<str>>,
}

impl CardKeys {
    /// Takes the keys from the store, which begins to load those that are new.
    pub fn new(config: &CardKeysConfig, store: &KeyStore) -> Self {
        Self {
            sign: config.sign.as_ref().map(|sign| Signer {
                key: store.own_key(sign.key.clone()),
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
        let named = || Box::from(loaded.contents.name());
        let key_id = signer.key_id.clone().unwrap_or_else(named);
        Ok(Some(CardSigner { loaded, key_id }))
    }

    /// The public half of the key that signs, as a JWK, if there is one.
    pub fn public_jwk(&self) -> Option<Map<String, Value>> {
        let signer = self.signer().ok()??;
        Some(signer.loaded.contents.jwk(&signer.key_id))
    }
}

/// The key that signs cards now.
#[derive(Debug)]
pub struct CardSigner {
    loaded: Arc<Loaded<OwnKey>>,
    key_id: Box<str>,
}

impl CardSigner {
    /// What verifiers know the key by.
    pub const fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The thumbprint of its public half (RFC 7638).
    pub fn thumbprint(&self) -> Option<Box<str>> {
        self.loaded.contents.thumbprint()
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
        let key = &self.loaded.contents;
        let header = json!({"alg": key.algorithm(), "kid": self.key_id, "typ": "JOSE"});
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let sign = |payload: &String| Ok((protected.clone(), key.sign(&protected, payload)?));
        payloads.iter().map(sign).collect()
    }
}

/// The SHA-256 of a text, in hex: under what a card is remembered.
pub fn text_sha256(text: &str) -> String {
    hex(&sha256(text.as_bytes()))
}
