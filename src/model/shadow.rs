//! Statements that are only watched, and what they would have done.

use std::sync::Arc;

use super::place::RuleRef;

/// Whether a statement acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It acts.
    #[default]
    Enforce,
    /// It is only told what it would have done.
    Shadow,
}

/// What a statement in shadow mode would have made of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShadowVerdict {
    /// It was refused for want of an allow, and this one would have granted it.
    Allow(Arc<RuleRef>),
    /// It was allowed, and this one would have refused it.
    Deny(Arc<RuleRef>),
    /// It passed, and this quota would have sent it away.
    Throttle(Arc<RuleRef>),
}

impl ShadowVerdict {
    /// The statement.
    pub const fn rule(&self) -> &Arc<RuleRef> {
        match self {
            Self::Allow(rule) | Self::Deny(rule) | Self::Throttle(rule) => rule,
        }
    }

    /// The word that stands in metrics and audit records.
    pub const fn effect(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Deny(_) => "deny",
            Self::Throttle(_) => "throttle",
        }
    }
}
