//! The answer, and the proof of a yes.

use std::sync::Arc;

use crate::model::{Refusal, RuleRef};

/// Proof that the policy allowed one call. Only this room makes one, `quota` consumes it, and it cannot
/// be copied: one decision, one call.
///
/// ```compile_fail,E0451
/// // The fields are private and there is no constructor: a call that nobody decided does not compile.
/// let forged = lictor::policy::Permit { rule: todo!() };
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
pub struct Decision(Result<Permit, Refusal>);

impl Decision {
    pub(super) const fn allow(rule: Arc<RuleRef>) -> Self {
        Self(Ok(Permit { rule }))
    }

    pub(super) const fn deny(refusal: Refusal) -> Self {
        Self(Err(refusal))
    }

    /// Whether the call may go on.
    pub const fn is_allow(&self) -> bool {
        self.0.is_ok()
    }

    /// The statement that decided; `None` for a default deny.
    pub const fn rule(&self) -> Option<&Arc<RuleRef>> {
        match &self.0 {
            Ok(permit) => Some(&permit.rule),
            Err(refusal) => refusal.rule.as_ref(),
        }
    }

    /// Why not, if not.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.0 {
            Ok(_) => None,
            Err(refusal) => Some(refusal),
        }
    }

    /// The proof that the next step asks for.
    ///
    /// # Errors
    /// When the policy refuses: why.
    pub fn into_permit(self) -> Result<Permit, Refusal> {
        self.0
    }
}
