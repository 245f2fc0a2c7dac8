//! The body of a request, between the connection that reads it and the call that wants it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::HeaderMap;
use http_body::{Frame, SizeHint};

use super::error::BodyError;

/// The body of a request.
///
/// Nothing is read from the caller before the body is asked for, and never more than one piece ahead: a
/// call that does not read holds its caller back.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Empty,
    /// It had arrived together with its head.
    Full(Bytes),
    Running(Arc<Mutex<Slot>>),
}

/// Where the connection puts a piece for the call to take.
#[derive(Debug, Default)]
struct Slot {
    piece: Option<Bytes>,
    end: Option<Result<Option<HeaderMap>, BodyError>>,
    /// Bytes that are still to come, where the head has told.
    left: Option<u64>,
    is_wanted: bool,
    is_dropped: bool,
    reader: Option<Waker>,
    feeder: Option<Waker>,
}

/// The side of the connection.
#[derive(Debug)]
pub(super) struct Feed {
    slot: Arc<Mutex<Slot>>,
}

impl Body {
    pub(super) const fn empty() -> Self {
        Self { kind: Kind::Empty }
    }

    pub(super) fn full(bytes: Bytes) -> Self {
        let kind = if bytes.is_empty() {
            Kind::Empty
        } else {
            Kind::Full(bytes)
        };
        Self { kind }
    }

    /// A body that is fed as it is asked for; `length` is what its head has told.
    pub(super) fn running(length: Option<u64>) -> (Self, Feed) {
        let slot = Arc::new(Mutex::new(Slot {
            left: length,
            ..Slot::default()
        }));
        let feed = Feed {
            slot: Arc::clone(&slot),
        };
        let kind = Kind::Running(slot);
        (Self { kind }, feed)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match std::mem::replace(&mut self.kind, Kind::Empty) {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Kind::Running(slot) => {
                let polled = lock(&slot).poll(cx);
                if !matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                    self.kind = Kind::Running(slot);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Running(slot) => {
                let slot = lock(slot);
                slot.piece.is_none() && matches!(slot.end, Some(Ok(None)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Running(slot) => lock(slot)
                .left
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Kind::Running(slot) = &self.kind {
            lock(slot).is_dropped = true;
        }
    }
}

impl Slot {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(piece) = self.piece.take() {
            self.left = self
                .left
                .map(|left| left.saturating_sub(piece.len() as u64));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match self.end.take() {
            Some(Ok(None)) => return Poll::Ready(None),
            Some(Ok(Some(trailers))) => {
                self.end = Some(Ok(None));
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => {}
        }
        self.is_wanted = true;
        keep(&mut self.reader, cx.waker());
        // The connection looks at the slot after it has polled the call. Only a reader in another task has
        // to wake it.
        if let Some(feeder) = &self.feeder
            && !feeder.will_wake(cx.waker())
        {
            feeder.wake_by_ref();
        }
        Poll::Pending
    }
}

impl Feed {
    /// Whether the call waits for a piece.
    pub(super) fn is_wanted(&self, cx: &Context<'_>) -> bool {
        let mut slot = lock(&self.slot);
        keep(&mut slot.feeder, cx.waker());
        slot.is_wanted
    }

    /// Whether nobody will ask any more.
    pub(super) fn is_dropped(&self) -> bool {
        lock(&self.slot).is_dropped
    }

    /// The next piece, and whether it is the last one.
    pub(super) fn give(&self, piece: Bytes, is_last: bool) {
        let mut slot = lock(&self.slot);
        slot.piece = Some(piece);
        if is_last {
            slot.end = Some(Ok(None));
        }
        slot.answer();
    }

    /// The end.
    pub(super) fn end(&self, end: Result<HeaderMap, BodyError>) {
        let mut slot = lock(&self.slot);
        slot.end = Some(end.map(|trailers| (!trailers.is_empty()).then_some(trailers)));
        slot.answer();
    }
}

impl Slot {
    fn answer(&mut self) {
        self.is_wanted = false;
        // A reader in the connection's own task is polled next; only another task has to be woken.
        if let Some(reader) = self.reader.take()
            && self
                .feeder
                .as_ref()
                .is_none_or(|feeder| !feeder.will_wake(&reader))
        {
            reader.wake();
        }
    }
}

fn keep(place: &mut Option<Waker>, waker: &Waker) {
    match place {
        Some(kept) => kept.clone_from(waker),
        None => *place = Some(waker.clone()),
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    // Nothing under this lock panics.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
