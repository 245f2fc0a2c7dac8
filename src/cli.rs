//! The command line: verbs, flags, exit codes.
//!
//! Data goes to standard output, messages to standard error, colour only to a terminal.

use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::{self, StartError};
use crate::config::{self, Diagnostics, Operator};
use crate::quickstart;
use crate::telemetry;

/// The answer is no: a bad configuration, a step that came out wrong.
const EXIT_NO: u8 = 1;
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

const RUN_EXAMPLES: &str = "Examples:
  lictor run --upstream http://127.0.0.1:9000 --policies policies/ \\
      --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key
  lictor run -c lictor.yaml

Policies are read again when they change; a bad change keeps the running one.
SIGTERM or Ctrl-C drains: no new connections, work in flight ends, then exit 0.
A second signal exits at once.";

const QUICKSTART_EXAMPLES: &str = "Examples:
  lictor quickstart           walk through a dozen calls, then stay up to be tried
  lictor quickstart --once    the same, and exit: 0 only if every step came out as it should";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Stand before an agent
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// A guided tour on an embedded sample agent
    #[command(after_help = QUICKSTART_EXAMPLES)]
    Quickstart(Quickstart),
}

#[derive(Debug, Args)]
struct Run {
    /// The operator's file; the flags below override it
    #[arg(short, long, value_name = "FILE", env = "LICTOR_CONFIG")]
    config: Option<PathBuf>,
    /// The agent, e.g. http://127.0.0.1:9000
    #[arg(
        long,
        value_name = "URL",
        env = "LICTOR_UPSTREAM",
        required_unless_present = "config"
    )]
    upstream: Option<String>,
    /// A policy file, or a folder of them
    #[arg(
        long,
        value_name = "PATH",
        env = "LICTOR_POLICIES",
        required_unless_present = "config"
    )]
    policies: Option<PathBuf>,
    /// Where callers come in [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS", env = "LICTOR_LISTEN")]
    listen: Option<SocketAddr>,
    /// The certificate chain, PEM; without it the listener is plain and must be loopback
    #[arg(
        long,
        value_name = "FILE",
        env = "LICTOR_TLS_CERT",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,
    /// The private key, PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "LICTOR_TLS_KEY",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// Where probes and metrics are answered [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDRESS", env = "LICTOR_ADMIN")]
    admin: Option<SocketAddr>,
    /// Where the audit file and other state lie [default: lictor-state]
    #[arg(long, value_name = "DIR", env = "LICTOR_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Quickstart {
    /// Exit after the last step
    #[arg(long)]
    once: bool,
    /// Where lictor listens; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
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
        Verb::Quickstart(arguments) => tour(&arguments),
        Verb::Run(arguments) => run(&arguments),
    });
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(_) => {
            say("error: a bug in lictor ended it; please report this with the log");
            ExitCode::from(EXIT_BUG)
        }
    }
}

fn run(arguments: &Run) -> u8 {
    let operator = match operator(arguments) {
        Ok(operator) => operator,
        Err(code) => return code,
    };
    if let Err(error) = telemetry::start_logging(&logs(&operator)) {
        say(&format!("error: {error}"));
        return EXIT_NO;
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    runtime.block_on(async {
        match app::start(operator).await {
            Ok(running) => {
                running.stopped().await;
                0
            }
            Err(error) => explain(&error),
        }
    })
}

/// The operator's words for logs; `LICTOR_LOG` narrows them down to modules when somebody hunts a bug.
fn logs(operator: &Operator) -> telemetry::Config {
    let filter =
        std::env::var("LICTOR_LOG").unwrap_or_else(|_| operator.logs.level.as_str().to_owned());
    let format = match operator.logs.format {
        config::LogFormat::Json => telemetry::LogFormat::Json,
        config::LogFormat::Pretty => telemetry::LogFormat::Pretty,
    };
    telemetry::Config { format, filter }
}

/// The operator's settings: the file, with the flags over it.
fn operator(arguments: &Run) -> Result<Operator, u8> {
    let usage = |error: &dyn std::fmt::Display| {
        say(&format!("error: {error}"));
        EXIT_NO
    };
    let mut operator = match (&arguments.config, &arguments.upstream, &arguments.policies) {
        (Some(file), ..) => config::load_operator(file).map_err(|diagnostics| {
            say(diagnostics.render(colour()).trim_end());
            exit_code(&diagnostics)
        })?,
        (None, Some(upstream), Some(policies)) => {
            Operator::standalone(upstream, policies.clone()).map_err(|error| usage(&error))?
        }
        (None, ..) => {
            return Err(usage(
                &"`--upstream` and `--policies`, or `--config`, are needed",
            ));
        }
    };
    if arguments.config.is_some() {
        if let Some(upstream) = &arguments.upstream {
            operator
                .set_upstream(upstream)
                .map_err(|error| usage(&error))?;
        }
        if let Some(policies) = &arguments.policies {
            operator.policies.clone_from(policies);
        }
    }
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        operator.set_certificate(certificate.clone(), key.clone());
    }
    if let Some(address) = arguments.listen {
        operator.listener.address = address;
    }
    if let Some(address) = arguments.admin {
        operator.admin.address = address;
    }
    if let Some(folder) = &arguments.state_dir {
        operator.set_state_dir(folder.clone());
    }
    operator.check().map_err(|error| usage(&error))?;
    Ok(operator)
}

fn tour(arguments: &Quickstart) -> u8 {
    // The tour prints what matters; only what is wrong may come between.
    let logs = telemetry::Config {
        format: telemetry::LogFormat::Pretty,
        filter: "warn".to_owned(),
    };
    if let Err(error) = telemetry::start_logging(&logs) {
        say(&format!("error: {error}"));
        return EXIT_BUG;
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let options = quickstart::Options {
        once: arguments.once,
        listen: arguments.listen,
    };
    match runtime.block_on(quickstart::run(options)) {
        Ok(true) => 0,
        Ok(false) => EXIT_NO,
        Err(error) => {
            let code = error
                .downcast_ref::<StartError>()
                .map_or(EXIT_ENVIRONMENT, explain_code);
            say(&format!("error: {error:#}"));
            code
        }
    }
}

/// The runtime of all that is not a call; `app` starts the threads that serve.
fn runtime() -> Result<tokio::runtime::Runtime, u8> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|error| {
        say(&format!("error: cannot start the runtime: {error}"));
        EXIT_ENVIRONMENT
    })
}

fn explain(error: &StartError) -> u8 {
    match error {
        StartError::Policies(diagnostics) => say(diagnostics.render(colour()).trim_end()),
        StartError::Environment(error) => say(&format!("error: {error:#}")),
    }
    explain_code(error)
}

fn explain_code(error: &StartError) -> u8 {
    match error {
        StartError::Environment(_) => EXIT_ENVIRONMENT,
        StartError::Policies(diagnostics) => exit_code(diagnostics),
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
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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
