//! Remembers between calls which caller owns which task, which context and which session.
//!
//! Owns that memory and its bounds, and hands it to the policy as plain [`Facts`]. It refuses nobody:
//! what a foreign task means is decided later. Time is an argument, so that a test can let a day pass.
//!
//! An owner is the triple of identity, id and tenant. Callers without a credential are one principal
//! and own together: whoever grants something to `anonymous` lets them see each other's tasks.
//!
//! What is owned is written down in a [`Journal`], if there is one, and outlives the process: of what is not in it, or is in the
//! queue when the process is killed, the owner is forgotten. Then a task is nobody's and a call that names it is refused; a
//! context, which callers choose, becomes that of the next who names it. A live entry never gives way to a new one; what
//! cannot be remembered is not begun.

mod ask;
mod config;
mod error;
mod file;
mod journal;
mod metrics;
mod owner;
mod room;
mod shared;
mod table;

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{
    A2aVersion, Call, ContextId, Dialect, Facts, NameError, Operation, Ownership, Principal,
    SessionId, TaskId,
};

pub use config::Config;
pub use error::JournalError;
pub use file::Claim;
pub use journal::Journal;
pub use metrics::Metrics;
pub use room::{LedgerError, LedgerFull};
pub use shared::{Asking, SharedOwners};

use file::Kind;
use room::Room;
use shared::Shared;
use table::{Owned, Table};

/// Who owns which task and which context.
#[derive(Debug)]
pub struct Ledger {
    tasks: Table<TaskId>,
    contexts: Table<ContextId>,
    sessions: Table<SessionId>,
    room: Arc<Room>,
    // Where there is one, the tables hold what it said was somebody's, and nothing else.
    shared: Option<Shared>,
}

/// What an answer names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// A task that was made or continued.
    pub task: Option<TaskId>,
    /// Its context.
    pub context: Option<ContextId>,
    /// A session that was begun.
    pub session: Option<SessionId>,
}

impl Ledger {
    /// An empty memory within these bounds.
    pub fn new(config: &Config) -> Self {
        Self {
            tasks: Table::new(config.ttl),
            contexts: Table::new(config.ttl),
            sessions: Table::new(config.ttl),
            room: Arc::new(Room::new(config)),
            shared: None,
        }
    }

    /// An empty memory beside this one: equal ids are other objects there. The bounds hold for both together; where
    /// they are met, each forgets what has expired in itself.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            tasks: self.tasks.alike(),
            contexts: self.contexts.alike(),
            sessions: self.sessions.alike(),
            room: Arc::clone(&self.room),
            shared: None,
        }
    }

    /// Shares its owners with other processes beside the same agent, in a store. What this process knows is what the store
    /// told it.
    #[must_use]
    pub fn shared_in(mut self, owners: Arc<dyn SharedOwners>, agent: &str) -> Self {
        let agent = agent.into();
        self.shared = Some(Shared { owners, agent });
        self
    }

    /// Remembers what the journal says of this agent, and writes down from now on what is owned. `now` and `wall`, in
    /// seconds since 1970, are the same moment. Where there is no room for all, what counts longest is remembered: how much is
    /// not is told.
    #[must_use]
    pub fn kept_in(
        mut self,
        journal: &Journal,
        agent: &str,
        claims: &[Claim],
        (now, wall): (Instant, i64),
    ) -> (Self, usize) {
        self.tasks.kept_in(journal, agent);
        self.contexts.kept_in(journal, agent);
        self.sessions.kept_in(journal, agent);
        let claims = claims.iter();
        let own = claims.filter(|claim| &*claim.object.agent == agent);
        let left_out = own.filter(|claim| !self.restore(claim, now, wall)).count();
        (self, left_out)
    }

    fn restore(&self, claim: &Claim, now: Instant, wall: i64) -> bool {
        let left = claim.until.saturating_sub(wall);
        // No longer than if it were used now, whatever a clock said when it was written.
        let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
        match claim.object.kind {
            Kind::Context => self.restored(&self.contexts, ContextId::new, claim, now, left),
            Kind::Session => self.restored(&self.sessions, SessionId::new, claim, now, left),
            Kind::Task => self.restored(&self.tasks, TaskId::new, claim, now, left),
        }
    }

    fn restored<K: Owned>(
        &self,
        table: &Table<K>,
        read: impl Fn(&str) -> Result<K, NameError>,
        claim: &Claim,
        now: Instant,
        left: Duration,
    ) -> bool {
        let deadline = now + left.min(table.ttl());
        read(&claim.object.id).is_ok_and(|key| {
            let owner = claim.owner.clone();
            table.restore(&key, owner, deadline, &self.room).is_ok()
        })
    }

    /// How many tasks and contexts are remembered, here and beside, those included that have expired unnoticed.
    pub fn len(&self) -> usize {
        self.room.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known of the objects that the call names.
    ///
    /// A message may choose its context, and in A2A 0.1 its task: one that is nobody's becomes the caller's here,
    /// before anything is forwarded, so that of two callers who choose the same only one goes on. If the call is
    /// refused after all, [`Ledger::release`] takes that back. A task that was chosen can be sent to, and is not read,
    /// listened to or cancelled before an answer of the agent has named it: a memory that does not reach back to
    /// the agent's start must not give away what is older.
    ///
    /// Where processes share their owners, what is nobody's is claimed only by [`Ledger::confirm`].
    ///
    /// # Errors
    /// When there is no room for what the call may begin, or no answer. Nothing has been claimed then.
    pub async fn facts(
        &self,
        principal: &Principal,
        call: &Call,
        now: Instant,
    ) -> Result<Facts, LedgerError> {
        match &self.shared {
            None => Ok(self.facts_here(principal, call, now)?),
            Some(shared) => self.facts_of(shared, principal, call, now).await,
        }
    }

    fn facts_here(
        &self,
        principal: &Principal,
        call: &Call,
        now: Instant,
    ) -> Result<Facts, LedgerFull> {
        if begins(call) && call.task.is_none() {
            self.make_room(principal, now)?;
        }
        let references = call.references.iter();
        let references = references.map(|task| self.tasks.ownership(task, principal, now));
        let named = match &call.task {
            None => None,
            Some(task) if chooses_task(call) => {
                Some(self.tasks.reserve(task, principal, &self.room, now)?)
            }
            Some(task) => Some(self.tasks.ownership(task, principal, now)),
        };
        let task = references.chain(named).reduce(worse).unwrap_or_default();
        let context = match &call.context {
            None => Ownership::Absent,
            Some(context) if begins(call) => {
                match self.contexts.choose(context, principal, &self.room, now) {
                    Ok(ownership) => ownership,
                    Err(full) => {
                        self.release_task(principal, call, task);
                        return Err(full);
                    }
                }
            }
            Some(context) => self.contexts.ownership(context, principal, now),
        };
        let session = match &call.session {
            None => Ownership::Absent,
            Some(session) => self.sessions.ownership(session, principal, now),
        };
        Ok(Facts {
            task,
            context,
            session,
        })
    }

    /// The call is about to be forwarded, so that what it chose stays the caller's, also after a restart. A task that it chose
    /// does so once an answer has named it. Where processes share their owners, another may have been faster: the facts then
    /// say so, and have to be judged again.
    ///
    /// # Errors
    /// When there is no answer. The call must not be forwarded then.
    pub async fn confirm(
        &self,
        principal: &Principal,
        call: &Call,
        facts: &mut Facts,
        now: Instant,
    ) -> Result<(), LedgerError> {
        match &self.shared {
            None => {
                self.confirm_here(principal, call, facts, now);
                Ok(())
            }
            Some(shared) => {
                let confirmed = self.confirm_at(shared, principal, call, facts, now);
                confirmed.await
            }
        }
    }

    fn confirm_here(&self, principal: &Principal, call: &Call, facts: &Facts, now: Instant) {
        if let Some(context) = &call.context
            && begins(call)
            && facts.context == Ownership::Mine
        {
            self.contexts.confirm(context, principal, now);
        }
    }

    /// Takes back what [`Ledger::facts`] claimed for a call that was then refused: call it once, with
    /// the facts that it gave, and never for a call that was forwarded.
    pub fn release(&self, principal: &Principal, call: &Call, facts: &Facts) {
        if self.shared.is_some() {
            return;
        }
        if let Some(context) = &call.context
            && begins(call)
            && facts.context == Ownership::Mine
        {
            self.contexts.release(context, principal, &self.room);
        }
        self.release_task(principal, call, facts.task);
    }

    fn release_task(&self, principal: &Principal, call: &Call, ownership: Ownership) {
        if let Some(task) = &call.task
            && chooses_task(call)
            // Of several tasks the worst counts, so this one may be the caller's all the same; who does not own it
            // releases nothing.
            && ownership != Ownership::Absent
        {
            self.tasks.release(task, principal, &self.room);
        }
    }

    /// Remembers that the answer to a call of this caller named these. The first owner wins: what is
    /// somebody else's stays so, whatever an agent says later.
    ///
    /// # Errors
    /// When there is no room, because others have filled it since the call began, or no answer. The caller cannot come
    /// back to the task or session then.
    pub async fn learn(
        &self,
        principal: &Principal,
        named: &Named,
        now: Instant,
    ) -> Result<(), LedgerError> {
        match (self.learn_now(principal, named, now), &self.shared) {
            (Some(learned), _) => learned,
            (None, Some(shared)) => self.learn_at(shared, principal, named, now).await,
            (None, None) => Ok(()),
        }
    }

    /// The same where nobody has to be asked; `None` where a store has to be.
    pub fn learn_now(
        &self,
        principal: &Principal,
        named: &Named,
        now: Instant,
    ) -> Option<Result<(), LedgerError>> {
        let Named {
            task,
            context,
            session,
        } = named;
        if self.shared.is_none() {
            let mut learned = self.learn_here(principal, task.as_ref(), context.as_ref(), now);
            if let Some(session) = session {
                learned = learned.and_then(|()| self.begin_here(principal, session, now));
            }
            return Some(learned.map_err(LedgerError::from));
        }
        fn known<K: Owned>(
            table: &Table<K>,
            object: Option<&K>,
            principal: &Principal,
            now: Instant,
        ) -> bool {
            object.is_none_or(|object| table.mine_until(object, principal, now).is_some())
        }
        let is_known = known(&self.tasks, task.as_ref(), principal, now)
            && known(&self.contexts, context.as_ref(), principal, now)
            && known(&self.sessions, session.as_ref(), principal, now);
        is_known.then_some(Ok(()))
    }

    fn learn_here(
        &self,
        principal: &Principal,
        task: Option<&TaskId>,
        context: Option<&ContextId>,
        now: Instant,
    ) -> Result<(), LedgerFull> {
        if let Some(task) = task {
            self.tasks.claim(task, principal, &self.room, now)?;
        }
        if let Some(context) = context {
            self.contexts.claim(context, principal, &self.room, now)?;
        }
        Ok(())
    }

    fn begin_here(
        &self,
        principal: &Principal,
        session: &SessionId,
        now: Instant,
    ) -> Result<(), LedgerFull> {
        self.sessions.claim(session, principal, &self.room, now)?;
        Ok(())
    }

    /// Forgets a session of this caller's: the agent has ended it.
    ///
    /// # Errors
    /// When there is no answer: it is remembered elsewhere for longer.
    pub async fn end(&self, principal: &Principal, session: &SessionId) -> Result<(), LedgerError> {
        match &self.shared {
            None => {
                self.end_here(principal, session);
                Ok(())
            }
            Some(shared) => self.end_at(shared, principal, session).await,
        }
    }

    fn end_here(&self, principal: &Principal, session: &SessionId) {
        self.sessions.release(session, principal, &self.room);
    }

    /// Whether other processes may know more of whose tasks are.
    pub const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Which of the tasks are this caller's, by the word of other processes too.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn owned_among(
        &self,
        principal: &Principal,
        tasks: Vec<TaskId>,
        now: Instant,
    ) -> Result<HashSet<TaskId>, LedgerError> {
        match &self.shared {
            None => Ok(HashSet::new()),
            Some(shared) => self.owned_at(shared, principal, tasks, now).await,
        }
    }

    /// Whether the task is this caller's, as far as this process knows.
    pub fn owns(&self, principal: &Principal, task: &TaskId, now: Instant) -> bool {
        if self.shared.is_some() {
            return self.tasks.mine_until(task, principal, now).is_some();
        }
        self.tasks.ownership(task, principal, now) == Ownership::Mine
    }

    /// How many tasks are this caller's, those included that have expired unnoticed. Where processes share their owners,
    /// only what this one has met is counted: counting there would cost each claim a second write.
    pub fn count_of(&self, principal: &Principal) -> u64 {
        self.tasks.count_of(principal)
    }

    /// Checks that a task and a context would fit, and makes some room if not.
    fn make_room(&self, principal: &Principal, now: Instant) -> Result<(), LedgerFull> {
        let fits = || self.room.fits(&principal.tenant, NEW_ENTRIES);
        if fits().is_ok() {
            return Ok(());
        }
        self.tasks.reap_next(&self.room, now);
        self.contexts.reap_next(&self.room, now);
        self.sessions.reap_next(&self.room, now);
        fits()
    }
}

/// What a message may make us remember: a task and a context.
const NEW_ENTRIES: usize = 2;

/// Whether the call may choose its context and begin a task.
const fn begins(call: &Call) -> bool {
    matches!(
        call.operation,
        Operation::SendMessage | Operation::StreamMessage
    )
}

/// Whether the call chooses the task that it begins.
const fn chooses_task(call: &Call) -> bool {
    begins(call) && matches!(call.dialect, Dialect::A2a(A2aVersion::V0_1, _))
}

fn worse(left: Ownership, right: Ownership) -> Ownership {
    match (left, right) {
        (Ownership::NotMine, _) | (_, Ownership::NotMine) => Ownership::NotMine,
        (Ownership::Mine, _) | (_, Ownership::Mine) => Ownership::Mine,
        (Ownership::Absent, Ownership::Absent) => Ownership::Absent,
    }
}
