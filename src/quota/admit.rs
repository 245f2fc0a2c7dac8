//! The quotas of one version of the policy, and the proof that a call fits in them.

use std::sync::Arc;
use std::time::Duration;

use super::config::{Config, Measure, Quota, Rate};
use super::meter::{Limit, Moment, State};
use super::store::{Key, Locked, Store};
use super::subject::{Parts, Subject};
use super::{calendar, gcra, window};
use crate::model::{
    Action, Mode, Principal, Reason, Refusal, RuleRef, ShadowVerdict, Standing, TenantId,
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
    limit: Limit<'set>,
    /// Whether the call counts here: where a quota in shadow mode has no place for it, it does not.
    is_counted: bool,
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
    /// [`Reason::RateLimited`] or [`Reason::QuotaExhausted`] when a quota is spent: the narrowest of those that are
    /// is named and stands first in `standings`, and `retry_after` is when all of them would let the call pass.
    /// [`Reason::Overloaded`] when the store has no room for a new key.
    pub fn admit(
        &self,
        store: &Store,
        permit: Permit,
        subject: &Subject<'_>,
    ) -> Result<Admission, Refusal> {
        let Subject {
            principal, action, ..
        } = *subject;
        let (mut counters, keys): (Vec<_>, Vec<_>) = self
            .counting(principal, action)
            .map(|quota| {
                let key = store.key(Parts { quota, subject });
                (Counter::new(quota, &principal.tenant), key)
            })
            .unzip();
        let Reserved { standings, shadow } = if counters.is_empty() {
            Reserved::default()
        } else {
            let moment = store.moment(subject.now, subject.at);
            reserve(&mut counters, &keys, &mut store.lock(&keys), moment)?
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
        let (rate, limit) = match &quota.measure {
            Measure::Calendar { rates, calendar } => {
                let rate = rates.of(tenant);
                let limit = calendar::Limit::new(rate.count.get(), calendar);
                (rate, Limit::Calendar(limit))
            }
            Measure::Rate { rates, burst } => {
                let rate = rates.of(tenant);
                let burst = burst.unwrap_or(rate.count);
                let limit = gcra::Limit::new(rate.interval(), burst.get());
                (rate, Limit::Rate(limit))
            }
            Measure::Window(rates) => {
                let rate = rates.of(tenant);
                let period = u64::try_from(rate.period.as_nanos()).unwrap_or(u64::MAX);
                let limit = window::Limit::new(rate.count.get(), period);
                (rate, Limit::Window(limit))
            }
        };
        Self {
            quota,
            rate,
            limit,
            is_counted: true,
        }
    }

    fn is_enforced(&self) -> bool {
        self.quota.mode == Mode::Enforce
    }

    fn standing(&self, state: Option<&State>, now: Moment) -> Standing {
        let (remaining, reset) = self.limit.standing(state, now);
        Standing {
            quota: Arc::clone(&self.quota.rule.name),
            limit: u64::from(self.rate.count.get()),
            remaining,
            reset: Duration::from_nanos(reset),
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
    counters: &mut [Counter<'_>],
    keys: &[Key],
    store: &mut Locked<'_>,
    now: Moment,
) -> Result<Reserved, Refusal> {
    let mut refusing: Option<usize> = None;
    let (mut longest, mut shadow) = (0, None);
    for (index, (counter, key)) in counters.iter_mut().zip(keys).enumerate() {
        let Some(wait) = counter.limit.wait(store.state_mut(*key), now) else {
            continue;
        };
        counter.is_counted = false;
        if counter.is_enforced() {
            refusing.get_or_insert(index);
            longest = wait.max(longest);
        } else {
            let rule = &counter.quota.rule;
            shadow.get_or_insert_with(|| ShadowVerdict::Throttle(Arc::clone(rule)));
        }
    }
    if let Some(refusing) = refusing.and_then(|index| counters.get(index)) {
        return Err(refused(refusing, counters, keys, store, now, longest));
    }
    if store.reserve(keys, now).is_err() {
        return Err(
            Refusal::new(Reason::Overloaded).detail("the quota store has no room for a new key")
        );
    }
    for (counter, key) in counters.iter().zip(keys) {
        if counter.is_counted {
            store.count(*key, &counter.limit, now);
        }
    }
    let standings = standings(counters, keys, store, now);
    Ok(Reserved { standings, shadow })
}

/// How much is left of each quota that is enforced.
fn standings(
    counters: &[Counter<'_>],
    keys: &[Key],
    store: &Locked<'_>,
    now: Moment,
) -> Vec<Standing> {
    let mut standings = Vec::with_capacity(counters.len());
    let enforced = counters.iter().zip(keys);
    let enforced = enforced.filter(|(counter, _)| counter.is_enforced());
    standings.extend(enforced.map(|(counter, key)| counter.standing(store.state(*key), now)));
    standings
}

fn refused(
    refusing: &Counter<'_>,
    counters: &[Counter<'_>],
    keys: &[Key],
    store: &Locked<'_>,
    now: Moment,
    wait: u64,
) -> Refusal {
    let mut standings = standings(counters, keys, store, now);
    // Stable: the refusing one first, the rest as they were.
    standings.sort_by_key(|standing| standing.quota != refusing.quota.rule.name);
    let reason = match refusing.quota.measure.is_budget() {
        true => Reason::QuotaExhausted,
        false => Reason::RateLimited,
    };
    Refusal {
        retry_after: Some(Duration::from_nanos(wait)),
        standings,
        ..Refusal::new(reason)
            .detail(format_args!(
                "quota `{}` is spent",
                refusing.quota.rule.name
            ))
            .rule(Arc::clone(&refusing.quota.rule))
    }
}
