//! What `upstream` counts of the agents.

use super::registry::{Counter, CounterVec, Gauge, GaugeVec, Registry, RegistryError};

/// Counters and gauges of the agents. Each has the label `port`, which is empty for an agent behind a socket of this
/// machine.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    available: GaugeVec,
    connections: GaugeVec,
    ejections: CounterVec,
    exchanges: GaugeVec,
    pending: GaugeVec,
    errors: CounterVec,
    probes: CounterVec,
    repeats: CounterVec,
}

/// Those of one agent.
#[derive(Debug, Clone)]
pub struct AgentMetrics {
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
    all: UpstreamMetrics,
    port: Box<str>,
}

impl UpstreamMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, RegistryError> {
        Ok(Self {
            available: registry.gauge_vec(
                "lictor_upstream_available",
                "Whether the agent is asked: 1 yes, 0 while it is ejected or its probes fail.",
                &["port"],
            )?,
            connections: registry.gauge_vec(
                "lictor_upstream_connections",
                "Connections to the agent, idle ones included.",
                &["port"],
            )?,
            ejections: registry.counter_vec(
                "lictor_upstream_ejections_total",
                "How often the agent was ejected, or its probes began to fail.",
                &["port"],
            )?,
            exchanges: registry.gauge_vec(
                "lictor_upstream_exchanges",
                "Exchanges that are with the agent.",
                &["port"],
            )?,
            pending: registry.gauge_vec(
                "lictor_upstream_pending",
                "Calls that wait for an exchange with the agent to end.",
                &["port"],
            )?,
            errors: registry.counter_vec(
                "lictor_upstream_errors_total",
                "Exchanges with the agent that failed, by cause.",
                &["port", "cause"],
            )?,
            probes: registry.counter_vec(
                "lictor_upstream_probes_total",
                "Probes of the agent, by result.",
                &["port", "result"],
            )?,
            repeats: registry.counter_vec(
                "lictor_upstream_repeats_total",
                "Requests that were sent again, by cause: a connection closed while idle, or a retry.",
                &["port", "cause"],
            )?,
        })
    }

    /// Those of the agent at this port.
    pub fn agent(&self, port: Option<u16>) -> AgentMetrics {
        let port = port.map_or_else(String::new, |port| port.to_string());
        let label = [port.as_str()];
        AgentMetrics {
            available: self.available.with_label_values(&label),
            connections: self.connections.with_label_values(&label),
            ejections: self.ejections.with_label_values(&label),
            exchanges: self.exchanges.with_label_values(&label),
            pending: self.pending.with_label_values(&label),
            all: self.clone(),
            port: port.into(),
        }
    }
}

impl AgentMetrics {
    /// Exchanges that failed for one cause.
    pub fn errors(&self, cause: &'static str) -> Counter {
        self.all.errors.with_label_values(&[&*self.port, cause])
    }

    /// Probes with one result.
    pub fn probes(&self, result: &'static str) -> Counter {
        self.all.probes.with_label_values(&[&*self.port, result])
    }

    /// Requests that were sent again for one cause.
    pub fn repeats(&self, cause: &'static str) -> Counter {
        self.all.repeats.with_label_values(&[&*self.port, cause])
    }
}
