//! A key that lictor shares with an issuer, for `HS256`, `HS384` and `HS512` (RFC 7518, section 3.2).

use std::fmt;

use aws_lc_rs::hmac;

use crate::identity::config::Algorithm;
use crate::identity::error::{CredentialError, KeysError};
use crate::identity::sources::Contents;

use super::token::Unverified;

/// The key, prepared for each algorithm that it is long enough for. Neither printed nor written out.
pub(in crate::identity) struct SharedKey(Vec<(Algorithm, hmac::Key)>);

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKey").finish_non_exhaustive()
    }
}

impl Contents for SharedKey {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        let prepare = |algorithm: &Algorithm| {
            let hash = algorithm.shared()?;
            (document.len() >= algorithm.least_key_bytes())
                .then(|| (*algorithm, hmac::Key::new(hash, document)))
        };
        let keys: Vec<_> = Algorithm::ALL.iter().filter_map(prepare).collect();
        if keys.is_empty() {
            let least = Algorithm::Hs256.least_key_bytes();
            return Err(KeysError::SharedKeyShort(least));
        }
        Ok(Self(keys))
    }

    fn keys(&self) -> usize {
        1
    }
}

impl SharedKey {
    /// Whether the key made the token's signature; compared in constant time.
    pub(super) fn verify(&self, token: &Unverified<'_>) -> Result<(), CredentialError> {
        let mut keys = self.0.iter();
        let (_, key) = keys
            .find(|(algorithm, _)| *algorithm == token.algorithm)
            .ok_or_else(|| CredentialError::AlgorithmMismatch(token.algorithm.as_str()))?;
        hmac::verify(key, token.signed, &token.signature).map_err(|_| CredentialError::BadSignature)
    }
}
