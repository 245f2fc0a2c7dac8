//! One version of what an author wrote, compiled.

use std::sync::Arc;

use crate::audit::{Capture, Decisions, Generation};
use crate::identity::Authenticator;
use crate::model::Protocol;
use crate::policy::{PolicySet, Reads};
use crate::push::Hooks;
use crate::quota::Quotas;
use crate::scan::Detectors;

use super::candidate::Candidate;
use super::card::AgentCards;
use super::hygiene::Hygiene;
use super::resource::ProtectedResource;

/// How what callers say in a WebSocket is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Not at all: no statement is about anything that could be in it.
    Off,
    /// As JSON-RPC, with the methods of A2A.
    Rpc,
    /// With those of MCP, too.
    RpcAndMcp,
}

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
    /// Of which calls there are records.
    pub decisions: Decisions,
}

impl Snapshot {
    /// How messages are read in a tunnel that is opened now.
    pub(super) fn reading(&self) -> Reading {
        let spoken = self.policy.spoken();
        if spoken.contains(Protocol::Mcp) {
            return Reading::RpcAndMcp;
        }
        // A tool is a tool by its name, whatever a policy speaks of.
        match spoken.contains(Protocol::A2a) || self.reads.tool {
            true => Reading::Rpc,
            false => Reading::Off,
        }
    }
}
