//! `--request`: a request as it was saved, read into its call by the very code that reads those of callers.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::super::recorded::paths;
use super::super::{EXIT_NO, print};
use super::saved::{self, Saved};
use super::{Case, Desk, Failure, Output, json, judges, tell, text};
use crate::model::{Call, Facts, Ownership};
use crate::policy::{PolicySet, Revocations};
use crate::protocol::{self, Body, Malformed};
use crate::proxy::Read;
use crate::proxy::hygiene::Paths;
use crate::push::Hooks;
use crate::rehearsal::Scene;

pub(super) fn explain(desk: Desk<'_>, file: &Path) -> Result<u8, Failure> {
    let text = read(file).map_err(|error| {
        Failure::Environment(format!("cannot read `{}`: {error}", file.display()))
    })?;
    let mut saved = saved::read(&text)
        .map_err(|error| Failure::Usage(format!("`{}`: {error}", file.display())))?;
    if paths(&desk.policies) == Paths::Normalise {
        protocol::normalise_path(&mut saved.parts.uri);
    }
    let format = desk.arguments.format;
    let setting = desk.setting()?;
    let generation = desk.policies.generation.clone();
    let revocations = Revocations::new(desk.policies.revocations.clone());
    let hooks = desk.policies.push.clone().map(Hooks::new);
    let judges = judges(desk.policies)?;
    let (call, is_judged) = match decode(&saved, &judges.policy) {
        Ok(decoded) => decoded,
        Err(malformed) => return Ok(refused(&malformed, format)),
    };
    let notes = notes(&saved, &call);
    let scene = setting.scene(call.action.clone());
    let case = Case {
        scene: of(&saved, call, is_judged, scene, &judges.policy),
        judges: &judges,
        revocations,
        hooks,
        generation: &generation,
        record: None,
        notes,
        unknown: Vec::new(),
    };
    Ok(tell(&case, format))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_end(&mut text)?;
    } else {
        File::open(file)?.take(MAX_BYTES).read_to_end(&mut text)?;
    }
    Ok(text)
}

/// The call, and whether its body says what it is.
fn decode(saved: &Saved, policy: &PolicySet) -> Result<(Call, bool), Malformed> {
    let head = protocol::read_head(&saved.parts, policy.spoken())?;
    let is_judged = match head.wants_body(Some(&saved.body)) {
        Body::Buffer => true,
        Body::None | Body::Stream => false,
    };
    let call = head.into_call(is_judged.then_some(&*saved.body), policy.json_depth())?;
    Ok((call, is_judged))
}

fn of(saved: &Saved, call: Call, is_judged: bool, scene: Scene, policy: &PolicySet) -> Scene {
    let body = is_judged.then_some(&*saved.body);
    let Read {
        headers,
        args,
        tool,
    } = Read::of(policy.reads(), &saved.parts.headers, body, &call);
    let named = |is_named| {
        if is_named {
            Ownership::Mine
        } else {
            Ownership::Absent
        }
    };
    Scene {
        facts: Facts {
            task: named(call.task.is_some() || !call.references.is_empty()),
            context: named(call.context.is_some()),
            session: named(call.session.is_some()),
        },
        call,
        args,
        tool,
        headers,
        size: Some(saved.body.len() as u64),
        ..scene
    }
}

/// What is told of the request. No field of its head is: some are credentials.
fn notes(saved: &Saved, call: &Call) -> Vec<(&'static str, String)> {
    let (method, path) = (&saved.parts.method, saved.parts.uri.path());
    let (bytes, action) = (saved.body.len(), &call.action);
    let mut notes = vec![(
        "request",
        format!("{method} {path}, {bytes} bytes: {action}"),
    )];
    if let Some(claimed) = saved.claimed {
        notes.push((
            "",
            format!("its head says {claimed} bytes; it is judged as it stands here"),
        ));
    }
    if let Some(hook) = &call.hook {
        notes.push((
            "push",
            format!(
                "news to {}; what its name resolves to is looked at by a running lictor alone",
                hook.url.origin()
            ),
        ));
    }
    let names_session = call.session.is_some();
    if call.task.is_some() || !call.references.is_empty() || call.context.is_some() || names_session
    {
        notes.push((
            "ownership",
            "what it names is taken for the caller's own: only a running lictor remembers whose it is".to_owned(),
        ));
    }
    notes
}

/// A request that is no call.
fn refused(malformed: &Malformed, format: Output) -> u8 {
    let text = match format {
        Output::Json => json::refused(malformed),
        Output::Text => text::refused(malformed),
    };
    match print(&text) {
        0 => EXIT_NO,
        failed => failed,
    }
}

/// More than any policy lets a request have.
const MAX_BYTES: u64 = 65 << 20;
