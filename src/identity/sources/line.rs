//! Connections to those who are asked: one request at a time on each, and kept for the next where there is one.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock;

use super::fetch::{Document, Form, Target, ask};
use crate::identity::error::KeysError;

/// How long a connection is kept that nobody uses. Many servers end theirs after a minute.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// How old a connection may be: so late a name that has moved, or another `ca`, counts.
const MAX_AGE: Duration = Duration::from_secs(300);

/// How many are kept for one issuer: as many as are used at once.
const MOST: usize = 32;

/// A connection. It is driven by whoever asks, and by no task of its own, so that nothing outlives its owner.
pub(super) struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None when it has ended.
    connection: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
    opened: Instant,
}

impl Line {
    pub(super) async fn open<IO>(io: IO) -> hyper::Result<Self>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection)),
            opened: clock::now(),
        })
    }

    /// One request and its whole answer.
    pub(super) async fn ask(
        &mut self,
        target: &Target,
        form: Option<&Form>,
    ) -> Result<Document, KeysError> {
        let Self {
            sender, connection, ..
        } = self;
        let mut answer = pin!(ask(sender, target, form));
        if let Some(open) = connection {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                _ended = open => {}
            }
        }
        // It may end before the answer is read to its end. Dropped, it tells those who still wait for it to begin.
        *connection = None;
        answer.await
    }
}

/// Connections to one issuer that nobody uses at the moment. At most [`MOST`]; further ones are ended.
///
/// A connection is used again by the thread that opened it, where its socket is looked after. One that the issuer ended
/// meanwhile is noticed when it is used, and taken away after [`MAX_IDLE`] when another is asked for.
#[derive(Default)]
pub(in crate::identity) struct Lines(Mutex<Vec<Kept>>);

struct Kept {
    line: Line,
    thread: ThreadId,
    since: Instant,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    /// The one that was used last.
    pub(super) fn take(&self) -> Option<Line> {
        let now = clock::now();
        let fresh = |kept: &Kept| {
            let (idle, age) = (now - kept.since, now - kept.line.opened);
            idle < MAX_IDLE && age < MAX_AGE
        };
        let here = thread::current().id();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(fresh);
        let index = lines.iter().rposition(|kept| kept.thread == here)?;
        Some(lines.remove(index).line)
    }

    /// Keeps one whose answer was read to its end.
    pub(super) fn keep(&self, line: Line) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if line.connection.is_some() && lines.len() < MOST {
            lines.push(Kept {
                line,
                thread: thread::current().id(),
                since: clock::now(),
            });
        }
    }
}
