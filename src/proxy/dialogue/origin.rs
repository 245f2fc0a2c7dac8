//! Where the messages of a tunnel come from, and how one of them is judged.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::audit::Outcome;
use crate::clock;
use crate::model::{DecisionId, Principal, Reason, Refusal, RequestId, TraceId};
use crate::protocol::{RpcKey, Said, Tunnelled};

use super::super::admission::Gate;
use super::super::agents::Chosen;
use super::super::decision::fresh_decision;
use super::super::inbound::Inbound;
use super::super::panic::unless_panic;
use super::super::pipeline::overloaded;
use super::super::read::Read;
use super::super::reply::{self, Addressee};
use super::super::standing::{Case, Standing};
use super::super::toll::Toll;
use super::super::{Proxy, Snapshot, search};
use super::asked::Asked;

/// What all messages of a tunnel have in common: the call that opened it.
pub(in super::super) struct Origin {
    /// How they are read.
    pub(in super::super) reader: Tunnelled,
    /// The fields of the handshake, without credentials.
    pub(in super::super) headers: HeaderMap,
    pub(in super::super) agent: Chosen,
    pub(in super::super) principal: Arc<Principal>,
    pub(in super::super) beside: Vec<Arc<Principal>>,
    pub(in super::super) source: SocketAddr,
    pub(in super::super) listener: Option<Arc<str>>,
    pub(in super::super) client_certificate: Option<Box<str>>,
    pub(in super::super) trace: Option<TraceId>,
    /// The decision that opened the tunnel.
    pub(in super::super) decision: DecisionId,
    /// The path as it came.
    pub(in super::super) path: Box<str>,
    /// Calls in flight at the same time.
    pub(in super::super) most_calls: usize,
    /// Bytes of a message that is no call.
    pub(in super::super) message_bytes: usize,
}

/// What comes of a message.
pub(super) enum Verdict {
    /// It goes to the agent.
    Passes {
        /// Its answer is waited for.
        asked: Option<(RpcKey, Box<Asked>)>,
        /// That of another is not waited for any more.
        cancelled: Option<RpcKey>,
        /// What goes instead of what came.
        changed: Option<Bytes>,
    },
    /// It does not, and this is said.
    Refused(Option<Bytes>),
}

/// A "no" and whom it is said to.
type Refused = (Addressee, Refusal);

impl Origin {
    /// Whether a message that nobody judges may pass.
    ///
    /// # Errors
    /// When it is longer than messages of this tunnel may be, or would have to be searched.
    pub(super) fn admit_foreign(&self, snapshot: &Snapshot, data: &[u8]) -> Result<(), Refusal> {
        let most = self.message_bytes;
        if data.len() > most {
            let refusal = Refusal::new(Reason::RequestTooLarge);
            return Err(refusal.detail(format_args!("above {most} bytes")));
        }
        if !snapshot.request_detectors.is_empty() {
            let refusal = Refusal::new(Reason::OperationUnsupported);
            return Err(refusal.detail("only calls of JSON-RPC are searched in a WebSocket"));
        }
        Ok(())
    }

    /// Judges a message as the call that it is, on a record of its own. `known` are the changes that were counted before the
    /// snapshot was taken; `no_place` says why its answer could not be waited for.
    pub(super) async fn judge(
        self: Arc<Self>,
        proxy: Arc<Proxy>,
        (known, snapshot): (u64, Arc<Snapshot>),
        data: Bytes,
        no_place: Option<Refusal>,
    ) -> Verdict {
        let decision = fresh_decision();
        let request_id = RequestId::from(decision);
        let mut toll = Toll::new(Arc::clone(&proxy), decision, request_id.clone());
        self.note(&proxy, &snapshot, &mut toll, data.len());
        let judged = self.judged(&proxy, (known, &snapshot), &mut toll, data, no_place);
        // A panic is a bug of ours. It must not become a call that passed, nor end the tunnel's others.
        let judged = unless_panic(pin!(judged))
            .await
            .unwrap_or_else(|_panicked| {
                proxy.parts().calls.panics.inc();
                let refusal = Refusal::new(Reason::Internal).detail("panic");
                Err((Addressee::unread(), refusal))
            });
        match judged {
            Ok((mut admitted, changed)) => Verdict::Passes {
                cancelled: admitted.cancelled.take(),
                asked: admitted.into_asked(snapshot, toll),
                changed,
            },
            Err((addressee, refusal)) => {
                Verdict::Refused(refuse(&addressee, &refusal, &snapshot, &mut toll))
            }
        }
    }

    /// What the record says, whatever the message is.
    fn note(&self, proxy: &Proxy, snapshot: &Snapshot, toll: &mut Toll, bytes: usize) {
        let record = toll.record();
        record.tunnel = Some(self.decision);
        record.source = Some(self.source);
        record.listener.clone_from(&self.listener);
        record.agent_port = proxy.parts().agents.other_port(self.agent);
        record
            .client_certificate
            .clone_from(&self.client_certificate);
        record.trace_id = self.trace;
        record.generation = Some(snapshot.generation.clone());
        record.http(&Method::POST, &self.path);
        record.principal = Some(Arc::clone(&self.principal));
        record.beside.clone_from(&self.beside);
        record.request_bytes = bytes as u64;
    }

    async fn judged(
        &self,
        proxy: &Arc<Proxy>,
        (known, snapshot): (u64, &Snapshot),
        toll: &mut Toll,
        data: Bytes,
        no_place: Option<Refusal>,
    ) -> Result<(Admitted, Option<Bytes>), Refused> {
        let started = clock::now();
        let depth = snapshot.policy.json_depth();
        let read = |data: &Bytes| {
            let read = self.reader.read(data, depth);
            read.map_err(|malformed| (Addressee::of_malformed(&malformed), malformed.refusal))
        };
        let unread = |refusal| (self.addressee(&data, depth), refusal);
        toll.admit().map_err(unread)?;
        overloaded(proxy.parts(), self.most_calls).map_err(unread)?;
        // Before anything is read out of it: what is judged is what the agent gets.
        let (searched, leak) = search_for_leaks(snapshot, toll, data.clone());
        // What it was before, it is still; if not, it is no call, and no such thing passes where messages are searched.
        let Some(said) = read(&searched)? else {
            let refusal = Refusal::new(Reason::RequestLeak);
            return Err(unread(refusal.detail("what is left of it is no call")));
        };
        if searched != data
            && self
                .reader
                .read(&data, depth)
                .ok()
                .flatten()
                .and_then(|it| it.key)
                != said.key
        {
            let refusal = Refusal::new(Reason::RequestLeak);
            return Err(unread(refusal.detail("something to redact in the id")));
        }
        let Said {
            call,
            key,
            cancelled,
        } = said;
        toll.call(&call);
        let addressee = Addressee::of(&call);
        let refused = |refusal| (addressee.clone(), refusal);
        if let Some(refusal) = no_place {
            return Err(refused(refusal));
        }
        let limits = snapshot.policy.limits(&call.action);
        let agent = proxy.parts().agents.at(self.agent);
        let facts = agent.ledger.facts(&self.principal, &call, started).await;
        let mut case = Case {
            facts: facts.map_err(|error| refused(error.into()))?,
            read: Read::of(&snapshot.reads, &self.headers, Some(&searched), &call),
            source: self.source.ip(),
            size: Some(searched.len() as u64),
            principal: Arc::clone(&self.principal),
            call,
        };
        let gate = Gate {
            proxy,
            snapshot,
            agent,
            toll,
            started,
        };
        let admission = gate.admit(&mut case, &limits, Some(&searched), leak).await;
        let admission = admission.map_err(refused)?;
        let ends_at = started + snapshot.policy.stream_limits(&case.call.action).time;
        let mut standing = Standing::new(known, case);
        // While it waited for its turn.
        standing.check(proxy, None).map_err(refused)?;
        let changed = (searched != data).then_some(searched);
        let admitted = Admitted {
            agent: self.agent,
            admission,
            standing,
            key,
            cancelled,
            ends_at,
        };
        Ok((admitted, changed))
    }

    /// Whom to answer when the call is refused before it is known.
    fn addressee(&self, data: &[u8], depth: usize) -> Addressee {
        match self.reader.read(data, depth) {
            Ok(Some(said)) => Addressee::of(&said.call),
            Ok(None) => Addressee::unread(),
            Err(malformed) => Addressee::of_malformed(&malformed),
        }
    }
}

/// What of a message may go on, and why it may not.
fn search_for_leaks(snapshot: &Snapshot, toll: &mut Toll, data: Bytes) -> (Bytes, Option<Refusal>) {
    let detectors = &snapshot.request_detectors;
    if detectors.is_empty() {
        return (data, None);
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let inbound = Inbound::Buffered(data.clone());
    let searched = search::search(detectors, &mut headers, inbound, false);
    toll.found(searched.found);
    match searched.inbound {
        Inbound::Buffered(data) => (data, searched.refusal),
        Inbound::Empty | Inbound::Held(_) | Inbound::Streamed { .. } => (data, searched.refusal),
    }
}

/// A call that may go to the agent.
pub(super) struct Admitted {
    pub(super) agent: Chosen,
    pub(super) admission: crate::quota::Admission,
    pub(super) standing: Standing,
    pub(super) key: Option<RpcKey>,
    pub(super) cancelled: Option<RpcKey>,
    pub(super) ends_at: std::time::Instant,
}

/// Says "no" in a message, and closes the record.
pub(super) fn refuse(
    addressee: &Addressee,
    refusal: &Refusal,
    snapshot: &Snapshot,
    toll: &mut Toll,
) -> Option<Bytes> {
    let (decision, request_id) = (toll.decision(), toll.request_id().clone());
    let hygiene = &snapshot.hygiene;
    let response = reply::refuse(addressee, refusal, decision, &request_id, hygiene);
    toll.refused(refusal);
    toll.answered(response.status());
    toll.ended(match refusal.reason {
        Reason::LeakageDetected => Outcome::Blocked,
        _ => Outcome::Refused,
    });
    let body = response.into_body();
    toll.delivered(body.len());
    (!body.is_empty()).then_some(body)
}
