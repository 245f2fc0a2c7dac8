//! Carries admitted calls to the agent and its answers back.
//!
//! Owns the connections to the one agent that we stand beside: opening, reusing, closing; deadlines;
//! what a request and an answer may look like on the wire. Leaves to `proxy` which headers a request
//! has and what a failure looks like to the caller. Must not judge a call: [`Upstream::forward`] takes
//! the [`Admission`] that says so, and without one does not compile.
//!
//! Never sends a request twice unless the agent cannot have seen it, or asked for nothing to change.

mod config;
mod connect;
mod connection;
mod error;
mod fuzz;
mod headers;
mod pool;
mod request_body;
mod response_body;
mod stats;
mod upgrade;

#[cfg(test)]
mod tests;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::header::HeaderValue;
use http::{Request, Response};
use hyper::client::conn::http1::Builder;
use hyper::upgrade::OnUpgrade;

use crate::clock;
use crate::quota::Admission;

pub use config::*;
pub use error::{FramingError, RequestBodyError, UpstreamError};
pub use fuzz::fuzz_written;
pub use headers::strip_hop_by_hop;
pub use request_body::{RequestBody, StreamedBody};
pub use response_body::ResponseBody;
pub use stats::UpstreamStats;
pub use upgrade::{Switched, SwitchedStream, Upgraded};

use connect::Target;
use connection::Connection;
use pool::Pool;
use request_body::Progress;
use response_body::Lease;

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

#[derive(Debug)]
struct Shared {
    target: Target,
    host: HeaderValue,
    client: Builder,
    connect: Duration,
    pool: Pool,
    stats: Arc<UpstreamStats>,
}

impl Upstream {
    /// An agent that nobody has connected to yet.
    pub fn new(config: &Config) -> Self {
        let target = Target::new(&config.host, config.port);
        Self {
            shared: Arc::new(Shared {
                // A host that is no field value is none that resolves either; the first call says so.
                host: HeaderValue::try_from(target.authority())
                    .unwrap_or_else(|_| HeaderValue::from_static("agent")),
                target,
                client: client(),
                connect: config.connect,
                pool: Pool::new(config.idle, config.workers),
                stats: Arc::default(),
            }),
        }
    }

    /// What the room counts.
    pub fn stats(&self) -> Arc<UpstreamStats> {
        Arc::clone(&self.shared.stats)
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
    pub async fn forward(
        &self,
        admission: Admission,
        mut request: Request<RequestBody>,
        deadlines: Deadlines,
    ) -> Result<Forwarded, (UpstreamError, Admission)> {
        headers::prepare(&mut request, &self.shared.host);
        match self.exchange(request, deadlines).await {
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

    async fn exchange(
        &self,
        mut request: Request<RequestBody>,
        deadlines: Deadlines,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let stats = &self.shared.stats;
        while let Some(connection) = self.shared.pool.pop(clock::now()) {
            let spare = spare(&request);
            let failure = match self.send(connection, request, deadlines).await {
                Ok(response) => {
                    stats.reused.fetch_add(1, Relaxed);
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            match (failure.unsent, spare, failure.error) {
                // The agent has closed it while it was idle, and has not seen a byte of the request.
                (Some(unsent), _, _) => {
                    stats.stale.fetch_add(1, Relaxed);
                    request = unsent;
                }
                // The agent has closed it as we wrote, and the request is one that changes nothing.
                (None, Some(spare), UpstreamError::Closed(_)) => {
                    stats.retried.fetch_add(1, Relaxed);
                    request = spare;
                    break;
                }
                (None, _, error) => return Err(error),
            }
        }
        let connection = self.connect(deadlines.total).await?;
        self.send(connection, request, deadlines)
            .await
            .map_err(|failure| failure.error)
    }

    async fn connect(&self, total: Instant) -> Result<Connection, UpstreamError> {
        let shared = &self.shared;
        let limit = within(shared.connect, total);
        let stream = tokio::time::timeout_at(limit.into(), shared.target.connect())
            .await
            .map_err(|_| {
                if clock::now() >= total {
                    UpstreamError::TotalTimeout
                } else {
                    UpstreamError::ConnectTimeout
                }
            })?
            .map_err(UpstreamError::Connect)?;
        Connection::new(&shared.client, stream, shared.stats.open())
            .await
            .map_err(UpstreamError::Closed)
    }

    async fn send(
        &self,
        mut connection: Connection,
        request: Request<RequestBody>,
        deadlines: Deadlines,
    ) -> Result<Response<ResponseBody>, Failure> {
        let progress = request.body().progress();
        let mut answer = pin!(connection.send(request));
        let answer = loop {
            let taken = progress.as_ref().map_or(0, |body| body.bytes());
            let limit = within(deadlines.first_byte, deadlines.total);
            let driven = poll_fn(|cx| {
                connection.drive(cx);
                answer.as_mut().poll(cx)
            });
            match tokio::time::timeout_at(limit.into(), driven).await {
                Ok(answer) => break answer,
                Err(_) if clock::now() >= deadlines.total => {
                    return Err(UpstreamError::TotalTimeout.into());
                }
                // The agent's time runs from the end of the request, and this one is not at its end.
                Err(_) if progress.as_ref().is_some_and(|body| body.has_moved(taken)) => {}
                Err(_) => return Err(UpstreamError::FirstByteTimeout.into()),
            }
        };
        let answer = answer.map_err(|failed| Failure::new(failed, progress.as_deref()))?;

        let (mut head, incoming) = answer.into_parts();
        if head.extensions.get::<OnUpgrade>().is_some() {
            return Err(UpstreamError::Upgrade.into());
        }
        headers::accept(&mut head).map_err(UpstreamError::Framing)?;
        let lease = Lease {
            connection,
            progress,
            shared: Arc::clone(&self.shared),
        };
        Ok(Response::from_parts(
            head,
            ResponseBody::new(incoming, deadlines, lease),
        ))
    }
}

/// A request that got no answer.
struct Failure {
    error: UpstreamError,
    // The request itself, when no byte of it was written.
    unsent: Option<Request<RequestBody>>,
}

impl Failure {
    fn new(
        mut failed: hyper::client::conn::TrySendError<Request<RequestBody>>,
        progress: Option<&Progress>,
    ) -> Self {
        let unsent = failed.take_message();
        let error = match progress.and_then(Progress::fault) {
            Some(fault) => UpstreamError::RequestBody(fault),
            None => UpstreamError::before_the_answer(failed.into_error()),
        };
        Self { error, unsent }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self {
            error,
            unsent: None,
        }
    }
}

/// A copy of a request that may safely be sent twice: a safe method (RFC 9110, section 9.2.1) without
/// a body. An idempotent one is not enough: the second DELETE of a thing has another answer.
fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_safe() || !matches!(request.body(), RequestBody::Empty) {
        return None;
    }
    let mut spare = Request::new(RequestBody::Empty);
    *spare.method_mut() = request.method().clone();
    *spare.uri_mut() = request.uri().clone();
    *spare.headers_mut() = request.headers().clone();
    Some(spare)
}

/// The moment that is `limit` from now, or `total` if that is earlier.
fn within(limit: Duration, total: Instant) -> Instant {
    clock::now()
        .checked_add(limit)
        .map_or(total, |moment| moment.min(total))
}

/// Strict by default: no folded lines, no spaces before a colon, no HTTP/0.9. At most 100 fields,
/// which is the client's own limit and the only one that it parses without an allocation.
fn client() -> Builder {
    let mut client = Builder::new();
    client.max_header_size(HEAD_BYTES).max_buf_size(HEAD_BYTES);
    client
}

/// The longest head of an answer, and the most that one connection buffers in either direction.
const HEAD_BYTES: usize = 64 * 1024;
