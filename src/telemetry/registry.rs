//! The metric registry, and the one place that knows which library keeps it.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{HistogramOpts, Opts, TextEncoder};

// Under these names the rooms know them, so that another library would be a change of this file.
pub use prometheus::{
    Histogram, IntCounter as Counter, IntCounterVec as CounterVec, IntGauge as Gauge,
    IntGaugeVec as GaugeVec,
};

/// Why a metric could not be registered: a mistake of ours, such as a name given twice.
#[derive(Debug, thiserror::Error)]
#[error("metric `{name}` cannot be registered")]
pub struct RegistryError {
    name: String,
    source: prometheus::Error,
}

/// All metrics of one process. A clone is another handle on the same metrics.
#[derive(Debug, Clone)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// The content type of [`Self::encode`] (Prometheus text exposition format 0.0.4).
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// A registry that knows the process (memory, CPU, file descriptors) and the build.
    ///
    /// # Errors
    /// Never for a fresh registry, as long as the names of both are different.
    pub fn new() -> Result<Self, RegistryError> {
        let registry = Self(prometheus::Registry::new());
        registry
            .0
            .register(Box::new(ProcessCollector::for_self()))
            .map_err(|source| error("process", source))?;
        registry
            .gauge_vec(
                "lictor_build_info",
                "Which build runs; the value is always 1.",
                &["version"],
            )?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        Ok(registry)
    }

    /// Registers a counter; its name ends in `_total`.
    ///
    /// # Errors
    /// When the name is taken or is no metric name.
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, RegistryError> {
        let metric = Counter::new(name, help).map_err(|source| error(name, source))?;
        self.register(name, metric)
    }

    /// Registers a family of counters; its name ends in `_total`.
    ///
    /// # Errors
    /// When the name is taken or is no metric name.
    pub fn counter_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<CounterVec, RegistryError> {
        let metric =
            CounterVec::new(Opts::new(name, help), labels).map_err(|source| error(name, source))?;
        self.register(name, metric)
    }

    /// Registers a gauge.
    ///
    /// # Errors
    /// When the name is taken or is no metric name.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, RegistryError> {
        let metric = Gauge::new(name, help).map_err(|source| error(name, source))?;
        self.register(name, metric)
    }

    /// Registers a family of gauges.
    ///
    /// # Errors
    /// When the name is taken or is no metric name.
    pub fn gauge_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<GaugeVec, RegistryError> {
        let metric =
            GaugeVec::new(Opts::new(name, help), labels).map_err(|source| error(name, source))?;
        self.register(name, metric)
    }

    /// Registers a histogram with the upper bounds of its buckets.
    ///
    /// # Errors
    /// When the name is taken or is no metric name, or the bounds do not rise.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, RegistryError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let metric = Histogram::with_opts(options).map_err(|source| error(name, source))?;
        self.register(name, metric)
    }

    /// All metrics in the text exposition format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // The only error is a family without metrics, which `gather` leaves out; what was encoded
        // before it would still be well-formed.
        if let Err(error) = TextEncoder::new().encode_utf8(&self.0.gather(), &mut text) {
            tracing::warn!(error = %error, "metrics are incomplete");
        }
        text
    }

    fn register<M: Collector + Clone + 'static>(
        &self,
        name: &str,
        metric: M,
    ) -> Result<M, RegistryError> {
        self.0
            .register(Box::new(metric.clone()))
            .map_err(|source| error(name, source))?;
        Ok(metric)
    }
}

fn error(name: &str, source: prometheus::Error) -> RegistryError {
    RegistryError {
        name: name.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CallMetrics, ControlMetrics, TransportMetrics};
    use super::*;

    #[test]
    fn a_name_is_registered_once() {
        let registry = Registry::new().unwrap();
        registry.counter("lictor_x_total", "X.").unwrap();
        let error = registry.counter("lictor_x_total", "X.").unwrap_err();
        assert_eq!(
            error.to_string(),
            "metric `lictor_x_total` cannot be registered"
        );
    }

    #[test]
    fn process_and_build_are_told() {
        let text = Registry::new().unwrap().encode();
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
        let version = format!(
            "lictor_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        assert!(text.contains(&version), "{text}");
    }

    /// What `promtool check metrics` finds fault with: no help, counters without `_total`, others with
    /// it, units that are no base units.
    #[test]
    fn every_metric_follows_the_naming_conventions() {
        let registry = Registry::new().unwrap();
        CallMetrics::new(&registry).unwrap();
        TransportMetrics::new(&registry).unwrap();
        ControlMetrics::new(&registry).unwrap();
        let families = registry.0.gather();
        assert!(families.len() > 10);
        for family in families {
            let name = family.name();
            let counter = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
            assert_eq!(name.ends_with("_total"), counter, "{name}");
            assert!(family.help().len() > 10, "{name}");
            assert!(
                name.starts_with("lictor_") || name.starts_with("process_"),
                "{name}"
            );
            for unit in ["milliseconds", "_ms", "_us", "kilobytes", "minutes"] {
                assert!(!name.contains(unit), "{name}");
            }
        }
    }
}
