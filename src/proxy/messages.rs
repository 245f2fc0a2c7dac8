//! Messages of gRPC leave whole, so that a stream which ends early ends between two of them.

use std::collections::VecDeque;

use bytes::Bytes;

/// The bytes before each message: a flag, and how long it is (gRPC over HTTP/2, "Responses").
const PREFIX_BYTES: usize = 5;

/// What waits for the rest of its message, at most. A longer message leaves as it comes: a reader can do nothing with
/// half of one, but it can wait, and we need not. Arbitrary: far above what agents stream.
const MOST_BYTES: usize = 64 * 1024;

/// Holds back the beginning of a message until its end is there.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// What may leave as far as it alone is concerned.
    judged: VecDeque<Bytes>,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    prefix: Vec<u8>,
    /// Bytes that the message still has, once its prefix is there.
    left: usize,
}

impl Messages {
    /// Where judged bytes are put.
    pub(super) const fn inlet(&mut self) -> &mut VecDeque<Bytes> {
        &mut self.judged
    }

    /// Lets out what ends with a message.
    pub(super) fn release(&mut self, released: &mut VecDeque<Bytes>) {
        while let Some(mut bytes) = self.judged.pop_front() {
            while !bytes.is_empty() {
                let taken = self.advance(&bytes);
                self.waiting_bytes += taken;
                self.waiting.push_back(bytes.split_to(taken));
                let is_between = self.prefix.len() == PREFIX_BYTES && self.left == 0;
                if is_between {
                    self.prefix.clear();
                }
                if is_between || self.waiting_bytes > MOST_BYTES {
                    self.end(released);
                }
            }
        }
    }

    /// Lets out everything: nothing comes after it.
    pub(super) fn end(&mut self, released: &mut VecDeque<Bytes>) {
        self.waiting_bytes = 0;
        released.append(&mut self.waiting);
    }

    /// How many of the bytes belong to this message, or to its prefix.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        let missing = PREFIX_BYTES - self.prefix.len();
        if missing == 0 {
            let taken = bytes.len().min(self.left);
            self.left -= taken;
            return taken;
        }
        let taken = bytes.len().min(missing);
        self.prefix.extend(bytes.iter().take(taken));
        if let Some([_, length @ ..]) = self.prefix.first_chunk::<PREFIX_BYTES>() {
            self.left = u32::from_be_bytes(*length) as usize;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is out after each piece.
    fn out(pieces: &[&[u8]]) -> Vec<usize> {
        let mut messages = Messages::default();
        let mut released = VecDeque::new();
        let mut whole = Vec::new();
        let sizes = pieces.iter().map(|piece| {
            messages.inlet().push_back(Bytes::copy_from_slice(piece));
            messages.release(&mut released);
            whole.extend(released.drain(..).flatten());
            whole.len()
        });
        let sizes = sizes.collect();
        messages.end(&mut released);
        whole.extend(released.drain(..).flatten());
        assert_eq!(whole, pieces.concat());
        sizes
    }

    #[test]
    fn only_whole_messages_leave() {
        assert_eq!(out(&[b"\0\0\0\0\x02hi"]), [7]);
        assert_eq!(out(&[b"\0\0\0", b"\0\x02h", b"i\0\0\0\0\0\0"]), [0, 0, 12]);
        assert_eq!(out(&[b"\0\0\0\0\x01a\0\0\0\0\x01b\0"]), [12]);
        let long = [&b"\0\0\x02\0\0"[..], &[b'a'; 0x2_0000]].concat();
        let (first, rest) = long.split_at(70_000);
        assert_eq!(out(&[first, rest, b"\0"]), [70_000, long.len(), long.len()]);
    }
}
