//! What the room is told: checked, typed, and free of file positions other than those that an audit
//! record shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::condition::Condition;
use super::tools::Tool;
use crate::model::{ActionPattern, Glob, IdentityName, Mode, RuleRef, TenantId};

/// A whole policy, as far as this room decides on it. The empty one allows nothing.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Who is served.
    pub tenants: Tenants,
    /// What callers hold.
    pub roles: Vec<Role>,
    /// Exceptions to what they hold.
    pub rules: Vec<Rule>,
    /// Whom agents take instructions from.
    pub seniority: Seniority,
    /// What calls of tools must look like; each tool once.
    pub tools: Vec<Tool>,
    /// Overrides of every action's limits.
    pub default_limits: LimitOverride,
    /// Overrides of some actions' limits. INVARIANT: of two that are equally specific and overlap, no
    /// field is set to different values; `config` refuses such a policy.
    pub limits: Vec<(ActionPattern, LimitOverride)>,
}

/// Whom agents take instructions from.
#[derive(Debug, Clone, Default)]
pub struct Seniority {
    /// Agents by name.
    pub agents: BTreeMap<Box<str>, Instructors>,
    /// For all others; `None` is anybody.
    pub others: Option<Instructors>,
}

/// Who may instruct an agent.
#[derive(Debug, Clone)]
pub struct Instructors {
    /// The least rank of a caller.
    pub caller_at_least: u32,
    /// The statement that says so.
    pub rule: Arc<RuleRef>,
}

impl Seniority {
    /// Who may instruct the agent of that name.
    pub fn of(&self, agent: &str) -> Option<&Instructors> {
        self.agents.get(agent).or(self.others.as_ref())
    }
}

/// The tenants that a policy serves.
#[derive(Debug, Clone, Default)]
pub enum Tenants {
    /// Those that an identity vouches for: there is no `tenants` section.
    #[default]
    Any,
    /// Those that are listed.
    Listed {
        /// By name.
        named: BTreeMap<TenantId, Tenant>,
        /// What goes for the rest (`"*"`); without it they are refused.
        others: Option<Tenant>,
    },
}

/// One tenant.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Where it stands.
    pub rule: Arc<RuleRef>,
    /// It is served before this instant.
    pub until: Option<Timestamp>,
}

/// A named set of allowed actions and who holds it.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name and where it stands.
    pub rule: Arc<RuleRef>,
    /// The tenants that the file is about in which it stands; nobody else has anything of it. `None` is all.
    pub fence: Option<Arc<[TenantId]>>,
    /// How senior its holders are, 0 without a word. It is not inherited.
    pub rank: u32,
    /// Whether it grants.
    pub mode: Mode,
    /// What it allows by itself.
    pub allow: Vec<ActionPattern>,
    /// Names of the roles whose allows it takes over. Unknown names and cycles grant nothing; `config`
    /// refuses both.
    pub inherits: Vec<Arc<str>>,
    /// Who holds it; `None` is a role that is only inherited.
    pub to: Option<Callers>,
}

/// An exception.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name and where it stands.
    pub rule: Arc<RuleRef>,
    /// What it does.
    pub effect: Effect,
    /// Whether it does it.
    pub mode: Mode,
    /// To which actions.
    pub actions: Vec<ActionPattern>,
    /// Under which condition.
    pub when: Option<Condition>,
    /// For which callers. `None` is all; for an allow, all but `anonymous`.
    pub from: Option<Sources>,
    /// What the caller reads when a deny matched.
    pub say: Option<Arc<str>>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses, whatever else grants.
    Deny,
}

/// A set of known callers: every condition that is set must hold, any element of a list will do.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// Who vouches for them.
    pub identity: Option<IdentityName>,
    /// Groups, one of which they are in.
    pub groups: Vec<Box<str>>,
    /// Ids, as patterns.
    pub ids: Vec<Glob>,
    /// Their tenants.
    pub tenants: Vec<TenantId>,
}

/// Where a call comes from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Which known callers.
    pub callers: Callers,
    /// Networks, one of which holds the source address; empty is any.
    pub cidrs: Vec<IpNet>,
    /// An allow covers callers without a credential too; a deny covers only them.
    pub anonymous: bool,
}

/// The limits that a statement sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitOverride {
    /// Bytes of a request's body.
    pub request_bytes: Option<usize>,
    /// Bytes of an answer's body.
    pub response_bytes: Option<u64>,
    /// From the request's head to the answer's last byte.
    pub time: Option<Duration>,
    /// Between two pieces of the answer.
    pub idle: Option<Duration>,
    /// Levels of nested JSON arrays and objects.
    pub json_depth: Option<usize>,
    /// How many times its size a coded body may become.
    pub decompress_ratio: Option<u64>,
}
