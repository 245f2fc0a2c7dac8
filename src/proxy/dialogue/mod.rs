//! Calls of JSON-RPC in the messages of a tunnel: each is judged for itself, and each answer by what it answers.
//!
//! Does no I/O of its own: `tunnel` hands messages in, polls what is being judged, and sends what comes of it.

mod asked;
mod origin;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;

use crate::audit::Outcome;
use crate::clock;
use crate::model::{Reason, Refusal};
use crate::protocol::{Heard, RpcKey};
use crate::scan::Payload;

use super::Proxy;
use super::whole::Message;

use asked::{Answering, Asked, Told};
pub(super) use origin::Origin;
use origin::Verdict;

/// What of a tunnel is JSON-RPC.
///
/// Remembers at most 256 requests that have no answer, and of as many streams that they have ended; a request above that is
/// refused, and of streams the one that is found first is forgotten. One message of each direction is judged at a time.
pub(super) struct Dialogue {
    origin: Arc<Origin>,
    proxy: Arc<Proxy>,
    asked: HashMap<RpcKey, State>,
    judging: Option<(Message, Judging)>,
    answering: Option<(RpcKey, Message, Answering)>,
}

type Judging = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What has become of a request.
enum State {
    /// Its answer is not there, or goes on.
    Open(Box<Asked>),
    /// A stream that has said that it ends. Some agents go on all the same.
    Ended,
}

/// What is done with a message of the caller.
pub(super) enum Said {
    /// It is no JSON-RPC, and passes as such messages always did.
    Foreign(Message),
    /// It is judged: [`Dialogue::poll_verdict`].
    Judged,
}

/// What has come of a judged message of the caller.
pub(super) enum Judged {
    /// It goes to the agent.
    Passes(Message),
    /// As this instead, because something in it was redacted.
    Changed(Payload, Bytes),
    /// It does not; the caller is told so, unless it asked for no answer.
    Refused(Option<Bytes>),
}

/// What is done with a message of the agent.
pub(super) enum Answer {
    /// It passes.
    Passes(Message),
    /// This passes instead, which was made of it.
    Changed(Payload, Bytes),
    /// The caller is told this instead, by lictor.
    Instead(Bytes),
    /// Nothing: nobody has asked, or does not wait any more.
    Nothing,
}

impl Dialogue {
    pub(super) fn new(proxy: Arc<Proxy>, origin: Origin) -> Self {
        Self {
            origin: Arc::new(origin),
            proxy,
            asked: HashMap::new(),
            judging: None,
            answering: None,
        }
    }

    /// Whether a message of the caller is being judged. Those behind it wait.
    pub(super) const fn is_judging(&self) -> bool {
        self.judging.is_some()
    }

    /// Whether an answer is being judged. Messages behind it wait.
    pub(super) const fn is_answering(&self) -> bool {
        self.answering.is_some()
    }

    /// A whole message of the caller.
    ///
    /// # Errors
    /// When it is no JSON-RPC and must not pass as what it is; then the tunnel ends.
    pub(super) fn said(&mut self, message: Message) -> Result<Said, Refusal> {
        // First: what changes from here on is noticed, if twice.
        let known = self.proxy.changes.count();
        let snapshot = self.proxy.snapshot();
        let depth = snapshot.policy.json_depth();
        let said = match self.origin.reader.read(&message.data, depth) {
            Ok(None) => {
                self.origin.admit_foreign(&snapshot, &message.data)?;
                return Ok(Said::Foreign(message));
            }
            said => said,
        };
        let key = said.ok().flatten().and_then(|said| said.key);
        let place = key.map_or(Ok(()), |key| self.place(&key));
        let judging = Arc::clone(&self.origin).judge(
            Arc::clone(&self.proxy),
            (known, snapshot),
            message.data.clone(),
            place.err(),
        );
        self.judging = Some((message, Box::pin(judging)));
        Ok(Said::Judged)
    }

    /// Whether there is a place for one more request, with this id.
    fn place(&self, key: &RpcKey) -> Result<(), Refusal> {
        match self.asked.get(key) {
            Some(State::Open(_)) => Err(Refusal::new(Reason::MalformedRequest)
                .detail("the id of a request that is not answered yet")),
            Some(State::Ended) => Ok(()),
            None if self.open() < MOST => Ok(()),
            None => Err(Refusal::new(Reason::Overloaded)
                .detail(format_args!("above {MOST} requests without an answer"))),
        }
    }

    fn open(&self) -> usize {
        let states = self.asked.values();
        states
            .filter(|state| matches!(state, State::Open(_)))
            .count()
    }

    /// What has come of the message that is judged. Pending, and woken by nothing, where none is.
    pub(super) fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<Judged> {
        let Some((_, judging)) = &mut self.judging else {
            return Poll::Pending;
        };
        let verdict = ready!(judging.as_mut().poll(cx));
        let Some((message, _)) = self.judging.take() else {
            return Poll::Pending;
        };
        Poll::Ready(match verdict {
            Verdict::Refused(told) => Judged::Refused(told),
            Verdict::Passes {
                asked,
                cancelled,
                changed,
            } => {
                // What comes all the same does not leave: the caller has said that it will not read it.
                if let Some(State::Open(mut asked)) =
                    cancelled.and_then(|key| self.asked.remove(&key))
                {
                    asked.broken_off(Outcome::DownstreamGone);
                }
                if let Some((key, asked)) = asked {
                    self.make_room();
                    self.asked.insert(key, State::Open(asked));
                }
                match changed {
                    None => Judged::Passes(message),
                    Some(changed) => Judged::Changed(message.payload, changed),
                }
            }
        })
    }

    /// Forgets a stream that has ended, if there are many.
    fn make_room(&mut self) {
        if self.asked.len() < 2 * MOST {
            return;
        }
        let mut states = self.asked.iter();
        let ended = states.find(|(_, state)| matches!(state, State::Ended));
        if let Some(ended) = ended.map(|(key, _)| key.clone()) {
            self.asked.remove(&ended);
        }
    }

    /// A whole message of the agent: what is done with it, or `None` while that is judged ([`poll_answer`](Self::poll_answer)).
    ///
    /// # Errors
    /// When it may be the answer to something, and readers may see different ones in it.
    pub(super) fn told(&mut self, message: Message) -> Result<Option<Answer>, Refusal> {
        let reply = match Heard::read(&message.data) {
            Heard::Other => return Ok(Some(Answer::Passes(message))),
            Heard::Unreadable if self.open() == 0 => return Ok(Some(Answer::Passes(message))),
            Heard::Unreadable => {
                return Err(Refusal::new(Reason::UpstreamInvalid)
                    .detail("an answer that can be read in two ways"));
            }
            Heard::Answer(reply) => reply,
        };
        let known = reply.key();
        let known = known.and_then(|key| self.asked.remove_entry(&key));
        match known {
            Some((key, State::Open(asked))) => {
                let is_last = reply.is_last(&asked.standing.case.call);
                let data = message.data.clone();
                let answering = asked.answer(Arc::clone(&self.proxy), data, is_last);
                self.answering = Some((key, message, Box::pin(answering)));
                Ok(None)
            }
            Some((key, State::Ended)) => {
                self.asked.insert(key, State::Ended);
                Ok(Some(Answer::Passes(message)))
            }
            // What was asked was either refused, so that the agent does not know of it, or given up.
            None if reply.is_versioned() && !reply.is_error_to_nobody() => {
                tracing::debug!("an answer to nothing that was asked does not leave");
                Ok(Some(Answer::Nothing))
            }
            None => Ok(Some(Answer::Passes(message))),
        }
    }

    /// What is done with the answer that is judged. Pending, and woken by nothing, where none is.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some((_, _, answering)) = &mut self.answering else {
            return Poll::Pending;
        };
        let (told, state) = ready!(answering.as_mut().poll(cx));
        let Some((key, message, _)) = self.answering.take() else {
            return Poll::Pending;
        };
        if let Some(state) = state {
            self.asked.insert(key, state);
        }
        Poll::Ready(match told {
            Told::AsItCame => Answer::Passes(message),
            Told::Changed(data) => Answer::Changed(message.payload, data),
            Told::Instead(Some(data)) => Answer::Instead(data),
            Told::Instead(None) => Answer::Nothing,
        })
    }

    /// Something has changed: what is told to callers whose calls may not go on.
    pub(super) fn recheck(&mut self) -> Vec<Bytes> {
        let proxy = Arc::clone(&self.proxy);
        self.give_up(|asked| {
            let refusal = asked.check(&proxy).err()?;
            Some((refusal, Outcome::Withdrawn))
        })
    }

    /// When the time of the next call is over.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let states = self.asked.values();
        let ends = states.filter_map(|state| match state {
            State::Open(asked) => Some(asked.ends_at),
            State::Ended => None,
        });
        ends.min()
    }

    /// What is told to callers of whose calls the time is over.
    pub(super) fn expire(&mut self) -> Vec<Bytes> {
        let now = clock::now();
        self.give_up(|asked| {
            let is_over = now >= asked.ends_at;
            is_over.then(|| {
                let refusal = Refusal::new(Reason::UpstreamTimeout);
                let refusal = refusal.detail("above the time of the call");
                (refusal, Outcome::UpstreamTruncated)
            })
        })
    }

    fn give_up(&mut self, why: impl Fn(&mut Asked) -> Option<(Refusal, Outcome)>) -> Vec<Bytes> {
        let mut told = Vec::new();
        self.asked.retain(|_, state| {
            let State::Open(asked) = state else {
                return true;
            };
            let Some((refusal, outcome)) = why(asked) else {
                return true;
            };
            told.extend(asked.refuse(&refusal, outcome));
            false
        });
        told
    }

    /// The tunnel has ended, and with it whatever was not answered.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.judging = None;
        self.answering = None;
        for (_, state) in self.asked.drain() {
            if let State::Open(mut asked) = state {
                asked.broken_off(outcome);
            }
        }
    }
}

/// More than any client asks at once. Arbitrary.
const MOST: usize = 256;
