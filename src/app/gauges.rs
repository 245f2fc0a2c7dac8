//! What the rooms count becomes metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::drain::Guard;
use crate::identity::KeyStore;
use crate::listener::ListenerStats;
use crate::proxy::{Agent, Proxy};
use crate::telemetry::{AgentMetrics, ControlMetrics, Counter, TransportMetrics};

/// How often what rooms count becomes metrics. Scrapes are rarer.
const METRICS_POLL: Duration = Duration::from_secs(1);

/// Rooms count in plain numbers; here they become metrics.
pub(super) struct Gauges {
    pub(super) listeners: Vec<(Arc<str>, Arc<ListenerStats>)>,
    pub(super) keys: Arc<KeyStore>,
}

impl Gauges {
    pub(super) async fn run(
        self,
        proxy: Arc<Proxy>,
        transport: TransportMetrics,
        controls: ControlMetrics,
        mut guard: Guard,
    ) {
        let mut panicked = 0;
        loop {
            for (name, stats) in &self.listeners {
                tell_listener(name, stats, &transport);
            }
            // Shared with calls, so that it is added to and not set.
            let panics = self.listeners.iter();
            let panics = panics.map(|(_, stats)| stats.panicked.load(Relaxed)).sum();
            let before = std::mem::replace(&mut panicked, panics);
            proxy.parts().calls.panics.inc_by(panicked - before);
            for agent in proxy.parts().agents.all() {
                tell_agent(agent, &transport.upstream.agent(agent.port));
            }
            controls
                .ledger_entries("all")
                .set(signed(proxy.parts().agents.remembered() as u64));
            let used = self.keys.used();
            controls.replay_store(used.store()).set(1);
            controls
                .replay_entries
                .set(signed(used.remembered() as u64));
            for source in self.keys.state() {
                controls
                    .keys(&source.source)
                    .set(i64::from(source.is_loaded()));
            }
            tokio::select! {
                () = tokio::time::sleep(METRICS_POLL) => {}
                () = guard.draining() => return,
            }
        }
    }
}

fn tell_listener(name: &str, stats: &ListenerStats, transport: &TransportMetrics) {
    let open = transport.connections(name);
    open.set(signed(stats.open.load(Relaxed)));
    let refused = [
        ("direct", &stats.refused_direct),
        ("header", &stats.refused_header),
        ("listener", &stats.refused_listener),
        ("port", &stats.refused_port),
        ("source", &stats.refused_source),
        ("untrusted", &stats.refused_untrusted),
    ];
    for (cause, count) in refused {
        advance(
            &transport.connections_refused(name, cause),
            count.load(Relaxed),
        );
    }
    let errors = transport.accept_errors(name);
    advance(&errors, stats.accept_errors.load(Relaxed));
}

fn tell_agent(agent: &Agent, metrics: &AgentMetrics) {
    let (state, stats) = (agent.upstream.state(), agent.upstream.stats());
    metrics.available.set(i64::from(state.trouble.is_none()));
    metrics.connections.set(signed(stats.open.load(Relaxed)));
    metrics.exchanges.set(signed(state.exchanges as u64));
    metrics.pending.set(signed(state.pending as u64));
    advance(&metrics.ejections, state.ejections);
    let counters = [
        (metrics.probes("success"), &stats.probes_succeeded),
        (metrics.probes("failure"), &stats.probes_failed),
        (metrics.repeats("idle-closed"), &stats.stale),
        (metrics.repeats("retry"), &stats.retried),
    ];
    for (counter, count) in counters {
        advance(&counter, count.load(Relaxed));
    }
    for (cause, count) in stats.errors() {
        advance(&metrics.errors(cause), count);
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Brings a counter up to a number that only grows.
fn advance(counter: &Counter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}
