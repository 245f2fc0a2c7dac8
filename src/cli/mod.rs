//! The command line: verbs, flags, exit codes.
//!
//! Data goes to standard output, messages to standard error, colour only to a terminal.

mod check;
mod explain;
mod init;
mod keys;
mod progress;
mod quickstart;
mod recorded;
mod replay;
mod run;
mod scan;
mod schema;
mod sign;
mod test;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::StartError;
use crate::config::{self, Diagnostics, Operator, Policies};
use crate::scan::known_names;

/// The answer is no: a bad configuration, a step that came out wrong.
const EXIT_NO: u8 = 1;
/// The command line says too little or too much.
const EXIT_USAGE: u8 = 2;
/// The surroundings do not allow it: a port, a file.
const EXIT_ENVIRONMENT: u8 = 3;
/// A bug of ours.
const EXIT_BUG: u8 = 4;

/// lictor walks beside an AI agent and enforces its policy.
///
/// A reverse proxy in front of one agent: it terminates TLS, verifies who calls, decides by YAML
/// policies whether they may, meters what they use, and scans every answer while it streams.
#[derive(Debug, Parser)]
#[command(name = "lictor", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str =
    "Exit codes: 0 fine, 1 the answer is no, 2 usage, 3 environment (files, ports), 4 a bug";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say all that is wrong with policies and lictor.yaml
    #[command(after_help = check::EXAMPLES)]
    Check(check::Check),
    /// Say what a policy decides of one call, and why
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Explain),
    /// Write a policy to begin with
    #[command(after_help = init::EXAMPLES)]
    Init(init::Init),
    /// Make keys for callers, and the hashes that stand in their place; print public halves
    #[command(after_help = keys::EXAMPLES)]
    Keys(keys::Keys),
    /// Say what other policies would have decided of calls that were made
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Replay),
    /// Stand before an agent
    #[command(after_help = run::EXAMPLES)]
    Run(run::Run),
    /// Look for leaks in files, or clean what passes through
    #[command(after_help = scan::EXAMPLES)]
    Scan(scan::Scan),
    /// Print the JSON Schema of a file, for editors
    #[command(after_help = schema::EXAMPLES)]
    Schema(schema::Schema),
    /// Sign a request, as callers of an identity with `signature` or `hmac` do
    #[command(after_help = sign::EXAMPLES)]
    Sign(sign::Sign),
    /// A guided tour on an embedded sample agent
    #[command(after_help = quickstart::EXAMPLES)]
    Quickstart(quickstart::Quickstart),
    /// Run the tests that stand in policies
    #[command(after_help = test::EXAMPLES)]
    Test(test::Test),
}

/// Runs the verb that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    std::panic::set_hook(Box::new(|panic| {
        // Never the payload: it may quote what a peer sent.
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(%place, "a bug in lictor; the call that met it was refused");
    }));
    let ended = std::panic::catch_unwind(|| match cli.verb {
        Verb::Check(arguments) => check::check(&arguments),
        Verb::Explain(arguments) => explain::explain(&arguments),
        Verb::Init(arguments) => init::init(&arguments),
        Verb::Keys(arguments) => keys::keys(&arguments),
        Verb::Quickstart(arguments) => quickstart::tour(&arguments),
        Verb::Replay(arguments) => replay::replay(&arguments),
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Scan(arguments) => scan::scan(&arguments),
        Verb::Schema(arguments) => schema::schema(&arguments),
        Verb::Sign(arguments) => sign::sign(&arguments),
        Verb::Test(arguments) => test::test(&arguments),
    });
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(_) => {
            say("error: a bug in lictor ended it; please report this with the log");
            ExitCode::from(EXIT_BUG)
        }
    }
}

/// The policies at these paths, and the operator's file if one is among them. What is wrong with them is printed, and
/// the exit code says so.
fn load(paths: &[PathBuf]) -> Result<(Policies, Option<Operator>), u8> {
    config::load_named(paths, known_names()).map_err(|found| {
        let printed = print(&found.excerpts(is_colourful(&io::stdout())));
        say(&found.summary());
        if printed == 0 {
            exit_code(&found)
        } else {
            printed
        }
    })
}

/// The runtime of all that is not a call; `app` starts the threads that serve.
fn runtime() -> Result<tokio::runtime::Runtime, u8> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|error| {
        say(&format!("error: cannot start the runtime: {error}"));
        EXIT_ENVIRONMENT
    })
}

fn explain_code(error: &StartError) -> u8 {
    match error {
        StartError::Environment(_) => EXIT_ENVIRONMENT,
        StartError::Policies(diagnostics) => exit_code(diagnostics),
        StartError::Tests(_) => EXIT_NO,
    }
}

/// A file that cannot be read says nothing about what stands in it.
fn exit_code(diagnostics: &Diagnostics) -> u8 {
    if diagnostics.is_unreadable() {
        EXIT_ENVIRONMENT
    } else {
        EXIT_NO
    }
}

fn colour() -> bool {
    is_colourful(&io::stderr())
}

fn is_colourful(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Data. Whoever closes standard output early has read enough; another failure is one of the surroundings.
fn print(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            say(&format!("error: cannot write: {error}"));
            EXIT_ENVIRONMENT
        }
    }
}

/// A message. A closed standard error silences it, nothing more.
fn say(text: &str) {
    let _closed = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
