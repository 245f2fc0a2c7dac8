//! What the room counts.

use crate::telemetry::{Counter, CounterVec, Gauge, Histogram, Registry, RegistryError};

/// Counters of the commands to Redis.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// 1 while there is a connection that answers.
    pub up: Gauge,
    /// How long answers took.
    pub duration: Histogram,
    answered: Counter,
    commands: CounterVec,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        let commands = registry.counter_vec(
            "lictor_redis_commands_total",
            "Commands to Redis, by what became of them.",
            &["result"],
        )?;
        Ok(Self {
            up: registry.gauge(
                "lictor_redis_up",
                "Whether there is a connection to Redis that answers.",
            )?,
            duration: registry.histogram(
                "lictor_redis_command_duration_seconds",
                "How long Redis took to answer.",
                BOUNDS,
            )?,
            answered: commands.with_label_values(&["ok"]),
            commands,
        })
    }

    /// One that was answered.
    pub(super) fn answered(&self, seconds: f64) {
        self.answered.inc();
        self.duration.observe(seconds);
    }

    /// One that was not, and why.
    pub(super) fn failed(&self, why: &'static str) {
        self.commands.with_label_values(&[why]).inc();
    }
}

/// From a good network to [`COMMAND_DEADLINE`](super::COMMAND_DEADLINE).
const BOUNDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
];
