//! What stands between a call and the agent, however the call came: the policy, the quotas with their lines, where news
//! may be pushed to, and whose what the call chose is by then.

use std::time::Instant;

use crate::clock;
use crate::model::{Protocol, Reason, Refusal, TokenUse};
use crate::policy::{Limits, Permit};
use crate::protocol;
use crate::quota::{self, Admission, Admitted, Estimate};

use super::Proxy;
use super::agents::Agent;
use super::snapshot::Snapshot;
use super::standing::Case;
use super::toll::Toll;

/// What admits one call.
pub(super) struct Gate<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) snapshot: &'a Snapshot,
    /// Whom the call is for.
    pub(super) agent: &'a Agent,
    pub(super) toll: &'a mut Toll,
    /// Since when the call's time runs.
    pub(super) started: Instant,
}

impl Gate<'_> {
    /// Admits a call, or takes back what the ledger has claimed for it. `body` is the one that it was read from; `leak` says why
    /// it may not go on after all, which only somebody who may call at all is told.
    ///
    /// Dropped midway, what the ledger has claimed stays the caller's.
    pub(super) async fn admit(
        mut self,
        case: &mut Case,
        limits: &Limits,
        body: Option<&[u8]>,
        leak: Option<Refusal>,
    ) -> Result<Admission, Refusal> {
        let admission = match self.fits(case, limits, body, leak).await {
            Ok(admission) => admission,
            Err(refusal) => {
                let ledger = &self.agent.ledger;
                ledger.release(&case.principal, &case.call, &case.facts);
                return Err(refusal);
            }
        };
        self.confirm(case).await?;
        Ok(admission)
    }

    async fn fits(
        &mut self,
        case: &Case,
        limits: &Limits,
        body: Option<&[u8]>,
        leak: Option<Refusal>,
    ) -> Result<Admission, Refusal> {
        let permit = self.permit(case, limits)?;
        let tokens = self.estimate(case, body);
        let mut admission = self.fit(case, limits, permit, tokens).await?;
        if let Some(refusal) = leak {
            // No model reads it.
            admission.settle(TokenUse::default(), clock::now());
            return Err(refusal);
        }
        if let Some(hooks) = &self.snapshot.hooks {
            let resolver = &self.proxy.parts().resolver;
            hooks.admit(resolver, &case.call).await?;
        }
        Ok(admission)
    }

    /// Makes what the call chose the caller's before the agent can know of it. What another has got meanwhile is judged as
    /// that.
    async fn confirm(&self, case: &mut Case) -> Result<(), Refusal> {
        let before = case.facts;
        let ledger = &self.agent.ledger;
        let (call, facts) = (&case.call, &mut case.facts);
        let confirming = ledger.confirm(&case.principal, call, facts, clock::now());
        confirming.await?;
        if case.facts == before {
            return Ok(());
        }
        let question = case.question(&self.proxy.parts().agent);
        self.snapshot
            .policy
            .decide(&question)
            .into_permit()
            .map(drop)
    }

    /// Revocations, then policy.
    fn permit(&mut self, case: &Case, limits: &Limits) -> Result<Permit, Refusal> {
        let question = case.question(&self.proxy.parts().agent);
        self.proxy
            .revocations
            .load()
            .judge(&question, None)
            .map_err(|refusal| *refusal)?;
        self.toll.asked(self.snapshot, &question);
        let decision = self.snapshot.policy.decide(&question);
        if let Some(candidate) = &self.snapshot.candidate
            && let Some(verdict) = candidate.judge(&question, &decision, self.toll.decision())
        {
            self.toll.differs(verdict);
        }
        if let Some(shadow) = decision.shadow() {
            self.toll.shadowed(shadow);
        }
        let permit = decision.into_permit()?;
        self.agent.tools.admit(&self.snapshot.policy, &question)?;
        self.toll.allowed(permit.rule());
        let hygiene = &self.snapshot.hygiene;
        hygiene.check_tenant(&case.call, &case.principal.tenant)?;
        // Only now it is known how long the call may take.
        if clock::now() >= self.started + limits.time {
            return Err(Refusal::new(Reason::RequestTimeout)
                .detail(format_args!("read for longer than {:?}", limits.time)));
        }
        if case
            .size
            .is_some_and(|size| size > limits.request_bytes as u64)
        {
            return Err(Refusal::new(Reason::RequestTooLarge)
                .detail(format_args!("above {} bytes", limits.request_bytes)));
        }
        Ok(permit)
    }

    /// How many tokens the call may use, where a quota counts them.
    fn estimate(&self, case: &Case, body: Option<&[u8]>) -> Estimate {
        let action = &case.call.action;
        if action.protocol != Protocol::Llm || !self.snapshot.quotas.count_tokens() {
            return Estimate::default();
        }
        let asked = body.map_or(0, protocol::asked_tokens);
        Estimate::new(case.size.unwrap_or(0), asked)
    }

    /// The quotas. A call may have to wait for its turn, no longer than its time lasts.
    async fn fit(
        &mut self,
        case: &Case,
        limits: &Limits,
        mut permit: Permit,
        tokens: Estimate,
    ) -> Result<Admission, Refusal> {
        let ends = self.started + limits.time;
        if self.snapshot.quotas.count_live_tasks() {
            // They give back what is needed now.
            self.agent.live.forget_silent(clock::now());
        }
        let mut turn = quota::Turn::default();
        loop {
            let parts = self.proxy.parts();
            let subject = quota::Subject {
                agent: &parts.agent,
                principal: &case.principal,
                action: &case.call.action,
                begins_task: case.call.may_begin_task(),
                tokens,
                source: case.source,
                now: clock::now(),
                at: clock::wall(),
            };
            let quotas = &self.snapshot.quotas;
            let queued = match quotas.admit(&parts.quota_store, permit, &subject, turn)? {
                Admitted::Now(admission) => {
                    if let Some(shadow) = admission.shadow() {
                        self.toll.shadowed(shadow);
                    }
                    return Ok(admission);
                }
                Admitted::Queued(queued) => queued,
            };
            let since = clock::now();
            let until = (since + queued.patience()).min(ends);
            let refusal = queued.refusal();
            let waited = tokio::time::timeout_at(until.into(), queued.turn()).await;
            // What was waited for is a place at the agent.
            self.toll.waited_for_agent(clock::now() - since);
            (permit, turn) = waited.map_err(|_elapsed| refusal)?;
        }
    }
}
