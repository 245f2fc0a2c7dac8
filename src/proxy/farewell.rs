//! The answers of an HTTP/2 connection on their way out: counted, and not cut before what was released has
//! left.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};

use crate::clock;

use super::screen::{Cut, ReplyBody};
use super::watch::Busy;

/// How often to look whether the connection was flushed. Only answers that are cut pay for it.
const TICK: Duration = Duration::from_millis(2);

/// How long a reader may take to fetch what was released to it. Arbitrary: long enough for a slow line,
/// and below the deadline at which the connection counts as stalled.
const LINGER: Duration = Duration::from_secs(10);

/// The body of an answer over HTTP/2. Its stream counts as busy until it has left.
pub(super) struct Leaving {
    body: ReplyBody,
    busy: Busy,
    cut: Option<(Farewell, Cut)>,
}

impl Leaving {
    pub(super) fn new(body: ReplyBody, mut busy: Busy) -> Self {
        busy.given();
        Self {
            body,
            busy,
            cut: None,
        }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = &mut *self;
        this.busy.asked();
        if this.cut.is_none() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Err(cut)) => this.cut = Some((Farewell::new(&this.busy), cut)),
                frame => {
                    this.busy.given();
                    return Poll::Ready(frame);
                }
            }
        }
        match &mut this.cut {
            Some((farewell, cut)) => {
                ready!(farewell.poll(&this.busy, context));
                Poll::Ready(Some(Err(*cut)))
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The wait between the last released byte and the end of a transfer that was cut.
///
/// A body that fails ends its stream at once, with all that is still in the buffers: the events that the
/// agent had sent whole, or even the head. So the body waits with its failure until the connection was
/// flushed. Where the peer gives no window, a flush of the connection says nothing of the stream, and the
/// rest is lost as if the line had broken. (Over HTTP/1 the connection itself writes all before it cuts.)
struct Farewell {
    flushes: u64,
    expires: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Farewell {
    /// Begins when all that was released has been handed over.
    fn new(busy: &Busy) -> Self {
        let now = clock::now();
        Self {
            flushes: busy.flushes(),
            expires: now + LINGER,
            timer: Box::pin(sleep_until((now + TICK).into())),
        }
    }

    /// Ready when the transfer may be cut. To be pending once is what makes the connection flush.
    fn poll(&mut self, busy: &Busy, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = clock::now();
            if busy.flushes() != self.flushes || now >= self.expires {
                return Poll::Ready(());
            }
            ready!(self.timer.as_mut().poll(context));
            self.timer.as_mut().reset((now + TICK).into());
        }
    }
}
