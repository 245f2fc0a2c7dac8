//! Why a decision came out as it did: the same statements, matched by the same code, told one by one.

use std::sync::Arc;

use super::callers::Mismatch;
use super::case::Case;
use super::condition::EvalError;
use super::config::Role;
use super::decide::{PolicySet, actions};
use super::permit::Decision;
use super::question::Question;
use super::statement::{Deny, lineage};
use super::tools::Examined;
use crate::model::{Action, ActionPattern, Glob, Mode, Protocol, Refusal, RuleRef};

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
    /// What was made of the arguments of a tool, where there is a statement about it.
    pub tool: Option<Examined>,
}

impl Explanation {
    /// The same for a call that something else refuses before the policy is asked.
    #[must_use]
    pub fn refused(mut self, refusal: Refusal) -> Self {
        self.decision = Decision::deny(refusal, None);
        self
    }
}

/// A deny rule that was looked at.
#[derive(Debug)]
pub struct Considered {
    /// The rule.
    pub rule: Arc<RuleRef>,
    /// Why it does not mean the caller; `None` when it does.
    pub mismatch: Option<Mismatch>,
    /// What its condition came to, and the part of it that decided; `None` without one.
    pub when: Option<(Result<bool, EvalError>, String)>,
}

impl Considered {
    /// Whether it covers the call. A condition that cannot be evaluated cannot be ruled out.
    pub fn covers(&self) -> bool {
        let when = self.when.as_ref();
        self.mismatch.is_none() && when.is_none_or(|(came, _)| *came != Ok(false))
    }

    /// The same in words: what the caller is not, or what the condition came to.
    pub fn verdict(&self) -> String {
        match (&self.mismatch, &self.when) {
            (Some(mismatch), _) => mismatch.to_string(),
            (None, None) => "covers the call".to_owned(),
            (None, Some((came, why))) => {
                let came = came
                    .as_ref()
                    .map_or_else(ToString::to_string, bool::to_string);
                format!("when {came}: {why}")
            }
        }
    }
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
            denies: self.considered(&Case::new(question, &self.ranks)),
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
            tool: question
                .request
                .tool
                .and_then(|call| self.tools.explain(call)),
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

    /// The statements that look at arguments of what the pattern covers, or of a part of it: calls of tools, by
    /// the name that MCP gives them or as the requests by which they come.
    pub fn examining(&self, pattern: &ActionPattern) -> Vec<Arc<RuleRef>> {
        let is_covered = |tool: &str| match pattern.protocol() {
            Protocol::Http => pattern.method().matches("POST"),
            Protocol::Mcp => {
                let overlaps = |name: &Glob| name.overlaps(&Glob::new(tool));
                pattern.method().matches("tools/call") && pattern.name().is_none_or(overlaps)
            }
            Protocol::A2a | Protocol::Llm => false,
        };
        let tools = self.tools.enforced();
        tools
            .filter(|tool| is_covered(&tool.name))
            .cloned()
            .collect()
    }

    fn considered(&self, case: &Case<'_>) -> Vec<Considered> {
        let question = case.question;
        let mut considered: Vec<Considered> = Vec::new();
        for action in actions(question) {
            let about = self.denies.candidates(action, question);
            for deny in about.filter(|deny| deny.pattern.may_match(action)) {
                if !considered
                    .iter()
                    .any(|seen| Arc::ptr_eq(&seen.rule, &deny.rule.rule))
                {
                    considered.push(deny.consider(case));
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
    fn consider(&self, case: &Case<'_>) -> Considered {
        let when = self.rule.when.as_ref();
        Considered {
            rule: Arc::clone(&self.rule.rule),
            mismatch: self.mismatch(case.question),
            when: when.map(|when| (when.evaluate(case), when.explain(case))),
        }
    }
}
