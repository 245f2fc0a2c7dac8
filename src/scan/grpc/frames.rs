//! Cuts a body into messages.

use bytes::{Bytes, BytesMut};

use super::super::Blocked;

/// The bytes before each message: whether it is compressed, and its length.
pub(super) const PREFIX_BYTES: usize = 5;

/// A larger message is refused: it would have to be held whole. It is what readers take unless they are told otherwise.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// What came and is not a whole message yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: Bytes,
    /// The beginning of a message that came in more than one piece.
    begun: BytesMut,
}

impl Frames {
    pub(super) fn push(&mut self, input: Bytes) {
        if self.begun.is_empty() && self.buffer.is_empty() {
            self.buffer = input;
        } else {
            self.begun.extend_from_slice(&self.buffer);
            self.begun.extend_from_slice(&input);
            self.buffer = Bytes::new();
        }
    }

    /// The next message, with its prefix.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Blocked> {
        let bytes = if self.begun.is_empty() {
            &self.buffer[..]
        } else {
            &self.begun[..]
        };
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
        if bytes.len() < whole {
            return Ok(None);
        }
        Ok(Some(if self.begun.is_empty() {
            self.buffer.split_to(whole)
        } else {
            self.begun.split_to(whole).freeze()
        }))
    }

    /// What is left when the body ends.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        let rest = if self.begun.is_empty() {
            std::mem::take(&mut self.buffer)
        } else {
            std::mem::take(&mut self.begun).freeze()
        };
        (!rest.is_empty()).then_some(rest)
    }
}
