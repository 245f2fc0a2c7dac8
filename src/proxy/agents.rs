//! The agents that lictor stands beside: mostly one, or several ports of one host.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::ledger::Ledger;
use crate::protocol::BaseUrl;
use crate::quota::LiveTasks;
use crate::upstream::Upstream;

use super::tools::ToolMemory;

/// One agent, and what is remembered of its objects. Ids of another agent's objects mean nothing here.
#[derive(Debug)]
pub struct Agent {
    /// Its port; `None` for a socket of this machine.
    pub port: Option<u16>,
    /// How it is reached; `None` for a socket of this machine.
    pub base: Option<BaseUrl>,
    /// Its connections and its care.
    pub upstream: Upstream,
    /// Who owns what of it.
    pub ledger: Ledger,
    /// Its tasks that are not finished, where a quota counts them.
    pub live: LiveTasks,
    /// What its tools were last described as.
    pub tools: ToolMemory,
}

/// All of them. The first is the one for every connection that nobody redirected.
#[derive(Debug)]
pub struct Agents {
    first: Agent,
    others: Box<[Agent]>,
}

/// Which of the agents: chosen once for a connection, and given only by the [`Agents`] that it is for. The default
/// is the first one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chosen(usize);

impl Agents {
    /// The first agent, and those that redirected connections may reach besides.
    pub fn new(first: Agent, others: Vec<Agent>) -> Self {
        Self {
            first,
            others: others.into(),
        }
    }

    /// Whom a connection is for that wanted this port, if any; `None` when no agent is there.
    pub fn choose(&self, port: Option<u16>) -> Option<Chosen> {
        if port.is_none() {
            return Some(Chosen::default());
        }
        self.all().position(|agent| agent.port == port).map(Chosen)
    }

    /// The agent that was chosen.
    pub fn at(&self, chosen: Chosen) -> &Agent {
        let other = chosen.0.checked_sub(1);
        other
            .and_then(|other| self.others.get(other))
            .unwrap_or(&self.first)
    }

    /// The port of the agent that was chosen, unless it is the first: that one goes without saying.
    pub fn other_port(&self, chosen: Chosen) -> Option<u16> {
        if chosen == Chosen::default() {
            return None;
        }
        self.at(chosen).port
    }

    /// All agents, the first one first.
    pub fn all(&self) -> impl Iterator<Item = &Agent> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// How many objects are remembered, of all agents together.
    pub fn remembered(&self) -> usize {
        self.first.ledger.len()
    }

    /// Ends the connections to all of them, as [`Upstream::close`] does. `false` when some were still open after
    /// `deadline`.
    pub async fn close(&self, deadline: Duration) -> bool {
        let upstreams = self.all().map(|agent| agent.upstream.clone());
        let closing = upstreams.map(|upstream| async move { upstream.close(deadline).await });
        let closed = JoinSet::from_iter(closing).join_all().await;
        closed.into_iter().all(|closed| closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger;
    use crate::upstream::{Config, Endpoint};

    fn agent(endpoint: Endpoint) -> Agent {
        Agent {
            port: endpoint.port(),
            base: None,
            upstream: Upstream::new(&Config::new(endpoint), None),
            ledger: Ledger::new(&ledger::Config::default()),
            live: LiveTasks::default(),
            tools: ToolMemory::default(),
        }
    }

    #[test]
    fn a_port_leads_to_its_agent_and_to_no_other() {
        let http = Endpoint::Http {
            host: "localhost".to_owned(),
            port: 9000,
        };
        let agents = Agents::new(agent(http.clone()), vec![agent(http.at(8081))]);
        let chosen = |port| agents.choose(port);
        assert_eq!(chosen(None), Some(Chosen(0)));
        assert_eq!(chosen(Some(9000)), Some(Chosen(0)));
        assert_eq!(chosen(Some(8081)), Some(Chosen(1)));
        assert_eq!(chosen(Some(8082)), None);
        assert_eq!(agents.at(Chosen(1)).port, Some(8081));
        assert_eq!(agents.other_port(Chosen(0)), None);
        assert_eq!(agents.other_port(Chosen(1)), Some(8081));

        let agents = Agents::new(agent(Endpoint::Unix("/run/agent.sock".into())), Vec::new());
        assert_eq!(agents.choose(None), Some(Chosen(0)));
        assert_eq!(agents.choose(Some(80)), None);
    }
}
