//! One version of what an author wrote, compiled.

use std::sync::Arc;

use crate::audit::Generation;
use crate::identity::Authenticator;
use crate::policy::PolicySet;
use crate::quota::Quotas;
use crate::scan::Detectors;

use super::hygiene::Hygiene;

/// An immutable generation of the policy. A call loads it once and keeps it to its end.
#[derive(Debug)]
pub struct Snapshot {
    /// Which one it is.
    pub generation: Generation,
    /// Who calls.
    pub authenticator: Authenticator,
    /// Whether they may.
    pub policy: PolicySet,
    /// How much.
    pub quotas: Quotas,
    /// What must not leave.
    pub detectors: Arc<Detectors>,
    /// Which fields travel, and which pages may ask.
    pub hygiene: Hygiene,
}
