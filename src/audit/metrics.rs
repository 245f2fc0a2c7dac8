//! What the room counts.

use crate::telemetry::{Counter, Gauge, Registry, RegistryError};

/// Counters of the audit trail.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(super) failing: Gauge,
    pub(super) left_out: Counter,
    pub(super) lost: Counter,
    pub(super) queue: Gauge,
    pub(super) records: Counter,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        Ok(Self {
            failing: registry.gauge(
                "lictor_audit_failing",
                "Whether audit records cannot be written now.",
            )?,
            left_out: registry.counter(
                "lictor_audit_left_out_total",
                "Plain calls that have no audit record, because the policy wants none.",
            )?,
            lost: registry.counter(
                "lictor_audit_lost_total",
                "Calls whose audit record was lost, because no more could wait.",
            )?,
            queue: registry.gauge(
                "lictor_audit_queue",
                "Audit records that are open or wait to be written.",
            )?,
            records: registry.counter("lictor_audit_records_total", "Audit records written.")?,
        })
    }
}
