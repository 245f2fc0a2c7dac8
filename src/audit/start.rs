//! The room's handle.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;

use super::config::Config;
use super::error::{StartError, Unwritten};
use super::file::AuditFile;
use super::metrics::Metrics;
use super::note::Note;
use super::open::Open;
use super::state::{Shared, State};
use super::writer::{Message, Writer};

/// Whose records these are; each line says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// This process: another start is another instance.
    pub instance: Arc<str>,
    /// The agent that we stand beside.
    pub agent: Arc<str>,
}

/// The audit trail. A clone is another handle on the same trail; with the last one gone, open records
/// included, the writer ends.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Inner>);

impl Audit {
    /// Opens the file and starts the writer.
    ///
    /// # Errors
    /// When the file cannot be appended to; the message says which and what to do.
    pub fn start(config: &Config, origin: Origin, metrics: Metrics) -> Result<Self, StartError> {
        let file = AuditFile::open(config)?;
        let capacity = config.queue.max(1);
        // One more than there are places, for the word that wakes the writer.
        let (sender, receiver) = sync_channel(capacity.saturating_add(1));
        let shared = Arc::new(Shared::new(capacity, config.on_full, metrics));
        let (ended, ending) = watch::channel(false);
        let writer = Writer::new(receiver, file, origin, Arc::clone(&shared), ended);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run())
            .map_err(StartError::Thread)?;
        Ok(Self(Arc::new(Inner {
            sender,
            shared,
            thread: thread.thread().clone(),
            ended: ending,
        })))
    }

    /// Opens the record of a call that begins now.
    pub fn open(&self) -> Open {
        let place = self.0.shared.take();
        Open::new(Arc::clone(&self.0), place)
    }

    /// Records what happened beside calls. Never waits: without a free place it is counted as lost.
    pub fn note(&self, note: Note) {
        let Inner { shared, .. } = &*self.0;
        if shared.take() {
            self.0
                .hand_over(Message::Note(Box::new((clock::wall(), note))));
        } else {
            shared.lose();
        }
    }

    /// Whether records can be written.
    pub fn state(&self) -> State {
        self.0.shared.state()
    }

    /// Waits until all records are closed and written, but not past `deadline`. Call it when the last
    /// call has ended; what is closed later is lost.
    ///
    /// # Errors
    /// When some were still open or unwritten at the deadline.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), Unwritten> {
        self.0.stop(clock::now() + deadline);
        let mut ended = self.0.ended.clone();
        // The writer ends by itself at the deadline, unless a write blocks: standard output that
        // nobody reads. It may well need that long, so it gets a moment more.
        let wait = deadline.saturating_add(LAST_WRITE);
        // The inner error means that the writer is gone, which is as good an end as its word.
        let in_time = tokio::time::timeout(wait, ended.wait_for(|ended| *ended))
            .await
            .is_ok();
        match self.0.shared.taken() {
            0 if in_time => Ok(()),
            records => Err(Unwritten { records }),
        }
    }
}

/// What the handles and the open records share.
#[derive(Debug)]
pub(super) struct Inner {
    sender: SyncSender<Message>,
    pub(super) shared: Arc<Shared>,
    thread: Thread,
    ended: watch::Receiver<bool>,
}

impl Inner {
    /// Hands a message with a place over. Never waits.
    pub(super) fn hand_over(&self, message: Message) {
        match self.sender.try_send(message) {
            Ok(()) => {}
            // INVARIANT: never full, since a record has its place. Gone: the writer ended before us.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.lose();
                self.shared.give_back(1);
            }
        }
    }

    fn stop(&self, by: Instant) {
        // Only the first sends: the channel has one place for it.
        if self.shared.stop_by.set(by).is_ok() {
            let _gone = self.sender.try_send(Message::Wake);
            self.thread.unpark();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without it, a writer that cannot write would try for ever.
        self.stop(clock::now() + LAST_WRITE);
    }
}

/// How long a write that was begun at the very end may take.
const LAST_WRITE: Duration = Duration::from_secs(1);
