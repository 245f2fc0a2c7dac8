//! Tells an idle connection from a slow one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock;
use crate::listener::Deadlines;
use crate::tls::HttpVersion;

/// What a connection does, written on the bytes' way and read by the [`Watch`], which looks seldom: a
/// request costs a few atomic additions and no timer.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Calls in flight.
    calls: AtomicU32,
    /// Calls that ever began.
    begun: AtomicU64,
    /// Bytes read from the peer.
    read: AtomicU64,
    /// How often all that was written has left.
    flushes: AtomicU64,
}

/// Tells an idle connection from a slow one.
#[derive(Debug)]
pub(super) struct Watch {
    activity: Arc<Activity>,
    deadlines: Deadlines,
    version: HttpVersion,
    begun: u64,
    phase: Phase,
}

/// What the connection was doing when the watch looked last.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// A call is in flight.
    Busy,
    /// Bytes came, and no call yet.
    Head { since: Instant },
    /// Nothing came since, and `read` bytes had come before.
    Quiet { since: Instant, read: u64 },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Fine,
    Idle,
    SlowHead,
}

impl Watch {
    pub(super) fn new(activity: Arc<Activity>, deadlines: Deadlines, version: HttpVersion) -> Self {
        let phase = Phase::Quiet {
            since: clock::now(),
            read: 0,
        };
        Self {
            activity,
            deadlines,
            version,
            begun: 0,
            phase,
        }
    }

    /// How long not to look. A bound is met within this much.
    pub(super) fn interval(&self) -> Duration {
        self.deadlines.header.min(self.deadlines.keep_alive) / 2
    }

    pub(super) fn look(&mut self, now: Instant) -> Judgement {
        let begun = self.activity.begun.load(Ordering::Relaxed);
        let read = self.activity.read.load(Ordering::Relaxed);
        if self.activity.calls.load(Ordering::Relaxed) > 0 {
            (self.begun, self.phase) = (begun, Phase::Busy);
            return Judgement::Fine;
        }
        if begun != self.begun || matches!(self.phase, Phase::Busy) {
            (self.begun, self.phase) = (begun, Phase::Quiet { since: now, read });
            return Judgement::Fine;
        }
        match self.phase {
            // HTTP/2 peers exchange frames that belong to no call, such as PING.
            Phase::Quiet { read: before, .. }
                if read > before && self.version == HttpVersion::H1 =>
            {
                self.phase = Phase::Head { since: now };
                Judgement::Fine
            }
            // A fresh connection that says nothing has as long as a slow head.
            Phase::Quiet { since, .. }
                if begun == 0 && now.duration_since(since) >= self.deadlines.header =>
            {
                Judgement::SlowHead
            }
            Phase::Quiet { since, .. }
                if now.duration_since(since) >= self.deadlines.keep_alive =>
            {
                Judgement::Idle
            }
            Phase::Head { since } if now.duration_since(since) >= self.deadlines.header => {
                Judgement::SlowHead
            }
            Phase::Busy | Phase::Head { .. } | Phase::Quiet { .. } => Judgement::Fine,
        }
    }
}

/// A call in flight; its drop ends it.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Busy {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.calls.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }

    /// How often the connection has been flushed.
    pub(super) fn flushes(&self) -> u64 {
        self.0.flushes.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts the bytes that are read, and the flushes.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len().saturating_sub(before);
        if read > 0 {
            self.activity.read.fetch_add(read as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.activity.flushes.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> (Arc<Activity>, Watch, Instant) {
        let activity = Arc::new(Activity::default());
        let watch = Watch::new(Arc::clone(&activity), Deadlines::default(), HttpVersion::H1);
        (activity, watch, clock::now())
    }

    #[test]
    fn a_silent_connection_has_as_long_as_a_head() {
        let (_, mut watch, start) = watch();
        assert_eq!(watch.look(start + Duration::from_secs(5)), Judgement::Fine);
        assert_eq!(
            watch.look(start + Duration::from_secs(11)),
            Judgement::SlowHead
        );
    }

    #[test]
    fn a_trickling_head_is_slow_even_on_an_old_connection() {
        let (activity, mut watch, start) = watch();
        drop(Busy::new(&activity));
        activity.read.store(100, Ordering::Relaxed);
        assert_eq!(watch.look(start + Duration::from_secs(5)), Judgement::Fine);
        activity.read.store(101, Ordering::Relaxed);
        assert_eq!(watch.look(start + Duration::from_secs(10)), Judgement::Fine);
        activity.read.store(102, Ordering::Relaxed);
        assert_eq!(
            watch.look(start + Duration::from_secs(20)),
            Judgement::SlowHead
        );
    }

    #[test]
    fn a_call_in_flight_is_never_idle_and_an_idle_connection_ends_in_good_order() {
        let (activity, mut watch, start) = watch();
        let call = Busy::new(&activity);
        assert_eq!(
            watch.look(start + Duration::from_secs(500)),
            Judgement::Fine
        );
        drop(call);
        assert_eq!(
            watch.look(start + Duration::from_secs(505)),
            Judgement::Fine
        );
        assert_eq!(
            watch.look(start + Duration::from_secs(570)),
            Judgement::Fine
        );
        assert_eq!(
            watch.look(start + Duration::from_secs(580)),
            Judgement::Idle
        );
    }
}
