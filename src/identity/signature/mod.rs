//! HTTP message signatures (RFC 9421) and digests of content (RFC 9530).
//!
//! Pure: a message is a view of borrowed parts ([`Message`]), time is an argument, and what is remembered of
//! nonces lies in [`replay`](super::replay). The signature base is our own; of structured fields (RFC 9651) only the
//! parser is a library's.
//!
//! Verification goes in the order of the RFC's section 3.2, cheap facts first: the fields are read
//! ([`Signatures`]), one of the signatures is chosen, [`Requirements`] says whether it covers enough and is
//! young enough, and only then a key does its work. What a digest covers is compared once the content is
//! there ([`ContentDigest`]).
//!
//! Must not let a message choose how it is verified: the key decides the algorithm.

mod accept;
mod answers;
mod base;
mod callers;
mod component;
mod digest;
mod error;
mod fields;
mod key;
mod key_url;
mod keyset;
mod message;
mod profile;
mod public_half;
mod requirements;
mod sign;
mod signing_key;
mod structured;
#[cfg(test)]
mod tests;
mod wanted;

pub use accept::{Acceptance, Accepted, Chosen, choose};
pub use answers::Asked;
pub(in crate::identity) use answers::{AnswerKey, Answers};
pub(in crate::identity) use callers::{PublicKeys, SharedKeys, Signers, Token};
pub use component::{Component, Derived, Parameter};
pub use digest::{ContentDigest, ContentHasher, content_digest};
pub use error::{SignatureError, SigningKeysError};
pub use fields::{Fields, Parameters, Signature, Signatures};
pub use key::{Algorithm, MIN_SECRET_BYTES, VerifyingKey};
pub use key_url::{KeyUrlPattern, KeyUrlPatternError};
pub(in crate::identity) use key_url::{document, key_at};
pub use keyset::{Holder, KeyKind, VerifyingKeys};
pub use message::{Message, Request};
pub use profile::{Profile, SKEW};
pub use public_half::{PublicHalfError, public_halves};
pub use requirements::{Examined, Nonces, Requirement, Requirements, When};
pub use sign::{Plan, SignError, Signed};
pub use signing_key::{SigningKey, SigningKeyError};

/// Feeds foreign bytes to everything here that reads them: for the fuzzer.
#[doc(hidden)]
pub fn fuzz_fields(data: &[u8]) {
    fields::fuzz(data);
}
