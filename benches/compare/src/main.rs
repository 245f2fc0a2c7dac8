//! Measures what lictor costs beside Envoy, nginx, HAProxy and a bare hyper proxy.
//!
//! `run` is the whole comparison; the other verbs are the processes that it starts.

mod backend;
mod client;
mod clock;
mod contender;
mod histogram;
mod http2;
mod hyper_proxy;
mod idle;
mod load;
mod probe;
mod proc;
mod process;
mod results;
mod run;
mod secrets;
mod site;
mod start;
mod table;
mod target;
mod template;
mod wire;
mod workload;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use tokio::task::LocalSet;

/// The same allocator as lictor's, so that the floor is not one of allocation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what lictor costs beside other proxies.
#[derive(Debug, Parser)]
enum Verb {
    /// Serves the agent that is proxied.
    Backend {
        /// Address to listen on.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Serves as the bare hyper proxy.
    HyperProxy(hyper_proxy::Options),
    /// Leaves connections to a proxy waiting and prints the memory that they take, as JSON.
    Idle(idle::Options),
    /// Asks a proxy and prints what was seen, as JSON.
    Load(load::Options),
    /// Asks a proxy for what it must not give.
    Probe(probe::Options),
    /// Runs the comparison and prints the table, as Markdown.
    Run(run::Options),
}

fn main() -> ExitCode {
    match serve(Verb::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(verb: Verb) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match verb {
        Verb::Backend { listen } => {
            LocalSet::new().block_on(&runtime, backend::run(listen))?;
        }
        // Not in a `LocalSet`: its extra queue is not part of the floor.
        Verb::HyperProxy(options) => runtime.block_on(hyper_proxy::run(options))?,
        Verb::Idle(options) => {
            let memory = LocalSet::new().block_on(&runtime, idle::run(options))?;
            println!("{}", serde_json::to_string(&memory)?);
        }
        Verb::Load(options) => {
            let sample = LocalSet::new().block_on(&runtime, load::run(options))?;
            println!("{}", serde_json::to_string(&sample)?);
        }
        Verb::Probe(options) => runtime.block_on(probe::run(options))?,
        Verb::Run(options) => print!("{}", runtime.block_on(run::run(options))?),
    }
    Ok(())
}
