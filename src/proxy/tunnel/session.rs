//! The life of a tunnel: what passes between its ends, and when it ends.

mod calls;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::audit::Outcome;
use crate::clock::{self, Alarm};
use crate::listener::Guarded;
use crate::model::{Reason, Refusal};
use crate::quota::Admission;
use crate::telemetry::InFlight;
use crate::upstream::SwitchedStream;
use crate::websocket::{CloseCode, Frame, Limits, Opcode, Reader, Sender, encode_close};

use super::super::dialogue::Dialogue;
use super::super::hold::{Due, Hold};
use super::super::peer::Peer;
use super::super::relay::{Relay, Stop};
use super::super::snapshot::Reading;
use super::super::standing::Standing;
use super::super::toll::Toll;
use super::super::upgrade::Opening;
use super::super::whole::Joiner;
use super::super::{Proxy, reply};
use super::{CUT_TIME, Tunnel};

/// Both ends of a tunnel, and what is between them.
///
/// Holds at most a message and a read of each direction, 64 KiB and a message on the way to each end, and
/// what the scan holds back.
pub(super) struct Session<C, A> {
    caller: Peer<C>,
    agent: Peer<A>,
    from_caller: Reader,
    from_agent: Relay,
    /// What leaves for the caller next.
    out: VecDeque<Bytes>,
    hold: Hold,
    /// The calls in messages, where they are judged.
    dialogue: Option<Dialogue>,
    /// How messages are read.
    reading: Reading,
    /// What the caller says is joined only there.
    joiner: Joiner,
    /// A frame of the caller behind a message that is still judged: nothing more is read before that.
    stopped_at: Option<Frame>,
    proxy: Arc<Proxy>,
    standing: Standing,
    toll: Toll,
    admission: Option<Admission>,
    /// Bytes of the agent, and how many there may be.
    received: u64,
    limit: u64,
    idle: Duration,
    /// When the call has taken as long as it may.
    ends_at: Instant,
    /// When a drain has given all the grace that it gives.
    drains_at: Option<Instant>,
    moved_at: Instant,
    paused_at: Option<Instant>,
    stage: Stage,
    alarm: Alarm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Both directions run.
    Open,
    /// One end has closed its direction, and the other is waited for.
    Closing { by: Instant },
    /// We have closed both, and wait for the ends to take it.
    Cut { by: Instant },
    /// What is on its way leaves, and then it is over.
    Over { by: Instant },
}

impl<C> Session<C, Guarded<SwitchedStream>> {
    pub(super) fn new(tunnel: Tunnel, caller: C, write_stall: Duration) -> (Self, InFlight) {
        let Tunnel {
            proxy,
            opening,
            admission,
            toll,
            open,
        } = tunnel;
        let Opening {
            agent,
            accepted,
            detectors,
            standing,
            origin,
            reading,
            limits,
            started,
        } = opening;
        let most = usize::try_from(limits.response_bytes).unwrap_or(usize::MAX);
        let of = |message_bytes| Limits {
            message_bytes,
            is_compressed: accepted.is_compressed,
        };
        let session = Self {
            caller: Peer::new(caller),
            agent: Peer::new(Guarded::new(agent, write_stall)),
            from_caller: Reader::new(Sender::Caller, of(limits.request_bytes)),
            from_agent: Relay::new(&detectors, of(detectors.config().buffer_bytes.min(most))),
            out: VecDeque::new(),
            hold: Hold::new(Arc::clone(&proxy)),
            dialogue: origin.map(|origin| Dialogue::new(Arc::clone(&proxy), *origin)),
            reading,
            joiner: Joiner::default(),
            stopped_at: None,
            proxy,
            standing,
            toll,
            admission: Some(admission),
            received: 0,
            limit: limits.response_bytes,
            idle: limits.idle,
            ends_at: started + limits.time,
            drains_at: None,
            moved_at: clock::now(),
            paused_at: None,
            stage: Stage::Open,
            alarm: Alarm::default(),
        };
        (session, open)
    }
}

impl<C, A> Session<C, A>
where
    C: AsyncRead + AsyncWrite + Unpin,
    A: AsyncRead + AsyncWrite + Unpin,
{
    /// Takes what the caller has sent already.
    pub(super) fn begin(&mut self, ahead: &[u8]) {
        self.from_caller.buffer().extend_from_slice(ahead);
        self.toll.record().request_bytes += ahead.len() as u64;
        self.take_from_caller();
    }

    pub(super) const fn drains(&self) -> bool {
        self.drains_at.is_some()
    }

    /// A drain gives this much grace.
    pub(super) const fn drain_until(&mut self, at: Instant) {
        self.drains_at = Some(at);
    }

    /// Ready when the tunnel has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(since) = self.paused_at.take() {
            self.toll.waited_for_agent(clock::now() - since);
        }
        loop {
            self.flush(cx);
            let mut has_moved = false;
            if matches!(self.stage, Stage::Open | Stage::Closing { .. }) {
                has_moved |= self.poll_standing(cx);
                has_moved |= self.poll_calls(cx);
            }
            if !matches!(self.stage, Stage::Over { .. }) {
                has_moved |= self.read_caller(cx);
                has_moved |= self.read_agent(cx);
                has_moved |= self.poll_hold(cx);
                self.look();
            }
            if matches!(self.stage, Stage::Over { .. }) {
                self.flush(cx);
                if self.caller.is_done() && self.agent.is_done() {
                    return Poll::Ready(());
                }
            }
            if self.poll_alarm(cx) {
                if matches!(self.stage, Stage::Over { by } if clock::now() >= by) {
                    return Poll::Ready(());
                }
                has_moved = true;
            }
            if !has_moved {
                self.paused_at = Some(clock::now());
                return Poll::Pending;
            }
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        if self.caller.flush(cx).is_err() && !self.caller.is_gone {
            self.caller.is_gone = true;
            self.caller_left();
        }
        // Otherwise its reading tells whether it is there: what it has said before it closed still counts.
        if let Err(error) = self.agent.flush(cx)
            && error.kind() == io::ErrorKind::TimedOut
        {
            self.out_of_time("the agent does not read");
        }
    }

    fn read_caller(&mut self, cx: &mut Context<'_>) -> bool {
        let most = match self.stopped_at {
            // Only to hear whether the caller is still there.
            Some(_) => READ_AHEAD,
            None => usize::MAX,
        };
        let is_full = self.agent.is_full() || self.from_caller.buffer().len() >= most;
        if self.caller.is_gone || is_full {
            return false;
        }
        let Poll::Ready(filled) = self.caller.read(cx, self.from_caller.buffer()) else {
            return false;
        };
        match filled {
            Ok(length @ 1..) => {
                self.moved_at = clock::now();
                self.toll.record().request_bytes += length as u64;
                self.take_from_caller();
            }
            Ok(0) | Err(_) => {
                self.caller.is_gone = true;
                self.caller_left();
            }
        }
        true
    }

    fn take_from_caller(&mut self) {
        if self.caller.is_mute {
            return self.from_caller.buffer().clear();
        }
        while self.stopped_at.is_none() && !self.caller.is_mute {
            match self.from_caller.next_frame() {
                Ok(Some(frame)) if self.dialogue.is_some() => self.heard(frame),
                Ok(Some(frame)) => {
                    let closes = frame.opcode() == Opcode::Close;
                    self.agent.push(frame.into_wire());
                    if closes {
                        self.agent.is_told = true;
                        self.closing();
                    }
                }
                Ok(None) => return,
                Err(violation) => {
                    self.caller.is_mute = true;
                    let reason = match violation.close_code() {
                        CloseCode::TooLarge => Reason::RequestTooLarge,
                        CloseCode::GoingAway
                        | CloseCode::InvalidData
                        | CloseCode::PolicyViolation
                        | CloseCode::ProtocolError => Reason::MalformedRequest,
                    };
                    let refusal = Refusal::new(reason).detail(violation);
                    return self.cut(violation.close_code(), &refusal, Outcome::Aborted);
                }
            }
        }
    }

    fn read_agent(&mut self, cx: &mut Context<'_>) -> bool {
        let is_answering = self.dialogue.as_ref().is_some_and(Dialogue::is_answering);
        if self.agent.is_gone || self.caller.is_full() || is_answering {
            return false;
        }
        let Poll::Ready(filled) = self.agent.read(cx, self.from_agent.buffer()) else {
            return false;
        };
        match filled {
            Ok(length @ 1..) => {
                self.moved_at = clock::now();
                self.received += length as u64;
                self.take_from_agent();
            }
            Ok(0) | Err(_) => {
                self.agent.is_gone = true;
                self.agent_left();
            }
        }
        true
    }

    fn take_from_agent(&mut self) {
        if self.agent.is_mute {
            return self.from_agent.buffer().clear();
        }
        let limit = self.limit;
        if self.received > limit {
            let refusal =
                Refusal::new(Reason::ResponseTooLarge).detail(format_args!("above {limit} bytes"));
            return self.cut(CloseCode::TooLarge, &refusal, Outcome::Blocked);
        }
        if self.dialogue.is_some() {
            return self.take_answers();
        }
        let taken = self.from_agent.take(&mut self.out);
        self.judged(taken);
    }

    /// After the agent's direction was looked at.
    fn judged(&mut self, judged: Result<(), Stop>) {
        for bytes in self.out.drain(..) {
            self.toll.delivered(bytes.len());
            self.caller.push(bytes);
        }
        self.toll.found(self.from_agent.take_findings());
        match judged {
            Ok(()) => {
                let relay = &self.from_agent;
                let (bytes, from) = (relay.waiting_bytes(), relay.waits_from());
                let held = self.hold.look(bytes, from, || relay.hold_time());
                let record = self.toll.record();
                record.held_bytes_max = record.held_bytes_max.max(held);
                if self.from_agent.is_closed() && !self.caller.is_told {
                    self.caller.is_told = true;
                    self.closing();
                }
            }
            Err(Stop::Blocked(blocked)) => {
                let refusal = Refusal::new(Reason::LeakageDetected).detail(blocked);
                self.cut(CloseCode::PolicyViolation, &refusal, Outcome::Blocked);
            }
            Err(Stop::Violation(violation)) => {
                let refusal = Refusal::new(Reason::UpstreamInvalid).detail(violation);
                self.cut(violation.close_code(), &refusal, Outcome::UpstreamTruncated);
            }
        }
    }

    fn poll_hold(&mut self, cx: &mut Context<'_>) -> bool {
        match self.hold.poll_due(cx) {
            Poll::Pending => return false,
            // Pings of either end pass what waits.
            Poll::Ready(Due::Comment) => {}
            Poll::Ready(Due::Expired) => {
                let expired = self.from_agent.hold_expired(&mut self.out);
                self.judged(expired);
            }
        }
        true
    }

    /// Ends a tunnel that may not go on under what is in force now.
    fn poll_standing(&mut self, cx: &mut Context<'_>) -> bool {
        let has_changed = self.standing.poll_change(&self.proxy, cx).is_ready();
        if has_changed && let Err(refusal) = self.standing.check(&self.proxy, None) {
            self.cut(CloseCode::PolicyViolation, &refusal, Outcome::Withdrawn);
        } else if has_changed {
            self.recheck_calls();
        }
        has_changed
    }

    /// One end has closed its direction: the other has some time to do the same.
    fn closing(&mut self) {
        if self.stage == Stage::Open {
            let by = clock::now() + CLOSE_TIME;
            self.stage = Stage::Closing { by };
        }
    }

    /// Ends the tunnel against the will of both ends, which are told in a frame.
    fn cut(&mut self, code: CloseCode, refusal: &Refusal, outcome: Outcome) {
        if matches!(self.stage, Stage::Cut { .. } | Stage::Over { .. }) {
            return;
        }
        self.toll.refused(refusal);
        self.end(outcome);
        // The agent may go on for a while, and nobody wants it; a caller answers a close with its own.
        self.agent.is_mute = true;
        let reason = reply::close_reason(refusal, self.toll.decision());
        self.caller.push(encode_close(code, &reason, None));
        self.agent.push(encode_close(code, &reason, Some(mask())));
        (self.caller.is_told, self.agent.is_told) = (true, true);
        let by = clock::now() + CUT_TIME;
        self.stage = Stage::Cut { by };
    }

    fn out_of_time(&mut self, detail: &str) {
        let refusal = Refusal::new(Reason::UpstreamTimeout).detail(detail);
        self.cut(CloseCode::GoingAway, &refusal, Outcome::UpstreamTruncated);
    }

    fn caller_left(&mut self) {
        if matches!(self.stage, Stage::Open) {
            self.end(Outcome::DownstreamGone);
        }
        self.over();
    }

    fn agent_left(&mut self) {
        if self.stage == Stage::Open {
            self.toll.refused(&Refusal::new(Reason::UpstreamTruncated));
            self.end(Outcome::UpstreamTruncated);
            self.over();
        }
    }

    /// Whether both directions have come to their end.
    fn look(&mut self) {
        let caller = self.caller.is_gone || self.from_caller.is_closed();
        let agent = self.agent.is_gone || self.from_agent.is_closed();
        let is_over = match self.stage {
            Stage::Open | Stage::Over { .. } => false,
            Stage::Closing { .. } => caller && agent,
            // What the agent says is not read any more, so only its end tells.
            Stage::Cut { .. } => caller && self.agent.is_gone,
        };
        if is_over {
            self.over();
        }
    }

    fn over(&mut self) {
        let by = match self.stage {
            Stage::Closing { by } => {
                self.end(Outcome::Complete);
                by
            }
            Stage::Cut { by } | Stage::Over { by } => by,
            Stage::Open => clock::now() + CUT_TIME,
        };
        self.stage = Stage::Over { by };
    }

    /// Nothing of the agent passes any more; the record says how it came to that.
    fn end(&mut self, outcome: Outcome) {
        self.hold.end();
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.end(outcome);
        }
        drop(self.admission.take());
        self.toll.ended(outcome);
    }

    /// Whether a moment has come at which something happens.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let at = match self.stage {
            Stage::Open => {
                let idle = self.moved_at.checked_add(self.idle);
                let calls = self.dialogue.as_ref().and_then(Dialogue::ends_at);
                let moments = [idle, self.drains_at, calls];
                moments
                    .into_iter()
                    .flatten()
                    .fold(self.ends_at, Instant::min)
            }
            Stage::Closing { by } | Stage::Cut { by } | Stage::Over { by } => by,
        };
        self.alarm.set(at);
        if self.alarm.poll(cx).is_pending() {
            return false;
        }
        let now = clock::now();
        let has_expired = self.stage == Stage::Open && self.expire_calls();
        match self.stage {
            Stage::Open if self.drains_at.is_some_and(|drains| now >= drains) => {
                let refusal = Refusal::new(Reason::ShuttingDown);
                self.cut(CloseCode::GoingAway, &refusal, Outcome::Aborted);
            }
            Stage::Open if now >= self.ends_at => self.out_of_time("above the time of the call"),
            Stage::Open if has_expired => {}
            Stage::Open => self.out_of_time("both ends were silent for too long"),
            Stage::Closing { .. } | Stage::Cut { .. } | Stage::Over { .. } => self.over(),
        }
        true
    }
}

/// A mask (RFC 6455, section 5.3). It hides nothing, and keeps what stands between us and the agent from
/// taking bytes that somebody chose for something else; without randomness the bytes are still ours.
fn mask() -> [u8; 4] {
    let mut mask = [0; 4];
    let _without = aws_lc_rs::rand::fill(&mut mask);
    mask
}

/// Bytes of the caller that are read ahead while one of its messages is judged.
const READ_AHEAD: usize = 64 * 1024;

/// How long one end has to close its direction once the other has. What clients of the field wait, too.
const CLOSE_TIME: Duration = Duration::from_secs(10);
