//! What outlives the process: owners, written down by a thread of their own.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::clock;
use crate::telemetry::chain;

use super::error::JournalError;
use super::file::{Claim, JournalFile, Kind, Object};
use super::metrics::Metrics;
use super::owner::Owner;

/// The file below the state folder.
const FILE: &str = "ledger.journal";

/// How many lines wait for the disk. Further ones are lost: their owners are if lictor restarts before it sees the objects
/// again. Some 2 MiB; 8,192 new tasks within one hiccup of a disk are more than an agent makes.
const QUEUE: usize = 8192;

/// While the writer does not wait at the queue, nobody pays for waking it, and many lines become one write. What ends the
/// process without notice takes the lines of this time with it.
const GATHER: Duration = Duration::from_millis(1);

/// The most that is written at once.
const BATCH_BYTES: usize = 256 << 10;

/// The wait between attempts to write.
const RETRY: Duration = Duration::from_millis(500);

/// How often compacting is tried again where it fails, in lines.
const COMPACT_AGAIN: usize = 10_000;

/// Owners that are kept on disk. A clone is another handle on the same file.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sender: SyncSender<Message>,
    metrics: Metrics,
    trouble: Arc<Mutex<Option<String>>>,
}

/// What the writer is sent.
#[derive(Debug)]
enum Message {
    Keep(Box<Kept>),
    Stop(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Kept {
    object: Object,
    owner: Owner,
    until: Instant,
}

impl Journal {
    /// Opens the journal of a state folder, reads what counts, and starts the writer.
    ///
    /// # Errors
    /// When it cannot be used; the message says what to do.
    pub fn open(folder: &Path, metrics: Metrics) -> Result<(Self, Vec<Claim>), JournalError> {
        let (file, claims) = JournalFile::open(&folder.join(FILE), clock::wall().as_second())?;
        let (sender, receiver) = sync_channel(QUEUE);
        let trouble = Arc::new(Mutex::new(None));
        let writer = Writer {
            receiver,
            file,
            metrics: metrics.clone(),
            trouble: Arc::clone(&trouble),
            batch: Vec::new(),
            lines: 0,
            patience: 0,
        };
        let thread = thread::Builder::new().name("ledger".to_owned());
        thread
            .spawn(move || writer.run())
            .map_err(JournalError::Thread)?;
        let inner = Inner {
            sender,
            metrics,
            trouble,
        };
        Ok((Self(Arc::new(inner)), claims))
    }

    /// Why lines cannot be written now, if they cannot.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.0.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all is written that was to be, but not past `deadline`. What is kept later is lost. `false` when some
    /// was not written.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        let by = clock::now() + deadline;
        let (stopped, stopping) = oneshot::channel();
        let mut message = Message::Stop(stopped);
        loop {
            match self.0.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if clock::now() < by => message = back,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return false,
            }
            tokio::time::sleep(GATHER).await;
        }
        let left = by.saturating_duration_since(clock::now());
        matches!(tokio::time::timeout(left, stopping).await, Ok(Ok(())))
    }

    /// Writes an owner down, soon. `false` when too many lines wait: the line is lost.
    fn keep(&self, kept: Kept) -> bool {
        let sent = self.0.sender.try_send(Message::Keep(Box::new(kept)));
        if sent.is_err() {
            self.0.metrics.lost.inc();
        }
        sent.is_ok()
    }
}

/// Writes down the owners of one agent's objects of one kind.
#[derive(Debug, Clone)]
pub(super) struct Pen {
    pub(super) journal: Journal,
    pub(super) agent: Box<str>,
    pub(super) kind: Kind,
}

impl Pen {
    /// `false` when the line is lost.
    pub(super) fn keep(&self, id: &str, owner: &Owner, until: Instant) -> bool {
        self.journal.keep(Kept {
            object: Object {
                agent: self.agent.clone(),
                kind: self.kind,
                id: id.into(),
            },
            owner: owner.clone(),
            until,
        })
    }
}

/// The thread that writes.
#[derive(Debug)]
struct Writer {
    receiver: Receiver<Message>,
    file: JournalFile,
    metrics: Metrics,
    trouble: Arc<Mutex<Option<String>>>,
    /// Whole lines that are to be written.
    batch: Vec<u8>,
    lines: usize,
    /// Lines until compacting is tried again.
    patience: usize,
}

impl Writer {
    fn run(mut self) {
        // Without an owner of the other end nothing comes any more, and all that came was written.
        while let Ok(first) = self.receiver.recv() {
            let mut stop = self.accept(first);
            if stop.is_none() {
                thread::park_timeout(GATHER);
            }
            while stop.is_none() && self.batch.len() < BATCH_BYTES {
                match self.receiver.try_recv() {
                    Ok(message) => stop = self.accept(message),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            if let Some(stopped) = stop {
                return self.end(stopped);
            }
            while !self.flush() {
                // Meanwhile lines wait in the queue, and at its end they are lost.
                thread::park_timeout(RETRY);
            }
            self.compact();
        }
    }

    /// Writes what is there, once, and tells whether all of it was.
    fn end(mut self, stopped: oneshot::Sender<()>) {
        let is_written = self.flush() && self.file.sync().is_ok();
        // Gives the lock back, before anybody hears that it is over.
        drop(self);
        if is_written {
            // An error means that nobody waits any more.
            let _nobody = stopped.send(());
        }
    }

    fn accept(&mut self, message: Message) -> Option<oneshot::Sender<()>> {
        let kept = match message {
            Message::Keep(kept) => kept,
            Message::Stop(stopped) => return Some(stopped),
        };
        let left = kept.until.saturating_duration_since(clock::now());
        let left = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let claim = Claim {
            object: kept.object,
            owner: kept.owner,
            until: clock::wall().as_second().saturating_add(left),
        };
        claim.write(&mut self.batch);
        self.lines += 1;
        None
    }

    /// Writes the batch. `false` when it is still there.
    fn flush(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        match self.file.append(&self.batch, self.lines) {
            Ok(()) => {
                self.metrics.written.inc_by(self.lines as u64);
                self.patience = self.patience.saturating_sub(self.lines);
                self.batch.clear();
                self.lines = 0;
                self.tell(None);
                true
            }
            Err(error) => {
                let path = self.file.path().display();
                self.tell(Some(format!(
                    "`{path}` cannot be written, so that owners may be forgotten at a restart: {error}"
                )));
                false
            }
        }
    }

    fn compact(&mut self) {
        if self.patience > 0 || !self.file.is_mostly_dead() {
            return;
        }
        if let Err(error) = self.file.compact(clock::wall().as_second()) {
            // The old one is as good, only longer.
            tracing::warn!(error = %chain(&error), "the ledger cannot be made shorter");
            self.patience = COMPACT_AGAIN;
        }
    }

    /// One message for one fact.
    fn tell(&self, trouble: Option<String>) {
        self.metrics.failing.set(i64::from(trouble.is_some()));
        let mut told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => tracing::error!("{trouble}"),
            None => tracing::info!("the ledger is written again"),
        }
        *told = trouble;
    }
}
