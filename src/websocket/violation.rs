//! Why bytes are no frames, or not allowed here.

use super::frame::CloseCode;

/// What a peer did that ends the tunnel: one variant per fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A close frame of one byte, or with a code that must not stand on the wire (RFC 6455, section 7.4).
    #[error("a close frame without a valid code")]
    CloseCode,
    /// A continuation where no message was begun (section 5.4).
    #[error("a continuation of nothing")]
    Continuation,
    /// A control frame in fragments, or above 125 bytes (section 5.5).
    #[error("a control frame in fragments or above 125 bytes")]
    Control,
    /// A new message before the last one has ended (section 5.4).
    #[error("a message within another")]
    Interleaved,
    /// A length in more bytes than it needs, or with its highest bit set (section 5.2). Some readers take
    /// it and some do not.
    #[error("a length that is not written in the shortest way")]
    Length,
    /// A frame of a caller without a mask, or one of the agent with one (section 5.1).
    #[error("a mask the wrong way round")]
    Mask,
    /// An opcode that means nothing (section 5.2).
    #[error("an unknown opcode")]
    Opcode,
    /// A bit that no extension has given a meaning (section 5.2).
    #[error("a reserved bit without an extension")]
    ReservedBit,
    /// Text, or the reason of a close, that is not UTF-8 (section 8.1).
    #[error("text that is not utf-8")]
    Text,
    /// A message above the limit.
    #[error("a message above {0} bytes")]
    TooLarge(usize),
    /// A message in more fragments than anybody needs.
    #[error("a message in too many fragments")]
    TooManyFragments,
}

impl Violation {
    /// How the tunnel is closed for it.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::CloseCode
            | Self::Continuation
            | Self::Control
            | Self::Interleaved
            | Self::Length
            | Self::Mask
            | Self::Opcode
            | Self::ReservedBit => CloseCode::ProtocolError,
            Self::Text => CloseCode::InvalidData,
            Self::TooLarge(_) | Self::TooManyFragments => CloseCode::TooLarge,
        }
    }
}
