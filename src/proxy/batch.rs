//! Several calls in one request: each is judged for itself, and all go to the agent or none does.

use std::sync::Arc;

use http::HeaderMap;

use crate::clock;
use crate::model::{Call, Reason, Refusal};
use crate::protocol::{Head, Malformed, Part};
use crate::quota::Admission;

use super::admission::Gate;
use super::pipeline::Walk;
use super::read::Read;
use super::standing::Case;

/// What somebody has asked.
pub(super) struct Asked {
    /// The call, or the first of a batch.
    pub(super) call: Call,
    /// What it was read from, where that is not the whole body.
    pub(super) text: Option<Box<str>>,
    /// The other calls of its batch.
    pub(super) others: Vec<Part>,
}

impl Asked {
    /// `body` is the whole of it, where it decides what is asked.
    pub(super) fn read(
        head: Head,
        body: Option<&[u8]>,
        json_depth: usize,
    ) -> Result<Self, Malformed> {
        let mut parts = head.batch(body, json_depth)?.unwrap_or_default();
        let others = parts.split_off(parts.len().min(1));
        Ok(match parts.pop() {
            Some(Part { call, text }) => Self {
                call,
                text: Some(text),
                others,
            },
            None => Self {
                call: head.into_call(body, json_depth)?,
                text: None,
                others,
            },
        })
    }
}

impl Walk<'_> {
    /// Admits the other calls of a batch, each by itself and on a record of its own. One that is refused keeps all back; what
    /// quotas have counted for those before it stays counted.
    pub(super) async fn others(
        &mut self,
        headers: &HeaderMap,
        first: &Case,
        parts: Vec<Part>,
    ) -> Result<Vec<Case>, Refusal> {
        let mut cases = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            match self.other(headers, first, part, index).await {
                Ok((case, admission)) => {
                    self.toll.take(admission);
                    cases.push(case);
                }
                Err(refusal) => {
                    self.toll.pass_over(index, &refusal);
                    return Err(refusal);
                }
            }
        }
        Ok(cases)
    }

    async fn other(
        &mut self,
        headers: &HeaderMap,
        first: &Case,
        Part { call, text }: Part,
        index: usize,
    ) -> Result<(Case, Admission), Refusal> {
        let (snapshot, proxy) = (self.snapshot, self.proxy);
        let agent = proxy.parts().agents.at(self.inlet.agent);
        let limits = snapshot.policy.limits(&call.action);
        let facts = agent.ledger.facts(&first.principal, &call, clock::now());
        let body = Some(text.as_bytes());
        let mut case = Case {
            facts: facts.await?,
            read: Read::of(&snapshot.reads, headers, body, &call),
            source: first.source,
            size: Some(text.len() as u64),
            principal: Arc::clone(&first.principal),
            call,
        };
        let lost = || Refusal::new(Reason::Internal).detail("a call without a record");
        let toll = self.toll.other(index).ok_or_else(lost)?;
        toll.admit()?;
        let gate = Gate {
            proxy,
            snapshot,
            agent,
            toll,
            started: self.started,
        };
        let admission = gate.admit(&mut case, &limits, body, None).await?;
        Ok((case, admission))
    }
}
