//! An open WebSocket, until one of its ends, or we, close it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::audit::Outcome;
use crate::clock::{self, Alarm};
use crate::drain::Guard;
use crate::listener::{Deadlines, Guarded};
use crate::model::{Reason, Refusal};
use crate::quota::Admission;
use crate::telemetry::InFlight;
use crate::upstream::SwitchedStream;
use crate::websocket::{CloseCode, Limits, Opcode, Reader, Sender, encode_close};

use super::Proxy;
use super::hold::{Due, Hold};
use super::peer::Peer;
use super::relay::{Relay, Stop};
use super::reply;
use super::standing::Standing;
use super::toll::Toll;
use super::upgrade::Opening;

/// A tunnel that was agreed on.
pub(super) struct Tunnel {
    proxy: Arc<Proxy>,
    opening: Opening,
    admission: Admission,
    toll: Toll,
    open: InFlight,
}

impl Tunnel {
    pub(super) fn new(
        proxy: Arc<Proxy>,
        opening: Opening,
        admission: Admission,
        toll: Toll,
    ) -> Self {
        let open = proxy.parts().calls.open_tunnel();
        Self {
            proxy,
            opening,
            admission,
            toll,
            open,
        }
    }

    /// Carries frames both ways until the tunnel ends, and shuts the caller's stream down. `ahead` is what
    /// the caller has sent behind its handshake.
    ///
    /// Dropped midway, as at the end of a drain, both streams are broken off and the record says so.
    pub(super) async fn run<S>(
        self: Box<Self>,
        caller: &mut S,
        ahead: Bytes,
        mut guard: Guard,
        deadlines: &Deadlines,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut session, _open) = self.begin(&mut *caller, deadlines.write_stall);
        session.from_caller.buffer().extend_from_slice(&ahead);
        session.toll.record().request_bytes += ahead.len() as u64;
        session.take_from_caller();
        let mut draining = pin!(guard.draining());
        poll_fn(|cx| {
            if session.drains_at.is_none() && draining.as_mut().poll(cx).is_ready() {
                let grace = deadlines.drain;
                session.drains_at = Some(clock::now() + (grace - CUT_TIME.min(grace / 2)));
            }
            session.poll(cx)
        })
        .await;
        drop(session);
        // A caller that has gone does not mind.
        let _gone = tokio::time::timeout(CUT_TIME, caller.shutdown()).await;
    }

    fn begin<S>(
        self: Box<Self>,
        caller: &mut S,
        write_stall: Duration,
    ) -> (Session<&mut S, Guarded<SwitchedStream>>, InFlight) {
        let Self {
            proxy,
            opening,
            admission,
            toll,
            open,
        } = *self;
        let Opening {
            agent,
            accepted,
            detectors,
            standing,
            limits,
            started,
        } = opening;
        let most = usize::try_from(limits.response_bytes).unwrap_or(usize::MAX);
        let of = |message_bytes| Limits {
            message_bytes,
            is_compressed: accepted.is_compressed,
        };
        let session = Session {
            caller: Peer::new(caller),
            agent: Peer::new(Guarded::new(agent, write_stall)),
            from_caller: Reader::new(Sender::Caller, of(limits.request_bytes)),
            from_agent: Relay::new(&detectors, of(detectors.config().buffer_bytes.min(most))),
            out: VecDeque::new(),
            hold: Hold::new(Arc::clone(&proxy)),
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

/// Both ends of a tunnel, and what is between them.
///
/// Holds at most a message and a read of each direction, 64 KiB and a message on the way to each end, and
/// what the scan holds back.
struct Session<C, A> {
    caller: Peer<C>,
    agent: Peer<A>,
    from_caller: Reader,
    from_agent: Relay,
    /// What leaves for the caller next.
    out: VecDeque<Bytes>,
    hold: Hold,
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

impl<C, A> Session<C, A>
where
    C: AsyncRead + AsyncWrite + Unpin,
    A: AsyncRead + AsyncWrite + Unpin,
{
    /// Ready when the tunnel has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(since) = self.paused_at.take() {
            self.toll.waited_for_agent(clock::now() - since);
        }
        loop {
            self.flush(cx);
            let mut has_moved = false;
            if matches!(self.stage, Stage::Open | Stage::Closing { .. }) {
                has_moved |= self.poll_standing(cx);
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
        if self.caller.is_gone || self.agent.is_full() {
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
        loop {
            match self.from_caller.next_frame() {
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
        if self.agent.is_gone || self.caller.is_full() {
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
        drop(self.admission.take());
        self.toll.ended(outcome);
    }

    /// Whether a moment has come at which something happens.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let at = match self.stage {
            Stage::Open => {
                let idle = self.moved_at.checked_add(self.idle);
                let ends = idle.map_or(self.ends_at, |idle| idle.min(self.ends_at));
                self.drains_at.map_or(ends, |drains| drains.min(ends))
            }
            Stage::Closing { by } | Stage::Cut { by } | Stage::Over { by } => by,
        };
        self.alarm.set(at);
        if self.alarm.poll(cx).is_pending() {
            return false;
        }
        let now = clock::now();
        match self.stage {
            Stage::Open if self.drains_at.is_some_and(|drains| now >= drains) => {
                let refusal = Refusal::new(Reason::ShuttingDown);
                self.cut(CloseCode::GoingAway, &refusal, Outcome::Aborted);
            }
            Stage::Open if now >= self.ends_at => self.out_of_time("above the time of the call"),
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

/// How long one end has to close its direction once the other has. What clients of the field wait, too.
const CLOSE_TIME: Duration = Duration::from_secs(10);

/// How long the ends have to take our own close.
const CUT_TIME: Duration = Duration::from_secs(2);
