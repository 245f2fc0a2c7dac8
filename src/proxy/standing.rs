//! Answers that run while what allowed them changes: they are judged again, and end when they may not go on.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::clock;
use crate::model::{Call, Facts, Principal, Reason, Refusal, TaskId};
use crate::policy::Question;

use super::Proxy;
use super::read::Read;

/// Counts what changes the answer to a question that was decided, and wakes whoever waits for that.
#[derive(Debug, Default)]
pub(super) struct Changes {
    count: AtomicU64,
    waiting: Arc<Notify>,
}

impl Changes {
    /// Something has changed, and is in force already.
    pub(super) fn announce(&self) {
        self.count.fetch_add(1, Ordering::Release);
        self.waiting.notify_waiters();
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

/// The next change, for one who waits.
struct Change {
    announced: Pin<Box<OwnedNotified>>,
    // Who is woken. An answer waits many times, and the list of those who do has a lock.
    waiting: Option<Waker>,
}

impl Change {
    fn new(changes: &Changes) -> Self {
        Self {
            announced: Box::pin(Arc::clone(&changes.waiting).notified_owned()),
            waiting: None,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker();
        if self
            .waiting
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            return Poll::Pending;
        }
        let announced = self.announced.as_mut().poll(context);
        if announced.is_pending() {
            self.waiting = Some(waker.clone());
        }
        announced
    }
}

/// What a call is judged by. With it the call can be judged again.
pub(super) struct Case {
    pub(super) principal: Arc<Principal>,
    pub(super) call: Call,
    pub(super) facts: Facts,
    pub(super) source: IpAddr,
    pub(super) read: Read,
    /// Of the request's body, where it is known.
    pub(super) size: Option<u64>,
}

impl Case {
    /// The question that it is now.
    pub(super) fn question<'a>(&'a self, agent: &'a str) -> Question<'a> {
        Question {
            agent,
            principal: &self.principal,
            call: &self.call,
            facts: &self.facts,
            source: Some(self.source),
            request: self.read.facts(&self.call, self.size),
            at: clock::wall(),
        }
    }
}

/// A call and its right to go on.
pub(super) struct Standing {
    pub(super) case: Case,
    /// The other calls of its batch, which end with it.
    pub(super) others: Vec<Case>,
    /// The changes that its last judgement knows of.
    known: u64,
    /// Made when its answer first waits, which a short one never does.
    change: Option<Change>,
}

impl Standing {
    /// A call that was not judged yet. `known` are the changes that were counted before its snapshot was taken.
    pub(super) const fn new(known: u64, case: Case) -> Self {
        Self {
            known,
            change: None,
            case,
            others: Vec::new(),
        }
    }

    /// Whether the answer may go on. Costs a look at a number unless something has changed. `made` is the task
    /// that was made for the call.
    ///
    /// # Errors
    /// When what is in force now does not allow the call any more.
    pub(super) fn check(&mut self, proxy: &Proxy, made: Option<&TaskId>) -> Result<(), Refusal> {
        let count = proxy.changes.count();
        if count == self.known {
            return Ok(());
        }
        self.known = count;
        self.judge(proxy, made)
    }

    /// Ready when something has changed since the last [`check`](Self::check); else whoever polls is woken then.
    pub(super) fn poll_change(&mut self, proxy: &Proxy, context: &mut Context<'_>) -> Poll<()> {
        loop {
            // Made before the count is looked at: it hears of whatever the count does not tell yet.
            let change = self
                .change
                .get_or_insert_with(|| Change::new(&proxy.changes));
            if proxy.changes.count() != self.known {
                self.change = None;
                return Poll::Ready(());
            }
            if change.poll(context).is_pending() {
                return Poll::Pending;
            }
            self.change = None;
        }
    }

    fn judge(&self, proxy: &Proxy, made: Option<&TaskId>) -> Result<(), Refusal> {
        self.case.judge(proxy, made)?;
        self.others
            .iter()
            .try_for_each(|case| case.judge(proxy, None))
    }
}

impl Case {
    fn judge(&self, proxy: &Proxy, made: Option<&TaskId>) -> Result<(), Refusal> {
        let question = self.question(&proxy.parts.agent);
        proxy
            .revocations()
            .judge(&question, made)
            .map_err(|refusal| *refusal)?;
        let snapshot = proxy.snapshot();
        if !snapshot.authenticator.vouches_for(&self.principal) {
            let identity = &self.principal.identity;
            return Err(Refusal::new(Reason::CredentialInvalid).detail(format_args!(
                "identity `{identity}` does not vouch for the caller any more"
            )));
        }
        snapshot.policy.decide(&question).into_permit().map(drop)?;
        let tenant = &self.principal.tenant;
        snapshot.hygiene.check_tenant(&self.call, tenant)
    }
}
