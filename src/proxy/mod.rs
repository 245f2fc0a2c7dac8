//! The order of the rooms.
//!
//! Owns what one call passes through, in which order, and what its answer looks like; decides nothing
//! itself. `connection` serves one connection, for one of the `agents`; `pipeline` one call, `admission` what stands between it and the agent, `search` reads what callers send, `answer` what the agent says before
//! its head leaves, `readable` and `coded` whether and how that can be read, `screen` what leaves while it runs, `farewell`
//! lets that arrive when the rest is cut, `card` says what is told of the agent, `hygiene` which fields travel, `trace` which trace a call is
//! part of, and `reply` is the single place where a refusal
//! gets its words. `upgrade` opens a WebSocket, `tunnel` is its life, `relay` what the agent says in it, `whole` joins the
//! frames of messages, and `dialogue` judges those that are calls themselves, with the answers to them.

mod admission;
mod agents;
mod answer;
mod batch;
mod candidate;
pub mod card;
mod catalogue;
mod coded;
mod connection;
mod decision;
mod dialogue;
mod farewell;
mod forwarded;
mod frames;
mod fuzz;
mod fuzz_forward;
mod headers;
mod hold;
pub mod hygiene;
mod inbound;
mod messages;
mod meter;
mod metered;
mod panic;
mod peer;
mod pipeline;
mod read;
mod readable;
mod redirect;
mod relay;
mod reply;
pub mod resource;
mod screen;
mod scrub;
mod search;
mod snapshot;
mod spoofable;
mod standing;
mod standings;
mod toll;
mod tools;
mod trace;
mod tunnel;
mod upgrade;
mod view;
mod watch;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::audit::Audit;
use crate::identity::Assertions;
use crate::policy::Revocations;
use crate::push::Resolver;
use crate::quota::Store;
use crate::telemetry::{CallMetrics, TransportMetrics};

pub use agents::{Agent, Agents};
pub use candidate::{Candidate, Difference, Differences, Statement};
pub use catalogue::errors_page;
pub use connection::{Front, Versions};
#[doc(hidden)]
pub use fuzz::fuzz_websocket;
pub use fuzz_forward::fuzz_forward;
pub use headers::IdentityHeaders;
pub use read::Read;
pub use redirect::Redirect;
pub use reply::{no_place, status};
pub use screen::{Cut, ReplyBody};
pub use snapshot::Snapshot;
pub use tools::ToolMemory;

use card::CardMemory;
use standing::Changes;

/// What all calls share. Counters, pools and memory live here and outlive a reload; what an author
/// wrote lives in the [`Snapshot`].
pub struct Proxy {
    snapshot: ArcSwap<Snapshot>,
    revocations: ArcSwap<Revocations>,
    changes: Changes,
    parts: Parts,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let generation = &self.snapshot.load().generation;
        f.debug_struct("Proxy")
            .field("generation", generation)
            .finish_non_exhaustive()
    }
}

/// What a [`Proxy`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Who the agent is, as policies name it.
    pub agent: Arc<str>,
    /// Where records go.
    pub audit: Audit,
    /// What is counted of calls.
    pub calls: CallMetrics,
    /// What is counted of connections.
    pub transport: TransportMetrics,
    /// The quotas' counters.
    pub quota_store: Arc<Store>,
    /// The agents, and what is remembered of each between calls.
    pub agents: Agents,
    /// How long an agent may take to begin an answer.
    pub first_byte: Duration,
    /// How the agent learns who calls.
    pub identity_headers: IdentityHeaders,
    /// What the agent's cards were like.
    pub cards: CardMemory,
    /// Who says where the hosts of push notifications are.
    pub resolver: Resolver,
    /// What lictor asserts of callers towards the agent, signed.
    pub assertions: Option<Arc<Assertions>>,
}

impl Proxy {
    /// Puts the parts together, under a first snapshot.
    pub fn new(snapshot: Snapshot, parts: Parts) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            revocations: ArcSwap::default(),
            changes: Changes::default(),
            parts,
        }
    }

    /// Lets new calls run under `snapshot`. Calls in flight keep the one that they began with, but for answers
    /// that run: those end where `snapshot` does not allow them.
    pub fn swap(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.changes.announce();
    }

    /// Refuses from now on what these are about, and ends the answers that run for it.
    pub fn revoke(&self, revocations: Revocations) {
        self.revocations.store(Arc::new(revocations));
        self.changes.announce();
    }

    /// What is revoked now.
    pub fn revocations(&self) -> Arc<Revocations> {
        self.revocations.load_full()
    }

    /// The snapshot that new calls run under.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The parts, for whoever tells of their state.
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }
}
