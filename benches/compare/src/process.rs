//! Processes pinned to a core, none of which outlives us.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::proc;

/// How long a process may take to end when asked to.
const PATIENCE: Duration = Duration::from_secs(3);

/// A command that runs on this core only and ends when we do, however we end: `setpriv` asks the
/// kernel for a signal at our death. Both tools are part of util-linux, hence of every Debian.
pub(crate) fn pinned(core: usize, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM", "taskset", "--cpu-list"])
        .arg(core.to_string())
        .arg(program)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A process in the background whose messages go to a file.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
    pub(crate) pid: u32,
}

impl Service {
    pub(crate) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log)?;
        command.stdout(file.try_clone()?).stderr(file);
        // Killed outright, nginx would leave its worker behind: `stop` asks first, and so does the
        // kernel at our death.
        command.kill_on_drop(false);
        let child = command.spawn().context("cannot start")?;
        let pid = child.id().context("ended at once")?;
        let log = log.to_owned();
        Ok(Self { child, log, pid })
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.to_string())
    }

    /// The last lines that it wrote, each on a line of its own below what is said of it.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.collect::<Vec<_>>();
        let from = lines.len().saturating_sub(5);
        let last = lines.get(from..).unwrap_or_default();
        last.iter().map(|line| format!("\n    {line}")).collect()
    }

    /// Asks it to end, then makes it, with its children.
    pub(crate) async fn stop(mut self) {
        let pids = proc::tree(self.pid).unwrap_or_default();
        signal("TERM", &[self.pid]).await;
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            signal("KILL", &pids).await;
            let _ = self.child.wait().await;
        }
    }
}

/// Through a shell: `unsafe` is forbidden here, and the `kill` program is not on every Debian.
async fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>();
    let script = format!("kill -{name} {}", pids.join(" "));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stderr(Stdio::null());
    let _ = shell.status().await;
}
