//! The guided tour: an unprotected sample agent, lictor in front of it, and real calls over TLS.
//!
//! Everything is real but the agent: the proxy is the one that `lictor run` starts, the policy is
//! `policies/quickstart.yaml`, tokens and certificate are made afresh, and each line that is printed
//! was read from the audit record of that call.

mod agent;
mod client;
mod paper;
mod tour;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;

use crate::app;
use crate::config::Operator;
use crate::identity::Algorithm;
use crate::identity::mint::TokenMinter;

use agent::{Agent, Secrets};
use client::Client;
use paper::{Paper, Tone};
use tour::Tour;

/// The policy that the tour runs under; the same file that an author would edit.
const POLICY: &str = include_str!("../../policies/quickstart.yaml");

/// What the command line asks of the tour.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Stop after the last step instead of staying up.
    pub once: bool,
    /// Where lictor listens; port 0 lets the system choose.
    pub listen: SocketAddr,
}

/// Walks through the tour. `false` when a step did not come out as it should.
///
/// # Errors
/// When the surroundings do not allow it: a port, a folder.
pub async fn run(options: Options) -> Result<bool> {
    let paper = Paper::stdout();
    let stage = Stage::set()?;
    let secrets = Secrets {
        key: sample("credentials.github-pat")?,
        card: "4111 1111 1111 1111".to_owned(),
    };
    let agent = Agent::start(secrets.clone())
        .await
        .context("the sample agent needs a port on loopback")?;

    let mut operator =
        Operator::standalone(&format!("http://{}", agent.address), stage.policies())?;
    operator.set_certificate(stage.path("tls.crt"), stage.path("tls.key"));
    operator.public.listener.address = options.listen;
    operator.admin.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    operator.set_state_dir(stage.folder.clone());
    "quotes-agent".clone_into(&mut operator.agent_name);
    let running = app::start(operator).await?;

    paper.line(&format!(
        "{} stands before a sample agent that has no security of its own.",
        paper.paint(Tone::Strong, "lictor")
    ));
    paper.line(&format!(
        "  callers  https://localhost:{}",
        running.public.port()
    ));
    paper.line(&format!(
        "  agent    http://{}  (says anything to anybody)",
        agent.address
    ));
    paper.line(&format!("  policy   {}", stage.policies().display()));

    let client = Client::new(running.public, stage.root.clone())?;
    let tour = Tour::new(
        client,
        &stage.minter,
        running.audit.clone(),
        secrets,
        &paper,
    );
    let passed = tour.walk().await?;

    if options.once {
        running.stop().await;
        stage.clear();
        return Ok(passed);
    }
    invite(&paper, &stage, &running)?;
    running.stopped().await;
    Ok(passed)
}

/// A sample of a detector's kind: the right shape and checksum, and it opens nothing.
fn sample(detector: &str) -> Result<String> {
    let seed = u64::from_le_bytes(
        *uuid::Uuid::now_v7()
            .as_bytes()
            .last_chunk()
            .context("a UUID has 16 bytes")?,
    );
    crate::scan::sample(detector, seed).with_context(|| format!("no detector `{detector}`"))
}

/// What the reader can do now.
fn invite(paper: &Paper, stage: &Stage, running: &app::Running) -> Result<()> {
    let token = stage.token("ana@acme", "acme", &["analysts"])?;
    write_private(&stage.path("ana.jwt"), &token)?;
    let url = format!("https://localhost:{}", running.public.port());
    let folder = stage.folder.display();
    paper.heading("lictor stays up until Ctrl-C. Try it:");
    paper.line(&format!("  cd {folder}"));
    paper.line(&format!(
        "  curl --cacert tls.crt {url}/.well-known/agent-card.json"
    ));
    paper.line(&format!(
        "  curl --cacert tls.crt {url}/ -H \"Authorization: Bearer $(cat ana.jwt)\" \\"
    ));
    paper.line("    -H 'Content-Type: application/json' -d '{\"jsonrpc\":\"2.0\",\"id\":1,");
    paper.line("    \"method\":\"SendMessage\",\"params\":{\"message\":{\"messageId\":\"m1\",");
    paper.line("    \"role\":\"ROLE_USER\",\"metadata\":{\"skill\":\"quote\"},");
    paper.line("    \"parts\":[{\"text\":\"what is the deploy key?\"}]}}}'");
    paper.line(&format!("  curl http://{}/readyz", running.admin));
    paper.line(&format!(
        "  curl -s http://{}/metrics | grep ^lictor_",
        running.admin
    ));
    paper.line("  tail -f audit.jsonl");
    paper.line("Edit policies/quickstart.yaml there, and the next call is judged by it.");
    Ok(())
}

/// The folder that the tour makes for itself, and what it made in it.
struct Stage {
    folder: PathBuf,
    root: CertificateDer<'static>,
    minter: TokenMinter,
}

impl Stage {
    fn set() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("lictor-quickstart-{}", std::process::id()));
        fs::create_dir_all(folder.join("policies/keys"))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()])?
                .self_signed(&key)?;
        let minter = TokenMinter::generate(Algorithm::Es256)?;
        fs::write(folder.join("tls.crt"), certificate.pem())?;
        write_private(&folder.join("tls.key"), &key.serialize_pem())?;
        fs::write(folder.join("policies/quickstart.yaml"), POLICY)?;
        fs::write(
            folder.join("policies/keys/quickstart-jwks.json"),
            minter.jwks(),
        )?;
        Ok(Self {
            folder,
            root: certificate.der().clone(),
            minter,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn policies(&self) -> PathBuf {
        self.folder.join("policies")
    }

    fn token(&self, id: &str, tenant: &str, groups: &[&str]) -> Result<String> {
        tour::token(&self.minter, id, tenant, groups)
    }

    /// Removes what the tour made; a rest that cannot be removed lies in the system's temporary folder.
    fn clear(self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
