//! A call that asks to leave HTTP for WebSocket: judged as any other, and then a tunnel or an answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, UPGRADE};
use http::{Request, request};
use http_body::Body;

use crate::model::{Principal, Reason, Refusal};
use crate::policy::Limits;
use crate::quota::Admission;
use crate::scan::Detectors;
use crate::upstream::{RequestBody, Switched, SwitchedStream, Upgraded, strip_hop_by_hop};
use crate::websocket::{Accepted, Handshake, HandshakeError};

use super::answer::{Answered, Judged};
use super::dialogue::Origin;
use super::headers;
use super::pipeline::{Walk, upstream_refusal};
use super::reply;
use super::snapshot::Reading;
use super::standing::Standing;
use super::standings;

/// What a tunnel is opened with.
pub(super) struct Opening {
    pub(super) agent: SwitchedStream,
    pub(super) accepted: Accepted,
    /// What must not leave.
    pub(super) detectors: Arc<Detectors>,
    /// For whom it is, and what for.
    pub(super) standing: Standing,
    /// Where messages come from that are calls themselves, where they are judged.
    pub(super) origin: Option<Box<Origin>>,
    /// How its messages are read.
    pub(super) reading: Reading,
    /// Those of a stream.
    pub(super) limits: Limits,
    /// Since when the call's time runs.
    pub(super) started: Instant,
}

/// What of a handshake's head counts for every message.
pub(super) struct AskedBy {
    headers: HeaderMap,
    path: Box<str>,
}

/// Whether the request is a handshake.
///
/// # Errors
/// When it names WebSocket and is none.
pub(super) fn read(
    head: &request::Parts,
    body: &impl Body<Data = Bytes>,
) -> Result<Option<Handshake>, Refusal> {
    let handshake = Handshake::read(head).and_then(|handshake| match handshake {
        Some(_) if !body.is_end_stream() => Err(HandshakeError::Body),
        handshake => Ok(handshake),
    });
    handshake.map_err(|error| Refusal::new(Reason::MalformedRequest).detail(error))
}

impl Walk<'_> {
    /// Lets an admitted handshake out to the agent.
    pub(super) async fn upgrade(
        &self,
        mut parts: request::Parts,
        handshake: &mut Handshake,
        principal: &Principal,
        admission: Admission,
        limits: &Limits,
    ) -> Result<Upgraded, Refusal> {
        self.towards_agent(&mut parts, principal, false)?;
        let is_read = self.tunnelled.is_some() || !self.snapshot.detectors.is_empty();
        handshake.offer(&mut parts.headers, is_read);
        self.agent()
            .upstream
            .upgrade(
                admission,
                Request::from_parts(parts, RequestBody::Empty),
                HeaderValue::from_static("websocket"),
                self.deadlines(limits),
            )
            .await
            .map_err(|(error, _unspent)| upstream_refusal(&error))
    }

    /// The head of the handshake, as far as messages are judged by it: without credentials, which were for once.
    pub(super) fn asked_by(&self, parts: &request::Parts) -> Option<AskedBy> {
        self.tunnelled.as_ref()?;
        let mut headers = parts.headers.clone();
        let fields = self.snapshot.authenticator.fields();
        let names = &self.parts().identity_headers;
        names.remove_credentials(&mut headers, fields);
        Some(AskedBy {
            headers,
            path: Box::from(parts.uri.path()),
        })
    }

    /// Where the messages of the tunnel come from.
    fn origin(
        &mut self,
        asked_by: AskedBy,
        standing: &Standing,
        limits: &Limits,
    ) -> Option<Origin> {
        let reader = self.tunnelled.take()?;
        let decision = self.toll.decision();
        let record = self.toll.record();
        Some(Origin {
            reader,
            headers: asked_by.headers,
            agent: self.inlet.agent,
            principal: Arc::clone(&standing.case.principal),
            beside: record.beside.clone(),
            source: self.inlet.source,
            listener: record.listener.clone(),
            client_certificate: record.client_certificate.clone(),
            trace: record.trace_id,
            decision,
            path: asked_by.path,
            most_calls: self.inlet.bounds.calls,
            message_bytes: limits.request_bytes,
        })
    }

    /// Judges a 101: only the answer to this very handshake opens a tunnel.
    pub(super) fn switched(
        &mut self,
        switched: Switched,
        handshake: &Handshake,
        standing: Standing,
        asked_by: Option<AskedBy>,
    ) -> Result<Answered, Refusal> {
        let Switched {
            mut head,
            stream,
            admission,
        } = switched;
        self.toll.record().upstream_status = Some(head.status.as_u16());
        let accepted = handshake
            .check(&head)
            .map_err(|error| Refusal::new(Reason::UpstreamInvalid).detail(error))?;
        let detectors = self
            .snapshot
            .detectors
            .for_action(&standing.case.call.action);
        strip_hop_by_hop(&mut head.headers);
        headers::towards_caller(&mut head.headers);
        self.snapshot.hygiene.strip_answer(&mut head.headers);
        if !detectors.is_empty() {
            headers::screen(&mut head.headers, &detectors, self.toll)?;
        }
        reply::mark(&mut head.headers, self.request_id);
        let fields = self.snapshot.hygiene.rate_limit_fields();
        standings::tell(&mut head.headers, admission.standings(), fields);
        head.headers
            .insert(UPGRADE, HeaderValue::from_static("websocket"));
        let action = &standing.case.call.action;
        let mut limits = self.snapshot.policy.stream_limits(action);
        let origin = asked_by.and_then(|asked_by| self.origin(asked_by, &standing, &limits));
        if origin.is_some() {
            // Calls may be longer than what the tunnel is for besides; each is held to its own limit.
            let most = self.snapshot.policy.max_request_bytes();
            limits.request_bytes = limits.request_bytes.max(most);
        }
        let opening = Box::new(Opening {
            agent: stream,
            accepted,
            detectors,
            origin: origin.map(Box::new),
            reading: self.snapshot.reading(),
            limits,
            standing,
            started: self.started,
        });
        Ok(Answered {
            head,
            body: Judged::Tunnel(opening, admission),
        })
    }
}
