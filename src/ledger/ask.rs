//! The questions of a call, where processes share their owners.

use std::collections::HashSet;
use std::time::Instant;

use crate::model::{Call, Facts, Ownership, Principal, SessionId, TaskId};

use super::room::LedgerError;
use super::shared::{Found, Mark, Shared};
use super::table::{Owned, RENEWED, Table};
use super::{Ledger, Named, begins, chooses_task};

/// How many keys are asked about at once, so that none waits long for another's.
const KEYS_AT_ONCE: usize = 256;

impl Ledger {
    pub(super) async fn facts_of(
        &self,
        shared: &Shared,
        principal: &Principal,
        call: &Call,
        now: Instant,
    ) -> Result<Facts, LedgerError> {
        if begins(call) && call.task.is_none() {
            self.make_room(principal, now)?;
            // What cannot be remembered is not begun.
            if !shared.owners.answers() {
                return Err(LedgerError::Unavailable("the store does not answer".into()));
            }
        }
        let who = Who {
            shared,
            principal,
            mark: Mark::new(principal),
            now,
        };
        let mut task = Ownership::Absent;
        if !call.references.is_empty() {
            let found = self.of(&who, &self.tasks, &call.references).await?;
            let is_mine = found.iter().all(|found| *found == Found::Mine);
            task = ownership(is_mine);
        }
        if let Some(named) = &call.task
            && task != Ownership::NotMine
        {
            task = ownership(match self.one(&who, &self.tasks, named).await? {
                Found::Mine => true,
                Found::Nobodys | Found::Reserved => chooses_task(call),
                Found::NotMine => false,
            });
        }
        let context = match &call.context {
            None => Ownership::Absent,
            Some(context) => ownership(match self.one(&who, &self.contexts, context).await? {
                Found::Mine => true,
                Found::Nobodys => begins(call),
                Found::NotMine | Found::Reserved => false,
            }),
        };
        let session = match &call.session {
            None => Ownership::Absent,
            Some(session) => {
                ownership(self.one(&who, &self.sessions, session).await? == Found::Mine)
            }
        };
        Ok(Facts {
            task,
            context,
            session,
        })
    }

    /// Claims what the call chose. What another got first is not the caller's.
    pub(super) async fn confirm_at(
        &self,
        shared: &Shared,
        principal: &Principal,
        call: &Call,
        facts: &mut Facts,
        now: Instant,
    ) -> Result<(), LedgerError> {
        let who = Who {
            shared,
            principal,
            mark: Mark::new(principal),
            now,
        };
        if let Some(context) = &call.context
            && begins(call)
            && facts.context == Ownership::Mine
            && self.contexts.mine_until(context, principal, now).is_none()
        {
            facts.context = ownership(self.claim(&who, &self.contexts, context).await?);
        }
        if let Some(task) = &call.task
            && chooses_task(call)
            && facts.task == Ownership::Mine
            && self.tasks.mine_until(task, principal, now).is_none()
        {
            let (key, keep) = (shared.key(task), self.tasks.ttl());
            let held = shared.owners.claim(key, who.mark.reserved(), keep).await;
            let held = held.map_err(LedgerError::Unavailable)?;
            facts.task = ownership(match held {
                None => true,
                Some(held) => matches!(who.mark.found(Some(&held)), Found::Mine | Found::Reserved),
            });
        }
        Ok(())
    }

    /// Claims what an answer named.
    pub(super) async fn learn_at(
        &self,
        shared: &Shared,
        principal: &Principal,
        named: &Named,
        now: Instant,
    ) -> Result<(), LedgerError> {
        let who = Who {
            shared,
            principal,
            mark: Mark::new(principal),
            now,
        };
        if let Some(task) = &named.task {
            self.claim(&who, &self.tasks, task).await?;
        }
        if let Some(context) = &named.context {
            self.claim(&who, &self.contexts, context).await?;
        }
        if let Some(session) = &named.session {
            self.claim(&who, &self.sessions, session).await?;
        }
        Ok(())
    }

    pub(super) async fn end_at(
        &self,
        shared: &Shared,
        principal: &Principal,
        session: &SessionId,
    ) -> Result<(), LedgerError> {
        self.sessions.release(session, principal, &self.room);
        let ended = shared.owners.put(shared.key(session), String::new(), SOON);
        ended.await.map_err(LedgerError::Unavailable)
    }

    pub(super) async fn owned_at(
        &self,
        shared: &Shared,
        principal: &Principal,
        tasks: Vec<TaskId>,
        now: Instant,
    ) -> Result<HashSet<TaskId>, LedgerError> {
        let who = Who {
            shared,
            principal,
            mark: Mark::new(principal),
            now,
        };
        let found = self.of(&who, &self.tasks, &tasks).await?;
        let owned = tasks.into_iter().zip(found);
        let owned = owned.filter(|(_, found)| *found == Found::Mine);
        Ok(owned.map(|(task, _)| task).collect())
    }

    async fn one<K: Owned>(
        &self,
        who: &Who<'_>,
        table: &Table<K>,
        object: &K,
    ) -> Result<Found, LedgerError> {
        let found = self.of(who, table, std::slice::from_ref(object)).await?;
        Ok(found.first().copied().unwrap_or(Found::NotMine))
    }

    /// Whose these are. What is known to be the caller's is not asked about.
    async fn of<K: Owned>(
        &self,
        who: &Who<'_>,
        table: &Table<K>,
        objects: &[K],
    ) -> Result<Vec<Found>, LedgerError> {
        let mut all = Vec::with_capacity(objects.len());
        for objects in objects.chunks(KEYS_AT_ONCE) {
            let known = |object: &&K| table.mine_until(object, who.principal, who.now);
            let unknown = objects.iter().filter(|object| known(object).is_none());
            let keys: Vec<_> = unknown.map(|object| who.shared.key(object)).collect();
            let mut told = match keys.is_empty() {
                true => Vec::new(),
                false => {
                    let told = who.shared.owners.look(keys).await;
                    told.map_err(LedgerError::Unavailable)?
                }
            }
            .into_iter();
            for object in objects {
                let found = match table.mine_until(object, who.principal, who.now) {
                    Some(until) if until < who.now + table.ttl() - table.ttl() / RENEWED => {
                        self.renewed(who, table, object).await
                    }
                    Some(_) => Found::Mine,
                    // One answer for each key; one that is missing is nobody's guess.
                    None => {
                        let value = told.next().ok_or_else(|| {
                            LedgerError::Unavailable("the store answered too little".into())
                        })?;
                        let found = who.mark.found(value.as_deref());
                        if found == Found::Mine {
                            self.renewed(who, table, object).await
                        } else {
                            found
                        }
                    }
                };
                all.push(found);
            }
        }
        Ok(all)
    }

    /// Has what is the caller's remembered for longer, there and here; and there again, if it was lost.
    async fn renewed<K: Owned>(&self, who: &Who<'_>, table: &Table<K>, object: &K) -> Found {
        match self.claim(who, table, object).await {
            Ok(true) => Found::Mine,
            Ok(false) => {
                table.release(object, who.principal, &self.room);
                Found::NotMine
            }
            // It is still the caller's, for as long as was said before.
            Err(_) => Found::Mine,
        }
    }

    /// Makes it the caller's if it is nobody's; whether it is the caller's then.
    async fn claim<K: Owned>(
        &self,
        who: &Who<'_>,
        table: &Table<K>,
        object: &K,
    ) -> Result<bool, LedgerError> {
        let (key, value, keep) = (who.shared.key(object), who.mark.owned(), table.ttl());
        let owners = &who.shared.owners;
        let held = owners.claim(key.clone(), value.clone(), keep).await;
        let held = held.map_err(LedgerError::Unavailable)?;
        match who.mark.found(held.as_deref()) {
            Found::NotMine => return Ok(false),
            Found::Nobodys => {}
            Found::Mine | Found::Reserved => {
                let put = owners.put(key, value, keep).await;
                put.map_err(LedgerError::Unavailable)?;
            }
        }
        // Not longer than there: `now` was before the question. Where there is no room, it is asked about each time.
        let _no_room = table.remember(object, who.principal, who.now + keep, &self.room);
        Ok(true)
    }
}

/// Who asks, and when.
struct Who<'a> {
    shared: &'a Shared,
    principal: &'a Principal,
    mark: Mark,
    now: Instant,
}

/// When something is gone from the store that has ended: a time of none cannot be said.
const SOON: std::time::Duration = std::time::Duration::from_millis(1);

const fn ownership(is_mine: bool) -> Ownership {
    match is_mine {
        true => Ownership::Mine,
        false => Ownership::NotMine,
    }
}
