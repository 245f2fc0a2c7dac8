//! `lictor explain`: what the proxy would decide of one call, with all that was looked at.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::check::paths;
use super::{EXIT_NO, EXIT_USAGE, exit_code, is_colourful, print, say};
use crate::app::Judges;
use crate::config::{self, Policies};
use crate::model::{
    ANONYMOUS, Action, ActionPattern, Credential, IdentityName, Principal, PrincipalId, TenantId,
};
use crate::rehearsal::{Scene, default_source};
use crate::scan;

mod json;
mod text;

pub(super) const EXAMPLES: &str = "Examples:
  lictor explain --policies policies/ --as ana --do 'a2a:SendMessage quote-equity'
  lictor explain --as 'corp/ana@acme analysts,staff' --do a2a:GetTask
  lictor explain --as anonymous --do 'http:GET /healthz' --from 10.1.2.3
  lictor explain --as ana --do a2a:GetTask --at 2026-11-20T23:00:00Z --format json
  lictor explain --who-may 'a2a:SendMessage export-*'

WHO is a name under `people` of the policy, `anonymous`, or a caller written out: IDENTITY/ID@TENANT and groups.
Exit codes: 0 allowed, 1 denied (or mistakes in the policy), 2 usage, 3 a file that cannot be read.";

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Policy files or folders of them, or an operator's file [default: lictor.yaml here, or policies/]
    #[arg(long, value_name = "PATH")]
    policies: Vec<PathBuf>,
    /// Who calls
    #[arg(
        long = "as",
        value_name = "WHO",
        required_unless_present = "who_may",
        requires = "action"
    )]
    caller: Option<String>,
    /// What they ask for, as policies write it
    #[arg(long = "do", value_name = "ACTION", requires = "caller")]
    action: Option<String>,
    /// The arguments of the call, for conditions that read them
    #[arg(long, value_name = "JSON", requires = "action", value_parser = arguments_of)]
    args: Option<Value>,
    /// When [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Timestamp>,
    /// The address that the call comes from
    #[arg(long, value_name = "ADDRESS", default_value_t = default_source())]
    from: IpAddr,
    /// The agent that is asked [default: the one of lictor.yaml, or `agent`]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Instead: who may do this, or a part of it
    #[arg(long, value_name = "ACTION", conflicts_with_all = ["caller", "action"])]
    who_may: Option<String>,
    /// For whom the answer is written
    #[arg(long, value_enum, default_value_t = Output::Text)]
    format: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// People: one screen
    Text,
    /// Programs: one JSON document
    Json,
}

/// What is explained, and out of what.
struct Case<'a> {
    scene: Scene,
    judges: &'a Judges,
    generation: &'a str,
}

/// Decides and says why.
pub(super) fn explain(arguments: &Explain) -> u8 {
    let Some(paths) = paths(&arguments.policies) else {
        say(
            "error: there is neither lictor.yaml nor policies/ here; name the policies with --policies",
        );
        return EXIT_USAGE;
    };
    let (policies, agent) = match config::load_named(&paths, scan::known_names()) {
        Ok(loaded) => loaded,
        Err(found) => {
            let printed = print(&found.excerpts(is_colourful(&std::io::stdout())));
            say(&found.summary());
            return if printed == 0 {
                exit_code(&found)
            } else {
                printed
            };
        }
    };
    let agent = arguments.agent.clone().or(agent);
    let agent = agent.unwrap_or_else(|| config::DEFAULT_AGENT.to_owned());
    match answer(arguments, policies, &agent) {
        Ok(code) => code,
        Err(usage) => {
            say(&format!("error: {usage}"));
            EXIT_USAGE
        }
    }
}

/// # Errors
/// What is wrong with the command line.
fn answer(arguments: &Explain, policies: Policies, agent: &str) -> Result<u8, String> {
    let scene = match (&arguments.caller, &arguments.action) {
        (Some(who), Some(action)) => Some(scene(arguments, &policies, agent, who, action)?),
        _ => None,
    };
    let generation = policies.generation;
    let judges = Judges::compile(policies.policy, policies.quotas, &policies.leaks)
        .map_err(|error| format!("{error:#}"))?;
    let Some(scene) = scene else {
        let pattern = arguments.who_may.as_deref().unwrap_or_default();
        return who_may(pattern, arguments.format, &judges);
    };
    let case = Case {
        scene,
        judges: &judges,
        generation: &generation,
    };
    let explanation = judges.policy.explain(&case.scene.question());
    let text = match arguments.format {
        Output::Json => json::render(&case, &explanation),
        Output::Text => text::render(&case, &explanation),
    };
    Ok(match (print(&text), explanation.decision.is_allow()) {
        (0, true) => 0,
        (0, false) => EXIT_NO,
        (failed, _) => failed,
    })
}

fn who_may(pattern: &str, format: Output, judges: &Judges) -> Result<u8, String> {
    let pattern = ActionPattern::parse(pattern).map_err(|error| error.to_string())?;
    let grantees = judges.policy.who_may(&pattern);
    let text = match format {
        Output::Json => json::grantees(&grantees),
        Output::Text => text::grantees(&pattern, &grantees),
    };
    Ok(match (print(&text), grantees.is_empty()) {
        (0, false) => 0,
        (0, true) => EXIT_NO,
        (failed, _) => failed,
    })
}

fn scene(
    arguments: &Explain,
    policies: &Policies,
    agent: &str,
    who: &str,
    action: &str,
) -> Result<Scene, String> {
    let caller = caller(who, policies)?;
    let action = one_action(action)?;
    Ok(Scene {
        source: arguments.from,
        args: arguments.args.clone(),
        at: arguments.at.unwrap_or_else(crate::clock::wall),
        ..Scene::new(agent, caller, action)
    })
}

fn caller(who: &str, policies: &Policies) -> Result<Arc<Principal>, String> {
    if who == ANONYMOUS {
        return Ok(Principal::anonymous());
    }
    if let Some(person) = policies.rehearsal.people.get(who) {
        return Ok(Arc::clone(person));
    }
    written_out(who).map(Arc::new).ok_or_else(|| {
        format!(
            "`{who}` is nobody under `people` and no caller written out, such as `corp/ana@acme analysts,staff`"
        )
    })
}

/// `identity/id@tenant group,group`; ids may hold `/` and `@` themselves.
fn written_out(who: &str) -> Option<Principal> {
    let (who, groups) = who.split_once(' ').unwrap_or((who, ""));
    let (identity, who) = who.split_once('/')?;
    let (id, tenant) = who.rsplit_once('@')?;
    let groups = groups.split(',').map(str::trim);
    Some(Principal {
        identity: IdentityName::new(identity).ok()?,
        id: PrincipalId::new(id).ok()?,
        tenant: TenantId::new(tenant).ok()?,
        groups: groups
            .filter(|group| !group.is_empty())
            .map(Box::from)
            .collect(),
        claims: None,
        credential: Credential::default(),
    })
}

fn one_action(text: &str) -> Result<Action, String> {
    let pattern = ActionPattern::parse(text).map_err(|error| match error.suggestion() {
        Some(meant) => format!("{error}; did you mean `{meant}`?"),
        None => error.to_string(),
    })?;
    pattern.action().ok_or_else(|| {
        format!("`{text}` is a pattern; --do takes one action, and --who-may takes patterns")
    })
}

fn arguments_of(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "an instant is written 2026-01-31T18:00:00Z".to_owned())
}
