//! Which signature of a message is for us, and whether it counts.

use super::digest::ContentDigest;
use super::error::SignatureError;
use super::fields::{Signature, Signatures};
use super::key::{Algorithm, VerifyingKey};
use super::keyset::VerifyingKeys;
use super::message::Message;
use super::replay::Nonce;
use super::requirements::Requirements;
use crate::identity::Excerpt;

/// Whose signatures are accepted: one identity of the policy.
#[derive(Debug, Clone, Copy)]
pub struct Acceptance<'a> {
    /// The policy's name for it.
    pub identity: &'a str,
    /// The purpose that a signature must name; none means that it must name none.
    pub tag: Option<&'a str>,
    /// What it must be like.
    pub requirements: &'a Requirements,
    /// The one algorithm of a profile that has but one.
    pub algorithm: Option<Algorithm>,
    /// Who signs.
    pub keys: &'a VerifyingKeys,
}

/// A signature that counts, if its nonce is new and the content has its digest.
#[derive(Debug)]
pub struct Accepted<'a> {
    /// By which of the identities, as they were given.
    pub identity: usize,
    /// By whose key.
    pub key: &'a VerifyingKey,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// What the content must hash to, if a digest is covered.
    pub digest: Option<ContentDigest>,
    /// What must be new, and until when it must be remembered, in seconds since 1970.
    pub nonce: Option<(Nonce, i64)>,
}

/// Finds the signature that is meant for one of these identities, and verifies it.
///
/// # Errors
/// When there is not exactly one, or it does not count.
pub fn accept<'a>(
    signatures: &Signatures<'_>,
    identities: &[Acceptance<'a>],
    message: &Message<'_>,
    has_content: bool,
    now: i64,
) -> Result<Accepted<'a>, SignatureError> {
    let signature = ours(signatures, identities)?;
    let (index, identity, key) = signer(signature, identities)?;
    let examined = identity
        .requirements
        .examine(signature, message, has_content, now)?;
    if identity
        .algorithm
        .is_some_and(|only| only != key.algorithm())
    {
        return Err(SignatureError::AlgorithmNotAllowed(
            key.algorithm().as_str(),
        ));
    }
    examined.verify(key)?;
    let nonce = examined.parameters.nonce.as_deref();
    let nonce = nonce.map(|nonce| Nonce::new(identity.identity, key.id(), nonce));
    Ok(Accepted {
        identity: index,
        key,
        created: examined.parameters.created.unwrap_or_default(),
        digest: examined.digest,
        nonce: nonce.map(|nonce| (nonce, examined.until)),
    })
}

/// Of several signatures, the one with a tag of ours. Two could say different things of one message, and a
/// caller who sends both would choose which of them is believed.
fn ours<'s, 'f>(
    signatures: &'s Signatures<'f>,
    identities: &[Acceptance<'_>],
) -> Result<&'s Signature<'f>, SignatureError> {
    let mut fitting = signatures.iter().filter(|signature| {
        let tag = signature.tag();
        // A tag that is no text is no tag of ours, and no absent one either.
        (tag.is_some() || !signature.has_tag())
            && identities.iter().any(|identity| identity.tag == tag)
    });
    match (fitting.next(), fitting.next()) {
        (Some(signature), None) => Ok(signature),
        (Some(_), Some(_)) => Err(SignatureError::Ambiguous),
        (None, _) => Err(SignatureError::NotForUs),
    }
}

/// The identity that has the key which the signature names.
fn signer<'i, 'a>(
    signature: &Signature<'_>,
    identities: &'i [Acceptance<'a>],
) -> Result<(usize, &'i Acceptance<'a>, &'a VerifyingKey), SignatureError> {
    let key_id = signature.key_id().ok_or(SignatureError::KeyIdMissing)?;
    let mut knowing = identities
        .iter()
        .enumerate()
        .filter(|(_, identity)| identity.tag == signature.tag())
        .filter_map(|(index, identity)| Some((index, identity, identity.keys.find(key_id)?)));
    match (knowing.next(), knowing.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(SignatureError::Ambiguous),
        (None, _) => Err(SignatureError::KeyUnknown(Excerpt::new(key_id))),
    }
}
