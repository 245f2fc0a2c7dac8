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
use super::statement::{Compiled, Deny, Grant, Statements, holders};
use super::tenants::TenantTable;
use super::tools::{Pinned, Tools};
use crate::model::{
    Action, ActionPattern, Ownership, Principal, Protocol, Protocols, Reason, Refusal, RuleRef,
    ShadowVerdict,
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
    included: Reads,
    spoken: Protocols,
    /// One grant of MCP for each holder and each statement: whoever holds one holds the methods of a session.
    of_mcp: Vec<usize>,
    shadow_of_mcp: Vec<usize>,
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
        let of_mcp = holders(&compiled.grants, Protocol::Mcp);
        let shadow_of_mcp = holders(&compiled.shadow_grants, Protocol::Mcp);
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
            included: Reads::default(),
            spoken,
            of_mcp,
            shadow_of_mcp,
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

    /// Whether a call of this action may pass, whatever it is given: so a list of what can be called shows it. A deny
    /// hides it where it covers the call for certain; an allow that depends on what the call will be shows it.
    pub fn may_pass(&self, question: &Question<'_>) -> bool {
        let case = Case::new(question, &self.ranks);
        let action = &question.call.action;
        let mut grants = self.grants.candidates(action, question);
        !self.must_deny(question)
            && grants.any(|grant| {
                grant.means(action, question) && case.test(grant.to.when()) != Ok(false)
            })
    }

    /// What is said of the description of the tool with this name.
    pub fn pin_of(&self, name: &str) -> Option<Pinned<'_>> {
        self.tools.pin_of(name)
    }

    /// Whether a deny covers a call of this action for certain, whatever it is given.
    pub fn must_deny(&self, question: &Question<'_>) -> bool {
        let case = Case::new(question, &self.ranks);
        let action = &question.call.action;
        let mut denies = self.denies.candidates(action, question);
        denies.any(|deny| {
            deny.means(action, question) && case.test(deny.rule.when.as_ref()) == Ok(true)
        })
    }

    /// The same for actions of a pattern: whether some of them may pass.
    pub fn may_be_granted(&self, question: &Question<'_>, pattern: &ActionPattern) -> bool {
        let case = Case::new(question, &self.ranks);
        let mut grants = self.grants.iter();
        let mut denies = self.denies.iter();
        !denies.any(|deny| {
            deny.pattern.includes(pattern)
                && deny.mismatch(question).is_none()
                && case.test(deny.rule.when.as_ref()) == Ok(true)
        }) && grants.any(|grant| {
            grant.pattern.overlaps(pattern)
                && grant.is_for(question)
                && case.test(grant.to.when()) != Ok(false)
        })
    }

    /// The same, whose decisions are recorded with what is listed there, whether a condition reads it or not.
    #[must_use]
    pub fn recording(self, included: Reads) -> Self {
        Self {
            reads: self.reads.needing(&included),
            included,
            ..self
        }
    }

    /// What its conditions and its statements about tools read, and what is recorded besides: whoever asks fills it in.
    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// What is recorded of every call, whether a condition reads it or not.
    pub const fn included(&self) -> &Reads {
        &self.included
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
            None if action.belongs_to_mcp_session() => self.holds_mcp(question),
            None => Err(Box::new(nothing_allows(question.principal))),
        }
    }

    /// What gives the caller something of MCP, and with it what every use of MCP needs.
    fn holds_mcp(&self, question: &Question<'_>) -> Step<&Arc<RuleRef>> {
        match self.grants.of(&self.of_mcp).find(|it| it.is_for(question)) {
            Some(grant) => Ok(&grant.rule),
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
                let question = case.question;
                let action = &question.call.action;
                let granted = self.shadow_grants.first(action, case);
                let of_session = || {
                    let mut holders = self.shadow_grants.of(&self.shadow_of_mcp);
                    let holds = holders.find(|it| it.is_for(question));
                    holds.filter(|_| action.belongs_to_mcp_session())
                };
                granted
                    .or_else(of_session)
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
    if question.facts.session == Ownership::NotMine {
        return refuse(Reason::SessionNotFound);
    }
    match (question.facts.task, question.facts.context) {
        (Ownership::NotMine, _) => refuse(Reason::TaskNotFound),
        (Ownership::Absent | Ownership::Mine, Ownership::NotMine) => {
            refuse(Reason::ContextNotFound)
        }
        (Ownership::Absent | Ownership::Mine, Ownership::Absent | Ownership::Mine) => Ok(rule),
    }
}
