//! `lictor run`: stand before an agent.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{EXIT_NO, colour, exit_code, explain_code, runtime, say};
use crate::app::{self, StartError};
use crate::config::{self, Operator};
use crate::telemetry;

pub(super) const EXAMPLES: &str = "Examples:
  lictor run --upstream http://127.0.0.1:9000 --policies policies/ \\
      --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key
  lictor run -c lictor.yaml

Policies are read again when they change; a bad change keeps the running one.
SIGTERM or Ctrl-C drains: no new connections, work in flight ends, then exit 0.
A second signal exits at once.";

#[derive(Debug, Args)]
pub(super) struct Run {
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
    /// Policies to judge beside them on the same calls: they decide nothing, and where they differ is told
    #[arg(long, value_name = "PATH", env = "LICTOR_CANDIDATE")]
    candidate: Option<PathBuf>,
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

pub(super) fn run(arguments: &Run) -> u8 {
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
    operator.candidate.clone_from(&arguments.candidate);
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        operator.set_certificate(certificate.clone(), key.clone());
    }
    if let Some(address) = arguments.listen {
        operator.public.listener.address = address;
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

fn explain(error: &StartError) -> u8 {
    match error {
        StartError::Policies(diagnostics) => say(diagnostics.render(colour()).trim_end()),
        StartError::Tests(failures) => {
            say(&format!(
                "{}\nerror: the policies fail their tests",
                failures.trim_end()
            ));
        }
        StartError::Environment(error) => say(&format!("error: {error:#}")),
    }
    explain_code(error)
}
