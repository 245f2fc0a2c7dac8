//! Pieces of a body, until there is enough of them.

use bytes::{Bytes, BytesMut};

/// What came and was not cut off yet. A piece that holds all that is wanted is not copied.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    buffer: Bytes,
    /// What came in more than one piece.
    begun: BytesMut,
}

impl Gathered {
    pub(super) fn push(&mut self, input: Bytes) {
        if self.begun.is_empty() && self.buffer.is_empty() {
            self.buffer = input;
        } else {
            self.begun.extend_from_slice(&self.buffer);
            self.begun.extend_from_slice(&input);
            self.buffer = Bytes::new();
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        if self.begun.is_empty() {
            &self.buffer
        } else {
            &self.begun
        }
    }

    /// Cuts off the first bytes. There must be so many.
    pub(super) fn cut(&mut self, length: usize) -> Bytes {
        if self.begun.is_empty() {
            self.buffer.split_to(length)
        } else {
            self.begun.split_to(length).freeze()
        }
    }

    /// All that is left, if there is anything.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        let length = self.bytes().len();
        (length > 0).then(|| self.cut(length))
    }
}
