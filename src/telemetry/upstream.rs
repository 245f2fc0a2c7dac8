//! What `upstream` counts of the agent.

use super::registry::{Counter, CounterVec, Gauge, Registry, RegistryError};

/// Counters and gauges of the agent.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    /// Whether the agent is asked: 0 while it is ejected, or its probes fail.
    pub available: Gauge,
    /// Connections to the agent, idle ones included.
    pub connections: Gauge,
    /// How often the agent was ejected, or its probes began to fail.
    pub ejections: Counter,
    /// Exchanges that are with the agent.
    pub exchanges: Gauge,
    /// Calls that wait for one of those to end.
    pub pending: Gauge,
    errors: CounterVec,
    probes: CounterVec,
    repeats: CounterVec,
}

impl UpstreamMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, RegistryError> {
        Ok(Self {
            available: registry.gauge(
                "lictor_upstream_available",
                "Whether the agent is asked: 1 yes, 0 while it is ejected or its probes fail.",
            )?,
            connections: registry.gauge(
                "lictor_upstream_connections",
                "Connections to the agent, idle ones included.",
            )?,
            ejections: registry.counter(
                "lictor_upstream_ejections_total",
                "How often the agent was ejected, or its probes began to fail.",
            )?,
            exchanges: registry.gauge(
                "lictor_upstream_exchanges",
                "Exchanges that are with the agent.",
            )?,
            pending: registry.gauge(
                "lictor_upstream_pending",
                "Calls that wait for an exchange with the agent to end.",
            )?,
            errors: registry.counter_vec(
                "lictor_upstream_errors_total",
                "Exchanges with the agent that failed, by cause.",
                &["cause"],
            )?,
            probes: registry.counter_vec(
                "lictor_upstream_probes_total",
                "Probes of the agent, by result.",
                &["result"],
            )?,
            repeats: registry.counter_vec(
                "lictor_upstream_repeats_total",
                "Requests that were sent again, by cause: a connection closed while idle, or a retry.",
                &["cause"],
            )?,
        })
    }

    /// Exchanges that failed for one cause.
    pub fn errors(&self, cause: &'static str) -> Counter {
        self.errors.with_label_values(&[cause])
    }

    /// Probes with one result.
    pub fn probes(&self, result: &'static str) -> Counter {
        self.probes.with_label_values(&[result])
    }

    /// Requests that were sent again for one cause.
    pub fn repeats(&self, cause: &'static str) -> Counter {
        self.repeats.with_label_values(&[cause])
    }
}
