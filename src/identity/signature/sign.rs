//! Makes signatures: for `lictor sign`, for answers, and for tests.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::base;
use super::component::{Component, write_string};
use super::error::SignatureError;
use super::message::Message;
use super::signing_key::{SigningKey, SigningKeyError};

/// What a signature is to say. Texts must be visible ASCII, or the field that they stand in is none.
#[derive(Debug, Clone, Default)]
pub struct Plan<'a> {
    /// What it is called in the message: a key of a dictionary (RFC 9651, section 3.2).
    pub label: &'a str,
    /// What it covers, in this order.
    pub covers: &'a [Component<'a>],
    /// When it was made, in seconds since 1970.
    pub created: Option<i64>,
    /// Until when it counts.
    pub expires: Option<i64>,
    /// Once only.
    pub nonce: Option<&'a str>,
    /// The key's algorithm, for readers who look it up there.
    pub algorithm: Option<&'a str>,
    /// The key.
    pub key_id: Option<&'a str>,
    /// For what.
    pub tag: Option<&'a str>,
    /// For whom (`wimse-aud`).
    pub audience: Option<&'a str>,
    /// The nonce of the request that is answered (`wimse-req-nonce`).
    pub request_nonce: Option<&'a str>,
}

/// The two fields that go with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The value of `Signature-Input`.
    pub input: String,
    /// The value of `Signature`.
    pub signature: String,
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The message does not have what was to be covered.
    #[error(transparent)]
    Message(#[from] SignatureError),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

impl Plan<'_> {
    /// Signs a message.
    ///
    /// # Errors
    /// When the message lacks something that is to be covered, or the key fails.
    pub fn sign(&self, message: &Message<'_>, key: &SigningKey) -> Result<Signed, SignError> {
        let parameters = self.parameters();
        let base = base::write(message, self.covers, &parameters)?;
        let signature = STANDARD.encode(key.sign(base.as_bytes())?);
        Ok(Signed {
            input: format!("{}={parameters}", self.label),
            signature: format!("{}=:{signature}:", self.label),
        })
    }

    /// The value of `@signature-params` (section 2.3).
    fn parameters(&self) -> String {
        let mut out = String::from("(");
        for (index, component) in self.covers.iter().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            component.write(&mut out);
        }
        out.push(')');
        for (name, seconds) in [("created", self.created), ("expires", self.expires)] {
            if let Some(seconds) = seconds {
                let _ = write!(out, ";{name}={seconds}");
            }
        }
        let texts = [
            ("nonce", self.nonce),
            ("alg", self.algorithm),
            ("keyid", self.key_id),
            ("tag", self.tag),
            ("wimse-aud", self.audience),
            ("wimse-req-nonce", self.request_nonce),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                let _ = write!(out, ";{name}=");
                write_string(text, &mut out);
            }
        }
        out
    }
}
