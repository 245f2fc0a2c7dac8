//! Policies on trial: judged beside those in force, on live calls, until they are promoted or dropped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock;
use crate::config;
use crate::proxy::{Candidate, Difference, Snapshot, Statement};
use crate::replacement::Replacement;
use crate::scan;

use super::judges::Judges;
use super::reload::{Reloader, short};

/// What is on trial.
pub(super) struct Trial {
    path: PathBuf,
    hash: String,
    since: Timestamp,
    candidate: Arc<Candidate>,
}

/// Why policies do not go on trial, or do not pass it.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrialError {
    /// They were changed, and what came of it was not tried.
    #[error("`{0}` has changed since its trial began; try it again before you promote it")]
    Changed(String),
    /// They have mistakes.
    #[error("the candidate is wrong:\n{0}")]
    Diagnostics(String),
    /// The form names nothing.
    #[error("{0}")]
    Form(String),
    /// Their files cannot be written where those in force lie.
    #[error("cannot write to `{path}`: {source}; change the policies where they come from")]
    Install {
        /// Where.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something else than lictor looks after the files.
    #[error(
        "`{0}` is kept by links, as Kubernetes keeps a ConfigMap; change the policies where they come from"
    )]
    Linked(String),
    /// Nothing is on trial.
    #[error("nothing is on trial")]
    NoTrial,
    /// They are what is in force.
    #[error("the candidate says what is in force already")]
    Same,
    /// They do not decide what their own tests say.
    #[error("the candidate fails its tests:\n{0}")]
    Tests(String),
    /// A file cannot take the place of a folder.
    #[error("the candidate and the policies in force must both be a file, or both a folder")]
    Unlike,
}

impl Reloader {
    /// Puts the policies at this path on trial, in the place of those that were.
    pub(super) fn try_out(&self, path: PathBuf) -> Result<(), TrialError> {
        let _turn = self.turn();
        let policies = config::load_policies(&path, scan::known_names())
            .map_err(|diagnostics| TrialError::Diagnostics(diagnostics.render(false)))?;
        if self.is_in_force(&policies.generation) {
            return Err(TrialError::Same);
        }
        let hash = policies.generation;
        let judges = Judges::compile(policies.policy, policies.quotas, &policies.leaks)
            .map_err(|error| TrialError::Diagnostics(format!("{error:#}")))?;
        let report = judges.rehearse(&self.compiler.agent, &policies.rehearsal, "");
        if report.failures().next().is_some() {
            return Err(TrialError::Tests(report.to_string()));
        }
        let candidate = Arc::new(Candidate::new(short(&hash), judges.policy));
        tracing::info!(path = %path.display(), hash = %candidate.hash, "policies are on trial");
        *self.trial() = Some(Trial {
            path,
            hash,
            since: clock::wall(),
            candidate,
        });
        self.reseat();
        Ok(())
    }

    /// Ends the trial.
    pub(super) fn drop_trial(&self) -> Result<(), TrialError> {
        let _turn = self.turn();
        self.trial().take().ok_or(TrialError::NoTrial)?;
        tracing::info!("the policies on trial are dropped");
        self.reseat();
        Ok(())
    }

    /// Writes the files that are on trial over those in force, and takes them over.
    pub(super) fn promote(&self) -> Result<(), TrialError> {
        let _turn = self.turn();
        let (path, hash) = match &*self.trial() {
            Some(trial) => (trial.path.clone(), trial.hash.clone()),
            None => return Err(TrialError::NoTrial),
        };
        if config::generation(&path) != hash {
            return Err(TrialError::Changed(path.display().to_string()));
        }
        install(&path, &self.path)?;
        self.take_over("promote", None);
        Ok(())
    }

    /// The trial is over when what was tried is in force.
    pub(super) fn end_trial_of(&self, hash: &str) {
        let mut trial = self.trial();
        if trial.as_ref().is_some_and(|trial| trial.hash == hash) {
            tracing::info!("the policies that were on trial are in force");
            *trial = None;
        }
    }

    /// What is judged beside the policies in force.
    pub(super) fn candidate(&self) -> Option<Arc<Candidate>> {
        let trial = self.trial();
        trial.as_ref().map(|trial| Arc::clone(&trial.candidate))
    }

    /// How the trial goes.
    pub(super) fn trial_report(&self) -> Result<Value, TrialError> {
        let trial = self.trial();
        let trial = trial.as_ref().ok_or(TrialError::NoTrial)?;
        let differences = trial.candidate.differences();
        let of = |effect: &str| -> u64 {
            let counts = differences.by_statement.iter();
            counts
                .filter(|(statement, _)| statement.effect == effect)
                .map(|(_, count)| count)
                .sum()
        };
        let by_statement = differences.by_statement.iter().map(|(statement, count)| {
            json!({
                "effect": statement.effect,
                "rule": &*statement.name,
                "place": statement.place,
                "count": count,
            })
        });
        Ok(json!({
            "path": trial.path.display().to_string(),
            "hash": trial.hash,
            "since": trial.since.to_string(),
            "judged": trial.candidate.judged(),
            "wouldDeny": of("deny"),
            "wouldAllow": of("allow"),
            "byStatement": by_statement.collect::<Vec<_>>(),
            "last": differences.last.iter().rev().map(tell).collect::<Vec<_>>(),
        }))
    }

    /// Has the policies in force judge beside what is on trial now.
    fn reseat(&self) {
        let snapshot = Arc::unwrap_or_clone(self.proxy.snapshot());
        let (identity, candidate) = (self.identity(), self.candidate());
        let (authenticator, reads) =
            self.compiler
                .beside(&snapshot.policy, &identity, candidate.as_deref());
        self.proxy.swap(Snapshot {
            authenticator: Arc::new(authenticator),
            candidate,
            reads,
            ..snapshot
        });
    }

    fn trial(&self) -> MutexGuard<'_, Option<Trial>> {
        self.trial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(difference: &Difference) -> Value {
    let Statement {
        effect,
        name,
        place,
    } = &difference.statement;
    json!({
        "decisionId": difference.decision.to_string(),
        "at": difference.at.to_string(),
        "caller": difference.caller,
        "action": difference.action,
        "effect": effect,
        "rule": &**name,
        "place": place,
    })
}

/// Writes the files of one policy over those of another. All are written beside first, so that what can fail
/// fails before anything is replaced.
fn install(from: &Path, to: &Path) -> Result<(), TrialError> {
    if from.is_dir() != to.is_dir() {
        return Err(TrialError::Unlike);
    }
    let (new, old) = (files(from), files(to));
    if let Some(linked) = old.values().find(|path| path.is_symlink()) {
        return Err(TrialError::Linked(linked.display().to_string()));
    }
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| TrialError::Install { path, source }
    };
    let place = |name: &Path| match name.as_os_str().is_empty() {
        true => to.to_owned(),
        false => to.join(name),
    };
    let mut written = Vec::new();
    for (name, path) in &new {
        let place = place(name);
        let write = || Replacement::write(&place, &fs::read(path)?, path);
        written.push(write().map_err(failed(&place))?);
    }
    for replacement in written {
        let failed = failed(replacement.place());
        replacement.commit().map_err(failed)?;
    }
    for (_, path) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        fs::remove_file(path).map_err(failed(path))?;
    }
    Ok(())
}

/// The policy files below a folder, by their place in it.
fn files(root: &Path) -> BTreeMap<PathBuf, PathBuf> {
    let name = |path: PathBuf| (path.strip_prefix(root).unwrap_or(&path).to_owned(), path);
    config::policy_files(root).into_iter().map(name).collect()
}
