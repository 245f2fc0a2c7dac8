//! Audit records become questions that can be asked again.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use http::{Method, Uri};

use crate::audit::read::{Asked, Call, Captured, Unfit};
use crate::config::Policies;
use crate::model::{Action, Dialect, Ownership, Protocol};
use crate::policy::TOOL;
use crate::policy::condition::Attribute;
use crate::protocol;
use crate::proxy::hygiene::Paths;
use crate::rehearsal::{Known, Past, Scene, was_allowed};

/// Why a record does not give a question to these policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum Unusable {
    /// They would not get as far as deciding.
    #[error("these policies refuse its path before they decide")]
    Path,
    #[error(transparent)]
    Record(#[from] Unfit),
}

/// What becomes of a path before it is judged.
pub(super) fn paths(policies: &Policies) -> Paths {
    policies.http.paths
}

/// A file of audit records, or standard input.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::with_capacity(
        BUFFER_BYTES,
        File::open(path)?,
    )))
}

/// A buffer that a few hundred lines fit into.
const BUFFER_BYTES: usize = 256 * 1024;

/// The decision of a record.
pub(super) fn past(record: &Call, paths: Paths) -> Result<Past, Unusable> {
    let asked = record.asked()?;
    let allowed = was_allowed(asked.reason, asked.passed);
    let known = known(record.captured.as_ref(), &asked, record.method.as_deref());
    let http = plain(record, &asked.call.action, paths)?;
    let Asked {
        caller,
        mut call,
        facts,
        source,
        at,
        ..
    } = asked;
    call.http = http;
    let scene = Scene::new(&record.agent, caller, call.action.clone());
    Ok(Past {
        scene: Scene {
            call,
            facts,
            source,
            at,
            ..scene
        },
        known,
        allowed,
    })
}

/// The plain HTTP request that carried the action, where it is not that itself.
fn plain(record: &Call, action: &Action, paths: Paths) -> Result<Option<Action>, Unusable> {
    if action.protocol == Protocol::Http {
        return Ok(None);
    }
    let method = record.method.as_deref().map(str::parse::<Method>);
    let Some(Ok(method)) = method else {
        return Err(Unfit::Unreadable("method").into());
    };
    let uri: Uri = record
        .whole_path()?
        .parse()
        .map_err(|_| Unfit::Unreadable("path"))?;
    let action = protocol::http_action(&method, uri, paths == Paths::Normalise);
    action.map(Some).ok_or(Unusable::Path)
}

fn known(captured: Option<&Captured>, asked: &Asked, method: Option<&str>) -> Known {
    let mut known = captured.map_or_else(Known::default, |captured| Known {
        values: captured.values.clone(),
        missing: captured.missing.clone(),
    });
    // A call that names no task at all has no `task.id`, whether or not somebody asked.
    if asked.facts.task == Ownership::Absent {
        known.missing.insert(Attribute::TaskId.as_str().to_owned());
    }
    // Tools are called by a POST that is none of A2A.
    if method != Some("POST") || matches!(asked.call.dialect, Dialect::A2a(..)) {
        known.missing.insert(TOOL.to_string());
    }
    known
}
