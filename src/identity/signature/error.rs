//! Every way in which a signature, or a set of keys for signatures, can be wrong.

use std::sync::Arc;
use std::time::Duration;

use crate::identity::Excerpt;
use crate::identity::replay::ReplayError;
use crate::model::Reason;

/// Why a message's signature does not count. One variant for each fact, in alphabetical order.
///
/// The texts are for the audit record and the log: the caller learns the [`Reason`] only. Sections are those
/// of RFC 9421, unless another is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `alg` names another algorithm than the key is for (section 3.2, step 6).
    #[error("the key is for `{key}`, and the signature says `{named}`")]
    AlgorithmMismatch {
        /// What the key is for.
        key: &'static str,
        /// What the signature says.
        named: Excerpt,
    },
    /// The profile has one algorithm, and the key is for another.
    #[error("algorithm `{0}` is not of this profile")]
    AlgorithmNotAllowed(&'static str),
    /// `alg` in a signature whose key comes with its algorithm in a token (draft-ietf-wimse-http-signature, section 3).
    #[error("the signature says its algorithm (`alg`), which is the token's to say")]
    AlgorithmPresent,
    /// More than one signature could be meant for us.
    #[error("more than one signature is meant for us")]
    Ambiguous,
    /// No `wimse-aud`, where it is demanded.
    #[error("the signature does not say for whom it is (`wimse-aud`)")]
    AudienceMissing,
    /// `wimse-aud` is somebody else.
    #[error("the signature is for `{0}`")]
    AudienceWrong(Excerpt),
    /// The key did not make this signature.
    #[error("the signature does not verify")]
    BadSignature,
    /// Made before the memory of nonces began: it may have been accepted by then.
    #[error(
        "the signature is older than the memory of nonces, which cannot know whether it was used"
    )]
    BeforeStart,
    /// There is content, and the signature does not cover its digest.
    #[error("the content is not covered: its `content-digest` is not signed")]
    BodyUnsigned,
    /// Not the name of a component that we know (section 2): an unknown name with `@`, capitals, or no name of
    /// a field at all.
    #[error("`{0}` is not a component")]
    ComponentInvalid(Excerpt),
    /// It belongs to the other kind of message: `@status` or `;req` in a request, or a part of the request
    /// without `;req` in a response (sections 2.2.9 and 2.4).
    #[error("component `{0}` does not belong to this kind of message")]
    ComponentMisplaced(Excerpt),
    /// The message does not have it (section 2.5).
    #[error("component `{0}` is covered, and not in the message")]
    ComponentMissing(Excerpt),
    /// A parameter that is unknown, contradicts another, or does not fit the component (sections 2.1 and 2.2).
    #[error("parameter `{parameter}` does not fit component `{component}`")]
    ComponentParameter {
        /// The component.
        component: Excerpt,
        /// The parameter.
        parameter: Excerpt,
    },
    /// Covered twice (section 2).
    #[error("component `{0}` is covered twice")]
    ComponentRepeated(Excerpt),
    /// A component is named by something other than a text (section 2.3).
    #[error("a covered component is not a string")]
    ComponentType,
    /// The value cannot stand in a signature base: not ASCII, or a control character (section 2.5).
    #[error("the value of component `{0}` cannot be covered")]
    ComponentValue(Excerpt),
    /// `created` is in the future, beyond the allowed clock skew.
    #[error("the signature was created {0:?} in the future")]
    CreatedInFuture(Duration),
    /// No `created`, so that nobody could tell how old it is.
    #[error("the signature does not say when it was `created`")]
    CreatedMissing,
    /// Not a dictionary of byte sequences of the right lengths, or an algorithm twice (RFC 9530, section 2).
    #[error("the `content-digest` field is malformed")]
    DigestMalformed,
    /// The content is not what the digest is of.
    #[error("the content does not have the signed digest")]
    DigestMismatch,
    /// Neither `sha-256` nor `sha-512`.
    #[error("the `content-digest` field names no algorithm that we accept")]
    DigestUnknown,
    /// Past `expires`, plus the allowed clock skew.
    #[error("the signature expired {0:?} ago")]
    Expired(Duration),
    /// `expires` is before `created`.
    #[error("the signature expires before it was created")]
    ExpiresBeforeCreated,
    /// No `expires`, where it is demanded.
    #[error("the signature does not say when it `expires`")]
    ExpiresMissing,
    /// Not a dictionary (section 4), or broken in one of its values.
    #[error("the `{0}` field is malformed")]
    FieldMalformed(&'static str),
    /// One of the two fields is missing.
    #[error("there is no `{0}` field to go with the other")]
    FieldMissing(&'static str),
    /// Longer than any signature needs.
    #[error("the `{0}` field is too long")]
    FieldTooLong(&'static str),
    /// No `keyid`.
    #[error("the signature does not name its key (`keyid`)")]
    KeyIdMissing,
    /// `keyid` in a signature whose key comes in a token.
    #[error("the signature names a key (`keyid`), which is the token's to bring")]
    KeyIdPresent,
    /// No identity of the policy has such a key.
    #[error("key `{0}` is not known")]
    KeyUnknown(Excerpt),
    /// The key lies where it may be fetched, and could not be.
    #[error("key `{key}` cannot be fetched: {why}")]
    KeyUnfetched {
        /// Its address.
        key: Excerpt,
        /// What happened.
        why: Arc<str>,
    },
    /// The keys were never loaded.
    #[error("the keys of identity `{0}` are not loaded")]
    KeysUnavailable(Box<str>),
    /// The same label twice: whose word would count?
    #[error("label `{0}` stands twice")]
    LabelRepeated(Excerpt),
    /// Only in one of the two fields (section 4.2).
    #[error("label `{0}` does not stand in both fields")]
    LabelUnpaired(Excerpt),
    /// `;key` of a dictionary that does not have it (section 2.1.2).
    #[error("component `{0}` names a member that its dictionary does not have")]
    MemberMissing(Excerpt),
    /// No `nonce`, where it is demanded.
    #[error("the signature has no `nonce`")]
    NonceMissing,
    /// This nonce was accepted before.
    #[error("the `nonce` was used before")]
    NonceUsed,
    /// `;sf` or `;key` of a field that is not the structured field that it should be (section 2.1.1).
    #[error("the field of component `{0}` is not the structured field it should be")]
    NotStructured(Excerpt),
    /// Something that the policy demands is not covered.
    #[error("`{0}` is not covered")]
    NotCovered(Excerpt),
    /// There are signatures, and none is for us.
    #[error("no signature has the tag that is expected here")]
    NotForUs,
    /// The value of a label in `Signature` is something other than bytes (section 4.2).
    #[error("signature `{0}` is not a byte sequence")]
    NotBytes(Excerpt),
    /// The value of a label in `Signature-Input` is something other than a list (section 4.1).
    #[error("input `{0}` is not an inner list")]
    NotList(Excerpt),
    /// The same parameter twice.
    #[error("parameter `{0}` stands twice")]
    ParameterRepeated(Excerpt),
    /// Longer than any use of it needs.
    #[error("parameter `{0}` is too long")]
    ParameterTooLong(&'static str),
    /// Another type than the registry has (section 6.3.2), or a negative time.
    #[error("parameter `{0}` has the wrong type")]
    ParameterType(&'static str),
    /// `@query-param` of a parameter that stands more than once in the query (section 2.2.8).
    #[error("component `{0}` names a parameter that the query has more than once")]
    QueryParameterRepeated(Excerpt),
    /// So many nonces are remembered that no other can be.
    #[error("no further nonce can be remembered")]
    ReplayStoreFull,
    /// The store that processes share does not say whether the nonce is new.
    #[error("the `nonce` cannot be compared with those that were used: {0}")]
    ReplayStoreUnavailable(Box<str>),
    /// Older than the policy's `maxAge`.
    #[error("the signature is {0:?} older than allowed")]
    TooOld(Duration),
    /// More labels, components or parameters than any caller needs.
    #[error("more {0} than are read")]
    TooMany(&'static str),
    /// `;tr`: a part of the trailers, which come after the decision (section 2.1.4).
    #[error("component `{0}` is a trailer, and trailers come too late to be verified")]
    Trailer(Excerpt),
}

impl SignatureError {
    /// The closed-list reason for the refusal.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::KeyUnfetched { .. }
            | Self::KeysUnavailable(_)
            | Self::ReplayStoreFull
            | Self::ReplayStoreUnavailable(_) => Reason::KeysUnavailable,
            Self::AlgorithmMismatch { .. }
            | Self::AlgorithmNotAllowed(_)
            | Self::AlgorithmPresent
            | Self::Ambiguous
            | Self::AudienceMissing
            | Self::AudienceWrong(_)
            | Self::BadSignature
            | Self::BeforeStart
            | Self::BodyUnsigned
            | Self::ComponentInvalid(_)
            | Self::ComponentMisplaced(_)
            | Self::ComponentMissing(_)
            | Self::ComponentParameter { .. }
            | Self::ComponentRepeated(_)
            | Self::ComponentType
            | Self::ComponentValue(_)
            | Self::CreatedInFuture(_)
            | Self::CreatedMissing
            | Self::DigestMalformed
            | Self::DigestMismatch
            | Self::DigestUnknown
            | Self::Expired(_)
            | Self::ExpiresBeforeCreated
            | Self::ExpiresMissing
            | Self::FieldMalformed(_)
            | Self::FieldMissing(_)
            | Self::FieldTooLong(_)
            | Self::KeyIdMissing
            | Self::KeyIdPresent
            | Self::KeyUnknown(_)
            | Self::LabelRepeated(_)
            | Self::LabelUnpaired(_)
            | Self::MemberMissing(_)
            | Self::NonceMissing
            | Self::NonceUsed
            | Self::NotStructured(_)
            | Self::NotCovered(_)
            | Self::NotForUs
            | Self::NotBytes(_)
            | Self::NotList(_)
            | Self::ParameterRepeated(_)
            | Self::ParameterTooLong(_)
            | Self::ParameterType(_)
            | Self::QueryParameterRepeated(_)
            | Self::TooOld(_)
            | Self::TooMany(_)
            | Self::Trailer(_) => Reason::CredentialInvalid,
        }
    }
}

impl From<ReplayError> for SignatureError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::BeforeStart => Self::BeforeStart,
            ReplayError::Full => Self::ReplayStoreFull,
            ReplayError::Unavailable(why) => Self::ReplayStoreUnavailable(why),
            ReplayError::Used => Self::NonceUsed,
        }
    }
}

/// Why a document is not a set of keys that verify signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeysError {
    /// A key that cannot be used as it stands: leaving it out would refuse its holder without a word.
    #[error("key {position} {problem}")]
    Key {
        /// Which key of the document, counted from 1.
        position: usize,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// Not a JWKS (RFC 7517, section 5).
    #[error("the key set is malformed: {0}")]
    Malformed(Box<str>),
    /// It holds no key.
    #[error("the key set holds no key")]
    NoKey,
    /// More keys than are kept.
    #[error("the key set holds more than {0} keys")]
    TooMany(usize),
}
