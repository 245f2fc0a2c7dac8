//! What one call costs and how it ends.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::audit::{Capture, Captured, Decision, Open, Outcome, Record};
use crate::model::{Call, DecisionId, Finding, Reason, Refusal, RequestId, RuleRef, ShadowVerdict};
use crate::policy::Question;
use crate::telemetry::{ActionLabel, InFlight};

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
        }
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
        match snapshot.capture {
            Capture::Off => {}
            Capture::Decision => {
                let mut captured = Captured::default();
                snapshot
                    .policy
                    .capture(&snapshot.reads, question, &mut |path, value| {
                        captured.note(path, value.as_ref());
                    });
                record.captured = Some(Box::new(captured));
            }
        }
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
        let calls = &self.proxy.parts().calls;
        calls.refused(refusal.reason);
        if let (true, Some(standing)) = (refusal.reason.is_of_a_quota(), refusal.standings.first())
        {
            calls.throttled(&standing.quota);
        }
        self.record().refuse(refusal);
    }

    /// The head of an answer leaves now.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.record().status = Some(status.as_u16());
    }

    /// How the call ends, unless the caller goes away before.
    pub(super) fn ended(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
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
