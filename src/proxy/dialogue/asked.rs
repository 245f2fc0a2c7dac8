//! A request of a tunnel that waits for its answer, and what of the answer may leave.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;

use crate::audit::Outcome;
use crate::clock;
use crate::model::{Operation, Reason, Refusal};
use crate::protocol::{Carrier, Listing, RpcKey};
use crate::quota::Admission;

use super::super::agents::Chosen;
use super::super::reply::Addressee;
use super::super::screen::{Learner, tell_unlearned};
use super::super::standing::Standing;
use super::super::toll::Toll;
use super::super::view::{View, tasks_in};
use super::super::{Proxy, Snapshot, scrub};
use super::State;
use super::origin::{Admitted, refuse};

/// A request that went to the agent.
pub(super) struct Asked {
    pub(super) standing: Standing,
    /// When its time is over.
    pub(super) ends_at: Instant,
    agent: Chosen,
    snapshot: Arc<Snapshot>,
    toll: Toll,
    /// What it takes up until its answer has ended.
    _admission: Admission,
    learner: Option<Learner>,
    sent_at: Instant,
}

/// What is judged of an answer, and what becomes of the request.
pub(super) type Answering = Pin<Box<dyn Future<Output = (Told, Option<State>)> + Send>>;

/// What the caller is told.
pub(super) enum Told {
    AsItCame,
    Changed(Bytes),
    /// Something of lictor's.
    Instead(Option<Bytes>),
}

impl Admitted {
    /// What waits for the answer from now on; a call that has none is over.
    pub(super) fn into_asked(
        mut self,
        snapshot: Arc<Snapshot>,
        mut toll: Toll,
    ) -> Option<(RpcKey, Box<Asked>)> {
        // Whatever comes now, the agent knows of it.
        toll.record().upstream_status = Some(StatusCode::SWITCHING_PROTOCOLS.as_u16());
        let Some(key) = self.key else {
            toll.answered(StatusCode::ACCEPTED);
            toll.ended(Outcome::Complete);
            return None;
        };
        let follows = snapshot.quotas.count_live_tasks();
        let learner = Learner::of(&self.standing.case, Carrier::Json, follows, || {
            self.admission.take_places()
        });
        let asked = Asked {
            standing: self.standing,
            ends_at: self.ends_at,
            agent: self.agent,
            snapshot,
            toll,
            _admission: self.admission,
            learner,
            sent_at: clock::now(),
        };
        Some((key, Box::new(asked)))
    }
}

impl Asked {
    /// Judges an answer. `is_last`: nothing follows it.
    pub(super) async fn answer(
        mut self: Box<Self>,
        proxy: Arc<Proxy>,
        data: Bytes,
        is_last: bool,
    ) -> (Told, Option<State>) {
        let waited = clock::now() - self.sent_at;
        self.toll.waited_for_agent(waited);
        let judged = match self.check(&proxy) {
            Ok(()) => self.judged(&proxy, data.clone()).await,
            Err(refusal) => {
                let told = self.refuse(&refusal, Outcome::Withdrawn);
                return (Told::Instead(told), None);
            }
        };
        let leaves = match judged {
            Ok(leaves) => leaves,
            Err(refusal) => {
                let told = self.refuse(&refusal, Outcome::Refused);
                return (Told::Instead(told), None);
            }
        };
        self.toll.delivered(leaves.len());
        let told = match leaves == data {
            true => Told::AsItCame,
            false => Told::Changed(leaves),
        };
        if !is_last {
            self.sent_at = clock::now();
            return (told, Some(State::Open(self)));
        }
        self.toll.answered(StatusCode::OK);
        self.toll.ended(Outcome::Complete);
        let streams = matches!(
            self.standing.case.call.operation,
            Operation::StreamMessage | Operation::SubscribeTask
        );
        (told, streams.then_some(State::Ended))
    }

    /// What of an answer may leave.
    async fn judged(&mut self, proxy: &Proxy, mut body: Bytes) -> Result<Bytes, Refusal> {
        if self.snapshot.hygiene.scrubs_agent_errors() {
            let scrubber = scrub::scrubber(&self.standing.case, &self.toll);
            if let Some(scrubbed) = scrubber.document(StatusCode::OK.as_u16(), &body) {
                self.toll.scrubbed(1);
                body = scrubbed;
            }
        }
        let agent = proxy.parts().agents.at(self.agent);
        let principal = &self.standing.case.principal;
        if let Some(listing) = Listing::of(&self.standing.case.call) {
            let owned = match agent.ledger.is_shared() {
                false => HashSet::new(),
                true => {
                    let tasks = tasks_in(listing, Carrier::Json, &body);
                    let asked = agent.ledger.owned_among(principal, tasks, clock::now());
                    asked.await?
                }
            };
            let view = View {
                owned,
                listing,
                case: &self.standing.case,
                agent: &proxy.parts().agent,
                policy: &self.snapshot.policy,
                ledger: &agent.ledger,
                tools: &agent.tools,
                now: clock::now(),
            };
            let filtered = listing.filter(Carrier::Json, &body, &view);
            let filtered =
                filtered.map_err(|error| Refusal::new(Reason::UpstreamInvalid).detail(error))?;
            body = filtered.map_or(body, Bytes::from);
        }
        if let Some(learner) = &mut self.learner {
            let named = learner.observe(&body, &agent.live);
            learner.next_document();
            learner.note(self.toll.record());
            if let Some(named) = named {
                let learned = agent.ledger.learn(principal, &named, clock::now()).await;
                tell_unlearned(&learned);
            }
        }
        Ok(body)
    }

    /// Whether the call may go on under what is in force now.
    pub(super) fn check(&mut self, proxy: &Proxy) -> Result<(), Refusal> {
        let made = self.learner.as_ref().and_then(Learner::task);
        self.standing.check(proxy, made)
    }

    /// Ends a call against its caller's will: what the caller is told.
    pub(super) fn refuse(&mut self, refusal: &Refusal, outcome: Outcome) -> Option<Bytes> {
        let addressee = Addressee::of(&self.standing.case.call);
        let told = refuse(&addressee, refusal, &self.snapshot, &mut self.toll);
        self.toll.ended(outcome);
        told
    }

    /// The tunnel has ended before the answer.
    pub(super) fn broken_off(&mut self, outcome: Outcome) {
        self.toll.ended(match outcome {
            // The ends have agreed to end; the caller did not wait.
            Outcome::Complete => Outcome::DownstreamGone,
            outcome => outcome,
        });
    }
}
