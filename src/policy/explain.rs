//! Why a decision came out as it did: the same statements, matched by the same code, told one by one.

use std::sync::Arc;

use super::callers::Mismatch;
use super::config::Role;
use super::decide::{PolicySet, actions};
use super::permit::Decision;
use super::question::Question;
use super::statement::{Deny, lineage};
use crate::model::{Action, ActionPattern, Mode, RuleRef};

/// A decision and what led to it.
#[derive(Debug)]
pub struct Explanation {
    /// The decision, as the proxy makes it.
    pub decision: Decision,
    /// The statement about the caller's tenant, if there is one.
    pub tenant: Option<Arc<RuleRef>>,
    /// The deny rules that are about the action.
    pub denies: Vec<Considered>,
    /// The caller's rank, and the role that it comes from.
    pub rank: (u32, Option<Arc<RuleRef>>),
    /// The rank that the agent asks for, and the statement that says so.
    pub rank_needed: Option<(u32, Arc<RuleRef>)>,
    /// The roles that the caller holds, with those that they inherit.
    pub roles: Vec<Held>,
    /// Statements that allow the action to others, and what the caller lacks.
    pub nearest: Vec<Nearest>,
}

/// A deny rule that was looked at.
#[derive(Debug)]
pub struct Considered {
    /// The rule.
    pub rule: Arc<RuleRef>,
    /// Why it does not cover the call; `None` when it does.
    pub mismatch: Option<Mismatch>,
}

/// A role that the caller holds.
#[derive(Debug)]
pub struct Held {
    /// The role.
    pub rule: Arc<RuleRef>,
    /// The role through which it is held, when it is inherited.
    pub through: Option<Arc<RuleRef>>,
}

/// A statement that allows the action, but not to the caller.
#[derive(Debug)]
pub struct Nearest {
    /// The role or rule.
    pub rule: Arc<RuleRef>,
    /// The pattern that covers the action.
    pub pattern: ActionPattern,
    /// What the caller lacks.
    pub mismatch: Mismatch,
}

/// Somebody who may do something.
#[derive(Debug)]
pub struct Grantee {
    /// The role or rule that says so.
    pub rule: Arc<RuleRef>,
    /// What it allows.
    pub pattern: ActionPattern,
    /// To whom.
    pub to: String,
}

/// More are not read by anybody.
const MAX_NEAREST: usize = 3;

impl PolicySet {
    /// The decision, with all that was looked at on the way.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let action = &question.call.action;
        let role = self.ranks.role(question);
        Explanation {
            decision: self.decide(question),
            tenant: self.tenants.statement(question.principal),
            denies: self.considered(question),
            rank: (
                role.map_or(0, |role| role.rank),
                role.map(|role| Arc::clone(&role.rule)),
            ),
            rank_needed: self
                .seniority
                .of(question.agent)
                .map(|instructors| (instructors.caller_at_least, Arc::clone(&instructors.rule))),
            roles: self.held(question),
            nearest: self.nearest(action, question),
        }
    }

    /// Who may do what the pattern covers, or a part of it. Denies and conditions may still refuse them.
    pub fn who_may(&self, pattern: &ActionPattern) -> Vec<Grantee> {
        self.grants
            .iter()
            .filter(|grant| grant.pattern.overlaps(pattern))
            .map(|grant| Grantee {
                rule: Arc::clone(grant.to.rule()),
                pattern: grant.pattern.clone(),
                to: grant.to.to_string(),
            })
            .collect()
    }

    fn considered(&self, question: &Question<'_>) -> Vec<Considered> {
        let mut considered: Vec<Considered> = Vec::new();
        for action in actions(question) {
            let about = self.denies.candidates(action, question);
            for deny in about.filter(|deny| deny.pattern.may_match(action)) {
                if !considered
                    .iter()
                    .any(|seen| Arc::ptr_eq(&seen.rule, &deny.rule.rule))
                {
                    considered.push(deny.consider(question));
                }
            }
        }
        considered
    }

    fn held(&self, question: &Question<'_>) -> Vec<Held> {
        let mut held: Vec<Held> = Vec::new();
        let is_held = |role: &&Arc<Role>| {
            !question.principal.is_anonymous()
                && role.mode == Mode::Enforce
                && role.to.as_ref().is_some_and(|to| to.include(question))
        };
        for role in self.roles.values().filter(is_held) {
            let lineage = lineage(role, &self.roles).into_iter();
            let enforced = lineage.filter(|held| held.mode == Mode::Enforce);
            for (depth, inherited) in enforced.enumerate() {
                held.push(Held {
                    rule: Arc::clone(&inherited.role.rule),
                    through: (depth > 0).then(|| Arc::clone(&role.rule)),
                });
            }
        }
        held
    }

    fn nearest(&self, action: &Action, question: &Question<'_>) -> Vec<Nearest> {
        let mut nearest: Vec<Nearest> = Vec::new();
        let covering = self
            .grants
            .iter()
            .filter(|grant| grant.pattern.matches(action));
        for grant in covering {
            let Some(mismatch) = grant.to.mismatch(question) else {
                continue;
            };
            let rule = grant.to.rule();
            if nearest.len() < MAX_NEAREST
                && !nearest.iter().any(|seen| Arc::ptr_eq(&seen.rule, rule))
            {
                nearest.push(Nearest {
                    rule: Arc::clone(rule),
                    pattern: grant.pattern.clone(),
                    mismatch,
                });
            }
        }
        nearest
    }
}

impl Deny {
    fn consider(&self, question: &Question<'_>) -> Considered {
        Considered {
            rule: Arc::clone(&self.rule.rule),
            mismatch: self.mismatch(question),
        }
    }
}
