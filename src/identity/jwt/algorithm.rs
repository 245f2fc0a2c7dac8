//! The signature algorithms of JSON Web Tokens (RFC 7518, section 3.1; RFC 8037, section 3.1).

use aws_lc_rs::hmac;

use crate::identity::config::Algorithm;

impl Algorithm {
    /// All, in the order of their names.
    pub const ALL: &'static [Self] = &[
        Self::EdDsa,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// The name in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// The algorithm of that name, letter for letter.
    pub fn named(name: &str) -> Option<Self> {
        // RFC 9864 gives the one curve that `EdDSA` means here its own name.
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        let mut all = Self::ALL.iter().copied();
        all.find(|algorithm| algorithm.as_str() == name)
    }

    /// Whether whoever can verify can also sign.
    pub const fn is_shared(self) -> bool {
        self.shared().is_some()
    }

    /// The keyed hash of an algorithm with a shared key.
    pub(super) const fn shared(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Hs256 => Some(hmac::HMAC_SHA256),
            Self::Hs384 => Some(hmac::HMAC_SHA384),
            Self::Hs512 => Some(hmac::HMAC_SHA512),
            Self::EdDsa
            | Self::Es256
            | Self::Es384
            | Self::Es512
            | Self::Ps256
            | Self::Ps384
            | Self::Ps512
            | Self::Rs256
            | Self::Rs384
            | Self::Rs512 => None,
        }
    }

    /// The least bytes of a shared key: as many as the hash has (RFC 7518, section 3.2). Zero where no key is shared.
    pub const fn least_key_bytes(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
            Self::EdDsa
            | Self::Es256
            | Self::Es384
            | Self::Es512
            | Self::Ps256
            | Self::Ps384
            | Self::Ps512
            | Self::Rs256
            | Self::Rs384
            | Self::Rs512 => 0,
        }
    }
}
