//! What `listener`, `tls` and `upstream` count of their connections.

use super::registry::{Counter, CounterVec, Gauge, GaugeVec, Registry, RegistryError};
use super::upstream::UpstreamMetrics;

/// Counters of connections on both sides. A room fetches its handles once, at start.
#[derive(Debug, Clone)]
pub struct TransportMetrics {
    connections: GaugeVec,
    connections_refused: CounterVec,
    tls_handshake_errors: CounterVec,
    accept_errors: CounterVec,
    /// What is counted of the agent.
    pub upstream: UpstreamMetrics,
    /// What goes wrong on HTTP/2 connections.
    pub http2: Http2Metrics,
}

/// What lictor ends on HTTP/2 connections, by the code that it gives for it.
#[derive(Debug, Clone)]
pub struct Http2Metrics {
    goaways: CounterVec,
    resets: CounterVec,
}

impl Http2Metrics {
    fn new(registry: &Registry) -> Result<Self, RegistryError> {
        Ok(Self {
            goaways: registry.counter_vec(
                "lictor_http2_goaways_total",
                "HTTP/2 connections that lictor ended with a GOAWAY, by its code.",
                &["code"],
            )?,
            resets: registry.counter_vec(
                "lictor_http2_resets_total",
                "HTTP/2 streams that lictor ended with a RST_STREAM, by its code.",
                &["code"],
            )?,
        })
    }

    /// A GOAWAY left with this code.
    pub fn goaway(&self, code: u32) {
        self.goaways.with_label_values(&[http2_code(code)]).inc();
    }

    /// A RST_STREAM left with this code.
    pub fn reset(&self, code: u32) {
        self.resets.with_label_values(&[http2_code(code)]).inc();
    }
}

/// The name of an error code (RFC 9113, section 7).
const fn http2_code(code: u32) -> &'static str {
    match code {
        0 => "no-error",
        1 => "protocol-error",
        2 => "internal-error",
        3 => "flow-control-error",
        4 => "settings-timeout",
        5 => "stream-closed",
        6 => "frame-size-error",
        7 => "refused-stream",
        8 => "cancel",
        9 => "compression-error",
        10 => "connect-error",
        11 => "enhance-your-calm",
        12 => "inadequate-security",
        13 => "http-1-1-required",
        _ => "unknown",
    }
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
                "Connections refused before their first request, by listener and cause.",
                &["listener", "cause"],
            )?,
            accept_errors: registry.counter_vec(
                "lictor_accept_errors_total",
                "Times that accepting a connection failed, by listener.",
                &["listener"],
            )?,
            tls_handshake_errors: registry.counter_vec(
                "lictor_tls_handshake_errors_total",
                "TLS handshakes that did not end in a connection, by listener and kind.",
                &["listener", "kind"],
            )?,
            upstream: UpstreamMetrics::new(registry)?,
            http2: Http2Metrics::new(registry)?,
        })
    }

    /// The connections of one listener, by its name in our own configuration.
    pub fn connections(&self, listener: &str) -> Gauge {
        self.connections.with_label_values(&[listener])
    }

    /// Times that one listener could accept no connection; out of descriptors, mostly.
    pub fn accept_errors(&self, listener: &str) -> Counter {
        self.accept_errors.with_label_values(&[listener])
    }

    /// Connections that one listener refused for one cause.
    pub fn connections_refused(&self, listener: &str, cause: &'static str) -> Counter {
        self.connections_refused
            .with_label_values(&[listener, cause])
    }

    /// Handshakes of one listener that failed in one way.
    pub fn tls_handshake_errors(&self, listener: &str, kind: &'static str) -> Counter {
        self.tls_handshake_errors
            .with_label_values(&[listener, kind])
    }
}
