//! `lictor quickstart`: a guided tour.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;

use super::{EXIT_BUG, EXIT_ENVIRONMENT, EXIT_NO, explain_code, runtime, say};
use crate::app::StartError;
use crate::{quickstart, telemetry};

pub(super) const EXAMPLES: &str = "Examples:
  lictor quickstart           walk through a dozen calls, then stay up to be tried
  lictor quickstart --once    the same, and exit: 0 only if every step came out as it should";

#[derive(Debug, Args)]
pub(super) struct Quickstart {
    /// Exit after the last step
    #[arg(long)]
    once: bool,
    /// Where lictor listens; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
}

pub(super) fn tour(arguments: &Quickstart) -> u8 {
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
