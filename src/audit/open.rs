//! The guard of a record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::{Reason, Refusal};

use super::config::OnFull;
use super::record::{Outcome, Record};
use super::start::Inner;
use super::writer::Message;

/// The record of a call that goes on. It is handed over exactly once, by its drop.
#[derive(Debug)]
pub struct Open {
    audit: Arc<Inner>,
    // `None` only after it was handed over.
    record: Option<Box<Record>>,
    started: Instant,
    // Whether the record has its place in the queue already.
    place: bool,
}

impl Open {
    pub(super) fn new(audit: Arc<Inner>, place: bool) -> Self {
        Self {
            audit,
            record: Some(Box::new(Record {
                time: clock::wall(),
                ..Record::default()
            })),
            started: clock::now(),
            place,
        }
    }

    /// Whether the call may go on as far as its record is concerned. Ask before anything is forwarded.
    ///
    /// # Errors
    /// With `onFull: deny`, while records cannot be written or when this one has no place. The refusal
    /// itself is recorded if a place is free at its end, else counted as lost.
    pub fn admit(&self) -> Result<(), Refusal> {
        match self.audit.shared.on_full {
            OnFull::Deny if !self.place => {
                Err(Refusal::new(Reason::AuditUnavailable).detail("no place in the audit queue"))
            }
            OnFull::Deny if self.audit.shared.is_failing() => {
                Err(Refusal::new(Reason::AuditUnavailable)
                    .detail("audit records cannot be written"))
            }
            OnFull::Deny | OnFull::Drop => Ok(()),
        }
    }

    /// What is recorded so far.
    pub fn record(&mut self) -> &mut Record {
        self.record.get_or_insert_with(Box::default)
    }

    /// When the call began.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Ends the record and hands it over.
    pub fn close(mut self, outcome: Outcome) -> Taken {
        self.end(outcome)
    }

    /// Ends the record, which its drop hands over. What it took is given back for the metrics, so that both tell the same. A record
    /// that is dropped without it was ended midway.
    pub fn end(&mut self, outcome: Outcome) -> Taken {
        let total = self.elapsed();
        let record = self.record();
        record.outcome = Some(outcome);
        record.duration = total;
        Taken {
            total,
            lictor: record.lictor(total),
        }
    }

    fn elapsed(&self) -> Duration {
        clock::now().saturating_duration_since(self.started)
    }
}

/// What a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// From its beginning to its end.
    pub total: Duration,
    /// The part of it that was not waiting for the agent or the caller.
    pub lictor: Duration,
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else {
            return;
        };
        if record.outcome.is_none() {
            record.duration = self.elapsed();
        }
        // Dropped midway. With an answer on its way, it is nearly always the caller who left: that
        // is how the server tells us. Without one, it may have been either; nothing was sent.
        record.outcome.get_or_insert(match record.status {
            Some(_) => Outcome::DownstreamGone,
            None => Outcome::Aborted,
        });
        if !record.is_kept() {
            self.audit.shared.leave_out(self.place);
        } else if self.place || self.audit.shared.take() {
            self.audit.hand_over(Message::Record(record));
        } else {
            self.audit.shared.lose();
        }
    }
}
