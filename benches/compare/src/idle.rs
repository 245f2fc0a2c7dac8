//! Memory of connections that wait: opened, asked once, left alone.

use std::io;
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Caller, Target, exchange};
use crate::proc;
use crate::site::{self, Ask};

/// Whom to leave waiting.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// Connections that wait at the same time.
    #[arg(long)]
    connections: usize,
    /// Process whose memory is read, with its children.
    #[arg(long)]
    pid: u32,
}

/// Resident memory in KiB.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Before any connection but one, which was closed.
    pub(crate) empty_kib: u64,
    /// With all of them waiting.
    pub(crate) full_kib: u64,
    /// After all of them were closed.
    pub(crate) after_kib: u64,
    pub(crate) connections: u64,
}

impl Memory {
    pub(crate) fn empty_mib(&self) -> f64 {
        self.empty_kib as f64 / 1024.0
    }

    pub(crate) fn kib_per_connection(&self) -> f64 {
        let grown = self.full_kib.saturating_sub(self.empty_kib);
        grown as f64 / self.connections as f64
    }
}

/// How many are opened at the same time: few, so that no peak of handshakes is measured.
const WAVE: usize = 32;
/// How long memory may take to settle.
const SETTLE: Duration = Duration::from_secs(2);

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Opens them, measures, closes them, measures again. Every one must have had its answer, and must still
/// be open at the end.
pub(crate) async fn run(options: Options) -> anyhow::Result<Memory> {
    let caller = Caller::new(&options.target, Ask::Message)?;
    let pids = proc::tree(options.pid)?;
    drop(open(&caller).await?);
    sleep(SETTLE).await;
    let empty_kib = proc::memory(&pids).0;

    let mut waiting = Vec::with_capacity(options.connections);
    while waiting.len() < options.connections {
        let mut wave = JoinSet::new();
        for _ in 0..WAVE.min(options.connections - waiting.len()) {
            let caller = caller.clone();
            wave.spawn_local(async move { open(&caller).await });
        }
        while let Some(opened) = wave.join_next().await {
            waiting.push(opened??);
        }
    }
    sleep(SETTLE).await;
    let full_kib = proc::memory(&pids).0;
    for stream in &mut waiting {
        still_open(stream).await?;
    }
    let connections = waiting.len() as u64;
    drop(waiting);
    sleep(SETTLE).await;
    Ok(Memory {
        empty_kib,
        full_kib,
        after_kib: proc::memory(&pids).0,
        connections,
    })
}

/// A connection that has had one right answer.
async fn open(caller: &Caller) -> io::Result<Box<dyn Stream>> {
    let stream = caller.connect().await?;
    let request = caller.request().to_vec();
    match caller.tls() {
        Some(tls) => {
            let mut stream = tls.connect(caller.name()?, stream).await?;
            exchange(&mut stream, &request, &site::message()).await?;
            Ok(Box::new(stream))
        }
        None => {
            let mut stream = stream;
            exchange(&mut stream, &request, &site::message()).await?;
            Ok(Box::new(stream))
        }
    }
}

async fn still_open(stream: &mut Box<dyn Stream>) -> anyhow::Result<()> {
    // Tickets and the like may lie in the socket; the end of the stream may not.
    match timeout(Duration::ZERO, stream.read(&mut [0])).await {
        Err(_nothing_to_read) => Ok(()),
        Ok(_) => bail!("a waiting connection was closed"),
    }
}
