//! The composition root: an operator's settings become a running proxy, its addresses, its drain.

mod desk;
mod gauges;
mod judges;
mod listening;
mod reload;
mod remember;
mod revocations;
mod shared;
mod trial;
mod workers;
mod workload_api;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{self, JoinHandle};
use uuid::Uuid;

use crate::admin::{self, Admin, Condition, Control, Desk, Health};
use crate::audit::{self, Audit, OnFull, Origin};
use crate::clock;
use crate::config::{Diagnostics, Operator, PUBLIC, Watcher};
use crate::drain::{self, Drain, Guard};
use crate::identity::{Assertions, KeyStore};
use crate::ledger::Journal;
use crate::proxy::card::CardMemory;
use crate::proxy::{self, Agents, IdentityHeaders, Proxy};
use crate::push::Resolver;
use crate::quota::Store;
use crate::telemetry::{CallMetrics, ControlMetrics, Registry, TransportMetrics};
use crate::tls;
use crate::upstream::Endpoint;

use desk::PolicyDesk;
use gauges::Gauges;
pub use judges::Judges;
use listening::{Bound, Prepared};
use reload::{Compiler, Loaded, Reloader};
use revocations::RevocationDesk;
use shared::Shared;
use workers::{Serving, Workers};

/// How often certificates are looked at. Rotation happens days ahead of expiry, so this is soon.
const CERTIFICATE_POLL: Duration = Duration::from_secs(5);

/// Why lictor did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file, a port: the surroundings do not allow it.
    #[error(transparent)]
    Environment(#[from] anyhow::Error),
    /// The policies are wrong; the diagnostics show every place.
    #[error("the policies are wrong: {}", .0.summary())]
    Policies(Diagnostics),
    /// The policies do not decide what their tests say; the text names each test with its place.
    #[error("the policies fail their tests:\n{0}")]
    Tests(String),
}

/// A proxy that serves.
#[derive(Debug)]
pub struct Running {
    /// Where callers come in.
    pub public: SocketAddr,
    /// Where probes are answered.
    pub admin: SocketAddr,
    /// Where records go.
    pub audit: PathBuf,
    proxy: Arc<Proxy>,
    keys: Arc<KeyStore>,
    journal: Option<Journal>,
    draining: Control,
    calls: Drain,
    rest: Drain,
    deadline: Duration,
    workers: Workers,
    background: Vec<JoinHandle<()>>,
}

/// Starts everything: first what an author or operator may have got wrong, then ports, then work.
///
/// # Errors
/// When the policies are wrong, or a file or port cannot be had.
pub async fn start(operator: Operator) -> Result<Running, StartError> {
    let policies = reload::load(&operator.policies).map_err(StartError::Policies)?;
    if let Some(token) = &operator.admin.token {
        token.check().map_err(anyhow::Error::from)?;
    }
    let registry = Registry::new().map_err(anyhow::Error::from)?;
    let (issued, handed) = workload_api::open(&operator, &registry).await?;
    let prepared = Prepared::all(&operator, &issued)?;
    let client = client_tls(&operator, &issued)?;
    let fingerprint_key = fingerprint_key(&operator.state_dir)?;
    let metrics = Metrics::new(&registry)?;
    let audit = audit(&operator, &registry)?;
    let count = workers(&operator);
    let shared = shared::open(&operator, &registry)?;
    let owners = shared.as_ref().map(|shared| &shared.owners);
    let (agents, journal) = remember::agents(&operator, count, client.as_ref(), owners, &registry)?;
    let ports = operator.ports();
    let bind = |prepared| Bound::new(prepared, &ports, count);
    let mut bound = prepared
        .into_iter()
        .map(bind)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let public = bound.first().context("there is no data port")?;
    let redirect = listening::bind_redirect(&operator, public.server.as_ref())?;
    let public = public.address;
    let admin = Admin::bind(&operator.admin)
        .await
        .map_err(anyhow::Error::from)?;
    for bound in &bound {
        bound.announce_faults(&metrics.transport);
    }

    let keys = KeyStore::new(tokio::runtime::Handle::current());
    let (keys, shared) = match shared {
        None => (keys, None),
        Some(Shared {
            memory,
            condition,
            keep,
            owners: _,
        }) => (keys.remembering(memory), Some((condition, keep))),
    };
    let keys = Arc::new(keys);
    let compiler = Compiler {
        agent: Arc::from(operator.agent_name.as_str()),
        keys: Arc::clone(&keys),
        fingerprint_key,
    };
    let watcher = Watcher::new(&operator.policies, &policies.generation, operator.poll)
        .context("cannot watch the policies")?;
    let (loaded, revoked) = (Loaded::now(&policies), policies.revocations.clone());
    let snapshot = compiler.compile(policies, 1, None)?;

    let gauges = Gauges {
        listeners: listening::stats(&bound, redirect.as_ref()),
        keys: Arc::clone(&keys),
    };
    let names = &operator.identity_headers;
    let assertions = match names.assertion.clone() {
        None => None,
        Some(config) => {
            let opened = Assertions::open(config, &keys).await;
            Some(Arc::new(opened.map_err(anyhow::Error::from)?))
        }
    };
    let parts = proxy::Parts {
        assertions,
        agent: Arc::from(operator.agent_name.as_str()),
        audit,
        calls: metrics.calls,
        transport: metrics.transport.clone(),
        quota_store: Arc::new(Store::new(Store::DEFAULT_CAPACITY, clock::now())),
        agents,
        cards: CardMemory::default(),
        resolver: Resolver::default(),
        first_byte: operator.upstream.first_byte,
        identity_headers: IdentityHeaders {
            tenant: names.tenant.clone(),
            principal: names.principal.clone(),
            request_id: names.request_id.clone(),
            assertion: names
                .assertion
                .as_ref()
                .map(|assertion| assertion.header.clone()),
            passed: names.passed.clone(),
        },
    };
    let proxy = Arc::new(Proxy::new(snapshot, parts));
    let controls = metrics.controls.clone();
    let revocations = RevocationDesk::open(
        &operator.state_dir,
        revoked,
        Arc::clone(&proxy),
        controls.clone(),
    )?;
    let revocations = Arc::new(revocations);
    let reloader = Arc::new(Reloader::new(
        operator.policies.clone(),
        compiler,
        Arc::clone(&proxy),
        controls,
        Arc::clone(&revocations),
        loaded,
    ));
    if let Some(path) = operator.candidate.clone()
        && let Err(error) = reloader.try_out(path)
    {
        // It decides nothing, so that without it everything is as it was.
        tracing::error!(%error, "the candidate is not judged");
    }
    let mut health = Health::new(&registry).map_err(anyhow::Error::from)?;

    // Two drains: probes and metrics are answered while calls end.
    let (calls, guard) = drain::channel();
    let (rest, rest_guard) = drain::channel();
    let serve = |bound: &mut Bound| {
        let (sockets, front) = bound.open(&proxy);
        let handler = move |connection| front.clone().serve(connection);
        (sockets, handler)
    };
    if let Some((condition, keep)) = shared {
        health.ask("redis", condition);
        keep(rest_guard.clone())?;
    }
    let listening_for_svids = handed.map(|handed| {
        health.ask("svid", handed.condition);
        (handed.keep)(rest_guard.clone())
    });
    let workers = Workers::start(bound.iter_mut().map(serve).collect(), count, &guard)?;
    let redirecting = redirect.map(|(listener, redirect)| {
        let serve = move |connection| redirect.clone().serve(connection);
        let serving = listener.serve(guard.clone(), serve);
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the redirect listener cannot serve");
            }
        })
    });
    drop(guard);
    if let Some(written) = journal.clone() {
        health.ask("ledger", move || remember::condition(&written));
    }
    let draining = watch_controls(
        &mut health,
        &proxy,
        &keys,
        operator.audit.on_full,
        (workers.serving(), count),
    );
    let state = Arc::new(admin::State {
        health,
        names: Vec::new(),
        registry,
        jwks: told_keys(Arc::clone(&proxy)),
        desk: operator.admin.token.clone().map(|token| {
            let desk = PolicyDesk {
                reloader: Arc::clone(&reloader),
                revocations,
            };
            (token, Arc::new(desk) as Arc<dyn Desk>)
        }),
    });
    let admin_address = admin.address();
    let mut background = vec![
        tokio::spawn(reloader.run(watcher, rest_guard.clone())),
        tokio::spawn(gauges.run(
            Arc::clone(&proxy),
            metrics.transport,
            metrics.controls.clone(),
            rest_guard.clone(),
        )),
        tokio::spawn(admin.serve(state, rest_guard.clone())),
    ];
    background.extend(redirecting);
    background.extend(listening_for_svids);
    for bound in bound {
        if &*bound.name != PUBLIC {
            tracing::info!(listener = %bound.name, addr = %bound.address, "listening");
        }
        if let Some(server) = bound.server {
            background.push(tokio::spawn(reload_certificates(
                move || server.reload(),
                metrics.controls.clone(),
                rest_guard.clone(),
            )));
        }
    }
    if let Some(probes) = operator.upstream.health.clone() {
        for agent in proxy.parts().agents.all() {
            let watch = agent
                .upstream
                .clone()
                .watch(probes.clone(), rest_guard.clone());
            background.push(tokio::spawn(watch));
        }
    }
    if let Some(client) = client {
        background.push(tokio::spawn(reload_certificates(
            move || client.reload(),
            metrics.controls,
            rest_guard,
        )));
    }
    tracing::info!(
        public.addr = %public,
        admin.addr = %admin_address,
        policy.hash = %proxy.snapshot().generation.hash,
        "lictor is ready"
    );
    Ok(Running {
        public,
        admin: admin_address,
        audit: operator.audit.path.clone(),
        proxy,
        keys,
        journal,
        draining,
        calls,
        rest,
        deadline: listening::drain_time(&operator),
        workers,
        background,
    })
}

impl Running {
    /// Waits until the process is asked to stop (SIGTERM, SIGINT), then drains. A second signal cuts what
    /// is in flight.
    pub async fn stopped(self) {
        asked_to_stop().await;
        tracing::info!(deadline = ?self.deadline, "draining; a second signal ends the process at once");
        tokio::select! {
            () = self.stop() => tracing::info!("drained"),
            () = asked_to_stop() => tracing::warn!("ended by a second signal; work in flight was cut"),
        }
    }

    /// Not ready, no new connections, work in flight ends or the deadline passes, records are written.
    pub async fn stop(self) {
        self.draining
            .set(Condition::Unready("lictor is draining".into()));
        if !self.calls.drain(self.deadline).await {
            tracing::warn!("calls in flight were cut at the drain deadline");
        }
        // Ends the connections that are left; their calls' records are closed by their guards.
        self.workers.abort().await;
        if let Err(unwritten) = self.proxy.parts().audit.shutdown(LAST_RECORDS).await {
            tracing::error!(path = %self.audit.display(), error = %unwritten, "the audit trail is not complete");
        }
        if let Some(journal) = &self.journal
            && !journal.shutdown(LAST_RECORDS).await
        {
            tracing::error!("the ledger is not complete; some tasks and sessions will be nobody's");
        }
        self.keys.shutdown().await;
        let _still_open = self.proxy.parts().agents.close(LAST_RECORDS).await;
        let _still_held = self.rest.drain(LAST_RECORDS).await;
        for task in &self.background {
            task.abort();
        }
    }
}

/// The keys by which others verify what lictor says: of callers, and of the agent. None of either is `None`.
fn told_keys(proxy: Arc<Proxy>) -> admin::Jwks {
    Box::new(move || {
        let asserted = proxy.parts().assertions.as_ref();
        let asserted = asserted.map(|assertions| assertions.public_keys(clock::wall()));
        let mut keys = asserted.unwrap_or_default();
        let snapshot = proxy.snapshot();
        let card = snapshot.cards.as_ref().and_then(|cards| cards.public_jwk());
        keys.extend(card.map(serde_json::Value::Object));
        (!keys.is_empty()).then(|| serde_json::json!({ "keys": keys }).to_string())
    })
}

/// One worker for each processor that we may use, unless the operator says how many.
fn workers(operator: &Operator) -> NonZeroUsize {
    operator
        .workers
        .unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// How long the end of the process waits for a disk.
const LAST_RECORDS: Duration = Duration::from_secs(5);

async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        // Without handlers the signals' own action ends the process, undrained.
        tracing::error!("cannot listen for signals; stopping will not drain");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// What is counted, by room.
struct Metrics {
    calls: CallMetrics,
    transport: TransportMetrics,
    controls: ControlMetrics,
}

impl Metrics {
    fn new(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self {
            calls: CallMetrics::new(registry)?,
            transport: TransportMetrics::new(registry)?,
            controls: ControlMetrics::new(registry)?,
        })
    }
}

fn audit(operator: &Operator, registry: &Registry) -> anyhow::Result<Audit> {
    let origin = Origin {
        instance: Arc::from(Uuid::now_v7().simple().to_string()),
        agent: Arc::from(operator.agent_name.as_str()),
    };
    Ok(Audit::start(
        &operator.audit,
        origin,
        audit::Metrics::new(registry)?,
    )?)
}

/// Readiness asks the rooms whenever somebody asks for it.
fn watch_controls(
    health: &mut Health,
    proxy: &Arc<Proxy>,
    keys: &Arc<KeyStore>,
    on_full: OnFull,
    (serving, started): (Serving, NonZeroUsize),
) -> Control {
    let audited = Arc::clone(proxy);
    health.ask("audit", move || {
        audit_condition(audited.parts().audit.state(), on_full)
    });
    let keys = Arc::clone(keys);
    health.ask("keys", move || keys_condition(&keys));
    let asking = Arc::clone(proxy);
    health.ask("agent", move || agents_condition(&asking.parts().agents));
    health.ask("workers", move || {
        workers_condition(serving.count(), started)
    });
    health.control("drain", Condition::Ready)
}

/// An agent that is not asked is a reason to look; calls hear it by name.
fn agents_condition(agents: &Agents) -> Condition {
    let troubled = agents.all().filter_map(|agent| {
        let why = agent.upstream.state().trouble?;
        Some(match agent.port {
            Some(port) if agents.all().count() > 1 => {
                format!("the agent at port {port} is not asked: {why}")
            }
            Some(_) | None => format!("the agent is not asked: {why}"),
        })
    });
    let why: Vec<_> = troubled.collect();
    match why.is_empty() {
        true => Condition::Ready,
        false => Condition::Degraded(why.join("; ").into()),
    }
}

/// A worker that ended by itself is a bug of ours; what the others serve is served as before.
fn workers_condition(serving: usize, started: NonZeroUsize) -> Condition {
    let why = || format!("{serving} of {started} workers serve; restart lictor");
    match serving {
        0 => Condition::Unready(why().into()),
        serving if serving < started.get() => Condition::Degraded(why().into()),
        _ => Condition::Ready,
    }
}

fn audit_condition(state: audit::State, on_full: OnFull) -> Condition {
    let why = match state {
        audit::State::Failing { since, error } => format!("{error}; since {since}"),
        audit::State::Full { records } => format!("{records} records wait, and no more can"),
        audit::State::Healthy => return Condition::Ready,
    };
    match on_full {
        OnFull::Deny => Condition::Unready(why.into()),
        OnFull::Drop => Condition::Degraded(why.into()),
    }
}

fn keys_condition(keys: &KeyStore) -> Condition {
    let states = keys.state();
    let why = |source: &str, error: Option<&str>| {
        format!("keys of `{source}`: {}", error.unwrap_or("not loaded yet"))
    };
    if let Some(state) = states.iter().find(|state| !state.is_loaded()) {
        return Condition::Unready(why(&state.source, state.error.as_deref()).into());
    }
    let stale = states.iter().find(|state| state.stale_since.is_some());
    stale.map_or(Condition::Ready, |state| {
        Condition::Degraded(why(&state.source, state.error.as_deref()).into())
    })
}

/// How an `https://` agent is spoken to.
fn client_tls(operator: &Operator, issued: &tls::Issued) -> anyhow::Result<Option<tls::Client>> {
    match operator.upstream.endpoint {
        Endpoint::Https { .. } => {
            let client = tls::Client::load(&operator.upstream_tls, issued);
            client.map(Some).context("cannot speak TLS to the agent")
        }
        Endpoint::H2c { .. } | Endpoint::Http { .. } | Endpoint::Unix(_) => Ok(None),
    }
}

async fn reload_certificates(
    reload: impl Fn() -> Result<bool, tls::TlsError> + Send + Sync + 'static,
    controls: ControlMetrics,
    mut guard: Guard,
) {
    let reload = Arc::new(reload);
    let mut last_error = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATE_POLL) => {}
            () = guard.draining() => return,
        }
        let reading = Arc::clone(&reload);
        let Ok(reloaded) = task::spawn_blocking(move || reading()).await else {
            continue;
        };
        match reloaded.map_err(|error| error.to_string()) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("certificates reloaded");
                controls.tls_reloaded(true);
                last_error = None;
            }
            // The files are looked at again and again; one message for one fact.
            Err(error) if last_error.as_ref() != Some(&error) => {
                tracing::error!(%error, "the changed certificates are wrong; the running ones stay");
                controls.tls_reloaded(false);
                last_error = Some(error);
            }
            Err(_) => {}
        }
    }
}

/// The key of the findings' fingerprints. It is kept, so that the same secret has the same fingerprint
/// after a restart.
fn fingerprint_key(folder: &Path) -> anyhow::Result<[u8; 32]> {
    let path = folder.join("fingerprint.key");
    match fs::read(&path) {
        Ok(bytes) => {
            return bytes.try_into().map_err(|_| {
                anyhow!(
                    "`{}` is not 32 bytes long; move it away, and a new one is made",
                    path.display()
                )
            });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
    }
    fs::create_dir_all(folder).with_context(|| {
        format!(
            "cannot make the state folder `{}`; name another with --state-dir",
            folder.display()
        )
    })?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| anyhow!("the system gives no random bytes"))?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| {
            format!(
                "cannot write `{}`; is the state folder writable?",
                path.display()
            )
        })?;
    file.write_all(&key)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(key)
}
