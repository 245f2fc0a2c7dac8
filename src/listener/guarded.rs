//! A stream whose peer must read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Stall;

/// A stream that fails when the peer takes nothing of a write for too long.
///
/// A peer that asks and never reads would otherwise hold a connection, its buffers and its place in
/// every quota for as long as it likes. Wrap the socket itself, below TLS: there each write that the
/// kernel takes is progress.
///
/// A write that was pending must be polled until it is done, as HTTP servers do: the wait of one that
/// was given up would count for the next.
#[derive(Debug)]
pub struct Guarded<S> {
    stream: S,
    stall: Stall,
}

impl<S> Guarded<S> {
    /// Lets one write wait for at most `limit`.
    pub const fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            stall: Stall::new(limit),
        }
    }

    /// The stream within.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stall.progress();
            return outcome;
        }
        self.stall.poll_expired(cx).map(|()| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the peer does not read",
            ))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        // A socket's flush is always ready and says nothing about a write that still waits.
        if outcome.is_ready() {
            return outcome;
        }
        self.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::clock;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_fails_the_write() {
        let (near, _far) = tokio::io::duplex(4);
        let mut stream = Guarded::new(near, LIMIT);
        let start = clock::now();
        let error = stream.write_all(b"more than four").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(clock::now() - start, LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_may_take_as_long_as_it_reads() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut stream = Guarded::new(near, LIMIT);
        let reader = tokio::spawn(async move {
            let mut taken = Vec::new();
            let mut piece = [0; 4];
            loop {
                tokio::time::sleep(LIMIT - Duration::from_secs(1)).await;
                match far.read(&mut piece).await.unwrap() {
                    0 => return taken,
                    length => taken.extend_from_slice(&piece[..length]),
                }
            }
        });
        stream.write_all(b"slowly, but steadily").await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        assert_eq!(reader.await.unwrap(), b"slowly, but steadily");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_is_not_a_stalled_one() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Guarded::new(near, LIMIT);
        stream.write_all(b"first").await.unwrap();
        tokio::time::sleep(LIMIT * 10).await;
        stream.write_all(b"second").await.unwrap();
        let mut taken = [0; 11];
        far.read_exact(&mut taken).await.unwrap();
        assert_eq!(&taken, b"firstsecond");
    }
}
