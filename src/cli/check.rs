//! `lictor check`: all that is wrong with files, before anything runs on them.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{EXIT_ENVIRONMENT, EXIT_NO, EXIT_USAGE, is_colourful, print, say};
use crate::config::{self, Diagnostics, Format};
use crate::scan;

pub(super) const EXAMPLES: &str = "Examples:
  lictor check                                  lictor.yaml here and the policies that it names, or policies/
  lictor check policies/                        a folder: its files add up to one policy
  lictor check --deny-warnings policies/        for CI: doubts fail too
  lictor check --format github policies/        annotations on a change
  lictor check --format sarif > lictor.sarif    for code scanning

Findings go to standard output in every format, the line that counts them to standard error.
Exit codes: 0 nothing wrong, 1 errors (or warnings with --deny-warnings), 2 usage, 3 a file that cannot be read.
docs/diagnostics.md says what each code means.";

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Policy files or folders of them, which add up, and operator's files
    #[arg(value_name = "PATHS")]
    paths: Vec<PathBuf>,
    /// For whom findings are written
    #[arg(long, value_enum, default_value_t = Output::Text)]
    format: Output,
    /// Fail for warnings as for errors
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// People: with excerpts
    Text,
    /// Programs: one JSON document
    Json,
    /// Code scanning: SARIF 2.1.0
    Sarif,
    /// GitHub Actions: annotations
    Github,
}

/// What is checked where nobody says: what `lictor run -c lictor.yaml` would read.
const DEFAULTS: &[&str] = &["lictor.yaml", "policies"];

/// Checks, and prints what was found.
pub(super) fn check(arguments: &Check) -> u8 {
    let Some(paths) = paths(&arguments.paths) else {
        say("error: there is neither lictor.yaml nor policies/ here; name the files to check");
        return EXIT_USAGE;
    };
    let found = config::check(&paths, scan::known_names());
    let text = match arguments.format {
        Output::Text => found.excerpts(is_colourful(&io::stdout())),
        Output::Json => found.format(Format::Json),
        Output::Sarif => found.format(Format::Sarif),
        Output::Github => found.format(Format::Github),
    };
    let printed = print(&text);
    say(&found.summary());
    match printed {
        0 => verdict(&found, arguments.deny_warnings),
        failed => failed,
    }
}

pub(super) fn paths(named: &[PathBuf]) -> Option<Vec<PathBuf>> {
    if !named.is_empty() {
        return Some(named.to_vec());
    }
    let default = DEFAULTS.iter().find(|path| Path::new(path).exists())?;
    Some(vec![PathBuf::from(default)])
}

fn verdict(found: &Diagnostics, deny_warnings: bool) -> u8 {
    if found.is_unreadable() {
        EXIT_ENVIRONMENT
    } else if found.errors() > 0 || (deny_warnings && found.warnings() > 0) {
        EXIT_NO
    } else {
        0
    }
}
