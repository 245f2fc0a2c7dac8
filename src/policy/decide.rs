//! The decision itself.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use super::config::{Callers, Config, Effect, Role, Rule, Sources, Tenant, Tenants};
use super::index::Index;
use super::limits::{LimitTable, Limits};
use super::permit::Decision;
use crate::model::{
    ANONYMOUS, Action, ActionPattern, Call, Facts, Operation, Ownership, Principal, Protocol,
    Reason, Refusal, RuleRef, TenantId,
};

/// All statements of one version of the policy, compiled.
#[derive(Debug)]
pub struct PolicySet {
    tenants: Tenants,
    denies: Index<Statement>,
    allows: Index<Grant>,
    limits: LimitTable,
}

/// One pattern of a rule.
#[derive(Debug, Clone)]
struct Statement {
    pattern: ActionPattern,
    rule: Arc<Rule>,
}

/// One pattern that somebody is granted.
#[derive(Debug, Clone)]
struct Grant {
    pattern: ActionPattern,
    // The statement in which the pattern stands: for an inherited one, the role that was inherited.
    rule: Arc<RuleRef>,
    to: Holder,
}

#[derive(Debug, Clone)]
enum Holder {
    Role(Arc<Callers>),
    Rule(Arc<Rule>),
}

impl PolicySet {
    /// Compiles. What can be wrong with a policy was found while it was read, where the place of a
    /// mistake is still known; a config with mistakes compiles to a set that grants less.
    pub fn compile(config: Config) -> Self {
        let mut denies = Vec::new();
        let mut grants = Vec::new();
        let roles: BTreeMap<Arc<str>, Role> = config
            .roles
            .into_iter()
            .map(|role| (Arc::clone(&role.rule.name), role))
            .collect();
        for role in roles.values() {
            grant(role, &roles, &mut grants);
        }
        let mut rules: Vec<_> = config.rules.into_iter().map(Arc::new).collect();
        // Files add up in any order; the statement that is named must not depend on it.
        rules.sort_by(|left, right| left.rule.name.cmp(&right.rule.name));
        for rule in rules {
            for pattern in rule.actions.iter().cloned() {
                match rule.effect {
                    Effect::Allow => grants.push(Grant {
                        pattern,
                        rule: Arc::clone(&rule.rule),
                        to: Holder::Rule(Arc::clone(&rule)),
                    }),
                    Effect::Deny => denies.push(Statement {
                        pattern,
                        rule: Arc::clone(&rule),
                    }),
                }
            }
        }
        Self {
            tenants: config.tenants,
            denies: Index::new(&denies, |statement| &statement.pattern),
            allows: Index::new(&grants, |grant| &grant.pattern),
            limits: LimitTable::new(&config.default_limits, config.limits),
        }
    }

    /// Whether the principal may make the call.
    ///
    /// `source` is the address that the call comes from, where it is known; `at` is the time that
    /// decides whether a tenant is still served.
    pub fn decide(
        &self,
        principal: &Principal,
        call: &Call,
        facts: &Facts,
        source: Option<IpAddr>,
        at: Timestamp,
    ) -> Decision {
        // The dual-stack form of an IPv4 address must not slip past a rule about IPv4.
        let source = source.map(|source| source.to_canonical());
        match self
            .tenant(principal, at)
            .and_then(|()| self.denied(principal, call, source))
            .and_then(|()| self.allowed(principal, &call.action, source))
            .and_then(|rule| guarded(call, facts, rule))
        {
            Ok(rule) => Decision::allow(Arc::clone(rule)),
            Err(refusal) => Decision::deny(*refusal),
        }
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

    fn tenant(&self, principal: &Principal, at: Timestamp) -> Step<()> {
        let Some(tenant) = self.served(principal)? else {
            return Ok(());
        };
        match tenant.until {
            Some(until) if until <= at => Err(Box::new(
                Refusal::new(Reason::TenantExpired)
                    .detail(format_args!(
                        "`{}` was served until {until}",
                        principal.tenant
                    ))
                    .rule(Arc::clone(&tenant.rule)),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// What the policy says of the caller's tenant; `None` where it need not say anything.
    fn served(&self, principal: &Principal) -> Step<Option<&Tenant>> {
        if principal.is_anonymous() {
            return Ok(self.listed(&principal.tenant));
        }
        // An issuer that names this tenant would share the counters of callers without a credential.
        let is_reserved = principal.tenant.as_str() == ANONYMOUS;
        let tenant = match &self.tenants {
            Tenants::Any if !is_reserved => return Ok(None),
            Tenants::Listed { others, .. } if !is_reserved => {
                self.listed(&principal.tenant).or(others.as_ref())
            }
            Tenants::Any | Tenants::Listed { .. } => None,
        };
        tenant.map(Some).ok_or_else(|| {
            let detail = format!("tenant `{}` is not served", principal.tenant);
            Box::new(Refusal::new(Reason::TenantUnknown).detail(detail))
        })
    }

    fn listed(&self, tenant: &TenantId) -> Option<&Tenant> {
        match &self.tenants {
            Tenants::Any => None,
            Tenants::Listed { named, .. } => named.get(tenant),
        }
    }

    fn denied(&self, principal: &Principal, call: &Call, source: Option<IpAddr>) -> Step<()> {
        let denying = [Some(&call.action), call.http.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|action| {
                self.denies.candidates(action).iter().find(|statement| {
                    statement.pattern.may_match(action)
                        && is_denied(statement.rule.from.as_ref(), principal, source)
                })
            });
        match denying {
            None => Ok(()),
            Some(Statement { rule, pattern }) => Err(Box::new(Refusal {
                say: rule.say.clone(),
                ..Refusal::new(Reason::DenyRule)
                    .detail(format_args!("`{pattern}` covers it"))
                    .rule(Arc::clone(&rule.rule))
            })),
        }
    }

    fn allowed(
        &self,
        principal: &Principal,
        action: &Action,
        source: Option<IpAddr>,
    ) -> Step<&Arc<RuleRef>> {
        let granting = self.allows.candidates(action).iter().find(|grant| {
            grant.pattern.matches(action)
                && match &grant.to {
                    Holder::Role(callers) => !principal.is_anonymous() && holds(callers, principal),
                    Holder::Rule(rule) => is_allowed(rule.from.as_ref(), principal, source),
                }
        });
        match granting {
            Some(grant) => Ok(&grant.rule),
            None if is_public(action) => Ok(&PUBLIC_CARD),
            None => Err(Box::new(nothing_allows(principal, action))),
        }
    }
}

/// A step of the decision. Boxed, because a refusal is large and the way of an allow is not.
type Step<T> = Result<T, Box<Refusal>>;

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

fn nothing_allows(principal: &Principal, action: &Action) -> Refusal {
    let reason = if principal.is_anonymous() {
        Reason::CredentialMissing
    } else {
        Reason::DefaultDeny
    };
    Refusal::new(reason).detail(format_args!("no role and no rule allows `{action}`"))
}

/// What the ledger knows, after the right to the action itself is settled: so that somebody without
/// that right learns nothing of objects.
fn guarded<'set>(call: &Call, facts: &Facts, rule: &'set Arc<RuleRef>) -> Step<&'set Arc<RuleRef>> {
    let refuse = |reason| Err(Box::new(Refusal::new(reason).rule(Arc::clone(rule))));
    // Lists are not filtered by owner yet, so one that passes would show what others own.
    if call.operation == Operation::ListTasks {
        return refuse(Reason::OperationUnsupported);
    }
    match (facts.task, facts.context) {
        (Ownership::NotMine, _) => refuse(Reason::TaskNotFound),
        (Ownership::Absent | Ownership::Mine, Ownership::NotMine) => {
            refuse(Reason::ContextNotFound)
        }
        (Ownership::Absent | Ownership::Mine, Ownership::Absent | Ownership::Mine) => Ok(rule),
    }
}

fn is_allowed(from: Option<&Sources>, principal: &Principal, source: Option<IpAddr>) -> bool {
    let anonymous = principal.is_anonymous();
    match from {
        None => !anonymous,
        Some(from) => {
            (from.anonymous || !anonymous)
                && holds(&from.callers, principal)
                && (from.cidrs.is_empty() || source.is_some_and(|source| within(from, source)))
        }
    }
}

fn is_denied(from: Option<&Sources>, principal: &Principal, source: Option<IpAddr>) -> bool {
    from.is_none_or(|from| {
        (!from.anonymous || principal.is_anonymous())
            && holds(&from.callers, principal)
            // An unknown source is one that cannot be ruled out.
            && (from.cidrs.is_empty() || source.is_none_or(|source| within(from, source)))
    })
}

fn within(from: &Sources, source: IpAddr) -> bool {
    from.cidrs.iter().any(|cidr| cidr.contains(&source))
}

/// Whether every condition that is set holds.
fn holds(callers: &Callers, principal: &Principal) -> bool {
    callers
        .identity
        .as_ref()
        .is_none_or(|identity| *identity == principal.identity)
        && (callers.groups.is_empty()
            || principal
                .groups
                .iter()
                .any(|group| callers.groups.contains(group)))
        && (callers.ids.is_empty()
            || callers
                .ids
                .iter()
                .any(|glob| glob.matches(principal.id.as_str())))
        && (callers.tenants.is_empty() || callers.tenants.contains(&principal.tenant))
}

/// Grants to the holders of a role what it allows by itself and by inheritance.
fn grant(role: &Role, roles: &BTreeMap<Arc<str>, Role>, grants: &mut Vec<Grant>) {
    let Some(to) = role.to.clone().map(Arc::new) else {
        return;
    };
    let mut seen = vec![role];
    let mut next = 0;
    while let Some(current) = seen.get(next).copied() {
        next += 1;
        grants.extend(current.allow.iter().map(|pattern| Grant {
            pattern: pattern.clone(),
            rule: Arc::clone(&current.rule),
            to: Holder::Role(Arc::clone(&to)),
        }));
        for parent in current.inherits.iter().filter_map(|name| roles.get(name)) {
            if !seen.iter().any(|role| role.rule.name == parent.rule.name) {
                seen.push(parent);
            }
        }
    }
}
