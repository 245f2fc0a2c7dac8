//! Cuts a body into messages.

use bytes::Bytes;

use super::super::Blocked;
use super::super::gather::Gathered;

/// The bytes before each message: whether it is compressed, and its length.
pub(super) const PREFIX_BYTES: usize = 5;

/// A larger message is refused: it would have to be held whole. It is what readers take unless they are told otherwise.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// What came and is not a whole message yet.
#[derive(Debug, Default)]
pub(super) struct Frames(Gathered);

impl Frames {
    pub(super) fn push(&mut self, input: Bytes) {
        self.0.push(input);
    }

    /// The next message, with its prefix.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Blocked> {
        let bytes = self.0.bytes();
        let Some([flag, length @ ..]) = bytes.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        if *flag != 0 {
            return Err(Blocked::Compressed);
        }
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_MESSAGE_BYTES {
            return Err(Blocked::MessageTooLarge);
        }
        let whole = PREFIX_BYTES + length;
        Ok((bytes.len() >= whole).then(|| self.0.cut(whole)))
    }

    /// What is left when the body ends.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        self.0.rest()
    }
}
