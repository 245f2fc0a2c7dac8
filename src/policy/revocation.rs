//! Who and what must not go on, whatever else a policy says.
//!
//! Apart from [`PolicySet`](super::PolicySet), because it holds as soon as it is known: the policies around it
//! may not compile, and whoever answers for a running service may revoke without any policy.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::question::Question;
use crate::model::{
    IdentityName, Principal, PrincipalId, Reason, Refusal, RuleRef, TaskId, TenantId,
};

/// One revocation. Every condition that is set must hold; without any it is about nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its name, and where it stands if in a policy.
    pub rule: Arc<RuleRef>,
    /// Whom or what it is about.
    pub subject: Subject,
    /// Credentials that were issued at this instant or later are not meant. One that does not say when it was
    /// issued is.
    pub since: Option<Timestamp>,
}

/// Whom or what a revocation is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The agent that is called.
    pub agent: Option<Box<str>>,
    /// The source of callers that vouches for the caller.
    pub identity: Option<IdentityName>,
    /// The key that signed the credential.
    pub key: Option<Box<str>>,
    /// The caller.
    pub principal: Option<PrincipalId>,
    /// The task that the call names, or the one that was made for it.
    pub task: Option<TaskId>,
    /// The caller's tenant.
    pub tenant: Option<TenantId>,
}

/// All revocations that hold at one time.
#[derive(Debug, Default)]
pub struct Revocations {
    all: Vec<Revocation>,
    // By what most are about, so that a list of thousands costs a call as much as a short one. Indices into
    // `all`.
    principals: HashMap<PrincipalId, Vec<usize>>,
    tasks: HashMap<TaskId, Vec<usize>>,
    tenants: HashMap<TenantId, Vec<usize>>,
    others: Vec<usize>,
}

impl Revocations {
    /// Compiles them.
    pub fn new(all: Vec<Revocation>) -> Self {
        let mut revocations = Self::default();
        for (index, Revocation { subject, .. }) in all.iter().enumerate() {
            let list = if let Some(principal) = &subject.principal {
                revocations.principals.entry(principal.clone()).or_default()
            } else if let Some(task) = &subject.task {
                revocations.tasks.entry(task.clone()).or_default()
            } else if let Some(tenant) = &subject.tenant {
                revocations.tenants.entry(tenant.clone()).or_default()
            } else {
                &mut revocations.others
            };
            list.push(index);
        }
        revocations.all = all;
        revocations
    }

    /// Every one of them.
    pub fn all(&self) -> &[Revocation] {
        &self.all
    }

    /// Whether the call may go on as far as they are concerned. `task` is the task that was made for the call,
    /// once it is known.
    ///
    /// # Errors
    /// When it may not: which one says so.
    pub fn judge(
        &self,
        question: &Question<'_>,
        task: Option<&TaskId>,
    ) -> Result<(), Box<Refusal>> {
        if self.all.is_empty() {
            return Ok(());
        }
        let named = question.call.task.as_ref();
        let tasks = [named, task].into_iter().flatten();
        let candidates = tasks
            .filter_map(|task| self.tasks.get(task))
            .chain(self.principals.get(&question.principal.id))
            .chain(self.tenants.get(&question.principal.tenant))
            .flatten()
            .chain(&self.others);
        let found = candidates
            .filter_map(|index| self.all.get(*index))
            .find(|revocation| revocation.covers(question, task));
        match found {
            None => Ok(()),
            Some(revocation) => Err(Box::new(
                Refusal::new(Reason::Revoked)
                    .detail(&revocation.subject)
                    .rule(Arc::clone(&revocation.rule)),
            )),
        }
    }
}

impl Revocation {
    fn covers(&self, question: &Question<'_>, made: Option<&TaskId>) -> bool {
        let Subject {
            agent,
            identity,
            key,
            principal,
            task,
            tenant,
        } = &self.subject;
        let caller = question.principal;
        let is_set = self.subject != Subject::default();
        let named = question.call.task.as_ref();
        is_set
            && agent.as_deref().is_none_or(|agent| agent == question.agent)
            && identity
                .as_ref()
                .is_none_or(|identity| *identity == caller.identity)
            && key
                .as_deref()
                .is_none_or(|key| caller.credential.key.as_deref() == Some(key))
            && principal
                .as_ref()
                .is_none_or(|principal| *principal == caller.id)
            && task
                .as_ref()
                .is_none_or(|task| named == Some(task) || made == Some(task))
            && tenant
                .as_ref()
                .is_none_or(|tenant| *tenant == caller.tenant)
            && self.since.is_none_or(|since| is_from_before(caller, since))
    }
}

fn is_from_before(caller: &Principal, since: Timestamp) -> bool {
    caller.credential.issued.is_none_or(|issued| issued < since)
}

impl fmt::Display for Subject {
    /// What it is about, for records: `principal ana@acme of identity corp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [(&str, Option<&str>); 6] = [
            (
                "principal",
                self.principal.as_ref().map(PrincipalId::as_str),
            ),
            ("task", self.task.as_ref().map(TaskId::as_str)),
            ("key", self.key.as_deref()),
            ("identity", self.identity.as_ref().map(IdentityName::as_str)),
            ("tenant", self.tenant.as_ref().map(TenantId::as_str)),
            ("agent", self.agent.as_deref()),
        ];
        let mut said = parts
            .iter()
            .filter_map(|(what, name)| Some((what, (*name)?)));
        let Some((what, name)) = said.next() else {
            return f.write_str("nobody");
        };
        write!(f, "{what} `{name}`")?;
        said.try_for_each(|(what, name)| write!(f, " of {what} `{name}`"))
    }
}
