//! Signatures of what is not sent with them (RFC 7515, appendix F): the payload is another document.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::keys::KeySet;
use super::token::{base64url, object};
use crate::identity::config::Algorithm;
use crate::identity::error::{CredentialError, Excerpt, Part};

/// The longest protected header, in base64url. Arbitrary: it names an algorithm and a key.
const MAX_HEADER_BYTES: usize = 4096;

impl KeySet {
    /// Whether a key of this set made this signature over one of the payloads. Where the header says that its key lies
    /// (`jku`, `jwk`, `x5u`, `x5c`) is not followed: that would let a signature bring its own key.
    pub(in crate::identity) fn verify_detached(
        &self,
        protected: &str,
        signature: &str,
        payloads: &[String],
    ) -> Result<(), CredentialError> {
        if protected.len() > MAX_HEADER_BYTES {
            return Err(CredentialError::TooLarge);
        }
        let header = object(Part::Header, protected)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(CredentialError::CriticalExtension);
        }
        let malformed = || CredentialError::Malformed(Part::Header);
        let name = header.get("alg").and_then(Value::as_str);
        let name = name.ok_or_else(malformed)?;
        let algorithm = Algorithm::named(name)
            .filter(|algorithm| !algorithm.is_shared())
            .ok_or_else(|| CredentialError::AlgorithmNotAllowed(Excerpt::new(name)))?;
        let key = match header.get("kid") {
            None => None,
            Some(key) => Some(key.as_str().ok_or_else(malformed)?),
        };
        let signature = base64url(Part::Signature, signature)?;
        let mut refused = CredentialError::BadSignature;
        for payload in payloads {
            let signed = signed(protected, payload);
            match self.signer(algorithm, key, signed.as_bytes(), &signature) {
                Ok(_) => return Ok(()),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

/// What a signature is over (RFC 7515, section 5.1).
pub(in crate::identity) fn signed(protected: &str, payload: &str) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload);
    format!("{protected}.{payload}")
}
