//! What the process tells its operators: logs and metrics.
//!
//! Owns the set-up of logging, the [`Registry`] with its text exposition, and the counters of the data
//! path. Rooms with metrics of their own build them from the registry; pure rooms return what `proxy`
//! then counts here. Knows no other room but the nouns of `model`, whose closed lists are its labels.
//! A label is an enum of ours or a name from our own configuration, never text that an agent or a
//! caller chose: it could otherwise fill our memory and the operator's storage.

mod action;
mod calls;
mod chain;
mod config;
mod controls;
mod logging;
mod registry;
mod transport;
mod upstream;

pub use action::ActionLabel;
pub use calls::{CallMetrics, InFlight};
pub use chain::chain;
pub use config::{Config, LogFormat};
pub use controls::ControlMetrics;
pub use logging::{LoggingError, start_logging};
pub use registry::{Counter, CounterVec, Gauge, GaugeVec, Histogram, Registry, RegistryError};
pub use transport::{Http2Metrics, TransportMetrics};
pub use upstream::{AgentMetrics, UpstreamMetrics};
