//! One question while it is being decided: what conditions can read.

use std::cell::OnceCell;

use super::condition::{Attribute, Attributes, Condition, EvalError, Path, Value};
use super::question::Question;
use super::ranks::Ranks;
use crate::model::Action;

/// A question, and what is worked out of it at most once.
pub(super) struct Case<'a> {
    pub(super) question: &'a Question<'a>,
    ranks: &'a Ranks,
    action: OnceCell<String>,
    rank: OnceCell<u32>,
}

impl<'a> Case<'a> {
    pub(super) const fn new(question: &'a Question<'a>, ranks: &'a Ranks) -> Self {
        Self {
            question,
            ranks,
            action: OnceCell::new(),
            rank: OnceCell::new(),
        }
    }

    /// Whether a condition is true; `None` is always.
    pub(super) fn test(&self, condition: Option<&Condition>) -> Result<bool, EvalError> {
        condition.map_or(Ok(true), |condition| condition.evaluate(self))
    }

    /// The caller's rank.
    pub(super) fn rank(&self) -> u32 {
        *self.rank.get_or_init(|| self.ranks.of(self.question))
    }

    fn action(&self) -> &Action {
        &self.question.call.action
    }
}

impl Attributes for Case<'_> {
    fn attribute(&self, path: &Path) -> Option<Value<'_>> {
        let Question {
            agent,
            principal,
            call,
            source,
            request,
            at,
            ..
        } = self.question;
        Some(match path.attribute() {
            Attribute::Action => Value::Text(self.action.get_or_init(|| self.action().to_string())),
            Attribute::Agent => Value::Text(agent),
            Attribute::Args => return path.walk(request.args?),
            Attribute::CallerGroups => Value::Texts(&principal.groups),
            Attribute::CallerId => Value::Text(principal.id.as_str()),
            Attribute::CallerIdentity => Value::Text(principal.identity.as_str()),
            Attribute::CallerRank => Value::Int(self.rank().into()),
            Attribute::CallerTenant => Value::Text(principal.tenant.as_str()),
            Attribute::Claims => return path.walk(principal.claims.as_deref()?),
            Attribute::Method => Value::Text(&self.action().method),
            Attribute::Name => Value::Text(self.action().name.as_deref()?),
            Attribute::Protocol => Value::Text(self.action().protocol.as_str()),
            Attribute::RequestHeader => {
                let wanted = path.header()?;
                let mut headers = request.headers.iter();
                Value::Text(&headers.find(|(name, _)| **name == *wanted)?.1)
            }
            Attribute::RequestPath => Value::Text(request.path?),
            Attribute::RequestSize => Value::Int(i64::try_from(request.size?).unwrap_or(i64::MAX)),
            Attribute::SourceIp => Value::Ip(source.as_ref()?.to_canonical()),
            Attribute::TaskId => Value::Text(call.task.as_ref()?.as_str()),
            Attribute::Time => Value::Time(*at),
            // Nothing knows them yet: `config` refuses conditions that read them.
            Attribute::ActorGroups
            | Attribute::ActorId
            | Attribute::ActorIdentity
            | Attribute::ActorTenant
            | Attribute::FindingDetector
            | Attribute::FindingPath
            | Attribute::TaskOwner
            | Attribute::TaskState => return None,
        })
    }
}
