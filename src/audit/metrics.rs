//! What the room counts.

use prometheus::{IntCounter, IntGauge};

use crate::telemetry::{Registry, RegistryError};

/// Counters of the audit trail.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(super) failing: IntGauge,
    pub(super) lost: IntCounter,
    pub(super) queue: IntGauge,
    pub(super) records: IntCounter,
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
