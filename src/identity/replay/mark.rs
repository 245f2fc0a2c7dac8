//! What is remembered of something that counts once.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A digest of whose it is and of itself, because callers choose how long it is. Whoever finds two that are equal (2^64
/// tries) has one of its own refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    digest: [u8; 16],
    owner: u64,
}

impl Mark {
    /// A nonce counts once for one key of one identity. `nonce` is what the caller sent.
    pub fn of_nonce(identity: &str, key_id: &str, nonce: &str) -> Self {
        Self::new(&[b"nonce", identity.as_bytes(), key_id.as_bytes()], nonce)
    }

    /// A proof counts once for the key that made it, whose thumbprint (RFC 7638) this is. `id` is its `jti`.
    pub fn of_proof(key: &[u8; 32], id: &str) -> Self {
        Self::new(&[b"proof", key], id)
    }

    fn new(owner: &[&[u8]], id: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in owner {
            // Lengths keep `ab` + `c` apart from `a` + `bc`.
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
        let owner = first(&hasher.finalize());
        hasher.update(id.as_bytes());
        Self {
            digest: first(&hasher.finalize()),
            owner: u64::from_le_bytes(owner),
        }
    }

    /// Whose it is: equal for what one key makes.
    pub(super) const fn owner(&self) -> u64 {
        self.owner
    }

    pub(super) fn shard(&self, shards: usize) -> usize {
        usize::from(self.digest.first().copied().unwrap_or_default()) % shards
    }
}

impl fmt::Display for Mark {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Hash for Mark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Nothing is won by hashing the owner as well: the digest depends on it.
        state.write(&self.digest);
    }
}

fn first<const N: usize>(hash: &blake3::Hash) -> [u8; N] {
    let mut bytes = [0; N];
    bytes
        .iter_mut()
        .zip(hash.as_bytes())
        .for_each(|(to, from)| *to = *from);
    bytes
}
