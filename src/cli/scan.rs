//! `lictor scan`: the leak scanner alone, over files and over what passes through.

mod form;
mod inputs;
mod places;
mod reading;
mod report;
mod trace;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use self::inputs::{Input, Inputs};
use self::reading::{Reading, Unread};
use self::report::{Form, Report};
use super::progress::Progress;
use super::{EXIT_ENVIRONMENT, EXIT_NO, EXIT_USAGE, is_colourful, load, say};
use crate::model::LeakAction;
use crate::scan::{
    AtBound, Carrier, Config, Custom, Detectors, Exception, Hold, Listed, known_names,
};

pub(super) const EXAMPLES: &str = "Examples:
  lictor scan .                                  a folder, without .git and binary files
  lictor scan answer.json logs/                  files are read by their name and their beginning
  kubectl logs agent | lictor scan               standard input
  lictor scan --redact < raw.log > clean.log     a filter: each secret becomes a mark, all else stays as it is
  lictor scan --packs credentials,pii=flag .     these packs; docs/detectors.md or docs/leaks.md lists them
  lictor scan --policy policies/ answer.json     the packs of a policy
  lictor scan --json . | jq -r .detector         one finding a line
  lictor scan --sarif . > leaks.sarif            for code scanning
  lictor scan --trace --chunk 8 answer.sse       what would wait in a stream, where, for whom and for how long

A finding tells where and what, never the secret. Findings go to standard output, everything else to
standard error. Exit codes: 0 clean, 1 findings, 2 usage, 3 something could not be read to its end.
docs/scan.md is the guide.";

#[derive(Debug, Args)]
pub(super) struct Scan {
    /// Files and folders; `-`, or nothing where something is piped in, is standard input
    #[arg(value_name = "PATHS")]
    paths: Vec<PathBuf>,
    /// How the input is read, whatever its name and its beginning say
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<As>,
    /// Packs and detectors to look for; `=flag` lets pass what `--redact` would replace, `=allow` takes one out
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    packs: Vec<String>,
    /// A policy whose `leaks` say what is looked for: a file, a folder, or an operator's file
    #[arg(long, value_name = "PATH", conflicts_with = "packs")]
    policy: Option<PathBuf>,
    /// Write the input to standard output, with a mark in the place of each secret
    #[arg(long, conflicts_with_all = ["json", "sarif"])]
    redact: bool,
    /// One line of JSON for each finding
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// One document of SARIF 2.1.0
    #[arg(long)]
    sarif: bool,
    /// Say on standard error what was held back, for whose sake and for how long
    #[arg(long)]
    trace: bool,
    /// Feed pieces of so many bytes, as if they came one by one
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    chunk: Option<u32>,
    /// Read .git folders and binary files too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum As {
    /// JSON documents, one or many in a row
    Json,
    /// Server-sent events
    Sse,
    /// Text as it stands
    Text,
}

/// What opens only when it is named: addresses are in nearly every log.
const OPT_IN: &[&str] = &["network"];

/// What an answer may hold whole, unless a policy says otherwise; nothing here is judged whole.
const BUFFER_BYTES: usize = 1 << 20;

/// Why there is no going on.
#[derive(Debug)]
enum Stop {
    /// Whoever reads standard output has read enough.
    Closed,
    /// The exit code; what is wrong was said.
    Code(u8),
    Failed(String),
    Usage(String),
}

/// Scans what is named, and tells what was found.
pub(super) fn scan(arguments: &Scan) -> u8 {
    match run(arguments) {
        Ok(code) | Err(Stop::Code(code)) => code,
        Err(Stop::Closed) => 0,
        Err(Stop::Failed(message)) => {
            say(&format!("error: {message}"));
            EXIT_ENVIRONMENT
        }
        Err(Stop::Usage(message)) => {
            say(&format!("error: {message}"));
            EXIT_USAGE
        }
    }
}

fn run(arguments: &Scan) -> Result<u8, Stop> {
    let paths = paths(arguments)?;
    let wanted = wanted(arguments)?;
    let told = wanted.told();
    let detectors = detectors(wanted, arguments.redact)?;
    let mut run = Run {
        arguments,
        report: Report::begin(form(arguments), told, detectors.config())?,
        detectors,
        progress: Progress::new(1 << 20),
        tally: Tally::default(),
    };
    for input in Inputs::new(paths, arguments.all) {
        run.read(input)?;
    }
    run.finish()
}

fn paths(arguments: &Scan) -> Result<Vec<PathBuf>, Stop> {
    let stdin = || PathBuf::from("-");
    match arguments.paths.as_slice() {
        [] if io::stdin().is_terminal() => Err(Stop::Usage(
            "name files or folders to scan, or pipe something in".to_owned(),
        )),
        [] => Ok(vec![stdin()]),
        [only] if arguments.redact && only.is_dir() => Err(Stop::Usage(
            "--redact takes one file or standard input, and no folder".to_owned(),
        )),
        [_, _, ..] if arguments.redact => Err(Stop::Usage(
            "--redact takes one file or standard input".to_owned(),
        )),
        named => Ok(named.to_vec()),
    }
}

fn form(arguments: &Scan) -> Form {
    match arguments {
        Scan { redact: true, .. } => Form::Nothing,
        Scan { json: true, .. } => Form::Json,
        Scan { sarif: true, .. } => Form::Sarif,
        Scan { .. } => Form::Text {
            is_colourful: is_colourful(&io::stdout()),
        },
    }
}

/// What is looked for and what a policy would do with it, by pack and detector.
type Actions = BTreeMap<Box<str>, LeakAction>;

/// What is looked for.
struct Wanted {
    actions: Actions,
    custom: Vec<Custom>,
    listed: Vec<Listed>,
    exceptions: Vec<Exception>,
    hold: Hold,
}

impl Wanted {
    /// What would be done with a finding, of detectors of the policy's own too.
    fn told(&self) -> Actions {
        let custom = self.custom.iter().map(|it| (&it.name, it.action));
        let listed = self.listed.iter().map(|it| (&it.name, it.action));
        let own = custom.chain(listed);
        let mut told: Actions = own.map(|(name, action)| (name.clone(), action)).collect();
        told.extend(self.actions.clone());
        told
    }
}

fn wanted(arguments: &Scan) -> Result<Wanted, Stop> {
    let Some(policy) = &arguments.policy else {
        return Ok(Wanted {
            actions: named(&arguments.packs)?,
            custom: Vec::new(),
            listed: Vec::new(),
            exceptions: Vec::new(),
            hold: Hold::default(),
        });
    };
    let (policies, _) = load(std::slice::from_ref(policy)).map_err(Stop::Code)?;
    let Config {
        actions,
        custom,
        listed,
        exceptions,
        hold,
        ..
    } = policies.leaks;
    if actions.is_empty() && custom.is_empty() && listed.is_empty() {
        let message =
            "the policy looks for nothing: it has no `leaks.packs` and no `leaks.detectors`";
        say(&format!("error: {message}"));
        return Err(Stop::Code(EXIT_NO));
    }
    Ok(Wanted {
        actions,
        custom,
        listed,
        exceptions,
        hold,
    })
}

fn named(packs: &[String]) -> Result<Actions, Stop> {
    if packs.is_empty() {
        let all = known_names().iter().filter(|name| !name.contains('.'));
        let default = all.filter(|name| !OPT_IN.contains(name));
        return Ok(default
            .map(|name| (Box::from(*name), LeakAction::Redact))
            .collect());
    }
    packs.iter().map(|pack| one(pack)).collect()
}

fn one(pack: &str) -> Result<(Box<str>, LeakAction), Stop> {
    let (name, action) = pack.split_once('=').unwrap_or((pack, "redact"));
    if !known_names().contains(&name) {
        let packs = known_names().iter().filter(|name| !name.contains('.'));
        let packs: Vec<_> = packs.copied().collect();
        return Err(Stop::Usage(format!(
            "there is no pack or detector `{name}`; the packs are {}",
            packs.join(", ")
        )));
    }
    let all = [
        LeakAction::Allow,
        LeakAction::Flag,
        LeakAction::Redact,
        LeakAction::Block,
    ];
    let action = all.into_iter().find(|known| known.as_str() == action);
    let action = action.ok_or_else(|| {
        Stop::Usage(format!(
            "what follows `{name}=` is one of allow, flag, redact, block"
        ))
    })?;
    Ok((Box::from(name), action))
}

/// The detectors as they run here. A block would end the scan at the first finding, and there is nobody to refuse:
/// it is told of, and redacted.
fn detectors(wanted: Wanted, redact: bool) -> Result<Arc<Detectors>, Stop> {
    // Without `--redact` nothing leaves that could wait, but what is found is the same for every cutting.
    let runs = |action: LeakAction| action.min(LeakAction::Redact);
    let Wanted {
        actions,
        custom,
        listed,
        exceptions,
        hold,
    } = wanted;
    let actions = actions.into_iter();
    let custom = custom.into_iter().map(|it| Custom {
        action: runs(it.action),
        ..it
    });
    let listed = listed.into_iter().map(|it| Listed {
        action: runs(it.action),
        ..it
    });
    let mut fingerprint_key = [0; 32];
    getrandom::fill(&mut fingerprint_key)
        .map_err(|error| Stop::Failed(format!("no randomness: {error}")))?;
    let config = Config {
        actions: actions.map(|(name, action)| (name, runs(action))).collect(),
        custom: custom.collect(),
        listed: listed.collect(),
        // There is no action here.
        exceptions: exceptions
            .into_iter()
            .filter(|it| it.on.is_empty())
            .collect(),
        hold: Hold {
            // A reader wants to hear of everything behind it too; a filter must not let out what it cannot judge.
            at_bound: if redact {
                hold.at_bound
            } else {
                AtBound::Release
            },
            ..hold
        },
        buffer_bytes: BUFFER_BYTES,
        fingerprint_key,
    };
    let compiled = Detectors::compile(&config);
    compiled
        .map(Arc::new)
        .map_err(|error| Stop::Failed(error.to_string()))
}

struct Run<'a> {
    arguments: &'a Scan,
    detectors: Arc<Detectors>,
    report: Report,
    progress: Progress,
    tally: Tally,
}

/// What came of it all.
#[derive(Debug, Default)]
struct Tally {
    read: u64,
    with_findings: u64,
    findings: u64,
    binary: u64,
    unread: u64,
}

impl Run<'_> {
    fn read(&mut self, input: Input) -> Result<(), Stop> {
        match input {
            Input::Stdin => self.scan("stdin", &mut io::stdin().lock(), false, None),
            Input::Named(path) => self.file(&path, false),
            Input::Found(path) => self.file(&path, !self.arguments.all),
            Input::Unreadable(path, error) => {
                self.unread(&shown(&path), &error.to_string());
                Ok(())
            }
        }
    }

    fn file(&mut self, path: &Path, skips_binary: bool) -> Result<(), Stop> {
        let name = shown(path);
        match std::fs::File::open(path) {
            Ok(mut file) => {
                let by_name = form::by_name(path);
                self.scan(&name, &mut file, skips_binary, by_name)
            }
            Err(error) => {
                self.unread(&name, &error.to_string());
                Ok(())
            }
        }
    }

    fn scan(
        &mut self,
        name: &str,
        from: &mut dyn Read,
        skips_binary: bool,
        by_name: Option<Carrier>,
    ) -> Result<(), Stop> {
        let form = self.arguments.form.map(|form| match form {
            As::Json => Carrier::Json,
            As::Sse => Carrier::Sse,
            As::Text => Carrier::Text,
        });
        let reading = Reading {
            name,
            from,
            form: form.or(by_name),
            skips_binary,
            chunk: self
                .arguments
                .chunk
                .and_then(|chunk| usize::try_from(chunk).ok()),
            redacts: self.arguments.redact,
            traces: self.arguments.trace,
        };
        let read = reading.run(&self.detectors, &mut self.report, &mut self.progress);
        let found = self.report.take_count();
        self.tally.findings += found;
        self.tally.with_findings += u64::from(found > 0);
        match read {
            Ok(()) => self.tally.read += 1,
            Err(Unread::Binary) => self.tally.binary += 1,
            Err(Unread::Stopped(stop)) => return Err(stop),
            Err(Unread::Failed(why)) => self.unread(name, &why),
        }
        Ok(())
    }

    fn unread(&mut self, name: &str, why: &str) {
        self.progress.clear();
        self.tally.unread += 1;
        say(&format!("error: `{name}`: {why}"));
    }

    fn finish(mut self) -> Result<u8, Stop> {
        self.progress.clear();
        self.report.end()?;
        say(&self.tally.summary());
        Ok(match self.tally {
            Tally { unread: 1.., .. } => EXIT_ENVIRONMENT,
            Tally { findings: 1.., .. } => EXIT_NO,
            Tally { .. } => 0,
        })
    }
}

impl Tally {
    fn summary(&self) -> String {
        let Self { read, findings, .. } = self;
        let counted = |count: u64, one: &str, many: &str| {
            format!("{count} {}", if count == 1 { one } else { many })
        };
        let mut summary = counted(*findings, "finding", "findings");
        if *read + self.unread > 1 {
            let inputs = counted(*read + self.unread, "input", "inputs");
            summary.push_str(&format!(" in {} of {inputs}", self.with_findings));
        }
        if self.binary > 0 {
            let binary = counted(self.binary, "binary file", "binary files");
            summary.push_str(&format!(", {binary} left out"));
        }
        if self.unread > 0 {
            summary.push_str(&format!(", {} not read to the end", self.unread));
        }
        summary
    }
}

/// A name that does nothing to a terminal.
fn shown(path: &Path) -> String {
    report::harmless(&path.to_string_lossy())
}
