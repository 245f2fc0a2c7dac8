//! What is on its way to a peer.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

/// Bytes in the order in which they leave. Small ones are joined into one write; large ones are not copied.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Whole pieces, before `staged`.
    queue: VecDeque<Bytes>,
    staged: BytesMut,
    queued: usize,
    /// Something was written that may wait within the stream, as TLS records do.
    is_dirty: bool,
}

impl Outbox {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.queued + self.staged.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where small things are written.
    pub const fn staged(&mut self) -> &mut BytesMut {
        &mut self.staged
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= WORTH_COPYING {
            return self.staged.extend_from_slice(&bytes);
        }
        self.seal();
        self.queued += bytes.len();
        self.queue.push_back(bytes);
    }

    /// Gives back memory that an idle connection does not need, if it is more than `kept` bytes.
    pub fn rest(&mut self, kept: usize) {
        if self.is_empty() && !self.is_dirty && self.staged.capacity() > kept {
            *self = Self::default();
        }
    }

    fn seal(&mut self) {
        if !self.staged.is_empty() {
            self.queued += self.staged.len();
            self.queue.push_back(self.staged.split().freeze());
        }
    }

    /// Writes all of it, and lets it leave.
    pub fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = if self.queue.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, &self.staged))?
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let pieces = self.queue.iter().map(|piece| &piece[..]);
                let pieces = pieces.chain([&self.staged[..]]);
                let used = slices
                    .iter_mut()
                    .zip(pieces)
                    .map(|(slice, piece)| *slice = IoSlice::new(piece))
                    .count();
                let slices = slices.get(..used).unwrap_or_default();
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
            self.is_dirty = true;
        }
        if self.is_dirty {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.is_dirty = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.queue.front_mut() {
            if written < first.len() {
                first.advance(written);
                self.queued -= written;
                return;
            }
            written -= first.len();
            self.queued -= first.len();
            self.queue.pop_front();
        }
        self.staged.advance(written.min(self.staged.len()));
        if self.staged.is_empty() {
            self.staged.clear();
        }
    }
}

/// Up to here a copy is cheaper than one more slice of a write and its share of a buffer.
const WORTH_COPYING: usize = 4096;

/// Slices of one write. Some 64 KiB wait at most, in pieces above 4 KiB with their framing between.
const SLICES: usize = 32;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn bytes_leave_in_order_however_little_is_taken_at_once() {
        let (mut near, mut far) = tokio::io::duplex(1000);
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for (index, length) in [10, 5000, 3, 4096, 9000, 0, 1].into_iter().enumerate() {
            let piece = vec![b'a' + u8::try_from(index).unwrap(); length];
            expected.extend_from_slice(&piece);
            outbox.push(piece.into());
        }
        assert_eq!(outbox.len(), expected.len());
        let reader = tokio::spawn(async move {
            let mut read = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut far, &mut read)
                .await
                .unwrap();
            read
        });
        poll_fn(|cx| outbox.poll_flush(&mut near, cx))
            .await
            .unwrap();
        assert!(outbox.is_empty());
        drop(near);
        assert_eq!(reader.await.unwrap(), expected);
    }
}
