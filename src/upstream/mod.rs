//! Carries admitted calls to the agent and its answers back.
//!
//! Owns the connections to the one agent that we stand beside: opening, reusing, closing; deadlines;
//! what a request and an answer may look like on the wire. Leaves to `proxy` which headers a request
//! has and what a failure looks like to the caller. Must not judge a call: [`Upstream::forward`] takes
//! the [`Admission`] that says so, and without one does not compile.
//!
//! Never sends a request twice unless the agent cannot have seen it, or asked for nothing to change.

mod breaker;
mod config;
mod connect;
mod connection;
mod error;
mod fuzz;
mod gate;
mod headers;
mod http2;
mod incoming;
mod link;
mod outgoing;
mod pool;
mod probe;
mod request_body;
mod response_body;
mod shelf;
mod socket;
mod stats;
mod trailers;
mod upgrade;

#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode, response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use crate::clock;
use crate::drain::{self, Drain, Guard};
use crate::quota::Admission;

pub use config::*;
pub use error::{Broken, FramingError, RequestBodyError, UpstreamError};
pub use fuzz::fuzz_written;
pub use headers::strip_hop_by_hop;
pub use request_body::{RequestBody, StreamedBody};
pub use response_body::ResponseBody;
pub use stats::UpstreamStats;
pub use upgrade::{Switched, SwitchedStream, Upgraded};

use breaker::Breaker;
use connect::{Target, Version};
use connection::Connection;
use gate::{Gate, Slot};
use http2::Multiplexed;
use link::Link;
use pool::Pool;
use request_body::Progress;
use response_body::Lease;
use socket::Socket;

/// The agent. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
}

/// How long an exchange may take, step by step.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the last byte of the request that the agent took to the first of its answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer's body.
    pub idle: Duration,
    /// All of it, the answer's last byte included.
    pub total: Instant,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Forwarded {
    /// The head, without the fields of the agent's connection, and the body to come.
    pub response: Response<ResponseBody>,
    /// What the call was admitted with, to be settled when the answer has ended.
    pub admission: Admission,
}

/// How the agent is, and how busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Exchanges that are with it.
    pub exchanges: usize,
    /// Calls that wait for one of those to end.
    pub pending: usize,
    /// How often it was ejected, or its probes began to fail. Only grows.
    pub ejections: u64,
    /// Why it is not asked at the moment, if it is not.
    pub trouble: Option<String>,
}

#[derive(Debug)]
struct Shared {
    target: Target,
    connect: Duration,
    retry: Retry,
    gate: Gate,
    breaker: Breaker,
    pool: Pool,
    multiplexed: Multiplexed,
    // What the last connection turned out to be.
    speaks_http1: AtomicBool,
    // Each open connection holds a guard. `None` when none is opened any more.
    drain: Mutex<Option<(Drain, Guard)>>,
    stats: Arc<UpstreamStats>,
}

impl Upstream {
    /// An agent that nobody has connected to yet. Without `tls` an `https://` agent is not connected to.
    pub fn new(config: &Config, tls: Option<ClientTls>) -> Self {
        let target = Target::new(config, tls);
        Self {
            shared: Arc::new(Shared {
                connect: config.connect,
                retry: config.retry,
                gate: Gate::new(config.exchanges, config.pending),
                breaker: Breaker::new(config.ejection, target.name()),
                target,
                pool: Pool::new(config.idle, config.workers),
                multiplexed: Multiplexed::new(config.streams, config.workers),
                speaks_http1: AtomicBool::new(false),
                drain: Mutex::new(Some(drain::channel())),
                stats: Arc::default(),
            }),
        }
    }

    /// Opens no connection any more, and ends those that there are: idle ones at once, others with their
    /// exchanges. `false` when some were still open after `deadline`.
    pub async fn close(&self, deadline: Duration) -> bool {
        let drain = self.shared.drain().take();
        self.shared.pool.clear();
        self.shared.multiplexed.clear();
        match drain {
            Some((drain, guard)) => {
                drop(guard);
                drain.drain(deadline).await
            }
            None => true,
        }
    }

    /// What the room counts.
    pub fn stats(&self) -> Arc<UpstreamStats> {
        Arc::clone(&self.shared.stats)
    }

    /// How the agent is now.
    pub fn state(&self) -> State {
        let (exchanges, pending) = self.shared.gate.count();
        State {
            exchanges,
            pending,
            ejections: self.shared.breaker.ejections(),
            trouble: self.shared.breaker.trouble(),
        }
    }

    /// Sends the request and waits for the head of the answer.
    ///
    /// The request's own length, `Transfer-Encoding`, `Expect` and hop-by-hop fields are replaced by
    /// ours and its target is sent in origin form. Call [`strip_hop_by_hop`] on the caller's fields
    /// first: it knows what the caller's `Connection` names, and here that field is only dropped.
    ///
    /// Dropped midway, it closes the agent's connection; whether the agent has acted is then unknown,
    /// and the admission is dropped.
    ///
    /// # Errors
    /// Why there is no answer, with the admission that it did not use up.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function holds what it is given by value twice; so this is not one, and those below \
                  are lent the request"
    )]
    pub fn forward(
        &self,
        admission: Admission,
        mut request: Request<RequestBody>,
        deadlines: Deadlines,
    ) -> impl Future<Output = Result<Forwarded, (UpstreamError, Admission)>> + Send {
        async move {
            headers::prepare(&mut request, self.shared.target.host());
            match self.try_forward(&mut request, deadlines).await {
                Ok(response) => Ok(Forwarded {
                    response,
                    admission,
                }),
                Err(error) => {
                    self.shared.stats.failed(&error);
                    Err((error, admission))
                }
            }
        }
    }

    async fn try_forward(
        &self,
        request: &mut Request<RequestBody>,
        deadlines: Deadlines,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let pass = self.shared.breaker.admit()?;
        let slot = Slot::take(&self.shared, deadlines.total).await?;
        match self.shared.exchange(request, deadlines).await {
            Ok(answered) => {
                pass.answered();
                Ok(answered.into_response(deadlines, slot))
            }
            Err(error) => {
                pass.failed(&error);
                Err(error)
            }
        }
    }
}

/// An answer whose head is there.
struct Answered {
    head: response::Parts,
    // Of an HTTP/2 stream.
    incoming: Option<Incoming>,
    link: Link,
    progress: Option<Arc<Progress>>,
}

impl Answered {
    fn into_response(self, deadlines: Deadlines, slot: Slot) -> Response<ResponseBody> {
        let lease = Lease {
            link: self.link,
            progress: self.progress,
            slot,
        };
        let body = ResponseBody::new(self.incoming, deadlines, lease);
        Response::from_parts(self.head, body)
    }
}

impl Shared {
    /// What is left of the request afterwards is of no use.
    async fn exchange(
        &self,
        request: &mut Request<RequestBody>,
        deadlines: Deadlines,
    ) -> Result<Answered, UpstreamError> {
        let stats = &self.stats;
        // Whether a connection that was used before will do, and whether the request was sent once already.
        let (mut anew, mut repeated) = (false, false);
        loop {
            let pooled = if anew { None } else { self.pooled() };
            let (link, is_new) = match pooled {
                Some(link) => (link, false),
                // Boxed: a handshake needs much room, and calls seldom come here.
                None => Box::pin(self.connect(deadlines.total)).await?,
            };
            let spare = if repeated {
                None
            } else {
                self.spare(request, &link, is_new)
            };
            let failure = match self.send(link, request, deadlines).await {
                Ok(answered) => {
                    if !is_new {
                        stats.reused.fetch_add(1, Relaxed);
                    }
                    return Ok(answered);
                }
                Err(failure) => failure,
            };
            match spare {
                // The agent has closed it while it was idle, and has not seen a byte of the request.
                _ if failure.is_unsent && !is_new => {
                    stats.stale.fetch_add(1, Relaxed);
                }
                // The agent has not begun on it; or has closed the connection as we wrote, and the request
                // is one that changes nothing.
                Some(spare) if spare.suits(&failure.error) => {
                    stats.retried.fetch_add(1, Relaxed);
                    (anew, repeated) = (true, true);
                    if let Some(copy) = spare.copy {
                        *request = copy;
                    }
                }
                Some(_) | None => return Err(failure.error),
            }
        }
    }

    /// A connection of HTTP/1.1 for one exchange.
    async fn connect_http1(&self, total: Instant) -> Result<Connection, UpstreamError> {
        let limit = within(self.connect, total);
        let opened = tokio::time::timeout_at(limit.into(), self.open()).await;
        match opened.map_err(|_| UpstreamError::ConnectTimeout)?? {
            Link::Http1(connection) => Ok(connection),
            Link::Http2(_) => Err(UpstreamError::Connect(std::io::Error::other(
                "the agent chose HTTP/2, in which nothing can be upgraded; let it offer HTTP/1.1 only",
            ))),
        }
    }

    /// A connection that is not used yet, and `true`; or one that somebody else has opened while we waited.
    async fn connect(&self, total: Instant) -> Result<(Link, bool), UpstreamError> {
        let limit = within(self.connect, total);
        tokio::time::timeout_at(limit.into(), self.link())
            .await
            .map_err(|_| {
                if clock::now() >= total {
                    UpstreamError::TotalTimeout
                } else {
                    UpstreamError::ConnectTimeout
                }
            })?
    }

    async fn send(
        &self,
        mut link: Link,
        request: &mut Request<RequestBody>,
        deadlines: Deadlines,
    ) -> Result<Answered, Failure> {
        let (mut head, incoming, progress) = match &mut link {
            Link::Http1(connection) => {
                headers::for_http1(request);
                if let Err(error) = connection.check().await {
                    let is_unsent = true;
                    return Err(Failure { error, is_unsent });
                }
                let progress = request.body().progress();
                connection.begin(request);
                let head = first_head(connection, progress.as_deref(), deadlines).await?;
                (head, None, progress)
            }
            Link::Http2(stream) => {
                headers::for_http2(request, self.target.scheme())
                    .map_err(UpstreamError::Unsendable)?;
                request.body_mut().pass_trailers();
                let progress = request.body().progress();
                // Boxed: what few agents speak should not take room in every call.
                let sent = std::mem::replace(request, Request::new(RequestBody::Empty));
                let answer = Box::pin(stream.send(sent));
                let answer = first_answer(answer, progress.as_deref(), deadlines).await?;
                let answer = answer.map_err(|failed| {
                    let (failure, unsent) = Failure::new(failed, progress.as_deref());
                    if let Some(unsent) = unsent {
                        *request = unsent;
                    }
                    failure
                })?;
                let (head, incoming) = answer.into_parts();
                (head, Some(incoming), progress)
            }
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::Upgrade.into());
        }
        headers::accept(&mut head).map_err(UpstreamError::Framing)?;
        Ok(Answered {
            head,
            incoming,
            link,
            progress,
        })
    }

    /// A connection that was used before.
    fn pooled(&self) -> Option<Link> {
        let now = clock::now();
        if self.target.may_multiplex()
            && let Some(stream) = self.multiplexed.take(now)
        {
            return Some(Link::Http2(stream));
        }
        self.pool.pop(now).map(Link::Http1)
    }

    async fn link(&self) -> Result<(Link, bool), UpstreamError> {
        // Whoever waits here may find room on what is opened meanwhile. Where the agent then chooses
        // HTTP/1.1 that was in vain, and nobody waits again.
        let _opening = if self.target.may_multiplex() && !self.speaks_http1.load(Relaxed) {
            let opening = self.multiplexed.opening().await;
            if let Some(stream) = self.multiplexed.take(clock::now()) {
                return Ok((Link::Http2(stream), false));
            }
            opening
        } else {
            None
        };
        let link = self.open().await?;
        if let Link::Http2(stream) = &link {
            self.multiplexed.share(stream);
        }
        self.speaks_http1.store(!link.is_http2(), Relaxed);
        Ok((link, true))
    }

    /// A connection that nobody else knows of.
    async fn open(&self) -> Result<Link, UpstreamError> {
        let guard = self.drain().as_ref().map(|(_, guard)| guard.clone());
        let guard = guard.ok_or_else(|| {
            UpstreamError::Connect(std::io::Error::other("no connection is opened any more"))
        })?;
        let (wire, version) = self.target.connect().await?;
        let socket = Socket::new(wire, self.stats.open(guard.clone()));
        let link = match version {
            Version::Http1 => Link::Http1(Connection::new(socket)),
            Version::Http2 => {
                let opened = self.multiplexed.open(socket, guard, clock::now()).await;
                Link::Http2(opened.map_err(UpstreamError::before_the_answer)?)
            }
        };
        Ok(link)
    }

    fn drain(&self) -> MutexGuard<'_, Option<(Drain, Guard)>> {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of a request that may have to be sent twice.
    fn spare(&self, request: &Request<RequestBody>, link: &Link, is_new: bool) -> Option<Spare> {
        let changes_nothing = !is_new
            && self.retry == Retry::Safe
            && request.method().is_safe()
            && matches!(request.body(), RequestBody::Empty);
        // An HTTP/2 agent can say of any request that it has not begun on it.
        if !changes_nothing && !link.is_http2() {
            return None;
        }
        if !link.is_http2() {
            // Its head stays as it is, and it has no body.
            return Some(Spare {
                copy: None,
                changes_nothing,
            });
        }
        let body = match request.body() {
            RequestBody::Empty => RequestBody::Empty,
            RequestBody::Full(bytes) => RequestBody::Full(bytes.clone()),
            RequestBody::Stream(_) => return None,
        };
        let mut copy = Request::new(body);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        Some(Spare {
            copy: Some(copy),
            changes_nothing,
        })
    }
}

/// What is sent when the first attempt has failed in a way that allows it.
struct Spare {
    // `None` where the request itself is what it was.
    copy: Option<Request<RequestBody>>,
    /// A safe method (RFC 9110, section 9.2.1) without a body, and the operator wants it sent again. An
    /// idempotent one is not enough: the second DELETE of a thing has another answer.
    changes_nothing: bool,
}

impl Spare {
    fn suits(&self, error: &UpstreamError) -> bool {
        error.is_unprocessed()
            || (self.changes_nothing && matches!(error, UpstreamError::Closed(_)))
    }
}

/// A request that got no answer.
struct Failure {
    error: UpstreamError,
    // No byte of the request was written, and it is what it was.
    is_unsent: bool,
}

impl Failure {
    fn new(
        mut failed: TrySendError<Request<RequestBody>>,
        progress: Option<&Progress>,
    ) -> (Self, Option<Request<RequestBody>>) {
        let unsent = failed.take_message();
        let error = match progress.and_then(Progress::fault) {
            Some(fault) => UpstreamError::RequestBody(fault),
            None => UpstreamError::before_the_answer(failed.into_error()),
        };
        let is_unsent = unsent.is_some();
        (Self { error, is_unsent }, unsent)
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self {
            error,
            is_unsent: false,
        }
    }
}

/// The head of an answer over HTTP/1.1.
async fn first_head(
    connection: &mut Connection,
    progress: Option<&Progress>,
    deadlines: Deadlines,
) -> Result<response::Parts, UpstreamError> {
    loop {
        let taken = progress.map_or(0, Progress::bytes);
        let limit = within(deadlines.first_byte, deadlines.total);
        if let Some(head) = connection.head(limit).await? {
            return Ok(head);
        }
        late(progress, taken, deadlines)?;
    }
}

/// What an HTTP/2 stream comes to, in time.
async fn first_answer<T>(
    mut answer: impl Future<Output = T> + Unpin,
    progress: Option<&Progress>,
    deadlines: Deadlines,
) -> Result<T, UpstreamError> {
    loop {
        let taken = progress.map_or(0, Progress::bytes);
        let limit = within(deadlines.first_byte, deadlines.total);
        match tokio::time::timeout_at(limit.into(), &mut answer).await {
            Ok(answer) => return Ok(answer),
            Err(_) => late(progress, taken, deadlines)?,
        }
    }
}

/// No answer has begun by the deadline: whether to wait on.
fn late(
    progress: Option<&Progress>,
    taken: u64,
    deadlines: Deadlines,
) -> Result<(), UpstreamError> {
    if clock::now() >= deadlines.total {
        return Err(UpstreamError::TotalTimeout);
    }
    // The agent's time runs from the end of the request, and this one is not at its end.
    if progress.is_some_and(|body| body.has_moved(taken)) {
        return Ok(());
    }
    Err(UpstreamError::FirstByteTimeout)
}

/// The moment that is `limit` from now, or `total` if that is earlier.
fn within(limit: Duration, total: Instant) -> Instant {
    clock::now()
        .checked_add(limit)
        .map_or(total, |moment| moment.min(total))
}

/// The longest head of an answer.
const HEAD_BYTES: usize = 64 * 1024;

/// Past this an idle connection is more likely dead than alive: whatever stands between us and the agent
/// may have forgotten it without telling us. Arbitrary.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
