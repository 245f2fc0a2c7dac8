//! Time from the start of a proxy to its first right answer.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, timeout};

use crate::client::{Caller, exchange};
use crate::clock;
use crate::contender::{Contender, Stage};
use crate::site::{self, Ask};
use crate::workload::Workload;

/// How long a proxy may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a refused connection is tried again.
const AGAIN: Duration = Duration::from_micros(200);

/// Starts a proxy, asks it until it answers, stops it: how long the answer took.
pub(crate) async fn first_answer(
    stage: &Stage<'_>,
    contender: Contender,
) -> anyhow::Result<Duration> {
    let ready = stage.prepare(contender, Workload::Start)?;
    let target = stage.target(contender, Workload::Start, ready.address);
    let caller = Caller::new(&target, Ask::Message)?;
    let begin = Instant::now();
    let mut service = ready.start()?;
    let answer = timeout(PATIENCE, async {
        loop {
            if let Some(status) = service.ended() {
                bail!("ended with {status}");
            }
            match ask(&caller).await {
                Ok(()) => return Ok(begin.elapsed()),
                // Not listening yet. Anything else is wrong.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error.into()),
            }
            // Nothing else runs here that could wait for this, and the runtime's timers are too coarse.
            clock::sleep_until(clock::now() + AGAIN);
        }
    });
    let answer = answer.await;
    let words = service.last_words();
    service.stop().await;
    answer
        .context("no answer comes")?
        .with_context(|| format!("first answer{words}"))
}

async fn ask(caller: &Caller) -> std::io::Result<()> {
    let mut stream = caller.connect().await?;
    match caller.tls() {
        Some(tls) => {
            let mut stream = tls.connect(caller.name()?, stream).await?;
            exchange(&mut stream, caller.request(), &site::message()).await
        }
        None => exchange(&mut stream, caller.request(), &site::message()).await,
    }
}
