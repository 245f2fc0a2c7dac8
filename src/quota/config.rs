//! What the room is told.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::calendar::Calendar;
use super::subject::Estimate;
use crate::model::{ActionPattern, Mode, RuleRef, TenantId, TokenUse};

/// All quotas of a policy.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// In any order.
    pub quotas: Vec<Quota>,
}

/// One limit.
#[derive(Debug, Clone)]
pub struct Quota {
    /// Its name and where it stands.
    pub rule: Arc<RuleRef>,
    /// Whether it sends anybody away.
    pub mode: Mode,
    /// How much.
    pub measure: Measure,
    /// Of what.
    pub count: Count,
    /// What is counted apart: one counter for each combination of these.
    pub per: Vec<Dimension>,
    /// Whose calls count; empty is everybody's.
    pub tenants: Vec<TenantId>,
    /// Which actions count; empty is all.
    pub on: Vec<ActionPattern>,
}

/// Which calls a quota counts, where it counts calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Count {
    /// All.
    #[default]
    Calls,
    /// Those that may begin a task.
    Tasks,
}

/// Which tokens a quota counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TokenPart {
    /// All.
    #[default]
    All,
    /// What the model reads.
    Input,
    /// What it writes.
    Output,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Calls in each period of a calendar.
    Calendar {
        /// How many, each period.
        rates: Rates,
        /// Which periods.
        calendar: Calendar,
    },
    /// Calls at the same time.
    Concurrent {
        /// How many.
        most: NonZeroU32,
        /// Who may wait for a place.
        line: Option<Line>,
    },
    /// Tasks that are not finished.
    LiveTasks(NonZeroU32),
    /// Calls over time, which earn their place evenly.
    Rate {
        /// How many over which time.
        rates: Rates,
        /// How many calls may come at once after a pause; `None` is the number in the rate.
        burst: Option<NonZeroU32>,
    },
    /// Tokens of models over time, which come back evenly.
    Tokens {
        /// How many over which time.
        rates: Rates,
        /// Which of them.
        part: TokenPart,
    },
    /// Calls within the last stretch of time.
    Window(Rates),
}

/// A line of calls that wait for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// How many may wait.
    pub most: NonZeroU32,
    /// For how long.
    pub time: Duration,
}

impl TokenPart {
    /// How many of them a call used.
    pub const fn of(self, used: TokenUse) -> u64 {
        match self {
            Self::All => used.total,
            Self::Input => used.input,
            Self::Output => used.output,
        }
    }

    /// How many of them it may use, and something in any case.
    pub fn thought(self, estimate: Estimate) -> u64 {
        match self {
            Self::All => estimate.total(),
            Self::Input => estimate.request.max(1),
            Self::Output => estimate.answer.max(1),
        }
    }
}

impl Quota {
    /// Whether it counts nothing but calls that may begin a task.
    pub const fn is_about_tasks(&self) -> bool {
        matches!(self.count, Count::Tasks) || matches!(self.measure, Measure::LiveTasks(_))
    }
}

impl Measure {
    /// Whether it is a budget, which a caller who comes back soon finds just as empty. What is not is a matter of
    /// how fast calls come.
    pub const fn is_budget(&self) -> bool {
        match self {
            Self::Calendar { .. } | Self::Tokens { .. } => true,
            Self::Concurrent { .. } | Self::LiveTasks(_) | Self::Rate { .. } | Self::Window(_) => {
                false
            }
        }
    }
}

/// The same rate for all, or each tenant's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rates {
    /// By the tenant of the caller, as its tier says.
    ByTenant {
        /// Tenants with a tier of their own.
        named: BTreeMap<TenantId, Rate>,
        /// The rest, callers without a credential among them.
        others: Rate,
    },
    /// For all.
    Fixed(Rate),
}

impl Rates {
    /// The rate that a tenant's callers have.
    pub fn of(&self, tenant: &TenantId) -> Rate {
        match self {
            Self::ByTenant { named, others } => named.get(tenant).copied().unwrap_or(*others),
            Self::Fixed(rate) => *rate,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Rate> {
        let (named, other) = match self {
            Self::ByTenant { named, others } => (Some(named), others),
            Self::Fixed(rate) => (None, rate),
        };
        let named = named.into_iter().flat_map(BTreeMap::values);
        named.chain([other])
    }
}

/// Calls in a period, e.g. `60/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many calls.
    pub count: NonZeroU32,
    /// In which time.
    pub period: Duration,
}

impl Rate {
    /// The time that one call uses up, in nanoseconds, rounded up so that rounding never lets more
    /// through than the rate says. Never 0.
    pub fn interval(self) -> u64 {
        let interval = self
            .period
            .as_nanos()
            .div_ceil(u128::from(self.count.get()));
        u64::try_from(interval).unwrap_or(u64::MAX).max(1)
    }
}

/// What calls are counted by. Narrower ones are greater, so that they are looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The agent that we stand beside: one counter for all calls.
    Agent,
    /// The tenant; for callers without a credential, their source address.
    Tenant,
    /// The action without its name, e.g. `a2a:SendMessage`.
    Action,
    /// What the action is applied to: a skill, a tool, a path.
    Name,
    /// The source address; of IPv6 the first 64 bits, because a host has them all to itself.
    Source,
    /// The caller, as the pair of identity and id; without a credential, their source address.
    Principal,
    /// The calling agent of a tenant and the agent that it calls.
    Pair,
}

impl Dimension {
    /// Every dimension, with the word that stands in policies.
    pub const ALL: &[(&'static str, Self)] = &[
        ("action", Self::Action),
        ("agent", Self::Agent),
        ("name", Self::Name),
        ("pair", Self::Pair),
        ("principal", Self::Principal),
        ("source", Self::Source),
        ("tenant", Self::Tenant),
    ];
}
