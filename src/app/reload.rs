//! The policies in force: read, compiled, tried by their own tests, swapped in at once; and told of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task;

use crate::audit::{Generation, Note, PoliciesNote, PoliciesResult};
use crate::clock;
use crate::config::{self, Diagnostics, Policies, Watcher};
use crate::drain::Guard;
use crate::identity::{self, Authenticator, KeyStore};
use crate::policy::{PolicySet, Reads, Revocation};
use crate::proxy::card::AgentCards;
use crate::proxy::hygiene::Hygiene;
use crate::proxy::resource::ProtectedResource;
use crate::proxy::{Candidate, Proxy, Snapshot};
use crate::push::Hooks;
use crate::scan::{self, Detectors};
use crate::telemetry::ControlMetrics;

use super::StartError;
use super::judges::Judges;
use super::revocations::RevocationDesk;
use super::trial::Trial;

/// How much of the policies' hash names a generation: enough to tell apart all that a team ever writes.
const HASH_DIGITS: usize = 12;

/// Why policies that have no mistakes are not taken over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejected {
    #[error("{0:#}")]
    Detectors(#[from] anyhow::Error),
    #[error("the policies fail their tests:\n{0}")]
    Tests(String),
}

impl From<Rejected> for StartError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Detectors(error) => Self::Environment(error),
            Rejected::Tests(failures) => Self::Tests(failures),
        }
    }
}

/// Reads policies; what is doubtful in them is logged.
pub(super) fn load(path: &Path) -> Result<Policies, Diagnostics> {
    let policies = config::load_policies(path, scan::known_names())?;
    if !policies.warnings.is_empty() {
        tracing::warn!(diagnostics = %policies.warnings.render(false), "the policies load, with warnings");
    }
    Ok(policies)
}

/// Makes policies into snapshots.
pub(super) struct Compiler {
    pub(super) agent: Arc<str>,
    pub(super) keys: Arc<KeyStore>,
    pub(super) fingerprint_key: [u8; 32],
}

impl Compiler {
    /// Compiles, and plays the tests of the policies against what came out.
    pub(super) fn compile(
        &self,
        policies: Policies,
        number: u64,
        candidate: Option<Arc<Candidate>>,
    ) -> Result<Snapshot, Rejected> {
        let leaks = scan::Config {
            fingerprint_key: self.fingerprint_key,
            ..policies.leaks
        };
        let directions = policies.directions;
        let requests = leaks.clone().where_wanted(directions.requests);
        let answers = leaks.where_wanted(directions.answers);
        let mut judges = Judges::compile(policies.policy, policies.quotas, &answers)?;
        judges.policy = judges.policy.recording(policies.include);
        let request_detectors = match requests == answers {
            true => Arc::clone(&judges.detectors),
            false => {
                Arc::new(Detectors::compile(&requests).context("the detectors do not compile")?)
            }
        };
        let report = judges.rehearse(&self.agent, &policies.rehearsal, "");
        if report.failures().next().is_some() {
            return Err(Rejected::Tests(report.to_string()));
        }
        let (authenticator, reads) =
            self.beside(&judges.policy, &policies.identity, candidate.as_deref());
        Ok(Snapshot {
            generation: Generation {
                number,
                hash: short(&policies.generation),
            },
            authenticator: Arc::new(authenticator),
            policy: Arc::new(judges.policy),
            quotas: Arc::new(judges.quotas),
            detectors: judges.detectors,
            request_detectors,
            hygiene: Arc::new(Hygiene::compile(policies.http)),
            resource: policies
                .resource
                .map(|resource| Arc::new(ProtectedResource::new(resource))),
            cards: policies
                .card
                .map(|card| Arc::new(AgentCards::new(card, &self.keys))),
            hooks: policies.push.map(|push| Arc::new(Hooks::new(push))),
            candidate,
            reads,
            capture: policies.capture,
            decisions: policies.decisions,
        })
    }

    /// What has to be known of callers and calls where this candidate, or none, is judged beside a policy.
    pub(super) fn beside(
        &self,
        policy: &PolicySet,
        identity: &identity::Config,
        candidate: Option<&Candidate>,
    ) -> (Authenticator, Reads) {
        let reads = policy.reads().clone();
        let reads = match candidate {
            Some(candidate) => reads.and(candidate.reads()),
            None => reads,
        };
        let identity = identity::Config {
            claims: reads.claims.clone(),
            ..identity.clone()
        };
        (Authenticator::new(&identity, &self.keys), reads)
    }
}

/// What is in force, besides the compiled snapshot.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    /// The hash over its files.
    hash: String,
    identity: identity::Config,
    statements: BTreeSet<String>,
    files: usize,
    at: Timestamp,
}

impl Loaded {
    /// These policies, now.
    pub(super) fn now(policies: &Policies) -> Self {
        Self {
            hash: policies.generation.clone(),
            identity: policies.identity.clone(),
            statements: policies.statements.clone(),
            files: policies.files,
            at: clock::wall(),
        }
    }
}

/// The last attempt to load policies.
#[derive(Debug, Clone)]
struct Attempt {
    at: Timestamp,
    cause: &'static str,
    result: PoliciesResult,
    /// All that is wrong, as `lictor check` shows it.
    diagnostics: Option<String>,
}

/// Swaps in what changed, and keeps the last good policies when it is wrong.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) compiler: Compiler,
    pub(super) proxy: Arc<Proxy>,
    controls: ControlMetrics,
    revocations: Arc<RevocationDesk>,
    state: Mutex<(Loaded, Attempt)>,
    // One at a time, whoever asks.
    turn: Mutex<()>,
    /// What is on trial beside them.
    pub(super) trial: Mutex<Option<Trial>>,
}

impl Reloader {
    /// For policies that were loaded just now.
    pub(super) fn new(
        path: PathBuf,
        compiler: Compiler,
        proxy: Arc<Proxy>,
        controls: ControlMetrics,
        revocations: Arc<RevocationDesk>,
        loaded: Loaded,
    ) -> Self {
        let generation = proxy.snapshot().generation.clone();
        controls.policy_loaded(generation.number, loaded.at);
        let result = PoliciesResult::Loaded {
            added: loaded.statements.iter().cloned().collect(),
            removed: Vec::new(),
        };
        let attempt = Attempt {
            at: loaded.at,
            cause: "start",
            result: result.clone(),
            diagnostics: None,
        };
        proxy.parts().audit.note(Note::Policies(PoliciesNote {
            cause: "start",
            result,
            generation,
            previous: None,
        }));
        Self {
            path,
            compiler,
            proxy,
            controls,
            revocations,
            state: Mutex::new((loaded, attempt)),
            turn: Mutex::new(()),
            trial: Mutex::default(),
        }
    }

    /// Reloads at each change, and when the process is told to (SIGHUP).
    pub(super) async fn run(self: Arc<Self>, mut watcher: Watcher, mut guard: Guard) {
        let mut told = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::error!(%error, "SIGHUP cannot be listened for"))
            .ok();
        loop {
            let announced = tokio::select! {
                generation = watcher.changed() => Some(generation),
                () = hangup(told.as_mut()) => None,
                () = guard.draining() => return,
            };
            let reloader = Arc::clone(&self);
            // The tests of a policy may take seconds, and probes are answered meanwhile.
            let reloading = move || match announced {
                Some(generation) => reloader.reload("change", Some(&generation)),
                None => reloader.reload("signal", None),
            };
            if task::spawn_blocking(reloading).await.is_err() {
                tracing::error!("a bug ended the reload; the running policies stay");
            }
        }
    }

    /// Takes over what the files say now. `announced` is the generation that they must have: others were read in
    /// the middle of the next change, which will be announced.
    pub(super) fn reload(&self, cause: &'static str, announced: Option<&str>) {
        let _turn = self.turn();
        self.take_over(cause, announced);
    }

    /// Whose turn it is to change what is in force.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// [`reload`](Self::reload), for who has the turn.
    pub(super) fn take_over(&self, cause: &'static str, announced: Option<&str>) {
        let policies = match load(&self.path) {
            Ok(policies) if announced.is_some_and(|hash| *hash != policies.generation) => return,
            Ok(policies) => policies,
            Err(diagnostics) => {
                self.revocations.also(config::load_revocations(&self.path));
                let hash = announced.map_or_else(|| config::generation(&self.path), str::to_owned);
                return self.refused(
                    cause,
                    &hash,
                    &diagnostics.summary(),
                    diagnostics.render(false),
                );
            }
        };
        // At once, whatever the tests will say.
        self.revocations.also(policies.revocations.clone());
        if policies.generation == self.state().0.hash {
            return self.unchanged(cause, policies.revocations);
        }
        let running = self.proxy.snapshot().generation.clone();
        let (loaded, revocations) = (Loaded::now(&policies), policies.revocations.clone());
        let candidate = self
            .candidate()
            .filter(|candidate| candidate.hash != short(&loaded.hash));
        match self
            .compiler
            .compile(policies, running.number + 1, candidate)
        {
            Ok(snapshot) => {
                self.proxy.swap(snapshot);
                self.revocations.of_policies(revocations);
                self.end_trial_of(&loaded.hash);
                self.loaded(cause, loaded, running);
            }
            Err(rejected) => {
                let text = rejected.to_string();
                let problem = match &rejected {
                    Rejected::Detectors(error) => format!("{error:#}"),
                    Rejected::Tests(failures) => {
                        let last = failures.lines().last().unwrap_or_default();
                        format!("the policies fail their tests: {last}")
                    }
                };
                self.refused(cause, &loaded.hash, &problem, text);
            }
        }
    }

    fn loaded(&self, cause: &'static str, loaded: Loaded, previous: Generation) {
        let generation = self.proxy.snapshot().generation.clone();
        let names = |new: &BTreeSet<String>, old: &BTreeSet<String>| -> Vec<String> {
            new.difference(old).cloned().collect()
        };
        let before = self.state().0.statements.clone();
        let added = names(&loaded.statements, &before);
        let removed = names(&before, &loaded.statements);
        tracing::info!(
            policy.generation = generation.number,
            policy.hash = %generation.hash,
            cause,
            ?added,
            ?removed,
            "policies reloaded"
        );
        self.controls.policy_loaded(generation.number, loaded.at);
        let result = PoliciesResult::Loaded { added, removed };
        self.tell(cause, result, Some(previous), None);
        self.state().0 = loaded;
    }

    fn unchanged(&self, cause: &'static str, revocations: Vec<Revocation>) {
        self.revocations.of_policies(revocations);
        tracing::info!(cause, "the policies are those that run");
        self.controls.policy_confirmed();
        self.tell(cause, PoliciesResult::Unchanged, None, None);
    }

    fn refused(&self, cause: &'static str, hash: &str, problem: &str, diagnostics: String) {
        tracing::error!(
            policy.generation = self.proxy.snapshot().generation.number,
            cause,
            %diagnostics,
            "the changed policies are wrong; the running generation stays"
        );
        self.controls.policy_rejected();
        let result = PoliciesResult::Refused {
            attempted: short(hash),
            problem: Box::from(problem),
        };
        self.tell(cause, result, None, Some(diagnostics));
    }

    fn tell(
        &self,
        cause: &'static str,
        result: PoliciesResult,
        previous: Option<Generation>,
        diagnostics: Option<String>,
    ) {
        let generation = self.proxy.snapshot().generation.clone();
        self.proxy.parts().audit.note(Note::Policies(PoliciesNote {
            cause,
            result: result.clone(),
            previous: Some(previous.unwrap_or_else(|| generation.clone())),
            generation,
        }));
        self.state().1 = Attempt {
            at: clock::wall(),
            cause,
            result,
            diagnostics,
        };
    }

    /// Whether these are in force.
    pub(super) fn is_in_force(&self, hash: &str) -> bool {
        self.state().0.hash == hash
    }

    /// Who vouches for callers under the policies in force.
    pub(super) fn identity(&self) -> identity::Config {
        self.state().0.identity.clone()
    }

    fn state(&self) -> MutexGuard<'_, (Loaded, Attempt)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force, and what came of the last attempt to change it.
    pub(super) fn report(&self) -> serde_json::Value {
        let (loaded, attempt) = self.state().clone();
        let result = match attempt.result {
            PoliciesResult::Loaded { added, removed } => {
                serde_json::json!({ "result": "loaded", "added": added, "removed": removed })
            }
            PoliciesResult::Refused { attempted, problem } => serde_json::json!({
                "result": "refused",
                "attempted": &*attempted,
                "problem": &*problem,
                "diagnostics": attempt.diagnostics,
            }),
            PoliciesResult::Unchanged => serde_json::json!({ "result": "unchanged" }),
        };
        serde_json::json!({
            "generation": self.proxy.snapshot().generation.number,
            "hash": loaded.hash,
            "path": self.path.display().to_string(),
            "files": loaded.files,
            "loadedAt": loaded.at.to_string(),
            "lastAttempt": { "at": attempt.at.to_string(), "cause": attempt.cause, "outcome": result },
        })
    }
}

pub(super) fn short(hash: &str) -> Arc<str> {
    let short: String = hash.chars().take(HASH_DIGITS).collect();
    Arc::from(short)
}

async fn hangup(told: Option<&mut tokio::signal::unix::Signal>) {
    match told {
        Some(told) => {
            // `None` would mean that no more can come.
            if told.recv().await.is_none() {
                std::future::pending().await
            }
        }
        None => std::future::pending().await,
    }
}
