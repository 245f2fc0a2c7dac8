//! One call, room by room.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;

use crate::audit::Outcome;
use crate::clock;
use crate::coding::Accepted;
use crate::http1;
use crate::identity::signature::SignatureError;
use crate::identity::{Caller, CredentialError, Presented};
use crate::model::{Binding, DecisionId, Dialect, Principal, Reason, Refusal, RequestId, TokenUse};
use crate::policy::Limits;
use crate::protocol::{self, Head, ListEvents, Listing, Malformed, Observer, Tunnelled};
use crate::quota::Admission;
use crate::telemetry::chain;
use crate::upstream::{Deadlines, Forwarded, Upgraded, UpstreamError};
use crate::websocket::Handshake;

use super::admission::Gate;
use super::agents::{Agent, Chosen};
use super::answer::{Answer, Answered, Judged};
use super::batch::Asked;
use super::card::AgentCards;
use super::connection::Inlet;
use super::decision::fresh_decision;
use super::headers;
use super::hygiene::{Preflight, Visit};
use super::inbound::{CallerBody, Inbound};
use super::panic::unless_panic;
use super::read::Read;
use super::reply::{self, Addressee};
use super::resource::ProtectedResource;
use super::screen::{ReplyBody, Screen};
use super::snapshot::{Reading, Snapshot};
use super::standing::{Case, Standing};
use super::toll::Toll;
use super::trace::Trace;
use super::tunnel::Tunnel;
use super::{Parts, Proxy, scrub, search, upgrade};

/// Bytes that somebody unknown may make us read before we know what is asked.
const UNAUTHENTICATED_BODY_BYTES: usize = 64 * 1024;

/// When somebody who came while there was too much work may try again. Arbitrary: calls end all the time.
const OVERLOADED_RETRY: Duration = Duration::from_secs(1);

/// A "no" and whom it is said to.
type Refused = (Addressee, Refusal);

/// What a call comes to. Only a caller of HTTP/1.1 can ask to leave HTTP.
pub(super) type Reply = http1::Reply<ReplyBody, Box<Tunnel>>;

impl Proxy {
    /// Answers one request. Never fails: whatever goes wrong is an answer too.
    pub(super) async fn call(
        self: Arc<Self>,
        mut inlet: Inlet,
        request: Request<CallerBody>,
    ) -> Reply {
        // First: what changes from here on is noticed, if twice.
        let known = self.changes.count();
        let snapshot = self.snapshot();
        let decision = fresh_decision();
        let request_id = request_id(request.headers(), decision);
        let heard = inlet.hear(request.headers());
        let hygiene = &snapshot.hygiene;
        let visit = hygiene.visit(request.headers(), inlet.is_tls);
        let trace = Trace::begin(request.headers(), decision, hygiene.continues_traces());
        let mut toll = Toll::new(Arc::clone(&self), decision, request_id.clone());
        let record = toll.record();
        record.source = Some(inlet.source);
        record.listener.clone_from(&inlet.listener);
        record.agent_port = self.parts.agents.other_port(inlet.agent);
        record.client_certificate = inlet
            .client
            .as_deref()
            .map(|client| client.fingerprint().into());
        record.trace_id = Some(trace.id());
        record.generation = Some(snapshot.generation.clone());
        record.http(request.method(), request.uri().path());

        let has_content = !request.body().is_end_stream();
        let asked = snapshot.authenticator.asked(&request);
        let is_head = request.method() == Method::HEAD;
        let walk = Walk {
            proxy: &self,
            known,
            snapshot: &snapshot,
            inlet: &inlet,
            request_id: &request_id,
            visit: &visit,
            trace,
            handshake: None,
            tunnelled: None,
            toll: &mut toll,
            started: clock::now(),
        };
        // A panic is a bug of ours. It must not become a call that passed, nor end the connection's others.
        let outcome = unless_panic(pin!(walk.go(heard, request))).await;
        let outcome = outcome.unwrap_or_else(|_panicked| {
            self.parts.calls.panics.inc();
            let refusal = Refusal::new(Reason::Internal).detail("panic");
            Err((Addressee::unread(), refusal))
        });
        let mut tunnel = None;
        let mut content = None;
        let mut response = match outcome {
            Ok(Answered {
                head,
                body: Judged::Whole(bytes, trailers),
            }) => {
                toll.answered(head.status);
                toll.ended(Outcome::Complete);
                toll.delivered(bytes.len());
                content = Some(bytes.clone());
                Response::from_parts(head, ReplyBody::with_trailers(bytes, trailers))
            }
            Ok(Answered {
                head,
                body: Judged::Running(course),
            }) => {
                toll.answered(head.status);
                let screen = Screen::new(Arc::clone(&self), *course, toll);
                Response::from_parts(head, ReplyBody::stream(screen))
            }
            Ok(Answered {
                head,
                body: Judged::Tunnel(opening, admission),
            }) => {
                toll.answered(head.status);
                tunnel = Some(Tunnel::new(Arc::clone(&self), *opening, admission, toll));
                Response::from_parts(head, ReplyBody::whole(Bytes::new()))
            }
            Err((addressee, mut refusal)) => {
                if refusal.reason == Reason::CredentialMissing {
                    refusal.challenge = snapshot.authenticator.challenge();
                }
                let batch = toll.batch();
                let mut response =
                    reply::refuse_all(&addressee, batch, &refusal, decision, &request_id, hygiene);
                let meaning = addressee.meaning(refusal.reason);
                if meaning == StatusCode::UNAUTHORIZED {
                    let authenticator = &snapshot.authenticator;
                    authenticator.ask_for_signature(response.headers_mut(), has_content);
                }
                if let Some(resource) = &snapshot.resource {
                    let record = toll.record();
                    let (action, caller) = (record.action.as_ref(), record.principal.as_deref());
                    resource.challenge(meaning, response.headers_mut(), action, caller);
                }
                toll.refused(&refusal);
                let leaked = refusal.reason == Reason::LeakageDetected;
                toll.answered(response.status());
                toll.ended(if leaked {
                    Outcome::Blocked
                } else {
                    Outcome::Refused
                });
                toll.delivered(response.body().len());
                content = Some(response.body().clone());
                response.map(ReplyBody::whole)
            }
        };
        hygiene.towards_caller(response.headers_mut(), &visit);
        if let Some(asked) = asked.filter(|_| tunnel.is_none()) {
            // The content of an answer to HEAD is that of another answer.
            let content = content.map(|content| if is_head { Bytes::new() } else { content });
            let status = response.status();
            let headers = response.headers_mut();
            let now = clock::wall();
            let authenticator = &snapshot.authenticator;
            authenticator.sign_answer(&asked, status, headers, content.as_deref(), now);
        }
        match tunnel {
            Some(tunnel) => Reply::Switch(response.map(|_| ()), Box::new(tunnel)),
            None => Reply::Response(response),
        }
    }

    /// Records what came on a connection and was no request, so that it never became a call, and says what
    /// to answer.
    pub(super) fn unread(self: Arc<Self>, inlet: &Inlet, refusal: &Refusal) -> Response<Bytes> {
        let decision = fresh_decision();
        let request_id = RequestId::from(decision);
        let snapshot = self.snapshot();
        let agent_port = self.parts.agents.other_port(inlet.agent);
        let mut toll = Toll::new(self, decision, request_id.clone());
        let record = toll.record();
        record.source = Some(inlet.source);
        record.listener.clone_from(&inlet.listener);
        record.agent_port = agent_port;
        record.generation = Some(snapshot.generation.clone());
        let mut response = reply::refuse(
            &Addressee::unread(),
            refusal,
            decision,
            &request_id,
            &snapshot.hygiene,
        );
        toll.refused(refusal);
        toll.answered(response.status());
        toll.ended(Outcome::Refused);
        toll.delivered(response.body().len());
        let visit = Visit::unread(inlet.is_tls);
        snapshot
            .hygiene
            .towards_caller(response.headers_mut(), &visit);
        response
    }
}

/// One call on its way through the rooms.
pub(super) struct Walk<'a> {
    pub(super) proxy: &'a Proxy,
    /// The changes that were counted when the call came.
    known: u64,
    pub(super) snapshot: &'a Snapshot,
    pub(super) inlet: &'a Inlet,
    pub(super) request_id: &'a RequestId,
    visit: &'a Visit,
    trace: Trace,
    /// The caller asks to leave HTTP.
    handshake: Option<Handshake>,
    /// How what it says then is judged, where that is.
    pub(super) tunnelled: Option<Tunnelled>,
    pub(super) toll: &'a mut Toll,
    /// When the head of the request was there: from here on the call's time runs.
    pub(super) started: Instant,
}

impl Walk<'_> {
    /// `heard` is what became of the fields in which proxies tell of the caller.
    async fn go(
        mut self,
        heard: Result<(), Refusal>,
        request: Request<CallerBody>,
    ) -> Result<Answered, Refused> {
        let (mut parts, body) = request.into_parts();
        #[cfg(test)]
        assert!(
            !parts.headers.contains_key("x-panic"),
            "asked for by a test"
        );
        let addressee = Addressee::of_head(&parts);
        let unread = |refusal| (addressee.clone(), refusal);
        self.toll.admit().map_err(unread)?;
        if self.inlet.takes_back {
            // The reset may have come together with the request (CVE-2023-44487), and is seen before the next
            // step: the agent then does no work for nobody.
            tokio::task::yield_now().await;
        }
        overloaded(self.parts(), self.inlet.bounds.calls).map_err(unread)?;
        heard.map_err(unread)?;
        refuse_large_head(&parts, self.inlet).map_err(unread)?;
        let hygiene = &self.snapshot.hygiene;
        if hygiene.normalises_paths() {
            protocol::normalise_path(&mut parts.uri);
        }
        let spoken = self.snapshot.policy.spoken();
        let head = protocol::read_head(&parts, spoken).map_err(malformed)?;
        let preflight = hygiene.admit(&parts, self.visit).map_err(unread)?;
        if let Some(preflight) = preflight {
            return Ok(self.answer_preflight(preflight));
        }
        self.handshake = upgrade::read(&parts, &body).map_err(unread)?;
        if self.handshake.is_some() && self.snapshot.reading() != Reading::Off {
            self.tunnelled = Some(head.tunnelled(&parts.headers));
        }
        let presented = Presented {
            headers: &parts.headers,
            method: &parts.method,
            uri: &parts.uri,
            is_tls: self.inlet.is_tls,
            host: self.inlet.host.as_ref(),
            has_content: !body.is_end_stream(),
            client: self.inlet.client.as_deref(),
        };
        let caller = self
            .snapshot
            .authenticator
            .authenticate(presented, clock::wall())
            .await;
        let inbound = self.read_body(&head, body, &caller).await;
        // Who is not known is told so in the words of the call, if those could be read at all.
        let caller = caller.and_then(|caller| check_content(caller, inbound.as_ref().ok()));
        let Caller {
            principal,
            beside,
            content,
            ..
        } = caller
            .map_err(|refusal| (self.addressee(head.clone(), inbound.as_ref().ok()), refusal))?;
        let record = self.toll.record();
        record.principal = Some(Arc::clone(&principal));
        record.beside = beside;
        let inbound = inbound.map_err(|refusal| (self.addressee(head.clone(), None), refusal))?;
        self.toll.record().request_bytes = inbound.length().unwrap_or_default();
        // Before anything is read out of it: what is judged is what the agent gets.
        let (inbound, leak) = self.search(&mut parts.headers, inbound, content.is_some());
        let depth = self.snapshot.policy.json_depth();
        let asked = Asked::read(head, inbound.judged(), depth).map_err(malformed)?;
        self.toll.asks(&asked);

        let addressee = Addressee::of(&asked.call);
        let answered = self.judged(parts, inbound, principal, asked, leak).await;
        answered.map_err(|refusal| (addressee, refusal))
    }

    /// What of the request may go on, and why it may not, which only somebody who may call at all is told.
    fn search(
        &mut self,
        headers: &mut HeaderMap,
        inbound: Inbound,
        is_signed: bool,
    ) -> (Inbound, Option<Refusal>) {
        let detectors = &self.snapshot.request_detectors;
        if detectors.is_empty() {
            return (inbound, None);
        }
        if self.handshake.is_some() {
            let refusal = self.tunnelled.is_none().then(|| {
                let refusal = Refusal::new(Reason::OperationUnsupported);
                refusal.detail("what callers say in a WebSocket is searched only as JSON-RPC")
            });
            return (inbound, refusal);
        }
        let searched = search::search(detectors, headers, inbound, is_signed);
        self.toll.found(searched.found);
        (searched.inbound, searched.refusal)
    }

    /// Answers a preflight for the agent.
    fn answer_preflight(self, mut preflight: Preflight) -> Answered {
        self.toll.allowed(&preflight.rule);
        reply::mark(&mut preflight.head.headers, self.request_id);
        Answered {
            head: preflight.head,
            body: Judged::Whole(Bytes::new(), None),
        }
    }

    async fn read_body(
        &self,
        head: &Head,
        body: CallerBody,
        caller: &Result<Caller, Refusal>,
    ) -> Result<Inbound, Refusal> {
        let known = caller
            .as_ref()
            .is_ok_and(|caller| !caller.principal.is_anonymous());
        let allowed = self.snapshot.policy.max_request_bytes();
        let most = if known {
            allowed
        } else {
            allowed.min(UNAUTHENTICATED_BODY_BYTES)
        };
        let is_signed = caller.as_ref().is_ok_and(|caller| caller.content.is_some());
        let reads_whole = is_signed || !self.snapshot.request_detectors.is_empty();
        let idle = self.inlet.bounds.body_idle;
        Inbound::read(head, body, most, idle, reads_whole).await
    }

    /// Whom to answer when the call is refused before it is known.
    fn addressee(&self, head: Head, inbound: Option<&Inbound>) -> Addressee {
        match head.into_call(
            inbound.and_then(Inbound::judged),
            self.snapshot.policy.json_depth(),
        ) {
            Ok(call) => Addressee::of(&call),
            Err(malformed) => Addressee::of_malformed(&malformed),
        }
    }

    /// From the call to the agent's answer.
    async fn judged(
        mut self,
        mut parts: request::Parts,
        inbound: Inbound,
        principal: Arc<Principal>,
        asked: Asked,
        leak: Option<Refusal>,
    ) -> Result<Answered, Refusal> {
        let Asked { call, text, others } = asked;
        let text = text.as_deref().map(str::as_bytes);
        let limits = self.snapshot.policy.limits(&call.action);
        let mut case = Case {
            facts: {
                let ledger = &self.agent().ledger;
                ledger.facts(&principal, &call, clock::now()).await?
            },
            read: Read::of(
                &self.snapshot.reads,
                &parts.headers,
                text.or_else(|| inbound.judged()),
                &call,
            ),
            source: self.inlet.source.ip(),
            size: match text {
                Some(text) => Some(text.len() as u64),
                None => inbound.length(),
            },
            principal,
            call,
        };
        if let Some(answered) = self.metadata(&parts, &case)? {
            return Ok(answered);
        }
        let body = text.or_else(|| inbound.judged());
        let admission = self.gate().admit(&mut case, &limits, body, leak).await?;
        let is_batch = !others.is_empty();
        let others = self.others(&parts.headers, &case, others).await?;
        if matches!(case.call.dialect, Dialect::A2a(_, Binding::Grpc)) {
            // Whose the tasks are is read out of the answer.
            headers::ask_for_plain_messages(&mut parts.headers);
        }
        let mut standing = Standing::new(self.known, case);
        standing.others = others;
        // While it waited for its turn.
        standing.check(self.proxy, None)?;
        let principal = Arc::clone(&standing.case.principal);
        let cards = self.snapshot.cards.as_deref();
        // The policy speaks of one agent's card. Others are reached at their own addresses, and keep theirs.
        let card = cards.filter(|_| self.inlet.agent == Chosen::default());
        let card = card.and_then(|_| AgentCards::asked(&mut parts, &standing.case.call));
        let bodiless = parts.method == Method::HEAD;
        let codings = parts.headers.get_all(header::ACCEPT_ENCODING).iter();
        let accepted = Accepted::read(codings.map(HeaderValue::as_bytes));
        let is_read = card.is_some()
            || Listing::of(&standing.case.call).is_some()
            || ListEvents::are_for(&standing.case.call)
            || (self.snapshot.hygiene.scrubs_agent_errors()
                && scrub::reads(standing.case.call.dialect))
            || admission.is_metered()
            || Observer::is_for(&standing.case.call);
        let sent = clock::now();
        let mut handshake = self.handshake.take();
        let asked_by = handshake.is_some().then(|| self.asked_by(&parts)).flatten();
        let upgraded = match &mut handshake {
            None => self
                .forward(parts, inbound, is_read, &principal, admission, &limits)
                .await
                .map(Upgraded::Answered),
            Some(handshake) => {
                self.upgrade(parts, handshake, &principal, admission, &limits)
                    .await
            }
        };
        self.toll.waited_for_agent(clock::now() - sent);
        let Forwarded {
            response,
            admission,
        } = match (upgraded?, handshake) {
            (Upgraded::Switched(switched), Some(handshake)) => {
                return self.switched(switched, &handshake, standing, asked_by);
            }
            (Upgraded::Switched(_), None) => {
                return Err(Refusal::new(Reason::UpstreamInvalid).detail("an unasked switch"));
            }
            (Upgraded::Answered(forwarded), _) => forwarded,
        };
        self.toll.record().upstream_status = Some(response.status().as_u16());
        // While the agent was waited for.
        standing.check(self.proxy, None)?;
        let answer = Answer {
            proxy: self.proxy,
            snapshot: self.snapshot,
            detectors: match is_batch {
                false => self
                    .snapshot
                    .detectors
                    .for_action(&standing.case.call.action),
                // What one of them may say another may not.
                true => Arc::clone(&self.snapshot.detectors),
            },
            agent: self.inlet.agent,
            ledger: &self.proxy.parts().agents.at(self.inlet.agent).ledger,
            names: &self.proxy.parts().identity_headers,
            toll: self.toll,
            limits,
            started: self.started,
            request_id: self.request_id,
            standing,
            card,
            bodiless,
            accepted,
        };
        answer.judge(response, admission).await
    }

    /// What stands between the call and the agent.
    fn gate(&mut self) -> Gate<'_> {
        Gate {
            proxy: self.proxy,
            snapshot: self.snapshot,
            agent: self.proxy.parts().agents.at(self.inlet.agent),
            toll: self.toll,
            started: self.started,
        }
    }

    /// Says who issues tokens, to anybody whom no rule denies it: nobody can have a token before.
    fn metadata(
        &mut self,
        parts: &request::Parts,
        case: &Case,
    ) -> Result<Option<Answered>, Refusal> {
        let resource = self.snapshot.resource.as_ref();
        let document = |resource: &ProtectedResource| {
            resource.document(&parts.method, parts.uri.path()).cloned()
        };
        let Some((resource, document)) = resource.and_then(|told| Some((told, document(told)?)))
        else {
            return Ok(None);
        };
        let question = case.question(&self.proxy.parts().agent);
        self.toll.asked(self.snapshot, &question);
        match self.snapshot.policy.decide(&question).into_permit() {
            Err(refusal) if refusal.reason == Reason::DenyRule => return Err(refusal),
            Ok(_) | Err(_) => self.toll.allowed(resource.rule()),
        }
        let mut response = Response::new(document);
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        reply::mark(response.headers_mut(), self.request_id);
        let (head, document) = response.into_parts();
        Ok(Some(Answered {
            head,
            body: Judged::Whole(document, None),
        }))
    }

    /// Lets an admitted call out to the agent.
    async fn forward(
        &self,
        mut parts: request::Parts,
        inbound: Inbound,
        is_read: bool,
        principal: &Principal,
        admission: Admission,
        limits: &Limits,
    ) -> Result<Forwarded, Refusal> {
        let proxy = self.parts();
        self.towards_agent(&mut parts, principal, is_read)?;
        let body = inbound
            .into_request_body(
                limits.request_bytes,
                self.inlet.bounds.body_idle,
                &proxy.identity_headers,
                &self.snapshot.authenticator,
            )
            .map_err(|error| Refusal::new(error.reason()).detail(error))?;
        let request = Request::from_parts(parts, body);
        self.agent()
            .upstream
            .forward(admission, request, self.deadlines(limits))
            .await
            .map_err(|(error, mut unspent)| {
                // Whom nobody asked has answered nothing.
                if error.reason() == Reason::UpstreamUnavailable {
                    unspent.settle(TokenUse::default(), clock::now());
                }
                upstream_refusal(&error)
            })
    }

    /// Makes the caller's head into the one that the agent gets. `is_read`: its answer is, so that it must come whole and
    /// without a coding.
    ///
    /// # Errors
    /// When the assertion that the agent counts on cannot be signed.
    pub(super) fn towards_agent(
        &self,
        parts: &mut request::Parts,
        principal: &Principal,
        is_read: bool,
    ) -> Result<(), Refusal> {
        let scanned = is_read || !self.snapshot.detectors.is_empty();
        self.snapshot.hygiene.strip_request(&mut parts.headers);
        self.parts().identity_headers.towards_agent(
            parts,
            principal,
            self.request_id,
            self.inlet,
            scanned,
        );
        let fields = self.snapshot.authenticator.fields();
        self.parts()
            .identity_headers
            .remove_credentials(&mut parts.headers, fields);
        let is_known = !principal.is_anonymous();
        if let (Some(assertions), true) = (&self.parts().assertions, is_known) {
            let assertion = assertions.of(principal, clock::wall());
            let assertion =
                assertion.map_err(|error| Refusal::new(Reason::Internal).detail(error))?;
            parts.headers.insert(assertions.header(), assertion);
        }
        self.trace.towards_agent(&mut parts.headers, is_known);
        Ok(())
    }

    pub(super) fn deadlines(&self, limits: &Limits) -> Deadlines {
        Deadlines {
            first_byte: self.parts().first_byte.min(limits.time),
            idle: limits.idle,
            total: self.started + limits.time,
        }
    }

    /// Whom the call is for.
    pub(super) fn agent(&self) -> &Agent {
        self.parts().agents.at(self.inlet.agent)
    }

    pub(super) const fn parts(&self) -> &Parts {
        self.proxy.parts()
    }
}

/// Refuses a call that is one of too many in flight.
pub(super) fn overloaded(parts: &Parts, most: usize) -> Result<(), Refusal> {
    if parts.calls.in_flight() <= most {
        return Ok(());
    }
    let mut refusal =
        Refusal::new(Reason::Overloaded).detail(format_args!("above {most} calls in flight"));
    refusal.retry_after = Some(OVERLOADED_RETRY);
    Err(refusal)
}

/// Whether the content is what the caller signed. What could not be read is told elsewhere.
fn check_content(caller: Caller, inbound: Option<&Inbound>) -> Result<Caller, Refusal> {
    if let (Some(digest), Some(inbound)) = (&caller.content, inbound) {
        let content = inbound.whole().ok_or(SignatureError::DigestMismatch);
        content
            .and_then(|content| digest.check(content))
            .map_err(CredentialError::from)?;
    }
    Ok(caller)
}

/// Why the agent gave no answer, and when it might.
pub(super) fn upstream_refusal(error: &UpstreamError) -> Refusal {
    Refusal {
        retry_after: error.retry_after(),
        ..Refusal::new(error.reason()).detail(chain(error))
    }
}

/// HTTP/1.1 counts while it reads. HTTP/2 knows a limit in bytes only, which counts 32 for each field; here
/// both mean the same.
fn refuse_large_head(parts: &request::Parts, inlet: &Inlet) -> Result<(), Refusal> {
    if parts.headers.len() > inlet.bounds.fields {
        return Err(Refusal::new(Reason::HeadTooLarge).detail("too many header fields"));
    }
    if parts.version != Version::HTTP_2 {
        return Ok(());
    }
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let fields = parts.headers.iter();
    let bytes = fields.fold(target.len(), |bytes, (name, value)| {
        bytes + name.as_str().len() + value.len()
    });
    if bytes > inlet.bounds.head_bytes {
        let most = inlet.bounds.head_bytes;
        return Err(Refusal::new(Reason::HeadTooLarge).detail(format_args!("above {most} bytes")));
    }
    Ok(())
}

/// The caller's id for the exchange if it is harmless in logs and headers, else the decision's.
fn request_id(headers: &HeaderMap, decision: DecisionId) -> RequestId {
    let harmless = |text: &&str| {
        (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let mut values = headers.get_all(reply::REQUEST_ID).iter();
    // Of two, readers would take different ones.
    let only = values.next().filter(|_| values.next().is_none());
    only.and_then(|value| value.to_str().ok())
        .filter(harmless)
        .and_then(|id| RequestId::new(id).ok())
        .unwrap_or_else(|| decision.into())
}

fn malformed(malformed: Malformed) -> Refused {
    (Addressee::of_malformed(&malformed), malformed.refusal)
}
