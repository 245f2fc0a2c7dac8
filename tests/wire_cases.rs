//! Exchanges of raw bytes, written down in `tests/data/wire`: what the caller sends, what the agent gets of it,
//! and what comes back.

#![cfg(test)]

use support::cases::load;
use support::lictor::{EVERYBODY, Setup};
use support::recorder::Recorder;
use support::runner::Stage;
use support::tls::Certificates;

mod support;

async fn stage(is_http2: bool) -> Stage {
    let agent = Recorder::start().await;
    let policy = format!("{EVERYBODY}leaks:\n  packs: {{ credentials: redact }}\n");
    let setup = Setup::new(agent.address).policy(policy);
    let certificates = is_http2.then(|| Certificates::generate(setup.home()));
    let setup = match &certificates {
        Some(files) => setup
            .flag("--tls-cert", &files.certificate)
            .flag("--tls-key", &files.key),
        None => setup,
    };
    Stage {
        lictor: setup.start().await,
        agent,
        certificates,
    }
}

#[tokio::test]
async fn callers_over_http1() {
    stage(false).await.play(&load("http1")).await;
}

#[tokio::test]
async fn callers_over_http2() {
    stage(true).await.play(&load("http2")).await;
}

#[tokio::test]
async fn agents() {
    stage(false).await.play(&load("agent")).await;
}
