//! The decision itself.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::case::Case;
use super::config::{Config, Role, Seniority};
use super::limits::{LimitTable, Limits};
use super::permit::Decision;
use super::question::Question;
use super::ranks::Ranks;
use super::reads::Reads;
use super::statement::{Compiled, Deny, Grant, Statements};
use super::tenants::TenantTable;
use super::tools::Tools;
use crate::model::{
    Action, ActionPattern, Operation, Ownership, Principal, Protocol, Protocols, Reason, Refusal,
    RuleRef, ShadowVerdict,
};

/// All statements of one version of the policy, compiled.
#[derive(Debug)]
pub struct PolicySet {
    pub(super) tenants: TenantTable,
    pub(super) roles: BTreeMap<Arc<str>, Arc<Role>>,
    pub(super) denies: Statements<Deny>,
    pub(super) grants: Statements<Grant>,
    shadow_denies: Statements<Deny>,
    shadow_grants: Statements<Grant>,
    pub(super) seniority: Seniority,
    pub(super) ranks: Ranks,
    pub(super) tools: Tools,
    limits: LimitTable,
    reads: Reads,
    spoken: Protocols,
}

impl PolicySet {
    /// Compiles. What can be wrong with a policy was found while it was read, where the place of a
    /// mistake is still known; a config with mistakes compiles to a set that grants less.
    pub fn compile(config: Config) -> Self {
        let roles: BTreeMap<Arc<str>, Arc<Role>> = config
            .roles
            .into_iter()
            .map(|role| (Arc::clone(&role.rule.name), Arc::new(role)))
            .collect();
        let conditions = config.rules.iter().filter_map(|rule| rule.when.as_ref());
        let tools = Tools::new(config.tools);
        let reads = Reads {
            tool: !tools.is_empty(),
            ..Reads::of(conditions)
        };
        let compiled = Compiled::new(&roles, config.rules);
        let spoken = compiled.patterns().map(ActionPattern::protocol).collect();
        Self {
            tenants: TenantTable::new(config.tenants),
            denies: Statements::new(compiled.denies),
            grants: Statements::new(compiled.grants),
            shadow_denies: Statements::new(compiled.shadow_denies),
            shadow_grants: Statements::new(compiled.shadow_grants),
            seniority: config.seniority,
            ranks: Ranks::new(roles.values()),
            limits: LimitTable::new(&config.default_limits, config.limits),
            roles,
            tools,
            reads,
            spoken,
        }
    }

    /// The protocols that its statements are about, also those in shadow mode.
    pub const fn spoken(&self) -> Protocols {
        self.spoken
    }

    /// Whether the call may go on, and what statements in shadow mode would have made of it.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let case = &Case::new(question, &self.ranks);
        let decided = self
            .tenants
            .admit(question)
            .and_then(|()| self.denied(case))
            .and_then(|()| self.junior(case))
            .and_then(|()| self.allowed(case))
            .and_then(|rule| guarded(question, rule))
            .and_then(|rule| self.tools.admit(question).map(|()| rule));
        let shadow = self.shadow(case, decided.as_ref().map_err(|refusal| refusal.reason));
        match decided {
            Ok(rule) => Decision::allow(Arc::clone(rule), shadow),
            Err(refusal) => Decision::deny(*refusal, shadow),
        }
    }

    /// What its conditions and its statements about tools read: whoever asks fills it in.
    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The limits of an action: the most specific statement wins, field by field.
    pub fn limits(&self, action: &Action) -> Limits {
        self.limits.of(action)
    }

    /// The limits of an action whose answer turned out to be a stream of events: a total time that fits
    /// a document would cut it midway.
    pub fn stream_limits(&self, action: &Action) -> Limits {
        self.limits.of_stream(action)
    }

    /// The largest request body that any action may have: the bound while the action is not known yet.
    pub fn max_request_bytes(&self) -> usize {
        self.limits.max_request_bytes()
    }

    /// How deeply the JSON of a request may be nested. It is read before the action is known, so it is
    /// one for all.
    pub const fn json_depth(&self) -> usize {
        self.limits.json_depth()
    }

    fn denied(&self, case: &Case<'_>) -> Step<()> {
        match denying(&self.denies, case) {
            None => Ok(()),
            Some(Deny { rule, words, .. }) => Err(Box::new(Refusal {
                say: rule.say.clone(),
                ..Refusal::new(Reason::DenyRule)
                    .known_detail(Arc::clone(words))
                    .rule(Arc::clone(&rule.rule))
            })),
        }
    }

    /// Whether the caller is senior enough to instruct this agent.
    fn junior(&self, case: &Case<'_>) -> Step<()> {
        let agent = case.question.agent;
        let Some(instructors) = self.seniority.of(agent) else {
            return Ok(());
        };
        let needed = instructors.caller_at_least;
        if needed == 0 {
            return Ok(());
        }
        let rank = case.rank();
        if rank >= needed {
            return Ok(());
        }
        Err(Box::new(
            Refusal::new(Reason::SeniorityTooLow)
                .detail(format_args!(
                    "the caller's rank is {rank}, and `{agent}` takes instructions from rank {needed} on"
                ))
                .rule(Arc::clone(&instructors.rule)),
        ))
    }

    fn allowed(&self, case: &Case<'_>) -> Step<&Arc<RuleRef>> {
        let question = case.question;
        let action = &question.call.action;
        match self.grants.first(action, case) {
            Some(grant) => Ok(&grant.rule),
            None if is_public(action) => Ok(&PUBLIC_CARD),
            None => Err(Box::new(nothing_allows(question.principal))),
        }
    }

    /// The first statement in shadow mode that would have changed the answer.
    fn shadow(
        &self,
        case: &Case<'_>,
        decided: Result<&&Arc<RuleRef>, Reason>,
    ) -> Option<ShadowVerdict> {
        match decided {
            Ok(_) => {
                let deny = denying(&self.shadow_denies, case).map(|deny| &deny.rule.rule);
                deny.or_else(|| self.tools.shadow(case.question))
                    .map(|rule| ShadowVerdict::Deny(Arc::clone(rule)))
            }
            Err(Reason::DefaultDeny | Reason::CredentialMissing)
                if !self.shadow_grants.is_empty() =>
            {
                self.shadow_grants
                    .first(&case.question.call.action, case)
                    .map(|grant| ShadowVerdict::Allow(Arc::clone(&grant.rule)))
            }
            Err(_) => None,
        }
    }
}

/// A step of the decision. Boxed, because a refusal is large and the way of an allow is not.
pub(super) type Step<T> = Result<T, Box<Refusal>>;

/// The first deny, in the order of names, that covers the call under its own name or as the plain HTTP request that
/// it is.
fn denying<'set>(denies: &'set Statements<Deny>, case: &Case<'_>) -> Option<&'set Deny> {
    if denies.is_empty() {
        return None;
    }
    denies.first_of(actions(case.question), case)
}

/// The names under which a deny covers the call.
pub(super) fn actions<'a>(question: &Question<'a>) -> impl Iterator<Item = &'a Action> + use<'a> {
    let call = question.call;
    [Some(&call.action), call.http.as_ref()]
        .into_iter()
        .flatten()
}

/// What a client must read before it can authenticate (A2A 1.0, section 8.2).
static PUBLIC_CARD: LazyLock<Arc<RuleRef>> = LazyLock::new(|| {
    Arc::new(RuleRef {
        name: Arc::from("public-agent-card"),
        place: None,
    })
});

fn is_public(action: &Action) -> bool {
    action.protocol == Protocol::A2a && action.method == "GetAgentCard"
}

fn nothing_allows(principal: &Principal) -> Refusal {
    static WORDS: LazyLock<Arc<str>> = LazyLock::new(|| "no role and no rule allows it".into());
    let reason = if principal.is_anonymous() {
        Reason::CredentialMissing
    } else {
        Reason::DefaultDeny
    };
    Refusal::new(reason).known_detail(Arc::clone(&WORDS))
}

/// What the ledger knows, after the right to the action itself is settled: so that somebody without
/// that right learns nothing of objects.
fn guarded<'set>(question: &Question<'_>, rule: &'set Arc<RuleRef>) -> Step<&'set Arc<RuleRef>> {
    let refuse = |reason| Err(Box::new(Refusal::new(reason).rule(Arc::clone(rule))));
    // Lists are not filtered by owner yet, so one that passes would show what others own.
    if question.call.operation == Operation::ListTasks {
        return refuse(Reason::OperationUnsupported);
    }
    match (question.facts.task, question.facts.context) {
        (Ownership::NotMine, _) => refuse(Reason::TaskNotFound),
        (Ownership::Absent | Ownership::Mine, Ownership::NotMine) => {
            refuse(Reason::ContextNotFound)
        }
        (Ownership::Absent | Ownership::Mine, Ownership::Absent | Ownership::Mine) => Ok(rule),
    }
}
