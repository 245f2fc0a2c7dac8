//! What the room is told: the sources of callers.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::model::{IdentityName, TenantId};

use super::certificates::SpiffePattern;
use super::signature::{self, KeyKind, Requirements};

/// The checked configuration, one for each snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The sources of callers, by the name that the policy gives them.
    pub identities: Vec<Identity>,
    /// The outermost names of claims that conditions read: callers keep them as long as their token counts.
    pub claims: Vec<Box<str>>,
    /// What signs answers, if they are signed.
    pub answers: Option<AnswerSigning>,
}

/// How answers are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerSigning {
    /// With what.
    pub with: OwnSigning,
    /// The token that says whose that key is: by it answers to workloads are signed as they expect.
    pub token: Option<PathBuf>,
}

/// With what lictor signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSigning {
    /// Where the key lies.
    pub key: SecretSource,
    /// What callers know it by, if not by its own name.
    pub key_id: Option<Box<str>>,
}

/// Somebody who vouches for callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The policy's name for it.
    pub name: IdentityName,
    /// By which kind of credential.
    pub kind: Kind,
    /// Where the tenant of a caller stands.
    pub tenant: TenantFrom,
    /// The tenants that this identity may speak for; empty is all.
    pub tenants: Vec<TenantId>,
    /// The claim that lists the groups: an array of texts, or one text with spaces.
    pub groups: Option<ClaimPath>,
}

/// A kind of credential, with what it takes to verify one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Tokens of one issuer.
    Jwt(Jwt),
    /// Keys whose hashes stand in a file.
    ApiKey(ApiKey),
    /// Client certificates of workloads.
    Mtls(Mtls),
    /// Requests that their senders sign.
    Signature(SignedRequests),
}

/// Where the tenant of a caller stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantFrom {
    /// Nowhere: everybody belongs to [`DEFAULT_TENANT`](super::DEFAULT_TENANT).
    Default,
    /// In a claim of the token.
    Claim(ClaimPath),
    /// In the segment of the SPIFFE ID behind this one.
    Segment(Box<str>),
    /// Beside the key that proves who it is, in the file of keys.
    Entry,
}

/// Which workloads are callers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mtls {
    /// The SPIFFE IDs that are accepted. Never empty.
    pub spiffe: Vec<SpiffePattern>,
}

/// Where callers write their key, and where its hash stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The field that holds the key; in `authorization` it follows `Bearer`.
    pub header: HeaderName,
    /// The file with the hashes, read again when it changes.
    pub file: PathBuf,
}

/// How the signatures of one identity's callers are verified (RFC 9421).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequests {
    /// Public keys, or shared ones.
    pub kind: KeyKind,
    /// Where they stand; public keys in a file.
    pub keys: SecretSource,
    /// The purpose that a signature must name; none means that it must name none.
    pub tag: Option<Box<str>>,
    /// What it must be like.
    pub requirements: Requirements,
    /// The one algorithm of a profile that has but one.
    pub algorithm: Option<signature::Algorithm>,
    /// Where keys are fetched that a signature names by their address, besides `keys` or in their place.
    pub key_urls: Option<KeyUrls>,
    /// Those who vouch for the keys of callers, in place of `keys`, and for whom a signature must be.
    pub workloads: Option<WorkloadTokens>,
    /// The host, and perhaps the port, that callers ask over TLS, where another hop ends it.
    pub authority: Option<Box<str>>,
}

/// Keys that are fetched where a signature says that they lie (`keyid`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUrls {
    /// The addresses that may be asked. Never empty; nothing else is.
    pub allow: Vec<signature::KeyUrlPattern>,
    /// A CA file to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Whether addresses of this machine and network may be asked.
    pub dangerous_private_addresses: bool,
    /// Whose all of these keys are.
    pub tenant: Option<TenantId>,
    /// The groups of all their holders.
    pub groups: Vec<Box<str>>,
}

/// How workload identity tokens are verified, and for whom their holders sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadTokens {
    /// The `iss` that a token must carry; empty is any.
    pub issuer: String,
    /// Where the keys of the issuer come from: discovery, a file or a URL.
    pub keys: KeySource,
    /// For how long keys stay in use that cannot be read anew.
    pub max_stale: Duration,
    /// How much our clock and the issuer's may differ.
    pub leeway: Duration,
    /// The workloads that are accepted.
    pub workloads: Mtls,
    /// A signature must name one of these in `wimse-aud`, a proof token in `aud`. Never empty.
    pub audiences: Vec<String>,
    /// How they show that they hold their key.
    pub proofs: WorkloadProofs,
}

/// How workloads show that they hold the key of their token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WorkloadProofs {
    /// By either.
    Any,
    /// By a signature of the request (draft-ietf-wimse-http-signature).
    #[default]
    Signature,
    /// By a proof token (draft-ietf-wimse-wpt), which says nothing of the content.
    Token,
}

impl WorkloadProofs {
    /// Whether proof tokens count.
    pub const fn are_tokens(self) -> bool {
        matches!(self, Self::Any | Self::Token)
    }

    /// Whether signatures count.
    pub const fn are_signatures(self) -> bool {
        matches!(self, Self::Any | Self::Signature)
    }
}

impl SignedRequests {
    /// Whether it is signatures that its callers send; those of workloads may send something else.
    pub const fn accepts_signatures(&self) -> bool {
        match &self.workloads {
            Some(workloads) => workloads.proofs.are_signatures(),
            None => true,
        }
    }
}

/// How the tokens of one issuer are verified (RFC 7519, RFC 9068).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The field that holds the token and nothing else; without it, `authorization` with a scheme.
    pub header: Option<HeaderName>,
    /// The `iss` that a token must carry.
    pub issuer: String,
    /// A token must name at least one of these in `aud`. Never empty.
    pub audiences: Vec<String>,
    /// The algorithms that a token may use. Never empty.
    pub algorithms: Vec<Algorithm>,
    /// Where the keys come from.
    pub keys: KeySource,
    /// For how long keys stay in use that cannot be read anew.
    pub max_stale: Duration,
    /// Whether a token must be bound to a key of the caller (RFC 9449).
    pub require_dpop: bool,
    /// Whether a token must say by its `typ` that it is an access token (RFC 9068, section 4).
    pub require_access_token: bool,
    /// A token without `exp` is refused unless this is off.
    pub require_exp: bool,
    /// A token whose `iat` is older is refused, and so is one without `iat`.
    pub max_age: Option<Duration>,
    /// How much our clock and the issuer's may differ.
    pub leeway: Duration,
}

/// A signature algorithm of JSON Web Tokens (RFC 7518, section 3.1; RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// HMAC with SHA-256, with a shared key only.
    Hs256,
    /// HMAC with SHA-384, with a shared key only.
    Hs384,
    /// HMAC with SHA-512, with a shared key only.
    Hs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// OpenID Connect discovery: `<issuer>/.well-known/openid-configuration`, then its `jwks_uri`.
    Discovery {
        /// A CA file to trust instead of the system's.
        ca: Option<PathBuf>,
    },
    /// A JWKS in a file, read again when it changes.
    File(PathBuf),
    /// None: the issuer is asked about each token (RFC 7662).
    Introspection(Box<Introspection>),
    /// No key set, but one key that lictor shares with the issuer.
    Shared {
        /// Where it lies.
        place: SecretSource,
        /// How many bytes it has at least.
        least: usize,
    },
    /// A JWKS at a URL.
    Url {
        /// `https://...`, or `http://` on loopback.
        url: String,
        /// A CA file to trust instead of the system's.
        ca: Option<PathBuf>,
    },
}

/// How an issuer is asked about a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Introspection {
    /// Where: `https://...`, or `http://` on loopback.
    pub url: String,
    /// A CA file to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Our name with the issuer.
    pub client: String,
    /// What proves that we are it.
    pub secret: SecretSource,
    /// For how long an answer counts, if the token does.
    pub cache: Duration,
}

/// Where a secret lies. Its bytes are the secret, but for one line break at their end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// In a file, read again when it changes.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

/// Names of nested claims, outermost first: `claims.realm.org` is `["realm", "org"]`. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(pub Vec<Box<str>>);
