//! What statements in shadow mode would have done.

use std::sync::Arc;

use super::place::RuleRef;

/// What a statement in shadow mode would have made of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShadowVerdict {
    /// It was refused for want of an allow, and this one would have granted it.
    Allow(Arc<RuleRef>),
    /// It was allowed, and this one would have refused it.
    Deny(Arc<RuleRef>),
}

impl ShadowVerdict {
    /// The statement.
    pub const fn rule(&self) -> &Arc<RuleRef> {
        match self {
            Self::Allow(rule) | Self::Deny(rule) => rule,
        }
    }

    /// The word that stands in metrics and audit records.
    pub const fn effect(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Deny(_) => "deny",
        }
    }
}
