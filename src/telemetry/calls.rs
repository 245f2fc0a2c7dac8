//! What `proxy` counts of each call.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use crate::model::{Finding, LeakAction, Reason, ShadowVerdict};

use super::action::ActionLabel;
use super::registry::{Counter, CounterVec, Gauge, Histogram, Registry, RegistryError};

/// Counters of calls, their outcomes and their cost. The handles of what every call touches are
/// fetched once; later each count is one atomic addition.
pub struct CallMetrics {
    requests: CounterVec,
    // By action, decision and status class. Fetched at first use: a registered series stands in every
    // scrape, and most of the combinations never happen.
    requests_by: Box<[OnceLock<Counter>]>,
    refusals: Box<[Counter]>,
    findings: CounterVec,
    throttled: CounterVec,
    shadow_decisions: CounterVec,
    candidate_decisions: CounterVec,
    /// From a request's head to the end of its answer.
    pub duration: Histogram,
    /// The part of it that was not waiting for the agent.
    pub overhead: Histogram,
    /// How long bytes were held back because they could become part of a finding.
    pub hold: Histogram,
    /// Bytes held back now, over all answers.
    pub held_bytes: Gauge,
    /// Cards of the agent that were not what they were when they were last seen.
    pub card_changes: Counter,
    /// Errors of the agent that were written anew.
    pub scrubbed: Counter,
    /// Calls and answers that ended by a bug of ours.
    pub panics: Counter,
    in_flight: Gauge,
    tunnels: Gauge,
}

impl CallMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        let refusals = registry.counter_vec(
            "lictor_refusals_total",
            "Calls refused and answers cut short, by reason and by whose fault it was.",
            &["reason", "fault"],
        )?;
        Ok(Self {
            requests: registry.counter_vec(
                "lictor_requests_total",
                "Calls, by canonical action, policy decision and class of the status sent.",
                &["action", "decision", "status_class"],
            )?,
            requests_by: (0..ActionLabel::COUNT * DECISIONS.len() * CLASSES.len())
                .map(|_| OnceLock::new())
                .collect(),
            // In the order of `Reason::ALL`. All series exist from the start, so that the first
            // refusal of a kind is visible as an increase.
            refusals: Reason::ALL
                .iter()
                .map(|reason| {
                    refusals.with_label_values(&[reason.as_str(), reason.fault().as_str()])
                })
                .collect(),
            findings: registry.counter_vec(
                "lictor_findings_total",
                "Findings of the leak scan, by detector and by what was done with them.",
                &["detector", "action"],
            )?,
            throttled: registry.counter_vec(
                "lictor_quota_throttled_total",
                "Calls refused by a quota, by the quota's name.",
                &["quota"],
            )?,
            shadow_decisions: registry.counter_vec(
                "lictor_shadow_decisions_total",
                "Calls whose decision a statement in shadow mode would have changed, by statement and effect.",
                &["rule", "effect"],
            )?,
            candidate_decisions: registry.counter_vec(
                "lictor_candidate_decisions_total",
                "Calls that the candidate policies would have decided otherwise, by their statement and its effect.",
                &["rule", "effect"],
            )?,
            duration: registry.histogram(
                "lictor_request_duration_seconds",
                "Time from a request's head to the end of its answer.",
                DURATION_BUCKETS,
            )?,
            overhead: registry.histogram(
                "lictor_overhead_seconds",
                "Time that lictor added to a call: all but waiting for the agent.",
                OVERHEAD_BUCKETS,
            )?,
            hold: registry.histogram(
                "lictor_hold_seconds",
                "How long bytes of an answer were held back by the leak scan.",
                OVERHEAD_BUCKETS,
            )?,
            held_bytes: registry.gauge(
                "lictor_held_bytes",
                "Bytes of answers that the leak scan holds back now.",
            )?,
            card_changes: registry.counter(
                "lictor_agent_card_changes_total",
                "Changes of the agent's card that were seen.",
            )?,
            scrubbed: registry.counter(
                "lictor_agent_errors_scrubbed_total",
                "Errors of the agent that told of its inside, or were its own fault, and left in other words.",
            )?,
            panics: registry.counter(
                "lictor_panics_total",
                "Bugs of lictor that ended a call, an answer or a connection, and nothing else.",
            )?,
            in_flight: registry.gauge(
                "lictor_requests_in_flight",
                "Calls whose answer has not ended yet.",
            )?,
            tunnels: registry.gauge(
                "lictor_websocket_tunnels",
                "WebSocket tunnels that are open now.",
            )?,
        })
    }

    /// Counts a call as in flight until the guard is dropped.
    pub fn begin(&self) -> InFlight {
        InFlight::new(&self.in_flight)
    }

    /// Counts a tunnel as open until the guard is dropped.
    pub fn open_tunnel(&self) -> InFlight {
        InFlight::new(&self.tunnels)
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.in_flight.get()).unwrap_or_default()
    }

    /// Counts an ended call. `status` is the one that was sent; `None` when the caller went away first.
    pub fn ended(&self, action: ActionLabel, allowed: bool, status: Option<u16>) {
        let decision = usize::from(allowed);
        let class = match status {
            Some(status @ 100..=599) => usize::from(status / 100),
            Some(_) | None => 0,
        };
        let index = (action.index() * DECISIONS.len() + decision) * CLASSES.len() + class;
        let Some(cell) = self.requests_by.get(index) else {
            return;
        };
        cell.get_or_init(|| {
            let text = |texts: &[&'static str], index: usize| texts.get(index).copied();
            self.requests.with_label_values(&[
                &*action.text(),
                text(DECISIONS, decision).unwrap_or_default(),
                text(CLASSES, class).unwrap_or_default(),
            ])
        })
        .inc();
    }

    /// Observes how long a call took, and how much of it was not waiting for the agent.
    pub fn took(&self, total: Duration, overhead: Duration) {
        self.duration.observe(total.as_secs_f64());
        self.overhead.observe(overhead.as_secs_f64());
    }

    /// Counts a refusal, or an answer cut short.
    pub fn refused(&self, reason: Reason) {
        // INVARIANT: `Reason::ALL` lists the variants in the order of their declaration (tested below).
        if let Some(counter) = self.refusals.get(reason as usize) {
            counter.inc();
        }
    }

    /// Counts a finding.
    pub fn found(&self, finding: &Finding) {
        self.found_kind(finding.detector, finding.action);
    }

    /// Counts a finding of which only the kind is at hand.
    pub fn found_kind(&self, detector: &'static str, action: LeakAction) {
        self.findings
            .with_label_values(&[detector, action.as_str()])
            .inc();
    }

    /// Counts a call that a statement in shadow mode would have decided otherwise.
    pub fn shadowed(&self, verdict: &ShadowVerdict) {
        let labels = [&*verdict.rule().name, verdict.effect()];
        self.shadow_decisions.with_label_values(&labels).inc();
    }

    /// Counts a call that the candidate policies would have decided otherwise.
    pub fn differs(&self, verdict: &ShadowVerdict) {
        let labels = [&*verdict.rule().name, verdict.effect()];
        self.candidate_decisions.with_label_values(&labels).inc();
    }

    /// Counts a call that a quota refused. `quota` is its name in our own configuration.
    pub fn throttled(&self, quota: &str) {
        self.throttled.with_label_values(&[quota]).inc();
    }
}

impl fmt::Debug for CallMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallMetrics").finish_non_exhaustive()
    }
}

/// One call in flight, or one tunnel; its drop is the end of it.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl InFlight {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

const DECISIONS: &[&str] = &["deny", "allow"];

const CLASSES: &[&str] = &["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// From a cached answer to an agent that works for minutes.
const DURATION_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 1800.0,
];

/// 50 microseconds to one second: our own work is meant to stay in the lower half.
const OVERHEAD_BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_2, 0.000_35, 0.000_5, 0.000_75, 0.001, 0.002, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0,
];

#[cfg(test)]
mod tests {
    use crate::model::{Action, Protocol};

    use super::*;

    fn metrics() -> (Registry, CallMetrics) {
        let registry = Registry::new().unwrap();
        let metrics = CallMetrics::new(&registry).unwrap();
        (registry, metrics)
    }

    #[test]
    fn calls_are_counted_by_action_decision_and_class() {
        let (registry, metrics) = metrics();
        let send = ActionLabel::of(&Action::known(Protocol::A2a, "SendMessage"));
        metrics.ended(send, true, Some(200));
        metrics.ended(send, true, Some(204));
        metrics.ended(ActionLabel::OTHER, false, Some(401));
        metrics.ended(ActionLabel::OTHER, false, None);
        metrics.ended(ActionLabel::OTHER, false, Some(999));
        let text = registry.encode();
        for line in [
            r#"lictor_requests_total{action="a2a:SendMessage",decision="allow",status_class="2xx"} 2"#,
            r#"lictor_requests_total{action="other",decision="deny",status_class="4xx"} 1"#,
            r#"lictor_requests_total{action="other",decision="deny",status_class="none"} 2"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn every_reason_has_its_own_series() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
        let (registry, metrics) = metrics();
        metrics.refused(Reason::RateLimited);
        let text = registry.encode();
        assert!(
            text.contains(r#"lictor_refusals_total{fault="downstream",reason="rate-limited"} 1"#),
            "{text}"
        );
        let series = text.matches("lictor_refusals_total{").count();
        assert_eq!(series, Reason::ALL.len());
    }

    #[test]
    fn a_call_is_in_flight_until_its_guard_is_dropped() {
        let (_, metrics) = metrics();
        let call = metrics.begin();
        let other = metrics.begin();
        assert_eq!(metrics.in_flight.get(), 2);
        drop((call, other));
        assert_eq!(metrics.in_flight.get(), 0);
    }

    #[test]
    fn findings_and_throttles_are_counted_by_name() {
        let (registry, metrics) = metrics();
        metrics.found_kind("credentials.github-pat", LeakAction::Redact);
        metrics.throttled("fair-share");
        metrics.took(Duration::from_millis(20), Duration::from_micros(80));
        let text = registry.encode();
        for line in [
            r#"lictor_findings_total{action="redact",detector="credentials.github-pat"} 1"#,
            r#"lictor_quota_throttled_total{quota="fair-share"} 1"#,
            r#"lictor_overhead_seconds_bucket{le="0.00005"} 0"#,
            r#"lictor_overhead_seconds_bucket{le="0.0001"} 1"#,
            r#"lictor_request_duration_seconds_bucket{le="0.025"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
