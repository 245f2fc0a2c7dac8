//! One end of a tunnel.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::http1::Outbox;

/// One end, and what is on its way to it.
pub(super) struct Peer<S> {
    io: S,
    outbox: Outbox,
    /// The close frame was sent to it: nothing may follow.
    pub(super) is_told: bool,
    /// Nothing can be sent to it any more.
    is_deaf: bool,
    /// What it says is not listened to any more.
    pub(super) is_mute: bool,
    /// Nothing comes from it any more.
    pub(super) is_gone: bool,
}

impl<S> Peer<S> {
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            outbox: Outbox::default(),
            is_told: false,
            is_deaf: false,
            is_mute: false,
            is_gone: false,
        }
    }

    /// Lets bytes leave, unless the peer was told that none do.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !self.is_told && !self.is_deaf {
            self.outbox.push(bytes);
        }
    }

    /// Whether all has left for it that could.
    pub(super) fn is_done(&self) -> bool {
        self.is_deaf || self.outbox.is_empty()
    }

    /// Whether so much is on its way that no more should be taken from the other end.
    pub(super) fn is_full(&self) -> bool {
        self.outbox.len() >= ENOUGH
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Writes what can be written now.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.is_deaf {
            return Ok(());
        }
        match self.outbox.poll_flush(&mut self.io, cx) {
            Poll::Ready(Err(error)) => {
                self.is_deaf = true;
                self.outbox = Outbox::default();
                Err(error)
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Reads what there is. The more of a frame is there already, the more is read at once.
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        buffer.reserve(buffer.len().clamp(READ, ENOUGH));
        // The future holds no state of its own: a new one for each poll loses nothing.
        let reading = pin!(self.io.read_buf(buffer));
        Future::poll(reading, cx)
    }
}

/// A read; a tunnel that waits holds a buffer of this size for each direction.
const READ: usize = 4 * 1024;

/// Bytes that wait for one end before no more are taken from the other.
const ENOUGH: usize = 64 * 1024;
