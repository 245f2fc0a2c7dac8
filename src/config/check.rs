//! Everything that can be known of files without running: the whole of `lictor check`.

use std::fs;
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostics;
use super::language::operator::OPERATOR;
use super::language::policy::POLICY;
use super::operator::{Operator, inspect_operator};
use super::tree::Kind;
use super::{Policies, compile, folder, tree};

/// Reads what these paths name, and says all that is wrong or doubtful with it. Files of policies, and folders of
/// them, add up to one policy. A file that looks like `lictor.yaml` is judged as that, and so are the policies
/// that it names; what is named besides and lies there is not judged a second time. `known_detectors` is as for [`super::load_policies`].
pub fn check(paths: &[PathBuf], known_detectors: &[&str]) -> Diagnostics {
    let (operators, policies): (Vec<_>, Vec<_>) = paths.iter().partition(|path| is_operators(path));
    let mut report = Diagnostics::default();
    let mut judged = Vec::new();
    for path in &operators {
        judged.extend(check_operator(path, known_detectors, &mut report));
    }
    let policies: Vec<_> = policies
        .iter()
        .map(|path| path.as_path())
        .filter(|path| !lies_in(path, &judged))
        .collect();
    if !policies.is_empty() {
        let policies = folder::read_all(policies.into_iter());
        report.absorb(doubts(compile(policies, known_detectors)));
    }
    report
}

/// Reads what these paths name as [`check`] does, and makes one policy of it; with what an operator's file among them
/// says.
///
/// # Errors
/// All mistakes of all files.
pub fn load_named(
    paths: &[PathBuf],
    known_detectors: &[&str],
) -> Result<(Policies, Option<Operator>), Diagnostics> {
    let mut named = None;
    let mut policies = Vec::new();
    for path in paths {
        if !is_operators(path) {
            policies.push(path.clone());
            continue;
        }
        let (operator, diagnostics) = inspect_operator(path);
        match operator {
            Some(operator) if diagnostics.errors() == 0 => {
                policies.push(operator.policies.clone());
                named = Some(operator);
            }
            Some(_) | None => return Err(diagnostics),
        }
    }
    let contents = folder::read_all(policies.iter().map(PathBuf::as_path));
    Ok((compile(contents, known_detectors)?, named))
}

/// Returns the policies that were judged with it.
fn check_operator(
    path: &Path,
    known_detectors: &[&str],
    report: &mut Diagnostics,
) -> Option<PathBuf> {
    let (operator, diagnostics) = inspect_operator(path);
    let is_wrong = diagnostics.errors() > 0;
    report.absorb(diagnostics);
    let policies = operator?.policies;
    // Where the file has mistakes, this may be one: then what is not there is not another.
    if is_wrong && !policies.exists() {
        return None;
    }
    report.absorb(doubts(compile(folder::read(&policies), known_detectors)));
    policies.canonicalize().ok()
}

fn lies_in(path: &Path, folders: &[PathBuf]) -> bool {
    let place = path.canonicalize();
    place.is_ok_and(|place| folders.iter().any(|folder| place.starts_with(folder)))
}

fn doubts(policies: Result<Policies, Diagnostics>) -> Diagnostics {
    match policies {
        Ok(policies) => policies.warnings,
        Err(errors) => errors,
    }
}

/// Whether a file has more in common with `lictor.yaml` than with a policy, by the names of its sections. Only
/// files that are named themselves are asked: a folder is one of policies, as when it is loaded.
fn is_operators(path: &Path) -> bool {
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    let mut unread = Diagnostics::default();
    let sources = folder::read(path).sources;
    let Some(root) = sources
        .first()
        .and_then(|source| tree::parse(0, &source.text, &mut unread))
    else {
        return false;
    };
    let Kind::Map(entries) = &*root.kind else {
        return false;
    };
    let of_one = |name: &str| match (OPERATOR.field(name), POLICY.field(name)) {
        (Some(_), None) => 1,
        (None, Some(_)) => -1,
        (Some(_), Some(_)) | (None, None) => 0,
    };
    let sum: i32 = entries.iter().map(|entry| of_one(&entry.key.text)).sum();
    sum > 0
}
