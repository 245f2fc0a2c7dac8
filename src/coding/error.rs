//! Why a body cannot be decoded.

use super::Coding;

/// Why a body does not become what it stands for. Nothing more is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    /// The bytes are not of this coding, or were changed, or ask for more memory than it may have.
    #[error("what came is not {0}")]
    Broken(Coding),
    /// More than [`Bounds`](super::Bounds) allow.
    #[error("above {ratio} times its size once decoded")]
    TooLarge {
        /// How many times its size it may become.
        ratio: u64,
    },
    /// Something stands behind the end of the coding.
    #[error("{0} goes on behind its end")]
    Trailing(Coding),
    /// The bytes end before the coding does.
    #[error("{0} ends before its end")]
    Truncated(Coding),
}

/// The field names a coding that nothing here decodes, or more of them than anybody needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCoding {
    /// One that is not known.
    #[error("unknown content coding `{0}`")]
    Name(String),
    /// More than two, one around the other.
    #[error("more than two content codings, one around the other")]
    TooMany,
}
