//! What the agent says in a tunnel, on its way to the caller: bytes in, frames out.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::model::{Finding, LeakAction};
use crate::scan::{Blocked, Detectors, Messages, Payload, Released, scan_text};
use crate::websocket::{Frame, Limits, Opcode, Reader, Sender, Violation, encode};

use super::whole::{Joiner, Message, opcode};

/// Judges one direction. Pure: the same bytes in any cutting give the same frames.
///
/// Without detectors each frame leaves as it came. With them a message leaves whole, when it is decided, as
/// it came or as one frame of what is left of it; pings and pongs pass those that wait. Where somebody judges messages, they are
/// joined and handed out one by one ([`next`](Relay::next)), and come back to [`pass`](Relay::pass).
#[derive(Debug)]
pub(super) struct Relay {
    reader: Reader,
    joiner: Joiner,
    screen: Option<Screen>,
}

/// Why a tunnel must end here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    Blocked(Blocked),
    Violation(Violation),
}

#[derive(Debug)]
struct Screen {
    detectors: Arc<Detectors>,
    messages: Messages,
    /// Messages that have not left, as they came.
    waiting: VecDeque<(Payload, Bytes)>,
    released: VecDeque<Released>,
    findings: Vec<Finding>,
}

impl Relay {
    pub(super) fn new(detectors: &Arc<Detectors>, limits: Limits) -> Self {
        let screen = (!detectors.is_empty()).then(|| Screen {
            detectors: Arc::clone(detectors),
            messages: Messages::new(Arc::clone(detectors)),
            waiting: VecDeque::new(),
            released: VecDeque::new(),
            findings: Vec::new(),
        });
        Self {
            reader: Reader::new(Sender::Agent, limits),
            joiner: Joiner::default(),
            screen,
        }
    }

    /// Where bytes of the agent are appended as they arrive.
    pub(super) const fn buffer(&mut self) -> &mut BytesMut {
        self.reader.buffer()
    }

    /// Reads what has arrived, and puts out what may leave.
    pub(super) fn take(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), Stop> {
        while let Some(frame) = self.reader.next_frame()? {
            match &mut self.screen {
                None => out.push_back(frame.into_wire()),
                Some(screen) if frame.opcode().is_control() => screen.control_frame(frame, out)?,
                Some(_) => {
                    if let Some(message) = self.joiner.join(frame) {
                        self.pass(message, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The next message that has arrived, if one has. Control frames before it are put out.
    pub(super) fn next(&mut self, out: &mut VecDeque<Bytes>) -> Result<Option<Message>, Stop> {
        while let Some(frame) = self.reader.next_frame()? {
            match &mut self.screen {
                _ if !frame.opcode().is_control() => {
                    if let Some(message) = self.joiner.join(frame) {
                        return Ok(Some(message));
                    }
                }
                None => out.push_back(frame.into_wire()),
                Some(screen) => screen.control_frame(frame, out)?,
            }
        }
        Ok(None)
    }

    /// Puts out what may leave after this message, which is the next. Its wire is what leaves if nothing is changed.
    pub(super) fn pass(&mut self, message: Message, out: &mut VecDeque<Bytes>) -> Result<(), Stop> {
        match &mut self.screen {
            None => out.push_back(message.wire),
            Some(screen) => screen.read(message, out)?,
        }
        Ok(())
    }

    /// Whether the agent has closed its direction; then all has left.
    pub(super) const fn is_closed(&self) -> bool {
        self.reader.is_closed()
    }

    /// What waits has waited long enough.
    pub(super) fn hold_expired(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), Stop> {
        let Some(screen) = &mut self.screen else {
            return Ok(());
        };
        let expired = screen.messages.hold_expired(&mut screen.released);
        screen.leave(out);
        expired.map_err(Stop::Blocked)
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        let screen = self.screen.as_ref();
        screen.map_or(0, |screen| screen.messages.waiting_bytes())
    }

    pub(super) fn waits_from(&self) -> Option<u64> {
        self.screen.as_ref()?.messages.waits_from()
    }

    pub(super) fn hold_time(&self) -> Duration {
        let screen = self.screen.as_ref();
        screen.map_or(Duration::ZERO, |screen| screen.messages.hold_time())
    }

    /// The findings since the last call.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        let Some(screen) = &mut self.screen else {
            return Vec::new();
        };
        let mut findings = std::mem::take(&mut screen.findings);
        findings.append(&mut screen.messages.take_findings());
        findings
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<Blocked> for Stop {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

impl Screen {
    fn control_frame(&mut self, frame: Frame, out: &mut VecDeque<Bytes>) -> Result<(), Blocked> {
        if frame.opcode() == Opcode::Close {
            // Nothing follows: what waits is what it is.
            let finished = self.messages.finish(&mut self.released);
            self.leave(out);
            finished?;
        }
        self.control(frame, out)
    }

    fn read(&mut self, message: Message, out: &mut VecDeque<Bytes>) -> Result<(), Blocked> {
        let Message {
            payload,
            wire,
            data,
        } = message;
        self.waiting.push_back((payload, wire));
        let read = self.messages.read(payload, &data, &mut self.released);
        self.leave(out);
        read
    }

    fn leave(&mut self, out: &mut VecDeque<Bytes>) {
        for released in self.released.drain(..) {
            // INVARIANT: the scan releases what it was given, in that order and once.
            let Some((payload, wire)) = self.waiting.pop_front() else {
                return;
            };
            out.push_back(match released {
                Released::AsItCame => wire,
                Released::Changed(data) => encode(opcode(payload), &data, None),
            });
        }
    }

    /// A control frame, which is read by itself: one with something to redact leaves without its text.
    fn control(&mut self, frame: Frame, out: &mut VecDeque<Bytes>) -> Result<(), Blocked> {
        let payload = frame.payload();
        let code = match frame.opcode() {
            Opcode::Close => payload.len().min(CODE_BYTES),
            _ => 0,
        };
        let (code, text) = payload.split_at_checked(code).unwrap_or((&payload, &[]));
        let findings = scan_text(&self.detectors, text);
        let strongest = findings.iter().max_by_key(|finding| finding.action);
        let outcome = match strongest.map(|finding| (finding.action, finding.detector)) {
            Some((LeakAction::Block, detector)) => Err(Blocked::Finding { detector, at: 0 }),
            Some((LeakAction::Redact, _)) => {
                out.push_back(encode(frame.opcode(), code, None));
                Ok(())
            }
            Some((LeakAction::Allow | LeakAction::Flag, _)) | None => {
                out.push_back(frame.into_wire());
                Ok(())
            }
        };
        self.findings
            .extend(findings.into_iter().map(|finding| Finding {
                channel: Arc::from("websocket control"),
                ..finding
            }));
        outcome
    }
}

/// The code of a close frame.
const CODE_BYTES: usize = 2;
