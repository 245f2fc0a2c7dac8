//! Every way in which a credential, or a key set, can be wrong.

use std::fmt;
use std::time::Duration;

use crate::model::{Challenge, NameError, Reason, Refusal};

use super::replay::ReplayError;
use super::signature::{SignatureError, SigningKeyError, SigningKeysError};

/// Why a bearer token did not become a principal. One variant for each fact, in alphabetical order.
///
/// The texts are for the audit record and the log: the caller learns the [`Reason`] only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The key that the token names is for another algorithm (RFC 8725, section 3.1).
    #[error("the key is not for the token's algorithm `{0}`")]
    AlgorithmMismatch(&'static str),
    /// `alg` is `none`: an unsigned token (RFC 8725, section 3.2).
    #[error("the token is not signed")]
    AlgorithmNone,
    /// The issuer may not use this algorithm, or we do not have it.
    #[error("algorithm `{0}` is not allowed")]
    AlgorithmNotAllowed(Excerpt),
    /// No token after the scheme, or something other than a token.
    #[error("the `authorization` field is malformed")]
    AuthorizationMalformed,
    /// More than one `authorization` field: whose word would count?
    #[error("more than one `authorization` field")]
    AuthorizationRepeated,
    /// A field that holds a token and nothing else holds something else.
    #[error("the `{0}` field is malformed")]
    AssertionMalformed(Excerpt),
    /// More than one such field: whose word would count?
    #[error("more than one `{0}` field")]
    AssertionRepeated(Excerpt),
    /// Padding, white space, another alphabet or trailing bits (RFC 7515, section 2).
    #[error("the token's {0} is not canonical base64url")]
    BadBase64(Part),
    /// No key of the issuer made this signature.
    #[error("the signature does not verify")]
    BadSignature,
    /// The policy wants tokens that are bound to a key (`require: { dpop: true }`).
    #[error("the token is not bound to a key, as the policy demands")]
    BindingRequired,
    /// A client certificate that names a workload, but not as X.509-SVID asks.
    #[error("the client certificate {0}")]
    CertificateInvalid(&'static str),
    /// `cnf` binds the token to a client certificate that is not the connection's (RFC 8705, section 3).
    #[error("the token is bound to another client certificate")]
    CertificateMismatch,
    /// `cnf` binds the token to a client certificate, and the connection has none (RFC 8705, section 3).
    #[error("the token is bound to a client certificate and was presented without one")]
    CertificateRequired,
    /// `typ` says that this is something else than a workload identity token.
    #[error("a token of type `{0}` is no workload identity token")]
    NotOfWorkload(Excerpt),
    /// The claim cannot be used as a name.
    #[error("claim `{claim}`: {error}")]
    ClaimInvalid {
        /// The claim.
        claim: Excerpt,
        /// What is wrong with it.
        error: NameError,
    },
    /// A claim that must be there is not.
    #[error("claim `{0}` is missing")]
    ClaimMissing(&'static str),
    /// The claim has the wrong JSON type. It is refused rather than taken for absent.
    #[error("claim `{claim}` is not {expected}")]
    ClaimType {
        /// The claim.
        claim: Excerpt,
        /// What it should be.
        expected: &'static str,
    },
    /// `cnf` binds the token to something that we cannot check (RFC 7800, section 3.1).
    #[error("the token is bound (`cnf`) in a way that is not understood: `{0}`")]
    ConfirmationUnknown(Excerpt),
    /// `crit` lists extensions, and we have none (RFC 7515, section 4.1.11).
    #[error("the token demands an extension (`crit`) that is not understood")]
    CriticalExtension,
    /// Two readers could see two different tokens (RFC 7519, section 4).
    #[error("the token's {part} names `{key}` twice")]
    DuplicateKey {
        /// Where.
        part: Part,
        /// Which key.
        key: Excerpt,
    },
    /// Past `exp` plus the allowed clock skew (RFC 7519, section 4.1.4).
    #[error("token expired {0:?} ago")]
    Expired(Duration),
    /// `iat` is in the future, beyond the allowed clock skew.
    #[error("token is issued {0:?} in the future")]
    IssuedInFuture(Duration),
    /// The issuer could not be asked about the token.
    #[error("the token could not be introspected: {0}")]
    IntrospectionFailed(Box<str>),
    /// Past the end that its file gives the API key.
    #[error("the API key has expired")]
    KeyExpired,
    /// Before the beginning that its file gives the API key.
    #[error("the API key does not count yet")]
    KeyNotYetValid,
    /// A field for API keys stands twice: whose word would count?
    #[error("more than one field with an API key")]
    KeyRepeated,
    /// Nobody's API key.
    #[error("the API key is not known")]
    KeyUnknown,
    /// Two fields hold API keys of two callers.
    #[error("two API keys are of two callers")]
    KeysDiffer,
    /// The issuer's keys could not be read anew for longer than the policy's `maxStale`.
    #[error("the keys of identity `{0}` could not be read again for too long")]
    KeysStale(Box<str>),
    /// The issuer's keys were never loaded.
    #[error("the keys of identity `{0}` are not loaded")]
    KeysUnavailable(Box<str>),
    /// Not JSON, or not a JSON object of the right shape.
    #[error("the token's {0} is malformed")]
    Malformed(Part),
    /// `cty` says that the payload is a token itself (RFC 7519, section 5.2).
    #[error("the token holds another token (`cty`)")]
    Nested,
    /// The scheme is `DPoP` and the token is not bound to a key (RFC 9449, section 7.1).
    #[error("the token is not bound to a key and was presented as if it were")]
    NotBound,
    /// Before `nbf` minus the allowed clock skew (RFC 7519, section 4.1.5).
    #[error("token is not valid for another {0:?}")]
    NotYetValid(Duration),
    /// The proof that comes with a token is wrong (RFC 9449, section 4.3).
    #[error("the DPoP proof {0}")]
    Proof(#[from] ProofError),
    /// `cnf` binds the token to a key that the caller must prove to hold (RFC 9449, section 7.1): whoever presents it as
    /// a mere bearer token may have stolen it.
    #[error("the token is bound to a key (`cnf`) and was presented without a proof")]
    ProofRequired,
    /// A signature of the request does not count.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The tenant claim is missing.
    #[error("the token names no tenant in `{0}`")]
    TenantMissing(Excerpt),
    /// The issuer may not speak for this tenant.
    #[error("the issuer may not speak for tenant `{0}`")]
    TenantNotAllowed(Excerpt),
    /// The issuer says that the token does not count (RFC 7662, section 2.2).
    #[error("the issuer says that the token is not active")]
    TokenInactive,
    /// Two credentials of one call are of two tenants.
    #[error("the call has credentials of two tenants, `{0}` and `{1}`")]
    TenantsDiffer(Excerpt, Excerpt),
    /// Above 16 KiB.
    #[error("the token is longer than 16 KiB")]
    TooLarge,
    /// Older than the policy's `maxAge`.
    #[error("token is {0:?} older than allowed")]
    TooOld(Duration),
    /// No `typ`, where the policy demands the one of an access token (RFC 9068, section 4).
    #[error("the token has no type (`typ`)")]
    TypeMissing,
    /// What is wrong with a token that came with the scheme `DPoP`, so that the caller is asked for such a one.
    #[error(transparent)]
    UnderDpop(Box<Self>),
    /// No identity of the policy has this issuer.
    #[error("issuer `{0}` is not known")]
    UnknownIssuer(Excerpt),
    /// The issuer has no such key, also after asking again.
    #[error("key `{0}` is not known")]
    UnknownKey(Excerpt),
    /// The token is for somebody else.
    #[error("audience `{0}` is not ours")]
    WrongAudience(Excerpt),
    /// The key that a workload identity token binds to cannot be used.
    #[error("its key (`cnf.jwk`) {0}")]
    WorkloadKey(Box<str>),
    /// The proof that comes with a workload identity token is wrong (draft-ietf-wimse-wpt).
    #[error("the workload proof token {0}")]
    WorkloadProof(ProofError),
    /// A workload proof token, and no token that says whose its key is.
    #[error("there is no `workload-identity-token` field to go with the workload proof token")]
    WorkloadProofAlone,
    /// What is wrong with a workload identity token.
    #[error("workload identity token: {0}")]
    WorkloadToken(Box<Self>),
    /// A workload identity token, and nothing that shows who holds its key.
    #[error("a workload identity token without a signature by its key")]
    WorkloadTokenAlone,
    /// A signature by the key of a workload identity token, without the token.
    #[error("there is no `workload-identity-token` field to go with the signature")]
    WorkloadTokenMissing,
    /// No pattern of the policy takes the workload.
    #[error("workload `{0}` is none of those that the policy names")]
    WorkloadUnknown(Excerpt),
    /// `typ` says that this is another kind of token (RFC 8725, section 3.11).
    #[error("a token of type `{0}` is not an access token")]
    WrongType(Excerpt),
}

impl CredentialError {
    /// The closed-list reason for the refusal.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::IntrospectionFailed(_) | Self::KeysStale(_) | Self::KeysUnavailable(_) => {
                Reason::KeysUnavailable
            }
            Self::Signature(error) => error.reason(),
            Self::TenantMissing(_) | Self::TenantNotAllowed(_) | Self::TenantsDiffer(..) => {
                Reason::TenantUnknown
            }
            Self::Proof(ProofError::TooMany | ProofError::Uncompared(_))
            | Self::WorkloadProof(ProofError::TooMany | ProofError::Uncompared(_)) => {
                Reason::KeysUnavailable
            }
            Self::UnderDpop(error) | Self::WorkloadToken(error) => error.reason(),
            Self::AlgorithmMismatch(_)
            | Self::AlgorithmNone
            | Self::AlgorithmNotAllowed(_)
            | Self::AssertionMalformed(_)
            | Self::NotOfWorkload(_)
            | Self::AssertionRepeated(_)
            | Self::AuthorizationMalformed
            | Self::AuthorizationRepeated
            | Self::BadBase64(_)
            | Self::BadSignature
            | Self::BindingRequired
            | Self::CertificateInvalid(_)
            | Self::CertificateMismatch
            | Self::CertificateRequired
            | Self::ClaimInvalid { .. }
            | Self::ClaimMissing(_)
            | Self::ClaimType { .. }
            | Self::ConfirmationUnknown(_)
            | Self::CriticalExtension
            | Self::DuplicateKey { .. }
            | Self::Expired(_)
            | Self::IssuedInFuture(_)
            | Self::KeyExpired
            | Self::KeyNotYetValid
            | Self::KeyRepeated
            | Self::KeyUnknown
            | Self::KeysDiffer
            | Self::Malformed(_)
            | Self::Nested
            | Self::NotBound
            | Self::NotYetValid(_)
            | Self::Proof(_)
            | Self::ProofRequired
            | Self::TokenInactive
            | Self::TooLarge
            | Self::TooOld(_)
            | Self::TypeMissing
            | Self::UnknownIssuer(_)
            | Self::UnknownKey(_)
            | Self::WorkloadKey(_)
            | Self::WorkloadProof(_)
            | Self::WorkloadProofAlone
            | Self::WorkloadTokenAlone
            | Self::WorkloadTokenMissing
            | Self::WorkloadUnknown(_)
            | Self::WrongAudience(_)
            | Self::WrongType(_) => Reason::CredentialInvalid,
        }
    }
}

impl CredentialError {
    /// What the caller is asked for, where it is not a bearer token (RFC 9449, section 7.1).
    const fn challenge(&self) -> Option<Challenge> {
        match self {
            // The proof may be a good one.
            Self::Proof(ProofError::TooMany | ProofError::Uncompared(_)) => None,
            Self::Proof(_) => Some(Challenge::DpopProof),
            Self::BindingRequired | Self::NotBound | Self::ProofRequired => {
                Some(Challenge::DpopToken)
            }
            Self::UnderDpop(error) => match error.challenge() {
                None => Some(Challenge::DpopToken),
                some => some,
            },
            _ => None,
        }
    }
}

impl From<CredentialError> for Refusal {
    fn from(error: CredentialError) -> Self {
        let mut refusal = Self::new(error.reason()).detail(&error);
        refusal.challenge = error.challenge();
        if error.reason() == Reason::KeysUnavailable {
            refusal.retry_after = Some(KEYS_RETRY_AFTER);
        }
        refusal
    }
}

/// Why a proof does not prove that the caller holds the key of its token: a DPoP proof (RFC 9449, section 4.3) or a
/// workload proof token. Part of a sentence that begins with its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// `alg` is not an asymmetric algorithm that we have.
    #[error("is signed with `{0}`, which is not allowed")]
    AlgorithmNotAllowed(Excerpt),
    /// `alg` is another than the one that the key is for.
    #[error("is signed with `{0}`, and the key is for another algorithm")]
    AlgorithmOther(Excerpt),
    /// Padding, white space, another alphabet or trailing bits (RFC 7515, section 2).
    #[error("has a {0} that is not canonical base64url")]
    BadBase64(Part),
    /// Made before the memory of proofs began: it may have been accepted by then.
    #[error("is older than the memory of proofs, which cannot know whether it was used")]
    BeforeStart,
    /// The key in the proof did not make its signature.
    #[error("has a signature that does not verify")]
    BadSignature,
    /// A claim that must be there is not.
    #[error("lacks the claim `{0}`")]
    ClaimMissing(&'static str),
    /// The claim has the wrong JSON type.
    #[error("has a claim `{0}` of the wrong type")]
    ClaimType(&'static str),
    /// `crit` lists extensions, and we have none (RFC 7515, section 4.1.11).
    #[error("demands an extension (`crit`) that is not understood")]
    CriticalExtension,
    /// Two readers could see two different proofs.
    #[error("has a {part} that names `{key}` twice")]
    DuplicateKey {
        /// Where.
        part: Part,
        /// Which key.
        key: Excerpt,
    },
    /// Past `exp`, beyond the allowed clock skew.
    #[error("has expired")]
    Expired,
    /// `iat` is in the future, beyond the allowed clock skew.
    #[error("is issued in the future")]
    IssuedInFuture,
    /// The key is not the one that the token is bound to (`cnf.jkt`).
    #[error("is signed with another key than the token is bound to")]
    KeyMismatch,
    /// No `jwk` in the header.
    #[error("brings no key")]
    KeyMissing,
    /// The key has a private part, so it is no secret any more.
    #[error("brings a private key")]
    KeyPrivate,
    /// The key is not one for the algorithm, or not one at all.
    #[error("brings a key that cannot be used")]
    KeyUnusable,
    /// `exp` is so far away that it could not be remembered for so long.
    #[error("counts for longer than five minutes")]
    LastsTooLong,
    /// Not a compact JWS of JSON objects.
    #[error("has a malformed {0}")]
    Malformed(Part),
    /// No field with it.
    #[error("is missing")]
    Missing,
    /// Before `nbf`, beyond the allowed clock skew.
    #[error("does not count yet")]
    NotYetValid,
    /// It names a field that cannot be held against it.
    #[error("is bound to the field `{0}`, which is not there once")]
    OtherAbsent(Excerpt),
    /// A field has another value than it says.
    #[error("is bound to another value of the field `{0}`")]
    OtherDiffers(Excerpt),
    /// A token comes with it that it says nothing of.
    #[error("is not bound (`{claim}`) to the token in the field `{field}`")]
    OtherUnbound {
        /// Where it would say so.
        claim: &'static str,
        /// Where the token stands.
        field: Excerpt,
    },
    /// More than one field with it.
    #[error("stands there more than once")]
    Repeated,
    /// It came before.
    #[error("was used before")]
    Replayed,
    /// What the request is for cannot be told.
    #[error("is for a target, and the request has no clear one")]
    TargetUnknown,
    /// Above 8 KiB.
    #[error("is longer than 8 KiB")]
    TooLarge,
    /// There is no place to remember it.
    #[error("cannot be remembered: too many came within minutes")]
    TooMany,
    /// The store that processes share does not say whether it is new.
    #[error("cannot be compared with those that were used: {0}")]
    Uncompared(Box<str>),
    /// More than a minute old, beyond the allowed clock skew.
    #[error("is too old")]
    TooOld,
    /// `htm` is another method.
    #[error("is for the method `{0}`")]
    WrongMethod(Excerpt),
    /// `htu` is another target.
    #[error("is for the target `{0}`")]
    WrongTarget(Excerpt),
    /// `ath` is not the hash of the token.
    #[error("is for another token")]
    WrongToken,
    /// `typ` is not that of such a proof.
    #[error("is not of the type `{0}`")]
    WrongType(&'static str),
}

impl From<ReplayError> for ProofError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::BeforeStart => Self::BeforeStart,
            ReplayError::Full => Self::TooMany,
            ReplayError::Unavailable(why) => Self::Uncompared(why),
            ReplayError::Used => Self::Replayed,
        }
    }
}

/// What a caller is told to wait while keys are being fetched: about two attempts of the refresher.
const KEYS_RETRY_AFTER: Duration = Duration::from_secs(5);

/// A part of a token (RFC 7515, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first part, signed: algorithm and key name.
    Header,
    /// The second part, signed: the claims.
    Payload,
    /// The third part.
    Signature,
    /// The whole: three parts, two dots.
    Token,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
            Self::Token => "form",
        })
    }
}

/// The beginning of a text that a caller chose, made fit for a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// At most 64 characters, control characters escaped.
    pub fn new(text: &str) -> Self {
        let mut excerpt: String = text.chars().take(64).flat_map(char::escape_debug).collect();
        if text.chars().nth(64).is_some() {
            excerpt.push('…');
        }
        Self(excerpt.into_boxed_str())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a key set could not be had. The last good one stays in use.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A CA file holds no certificate.
    #[error("`{0}` holds no certificate")]
    CaEmpty(Box<str>),
    /// The discovery document is about somebody else (OpenID Connect Discovery 1.0, section 4.3).
    #[error("discovery names the issuer `{0}`, not the configured one")]
    DiscoveryIssuer(Excerpt),
    /// The discovery document cannot be read.
    #[error("the discovery document is malformed: {0}")]
    DiscoveryMalformed(&'static str),
    /// The file cannot be read.
    #[error("`{path}` cannot be read")]
    File {
        /// The file.
        path: Box<str>,
        /// Why.
        source: std::io::Error,
    },
    /// HTTP broke off.
    #[error("the request to `{url}` failed")]
    Http {
        /// What was asked for.
        url: Box<str>,
        /// Why.
        source: hyper::Error,
    },
    /// The connection could not be made, or its TLS handshake failed.
    #[error("`{url}` cannot be reached")]
    Io {
        /// What was asked for.
        url: Box<str>,
        /// Why.
        source: std::io::Error,
    },
    /// Not a JWKS (RFC 7517, section 5).
    #[error("the key set is malformed: {0}")]
    Malformed(Box<str>),
    /// Every key was of a kind that we do not use.
    #[error(
        "the key set holds no usable key (RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519)"
    )]
    NoUsableKey,
    /// A shared key that is shorter than the hash that it is for (RFC 7518, section 3.2).
    #[error("the shared key has less than {0} bytes")]
    SharedKeyShort(usize),
    /// Not a key to sign with.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// Not a set of keys for signatures.
    #[error(transparent)]
    Signatures(#[from] SigningKeysError),
    /// An answer other than 200. Redirects are not followed: they would let the server choose whom we trust.
    #[error("`{url}` answered {status}")]
    Status {
        /// What was asked for.
        url: Box<str>,
        /// The answer.
        status: http::StatusCode,
    },
    /// The time cap passed.
    #[error("`{0}` did not answer in time")]
    Timeout(Box<str>),
    /// TLS could not be set up on our side.
    #[error("no TLS client: {0}")]
    Tls(Box<str>),
    /// More bytes than a document of its kind may have.
    #[error("`{name}` is larger than {} KiB", most / 1024)]
    TooLarge {
        /// The file or the URL.
        name: Box<str>,
        /// How many it may have.
        most: usize,
    },
    /// The environment variable is not set, or not text.
    #[error("the environment variable `{0}` is not set")]
    Variable(Box<str>),
    /// Not a workload identity token.
    #[error(transparent)]
    WorkloadToken(CredentialError),
    /// Neither `https://` nor `http://` on loopback.
    #[error("`{0}` is not an https URL, nor an http URL on loopback")]
    Url(Excerpt),
}
