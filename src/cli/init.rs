//! `lictor init`: a policy to begin with, its tests, and what an editor needs to help with it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{EXIT_ENVIRONMENT, EXIT_NO, print, say};
use crate::config::Document;

pub(super) const EXAMPLES: &str = "Examples:
  lictor init                          policies/policy.yaml, for an A2A agent
  lictor init --for http               for an agent that is asked in plain HTTP
  lictor init team/desk.yaml           that file

The schema is written beside it, so that editors complete, explain and underline. Nothing that is
there is written over.
Exit codes: 0 written, 1 something is there already, 2 usage, 3 a file that cannot be written.";

#[derive(Debug, Args)]
pub(super) struct Init {
    /// How the agent is asked
    #[arg(long = "for", value_enum, default_value_t = Agent::A2a)]
    agent: Agent,
    /// A folder for policy.yaml, or a file with another name
    #[arg(value_name = "DIR or FILE", default_value = "policies")]
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Agent {
    /// A2A, over JSON-RPC, REST or gRPC
    A2a,
    /// Model Context Protocol over HTTP
    Mcp,
    /// Plain HTTP
    Http,
}

impl Agent {
    const fn policy(self) -> &'static str {
        match self {
            Self::A2a => include_str!("init/a2a.yaml"),
            Self::Http => include_str!("init/http.yaml"),
            Self::Mcp => include_str!("init/mcp.yaml"),
        }
    }
}

/// The file in a folder of policies.
const FILE: &str = "policy.yaml";

/// As the first line of the policy has it.
const SCHEMA: &str = "lictor.schema.json";

/// Why nothing was written, or not all.
enum Failure {
    There(String),
    Unwritten(PathBuf, io::Error),
}

/// Writes them, and says what to do next.
pub(super) fn init(arguments: &Init) -> u8 {
    match write(arguments) {
        Ok(told) => print(&told),
        Err(Failure::There(message)) => {
            say(&format!("error: {message}"));
            EXIT_NO
        }
        Err(Failure::Unwritten(path, error)) => {
            say(&format!(
                "error: cannot write `{}`: {error}",
                path.display()
            ));
            EXIT_ENVIRONMENT
        }
    }
}

fn write(arguments: &Init) -> Result<String, Failure> {
    let policy = target(&arguments.path)?;
    let folder = match policy.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(|error| Failure::Unwritten(folder.to_owned(), error))?;
    create(&policy, arguments.agent.policy())?;
    let schema = folder.join(SCHEMA);
    let kept = match create(&schema, &Document::Policy.schema()) {
        Ok(()) => None,
        Err(Failure::There(_)) => outdated(&schema),
        Err(failure) => return Err(failure),
    };
    Ok(next(&policy, &schema, kept.as_deref()))
}

/// The file to write: the path itself if it is named like a policy, or one in that folder. Files of a folder add up, so
/// one that holds policies is not begun anew.
fn target(path: &Path) -> Result<PathBuf, Failure> {
    if is_policy(path) && !path.is_dir() {
        return Ok(path.to_owned());
    }
    if path.is_file() {
        let message = format!(
            "`{}` is a file that is no policy; name a folder, or a file that ends in .yaml",
            path.display()
        );
        return Err(Failure::There(message));
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut policies: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|entry| is_policy(entry))
        .collect();
    policies.sort();
    match policies.first() {
        None => Ok(path.join(FILE)),
        Some(there) => Err(Failure::There(format!(
            "`{}` is there already, and the files of a folder add up; edit it, or name another folder: lictor init other/",
            there.display()
        ))),
    }
}

fn is_policy(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Writes a file that is not there. There is no moment between the look and the write.
fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::There(format!(
            "`{}` is there already; edit it, or name another file",
            path.display()
        )),
        _ => Failure::Unwritten(path.to_owned(), error),
    })
}

/// What to do about a schema that was there: nothing, unless it is one of another version.
fn outdated(schema: &Path) -> Option<String> {
    let is_current = fs::read_to_string(schema).is_ok_and(|text| text == Document::Policy.schema());
    (!is_current).then(|| {
        let schema = schema.display();
        format!("{schema} was there and is another; to write it anew: lictor schema > {schema}")
    })
}

fn next(policy: &Path, schema: &Path, kept: Option<&str>) -> String {
    let mut lines = vec![format!("wrote {}", policy.display())];
    match kept {
        Some(kept) => lines.push(kept.to_owned()),
        None => lines.push(format!("wrote {}, for your editor", schema.display())),
    }
    let policy = policy.display();
    lines.push(format!(
        "
Next:
  1. put your issuer, your audience and your groups into {policy}
  2. lictor check {policy}
  3. lictor test {policy}
  4. lictor run --upstream http://127.0.0.1:9000 --policies {policy}
docs/policy.md is the guide to what a policy can say.
"
    ));
    lines.join("\n")
}
