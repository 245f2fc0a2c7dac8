//! `--decision`: a decision that was made, out of its audit record.

use std::path::PathBuf;

use memchr::memmem::Finder;
use uuid::Uuid;

use super::super::recorded::{self, Unusable};
use super::super::{EXIT_NO, print};
use super::{Case, Desk, Failure, Output, Recorded, json, judges, tell, text};
use crate::audit::read::{Call, Line, Lines, Unfit};
use crate::policy::Revocations;

/// The id of a decision, as records have it.
#[derive(Debug, Clone)]
pub(super) struct WantedId(String);

/// Any way in which a UUID is written: people copy it out of many places.
pub(super) fn decision_id(text: &str) -> Result<WantedId, String> {
    let id = Uuid::try_parse(text.trim());
    id.map(|id| WantedId(id.simple().to_string()))
        .map_err(|_| "the id of a decision is 32 hexadecimal digits".to_owned())
}

pub(super) fn explain(desk: Desk<'_>, id: &WantedId) -> Result<u8, Failure> {
    let files = files(&desk)?;
    let call = find(&files, id)?;
    let format = desk.arguments.format;
    let past = match recorded::past(&call, recorded::paths(&desk.policies)) {
        Ok(past) => past,
        Err(Unusable::Record(Unfit::NotAsked)) => return Ok(before(&call, format)),
        Err(why) => {
            let message = format!("the decision cannot be made again: {why}");
            return Err(Failure::Environment(message));
        }
    };
    let generation = desk.policies.generation.clone();
    let decided_by = call.generation.as_ref();
    let is_same_generation = decided_by
        .is_some_and(|by| !by.hash.is_empty() && generation.starts_with(by.hash.as_str()));
    let judges = judges(desk.policies)?;
    let scene = past.scene(&judges.policy);
    let unknown = past.unknown(&judges.policy, &scene.question());
    let case = Case {
        unknown,
        scene,
        judges: &judges,
        revocations: Revocations::default(),
        // It was decided with what was registered, which is not in the record.
        hooks: None,
        generation: &generation,
        record: Some(Recorded {
            call: &call,
            allowed: past.allowed,
            is_same_generation,
        }),
        notes: Vec::new(),
    };
    Ok(tell(&case, format))
}

fn files(desk: &Desk<'_>) -> Result<Vec<PathBuf>, Failure> {
    if !desk.arguments.audit.is_empty() {
        return Ok(desk.arguments.audit.clone());
    }
    match &desk.operator {
        Some(operator) if !operator.audit.is_stdout() => Ok(vec![operator.audit.path.clone()]),
        Some(_) | None => Err(Failure::Usage(
            "name the audit files with --audit FILE, or a lictor.yaml that does with --policies"
                .to_owned(),
        )),
    }
}

/// The record, read line by line.
fn find(files: &[PathBuf], id: &WantedId) -> Result<Call, Failure> {
    // The id as it stands in a line: nearly every line is passed over without being parsed.
    let wanted = format!("\"{}\"", id.0);
    let finder = Finder::new(&wanted);
    for file in files {
        let failed =
            |error| Failure::Environment(format!("cannot read `{}`: {error}", file.display()));
        let mut lines = Lines::new(recorded::open(file).map_err(failed)?);
        while let Some(line) = lines
            .next(|line| finder.find(line).is_some())
            .map_err(failed)?
        {
            match line {
                Line::Call(call) if call.decision_id.as_ref() == Some(&id.0) => return Ok(*call),
                Line::Call(_) | Line::Other | Line::Strange(_) => {}
            }
        }
    }
    let names: Vec<_> = files
        .iter()
        .map(|file| format!("`{}`", file.display()))
        .collect();
    Err(Failure::Environment(format!(
        "no record of the decision {} in {}; a file that was rotated away is named with --audit too",
        id.0,
        names.join(", ")
    )))
}

/// A call that was answered before the policy was asked.
fn before(call: &Call, format: Output) -> u8 {
    let text = match format {
        Output::Json => json::before(call),
        Output::Text => text::before(call),
    };
    match print(&text) {
        0 if call.decision == "allow" => 0,
        0 => EXIT_NO,
        failed => failed,
    }
}
