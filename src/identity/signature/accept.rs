//! Which signature of a message is for us, and whether it counts.

use super::digest::ContentDigest;
use super::error::SignatureError;
use super::fields::{Parameters, Signature, Signatures};
use super::key::{Algorithm, VerifyingKey};
use super::keyset::VerifyingKeys;
use super::message::Message;
use super::requirements::Requirements;
use crate::identity::replay::{Mark, Once};
use crate::identity::{Excerpt, is_same_audience};

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
    /// For whom a signature must be by its own word (`wimse-aud`), where its one key is that of a token: then it names neither
    /// key nor algorithm.
    pub bound_for: Option<&'a [String]>,
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
    /// Its nonce, which must be new.
    pub nonce: Option<Once>,
}

/// The signature that is meant for us, and by whose key it should be. Nothing of it is verified.
#[derive(Debug)]
pub struct Chosen<'s, 'f, 'a> {
    /// By which of the identities, as they were given.
    pub identity: usize,
    signature: &'s Signature<'f>,
    acceptance: Acceptance<'a>,
    key: &'a VerifyingKey,
}

/// Finds the signature that is meant for one of these identities.
///
/// # Errors
/// When there is not exactly one, or nobody has its key.
pub fn choose<'s, 'f, 'a>(
    signatures: &'s Signatures<'f>,
    identities: &[Acceptance<'a>],
) -> Result<Chosen<'s, 'f, 'a>, SignatureError> {
    let signature = ours(signatures, identities)?;
    let (identity, acceptance, key) = signer(signature, identities)?;
    Ok(Chosen {
        identity,
        signature,
        acceptance,
        key,
    })
}

impl<'a> Chosen<'_, '_, 'a> {
    /// Whether it counts for this message. `has_content` says whether a body follows, be it empty; `now` is in
    /// seconds since 1970.
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(
        &self,
        message: &Message<'_>,
        has_content: bool,
        now: i64,
    ) -> Result<Accepted<'a>, SignatureError> {
        let Acceptance {
            identity,
            requirements,
            algorithm,
            ..
        } = self.acceptance;
        let examined = requirements.examine(self.signature, message, has_content, now)?;
        if algorithm.is_some_and(|only| only != self.key.algorithm()) {
            let name = self.key.algorithm().as_str();
            return Err(SignatureError::AlgorithmNotAllowed(name));
        }
        if let Some(audiences) = self.acceptance.bound_for {
            check_bound(&examined.parameters, audiences)?;
        }
        examined.verify(self.key)?;
        let nonce = examined.parameters.nonce.as_deref();
        let created = examined.parameters.created.unwrap_or_default();
        let nonce = nonce.map(|nonce| Once {
            mark: Mark::of_nonce(identity, self.key.id(), nonce),
            made: created,
            // It is accepted to the end of that second.
            until: examined.until.saturating_add(1).saturating_mul(1000),
        });
        Ok(Accepted {
            identity: self.identity,
            key: self.key,
            created,
            digest: examined.digest,
            nonce,
        })
    }
}

/// What a signature says whose key comes in a token (draft-ietf-wimse-http-signature, section 3).
fn check_bound(parameters: &Parameters<'_>, audiences: &[String]) -> Result<(), SignatureError> {
    if parameters.algorithm.is_some() {
        return Err(SignatureError::AlgorithmPresent);
    }
    let named = parameters.audience.as_deref();
    let named = named.ok_or(SignatureError::AudienceMissing)?;
    match audiences.iter().any(|ours| is_same_audience(named, ours)) {
        true => Ok(()),
        false => Err(SignatureError::AudienceWrong(Excerpt::new(named))),
    }
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
fn signer<'a>(
    signature: &Signature<'_>,
    identities: &[Acceptance<'a>],
) -> Result<(usize, Acceptance<'a>, &'a VerifyingKey), SignatureError> {
    let fitting = || {
        let all = identities.iter().enumerate();
        all.filter(|(_, identity)| identity.tag == signature.tag())
    };
    let is_bound = fitting().any(|(_, identity)| identity.bound_for.is_some());
    let key_id = match is_bound {
        true if signature.parameters()?.key_id.is_some() => {
            return Err(SignatureError::KeyIdPresent);
        }
        true => "",
        false => signature.key_id().ok_or(SignatureError::KeyIdMissing)?,
    };
    let mut knowing =
        fitting().filter_map(|(index, identity)| Some((index, *identity, identity.find(key_id)?)));
    match (knowing.next(), knowing.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(SignatureError::Ambiguous),
        (None, _) => Err(SignatureError::KeyUnknown(Excerpt::new(key_id))),
    }
}

impl<'a> Acceptance<'a> {
    /// The key of that name. A lone shared key has none, and is called like its identity.
    fn find(&self, key_id: &str) -> Option<&'a VerifyingKey> {
        if self.bound_for.is_some() {
            return self.keys.iter().next();
        }
        let lone = || self.keys.find("").filter(|_| key_id == self.identity);
        let named = self.keys.find(key_id).filter(|_| !key_id.is_empty());
        named.or_else(lone)
    }
}
