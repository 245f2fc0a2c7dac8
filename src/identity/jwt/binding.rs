//! To what a token is bound by `cnf` (RFC 7800): a key that the caller proves to hold with each request (RFC 9449), or
//! the certificate of its connection (RFC 8705).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::identity::digest::Thumbprint;
use crate::identity::error::{CredentialError, Excerpt};

/// What a token is bound to; nothing where it is for whoever bears it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Binding {
    /// `jkt` (RFC 9449, section 6.1).
    pub(super) key: Option<Thumbprint>,
    /// `x5t#S256` (RFC 8705, section 3.1).
    pub(super) certificate: Option<Thumbprint>,
}

impl Binding {
    /// Reads `cnf`. A member that is not understood could be the one that matters, so it is refused.
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Self, CredentialError> {
        let mut binding = Self::default();
        let members = match claims.get("cnf") {
            None => return Ok(binding),
            Some(Value::Object(members)) => members,
            Some(_) => {
                return Err(CredentialError::ClaimType {
                    claim: Excerpt::new("cnf"),
                    expected: "an object",
                });
            }
        };
        for (name, value) in members {
            let place = match name.as_str() {
                "jkt" => &mut binding.key,
                "x5t#S256" => &mut binding.certificate,
                _ => return Err(CredentialError::ConfirmationUnknown(Excerpt::new(name))),
            };
            *place = Some(thumbprint(name, value)?);
        }
        if binding == Self::default() {
            return Err(CredentialError::ConfirmationUnknown(Excerpt::new("")));
        }
        Ok(binding)
    }
}

fn thumbprint(name: &str, value: &Value) -> Result<Thumbprint, CredentialError> {
    let bytes = value
        .as_str()
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| CredentialError::ClaimType {
            claim: Excerpt::new(&format!("cnf.{name}")),
            expected: "a SHA-256 in base64url",
        })
}
