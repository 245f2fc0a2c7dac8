//! Digests of content (RFC 9530).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, Context, SHA256, SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use sfv::BareItemFromInput;

use super::error::SignatureError;
use super::fields::joined;
use super::structured::{self, Bounds, Member};

/// The field that names them.
pub(super) const CONTENT_DIGEST: &str = "content-digest";

/// Two algorithms are in use, and a handful are registered.
const BOUNDS: Bounds = Bounds {
    members: 8,
    items: 0,
    parameters: 4,
};

/// What the content of a message must hash to: every digest of an algorithm that counts today. The others of
/// the registry are broken or no digests for this purpose (section 5), and are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDigest {
    sha256: Option<Vec<u8>>,
    sha512: Option<Vec<u8>>,
}

impl ContentDigest {
    /// The digest that the head of a message names, if it names one.
    ///
    /// # Errors
    /// When the field is malformed, or names only algorithms that do not count.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, SignatureError> {
        let Some(value) =
            joined(headers, CONTENT_DIGEST).map_err(|_| SignatureError::DigestMalformed)?
        else {
            return Ok(None);
        };
        let members =
            structured::dictionary(&value, BOUNDS).map_err(|_| SignatureError::DigestMalformed)?;
        let mut digest = Self {
            sha256: None,
            sha512: None,
        };
        for (algorithm, member) in members {
            let Member::Item(structured::Item {
                value: BareItemFromInput::ByteSequence(bytes),
                ..
            }) = member
            else {
                return Err(SignatureError::DigestMalformed);
            };
            let (slot, length) = match algorithm {
                "sha-256" => (&mut digest.sha256, SHA256.output_len()),
                "sha-512" => (&mut digest.sha512, SHA512.output_len()),
                _ => continue,
            };
            if bytes.len() != length {
                return Err(SignatureError::DigestMalformed);
            }
            *slot = Some(bytes);
        }
        match digest {
            Self {
                sha256: None,
                sha512: None,
            } => Err(SignatureError::DigestUnknown),
            digest => Ok(Some(digest)),
        }
    }

    /// Whether this is the content.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, content: &[u8]) -> Result<(), SignatureError> {
        let mut hasher = ContentHasher::new(self);
        hasher.update(content);
        hasher.finish()
    }
}

/// Hashes content as it comes, once for each algorithm that was named.
pub struct ContentHasher {
    hashes: Vec<(Context, Vec<u8>)>,
}

impl std::fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentHasher").finish_non_exhaustive()
    }
}

impl ContentHasher {
    /// Before the first byte.
    pub fn new(expected: &ContentDigest) -> Self {
        let of = |algorithm, expected: &Option<Vec<u8>>| {
            expected
                .clone()
                .map(|expected| (Context::new(algorithm), expected))
        };
        let hashes = [of(&SHA256, &expected.sha256), of(&SHA512, &expected.sha512)];
        Self {
            hashes: hashes.into_iter().flatten().collect(),
        }
    }

    /// The next bytes of the content: after the transfer coding was taken off, before any content coding is.
    pub fn update(&mut self, bytes: &[u8]) {
        for (context, _) in &mut self.hashes {
            context.update(bytes);
        }
    }

    /// Whether all of it was the content that every digest is of.
    ///
    /// # Errors
    /// When it was not.
    pub fn finish(self) -> Result<(), SignatureError> {
        for (context, expected) in self.hashes {
            verify_slices_are_equal(context.finish().as_ref(), &expected)
                .map_err(|_| SignatureError::DigestMismatch)?;
        }
        Ok(())
    }
}

/// The value of `Content-Digest` for this content.
pub fn content_digest(content: &[u8]) -> String {
    let mut value = String::from("sha-256=:");
    STANDARD.encode_string(digest::digest(&SHA256, content), &mut value);
    value.push(':');
    value
}
