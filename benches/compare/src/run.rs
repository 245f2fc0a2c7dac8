//! The comparison: rows one after another, and within a row the proxies in turn, in short slices,
//! so that whatever else the machine does falls on all of them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::contender::{Contender, Family, Part, Programs, Stage, free_address, parts};
use crate::load::Sample;
use crate::proc;
use crate::process::{Service, pinned};
use crate::secrets::Secrets;
use crate::table::{self, Line};
use crate::workload::Workload;

/// What to compare, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    programs: Programs,
    /// Rows to measure; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    rows: Vec<Workload>,
    /// Proxies to measure; all by default. Without Envoy there is nothing to hold them against.
    #[arg(long, value_enum, value_delimiter = ',')]
    proxies: Vec<Family>,
    /// Slices of each cell; the median counts.
    #[arg(long, default_value_t = 3)]
    slices: usize,
    /// Milliseconds of a slice.
    #[arg(long, default_value_t = 1500)]
    measure: u64,
    /// Milliseconds before a slice; twice that before the first.
    #[arg(long, default_value_t = 500)]
    warm_up: u64,
    /// Folder for configurations, keys and logs of the run; emptied first.
    #[arg(long)]
    folder: PathBuf,
}

/// How long a proxy may take to listen.
const START: Duration = Duration::from_secs(10);

/// Runs everything and gives the table; whatever was started has ended when this returns.
pub(crate) async fn run(options: Options) -> anyhow::Result<String> {
    let mut services = Vec::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let result = tokio::select! {
        result = Box::pin(compare(&options, &mut services)) => result,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("asked to end")),
    };
    stop(&mut services).await;
    result
}

async fn compare(options: &Options, services: &mut Vec<Service>) -> anyhow::Result<String> {
    let (proxy_core, load_core) =
        proc::two_cores().context("two processors are needed: one for the proxy, one for load")?;
    let folder = fresh(&options.folder)?;
    let secrets = Secrets::make(&folder)?;
    let begin = clock::now();

    let backend = free_address()?;
    let mut command = pinned(load_core, std::env::current_exe()?);
    command.args(["backend", "--listen", &backend.to_string()]);
    let mut service = Service::start(command, &folder.join("backend.messages"))?;
    let listening = listens(&mut service, backend).await;
    services.push(service);
    listening.context("backend")?;

    let stage = Stage {
        programs: &options.programs,
        secrets: &secrets,
        folder: &folder,
        backend,
        core: proxy_core,
    };
    let rows = if options.rows.is_empty() {
        Workload::ALL.to_vec()
    } else {
        options.rows.clone()
    };
    let mut lines = Vec::new();
    for workload in rows {
        let row = Row {
            options,
            stage: &stage,
            workload,
            load_core,
        };
        lines.extend(row.measure(services).await?);
        // The backend was first and stays.
        let mut proxies = services.split_off(1);
        stop(&mut proxies).await;
    }
    let versions = options.programs.versions().await;
    let seconds = begin.elapsed().as_secs();
    let foot = foot(options, &versions, seconds);
    Ok(format!("{}\n{foot}", table::render(&lines)))
}

/// One workload, all proxies.
struct Row<'a> {
    options: &'a Options,
    stage: &'a Stage<'a>,
    workload: Workload,
    load_core: usize,
}

/// A proxy that takes part, and what was seen of it.
struct Entry {
    contender: Contender,
    /// Its place among the services and its address; `None` once it has failed.
    runs: Option<(usize, SocketAddr)>,
    samples: Vec<Sample>,
}

impl Row<'_> {
    async fn measure(&self, services: &mut Vec<Service>) -> anyhow::Result<Vec<Line>> {
        let mut entries = Vec::new();
        for part in self.parts() {
            entries.push(self.enter(part, services).await);
        }
        for slice in 0..self.options.slices {
            for entry in &mut entries {
                self.slice(slice, entry, services).await;
            }
        }
        let lines = entries.into_iter().map(|entry| Line {
            workload: self.workload,
            contender: entry.contender,
            samples: entry.samples,
        });
        Ok(lines.collect())
    }

    /// Those who were asked for, each lictor followed by the one that it is held against.
    fn parts(&self) -> Vec<Part> {
        let options = self.options;
        let mut wanted = Vec::new();
        for part in parts(self.workload) {
            let contender = part.contender();
            if !options.proxies.is_empty() && !options.proxies.contains(&contender.family()) {
                continue;
            }
            wanted.push(part);
            let base = contender
                .base()
                .filter(|_| options.programs.compares_lictors());
            wanted.extend(base.map(Part::Takes));
        }
        wanted
    }

    async fn enter(&self, part: Part, services: &mut Vec<Service>) -> Entry {
        let (contender, runs) = match part {
            Part::Cannot(contender, why) => {
                self.say(contender, why);
                (contender, None)
            }
            Part::Takes(contender) => match self.start(contender, services).await {
                Ok(runs) => (contender, Some(runs)),
                Err(error) => {
                    self.say(contender, &format!("does not run: {error:#}"));
                    (contender, None)
                }
            },
        };
        Entry {
            contender,
            runs,
            samples: Vec::new(),
        }
    }

    async fn start(
        &self,
        contender: Contender,
        services: &mut Vec<Service>,
    ) -> anyhow::Result<(usize, SocketAddr)> {
        let (mut service, address) = self.stage.start(contender, self.workload)?;
        let listening = listens(&mut service, address).await;
        services.push(service);
        listening?;
        self.probe(contender, address).await?;
        Ok((services.len() - 1, address))
    }

    async fn probe(&self, contender: Contender, address: SocketAddr) -> anyhow::Result<()> {
        let controls = contender.controls(self.workload);
        if controls.is_empty() {
            return Ok(());
        }
        let mut command = pinned(self.load_core, std::env::current_exe()?);
        command.args(["probe", "--address", &address.to_string()]);
        command.arg("--certificate");
        command.arg(&self.stage.secrets.certificate);
        command.arg("--token").arg(&self.stage.secrets.token);
        for control in controls {
            command.args(["--control", control.name()]);
        }
        finished(command, START).await.map(drop)
    }

    async fn slice(&self, slice: usize, entry: &mut Entry, services: &[Service]) {
        let Some((place, address)) = entry.runs else {
            return;
        };
        let Some(service) = services.get(place) else {
            return;
        };
        match self.load(slice, service.pid, address).await {
            Ok(sample) => {
                let cpu = sample.cpu_micros / sample.count;
                let rate = sample.count / sample.seconds;
                let seen = format!("{cpu:.1} µs, {rate:.0}/s");
                self.say(entry.contender, &seen);
                entry.samples.push(sample);
            }
            Err(error) => {
                let words = service.last_words();
                let text = format!("not measured: {error:#}{words}");
                self.say(entry.contender, &text);
                entry.runs = None;
                entry.samples.clear();
            }
        }
    }

    async fn load(&self, slice: usize, pid: u32, address: SocketAddr) -> anyhow::Result<Sample> {
        let options = self.options;
        let warm_up = if slice == 0 {
            options.warm_up * 2
        } else {
            options.warm_up
        };
        let mut command = pinned(self.load_core, std::env::current_exe()?);
        command.args(["load", "--ask", self.workload.ask_name()]);
        let numbers = [
            ("--address", address.to_string()),
            ("--connections", self.workload.connections().to_string()),
            ("--warm-up", warm_up.to_string()),
            ("--measure", options.measure.to_string()),
            ("--pid", pid.to_string()),
        ];
        for (name, value) in numbers {
            command.args([name, &value]);
        }
        if self.workload.tls() {
            command.arg("--certificate");
            command.arg(&self.stage.secrets.certificate);
        }
        if self.workload.token() {
            command.arg("--token").arg(&self.stage.secrets.token);
        }
        let patience = Duration::from_millis(warm_up + options.measure) + START;
        let output = finished(command, patience).await?;
        Ok(serde_json::from_slice(&output)?)
    }

    fn say(&self, contender: Contender, what: &str) {
        eprintln!("{}: {}: {what}", self.workload.title(), contender.name());
    }
}

/// What a command prints, once it has ended well.
async fn finished(mut command: Command, patience: Duration) -> anyhow::Result<Vec<u8>> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = timeout(patience, command.output()).await;
    let output = output.context("no end is seen")??;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{}", text.trim().trim_start_matches("error: "));
    }
    Ok(output.stdout)
}

/// Waits until the process listens there.
async fn listens(service: &mut Service, address: SocketAddr) -> anyhow::Result<()> {
    let deadline = clock::now() + START;
    while clock::now() < deadline {
        if let Some(status) = service.ended() {
            bail!("ended with {status}{}", service.last_words());
        }
        if TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    bail!("does not listen{}", service.last_words());
}

async fn stop(services: &mut Vec<Service>) {
    while let Some(service) = services.pop() {
        service.stop().await;
    }
}

fn fresh(folder: &Path) -> anyhow::Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.canonicalize()?)
}

fn foot(options: &Options, versions: &[String], seconds: u64) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        include_str!("foot.md"),
        slices = options.slices,
        measure = options.measure,
        versions = versions.join(", "),
        kernel = kernel.trim(),
        processor = processor(),
        seconds = seconds,
    )
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or_else(
        || "unknown processor".to_owned(),
        |(_, name)| name.trim().to_owned(),
    )
}
