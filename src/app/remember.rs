//! The agents, and what is remembered of their objects.

use std::num::NonZeroUsize;

use crate::admin::Condition;
use crate::clock;
use crate::config::Operator;
use crate::ledger::{self, Claim, Journal, Ledger};
use crate::protocol::BaseUrl;
use crate::proxy::{Agent, Agents};
use crate::telemetry::Registry;
use crate::tls;
use crate::upstream::{self, Endpoint, Upstream};

/// The agent at `upstream.url`, and those at further ports of its host that connections may be redirected from; and the file
/// that keeps who owns what of them.
///
/// # Errors
/// When that file cannot be used.
pub(super) fn agents(
    operator: &Operator,
    workers: NonZeroUsize,
    tls: Option<&tls::Client>,
    registry: &Registry,
) -> anyhow::Result<(Agents, Journal)> {
    let metrics = ledger::Metrics::new(registry)?;
    let (journal, claims) = Journal::open(&operator.state_dir, metrics)?;
    let agent = |endpoint: Endpoint, ledger: Ledger| Agent {
        port: endpoint.port(),
        base: base_of(&endpoint),
        ledger: remembering(ledger, &endpoint, &journal, &claims),
        upstream: Upstream::new(
            &upstream::Config {
                endpoint,
                workers,
                ..operator.upstream.clone()
            },
            tls.map(tls::Client::config),
        ),
    };
    let endpoint = &operator.upstream.endpoint;
    let first = agent(endpoint.clone(), Ledger::new(&ledger::Config::default()));
    let others = operator.ports().into_iter();
    let others = others
        .filter(|port| Some(*port) != endpoint.port())
        .map(|port| agent(endpoint.clone().at(port), first.ledger.beside()))
        .collect();
    Ok((Agents::new(first, others), journal))
}

/// Calls are served while owners cannot be written down; only a restart would tell.
pub(super) fn condition(journal: &Journal) -> Condition {
    match journal.trouble() {
        Some(trouble) => Condition::Degraded(trouble.into()),
        None => Condition::Ready,
    }
}

fn remembering(ledger: Ledger, endpoint: &Endpoint, journal: &Journal, claims: &[Claim]) -> Ledger {
    let now = (clock::now(), clock::wall().as_second());
    let (ledger, left_out) = ledger.kept_in(journal, &address(endpoint), claims, now);
    if left_out > 0 {
        tracing::warn!(
            left_out,
            "the ledger has no room for all tasks and sessions of before; the oldest are nobody's"
        );
    }
    ledger
}

/// Where the agent is. At another address is another agent, whose ids mean other things.
fn address(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::H2c { host, port }
        | Endpoint::Http { host, port }
        | Endpoint::Https { host, port } => format!("{host}:{port}"),
        Endpoint::Unix(path) => path.display().to_string(),
    }
}

/// How an agent is reached, as it may call itself.
fn base_of(endpoint: &Endpoint) -> Option<BaseUrl> {
    match endpoint {
        Endpoint::H2c { host, port } | Endpoint::Http { host, port } => {
            Some(BaseUrl::of_host(false, host, *port))
        }
        Endpoint::Https { host, port } => Some(BaseUrl::of_host(true, host, *port)),
        Endpoint::Unix(_) => None,
    }
}
