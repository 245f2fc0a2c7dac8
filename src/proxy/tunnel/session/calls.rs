//! The calls in a tunnel's messages, where they are judged for themselves.

use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::audit::Outcome;
use crate::model::{Reason, Refusal};
use crate::websocket::{CloseCode, Frame, Opcode, encode};

use super::super::super::dialogue::{Answer, Dialogue, Judged, Said};
use super::super::super::whole::{Message, opcode};
use super::{Session, Stage, mask};

impl<C, A> Session<C, A>
where
    C: AsyncRead + AsyncWrite + Unpin,
    A: AsyncRead + AsyncWrite + Unpin,
{
    /// A frame of the caller. Pings and pongs pass a message that is judged; all else waits behind it.
    pub(super) fn heard(&mut self, frame: Frame) {
        let Some(dialogue) = &mut self.dialogue else {
            return;
        };
        if matches!(self.stage, Stage::Cut { .. } | Stage::Over { .. }) {
            return;
        }
        match frame.opcode() {
            Opcode::Ping | Opcode::Pong => self.agent.push(frame.into_wire()),
            _ if dialogue.is_judging() => self.stopped_at = Some(frame),
            Opcode::Close => {
                self.agent.push(frame.into_wire());
                self.agent.is_told = true;
                self.closing();
            }
            Opcode::Binary | Opcode::Continuation | Opcode::Text => {
                let Some(message) = self.joiner.join(frame) else {
                    return;
                };
                match dialogue.said(message) {
                    Ok(Said::Foreign(message)) => self.agent.push(message.wire),
                    Ok(Said::Judged) => {}
                    Err(refusal) => {
                        self.caller.is_mute = true;
                        let code = match refusal.reason {
                            Reason::RequestTooLarge => CloseCode::TooLarge,
                            _ => CloseCode::PolicyViolation,
                        };
                        self.cut(code, &refusal, Outcome::Aborted);
                    }
                }
            }
        }
    }

    /// Goes on with what is judged, in either direction.
    pub(super) fn poll_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut has_moved = false;
        let verdict = match &mut self.dialogue {
            None => return false,
            Some(dialogue) => dialogue.poll_verdict(cx),
        };
        if let Poll::Ready(verdict) = verdict {
            has_moved = true;
            match verdict {
                Judged::Passes(message) => self.agent.push(message.wire),
                Judged::Changed(payload, data) => {
                    let wire = encode(opcode(payload), &data, Some(mask()));
                    self.agent.push(wire);
                }
                Judged::Refused(told) => self.tell_caller(told),
            }
            if let Some(frame) = self.stopped_at.take() {
                self.heard(frame);
            }
            self.take_from_caller();
        }
        let answer = match &mut self.dialogue {
            None => return has_moved,
            Some(dialogue) => dialogue.poll_answer(cx),
        };
        if let Poll::Ready(answer) = answer {
            has_moved = true;
            self.answered(answer);
            self.take_answers();
        }
        has_moved
    }

    /// Goes through the messages of the agent that have arrived, up to one that is judged.
    pub(super) fn take_answers(&mut self) {
        while !self.agent.is_mute {
            let Some(dialogue) = self.dialogue.as_mut().filter(|it| !it.is_answering()) else {
                return;
            };
            let message = match self.from_agent.next(&mut self.out) {
                Ok(Some(message)) => message,
                Ok(None) => return self.judged(Ok(())),
                Err(stop) => return self.judged(Err(stop)),
            };
            match dialogue.told(message) {
                Ok(None) => {}
                Ok(Some(answer)) => self.answered(answer),
                Err(refusal) => {
                    let code = CloseCode::PolicyViolation;
                    return self.cut(code, &refusal, Outcome::UpstreamTruncated);
                }
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        let message = match answer {
            Answer::Nothing => return,
            Answer::Instead(data) => return self.tell_caller(Some(data)),
            Answer::Passes(message) => message,
            Answer::Changed(payload, data) => Message {
                payload,
                wire: encode(opcode(payload), &data, None),
                data,
            },
        };
        let passed = self.from_agent.pass(message, &mut self.out);
        self.judged(passed);
    }

    /// Lets lictor itself say something. Messages of the agent leave whole, so it stands between two of them.
    fn tell_caller(&mut self, told: impl IntoIterator<Item = Bytes>) {
        for data in told {
            self.caller.push(encode(Opcode::Text, &data, None));
        }
    }

    /// Something has changed that calls are judged by.
    pub(super) fn recheck_calls(&mut self) {
        if self.proxy.snapshot().reading() != self.reading {
            // Both ends have agreed on compression and all else under policies that read it otherwise.
            let refusal = Refusal::new(Reason::OperationUnsupported);
            let refusal = refusal.detail("its messages are read in another way from now on");
            return self.cut(CloseCode::GoingAway, &refusal, Outcome::Withdrawn);
        }
        let told = self.dialogue.as_mut().map(Dialogue::recheck);
        self.tell_caller(told.into_iter().flatten());
    }

    /// Gives up calls whose time is over. Whether there were any.
    pub(super) fn expire_calls(&mut self) -> bool {
        let told = match &mut self.dialogue {
            Some(dialogue) => dialogue.expire(),
            None => return false,
        };
        let has_expired = !told.is_empty();
        self.tell_caller(told);
        has_expired
    }
}
