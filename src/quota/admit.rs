//! The quotas of one version of the policy, and the proof that a call fits in them.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::{Config, Dimension, Quota, Rate};
use super::gcra::{Limit, State, Verdict};
use super::store::{Key, Locked, Store};
use crate::model::{
    Action, Call, Mode, Principal, Reason, Refusal, RuleRef, ShadowVerdict, Standing, TenantId,
};
use crate::policy::Permit;

/// Compiled quotas; the narrowest first, because that one should be named when several are spent.
#[derive(Debug, Default)]
pub struct Quotas {
    quotas: Vec<Quota>,
}

/// A quota that is about a call, with what it allows the caller.
#[derive(Debug)]
struct Counter<'set> {
    quota: &'set Quota,
    rate: Rate,
    limit: Limit,
}

/// Proof that an allowed call fits in every quota that is about it. Only this room makes one, from a
/// permit, and `upstream` consumes it.
///
/// ```compile_fail,E0451
/// // The fields are private and there is no constructor.
/// let forge = |rule| lictor::quota::Admission { rule, standings: Vec::new(), shadow: None };
/// ```
///
/// ```compile_fail,E0599
/// fn twice(admission: lictor::quota::Admission) -> [lictor::quota::Admission; 2] {
///     [admission.clone(), admission]
/// }
/// ```
#[derive(Debug)]
pub struct Admission {
    rule: Arc<RuleRef>,
    standings: Vec<Standing>,
    shadow: Option<ShadowVerdict>,
}

impl Admission {
    /// The statement of the policy that allowed the call.
    pub const fn rule(&self) -> &Arc<RuleRef> {
        &self.rule
    }

    /// An admission of nothing, for the tests of who spends one.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let rule = RuleRef {
            name: Arc::from("test"),
            place: None,
        };
        Self {
            rule: Arc::new(rule),
            standings: Vec::new(),
            shadow: None,
        }
    }

    /// How much is left of each quota that counted the call, the narrowest first. What a quota in shadow mode
    /// counts is nothing that a caller should go by.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// The narrowest quota in shadow mode that would have sent the call away.
    pub const fn shadow(&self) -> Option<&ShadowVerdict> {
        self.shadow.as_ref()
    }
}

impl Quotas {
    /// Compiles and orders.
    pub fn compile(config: Config) -> Self {
        let mut quotas = config.quotas;
        quotas.sort_by(|left, right| {
            let narrowest = |quota: &Quota| (quota.per.iter().copied().max(), quota.per.len());
            narrowest(right)
                .cmp(&narrowest(left))
                .then_with(|| left.rule.name.cmp(&right.rule.name))
        });
        Self { quotas }
    }

    /// The quotas that count a caller's calls of an action, the narrowest first.
    pub fn counting(&self, principal: &Principal, action: &Action) -> impl Iterator<Item = &Quota> {
        let quotas = self.quotas.iter();
        quotas.filter(move |quota| covers(quota, principal, action))
    }

    /// Counts the call in every quota that is about it, or in none.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] when a quota is spent: the narrowest of those that are is named and
    /// stands first in `standings`, and `retry_after` is when all of them would let the call pass.
    /// [`Reason::Overloaded`] when the store has no room for a new key.
    pub fn admit(
        &self,
        store: &Store,
        permit: Permit,
        principal: &Principal,
        call: &Call,
        source: IpAddr,
        now: Instant,
    ) -> Result<Admission, Refusal> {
        let subject = Subject {
            principal,
            action: &call.action,
            source: network(source),
        };
        let (counters, keys): (Vec<_>, Vec<_>) = self
            .counting(principal, &call.action)
            .map(|quota| {
                let parts = Parts {
                    quota,
                    subject: &subject,
                };
                (Counter::new(quota, &principal.tenant), store.key(parts))
            })
            .unzip();
        let Reserved { standings, shadow } = if counters.is_empty() {
            Reserved::default()
        } else {
            reserve(&counters, &keys, &mut store.lock(&keys), store.nanos(now))?
        };
        Ok(Admission {
            rule: permit.into_rule(),
            standings,
            shadow,
        })
    }
}

/// A quota on a name counts calls whose name is not known: a restraint that cannot be evaluated applies.
fn covers(quota: &Quota, principal: &Principal, action: &Action) -> bool {
    (quota.on.is_empty() || quota.on.iter().any(|pattern| pattern.may_match(action)))
        && (quota.tenants.is_empty() || quota.tenants.contains(&principal.tenant))
}

impl<'set> Counter<'set> {
    fn new(quota: &'set Quota, tenant: &TenantId) -> Self {
        let rate = quota.rate.of(tenant);
        let burst = quota.burst.unwrap_or(rate.count);
        Self {
            quota,
            rate,
            limit: Limit::new(rate.interval(), burst.get()),
        }
    }

    fn is_enforced(&self) -> bool {
        self.quota.mode == Mode::Enforce
    }

    fn standing(&self, state: Option<State>, now: u64) -> Standing {
        Standing {
            quota: Arc::clone(&self.quota.rule.name),
            limit: u64::from(self.rate.count.get()),
            remaining: self.limit.remaining(state, now),
            reset: Duration::from_nanos(self.limit.whole_in(state, now)),
            window: self.rate.period,
        }
    }
}

/// What was counted.
#[derive(Default)]
struct Reserved {
    standings: Vec<Standing>,
    shadow: Option<ShadowVerdict>,
}

/// Judges all, then counts in all. The locks are held over both, so nobody sees a half.
fn reserve(
    counters: &[Counter<'_>],
    keys: &[Key],
    store: &mut Locked<'_>,
    now: u64,
) -> Result<Reserved, Refusal> {
    let mut counted = Vec::with_capacity(keys.len());
    let mut refusing: Option<&Counter<'_>> = None;
    let (mut wait, mut shadow) = (0, None);
    for (counter, key) in counters.iter().zip(keys) {
        store.adapt(*key, counter.limit, now);
        match counter.limit.check(store.state(*key), now) {
            Verdict::Fits(state) => counted.push(Some(state)),
            Verdict::Wait(_) if !counter.is_enforced() => {
                shadow.get_or_insert_with(|| {
                    ShadowVerdict::Throttle(Arc::clone(&counter.quota.rule))
                });
                counted.push(None);
            }
            Verdict::Wait(nanos) => {
                refusing.get_or_insert(counter);
                wait = wait.max(nanos);
            }
        }
    }
    if let Some(refusing) = refusing {
        return Err(refused(refusing, counters, keys, store, now, wait));
    }
    if store.reserve(keys, now).is_err() {
        return Err(
            Refusal::new(Reason::Overloaded).detail("the quota store has no room for a new key")
        );
    }
    let enforced = counters
        .iter()
        .zip(&counted)
        .filter(|(counter, _)| counter.is_enforced());
    let standings = enforced
        .map(|(counter, state)| counter.standing(*state, now))
        .collect();
    for (key, state) in keys.iter().zip(counted) {
        if let Some(state) = state {
            store.set(*key, state);
        }
    }
    Ok(Reserved { standings, shadow })
}

fn refused(
    refusing: &Counter<'_>,
    counters: &[Counter<'_>],
    keys: &[Key],
    store: &Locked<'_>,
    now: u64,
    wait: u64,
) -> Refusal {
    let mut standings: Vec<_> = counters
        .iter()
        .zip(keys)
        .filter(|(counter, _)| counter.is_enforced())
        .map(|(counter, key)| counter.standing(store.state(*key), now))
        .collect();
    // Stable: the refusing one first, the rest as they were.
    standings.sort_by_key(|standing| standing.quota != refusing.quota.rule.name);
    Refusal {
        retry_after: Some(Duration::from_nanos(wait)),
        standings,
        ..Refusal::new(Reason::RateLimited)
            .detail(format_args!(
                "quota `{}` is spent",
                refusing.quota.rule.name
            ))
            .rule(Arc::clone(&refusing.quota.rule))
    }
}

/// Whom and what a counter may be about.
struct Subject<'call> {
    principal: &'call Principal,
    action: &'call Action,
    source: IpAddr,
}

/// What makes a counter: the quota's name, and each dimension's tag and value, so that no two different
/// lists of parts read as the same bytes.
struct Parts<'call> {
    quota: &'call Quota,
    subject: &'call Subject<'call>,
}

impl Hash for Parts<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Subject {
            principal,
            action,
            source,
        } = self.subject;
        self.quota.rule.name.hash(state);
        for dimension in &self.quota.per {
            dimension.hash(state);
            match dimension {
                Dimension::Action => (action.protocol, &*action.method).hash(state),
                // One agent to a process: the tag is the value.
                Dimension::Agent => {}
                Dimension::Name => action.name.hash(state),
                Dimension::Principal if principal.is_anonymous() => source.hash(state),
                Dimension::Principal => {
                    (principal.identity.as_str(), principal.id.as_str()).hash(state);
                }
                Dimension::Source => source.hash(state),
                Dimension::Tenant if principal.is_anonymous() => source.hash(state),
                Dimension::Tenant => principal.tenant.as_str().hash(state),
            }
        }
    }
}

/// The part of an address that one party holds: all of IPv4, the first 64 bits of IPv6.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}
