//! How senior callers are.

use std::sync::Arc;

use super::config::Role;
use super::question::Question;
use crate::model::Mode;

/// The roles that have a rank, the most senior first.
#[derive(Debug)]
pub(super) struct Ranks(Box<[Arc<Role>]>);

impl Ranks {
    pub(super) fn new<'a>(roles: impl Iterator<Item = &'a Arc<Role>>) -> Self {
        let mut ranked: Vec<_> = roles
            .filter(|role| role.rank > 0 && role.to.is_some() && role.mode == Mode::Enforce)
            .cloned()
            .collect();
        ranked.sort_by(|left, right| {
            let by_rank = right.rank.cmp(&left.rank);
            by_rank.then_with(|| left.rule.name.cmp(&right.rule.name))
        });
        Self(ranked.into())
    }

    /// The caller's rank: the highest of the roles that it holds, 0 without one.
    pub(super) fn of(&self, question: &Question<'_>) -> u32 {
        self.role(question).map_or(0, |role| role.rank)
    }

    /// The role from which the caller has its rank.
    pub(super) fn role(&self, question: &Question<'_>) -> Option<&Arc<Role>> {
        if question.principal.is_anonymous() {
            return None;
        }
        let holds = |role: &&Arc<Role>| role.to.as_ref().is_some_and(|to| to.include(question));
        self.0.iter().find(holds)
    }
}
