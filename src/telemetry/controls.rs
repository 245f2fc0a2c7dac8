//! What the controls around the path tell: policy, keys, certificates, the ledger.

use super::registry::{Counter, CounterVec, Gauge, GaugeVec, Registry, RegistryError};
use jiff::Timestamp;

/// Gauges and counters of what is loaded and remembered.
#[derive(Debug, Clone)]
pub struct ControlMetrics {
    /// The number of the policy generation in force.
    pub policy_generation: Gauge,
    policy_reload_success: Gauge,
    policy_reloads_ok: Counter,
    policy_reloads_failed: Counter,
    policy_loaded: Gauge,
    revocations: Gauge,
    tls_reloads_ok: Counter,
    tls_reloads_failed: Counter,
    keys: GaugeVec,
    ledger: GaugeVec,
    /// How much is remembered in this process because it counts once.
    pub replay_entries: Gauge,
    replay_store: GaugeVec,
}

impl ControlMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        let policy_reloads = registry.counter_vec(
            "lictor_policy_reloads_total",
            "Attempts to load changed policies, by result.",
            &["result"],
        )?;
        let tls_reloads = registry.counter_vec(
            "lictor_tls_reloads_total",
            "Attempts to load changed certificates, by result.",
            &["result"],
        )?;
        Ok(Self {
            policy_generation: registry.gauge(
                "lictor_policy_generation",
                "The number of the policy generation in force.",
            )?,
            policy_reload_success: registry.gauge(
                "lictor_policy_reload_success",
                "Whether the last attempt to load policies succeeded; 0 means that older ones are in force.",
            )?,
            policy_reloads_ok: succeeded(&policy_reloads),
            policy_reloads_failed: failed(&policy_reloads),
            policy_loaded: registry.gauge(
                "lictor_policy_loaded_timestamp_seconds",
                "When the policies in force were loaded, in seconds since 1970.",
            )?,
            revocations: registry.gauge(
                "lictor_revocations",
                "How many revocations are in force.",
            )?,
            tls_reloads_ok: succeeded(&tls_reloads),
            tls_reloads_failed: failed(&tls_reloads),
            keys: registry.gauge_vec(
                "lictor_keys_state",
                "Whether a source of keys has given any that can be used: 1 yes, 0 no.",
                &["source"],
            )?,
            ledger: registry.gauge_vec(
                "lictor_ledger_entries",
                "Objects whose owner is remembered, by kind.",
                &["kind"],
            )?,
            replay_entries: registry.gauge(
                "lictor_replay_entries",
                "Nonces of signed requests and proofs of possession that this process remembers, so that none counts twice.",
            )?,
            replay_store: registry.gauge_vec(
                "lictor_replay_store",
                "Where they are remembered; the value is always 1.",
                &["store"],
            )?,
        })
    }

    /// Policies were loaded and are in force.
    pub fn policy_loaded(&self, generation: u64, at: Timestamp) {
        self.policy_generation
            .set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.policy_loaded.set(at.as_second());
        self.policy_reload_success.set(1);
        self.policy_reloads_ok.inc();
    }

    /// The files say what is in force already.
    pub fn policy_confirmed(&self) {
        self.policy_reload_success.set(1);
        self.policy_reloads_ok.inc();
    }

    /// So many revocations are in force.
    pub fn revoked(&self, revocations: usize) {
        self.revocations
            .set(i64::try_from(revocations).unwrap_or(i64::MAX));
    }

    /// Policies could not be loaded; the last good ones stay in force.
    pub fn policy_rejected(&self) {
        self.policy_reload_success.set(0);
        self.policy_reloads_failed.inc();
    }

    /// Changed certificates were loaded, or could not be.
    pub fn tls_reloaded(&self, success: bool) {
        if success {
            self.tls_reloads_ok.inc();
        } else {
            self.tls_reloads_failed.inc();
        }
    }

    /// The state of a source of keys: 1 usable, 0 not. It is a file or an address of our own policy.
    pub fn keys(&self, source: &str) -> Gauge {
        self.keys.with_label_values(&[source])
    }

    /// How many objects of a kind the ledger remembers.
    pub fn ledger_entries(&self, kind: &'static str) -> Gauge {
        self.ledger.with_label_values(&[kind])
    }

    /// Where is remembered what counts once: 1 for the store in use.
    pub fn replay_store(&self, store: &'static str) -> Gauge {
        self.replay_store.with_label_values(&[store])
    }
}

fn succeeded(reloads: &CounterVec) -> Counter {
    reloads.with_label_values(&["success"])
}

fn failed(reloads: &CounterVec) -> Counter {
    reloads.with_label_values(&["failure"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_reload_leaves_the_generation_in_force() {
        let registry = Registry::new().unwrap();
        let metrics = ControlMetrics::new(&registry).unwrap();
        metrics.policy_loaded(7, Timestamp::from_second(1_700_000_000).unwrap());
        metrics.policy_rejected();
        let text = registry.encode();
        for line in [
            "lictor_policy_generation 7",
            "lictor_policy_reload_success 0",
            "lictor_policy_loaded_timestamp_seconds 1700000000",
            r#"lictor_policy_reloads_total{result="success"} 1"#,
            r#"lictor_policy_reloads_total{result="failure"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
