//! The agents, and what is remembered of their objects.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::admin::Condition;
use crate::clock;
use crate::config::Operator;
use crate::ledger::{self, Claim, Journal, Ledger, SharedOwners};
use crate::protocol::BaseUrl;
use crate::proxy::{Agent, Agents, ToolMemory};
use crate::quota::LiveTasks;
use crate::telemetry::Registry;
use crate::tls;
use crate::upstream::{self, Endpoint, Upstream};

/// The agent at `upstream.url`, and those at further ports of its host that connections may be redirected from; and the file
/// that keeps who owns what of them.
///
/// # Errors
/// When that file cannot be used. There is none where a store keeps the owners.
pub(super) fn agents(
    operator: &Operator,
    workers: NonZeroUsize,
    tls: Option<&tls::Client>,
    owners: Option<&Arc<dyn SharedOwners>>,
    registry: &Registry,
) -> anyhow::Result<(Agents, Option<Journal>)> {
    let kept = match owners {
        Some(_) => None,
        None => {
            let metrics = ledger::Metrics::new(registry)?;
            Some(Journal::open(&operator.state_dir, metrics)?)
        }
    };
    let remembering = |ledger: Ledger, endpoint: &Endpoint| match (&kept, owners) {
        (Some((journal, claims)), _) => kept_in(ledger, endpoint, journal, claims),
        (None, Some(owners)) => ledger.shared_in(Arc::clone(owners), &scope(operator, endpoint)),
        (None, None) => ledger,
    };
    let agent = |endpoint: Endpoint, ledger: Ledger| Agent {
        port: endpoint.port(),
        base: base_of(&endpoint),
        ledger: remembering(ledger, &endpoint),
        live: LiveTasks::default(),
        tools: ToolMemory::default(),
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
    Ok((Agents::new(first, others), kept.map(|(journal, _)| journal)))
}

/// Calls are served while owners cannot be written down; only a restart would tell.
pub(super) fn condition(journal: &Journal) -> Condition {
    match journal.trouble() {
        Some(trouble) => Condition::Degraded(trouble.into()),
        None => Condition::Ready,
    }
}

fn kept_in(ledger: Ledger, endpoint: &Endpoint, journal: &Journal, claims: &[Claim]) -> Ledger {
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

/// Whose objects are meant where processes share their owners: replicas stand beside agents of one name, at different
/// addresses.
fn scope(operator: &Operator, endpoint: &Endpoint) -> String {
    let name = &operator.agent_name;
    match endpoint.port() {
        port if port == operator.upstream.endpoint.port() => name.clone(),
        Some(port) => format!("{name}:{port}"),
        None => name.clone(),
    }
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
