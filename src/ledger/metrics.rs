//! What the room counts.

use crate::telemetry::{Counter, Gauge, Registry, RegistryError};

/// Counters of the journal.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Whether lines cannot be written now.
    pub(super) failing: Gauge,
    /// Owners that the next start will not know.
    pub(super) lost: Counter,
    /// Owners that were written down.
    pub(super) written: Counter,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        let lines = registry.counter_vec(
            "lictor_ledger_journal_lines_total",
            "Owners that were to be written into the journal, by what became of the line; a lost one may be forgotten at the next start.",
            &["result"],
        )?;
        Ok(Self {
            failing: registry.gauge(
                "lictor_ledger_journal_failing",
                "Whether the journal of the ledger cannot be written now.",
            )?,
            lost: lines.with_label_values(&["lost"]),
            written: lines.with_label_values(&["written"]),
        })
    }
}
