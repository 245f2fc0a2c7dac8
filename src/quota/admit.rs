//! The quotas of one version of the policy, and the proof that a call fits in them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::{Config, Count, Measure, Quota, Rate, TokenPart};
use super::gate::{self, Passage};
use super::live::Places;
use super::meter::{Limit, Moment, State};
use super::store::{Key, Locked, Store};
use super::subject::{Estimate, Parts, Subject};
use super::turn::{Slot, Waiting};
use super::{calendar, gcra, window};
use crate::model::{
    Action, Mode, Principal, Protocol, QuotaUnit, Reason, Refusal, RuleRef, ShadowVerdict,
    Standing, TenantId, TokenUse,
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
    // `None` where nothing is counted over time.
    rate: Option<Rate>,
    limit: Limit<'set>,
    /// Whether the call counts here: where a quota in shadow mode has no place for it, it does not.
    is_counted: bool,
    /// Whether the call has got a place here, which is given back in the end.
    has_entered: bool,
}

/// Proof that an allowed call fits in every quota that is about it. Only this room makes one, from a
/// permit, and `upstream` consumes it.
///
/// ```compile_fail,E0451
/// // The fields are private and there is no constructor.
/// let forge = |rule| lictor::quota::Admission { rule, standings: Vec::new(), shadow: None, charges: Vec::new(), tokens: Default::default(), tasks: Default::default(), _slots: Vec::new() };
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
    // Tokens that were counted before anybody knew how many there would be.
    charges: Vec<Charge>,
    tokens: Estimate,
    // Places of quotas on unfinished tasks, for the one that the call may begin.
    tasks: Places,
    // Places of quotas on calls at the same time, free again when this is dropped.
    _slots: Vec<Slot>,
}

/// Tokens that a quota has counted.
#[derive(Debug)]
struct Charge {
    store: Arc<Store>,
    key: Key,
    limit: gcra::Limit,
    part: TokenPart,
    reserved: u64,
}

/// What becomes of a call that may be made.
#[derive(Debug)]
pub enum Admitted {
    /// It goes on now.
    Now(Admission),
    /// It waits for its turn.
    Queued(Queued),
}

/// A call in line. Dropped, it leaves no trace.
#[derive(Debug)]
pub struct Queued {
    permit: Permit,
    waiting: Waiting,
    turn: Turn,
    patience: Duration,
    refusal: Box<Refusal>,
}

/// The places that a call has already: none, or those that it waited for.
#[derive(Debug, Default)]
pub struct Turn {
    slots: Vec<Slot>,
}

impl Turn {
    fn has(&self, key: Key) -> bool {
        self.slots.iter().any(|slot| slot.key() == key)
    }
}

impl Queued {
    /// How long it may wait.
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// Waits, for as long as the caller of this likes, and gives back what to ask
    /// [`admit`](Quotas::admit) with again.
    pub async fn turn(self) -> (Permit, Turn) {
        let Self {
            permit,
            waiting,
            mut turn,
            ..
        } = self;
        turn.slots.extend(waiting.await);
        (permit, turn)
    }

    /// What a call is told whose turn does not come in time.
    pub fn refusal(&self) -> Refusal {
        (*self.refusal).clone()
    }
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
            charges: Vec::new(),
            tokens: Estimate::default(),
            tasks: Places::default(),
            _slots: Vec::new(),
        }
    }

    /// How much is left of each quota that counted the call, the narrowest first. What a quota in shadow mode
    /// counts is nothing that a caller should go by.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// Whether it matters how many tokens the call uses.
    pub fn is_metered(&self) -> bool {
        !self.charges.is_empty()
    }

    /// How many tokens were counted for it.
    pub const fn tokens(&self) -> Estimate {
        self.tokens
    }

    /// The call has used so many tokens: that counts, and not what was thought. Without this the estimate stays.
    pub fn settle(&mut self, used: TokenUse, now: Instant) {
        for charge in self.charges.drain(..) {
            let Charge {
                store,
                key,
                limit,
                part,
                reserved,
            } = charge;
            store.settle(key, limit, reserved, part.of(used), now);
        }
    }

    /// The places for the task that the call may begin, which are free again when they are dropped. Nothing where no quota
    /// counts it, and from the second time on.
    pub fn take_places(&mut self) -> Places {
        std::mem::take(&mut self.tasks)
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
    pub fn counting(
        &self,
        principal: &Principal,
        action: &Action,
        begins_task: bool,
    ) -> impl Iterator<Item = &Quota> {
        let quotas = self.quotas.iter();
        quotas.filter(move |quota| {
            (begins_task || !quota.is_about_tasks()) && covers(quota, principal, action)
        })
    }

    /// Whether any of them counts unfinished tasks.
    pub fn count_live_tasks(&self) -> bool {
        let mut measures = self.quotas.iter().map(|quota| &quota.measure);
        measures.any(|measure| matches!(measure, Measure::LiveTasks(_)))
    }

    /// Whether any of them counts tokens.
    pub fn count_tokens(&self) -> bool {
        let mut measures = self.quotas.iter().map(|quota| &quota.measure);
        measures.any(|measure| matches!(measure, Measure::Tokens { .. }))
    }

    /// Counts the call in every quota that is about it, or in none.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] or [`Reason::QuotaExhausted`] when a quota is spent: the narrowest of those that are
    /// is named and stands first in `standings`, and `retry_after` is when all of them would let the call pass.
    /// [`Reason::Overloaded`] when the store has no room for a new key.
    ///
    /// A call for which only a place among those that run is missing, and that may wait for one, is
    /// [queued](Admitted::Queued); it holds the places of narrower quotas meanwhile, so that calls wait for
    /// each other in one order, and is asked about again when its turn has come: `turn` is then what it waited for.
    pub fn admit(
        &self,
        store: &Arc<Store>,
        permit: Permit,
        subject: &Subject<'_>,
        mut turn: Turn,
    ) -> Result<Admitted, Refusal> {
        let Subject {
            principal,
            action,
            begins_task,
            ..
        } = *subject;
        let (mut counters, keys): (Vec<_>, Vec<_>) = self
            .counting(principal, action, begins_task)
            .map(|quota| {
                let key = store.key(Parts { quota, subject });
                (Counter::new(quota, &principal.tenant, subject.tokens), key)
            })
            .unzip();
        if counters.is_empty() {
            return Ok(Admitted::Now(Admission {
                rule: permit.into_rule(),
                standings: Vec::new(),
                shadow: None,
                charges: Vec::new(),
                tokens: subject.tokens,
                tasks: Places::default(),
                _slots: turn.slots,
            }));
        }
        let moment = store.moment(subject.now, subject.at);
        let reserved = {
            let mut locked = store.lock(&keys);
            reserve(&mut counters, &keys, &mut locked, &turn, moment)?
        };
        // Not before the locks are free: dropped, a slot takes one.
        let entered = counters
            .iter()
            .zip(&keys)
            .filter(|(counter, _)| counter.has_entered);
        turn.slots
            .extend(entered.map(|(_, key)| Slot::new(Arc::clone(store), *key)));
        Ok(match reserved {
            Reserved::All { standings, shadow } => {
                let (tasks, slots) = parted(turn.slots, &counters, &keys);
                Admitted::Now(Admission {
                    rule: permit.into_rule(),
                    standings,
                    shadow,
                    charges: charges(&counters, &keys, store),
                    tokens: subject.tokens,
                    tasks,
                    _slots: slots,
                })
            }
            Reserved::InLine {
                key,
                ticket,
                patience,
                refusal,
            } => Admitted::Queued(Queued {
                permit,
                waiting: Waiting::new(Arc::clone(store), key, ticket),
                turn,
                patience,
                refusal,
            }),
        })
    }
}

/// The places of the task that the call may begin, and its own.
fn parted(slots: Vec<Slot>, counters: &[Counter<'_>], keys: &[Key]) -> (Places, Vec<Slot>) {
    let is_of_task = |slot: &Slot| {
        let mut counters = counters.iter().zip(keys);
        counters.any(|(counter, key)| *key == slot.key() && counter.is_of_task())
    };
    let (tasks, own) = slots.into_iter().partition(is_of_task);
    (Places::new(tasks), own)
}

/// What the call has to settle.
fn charges(counters: &[Counter<'_>], keys: &[Key], store: &Arc<Store>) -> Vec<Charge> {
    let counted = counters
        .iter()
        .zip(keys)
        .filter(|(counter, _)| counter.is_counted);
    let charges = counted.filter_map(|(counter, key)| match counter.limit {
        Limit::Tokens(limit, reserved) => Some(Charge {
            store: Arc::clone(store),
            key: *key,
            limit,
            part: match &counter.quota.measure {
                Measure::Tokens { part, .. } => *part,
                _ => TokenPart::All,
            },
            reserved,
        }),
        Limit::Calendar(_) | Limit::Concurrent(_) | Limit::Rate(_) | Limit::Window(_) => None,
    });
    charges.collect()
}

/// A quota on a name counts calls whose name is not known: a restraint that cannot be evaluated applies.
fn covers(quota: &Quota, principal: &Principal, action: &Action) -> bool {
    (quota.on.is_empty() || quota.on.iter().any(|pattern| pattern.may_match(action)))
        && (quota.tenants.is_empty() || quota.tenants.contains(&principal.tenant))
        && (action.protocol == Protocol::Llm || !matches!(quota.measure, Measure::Tokens { .. }))
}

impl<'set> Counter<'set> {
    fn new(quota: &'set Quota, tenant: &TenantId, tokens: Estimate) -> Self {
        let (rate, limit) = match &quota.measure {
            Measure::Calendar { rates, calendar } => {
                let rate = rates.of(tenant);
                let limit = calendar::Limit::new(rate.count.get(), calendar);
                (Some(rate), Limit::Calendar(limit))
            }
            Measure::Concurrent { most, line } => {
                let line = line.map_or(0, |line| line.most.get());
                let most = most.get();
                (None, Limit::Concurrent(gate::Limit { most, line }))
            }
            Measure::Rate { rates, burst } => {
                let rate = rates.of(tenant);
                let burst = burst.unwrap_or(rate.count);
                let limit = gcra::Limit::new(rate.interval(), burst.get());
                (Some(rate), Limit::Rate(limit))
            }
            Measure::LiveTasks(most) => {
                let (most, line) = (most.get(), 0);
                (None, Limit::Concurrent(gate::Limit { most, line }))
            }
            Measure::Tokens { rates, part } => {
                let rate = rates.of(tenant);
                let limit = gcra::Limit::new(rate.interval(), rate.count.get());
                (Some(rate), Limit::Tokens(limit, part.thought(tokens)))
            }
            Measure::Window(rates) => {
                let rate = rates.of(tenant);
                let period = u64::try_from(rate.period.as_nanos()).unwrap_or(u64::MAX);
                let limit = window::Limit::new(rate.count.get(), period);
                (Some(rate), Limit::Window(limit))
            }
        };
        Self {
            quota,
            rate,
            limit,
            is_counted: true,
            has_entered: false,
        }
    }

    fn is_enforced(&self) -> bool {
        self.quota.mode == Mode::Enforce
    }

    /// Whether its place is a task's, and not the call's.
    const fn is_of_task(&self) -> bool {
        matches!(self.quota.measure, Measure::LiveTasks(_))
    }

    /// How long a call may be in line here.
    fn patience(&self) -> Duration {
        match &self.quota.measure {
            Measure::Concurrent { line, .. } => line.map_or(Duration::ZERO, |line| line.time),
            Measure::Calendar { .. }
            | Measure::LiveTasks(_)
            | Measure::Rate { .. }
            | Measure::Tokens { .. }
            | Measure::Window(_) => Duration::ZERO,
        }
    }

    fn standing(&self, state: Option<&State>, now: Moment) -> Standing {
        let (remaining, reset) = self.limit.standing(state, now);
        let (limit, unit) = match (&self.limit, self.rate) {
            (Limit::Concurrent(limit), _) if self.is_of_task() => {
                (limit.most, QuotaUnit::LiveTasks)
            }
            (Limit::Concurrent(limit), _) => (limit.most, QuotaUnit::ConcurrentRequests),
            (Limit::Tokens(..), rate) => {
                (rate.map_or(0, |rate| rate.count.get()), QuotaUnit::Tokens)
            }
            (_, rate) => {
                let unit = match self.quota.count {
                    Count::Calls => QuotaUnit::Requests,
                    Count::Tasks => QuotaUnit::Tasks,
                };
                (rate.map_or(0, |rate| rate.count.get()), unit)
            }
        };
        Standing {
            quota: Arc::clone(&self.quota.rule.name),
            limit: u64::from(limit),
            remaining,
            reset: reset.map(Duration::from_nanos),
            window: self.rate.map(|rate| rate.period),
            unit,
        }
    }

    /// How long to wait, and where: `None` if the call fits.
    fn obstacle(&self, key: Key, store: &mut Locked<'_>, now: Moment) -> Option<Obstacle> {
        let Limit::Concurrent(limit) = self.limit else {
            let wait = self.limit.wait(store.state_mut(key), now)?;
            return Some(Obstacle::Spent(wait));
        };
        match store.passage(key, limit) {
            Passage::Free => None,
            Passage::Line if self.is_enforced() => Some(Obstacle::Line),
            Passage::Line | Passage::Shut => Some(Obstacle::Spent(RETRY_NANOS)),
        }
    }
}

/// Why a call does not go on at once.
enum Obstacle {
    /// There is a line.
    Line,
    /// Nothing is left, for so many nanoseconds.
    Spent(u64),
}

/// When somebody who found no place may try again. Arbitrary: calls end all the time.
const RETRY_NANOS: u64 = 1_000_000_000;

/// What was counted.
enum Reserved {
    /// The call, in all quotas.
    All {
        standings: Vec<Standing>,
        shadow: Option<ShadowVerdict>,
    },
    /// The call's place in line.
    InLine {
        key: Key,
        ticket: u64,
        patience: Duration,
        refusal: Box<Refusal>,
    },
}

/// Judges all, then counts in all. The locks are held over both, so nobody sees a half.
fn reserve(
    counters: &mut [Counter<'_>],
    keys: &[Key],
    store: &mut Locked<'_>,
    turn: &Turn,
    now: Moment,
) -> Result<Reserved, Refusal> {
    let (mut refusing, mut line) = (None, None);
    let (mut longest, mut shadow) = (0, None);
    for (index, (counter, key)) in counters.iter_mut().zip(keys).enumerate() {
        if turn.has(*key) {
            counter.is_counted = false;
            continue;
        }
        match counter.obstacle(*key, store, now) {
            None => {}
            Some(Obstacle::Line) => {
                line.get_or_insert(index);
            }
            Some(Obstacle::Spent(wait)) => {
                counter.is_counted = false;
                if counter.is_enforced() {
                    refusing.get_or_insert(index);
                    longest = wait.max(longest);
                } else {
                    let rule = &counter.quota.rule;
                    shadow.get_or_insert_with(|| ShadowVerdict::Throttle(Arc::clone(rule)));
                }
            }
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
    if let Some(index) = line {
        return Ok(line_up(index, counters, keys, store, now));
    }
    for (counter, key) in counters.iter_mut().zip(keys) {
        if counter.is_counted {
            counter.has_entered = matches!(counter.limit, Limit::Concurrent(_));
            store.count(*key, &counter.limit, now);
        }
    }
    let standings = standings(counters, keys, store, now);
    Ok(Reserved::All { standings, shadow })
}

/// Takes the places before the quota at `index`, and the last one in its line. Nothing is counted over time before the
/// call runs.
fn line_up(
    index: usize,
    counters: &mut [Counter<'_>],
    keys: &[Key],
    store: &mut Locked<'_>,
    now: Moment,
) -> Reserved {
    for (counter, key) in counters.iter_mut().zip(keys).take(index) {
        if counter.is_counted && matches!(counter.limit, Limit::Concurrent(_)) {
            counter.has_entered = true;
            store.count(*key, &counter.limit, now);
        }
    }
    let key = keys.get(index).copied().unwrap_or_default();
    let ticket = store.line_up(key);
    let refusing = counters.get(index);
    Reserved::InLine {
        key,
        ticket,
        patience: refusing.map_or(Duration::ZERO, Counter::patience),
        refusal: Box::new(match refusing {
            Some(refusing) => refused(refusing, counters, keys, store, now, RETRY_NANOS),
            None => Refusal::new(Reason::Internal),
        }),
    }
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
                "quota `{}` {}",
                refusing.quota.rule.name,
                match refusing.limit {
                    Limit::Concurrent(_) => "has no place free",
                    Limit::Calendar(_) | Limit::Rate(_) | Limit::Tokens(..) | Limit::Window(_) => {
                        "is spent"
                    }
                }
            ))
            .rule(Arc::clone(&refusing.quota.rule))
    }
}
