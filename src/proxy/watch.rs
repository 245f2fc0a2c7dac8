//! Tells an idle HTTP/2 connection from a busy one. HTTP/1 knows by itself what it is doing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::clock;
use crate::listener::Deadlines;

use super::frames;
use super::meter::{Flood, Meter};

/// What a connection does, written on the way of its calls and read by the [`Watch`], which looks seldom: a
/// request costs a few atomic additions and no timer.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Calls in flight.
    calls: AtomicU32,
    /// Calls that ever began.
    begun: AtomicU64,
    /// How often all that was written has left.
    flushes: AtomicU64,
    /// Counts stretches of time; the watch advances it.
    epoch: AtomicUsize,
    /// Bodies that wait for the peer to take the next piece, by the epoch since which they do.
    waiting: [AtomicU32; EPOCHS],
    /// Heads that have begun and heads that have ended, of those that did not come in one piece: odd while
    /// one is under way.
    heads: AtomicU64,
    /// The caller has reset a stream of its own.
    resets: AtomicBool,
}

impl Activity {
    /// Whether the caller takes requests back.
    pub(super) fn takes_back(&self) -> bool {
        self.resets.load(Ordering::Relaxed)
    }
}

/// Stretches that are told apart.
const EPOCHS: usize = 8;

/// In how many stretches a wait becomes too long.
const STALL_EPOCHS: u32 = 4;

/// Tells an idle connection from a busy one.
#[derive(Debug)]
pub(super) struct Watch {
    activity: Arc<Activity>,
    deadlines: Deadlines,
    begun: u64,
    phase: Phase,
    epoch_since: Instant,
    heads: u64,
    heads_since: Instant,
}

/// What the connection was doing when the watch looked last.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// A call is in flight.
    Busy,
    /// No call since.
    Quiet { since: Instant },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Fine,
    Idle,
    /// A new connection on which no call came.
    Silent,
    /// A head that was begun and does not end. No other frame may come before its last.
    SlowHead,
    /// Nothing of an answer was taken for too long, though the connection itself may be alive: HTTP/2 lets a
    /// peer stop one stream, and no write ever waits for it.
    Stalled,
}

impl Watch {
    pub(super) fn new(activity: Arc<Activity>, deadlines: Deadlines) -> Self {
        let phase = Phase::Quiet {
            since: clock::now(),
        };
        Self {
            activity,
            deadlines,
            begun: 0,
            phase,
            epoch_since: clock::now(),
            heads: 0,
            heads_since: clock::now(),
        }
    }

    /// How long not to look. A bound is met within this much.
    pub(super) fn interval(&self) -> Duration {
        let half = self.deadlines.header.min(self.deadlines.keep_alive) / 2;
        half.min(self.epoch())
    }

    fn epoch(&self) -> Duration {
        self.deadlines.write_stall / STALL_EPOCHS
    }

    /// Whether some body has waited for the peer since `STALL_EPOCHS` whole epochs. Begins the next epoch
    /// when it is time.
    fn is_stalled(&mut self, now: Instant) -> bool {
        if now.duration_since(self.epoch_since) < self.epoch() {
            return false;
        }
        // One at a time: a look that comes late is followed by more.
        self.epoch_since += self.epoch();
        let next = self.activity.epoch.load(Ordering::Relaxed).wrapping_add(1);
        self.activity.epoch.store(next, Ordering::Relaxed);
        // Those of the epochs from `next - 4` on have not waited long enough; all others have.
        (STALL_EPOCHS as usize + 1..=EPOCHS).any(|age| {
            let slot = self.activity.waiting.get(next.wrapping_sub(age) % EPOCHS);
            slot.is_some_and(|waiting| waiting.load(Ordering::Relaxed) > 0)
        })
    }

    /// Whether one and the same head has been under way for too long.
    fn is_head_slow(&mut self, now: Instant) -> bool {
        let heads = self.activity.heads.load(Ordering::Relaxed);
        if heads != self.heads {
            (self.heads, self.heads_since) = (heads, now);
        }
        heads % 2 == 1 && now.duration_since(self.heads_since) >= self.deadlines.header
    }

    pub(super) fn look(&mut self, now: Instant) -> Judgement {
        if self.is_stalled(now) {
            return Judgement::Stalled;
        }
        if self.is_head_slow(now) {
            return Judgement::SlowHead;
        }
        let begun = self.activity.begun.load(Ordering::Relaxed);
        if self.activity.calls.load(Ordering::Relaxed) > 0 {
            (self.begun, self.phase) = (begun, Phase::Busy);
            return Judgement::Fine;
        }
        if begun != self.begun || matches!(self.phase, Phase::Busy) {
            (self.begun, self.phase) = (begun, Phase::Quiet { since: now });
            return Judgement::Fine;
        }
        match self.phase {
            // A fresh connection that says nothing has as long as a slow head.
            Phase::Quiet { since }
                if begun == 0 && now.duration_since(since) >= self.deadlines.header =>
            {
                Judgement::Silent
            }
            Phase::Quiet { since } if now.duration_since(since) >= self.deadlines.keep_alive => {
                Judgement::Idle
            }
            Phase::Busy | Phase::Quiet { .. } => Judgement::Fine,
        }
    }
}

/// A call in flight; its drop ends it.
#[derive(Debug)]
pub(super) struct Busy {
    activity: Arc<Activity>,
    // Where it is counted as waiting for the peer.
    slot: Option<usize>,
}

impl Busy {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.calls.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self {
            activity: Arc::clone(activity),
            slot: None,
        }
    }

    /// The peer was given something, and the next move is its.
    pub(super) fn given(&mut self) {
        self.asked();
        let slot = self.activity.epoch.load(Ordering::Relaxed) % EPOCHS;
        if let Some(waiting) = self.activity.waiting.get(slot) {
            waiting.fetch_add(1, Ordering::Relaxed);
            self.slot = Some(slot);
        }
    }

    /// The peer has room for more.
    pub(super) fn asked(&mut self) {
        let slot = self.slot.take();
        if let Some(waiting) = slot.and_then(|slot| self.activity.waiting.get(slot)) {
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How often the connection has been flushed.
    pub(super) fn flushes(&self) -> u64 {
        self.activity.flushes.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.asked();
        self.activity.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts the flushes and the frames, and fails where there are too many. Gives back first what was read before
/// it was known to be HTTP/2.
pub(super) struct Watched<S> {
    stream: S,
    ahead: Bytes,
    activity: Arc<Activity>,
    meter: Meter,
    is_within_head: bool,
}

impl<S> Watched<S> {
    pub(super) const fn new(
        stream: S,
        ahead: Bytes,
        activity: Arc<Activity>,
        meter: Meter,
    ) -> Self {
        Self {
            stream,
            ahead,
            activity,
            meter,
            is_within_head: false,
        }
    }

    /// Why it failed, if it did so for the caller's frames.
    pub(super) const fn flood(&self) -> Option<Flood> {
        self.meter.flood()
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.meter.received(bytes);
        if self.meter.has_resets() {
            self.activity.resets.store(true, Ordering::Relaxed);
        }
        let is_within_head = self.meter.is_within_head();
        if is_within_head != self.is_within_head {
            self.is_within_head = is_within_head;
            self.activity.heads.fetch_add(1, Ordering::Relaxed);
        }
        match self.meter.flood() {
            Some(flood) => Err(io::Error::other(flood.as_str())),
            None => Ok(()),
        }
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    /// Tells the caller why the connection ends, if a frame fits in where the library has stopped.
    pub(super) async fn part(&mut self, code: u32) {
        let Some(last_stream) = self.meter.may_part() else {
            return;
        };
        let goaway = frames::goaway(last_stream, code);
        // Who does not read does not learn it either.
        let _unheard = tokio::time::timeout(PARTING, async {
            self.write_all(&goaway).await?;
            self.shutdown().await
        })
        .await;
    }
}

/// How long the last frame may take. Arbitrary.
const PARTING: Duration = Duration::from_secs(1);

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.ahead.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        } else {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
        }
        let new = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(self.received(new))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.meter.sent(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
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
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        let mut left = written;
        for slice in slices {
            let taken = left.min(slice.len());
            self.meter.sent(slice.get(..taken).unwrap_or_default());
            left -= taken;
        }
        Poll::Ready(Ok(written))
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
        let watch = Watch::new(Arc::clone(&activity), Deadlines::default());
        (activity, watch, clock::now())
    }

    #[test]
    fn a_silent_connection_has_as_long_as_a_head() {
        let (_, mut watch, start) = watch();
        assert_eq!(watch.look(start + Duration::from_secs(5)), Judgement::Fine);
        assert_eq!(
            watch.look(start + Duration::from_secs(11)),
            Judgement::Silent
        );
    }

    #[test]
    fn a_head_that_does_not_end_is_slow_whatever_else_runs() {
        let (activity, mut watch, start) = watch();
        let _call = Busy::new(&activity);
        let mut look = |seconds| watch.look(start + Duration::from_secs(seconds));
        assert_eq!(look(5), Judgement::Fine);
        activity.heads.fetch_add(1, Ordering::Relaxed);
        assert_eq!(look(10), Judgement::Fine);
        // That one has ended, and another begun.
        activity.heads.fetch_add(2, Ordering::Relaxed);
        assert_eq!(look(15), Judgement::Fine);
        assert_eq!(look(20), Judgement::Fine);
        assert_eq!(look(25), Judgement::SlowHead);
    }

    #[test]
    fn an_answer_that_nobody_takes_is_stalled_and_one_that_moves_is_not() {
        let (activity, mut watch, start) = watch();
        let (mut stuck, mut moving) = (Busy::new(&activity), Busy::new(&activity));
        stuck.given();
        let mut seen = Vec::new();
        for seconds in (0..=45).step_by(5) {
            moving.asked();
            moving.given();
            seen.push(watch.look(start + Duration::from_secs(seconds)));
        }
        assert!(
            seen[..6].iter().all(|seen| *seen == Judgement::Fine),
            "{seen:?}"
        );
        assert!(seen.contains(&Judgement::Stalled), "{seen:?}");
        stuck.asked();
        for seconds in (50..=200).step_by(5) {
            moving.asked();
            moving.given();
            assert_eq!(
                watch.look(start + Duration::from_secs(seconds)),
                Judgement::Fine
            );
        }
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
