//! Compiled statements: one pattern each, and whom it is for.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::callers::Mismatch;
use super::case::Case;
use super::condition::Condition;
use super::config::{Callers, Effect, Role, Rule};
use super::index::{About, Index};
use super::question::Question;
use crate::model::{Action, ActionPattern, Mode, Protocol, RuleRef, TenantId};

/// One pattern of a deny.
#[derive(Debug)]
pub(super) struct Deny {
    pub(super) pattern: ActionPattern,
    /// What a record says of it: it is said of every call that it covers.
    pub(super) words: Arc<str>,
    pub(super) rule: Arc<Rule>,
}

/// One pattern that somebody is granted.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) pattern: ActionPattern,
    /// The statement in which the pattern stands: for an inherited one, the role that was inherited.
    pub(super) rule: Arc<RuleRef>,
    pub(super) to: Holder,
    /// Between the holder and what it inherits lies the border of a file that is about these tenants only.
    fence: Option<Fence>,
}

/// The tenants that something is about.
type Fence = Arc<[TenantId]>;

/// Whom something is granted to.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    /// The holders of a role, which may have inherited it.
    Role(Arc<Role>),
    /// Those whom a rule names.
    Rule(Arc<Rule>),
}

impl Deny {
    /// Why it does not mean the caller.
    pub(super) fn mismatch(&self, question: &Question<'_>) -> Option<Mismatch> {
        self.rule
            .from
            .as_ref()
            .and_then(|from| from.deny_mismatch(question))
    }

    /// Whether it covers the call, if its condition does not rule that out. An action without a name is one that a
    /// deny cannot rule out.
    pub(super) fn means(&self, action: &Action, question: &Question<'_>) -> bool {
        self.pattern.may_match(action)
            && self
                .rule
                .from
                .as_ref()
                .is_none_or(|from| from.must_be_denied(question))
    }
}

impl Grant {
    /// Whether it grants the call, if its condition holds.
    pub(super) fn means(&self, action: &Action, question: &Question<'_>) -> bool {
        self.pattern.matches(action) && self.is_for(question)
    }

    /// Whether it grants something to the caller.
    pub(super) fn is_for(&self, question: &Question<'_>) -> bool {
        let tenant = &question.principal.tenant;
        self.to.includes(question) && self.fence.as_ref().is_none_or(|it| it.contains(tenant))
    }
}

/// Statements, and the way to those that may be about a call.
#[derive(Debug)]
pub(super) struct Statements<T> {
    list: Box<[T]>,
    index: Index,
}

/// What the statements of a policy come to. Their order is the one of names, so that it does not depend on
/// files.
pub(super) struct Compiled {
    pub(super) denies: Vec<Deny>,
    pub(super) grants: Vec<Grant>,
    pub(super) shadow_denies: Vec<Deny>,
    pub(super) shadow_grants: Vec<Grant>,
}

pub(super) trait Statement {
    fn about(&self) -> About<'_>;
    /// Whether it is about this call. An action without a name is one that a deny cannot rule out.
    fn matches(&self, action: &Action, case: &Case<'_>) -> bool;
    /// Whether it is about an action without a name that it has one for.
    const NAMELESS: bool;
}

impl<T: Statement> Statements<T> {
    pub(super) fn new(list: Vec<T>) -> Self {
        Self {
            index: Index::new(&list.iter().map(Statement::about).collect::<Vec<_>>()),
            list: list.into(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The first in the order of names that is about the call.
    pub(super) fn first(&self, action: &Action, case: &Case<'_>) -> Option<&T> {
        self.first_of(std::iter::once(action), case)
    }

    /// The same for a call that goes by several names.
    pub(super) fn first_of<'a>(
        &self,
        actions: impl Iterator<Item = &'a Action>,
        case: &Case<'_>,
    ) -> Option<&T> {
        let get = |number: u32| self.list.get(number as usize);
        let principal = case.question.principal;
        let numbers = actions.filter_map(|action| {
            let matches = |number| get(number).is_some_and(|it| it.matches(action, case));
            self.index.first(action, principal, T::NAMELESS, matches)
        });
        numbers.min().and_then(get)
    }

    /// Those that were looked at for the call.
    pub(super) fn candidates<'a>(
        &'a self,
        action: &Action,
        question: &Question<'_>,
    ) -> impl Iterator<Item = &'a T> {
        let numbers = self.index.all(action, question.principal, T::NAMELESS);
        numbers
            .into_iter()
            .filter_map(|number| self.list.get(number as usize))
    }

    /// Those at these places.
    pub(super) fn of<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a T> {
        places.iter().filter_map(|place| self.list.get(*place))
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter()
    }
}

impl Statement for Deny {
    fn about(&self) -> About<'_> {
        (
            &self.pattern,
            self.rule.from.as_ref().map(|from| &from.callers),
        )
    }

    fn matches(&self, action: &Action, case: &Case<'_>) -> bool {
        self.means(action, case.question)
            // What cannot be evaluated cannot be ruled out.
            && case.test(self.rule.when.as_ref()) != Ok(false)
    }

    const NAMELESS: bool = true;
}

impl Statement for Grant {
    fn about(&self) -> About<'_> {
        (&self.pattern, self.to.callers())
    }

    fn matches(&self, action: &Action, case: &Case<'_>) -> bool {
        self.means(action, case.question) && case.test(self.to.when()) == Ok(true)
    }

    const NAMELESS: bool = false;
}

impl Holder {
    fn callers(&self) -> Option<&Callers> {
        match self {
            Self::Role(role) => role.to.as_ref(),
            Self::Rule(rule) => rule.from.as_ref().map(|from| &from.callers),
        }
    }

    /// Under which condition: roles have none.
    pub(super) fn when(&self) -> Option<&Condition> {
        match self {
            Self::Role(_) => None,
            Self::Rule(rule) => rule.when.as_ref(),
        }
    }

    /// The role or the rule.
    pub(super) fn rule(&self) -> &Arc<RuleRef> {
        match self {
            Self::Role(role) => &role.rule,
            Self::Rule(rule) => &rule.rule,
        }
    }

    /// Why the caller is none of them.
    pub(super) fn mismatch(&self, question: &Question<'_>) -> Option<Mismatch> {
        let anonymous = question.principal.is_anonymous();
        match self {
            Self::Role(role) if !anonymous => role.to.as_ref()?.mismatch(question),
            Self::Rule(rule) if rule.from.is_some() => rule.from.as_ref()?.allow_mismatch(question),
            Self::Role(_) | Self::Rule(_) => anonymous.then_some(Mismatch::Anonymous),
        }
    }

    /// Whether the caller is one of them. Nobody without a credential holds a role.
    pub(super) fn includes(&self, question: &Question<'_>) -> bool {
        let anonymous = question.principal.is_anonymous();
        match self {
            Self::Role(role) => {
                !anonymous && role.to.as_ref().is_some_and(|to| to.include(question))
            }
            Self::Rule(rule) => match &rule.from {
                None => !anonymous,
                Some(from) => from.may_be_allowed(question),
            },
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.to.as_ref().map_or(Ok(()), |to| to.fmt(f)),
            Self::Rule(rule) => match &rule.from {
                Some(from) => from.fmt(f),
                None => f.write_str("every caller with a credential"),
            },
        }
    }
}

/// The first of those grants of a protocol that have the same holder, fence and statement, by their places.
pub(super) fn holders(grants: &[Grant], protocol: Protocol) -> Vec<usize> {
    let mut seen = HashSet::new();
    let mut places = Vec::new();
    for (place, grant) in grants.iter().enumerate() {
        let fence = grant.fence.as_ref().map(|fence| fence.as_ptr());
        let of = (
            Arc::as_ptr(grant.to.rule()),
            fence,
            Arc::as_ptr(&grant.rule),
        );
        if grant.pattern.protocol() == protocol && seen.insert(of) {
            places.push(place);
        }
    }
    places
}

impl Compiled {
    pub(super) fn new(roles: &BTreeMap<Arc<str>, Arc<Role>>, rules: Vec<Rule>) -> Self {
        let mut compiled = Self {
            denies: Vec::new(),
            grants: Vec::new(),
            shadow_denies: Vec::new(),
            shadow_grants: Vec::new(),
        };
        for role in roles.values() {
            compiled.grant(role, roles);
        }
        let mut rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        rules.sort_by(|left, right| left.rule.name.cmp(&right.rule.name));
        for rule in &rules {
            compiled.rule(rule);
        }
        compiled
    }

    /// What the statements are about.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &ActionPattern> {
        let denies = self.denies.iter().chain(&self.shadow_denies);
        let grants = self.grants.iter().chain(&self.shadow_grants);
        let denied = denies.map(|deny| &deny.pattern);
        denied.chain(grants.map(|grant| &grant.pattern))
    }

    /// Grants to the holders of a role what it allows by itself and by inheritance.
    fn grant(&mut self, role: &Arc<Role>, roles: &BTreeMap<Arc<str>, Arc<Role>>) {
        if role.to.is_none() {
            return;
        }
        for Inherited {
            role: current,
            mode,
            fence,
        } in lineage(role, roles)
        {
            let grants = match mode {
                Mode::Enforce => &mut self.grants,
                Mode::Shadow => &mut self.shadow_grants,
            };
            grants.extend(current.allow.iter().map(|pattern| Grant {
                pattern: pattern.clone(),
                rule: Arc::clone(&current.rule),
                to: Holder::Role(Arc::clone(role)),
                fence: fence.clone(),
            }));
        }
    }

    fn rule(&mut self, rule: &Arc<Rule>) {
        let deny = |pattern: &ActionPattern| Deny {
            words: format!("`{pattern}` covers it").into(),
            pattern: pattern.clone(),
            rule: Arc::clone(rule),
        };
        let grant = |pattern: &ActionPattern| Grant {
            pattern: pattern.clone(),
            rule: Arc::clone(&rule.rule),
            to: Holder::Rule(Arc::clone(rule)),
            fence: None,
        };
        match (rule.effect, rule.mode) {
            (Effect::Allow, Mode::Enforce) => self.grants.extend(rule.actions.iter().map(grant)),
            (Effect::Allow, Mode::Shadow) => {
                self.shadow_grants.extend(rule.actions.iter().map(grant))
            }
            (Effect::Deny, Mode::Enforce) => self.denies.extend(rule.actions.iter().map(deny)),
            (Effect::Deny, Mode::Shadow) => {
                self.shadow_denies.extend(rule.actions.iter().map(deny))
            }
        }
    }
}

/// What a role grants by itself or by inheritance.
pub(super) struct Inherited<'a> {
    /// Where it stands.
    pub(super) role: &'a Arc<Role>,
    /// What is held only through a role in shadow mode is in shadow mode itself.
    pub(super) mode: Mode,
    /// Inheriting across fences keeps the narrower.
    fence: Option<Fence>,
}

/// A role and all that it inherits, nearest first.
pub(super) fn lineage<'a>(
    role: &'a Arc<Role>,
    roles: &'a BTreeMap<Arc<str>, Arc<Role>>,
) -> Vec<Inherited<'a>> {
    let enforced = closure(role, roles, |role| role.mode == Mode::Enforce);
    let mode = |held: &Arc<Role>| {
        let is_enforced = enforced.iter().any(|(role, _)| Arc::ptr_eq(role, held));
        if is_enforced {
            Mode::Enforce
        } else {
            Mode::Shadow
        }
    };
    let all = closure(role, roles, |_| true).into_iter();
    all.map(|(held, fence)| Inherited {
        role: held,
        mode: mode(held),
        fence,
    })
    .collect()
}

/// What is reached by roles that are wanted, by the shortest way; a cycle is followed once.
fn closure<'a>(
    role: &'a Arc<Role>,
    roles: &'a BTreeMap<Arc<str>, Arc<Role>>,
    is_wanted: impl Fn(&Role) -> bool,
) -> Vec<(&'a Arc<Role>, Option<Fence>)> {
    let first = [role].into_iter().filter(|role| is_wanted(role));
    let mut seen: Vec<_> = first.map(|role| (role, role.fence.clone())).collect();
    let mut next = 0;
    while let Some((current, fence)) = seen.get(next).cloned() {
        next += 1;
        let parents = current.inherits.iter().filter_map(|name| roles.get(name));
        for parent in parents.filter(|parent| is_wanted(parent)) {
            if !seen.iter().any(|(role, _)| Arc::ptr_eq(role, parent)) {
                seen.push((parent, narrower(fence.as_ref(), parent.fence.as_ref())));
            }
        }
    }
    seen
}

/// Those inside of both.
fn narrower(one: Option<&Fence>, other: Option<&Fence>) -> Option<Fence> {
    match (one, other) {
        (Some(one), Some(other)) => Some(
            one.iter()
                .filter(|tenant| other.contains(tenant))
                .cloned()
                .collect(),
        ),
        (one, other) => one.or(other).cloned(),
    }
}
