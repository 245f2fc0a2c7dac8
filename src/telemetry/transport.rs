//! What `listener`, `tls` and `upstream` count of their connections.

use super::registry::{Counter, CounterVec, Gauge, GaugeVec, Registry, RegistryError};

/// Counters of connections on both sides. A room fetches its handles once, at start.
#[derive(Debug, Clone)]
pub struct TransportMetrics {
    connections: GaugeVec,
    connections_refused: CounterVec,
    upstream_errors: CounterVec,
    /// Handshakes that failed.
    pub tls_handshake_errors: Counter,
    /// Connections to the agent, idle ones included.
    pub upstream_connections: Gauge,
}

impl TransportMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        Ok(Self {
            connections: registry.gauge_vec(
                "lictor_connections",
                "Connections that callers hold open, by listener.",
                &["listener"],
            )?,
            connections_refused: registry.counter_vec(
                "lictor_connections_refused_total",
                "Connections refused before their first request, by cause.",
                &["cause"],
            )?,
            upstream_errors: registry.counter_vec(
                "lictor_upstream_errors_total",
                "Exchanges with the agent that failed, by cause.",
                &["cause"],
            )?,
            tls_handshake_errors: registry.counter(
                "lictor_tls_handshake_errors_total",
                "TLS handshakes that did not end in a connection.",
            )?,
            upstream_connections: registry.gauge(
                "lictor_upstream_connections",
                "Connections to the agent, idle ones included.",
            )?,
        })
    }

    /// The connections of one listener, by its name in our own configuration.
    pub fn connections(&self, listener: &str) -> Gauge {
        self.connections.with_label_values(&[listener])
    }

    /// Connections refused for one cause.
    pub fn connections_refused(&self, cause: &'static str) -> Counter {
        self.connections_refused.with_label_values(&[cause])
    }

    /// Exchanges with the agent that failed for one cause.
    pub fn upstream_errors(&self, cause: &'static str) -> Counter {
        self.upstream_errors.with_label_values(&[cause])
    }
}
