//! What is told of the Workload API.

use crate::telemetry::{Counter, Gauge, Registry, RegistryError};

/// Gauges and counters of the Workload API.
#[derive(Debug, Clone)]
pub struct WorkloadApiMetrics {
    up: Gauge,
    not_after: Gauge,
    taken_over: Counter,
    failed: Counter,
}

impl WorkloadApiMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        let updates = registry.counter_vec(
            "lictor_svid_updates_total",
            "Answers of the Workload API and failures to get one, by result.",
            &["result"],
        )?;
        Ok(Self {
            up: registry.gauge(
                "lictor_workload_api_up",
                "Whether the Workload API can be asked; 0 means that the last SVID stays.",
            )?,
            not_after: registry.gauge(
                "lictor_svid_not_after_timestamp_seconds",
                "When the SVID ends that the Workload API handed out last, in seconds since 1970.",
            )?,
            taken_over: updates.with_label_values(&["success"]),
            failed: updates.with_label_values(&["failure"]),
        })
    }

    /// An SVID came, and ends then.
    pub(super) fn taken_over(&self, not_after: Option<i64>) {
        self.up.set(1);
        self.taken_over.inc();
        self.not_after.set(not_after.unwrap_or_default());
    }

    /// None came.
    pub(super) fn failed(&self) {
        self.up.set(0);
        self.failed.inc();
    }
}
