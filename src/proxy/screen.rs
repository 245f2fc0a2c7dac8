//! The answer on its way out: observed, scanned, metered, recorded.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::header::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::audit::{Outcome, Record};
use crate::clock;
use crate::coding::{CodingError, Decoder};
use crate::ledger::{LedgerError, Named};
use crate::model::{Principal, Reason, Refusal, TaskId};
use crate::protocol::{self, Filter, ListEvents, Observer, UnreadableList};
use crate::quota::{LiveTasks, Places};
use crate::scan::{Blocked, Carrier, Scan};
use crate::telemetry::chain;
use crate::upstream::ResponseBody;

use super::Proxy;
use super::agents::Chosen;
use super::coded;
use super::hold::{Due, Hold};
use super::messages::Messages;
use super::metered::Metered;
use super::panic::caught;
use super::reply::{self, Addressee};
use super::scrub::Errors;
use super::standing::{Case, Standing};
use super::toll::Toll;
use super::view::View;

/// A comment, which every reader of events skips (WHATWG HTML, section 9.2.6).
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Why a running answer was cut: the transfer ends so that no client takes it for a complete one.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the answer was cut short: {0}")]
pub struct Cut(Reason);

/// The body of every answer.
#[derive(Debug)]
pub struct ReplyBody(Kind);

#[derive(Debug)]
enum Kind {
    Stream(Box<Screen>),
    Whole(Bytes, Option<Box<HeaderMap>>),
}

impl ReplyBody {
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self::with_trailers(bytes, None)
    }

    pub(super) const fn with_trailers(bytes: Bytes, trailers: Option<Box<HeaderMap>>) -> Self {
        Self(Kind::Whole(bytes, trailers))
    }

    pub(super) fn stream(screen: Screen) -> Self {
        Self(Kind::Stream(Box::new(screen)))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut self.0 {
            Kind::Whole(bytes, trailers) if bytes.is_empty() => {
                let trailers = trailers.take();
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(*trailers))))
            }
            Kind::Whole(bytes, _) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stream(screen) => {
                caught(|| screen.poll(context)).unwrap_or_else(|_panicked| screen.panicked())
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes, trailers) => bytes.is_empty() && trailers.is_none(),
            Kind::Stream(screen) => screen.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(screen) => screen.size_hint(),
        }
    }
}

/// An answer that is judged while it runs.
pub(super) struct Course {
    pub(super) upstream: ResponseBody,
    /// What undoes its coding.
    pub(super) decoder: Option<Decoder>,
    /// The agent's trailers, where they are there already.
    pub(super) trailers: Option<Box<HeaderMap>>,
    pub(super) scan: Option<Scan>,
    pub(super) carrier: Carrier,
    /// Whose answer it is.
    pub(super) agent: Chosen,
    pub(super) learner: Option<Learner>,
    pub(super) addressee: Addressee,
    pub(super) standing: Standing,
    /// Bytes that the agent may send.
    pub(super) limit: u64,
    /// What filters lists among the events of a session, if there may be any.
    pub(super) lists: Option<ListEvents>,
    /// What takes the agent's own errors out, if that is done.
    pub(super) errors: Option<Errors>,
    /// For an answer of gRPC, which ends in trailers.
    pub(super) messages: Option<Messages>,
    /// What it was admitted with, until its last byte has left.
    pub(super) metered: Option<Metered>,
}

/// A body that is judged while it runs.
pub(super) struct Screen {
    proxy: Arc<Proxy>,
    course: Course,
    toll: Toll,
    released: VecDeque<Bytes>,
    // The agent's, until the end of the body; then what of them leaves.
    trailers: Option<Box<HeaderMap>>,
    // Bytes that came, and what they stand for where they are coded.
    came: u64,
    received: u64,
    // What came and is not judged yet, whether the agent has said all, and whether that was looked through for errors.
    arrived: VecDeque<Bytes>,
    ending: bool,
    scrubbed: bool,
    // Since when the agent is waited for, and when the caller was given the last piece.
    waiting_since: Option<Instant>,
    given_at: Option<Instant>,
    hold: Hold,
    // What an answer named is claimed in a store; the piece that named it waits, for a bounded time.
    learning: Option<(Bytes, Learning)>,
    state: State,
}

type Learning = Pin<Box<dyn Future<Output = Result<(), LedgerError>> + Send>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The body ends here, and not well.
    Cut(Reason),
    /// The body ends here, as it should.
    Ended,
    Running,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen")
            .field("state", &self.state)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Screen {
    pub(super) fn new(proxy: Arc<Proxy>, mut course: Course, toll: Toll) -> Self {
        let hold = Hold::new(Arc::clone(&proxy));
        let trailers = course.trailers.take();
        Self {
            proxy,
            course,
            toll,
            released: VecDeque::new(),
            trailers,
            came: 0,
            received: 0,
            arrived: VecDeque::new(),
            ending: false,
            scrubbed: false,
            waiting_since: None,
            given_at: None,
            hold,
            learning: None,
            state: State::Running,
        }
    }

    fn is_end(&self) -> bool {
        self.state == State::Ended && self.released.is_empty() && self.trailers.is_none()
    }

    /// The length, where it cannot change on the way.
    fn size_hint(&self) -> SizeHint {
        let course = &self.course;
        let errors = course.errors.as_ref();
        let may_end_early = course.scan.is_some()
            || course.messages.is_some()
            || course.decoder.is_some()
            || course.lists.is_some()
            || errors.is_some_and(Errors::change_bodies);
        if !may_end_early && self.state == State::Running && self.released.is_empty() {
            return self.course.upstream.size_hint();
        }
        SizeHint::default()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(since) = self.given_at.take() {
            self.toll.waited_for_caller(clock::now() - since);
        }
        loop {
            if let Some(bytes) = self.released.pop_front() {
                if bytes.is_empty() {
                    continue;
                }
                self.toll.delivered(bytes.len());
                self.given_at = Some(clock::now());
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match self.state {
                State::Cut(reason) => {
                    self.course.metered = None;
                    return Poll::Ready(Some(Err(Cut(reason))));
                }
                State::Ended => {
                    // The last byte has left: what the call took up is free again.
                    self.course.metered = None;
                    let trailers = self.trailers.take();
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(*trailers))));
                }
                State::Running => {}
            }
            if self.poll_hold(context).is_ready() {
                continue;
            }
            if self.withdrawn() {
                continue;
            }
            if let Some((_, learning)) = &mut self.learning {
                let learned = ready!(learning.as_mut().poll(context));
                tell_unlearned(&learned);
                if let Some((bytes, _)) = self.learning.take() {
                    self.judge(bytes);
                }
                continue;
            }
            if let Some(bytes) = self.arrived.pop_front() {
                self.take(bytes);
                continue;
            }
            if self.decode() {
                continue;
            }
            if self.ending {
                self.end_of_body();
                continue;
            }
            let Poll::Ready(frame) = Pin::new(&mut self.course.upstream).poll_frame(context) else {
                let standing = &mut self.course.standing;
                if standing.poll_change(&self.proxy, context).is_ready() {
                    continue;
                }
                self.waiting_since.get_or_insert_with(clock::now);
                return Poll::Pending;
            };
            if let Some(since) = self.waiting_since.take() {
                self.toll.waited_for_agent(clock::now() - since);
            }
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.receive(bytes),
                    Err(frame) => self.trailers = frame.into_trailers().ok().map(Box::new),
                },
                Some(Err(error)) => {
                    self.upstream_failed(&Refusal::new(error.reason()).detail(chain(&error)))
                }
                None => self.ending = true,
            }
        }
    }

    /// Ends an answer that may not go on under what is in force now.
    fn withdrawn(&mut self) -> bool {
        let Course {
            standing, learner, ..
        } = &mut self.course;
        let made = learner.as_ref().and_then(Learner::task);
        let checked = standing.check(&self.proxy, made);
        if let Err(refusal) = &checked {
            self.cut(refusal, Outcome::Withdrawn);
        }
        checked.is_err()
    }

    /// Ends a running answer in which a bug of ours was met. What was not judged does not leave, and what
    /// judges is not asked again.
    fn panicked(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.proxy.parts().calls.panics.inc();
        self.released.clear();
        let reason = Reason::Internal;
        self.toll.refused(&Refusal::new(reason).detail("panic"));
        self.end(State::Cut(reason), Outcome::Aborted);
        Poll::Ready(Some(Err(Cut(reason))))
    }

    /// One piece as it comes.
    fn receive(&mut self, bytes: Bytes) {
        let Some(decoder) = &mut self.course.decoder else {
            return self.plain(bytes);
        };
        self.came += bytes.len() as u64;
        decoder.feed(bytes);
        // What stands for nothing costs all the same.
        if self.came > self.course.limit {
            self.cut_at_limit();
        }
    }

    /// Takes the next piece out of what came coded. Nothing more is made than is taken. Whether there was one, or
    /// the answer ends.
    fn decode(&mut self) -> bool {
        let Some(decoder) = &mut self.course.decoder else {
            return false;
        };
        match decoder.piece() {
            Ok(None) => return false,
            Ok(Some(piece)) => self.plain(piece),
            Err(error) => self.undecodable(error),
        }
        true
    }

    fn undecodable(&mut self, error: CodingError) {
        let refusal = coded::refusal(error);
        match error {
            CodingError::TooLarge { .. } => self.cut(&refusal, Outcome::Blocked),
            CodingError::Broken(_) | CodingError::Trailing(_) | CodingError::Truncated(_) => {
                self.upstream_failed(&refusal);
            }
        }
    }

    fn cut_at_limit(&mut self) {
        let limit = self.course.limit;
        let refusal =
            Refusal::new(Reason::ResponseTooLarge).detail(format_args!("above {limit} bytes"));
        self.cut(&refusal, Outcome::Blocked);
    }

    /// One piece of the answer, without its coding.
    fn plain(&mut self, bytes: Bytes) {
        #[cfg(test)]
        assert!(!bytes.starts_with(b"panic!"), "asked for by a test");
        self.received += bytes.len() as u64;
        if self.received > self.course.limit {
            return self.cut_at_limit();
        }
        if self.course.lists.is_some() {
            return self.filter(|lists, filter, out| lists.feed(&bytes, filter, out));
        }
        match &mut self.course.errors {
            None => self.take(bytes),
            Some(errors) => {
                let scrubbed = errors.feed(bytes, &mut self.arrived);
                self.toll.scrubbed(scrubbed);
            }
        }
    }

    /// Takes out of a session's events what its reader may not see of lists.
    fn filter(
        &mut self,
        step: impl FnOnce(
            &mut ListEvents,
            Filter<'_>,
            &mut VecDeque<Bytes>,
        ) -> Result<(), UnreadableList>,
    ) {
        let Some(lists) = &mut self.course.lists else {
            return;
        };
        let proxy = &self.proxy;
        let agent = proxy.parts().agents.at(self.course.agent);
        // A stream outlives policies: what counts is what is in force.
        let policy = &proxy.snapshot().policy;
        let now = clock::now();
        let case = &self.course.standing.case;
        let mut out = VecDeque::new();
        let stepped = step(
            lists,
            &mut |listing, event| {
                let view = View {
                    listing,
                    case,
                    agent: &proxy.parts().agent,
                    policy,
                    ledger: &agent.ledger,
                    tools: &agent.tools,
                    now,
                    // Of tasks that only other processes know nothing is asked here: they are not shown.
                    owned: HashSet::new(),
                };
                listing.filter(protocol::Carrier::EventStream, event, &view)
            },
            &mut out,
        );
        for piece in out {
            match &mut self.course.errors {
                None => self.arrived.push_back(piece),
                Some(errors) => {
                    let scrubbed = errors.feed(piece, &mut self.arrived);
                    self.toll.scrubbed(scrubbed);
                }
            }
        }
        if let Err(error) = stepped {
            let refusal = Refusal::new(Reason::UpstreamInvalid).detail(error);
            self.cut(&refusal, Outcome::Blocked);
        }
    }

    /// One piece, without the agent's own errors.
    fn take(&mut self, bytes: Bytes) {
        if let Some(metered) = &mut self.course.metered {
            metered.feed(&bytes);
        }
        // Ownership is learned before the reader can know the id, so that its next call finds it.
        if let Some(learner) = &mut self.course.learner {
            let live = &self.proxy.parts().agents.at(self.course.agent).live;
            let named = learner.observe(&bytes, live);
            learner.note(self.toll.record());
            if let Err(refusal) = learner.check() {
                return self.cut(&refusal, Outcome::Blocked);
            }
            let principal = Arc::clone(&learner.principal);
            if let Some(named) = named
                && let Some(learning) = self.learn(principal, named)
            {
                self.learning = Some((bytes, learning));
                return;
            }
        }
        self.judge(bytes);
    }

    /// Remembers what the answer named, at once where nobody has to be asked.
    fn learn(&self, principal: Arc<Principal>, named: Named) -> Option<Learning> {
        let (proxy, agent) = (Arc::clone(&self.proxy), self.course.agent);
        let now = clock::now();
        let ledger = &proxy.parts().agents.at(agent).ledger;
        if let Some(learned) = ledger.learn_now(&principal, &named, now) {
            tell_unlearned(&learned);
            return None;
        }
        Some(Box::pin(async move {
            let ledger = &proxy.parts().agents.at(agent).ledger;
            ledger.learn(&principal, &named, now).await
        }))
    }

    /// One piece, after what it names is remembered.
    fn judge(&mut self, bytes: Bytes) {
        let outlet = outlet(&mut self.course.messages, &mut self.released);
        let judged = match &mut self.course.scan {
            None => {
                outlet.push_back(bytes);
                Ok(())
            }
            Some(scan) => scan.feed(bytes, outlet),
        };
        self.judged(judged);
    }

    /// The agent has said all: what was held back to see whether it is an error comes first.
    fn end_of_body(&mut self) {
        if self.course.lists.is_some() {
            self.filter(ListEvents::finish);
            self.course.lists = None;
            return;
        }
        match &mut self.course.errors {
            Some(errors) if !self.scrubbed => {
                self.scrubbed = true;
                let scrubbed = errors.finish(&mut self.arrived);
                self.toll.scrubbed(scrubbed);
            }
            Some(_) | None => self.upstream_ended(),
        }
    }

    fn upstream_ended(&mut self) {
        let decoder = self.course.decoder.as_ref();
        if let Some(Err(error)) = decoder.map(Decoder::finish) {
            return self.undecodable(error);
        }
        if let Some(metered) = &mut self.course.metered {
            metered.complete();
        }
        if let Some(scan) = &mut self.course.scan {
            let outlet = outlet(&mut self.course.messages, &mut self.released);
            let judged = scan.finish(outlet);
            self.judged(judged);
        }
        if self.state == State::Running {
            if let Some(messages) = &mut self.course.messages {
                messages.end(&mut self.released);
            }
            self.judge_trailers();
        }
        if self.state == State::Running {
            self.end(State::Ended, Outcome::Complete);
        }
    }

    /// After the body was found good.
    fn judge_trailers(&mut self) {
        let Some(mut trailers) = self.trailers.take() else {
            return;
        };
        if let Some(errors) = &self.course.errors {
            let scrubbed = errors.trailers(&mut trailers);
            self.toll.scrubbed(scrubbed);
        }
        let mut found = Vec::new();
        let detectors = self.course.scan.as_ref().map(Scan::detectors);
        let names = &self.proxy.parts().identity_headers;
        let judged = names.judge_trailers(trailers, detectors, &mut found);
        self.toll.found(found);
        match judged {
            Ok(trailers) => self.trailers = trailers,
            Err(refusal) => self.cut(&refusal, Outcome::Blocked),
        }
    }

    fn upstream_failed(&mut self, refusal: &Refusal) {
        if let Some(scan) = &mut self.course.scan {
            scan.abort(outlet(&mut self.course.messages, &mut self.released));
        }
        if self.course.messages.is_some() {
            self.judged(Ok(()));
            if self.state == State::Running {
                self.cut(refusal, Outcome::UpstreamTruncated);
            }
            return;
        }
        self.toll.refused(refusal);
        self.end(State::Cut(refusal.reason), Outcome::UpstreamTruncated);
    }

    /// After the scan, if there is one, has seen something.
    fn judged(&mut self, judged: Result<(), Blocked>) {
        let Some(scan) = &mut self.course.scan else {
            if let Some(messages) = &mut self.course.messages {
                messages.release(&mut self.released);
            }
            return;
        };
        self.toll.found(scan.take_findings());
        match judged {
            Err(blocked) => {
                if let Some(messages) = &mut self.course.messages {
                    messages.release(&mut self.released);
                }
                let refusal = Refusal::new(Reason::LeakageDetected).detail(blocked);
                self.cut(&refusal, Outcome::Blocked);
            }
            Ok(()) => {
                if let Some(messages) = &mut self.course.messages {
                    messages.release(&mut self.released);
                }
                let waits = (scan.waiting_bytes(), scan.waits_from());
                let held = self.hold.look(waits.0, waits.1, || scan.hold_time());
                let record = self.toll.record();
                record.held_bytes_max = record.held_bytes_max.max(held);
            }
        }
    }

    /// Ends a running answer against its will: an event stream with one well-formed event, messages of gRPC with a
    /// status in the trailers, anything else with an aborted transfer.
    fn cut(&mut self, refusal: &Refusal, outcome: Outcome) {
        self.toll.refused(refusal);
        self.trailers = None;
        if self.course.carrier == Carrier::Sse {
            let observer = self
                .course
                .learner
                .as_ref()
                .map(|learner| &learner.observer);
            let event = reply::end_stream(
                &self.course.addressee,
                observer,
                refusal,
                self.toll.decision(),
                self.toll.request_id(),
            );
            self.released.push_back(event);
            self.end(State::Ended, outcome);
        } else if self.course.messages.take().is_some() {
            let trailers = reply::end_messages(
                &self.course.addressee,
                refusal,
                self.toll.decision(),
                self.toll.request_id(),
            );
            self.trailers = Some(Box::new(trailers));
            self.end(State::Ended, outcome);
        } else {
            self.end(State::Cut(refusal.reason), outcome);
        }
    }

    fn end(&mut self, state: State, outcome: Outcome) {
        self.hold.end();
        self.state = state;
        self.toll.ended(outcome);
    }

    /// Ready when the hold-back changed something.
    fn poll_hold(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match ready!(self.hold.poll_due(context)) {
            Due::Comment if self.course.carrier == Carrier::Sse => {
                // What was released ends between two events, so a comment may stand here.
                self.released.push_back(COMMENT);
            }
            Due::Comment => {}
            Due::Expired => {
                if let Some(scan) = &mut self.course.scan {
                    let outlet = outlet(&mut self.course.messages, &mut self.released);
                    let judged = scan.hold_expired(outlet);
                    self.judged(judged);
                }
            }
        }
        Poll::Ready(())
    }
}

/// Where what was judged goes.
const fn outlet<'a>(
    messages: &'a mut Option<Messages>,
    released: &'a mut VecDeque<Bytes>,
) -> &'a mut VecDeque<Bytes> {
    match messages {
        Some(messages) => messages.inlet(),
        None => released,
    }
}

/// The answer is on its way; the caller cannot come back to what it names.
pub(super) fn tell_unlearned(learned: &Result<(), LedgerError>) {
    if let Err(error) = learned {
        tracing::warn!(%error, "a new task or session cannot be remembered");
    }
}

/// Learns from an answer whose the tasks in it are.
pub(super) struct Learner {
    observer: Observer,
    principal: Arc<Principal>,
    // Whether the task is one that the call may begin. Of others nothing is learned but their end.
    learns: bool,
    // Places of the task that the call may begin, until it has.
    places: Places,
}

impl Learner {
    /// Of the answer to a call, if that may tell something. `follows`: whether the end of its task matters; `places` are
    /// those of the task that it may begin.
    pub(super) fn of(
        case: &Case,
        carrier: protocol::Carrier,
        follows: bool,
        places: impl FnOnce() -> Places,
    ) -> Option<Self> {
        let call = &case.call;
        let observer = match follows {
            true => Observer::following(call, carrier)?,
            false => Observer::new(call, carrier)?,
        };
        Some(Self {
            observer,
            principal: Arc::clone(&case.principal),
            learns: Observer::is_for(call),
            places: places(),
        })
    }

    /// The task that was made for the call, or that it is about.
    pub(super) const fn task(&self) -> Option<&TaskId> {
        self.observer.task()
    }

    /// Reads the next piece of the answer, and tells what it names that has to be remembered. A task that it begins or ends
    /// gets its places, or gives them back.
    pub(super) fn observe(&mut self, bytes: &[u8], live: &LiveTasks) -> Option<Named> {
        let had_ended = self.observer.has_ended();
        let learned = self.observer.observe(bytes);
        // Where nobody counts live tasks no lock is taken for them.
        if self.observer.is_following()
            && let Some(task) = self.observer.task()
        {
            let now = clock::now();
            // An answer that names none, such as an error, has begun none.
            if learned
                .as_ref()
                .is_some_and(|learned| learned.task.is_some())
            {
                live.begin(task, std::mem::take(&mut self.places), now);
            }
            if self.observer.has_ended() && !had_ended {
                live.hear(task, true, now);
            }
        }
        let learned = learned.filter(|_| self.learns)?;
        Some(Named {
            task: learned.task,
            context: learned.context,
            session: learned.session,
        })
    }

    /// The answer goes on in another document.
    pub(super) fn next_document(&mut self) {
        self.observer.next_document();
    }

    /// Whether all that was observed could be read.
    ///
    /// # Errors
    /// When it could not, and nobody would know whose its task is.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self.observer.is_unreadable() {
            false => Ok(()),
            true => Err(Refusal::new(Reason::UpstreamInvalid)
                .detail("a message that is compressed or broken, so that its ids are not known")),
        }
    }

    /// Notes what is known.
    pub(super) fn note(&self, record: &mut Record) {
        record.task = self.observer.task().cloned();
        record.context = self.observer.context().cloned();
    }
}
