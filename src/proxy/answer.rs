//! The agent's answer before its head leaves.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, response};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::clock;
use crate::coding::Accepted;
use crate::ledger::{Ledger, Named};
use crate::model::{Call, Dialect, Operation, Protocol, Reason, Refusal, RequestId, TaskId};
use crate::policy::Limits;
use crate::protocol::{self, ListEvents, Listing, Scrubber};
use crate::quota::Admission;
use crate::scan::{Carrier, Detectors, Reply, Scan};
use crate::telemetry::chain;
use crate::upstream::{ResponseBody, strip_hop_by_hop};

use super::Proxy;
use super::agents::Chosen;
use super::card::{AskedCard, CardView};
use super::coded::Coded;
use super::headers::{self, IdentityHeaders};
use super::messages::Messages;
use super::metered::Metered;
use super::readable::refuse_unreadable;
use super::reply::{self, Addressee};
use super::screen::{self, Course, Learner};
use super::scrub::{self, Errors};
use super::snapshot::Snapshot;
use super::standing::Standing;
use super::standings;
use super::toll::Toll;
use super::upgrade::Opening;
use super::view::{View, tasks_in};

/// An answer whose head may leave.
pub(super) struct Answered {
    pub(super) head: response::Parts,
    pub(super) body: Judged,
}

/// The body of an answer whose head may leave.
pub(super) enum Judged {
    /// Judged while it runs; what it was admitted with is settled at its end.
    Running(Box<Course>),
    /// None: the connection leaves HTTP.
    Tunnel(Box<Opening>, Admission),
    /// Judged, trailers included.
    Whole(Bytes, Option<Box<HeaderMap>>),
}

/// What the judgement of an answer needs.
pub(super) struct Answer<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) snapshot: &'a Snapshot,
    /// What must not leave in an answer to this call.
    pub(super) detectors: Arc<Detectors>,
    /// Whose answer it is, and what is remembered of that one's objects.
    pub(super) agent: Chosen,
    pub(super) ledger: &'a Ledger,
    pub(super) names: &'a IdentityHeaders,
    pub(super) toll: &'a mut Toll,
    pub(super) limits: Limits,
    /// When the call began.
    pub(super) started: Instant,
    pub(super) request_id: &'a RequestId,
    pub(super) standing: Standing,
    /// The card that it is, if it is one that is rewritten.
    pub(super) card: Option<AskedCard>,
    /// The answer to HEAD has no body, whatever its fields say (RFC 9112, section 6.3).
    pub(super) bodiless: bool,
    /// The codings that the caller takes.
    pub(super) accepted: Accepted,
}

impl Answer<'_> {
    pub(super) async fn judge(
        mut self,
        response: Response<ResponseBody>,
        admission: Admission,
    ) -> Result<Answered, Refusal> {
        let (mut head, mut upstream) = response.into_parts();
        let mut metered = Metered::new(admission, head.status);
        let detectors = Arc::clone(&self.detectors);
        strip_hop_by_hop(&mut head.headers);
        headers::towards_caller(&mut head.headers);
        self.snapshot.hygiene.strip_answer(&mut head.headers);
        let is_bodiless = self.bodiless
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        // What has no body tells of the coding of another answer.
        let coded = (!is_bodiless).then(|| Coded::of(&head.headers));
        let mut coded = coded.transpose().map(Option::flatten);
        if !detectors.is_empty() {
            refuse_unreadable(&head)?;
            coded.as_ref().map_err(Refusal::clone)?;
            headers::screen(&mut head.headers, &detectors, self.toll)?;
        }
        reply::mark(&mut head.headers, self.request_id);
        let fields = self.snapshot.hygiene.rate_limit_fields();
        standings::tell(&mut head.headers, metered.admission().standings(), fields);
        self.note_session(&head).await?;
        if is_bodiless {
            metered.complete();
            return Ok(Answered {
                head,
                body: Judged::Whole(Bytes::new(), None),
            });
        }
        let scrubs = self.snapshot.hygiene.scrubs_agent_errors();
        let scrubber = scrubs.then(|| scrub::scrubber(&self.standing.case, self.toll));
        let failure = match &scrubber {
            Some(scrubber) => {
                let scrubbed = self.scrubbed(&mut head, &mut upstream, &mut coded, scrubber);
                scrubbed.await?
            }
            None => None,
        };
        let content_type = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        metered.expect(content_type);
        let carrier = match Carrier::of(content_type) {
            Carrier::Grpc(Reply::Unknown) => Carrier::Grpc(reply(&self.standing.case.call)),
            carrier => carrier,
        };
        let addressee = Addressee::of(&self.standing.case.call);
        let is_grpc = matches!(carrier, Carrier::Grpc(_));
        let messages = (addressee.reads_trailers() && is_grpc).then(Messages::default);
        // Messages of gRPC are a stream or not; only the method tells.
        let streams = matches!(
            self.standing.case.call.operation,
            Operation::StreamMessage | Operation::SubscribeTask
        );
        if carrier == Carrier::Sse || (messages.is_some() && streams) {
            self.limits = self
                .snapshot
                .policy
                .stream_limits(&self.standing.case.call.action);
            upstream.set_deadlines(self.limits.idle, self.started + self.limits.time);
        }
        let listing = self.listing(&head, content_type)?;
        let lists = self.lists(&head, carrier)?;
        let card = self.card(&head, content_type)?;
        let mut learner = self.learner(content_type, &mut metered);
        let is_list = listing.is_some() || card.is_some();
        let is_error = head.status.as_u16() >= 400;
        let errors = scrubber.filter(|_| !is_error && coded.is_ok());
        let mut errors = errors.and_then(|scrubber| Errors::of(scrubber, head.status, carrier));
        let is_rewritten = errors.as_ref().is_some_and(Errors::change_bodies);
        let coded = match coded {
            Err(refusal) if is_list || lists.is_some() => return Err(refusal),
            // Nobody reads it, so that it leaves as it came.
            Err(_) => None,
            Ok(coded) => coded.filter(|_| {
                let is_read = is_list || is_rewritten || lists.is_some() || learner.is_some();
                is_read || metered.reads() || !detectors.is_empty()
            }),
        };
        let length = upstream.size_hint().exact();
        let scan = (!detectors.is_empty()).then(|| Scan::new(Arc::clone(&detectors), carrier));
        let mut ahead = None;
        let mut trailers = None;
        let is_buffered = scan.is_some() || matches!(errors, Some(Errors::Document(_)));
        // Lists among events are filtered while these run.
        let is_whole = lists.is_none() && self.is_whole(is_buffered, length, &upstream);
        if is_list || failure.is_some() || is_whole {
            let (came, after) = match failure {
                Some(failure) => failure,
                None => self.collect(&mut upstream).await?,
            };
            let most = match is_list {
                true => self.limits.response_bytes,
                false => self.buffer(),
            };
            let body = match &coded {
                None => Some(came.clone()),
                Some(coded) => coded.undo(came.clone(), most, self.limits.decompress_ratio)?,
            };
            match body {
                Some(body) => {
                    let read = Whole {
                        coded: coded.map(|coded| (coded, came)),
                        body,
                        trailers: after,
                        list: listing,
                        card: card.as_ref(),
                        errors: errors.as_mut(),
                        scan,
                    };
                    metered.feed(&read.body);
                    metered.complete();
                    let (mut bytes, trailers) =
                        self.whole(&mut head.headers, read, &mut learner).await?;
                    let made = learner.as_ref().and_then(Learner::task);
                    self.standing.check(self.proxy, made)?;
                    if let Some(card) = card {
                        card.answer(&mut head, &mut bytes);
                    }
                    return Ok(Answered {
                        head,
                        body: Judged::Whole(bytes, trailers),
                    });
                }
                None if is_list => {
                    return Err(Refusal::new(Reason::ResponseTooLarge)
                        .detail(format_args!("above {most} bytes once decoded")));
                }
                // More than may be kept, once decoded: it leaves while it is judged.
                None => (ahead, trailers) = (Some(came), after),
            }
        }
        if scan.is_some() || coded.is_some() {
            headers::remove_digests(&mut head.headers);
        }
        let decoder = coded.map(|coded| {
            coded.strip(&mut head.headers);
            let mut decoder = coded.decoder(self.limits.decompress_ratio);
            decoder.feed(ahead.unwrap_or_default());
            decoder
        });
        if messages.is_some() || is_rewritten || lists.is_some() {
            // It may end early, and well, or say something else.
            head.headers.remove(header::CONTENT_LENGTH);
        }
        if carrier == Carrier::Sse && !head.headers.contains_key(&ACCEL_BUFFERING) {
            // nginx in front of us keeps what is small to itself, else, and comments are small.
            let no = HeaderValue::from_static("no");
            head.headers.insert(ACCEL_BUFFERING.clone(), no);
        }
        let course = Box::new(Course {
            upstream,
            decoder,
            trailers,
            scan,
            carrier,
            agent: self.agent,
            learner,
            lists,
            errors,
            addressee,
            standing: self.standing,
            limit: self.limits.response_bytes,
            messages,
            metered: Some(metered),
        });
        Ok(Answered {
            head,
            body: Judged::Running(course),
        })
    }

    /// The list that is in the answer, and what carries it. What a list of an agent is written in must be readable.
    fn listing(
        &self,
        head: &response::Parts,
        content_type: Option<&str>,
    ) -> Result<Option<(Listing, protocol::Carrier)>, Refusal> {
        let Some(listing) = Listing::of(&self.standing.case.call) else {
            return Ok(None);
        };
        if !head.status.is_success() {
            return Ok(None);
        }
        refuse_unreadable(head)?;
        match protocol::Carrier::from_content_type(content_type.unwrap_or_default()) {
            Some(carrier) => Ok(Some((listing, carrier))),
            // An answer that is no list, as where it comes on another stream.
            None if head.status == StatusCode::ACCEPTED => Ok(None),
            None => Err(Refusal::new(Reason::UpstreamInvalid).detail("a list in no JSON")),
        }
    }

    /// What filters lists among the events of a session, if the policy speaks of any.
    fn lists(
        &self,
        head: &response::Parts,
        carrier: Carrier,
    ) -> Result<Option<ListEvents>, Refusal> {
        let speaks = self.snapshot.policy.spoken().contains(Protocol::Mcp);
        let may_list = speaks && ListEvents::are_for(&self.standing.case.call);
        if !may_list || carrier != Carrier::Sse || !head.status.is_success() {
            return Ok(None);
        }
        refuse_unreadable(head)?;
        Ok(Some(ListEvents::default()))
    }

    /// The card that is in the answer. It must be readable, too.
    fn card(
        &mut self,
        head: &response::Parts,
        content_type: Option<&str>,
    ) -> Result<Option<AskedCard>, Refusal> {
        let card = self.card.take();
        let Some(card) = card.filter(|_| head.status.is_success()) else {
            return Ok(None);
        };
        refuse_unreadable(head)?;
        match protocol::Carrier::from_content_type(content_type.unwrap_or_default()) {
            Some(protocol::Carrier::Json) => Ok(Some(card)),
            _ => Err(Refusal::new(Reason::UpstreamInvalid).detail("a card in no JSON")),
        }
    }

    /// Leaves of a list what the caller may see.
    async fn filtered(
        &self,
        headers: &mut HeaderMap,
        (listing, carrier): (Listing, protocol::Carrier),
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let owned = self.owned_elsewhere((listing, carrier), &body).await?;
        let view = View {
            owned,
            listing,
            case: &self.standing.case,
            agent: &self.proxy.parts().agent,
            policy: &self.snapshot.policy,
            ledger: self.ledger,
            tools: &self.proxy.parts().agents.at(self.agent).tools,
            now: clock::now(),
        };
        headers::keep_to_one(headers);
        let filtered = listing.filter(carrier, &body, &view);
        let filtered = filtered
            .map_err(|error| Refusal::new(Reason::UpstreamInvalid).detail(error))?
            .map(Bytes::from);
        let Some(filtered) = filtered else {
            return Ok(body);
        };
        headers::remove_digests(headers);
        Ok(filtered)
    }

    /// The tasks of a list that are the caller's and that this process may not know.
    async fn owned_elsewhere(
        &self,
        (listing, carrier): (Listing, protocol::Carrier),
        body: &Bytes,
    ) -> Result<HashSet<TaskId>, Refusal> {
        if !self.ledger.is_shared() {
            return Ok(HashSet::new());
        }
        let tasks = tasks_in(listing, carrier, body);
        let asked = self
            .ledger
            .owned_among(&self.standing.case.principal, tasks, clock::now());
        Ok(asked.await?)
    }

    /// Whether an answer of this length is judged whole, before its head leaves: what is small and scanned, and
    /// what nobody scans but is here already, since then nothing has to be kept for its end.
    fn is_whole(&self, scans: bool, length: Option<u64>, upstream: &ResponseBody) -> bool {
        length.is_some_and(|length| match scans {
            true => length <= self.buffer(),
            false => length <= self.limits.response_bytes && upstream.has_arrived(),
        })
    }

    /// The largest body that is scanned whole.
    fn buffer(&self) -> u64 {
        (self.snapshot.detectors.config().buffer_bytes as u64).min(self.limits.response_bytes)
    }

    /// A session that the agent begins is the caller's from here on, until the agent has ended it.
    async fn note_session(&self, head: &response::Parts) -> Result<(), Refusal> {
        let case = &self.standing.case;
        let call = &case.call;
        if !matches!(call.dialect, Dialect::Mcp(_)) {
            return Ok(());
        }
        match (&*call.action.method, &call.session) {
            ("initialize", _) => {}
            ("session/end", Some(session)) if head.status.is_success() => {
                if let Err(error) = self.ledger.end(&case.principal, session).await {
                    tracing::debug!(%error, "a session that has ended is remembered for longer");
                }
                return Ok(());
            }
            _ => return Ok(()),
        }
        let carrier = call.http.as_ref().and_then(|http| http.name.as_deref());
        let Some(session) = protocol::begun_session(carrier.unwrap_or_default(), &head.headers)
        else {
            return Ok(());
        };
        let named = Named {
            session: Some(session),
            ..Named::default()
        };
        let learned = self.ledger.learn(&case.principal, &named, clock::now());
        learned.await.map_err(Refusal::from)
    }

    fn learner(&self, content_type: Option<&str>, metered: &mut Metered) -> Option<Learner> {
        let carrier = protocol::Carrier::from_content_type(content_type.unwrap_or_default())?;
        let follows = self.snapshot.quotas.count_live_tasks();
        Learner::of(&self.standing.case, carrier, follows, || {
            metered.take_places()
        })
    }

    /// An answer that says of itself that it is an error is read whole; one that cannot be read, or is too long for
    /// that, is replaced like one that tells too much.
    async fn scrubbed(
        &mut self,
        head: &mut response::Parts,
        upstream: &mut ResponseBody,
        coded: &mut Result<Option<Coded>, Refusal>,
        scrubber: &Scrubber,
    ) -> Result<Option<(Bytes, Option<Box<HeaderMap>>)>, Refusal> {
        if scrubber.speaks_grpc() && scrubber.fields(&mut head.headers) {
            self.toll.scrubbed(1);
        }
        if !head.status.is_client_error() && !head.status.is_server_error() {
            return Ok(None);
        }
        let most = self.buffer();
        let started = clock::now();
        let collected = collect(upstream, most).await;
        self.toll.waited_for_agent(clock::now() - started);
        let (came, trailers) = match collected {
            Ok((came, trailers)) => (Some(came), trailers),
            Err(refusal) if refusal.reason == Reason::ResponseTooLarge => (None, None),
            Err(refusal) => return Err(refusal),
        };
        let ratio = self.limits.decompress_ratio;
        let read = came.clone().and_then(|came| match coded {
            Ok(None) => Some(came),
            Ok(Some(coded)) => coded.undo(came, most, ratio).ok().flatten(),
            Err(_) => None,
        });
        let body = match scrub::failure(scrubber, head, read.as_deref()) {
            None => came.unwrap_or_default(),
            Some(scrubbed) => {
                *coded = Ok(None);
                self.toll.scrubbed(1);
                reply::name_decision(&mut head.headers, self.toll.decision());
                scrubbed
            }
        };
        Ok(Some((body, trailers)))
    }

    /// The whole body as it comes, and what follows it.
    async fn collect(
        &mut self,
        upstream: &mut ResponseBody,
    ) -> Result<(Bytes, Option<Box<HeaderMap>>), Refusal> {
        let started = clock::now();
        let collected = collect(upstream, self.limits.response_bytes).await;
        self.toll.waited_for_agent(clock::now() - started);
        collected
    }

    /// Judges a body of known length before its head leaves, so that a block is a clean refusal and a
    /// redaction has the right length.
    async fn whole(
        &mut self,
        headers: &mut HeaderMap,
        read: Whole<'_>,
        learner: &mut Option<Learner>,
    ) -> Result<(Bytes, Option<Box<HeaderMap>>), Refusal> {
        let Whole {
            coded,
            mut body,
            trailers,
            list,
            card,
            mut errors,
            mut scan,
        } = read;
        let mut is_changed = list.is_some() || card.is_some();
        if let Some(errors) = errors.as_deref_mut() {
            let mut pieces = VecDeque::new();
            let scrubbed = errors.feed(body, &mut pieces) + errors.finish(&mut pieces);
            body = join(pieces);
            if scrubbed > 0 {
                is_changed = true;
                self.toll.scrubbed(scrubbed);
                headers::remove_digests(headers);
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                reply::name_decision(headers, self.toll.decision());
            }
        }
        if let Some(listing) = list {
            body = self.filtered(headers, listing, body).await?;
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let cards = card.zip(self.snapshot.cards.as_deref());
        if let Some((card, cards)) = cards {
            cards.verify(card, &body, self.proxy.parts()).await?;
        }
        if let Some(learner) = learner {
            let live = &self.proxy.parts().agents.at(self.agent).live;
            let named = learner.observe(&body, live);
            learner.note(self.toll.record());
            if let Some(named) = named {
                let principal = &self.standing.case.principal;
                let learned = self.ledger.learn(principal, &named, clock::now()).await;
                screen::tell_unlearned(&learned);
            }
            learner.check()?;
        }
        let mut bytes = match &mut scan {
            Some(scan) => self.scanned(headers, scan, body)?,
            None => body,
        };
        if let Some((coded, came)) = coded {
            let is_changed = is_changed || scan.as_ref().is_some_and(Scan::changed);
            let detectors = scan.as_ref().map(|_| &self.detectors);
            bytes = match !is_changed && coded.may_stay(&came, self.accepted, detectors) {
                true => came,
                false => coded.leave(headers, bytes),
            };
            coded.vary(headers);
        }
        if let Some((card, cards)) = cards {
            // Last: what is signed must not change any more.
            let view = CardView {
                case: &self.standing.case,
                agent: &self.proxy.parts().agent,
                base: self.proxy.parts().agents.at(self.agent).base.as_ref(),
                policy: &self.snapshot.policy,
            };
            bytes = cards.tell(card, bytes, headers, &view)?;
        }
        let trailers = match trailers {
            Some(mut trailers) => {
                if let Some(errors) = errors {
                    self.toll.scrubbed(errors.trailers(&mut trailers));
                }
                let mut found = Vec::new();
                let detectors = scan.as_ref().map(Scan::detectors);
                let judged = self.names.judge_trailers(trailers, detectors, &mut found);
                self.toll.found(found);
                judged?
            }
            None => None,
        };
        Ok((bytes, trailers))
    }

    /// What of a body may leave.
    fn scanned(
        &mut self,
        headers: &mut HeaderMap,
        scan: &mut Scan,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let mut released = VecDeque::new();
        let judged = scan
            .feed(body, &mut released)
            .and_then(|()| scan.finish(&mut released));
        self.toll.found(scan.take_findings());
        if let Err(blocked) = judged {
            return Err(Refusal::new(Reason::LeakageDetected).detail(blocked));
        }
        let bytes = join(released);
        if scan.changed() {
            headers::remove_digests(headers);
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        Ok(bytes)
    }
}

/// A body that is read whole.
struct Whole<'a> {
    /// How it was coded, and the bytes that came.
    coded: Option<(Coded, Bytes)>,
    body: Bytes,
    trailers: Option<Box<HeaderMap>>,
    list: Option<(Listing, protocol::Carrier)>,
    card: Option<&'a AskedCard>,
    errors: Option<&'a mut Errors>,
    scan: Option<Scan>,
}

/// The whole body, up to so many bytes.
async fn collect(
    upstream: &mut ResponseBody,
    most: u64,
) -> Result<(Bytes, Option<Box<HeaderMap>>), Refusal> {
    let mut pieces = VecDeque::new();
    let mut trailers = None;
    let mut length = 0;
    while let Some(frame) = upstream.frame().await {
        let frame = frame.map_err(|error| Refusal::new(error.reason()).detail(chain(&error)))?;
        match frame.into_data() {
            Ok(piece) => {
                length += piece.len() as u64;
                if length > most {
                    return Err(Refusal::new(Reason::ResponseTooLarge)
                        .detail(format_args!("above {most} bytes")));
                }
                pieces.push_back(piece);
            }
            Err(frame) => trailers = frame.into_trailers().ok().map(Box::new),
        }
    }
    Ok((join(pieces), trailers))
}

/// Whether nginx collects an answer before it passes it on (nginx, "proxy_buffering").
static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What the messages of an answer over gRPC are.
const fn reply(call: &Call) -> Reply {
    if !matches!(call.dialect, Dialect::A2a(..)) {
        return Reply::Unknown;
    }
    match call.operation {
        Operation::SendMessage | Operation::StreamMessage | Operation::SubscribeTask => Reply::Sent,
        Operation::GetTask | Operation::CancelTask => Reply::Task,
        Operation::ListTasks => Reply::Tasks,
        Operation::AgentCard | Operation::Other | Operation::PushConfig => Reply::Unknown,
    }
}

/// The pieces as one; a single piece is not copied.
pub(super) fn join(mut pieces: VecDeque<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole.freeze()
}
