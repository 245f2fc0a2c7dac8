//! The answer, and the proof of a yes.

use std::sync::Arc;

use crate::model::{Refusal, RuleRef, ShadowVerdict};

/// Proof that the policy allowed one call. Only this room makes one, `quota` consumes it, and it cannot
/// be copied: one decision, one call.
///
/// ```compile_fail,E0451
/// // The fields are private and there is no constructor: a call that nobody decided does not compile.
/// let forge = |rule| lictor::policy::Permit { rule };
/// ```
///
/// ```compile_fail,E0599
/// fn twice(permit: lictor::policy::Permit) -> (lictor::policy::Permit, lictor::policy::Permit) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    rule: Arc<RuleRef>,
}

impl Permit {
    /// The statement that allowed the call.
    pub const fn rule(&self) -> &Arc<RuleRef> {
        &self.rule
    }

    /// Hands the statement on, spending the permit.
    pub fn into_rule(self) -> Arc<RuleRef> {
        self.rule
    }
}

/// The policy's answer to one call.
#[derive(Debug)]
#[must_use = "a decision that nobody reads lets nothing pass and refuses nothing"]
pub struct Decision {
    outcome: Result<Permit, Refusal>,
    shadow: Option<ShadowVerdict>,
}

impl Decision {
    pub(super) const fn allow(rule: Arc<RuleRef>, shadow: Option<ShadowVerdict>) -> Self {
        Self {
            outcome: Ok(Permit { rule }),
            shadow,
        }
    }

    pub(super) const fn deny(refusal: Refusal, shadow: Option<ShadowVerdict>) -> Self {
        Self {
            outcome: Err(refusal),
            shadow,
        }
    }

    /// Whether the call may go on.
    pub const fn is_allow(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The statement that decided; `None` for a default deny.
    pub const fn rule(&self) -> Option<&Arc<RuleRef>> {
        match &self.outcome {
            Ok(permit) => Some(&permit.rule),
            Err(refusal) => refusal.rule.as_ref(),
        }
    }

    /// Why not, if not.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.outcome {
            Ok(_) => None,
            Err(refusal) => Some(refusal),
        }
    }

    /// The first statement in shadow mode that would have changed the answer.
    pub const fn shadow(&self) -> Option<&ShadowVerdict> {
        self.shadow.as_ref()
    }

    /// The proof that the next step asks for.
    ///
    /// # Errors
    /// When the policy refuses: why.
    pub fn into_permit(self) -> Result<Permit, Refusal> {
        self.outcome
    }
}
