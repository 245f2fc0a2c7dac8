//! What one call costs and how it ends.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::audit::{Capture, Captured, Decision, Open, Outcome, Record};
use crate::model::{
    Call, DecisionId, Fault, Finding, Reason, Refusal, RequestId, RpcId, RuleRef, ShadowVerdict,
};
use crate::policy::Question;
use crate::quota::Admission;
use crate::telemetry::{ActionLabel, InFlight};

use super::batch::Asked;
use super::decision::fresh_decision;
use super::{Proxy, Snapshot};

/// Keeps the audit record and the counters of one call. Its drop closes both, so that there is exactly
/// one record however the call ends.
pub(super) struct Toll {
    proxy: Arc<Proxy>,
    open: Open,
    outcome: Option<Outcome>,
    action: ActionLabel,
    decision: DecisionId,
    request_id: RequestId,
    _in_flight: InFlight,
    /// The other calls of its batch, which end as it does.
    others: Vec<Self>,
    /// The ids of all requests of the batch.
    ids: Option<Box<[RpcId]>>,
    /// What those take up.
    taken: Vec<Admission>,
    /// Its record says already why it did not go, whatever is told of the batch.
    is_settled: bool,
}

impl Toll {
    pub(super) fn new(proxy: Arc<Proxy>, decision: DecisionId, request_id: RequestId) -> Self {
        let parts = proxy.parts();
        let mut open = parts.audit.open();
        let record = open.record();
        record.decision_id = Some(decision);
        record.request_id = Some(request_id.clone());
        let in_flight = parts.calls.begin();
        Self {
            proxy,
            open,
            outcome: None,
            action: ActionLabel::OTHER,
            decision,
            request_id,
            _in_flight: in_flight,
            others: Vec::new(),
            ids: None,
            taken: Vec::new(),
            is_settled: false,
        }
    }

    /// Notes what is asked. Each further call of a batch gets a record of its own; who calls must be known by now.
    pub(super) fn asks(&mut self, asked: &Asked) {
        self.call(&asked.call);
        if asked.others.is_empty() {
            return;
        }
        let others = asked.others.iter().map(|part| &part.call);
        let ids = std::iter::once(&asked.call).chain(others.clone());
        self.ids = Some(ids.filter_map(|call| call.rpc_id.clone()).collect());
        others.for_each(|call| self.beside(call));
    }

    /// The ids of all requests of a batch, if it is one.
    pub(super) fn batch(&self) -> Option<&[RpcId]> {
        self.ids.as_deref()
    }

    fn beside(&mut self, call: &Call) {
        let decision = fresh_decision();
        let mut toll = Self::new(Arc::clone(&self.proxy), decision, self.request_id.clone());
        let (of, to) = (self.open.record(), toll.open.record());
        to.batch = Some(self.decision);
        to.source = of.source;
        to.listener.clone_from(&of.listener);
        to.agent_port = of.agent_port;
        to.client_certificate.clone_from(&of.client_certificate);
        to.trace_id = of.trace_id;
        to.generation.clone_from(&of.generation);
        to.principal.clone_from(&of.principal);
        to.beside.clone_from(&of.beside);
        to.http_method.clone_from(&of.http_method);
        to.path.clone_from(&of.path);
        toll.call(call);
        self.others.push(toll);
    }

    /// The record of the other call with this number.
    pub(super) fn other(&mut self, index: usize) -> Option<&mut Self> {
        self.others.get_mut(index)
    }

    /// What another call takes up stays taken until the whole has ended.
    pub(super) fn take(&mut self, admission: Admission) {
        self.taken.push(admission);
    }

    /// The other call with this number is refused, and so nothing goes.
    pub(super) fn pass_over(&mut self, index: usize, refusal: &Refusal) {
        self.settle(&not_alone());
        if let Some(toll) = self.other(index) {
            toll.settle(refusal);
        }
    }

    fn settle(&mut self, refusal: &Refusal) {
        self.record().refuse(refusal);
        self.is_settled = true;
    }

    pub(super) const fn decision(&self) -> DecisionId {
        self.decision
    }

    pub(super) const fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Whether the call may go on as far as its record is concerned.
    pub(super) fn admit(&self) -> Result<(), Refusal> {
        self.open.admit()
    }

    pub(super) fn record(&mut self) -> &mut Record {
        self.open.record()
    }

    pub(super) fn call(&mut self, call: &Call) {
        self.action = ActionLabel::of(&call.action);
        self.record().call(call);
    }

    /// The policy is asked now. What it is told is recorded as far as the policy itself wants that.
    pub(super) fn asked(&mut self, snapshot: &Snapshot, question: &Question<'_>) {
        let record = self.record();
        record.facts = Some(*question.facts);
        record.decisions = snapshot.decisions;
        let policy = &snapshot.policy;
        let read = (snapshot.capture == Capture::Decision).then_some(&snapshot.reads);
        let included = (!policy.included().untold.is_empty()).then_some(policy.included());
        if read.is_none() && included.is_none() {
            return;
        }
        let mut captured = Captured::default();
        for reads in read.into_iter().chain(included) {
            policy.capture(reads, question, &mut |path, value| {
                captured.note(path, value.as_ref());
            });
        }
        record.captured = Some(Box::new(captured));
    }

    pub(super) fn allowed(&mut self, rule: &Arc<RuleRef>) {
        self.record().allow(Some(Arc::clone(rule)));
    }

    /// A statement in shadow mode would have changed the answer.
    pub(super) fn shadowed(&mut self, verdict: &ShadowVerdict) {
        self.proxy.parts().calls.shadowed(verdict);
        self.record().shadow.get_or_insert_with(|| verdict.clone());
    }

    /// The candidate would have decided otherwise.
    pub(super) fn differs(&mut self, verdict: ShadowVerdict) {
        self.proxy.parts().calls.differs(&verdict);
        self.record().candidate = Some(verdict);
    }

    pub(super) fn refused(&mut self, refusal: &Refusal) {
        let was_sent = self.open.record().upstream_status.is_some();
        for toll in &mut self.others {
            match was_sent || refusal.reason.fault() == Fault::Upstream {
                true => toll.record().refuse(refusal),
                false if toll.is_settled => {}
                false => toll.settle(&not_alone()),
            }
        }
        let calls = &self.proxy.parts().calls;
        calls.refused(refusal.reason);
        if let (true, Some(standing)) = (refusal.reason.is_of_a_quota(), refusal.standings.first())
        {
            calls.throttled(&standing.quota);
        }
        if !self.is_settled {
            self.record().refuse(refusal);
        }
    }

    /// The head of an answer leaves now.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.record().status = Some(status.as_u16());
        let upstream = self.record().upstream_status;
        for toll in &mut self.others {
            toll.answered(status);
            toll.record().upstream_status = upstream;
        }
    }

    /// How the call ends, unless the caller goes away before.
    pub(super) fn ended(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
        for toll in &mut self.others {
            toll.ended(outcome);
        }
    }

    pub(super) fn delivered(&mut self, bytes: usize) {
        self.record().response_bytes += bytes as u64;
    }

    /// Time that was the agent's.
    pub(super) fn waited_for_agent(&mut self, time: Duration) {
        self.record().upstream += time;
    }

    /// Time that was the caller's.
    pub(super) fn waited_for_caller(&mut self, time: Duration) {
        self.record().downstream += time;
    }

    /// So many errors of the agent were written anew.
    pub(super) fn scrubbed(&mut self, errors: u64) {
        if errors > 0 {
            self.proxy.parts().calls.scrubbed.inc_by(errors);
            self.record().scrubbed_errors += errors;
        }
    }

    pub(super) fn found(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.proxy.parts().calls.found(&finding);
            self.record().found(&finding);
        }
    }
}

/// What is recorded of calls that did not go because another of their batch was refused.
fn not_alone() -> Refusal {
    Refusal::new(Reason::BatchUnsupported).detail("another call of its batch was refused")
}

impl Drop for Toll {
    fn drop(&mut self) {
        let record = self.open.record();
        let (allowed, status) = (record.decision == Decision::Allow, record.status);
        tracing::debug!(
            request.id = %self.request_id,
            trace.id = record.trace_id.map(tracing::field::display),
            decision.id = %self.decision,
            decision = record.decision.as_str(),
            reason = record.reason.map(Reason::as_str),
            status,
            "call ended"
        );
        let calls = &self.proxy.parts().calls;
        calls.ended(self.action, allowed, status);
        // Without an outcome the guard's own drop says who went away.
        if let Some(outcome) = self.outcome {
            let taken = self.open.end(outcome);
            calls.took(taken.total, taken.lictor);
        }
    }
}
