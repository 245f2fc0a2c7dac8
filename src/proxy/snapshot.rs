//! One version of what an author wrote, compiled.

use std::sync::Arc;

use crate::audit::{Capture, Generation};
use crate::identity::Authenticator;
use crate::policy::{PolicySet, Reads};
use crate::push::Hooks;
use crate::quota::Quotas;
use crate::scan::Detectors;

use super::candidate::Candidate;
use super::card::AgentCards;
use super::hygiene::Hygiene;
use super::resource::ProtectedResource;

/// An immutable generation of the policy. A call loads it once and keeps it to its end.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which one it is.
    pub generation: Generation,
    /// Who calls.
    pub authenticator: Arc<Authenticator>,
    /// Whether they may.
    pub policy: Arc<PolicySet>,
    /// How much.
    pub quotas: Arc<Quotas>,
    /// What must not leave.
    pub detectors: Arc<Detectors>,
    /// What must not come.
    pub request_detectors: Arc<Detectors>,
    /// Which fields travel, and which pages may ask.
    pub hygiene: Arc<Hygiene>,
    /// Where clients find out who issues tokens.
    pub resource: Option<Arc<ProtectedResource>>,
    /// What callers are told of the agent; `None` is what it tells itself.
    pub cards: Option<Arc<AgentCards>>,
    /// Where news may be pushed to; `None` is anywhere.
    pub hooks: Option<Arc<Hooks>>,
    /// What is judged beside it.
    pub candidate: Option<Arc<Candidate>>,
    /// What conditions read, the candidate's too.
    pub reads: Reads,
    /// Whether records hold what decisions are made from.
    pub capture: Capture,
}
