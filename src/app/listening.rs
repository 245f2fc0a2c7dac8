//! The ports where callers are served, and the one that leads to TLS.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::config::{Listening, Operator, PUBLIC, REDIRECT};
use crate::listener::{self, Listener, ListenerStats};
use crate::proxy::{self, Front, Proxy, Redirect, Versions};
use crate::telemetry::TransportMetrics;
use crate::tls;

/// The certificates of one listener are good.
pub(super) struct Prepared<'a> {
    listening: &'a Listening,
    pub(super) server: Option<tls::Server>,
}

impl<'a> Prepared<'a> {
    /// Reads the certificates of all listeners, the data port first.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(super) fn all(operator: &'a Operator, issued: &tls::Issued) -> anyhow::Result<Vec<Self>> {
        let prepared = operator.listeners().map(|listening| {
            let tls = listening.tls.as_ref();
            let server = tls.map(|config| tls::Server::load(config, issued));
            let server = server.transpose()?;
            Ok(Self { listening, server })
        });
        prepared.collect()
    }
}

/// One listener, bound for each worker.
pub(super) struct Bound {
    pub(super) name: Arc<str>,
    pub(super) address: SocketAddr,
    pub(super) stats: Arc<ListenerStats>,
    pub(super) server: Option<tls::Server>,
    sockets: Vec<Listener>,
    versions: Versions,
    config: Arc<listener::Config>,
}

impl Bound {
    /// Binds what was prepared. `ports` may be reached through a transparent one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(super) fn new(
        prepared: Prepared<'_>,
        ports: &[u16],
        workers: NonZeroUsize,
    ) -> anyhow::Result<Self> {
        let Prepared { listening, server } = prepared;
        let config = listener::Config {
            // Over TLS a word would cost a handshake.
            farewell: server.is_none().then(proxy::no_place),
            ports: ports.into(),
            ..listening.listener.clone()
        };
        let sockets = Listener::bind_each(&config, workers)?;
        let first = sockets.first().context("there is no worker")?;
        Ok(Self {
            name: Arc::clone(&listening.name),
            address: first.local_addr().context("a port has no address")?,
            stats: first.stats(),
            server,
            versions: Versions::of(&listening.versions),
            config: Arc::new(config),
            sockets,
        })
    }

    /// Its sockets, one for each worker, and what its connections have in common.
    pub(super) fn open(&mut self, proxy: &Arc<Proxy>) -> (Vec<Listener>, Front) {
        let front = Front {
            proxy: Arc::clone(proxy),
            noted: (&*self.name != PUBLIC).then(|| Arc::clone(&self.name)),
            name: Arc::clone(&self.name),
            tls: self.server.as_ref().map(tls::Server::acceptor),
            versions: self.versions,
            config: Arc::clone(&self.config),
        };
        (std::mem::take(&mut self.sockets), front)
    }

    /// Makes the failures of its handshakes known at zero, so that the first of a kind is seen as an increase.
    pub(super) fn announce_faults(&self, transport: &TransportMetrics) {
        if self.server.is_some() {
            for fault in tls::HandshakeFault::ALL {
                transport.tls_handshake_errors(&self.name, fault.as_str());
            }
        }
    }
}

/// The port that leads to the TLS of the data port, if the operator wants one. It serves beside the probes: what it
/// does is little.
///
/// # Errors
/// When there is no such TLS, or the address cannot be had.
pub(super) fn bind_redirect(
    operator: &Operator,
    server: Option<&tls::Server>,
) -> anyhow::Result<Option<(Listener, Redirect)>> {
    let Some(config) = &operator.redirect else {
        return Ok(None);
    };
    let server = server.context("there is no TLS to redirect to")?;
    let listening = listener::Config {
        farewell: Some(proxy::no_place()),
        ..config.listener.clone()
    };
    let listener = Listener::bind(&listening)?;
    let redirect = Redirect {
        names: server.names(),
        port: config.port,
        config: Arc::new(listening),
    };
    Ok(Some((listener, redirect)))
}

/// What all listeners count, by name.
pub(super) fn stats(
    bound: &[Bound],
    redirect: Option<&(Listener, Redirect)>,
) -> Vec<(Arc<str>, Arc<ListenerStats>)> {
    let serving = bound.iter();
    let serving = serving.map(|it| (Arc::clone(&it.name), Arc::clone(&it.stats)));
    let redirect = redirect.map(|(listener, _)| (REDIRECT.into(), listener.stats()));
    serving.chain(redirect).collect()
}

/// How long all of them may take to drain: as long as the most patient one.
pub(super) fn drain_time(operator: &Operator) -> Duration {
    let times = operator.listeners();
    let times = times.map(|it| it.listener.deadlines.drain);
    times.max().unwrap_or_default()
}
