//! What the policy was asked, out of a record.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;

use super::super::line::{operation_of, ownership_of};
use super::super::record::MAX_TEXT_BYTES;
use super::Call;
use crate::model::{
    self, ANONYMOUS, Action, Credential, Dialect, IdentityName, Ownership, Principal, PrincipalId,
    Reason, TaskId, TenantId,
};

/// A question that the policy answered once, and how it did.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who called. Claims are not told here.
    pub caller: Arc<Principal>,
    /// What was asked. As plain HTTP it is `method` and `path` of the record, read by `protocol`.
    pub call: model::Call,
    /// What was known of the objects that it names.
    pub facts: model::Facts,
    /// Where it came from.
    pub source: IpAddr,
    /// When it began.
    pub at: Timestamp,
    /// Why it was refused, by the policy or after it; `None` where it was not.
    pub reason: Option<Reason>,
    /// Whether it passed, as the record has it: past the policy and past all that comes after it.
    pub passed: bool,
}

/// Why a record does not tell what the policy was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unfit {
    /// Records hold no more of it.
    #[error("`{0}` is longer than a record keeps")]
    Cut(&'static str),
    /// The call was refused, or answered, before.
    #[error("the policy was not asked")]
    NotAsked,
    /// A field is missing, or says something that this version does not know.
    #[error("`{0}` says nothing that this version can read")]
    Unreadable(&'static str),
}

impl Call {
    /// What the policy was asked.
    ///
    /// # Errors
    /// When it was not, or when the record does not tell enough of it.
    pub fn asked(&self) -> Result<Asked, Unfit> {
        let facts = self.facts.as_ref().ok_or(Unfit::NotAsked)?;
        let ownership = |word| ownership_of(word).ok_or(Unfit::Unreadable("facts"));
        let source = self.source.as_deref().and_then(|text| text.parse().ok());
        let source: SocketAddr = source.ok_or(Unfit::Unreadable("source"))?;
        let reason = match self.reason.as_deref() {
            None => None,
            Some(word) => Some(reason_of(word).ok_or(Unfit::Unreadable("reason"))?),
        };
        Ok(Asked {
            caller: self.caller()?,
            call: self.call()?,
            facts: model::Facts {
                task: ownership(&facts.task)?,
                context: ownership(&facts.context)?,
                session: match &facts.session {
                    None => Ownership::Absent,
                    Some(word) => ownership(word)?,
                },
            },
            source: source.ip(),
            at: self.time.parse().map_err(|_| Unfit::Unreadable("time"))?,
            reason,
            passed: match &*self.decision {
                "allow" => true,
                "deny" => false,
                _ => return Err(Unfit::Unreadable("decision")),
            },
        })
    }

    fn caller(&self) -> Result<Arc<Principal>, Unfit> {
        if self.identity.as_deref() == Some(ANONYMOUS) {
            return Ok(Principal::anonymous());
        }
        if self.groups_total.is_some() {
            return Err(Unfit::Cut("groups"));
        }
        let identity = self.identity.as_deref().unwrap_or_default();
        let id = self.principal.as_deref().unwrap_or_default();
        Ok(Arc::new(Principal {
            identity: IdentityName::new(identity).map_err(|_| Unfit::Unreadable("identity"))?,
            id: PrincipalId::new(id).map_err(|_| Unfit::Unreadable("principal"))?,
            tenant: TenantId::new(&self.tenant).map_err(|_| Unfit::Unreadable("tenant"))?,
            groups: self.groups.iter().map(|group| (**group).into()).collect(),
            claims: None,
            credential: Credential::default(),
        }))
    }

    fn call(&self) -> Result<model::Call, Unfit> {
        let action = self.action.as_deref().and_then(Action::from_shown);
        let action = action.ok_or(Unfit::Unreadable("action"))?;
        if action.name.as_deref().is_some_and(is_cut) {
            return Err(Unfit::Cut("action"));
        }
        let operation = self.operation.as_deref().and_then(operation_of);
        let dialect = self.dialect.as_deref().and_then(dialect_of);
        let tasks = self.references.iter();
        Ok(model::Call {
            action,
            http: None,
            operation: operation.ok_or(Unfit::Unreadable("operation"))?,
            dialect: dialect.ok_or(Unfit::Unreadable("dialect"))?,
            rpc_id: None,
            // The one of the record may be one that the agent made.
            task: None,
            references: tasks.filter_map(|task| TaskId::new(task).ok()).collect(),
            context: None,
            session: None,
            hook: None,
            addressed: None,
        })
    }

    /// The path of the request, as it was sent.
    ///
    /// # Errors
    /// When the record does not hold all of it.
    pub fn whole_path(&self) -> Result<&str, Unfit> {
        match self.path.as_deref() {
            None => Err(Unfit::Unreadable("path")),
            Some(path) if is_cut(path) => Err(Unfit::Cut("path")),
            Some(path) => Ok(path),
        }
    }
}

/// Whether a text may have been cut when it was recorded. One that ends in an ellipsis of its own just there counts as
/// cut, too.
fn is_cut(text: &str) -> bool {
    text.len() > MAX_TEXT_BYTES - '…'.len_utf8() && text.ends_with('…')
}

fn reason_of(word: &str) -> Option<Reason> {
    let mut reasons = Reason::ALL.iter().copied();
    reasons.find(|reason| reason.as_str() == word)
}

fn dialect_of(word: &str) -> Option<Dialect> {
    let mut dialects = Dialect::ALL.iter().copied();
    dialects.find(|dialect| dialect.as_str() == word)
}
