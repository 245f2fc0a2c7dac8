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
use crate::idle::Memory;
use crate::load::Sample;
use crate::proc;
use crate::process::{Service, pinned};
use crate::results::{Line, Results};
use crate::secrets::Secrets;
use crate::workload::{Kind, Workload};
use crate::{start, table};

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
    /// A page whose lines between `<!-- compare -->` and `<!-- end -->` are to become the tables.
    #[arg(long)]
    into: Option<PathBuf>,
    /// Folder for configurations, keys and logs of the run; emptied first.
    #[arg(long)]
    folder: PathBuf,
}

/// How long a proxy may take to listen.
const START: Duration = Duration::from_secs(10);
/// How long the opening of all connections that then wait may take, before the first ones are closed for it.
const WAITING: Duration = Duration::from_secs(60);
/// How often each proxy is started.
const STARTS: usize = 9;

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
    let tables = result?;
    if let Some(page) = &options.into {
        let text = fs::read_to_string(page).context("cannot read the page")?;
        let text = placed(&text, &tables).context("the page has no place for the tables")?;
        fs::write(page, text)?;
    }
    Ok(tables)
}

/// A page with the tables between its marks.
fn placed(page: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, "\n", tables.trim(), "\n", END, after].concat())
}

const BEGIN: &str = "<!-- compare -->";
const END: &str = "<!-- end -->";

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
    let mut results = Results::default();
    for workload in rows {
        let row = Row {
            options,
            stage: &stage,
            workload,
            load_core,
        };
        match workload.kind() {
            Kind::Idle => results.memory.extend(row.memory(services).await),
            Kind::Load => results.loads.extend(row.loads(services).await),
            Kind::Start => results.starts.extend(row.starts().await),
        }
        // The backend was first and stays.
        let mut proxies = services.split_off(1);
        stop(&mut proxies).await;
    }
    let versions = options.programs.versions().await;
    let seconds = begin.elapsed().as_secs();
    let foot = foot(options, &versions, seconds);
    Ok(format!("{}\n{foot}", table::render(&results)))
}

/// One workload, all proxies.
struct Row<'a> {
    options: &'a Options,
    stage: &'a Stage<'a>,
    workload: Workload,
    load_core: usize,
}

/// A proxy that takes part, and what was seen of it.
struct Entry<T> {
    contender: Contender,
    /// `None` once it has failed.
    runs: Option<Running>,
    samples: Vec<T>,
}

/// A proxy that runs.
#[derive(Debug, Clone, Copy)]
struct Running {
    /// Its place among the services.
    place: usize,
    address: SocketAddr,
}

/// What a slice is of.
struct Slice {
    /// Whether it is the proxy's first.
    is_first: bool,
    contender: Contender,
    address: SocketAddr,
    pid: u32,
}

impl Row<'_> {
    /// CPU time under load.
    async fn loads(&self, services: &mut Vec<Service>) -> Vec<Line> {
        let load = async |slice: Slice| {
            let sample = self.load(&slice).await?;
            let cpu = sample.cpu_micros / sample.count;
            let rate = sample.count / sample.seconds;
            self.say(slice.contender, &format!("{cpu:.1} µs, {rate:.0}/s"));
            Ok(sample)
        };
        self.measure(services, self.options.slices, load).await
    }

    /// Memory of connections that wait. Once: what was closed leaves traces in memory.
    async fn memory(&self, services: &mut Vec<Service>) -> Vec<Line<Memory>> {
        let wait = async |slice: Slice| {
            let memory = self.wait(&slice).await?;
            let each = memory.kib_per_connection();
            let words = format!(
                "{:.1} MiB, {each:.1} KiB per connection",
                memory.empty_mib()
            );
            self.say(slice.contender, &words);
            Ok(memory)
        };
        self.measure(services, 1, wait).await
    }

    /// Starts of proxies, in turn.
    async fn starts(&self) -> Vec<Line<Duration>> {
        let takes = |part| match part {
            Part::Takes(contender) => Some(contender),
            Part::Cannot(..) => None,
        };
        let lines = self.parts().into_iter().filter_map(takes);
        let mut lines = lines
            .map(|contender| self.line(contender, Vec::new()))
            .collect::<Vec<_>>();
        for _ in 0..STARTS {
            for line in &mut lines {
                match start::first_answer(self.stage, line.contender).await {
                    Ok(time) => line.samples.push(time),
                    Err(error) => self.say(line.contender, &format!("not measured: {error:#}")),
                }
            }
        }
        lines
    }

    async fn measure<T>(
        &self,
        services: &mut Vec<Service>,
        slices: usize,
        look: impl AsyncFn(Slice) -> anyhow::Result<T>,
    ) -> Vec<Line<T>> {
        let mut entries = Vec::new();
        for part in self.parts() {
            entries.push(self.enter(part, services).await);
        }
        for slice in 0..slices {
            for entry in &mut entries {
                self.slice(slice == 0, entry, services, &look).await;
            }
        }
        let entries = entries.into_iter();
        entries
            .map(|entry| self.line(entry.contender, entry.samples))
            .collect()
    }

    fn line<T>(&self, contender: Contender, samples: Vec<T>) -> Line<T> {
        Line {
            workload: self.workload,
            contender,
            samples,
        }
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

    async fn enter<T>(&self, part: Part, services: &mut Vec<Service>) -> Entry<T> {
        let (contender, runs) = match part {
            Part::Cannot(contender, why) => {
                self.say(contender, why);
                (contender, None)
            }
            Part::Takes(Contender::Backend) => {
                let address = self.stage.backend;
                let runs = Running { place: 0, address };
                (Contender::Backend, Some(runs))
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
    ) -> anyhow::Result<Running> {
        let ready = self.stage.prepare(contender, self.workload)?;
        let address = ready.address;
        let mut service = ready.start()?;
        let listening = listens(&mut service, address).await;
        services.push(service);
        listening?;
        self.probe(contender, address).await?;
        let place = services.len() - 1;
        Ok(Running { place, address })
    }

    async fn probe(&self, contender: Contender, address: SocketAddr) -> anyhow::Result<()> {
        let controls = contender.controls(self.workload);
        if controls.is_empty() {
            return Ok(());
        }
        let mut command = pinned(self.load_core, std::env::current_exe()?);
        command.args(["probe", "--address", &address.to_string()]);
        if contender.tls(self.workload) {
            command.arg("--certificate");
            command.arg(&self.stage.secrets.certificate);
        }
        command.arg("--token").arg(&self.stage.secrets.token);
        for control in controls {
            command.args(["--control", control.name()]);
        }
        finished(command, START).await.map(drop)
    }

    async fn slice<T>(
        &self,
        is_first: bool,
        entry: &mut Entry<T>,
        services: &[Service],
        look: &impl AsyncFn(Slice) -> anyhow::Result<T>,
    ) {
        let Some(runs) = entry.runs else {
            return;
        };
        let Some(service) = services.get(runs.place) else {
            return;
        };
        let slice = Slice {
            is_first,
            contender: entry.contender,
            address: runs.address,
            pid: service.pid,
        };
        match look(slice).await {
            Ok(sample) => entry.samples.push(sample),
            Err(error) => {
                let words = service.last_words();
                let text = format!("not measured: {error:#}{words}");
                self.say(entry.contender, &text);
                entry.runs = None;
                entry.samples.clear();
            }
        }
    }

    /// One of our own verbs on the core of the load, with what both kinds of it want to know.
    fn asking(&self, verb: &str, slice: &Slice) -> anyhow::Result<Command> {
        let mut command = pinned(self.load_core, std::env::current_exe()?);
        let target = self
            .stage
            .target(slice.contender, self.workload, slice.address);
        command.arg(verb).args(target.arguments());
        command.args(["--connections", &self.workload.connections().to_string()]);
        command.args(["--pid", &slice.pid.to_string()]);
        Ok(command)
    }

    async fn load(&self, slice: &Slice) -> anyhow::Result<Sample> {
        let options = self.options;
        let warm_up = if slice.is_first {
            options.warm_up * 2
        } else {
            options.warm_up
        };
        let mut command = self.asking("load", slice)?;
        command.args(["--ask", self.workload.ask().name()]);
        command.args(["--warm-up", &warm_up.to_string()]);
        command.args(["--measure", &options.measure.to_string()]);
        if let Some(streams) = self.workload.streams() {
            command.args(["--streams", &streams.to_string()]);
        }
        if let Some(rate) = self.workload.rate() {
            command.args(["--rate", &rate.to_string()]);
        }
        if self.workload == Workload::Handshake {
            command.arg("--anew");
        }
        let patience = Duration::from_millis(warm_up + options.measure) + START;
        let output = finished(command, patience).await?;
        Ok(serde_json::from_slice(&output)?)
    }

    async fn wait(&self, slice: &Slice) -> anyhow::Result<Memory> {
        let output = finished(self.asking("idle", slice)?, WAITING).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_take_the_place_of_older_ones() {
        let page = "a\n<!-- compare -->\nold\n<!-- end -->\nb\n";
        let new = placed(page, "new\n").unwrap();
        assert_eq!(new, "a\n<!-- compare -->\nnew\n<!-- end -->\nb\n");
        assert_eq!(placed(&new, "new\n"), Some(new));
        assert_eq!(placed("no marks", "new"), None);
    }
}
