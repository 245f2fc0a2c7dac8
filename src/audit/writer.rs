//! The thread that turns records into lines and lines into a file.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock;
use crate::telemetry::chain;

use super::append::Batch;
use super::file::AuditFile;
use super::line;
use super::note::Note;
use super::record::Record;
use super::start::Origin;
use super::state::{Shared, write_error};

/// What the writer is sent.
#[derive(Debug)]
pub(super) enum Message {
    /// What happened beside calls, and when.
    Note(Box<(Timestamp, Note)>),
    /// A record that ended.
    Record(Box<Record>),
    /// Nothing but a reason to look at `stop_by`.
    Wake,
}

#[derive(Debug)]
pub(super) struct Writer {
    receiver: Receiver<Message>,
    file: AuditFile,
    origin: Origin,
    shared: Arc<Shared>,
    // Dropped after `receiver`, for that is the order of the fields.
    _ended: Ended,
    batch: Batch,
    // Records in the batch; their places are given back when all of it is written.
    records: usize,
    sequence: u64,
    // When the file's path was last compared with the file.
    followed: Instant,
}

impl Writer {
    pub(super) fn new(
        receiver: Receiver<Message>,
        file: AuditFile,
        origin: Origin,
        shared: Arc<Shared>,
        ended: watch::Sender<bool>,
    ) -> Self {
        Self {
            receiver,
            file,
            origin,
            shared,
            _ended: Ended(ended),
            batch: Batch::default(),
            records: 0,
            sequence: 0,
            followed: clock::now(),
        }
    }

    pub(super) fn run(mut self) {
        while self.gather() {
            self.flush();
        }
        // Losses since the last batch.
        self.flush();
        self.file.sync();
    }

    /// Waits for records and makes lines of those that are there. `false` when no more will come, or
    /// when the time is over.
    fn gather(&mut self) -> bool {
        let first = match self.shared.stop_by.get() {
            None => self.receiver.recv().ok(),
            Some(by) => {
                let left = by.saturating_duration_since(clock::now());
                if left.is_zero() || self.shared.taken() == 0 {
                    return false;
                }
                match self.receiver.recv_timeout(left.min(LAST_CALLS)) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => return true,
                    Err(RecvTimeoutError::Disconnected) => None,
                }
            }
        };
        let Some(first) = first else {
            return false;
        };
        self.accept(first);
        if self.shared.stop_by.get().is_none() {
            // While we do not wait at the channel, nobody pays for waking us, and many records
            // become one write.
            thread::park_timeout(GATHER);
        }
        while self.batch.lines.len() < BATCH_BYTES
            && let Ok(message) = self.receiver.try_recv()
        {
            self.accept(message);
        }
        true
    }

    fn accept(&mut self, message: Message) {
        match message {
            Message::Note(note) => {
                let (at, note) = *note;
                self.sequence += 1;
                line::note(
                    &mut self.batch.lines,
                    &self.origin,
                    self.sequence,
                    at,
                    &note,
                );
                self.records += 1;
            }
            Message::Record(record) => {
                self.sequence += 1;
                line::call(&mut self.batch.lines, &self.origin, self.sequence, &record);
                self.records += 1;
            }
            Message::Wake => {}
        }
    }

    /// Writes the batch, however often it takes. Gives up only when the writer has to end.
    fn flush(&mut self) {
        let losses = self.shared.losses();
        if losses > 0 {
            self.sequence += 1;
            let at = clock::wall();
            let lines = &mut self.batch.lines;
            line::loss(lines, &self.origin, self.sequence, at, losses);
        }
        while let Err(error) = self.attempt() {
            self.shared.fail(error);
            let now = clock::now();
            let wait = match self.shared.stop_by.get() {
                Some(by) if now >= *by => return,
                Some(by) => by.saturating_duration_since(now).min(LAST_CALLS),
                None => RETRY,
            };
            thread::park_timeout(wait);
        }
        self.shared.recover();
        self.shared.metrics.records.inc_by(self.records as u64);
        self.shared.give_back(self.records);
        self.records = 0;
        // One large batch shall not keep its memory for ever.
        self.batch.lines.shrink_to(BATCH_BYTES);
    }

    fn attempt(&mut self) -> Result<(), String> {
        let now = clock::now();
        if self.shared.is_failing() || now.saturating_duration_since(self.followed) >= FOLLOW {
            self.followed = now;
            if self.file.follow().map_err(|error| chain(&error))? {
                self.batch.restart();
            }
        }
        self.batch
            .append(&mut self.file)
            .map_err(|error| write_error(&error))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if thread::panicking() {
            // A bug of ours. From now on nothing can be recorded, which is what calls must see.
            self.shared.fail("the audit writer ended".to_owned());
        }
    }
}

/// Tells by its drop that the writer has ended. Only when the receiver is gone: a record that is sent to
/// nobody is counted as lost, one that lies in a queue which nobody reads is not.
#[derive(Debug)]
struct Ended(watch::Sender<bool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// How long records may gather into one write: unnoticeable for who reads along, and at a thousand
/// calls per second ten times fewer writes.
const GATHER: Duration = Duration::from_millis(10);

/// A batch is written when it is this long, however many more wait.
const BATCH_BYTES: usize = 256 * 1024;

/// How often a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often we see whether the file was moved away.
const FOLLOW: Duration = Duration::from_secs(1);

/// How often the writer looks around when it has to end.
const LAST_CALLS: Duration = Duration::from_millis(50);
