//! `lictor explain`: what the proxy would decide of one call, with all that was looked at.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::check::paths;
use super::{EXIT_ENVIRONMENT, EXIT_NO, EXIT_USAGE, load, print, say};
use crate::app::Judges;
use crate::audit::read::Call;
use crate::clock;
use crate::config::{self, Operator, Policies};
use crate::model::{Action, ActionPattern, Principal, RuleRef};
use crate::policy::{Explanation, Revocations};
use crate::push::Hooks;
use crate::rehearsal::{Scene, Unknown, default_source};

mod asked;
mod json;
mod record;
mod request;
pub(super) mod saved;
mod text;

pub(super) const EXAMPLES: &str = "Examples:
  lictor explain --policies policies/ --as ana --do 'a2a:SendMessage quote-equity'
  lictor explain --as 'corp/ana@acme analysts,staff' --do a2a:GetTask
  lictor explain --as anonymous --do 'http:GET /healthz' --from 10.1.2.3
  lictor explain --as ana --do 'http:POST /mcp' --tool wire_transfer --args '{\"amount\": 10}'
  lictor explain --as ana --do a2a:GetTask --at 2026-11-20T23:00:00Z --format json
  lictor explain --who-may 'a2a:SendMessage export-*'
  lictor explain --decision 0192f5c1a7e87c3b9d5e4f60718293a4 --audit audit.jsonl audit.jsonl.1
  lictor explain --as ana --request saved.http     as a proxy saves it, or `curl -v` shows it

WHO is a name under `people` of the policy, `anonymous`, or a caller written out:
IDENTITY/ID@TENANT and groups. A recorded decision is explained under the policies that are named,
whichever decided then; a value that was not captured (`audit: { capture: decision }`) is said by
name and not guessed. The credentials of a saved request are neither verified nor printed.
Exit codes: 0 allowed, 1 denied (or mistakes in the policy), 2 usage, 3 a file that cannot be read,
a decision that is not there, or one that depends on what was not captured.";

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Policy files or folders of them, or an operator's file [default: lictor.yaml here, or policies/]
    #[arg(long, value_name = "PATH")]
    policies: Vec<PathBuf>,
    /// Who calls
    #[arg(
        long = "as",
        value_name = "WHO",
        required_unless_present_any = ["who_may", "decision"]
    )]
    caller: Option<String>,
    /// What they ask for, as policies write it
    #[arg(long = "do", value_name = "ACTION", requires = "caller")]
    action: Option<String>,
    /// The arguments of the call: `params` of JSON-RPC, or with --tool what the tool is given
    #[arg(long, value_name = "JSON", requires = "action", value_parser = asked::arguments)]
    args: Option<Box<RawValue>>,
    /// The tool that is called (MCP, tools/call), by a POST
    #[arg(long, value_name = "NAME", requires = "action")]
    tool: Option<String>,
    /// Instead: the request that they send, head and body; `-` is standard input
    #[arg(
        long,
        value_name = "FILE",
        requires = "caller",
        conflicts_with = "action"
    )]
    request: Option<PathBuf>,
    /// When [default: now]
    #[arg(long, value_name = "TIME", value_parser = asked::instant)]
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
    /// Instead: a decision that was made, by the id that its caller and its audit record have
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["caller", "action", "who_may", "at", "agent"],
        value_parser = record::decision_id
    )]
    decision: Option<record::WantedId>,
    /// Where its record is looked for, files that were rotated away included; `-` is standard input [default: the file of lictor.yaml]
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "decision")]
    audit: Vec<PathBuf>,
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
    /// What refuses before they are asked. A decision that was made is explained without: it was made before.
    revocations: Revocations,
    /// What is asked after them, of a call that registers where news go.
    hooks: Option<Hooks>,
    generation: &'a str,
    /// How it was decided once.
    record: Option<Recorded<'a>>,
    /// What was taken out of a request, and what was assumed: a word, and a sentence.
    notes: Vec<(&'static str, String)>,
    /// Values that decide and are not known.
    unknown: Vec<Unknown<'a>>,
}

/// A decision that was made.
struct Recorded<'a> {
    call: &'a Call,
    /// Whether the policy let it pass.
    allowed: bool,
    /// Whether these policies did.
    is_same_generation: bool,
}

/// What to explain, and what to do it with.
struct Desk<'a> {
    arguments: &'a Explain,
    policies: Policies,
    operator: Option<Operator>,
}

/// Why there is nothing to explain.
enum Failure {
    /// What is wrong with the command line.
    Usage(String),
    /// What is wrong with the surroundings.
    Environment(String),
}

/// Decides and says why.
pub(super) fn explain(arguments: &Explain) -> u8 {
    let Some(paths) = paths(&arguments.policies) else {
        say(
            "error: there is neither lictor.yaml nor policies/ here; name the policies with --policies",
        );
        return EXIT_USAGE;
    };
    let (policies, operator) = match load(&paths) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let desk = Desk {
        arguments,
        policies,
        operator,
    };
    match desk.answer() {
        Ok(code) => code,
        Err(Failure::Usage(message)) => {
            say(&format!("error: {message}"));
            EXIT_USAGE
        }
        Err(Failure::Environment(message)) => {
            say(&format!("error: {message}"));
            EXIT_ENVIRONMENT
        }
    }
}

impl Desk<'_> {
    fn answer(self) -> Result<u8, Failure> {
        let arguments = self.arguments;
        if let Some(id) = &arguments.decision {
            return record::explain(self, id);
        }
        if let Some(file) = &arguments.request {
            return request::explain(self, file);
        }
        if let Some(pattern) = &arguments.who_may {
            return who_may(pattern, arguments.format, self.policies);
        }
        let Some(action) = &arguments.action else {
            let usage = "--as needs --do ACTION, or --request FILE";
            return Err(Failure::Usage(usage.to_owned()));
        };
        let scene = self.setting()?.scene(asked::one_action(action)?);
        let args = arguments.args.as_deref().map(RawValue::get);
        let (args, tool) = asked::given(args, arguments.tool.as_deref(), &scene.call.action)?;
        let generation = self.policies.generation.clone();
        let revocations = Revocations::new(self.policies.revocations.clone());
        let hooks = self.policies.push.clone().map(Hooks::new);
        let judges = judges(self.policies)?;
        let case = Case {
            scene: Scene {
                args,
                tool,
                ..scene
            },
            judges: &judges,
            revocations,
            hooks,
            generation: &generation,
            record: None,
            notes: Vec::new(),
            unknown: Vec::new(),
        };
        Ok(tell(&case, arguments.format))
    }

    /// Who calls whom, from where and when, as the command line has it.
    fn setting(&self) -> Result<Setting, Failure> {
        let arguments = self.arguments;
        let who = arguments.caller.as_deref().unwrap_or_default();
        let named = self.operator.as_ref().map(|operator| &*operator.agent_name);
        let agent = arguments.agent.as_deref().or(named);
        Ok(Setting {
            agent: agent.unwrap_or(config::DEFAULT_AGENT).to_owned(),
            caller: asked::caller(who, &self.policies)?,
            source: arguments.from,
            at: arguments.at.unwrap_or_else(clock::wall),
        })
    }
}

/// All of a call but what is asked.
struct Setting {
    agent: String,
    caller: Arc<Principal>,
    source: IpAddr,
    at: Timestamp,
}

impl Setting {
    fn scene(self, action: Action) -> Scene {
        Scene {
            source: self.source,
            at: self.at,
            ..Scene::new(&self.agent, self.caller, action)
        }
    }
}

fn judges(policies: Policies) -> Result<Judges, Failure> {
    Judges::compile(policies.policy, policies.quotas, &policies.leaks)
        .map_err(|error| Failure::Usage(format!("{error:#}")))
}

/// Prints the answer, and gives the exit code that says it once more.
fn tell(case: &Case<'_>, format: Output) -> u8 {
    let question = case.scene.question();
    let explanation = case.judges.policy.explain(&question);
    let explanation = match case.revocations.judge(&question, None) {
        Ok(()) => explanation,
        Err(refusal) => explanation.refused(*refusal),
    };
    let explanation = match &case.hooks {
        Some(hooks) if explanation.decision.is_allow() => match hooks.judge(question.call) {
            Ok(_) => explanation,
            Err(refusal) => explanation.refused(refusal),
        },
        Some(_) | None => explanation,
    };
    let text = match format {
        Output::Json => json::render(case, &explanation),
        Output::Text => text::render(case, &explanation),
    };
    match (print(&text), case.answer(&explanation)) {
        (0, Some(true)) => 0,
        (0, Some(false)) => EXIT_NO,
        (0, None) => EXIT_ENVIRONMENT,
        (failed, _) => failed,
    }
}

impl Case<'_> {
    /// Whether it is allowed; `None` where that depends on what is not known.
    fn answer(&self, explanation: &Explanation) -> Option<bool> {
        let is_known = self.unknown.is_empty();
        is_known.then(|| explanation.decision.is_allow())
    }

    /// What is not known of all that a statement reads.
    fn unknown_to(&self, rule: &RuleRef) -> Vec<String> {
        let needs = self.unknown.iter().filter(|need| **need.rule == *rule);
        needs.map(|need| need.value.clone()).collect()
    }
}

fn who_may(pattern: &str, format: Output, policies: Policies) -> Result<u8, Failure> {
    let pattern =
        ActionPattern::parse(pattern).map_err(|error| Failure::Usage(error.to_string()))?;
    let judges = judges(policies)?;
    let grantees = judges.policy.who_may(&pattern);
    let text = match format {
        Output::Json => json::grantees(&grantees),
        Output::Text => text::grantees(&pattern, &grantees, &judges.policy.examining(&pattern)),
    };
    Ok(match (print(&text), grantees.is_empty()) {
        (0, false) => 0,
        (0, true) => EXIT_NO,
        (failed, _) => failed,
    })
}
