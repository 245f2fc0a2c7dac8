//! HTTP/2 connections to the agent, each shared by many exchanges.
//!
//! Other than an HTTP/1.1 connection, one of these has tasks of its own: whoever waits for one stream must
//! not have to move the others. They end with the connection, whose socket holds a guard until then.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::request_body::RequestBody;
use super::shelf::Shelves;
use super::socket::Socket;
use super::{HEAD_BYTES, LONGEST_IDLE};
use crate::drain::Guard;

/// All connections to one agent, by worker. New exchanges go to the first with room, so that those that are
/// not needed grow old and go.
#[derive(Debug)]
pub(super) struct Multiplexed {
    shelves: Shelves<Shelf>,
    builder: Builder<TokioExecutor>,
    streams: usize,
}

#[derive(Debug)]
struct Shelf {
    connections: Mutex<Vec<Arc<Connection>>>,
    // One connection is opened at a time, for those who wait meanwhile find room on it.
    opening: Semaphore,
}

/// One of them.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<RequestBody>,
    streams: AtomicUsize,
    /// What the agent allows (RFC 9113, section 6.5.2), as of the last request. What goes out before we know
    /// waits within the connection.
    allowed: Arc<AtomicUsize>,
    opened: Instant,
    /// When its last exchange ended, in milliseconds after it was opened.
    used: AtomicU64,
}

/// A place on a connection for one exchange; free again when it is dropped. An exchange that is dropped
/// before its end resets its own stream and leaves the others alone.
#[derive(Debug)]
pub(super) struct Stream {
    connection: Arc<Connection>,
}

impl Multiplexed {
    /// At most `streams` exchanges on each connection.
    pub(super) fn new(streams: usize, workers: NonZeroUsize) -> Self {
        Self {
            shelves: Shelves::new(workers),
            builder: builder(streams),
            streams,
        }
    }

    /// A place on a connection that is open.
    pub(super) fn take(&self, now: Instant) -> Option<Stream> {
        let mut connections = self.shelves.own()?.lock();
        connections.retain(|connection| connection.is_alive(now));
        let mut open = connections.iter();
        open.find_map(|connection| Stream::on(connection, self.streams))
    }

    /// To be held while a connection is opened. `None` when that never happens again.
    pub(super) async fn opening(&self) -> Option<SemaphorePermit<'_>> {
        self.shelves.own()?.opening.acquire().await.ok()
    }

    /// Makes a connection of a socket, and takes the first place on it. Nobody else finds it.
    ///
    /// Its driver hears the guard's signal: no exchange begins any more, and those that run end.
    pub(super) async fn open(
        &self,
        socket: Socket,
        mut guard: Guard,
        now: Instant,
    ) -> hyper::Result<Stream> {
        let (sender, driver) = self.builder.handshake(TokioIo::new(socket)).await?;
        let allowed = Arc::new(AtomicUsize::new(self.streams));
        let told = Arc::clone(&allowed);
        tokio::spawn(async move {
            let mut driver = pin!(driver);
            let driven = poll_fn(|cx| {
                let ended = driver.as_mut().poll(cx);
                told.store(driver.current_max_send_streams().max(1), Relaxed);
                ended
            });
            // Why it ended is told to each exchange on it.
            tokio::select! {
                _ended = driven => {}
                () = guard.draining() => {}
            }
        });
        let connection = Arc::new(Connection {
            sender,
            streams: AtomicUsize::new(1),
            allowed,
            opened: now,
            used: AtomicU64::new(0),
        });
        Ok(Stream { connection })
    }

    /// Lets others find the connection.
    pub(super) fn share(&self, stream: &Stream) {
        if let Some(shelf) = self.shelves.own() {
            shelf.lock().push(Arc::clone(&stream.connection));
        }
    }

    /// Forgets all connections: they end in good order with their last exchange.
    pub(super) fn clear(&self) {
        self.shelves.all().for_each(|shelf| shelf.lock().clear());
    }
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            connections: Mutex::default(),
            opening: Semaphore::new(1),
        }
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        // A panic under this lock leaves at worst a connection too few.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Whether a new exchange may begin here.
    fn is_alive(&self, now: Instant) -> bool {
        let used = self.opened + Duration::from_millis(self.used.load(Relaxed));
        let is_old = || now.saturating_duration_since(used) > LONGEST_IDLE;
        !self.sender.is_closed() && (self.streams.load(Relaxed) > 0 || !is_old())
    }
}

impl Stream {
    /// Called under the lock of the connections: nobody else takes a place meanwhile.
    fn on(connection: &Arc<Connection>, most: usize) -> Option<Self> {
        let most = most.min(connection.allowed.load(Relaxed));
        if connection.streams.load(Relaxed) >= most {
            return None;
        }
        connection.streams.fetch_add(1, Relaxed);
        Some(Self {
            connection: Arc::clone(connection),
        })
    }

    /// Hands over a request, and tells what becomes of it.
    pub(super) fn send(
        &self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + use<>
    {
        self.connection.sender.clone().try_send_request(request)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let connection = &self.connection;
        let used = crate::clock::now().saturating_duration_since(connection.opened);
        let used = u64::try_from(used.as_millis()).unwrap_or(u64::MAX);
        connection.used.store(used, Relaxed);
        connection.streams.fetch_sub(1, Relaxed);
    }
}

fn builder(streams: usize) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let streams = u32::try_from(streams).unwrap_or(u32::MAX);
    builder
        // What the agent may send ahead of a caller who does not read. The connection has room for all of
        // its streams, so that one reader who is slow does not stop the others.
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW.saturating_mul(streams).min(MOST_WINDOW))
        .max_send_buf_size(SEND_BYTES)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        // Push is off in this client. Nor are there pings of ours: servers of gRPC take those on a quiet
        // stream for an attack, and close (gRPC proposal A8).
        .adaptive_window(false);
    builder
}

/// Bytes of an answer that nobody has read yet, of each exchange.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The most that a window may be (RFC 9113, section 6.9.1).
const MOST_WINDOW: u32 = (1 << 31) - 1;

/// Bytes of a request that wait to be written, of each exchange.
const SEND_BYTES: usize = 64 * 1024;
