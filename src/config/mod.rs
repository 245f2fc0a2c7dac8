//! Text that people write becomes each room's checked config.
//!
//! Owns reading YAML ([`load_policies`], [`load_operator`]), every message about what is wrong with it
//! ([`Diagnostics`]), and noticing that files changed ([`Watcher`]). Leaves to others: what the settings
//! do. Reports all mistakes of all files in one run. Must not echo a secret, must not let a part of the
//! language through that no room enforces, and is imported by no room of the data path.

mod beside;
mod catalogue;
mod check;
mod decode;
mod diagnostic;
mod folder;
mod language;
mod operator;
mod policy;
mod report;
mod source;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod watch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use catalogue::Example;
pub use check::{check, load_named};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use language::Document;
pub use operator::{
    DEFAULT_AGENT, HeaderNames, Listening, LogFormat, LogLevel, Logs, Operator, OperatorError,
    PUBLIC, REDIRECT, load_operator, socket_path,
};
pub use report::{Format, reference};
pub use watch::Watcher;

use crate::audit::{Capture, Decisions};
use crate::proxy::{card, hygiene, resource};
use crate::{identity, policy as rules, push, quota, rehearsal, scan};

/// What all policy files together say.
#[derive(Debug)]
pub struct Policies {
    /// For `policy::PolicySet::compile`.
    pub policy: rules::Config,
    /// For `quota::Quotas::compile`.
    pub quotas: quota::Config,
    /// For `identity`.
    pub identity: identity::Config,
    /// For `scan`. The fingerprint key is zero: it is state and no policy, so the caller puts it in.
    pub leaks: scan::Config,
    /// Which way that is looked for.
    pub directions: scan::Directions,
    /// For `proxy::hygiene::Hygiene::compile`.
    pub http: hygiene::Config,
    /// Where clients find out who issues tokens.
    pub resource: Option<resource::Config>,
    /// What callers are told of the agent.
    pub card: Option<card::Config>,
    /// Where news may be pushed to; `None` is anywhere.
    pub push: Option<push::Config>,
    /// For `audit`: what records hold besides what they always hold.
    pub capture: Capture,
    /// For `audit`: of which calls there are records.
    pub decisions: Decisions,
    /// For `policy::PolicySet::recording`: what is recorded whether a condition reads it or not.
    pub include: rules::Reads,
    /// For `rehearsal::run`: what the policy must decide.
    pub rehearsal: rehearsal::Config,
    /// Who and what must not go on.
    pub revocations: Vec<rules::Revocation>,
    /// What it says, by kind and name: `rule no-exports`.
    pub statements: BTreeSet<String>,
    /// BLAKE3 of all files' paths and contents, in hex: names this version of the policy.
    pub generation: String,
    /// How many files were read.
    pub files: usize,
    /// How many roles and rules they hold.
    pub rules: usize,
    /// What loads and is doubtful.
    pub warnings: Diagnostics,
}

/// Reads a policy file, or all `*.yaml` and `*.yml` below a folder; hidden names are skipped and the
/// order of names says nothing. `known_detectors` are the names that `leaks.packs` may use, as
/// `pack.detector`.
///
/// # Errors
/// All mistakes of all files. Nothing of a policy with a mistake is used.
pub fn load_policies(path: &Path, known_detectors: &[&str]) -> Result<Policies, Diagnostics> {
    compile(folder::read(path), known_detectors)
}

/// Reads the revocations of those policy files that are YAML, whatever else is wrong with them or with others:
/// who revokes somebody cannot wait until a colleague's typo is mended. A revocation that is itself wrong is
/// left out.
pub fn load_revocations(path: &Path) -> Vec<rules::Revocation> {
    let mut report = Diagnostics {
        sources: folder::read(path).sources,
        ..Diagnostics::default()
    };
    let files = report.sources.iter().map(|source| source.text.clone());
    let files: Vec<_> = (0..).zip(files).collect();
    let mut revocations = Vec::new();
    for (file, text) in files {
        if let Some(root) = tree::parse(file, &text, &mut report) {
            revocations.extend(policy::revocations(&root, &mut report));
        }
    }
    revocations
}

/// Whether authors could name a statement so.
pub fn is_name(text: &str) -> bool {
    policy::is_name(text)
}

/// The files that a policy at this path consists of.
pub fn policy_files(path: &Path) -> Vec<PathBuf> {
    folder::files(path)
}

/// Names what the policy files say now, as [`Policies::generation`] does; also of files that are wrong.
pub fn generation(path: &Path) -> String {
    folder::generation(path)
}

/// Reads policy text that lies in no file, as `name`.
///
/// # Errors
/// As [`load_policies`].
pub fn parse_policy(
    name: &str,
    text: &str,
    known_detectors: &[&str],
) -> Result<Policies, Diagnostics> {
    compile(folder::Contents::of_text(name, text), known_detectors)
}

fn compile(contents: folder::Contents, known_detectors: &[&str]) -> Result<Policies, Diagnostics> {
    let generation = contents.generation();
    let mut report = Diagnostics::default();
    for failure in contents.failures {
        report.push(failure);
    }
    report.sources = contents.sources;
    let files = report.sources.len();
    let mut draft = policy::Draft::default();
    for file in 0..files {
        let Some(text) = report.sources.get(file).map(|source| source.text.clone()) else {
            continue;
        };
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        let before = report.errors();
        let root = tree::parse(file, &text, &mut report);
        // What is no YAML is not also a policy without a version.
        if root.is_some() || report.errors() == before {
            draft.read(file, root.as_ref(), &mut report);
        }
    }
    let checked = draft.check(known_detectors, &mut report);
    report.sort();
    if report.errors() > 0 {
        return Err(report);
    }
    Ok(Policies {
        policy: checked.policy,
        quotas: checked.quotas,
        identity: checked.identity,
        leaks: checked.leaks,
        directions: checked.directions,
        http: checked.http,
        resource: checked.resource,
        card: checked.card,
        push: checked.push,
        capture: checked.capture,
        decisions: checked.decisions,
        include: checked.include,
        rehearsal: checked.rehearsal,
        revocations: checked.revocations,
        statements: checked.statements,
        generation,
        files,
        rules: checked.rules,
        warnings: report,
    })
}

/// Bytes to a compiled policy, for the fuzzer: any bytes give a policy or diagnostics that render.
#[doc(hidden)]
pub fn fuzz_policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match parse_policy("fuzz.yaml", text, &["credentials.github-pat"]) {
        Ok(policies) => {
            let _set = rules::PolicySet::compile(policies.policy);
            let _quotas = quota::Quotas::compile(policies.quotas);
            let _hygiene = hygiene::Hygiene::compile(policies.http);
        }
        Err(diagnostics) => {
            let _text = diagnostics.render(false);
        }
    }
}
