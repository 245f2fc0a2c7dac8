//! The proxies that are compared, and how each is told what a workload needs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::client::Target;
use crate::probe::Control;
use crate::process::{Service, pinned};
use crate::secrets::{AUDIENCE, GROUP, ISSUER, Secrets};
use crate::template::fill;
use crate::workload::{Kind, Workload};

/// A proxy in one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// Nobody: the backend itself.
    Backend,
    Envoy,
    /// Every token's signature is verified, as without configuration.
    EnvoyCacheOff,
    /// TLS, tokens, RBAC, rate limit: what it has of what lictor has.
    EnvoyFull,
    /// RBAC decides on the JSON-RPC method, which a filter reads from the body.
    EnvoyMethod,
    Haproxy,
    Hyper,
    Lictor(Build),
    /// TLS, tokens, a policy with several roles, rules and quotas, scan.
    LictorFull(Build),
    LictorScan(Build),
    /// Tokens and the roles of their groups, and nothing else.
    LictorToken(Build),
    Nginx,
}

/// Which of the lictors of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// Another build, that a change is held against.
    Base,
    /// The one that is measured.
    Main,
}

/// A program, in all its configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Family {
    /// No proxy at all.
    Backend,
    Envoy,
    Haproxy,
    Hyper,
    Lictor,
    Nginx,
}

/// Whether a proxy takes part in a row.
pub(crate) enum Part {
    /// It does.
    Takes(Contender),
    /// It cannot, for this reason.
    Cannot(Contender, &'static str),
}

impl Part {
    pub(crate) fn contender(&self) -> Contender {
        match self {
            Self::Takes(contender) | Self::Cannot(contender, _) => *contender,
        }
    }
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Backend => "no proxy",
            Self::Envoy => "Envoy",
            Self::EnvoyCacheOff => "Envoy, token cache off",
            Self::EnvoyFull => "Envoy, with TLS, JWT, RBAC, limit",
            Self::EnvoyMethod => "Envoy, reading the method",
            Self::Haproxy => "HAProxy",
            Self::Hyper => "bare hyper",
            Self::Lictor(Build::Main) => "lictor",
            Self::Lictor(Build::Base) => "lictor-base",
            Self::LictorFull(Build::Main) => "lictor, everything on",
            Self::LictorFull(Build::Base) => "lictor-base, everything on",
            Self::LictorScan(Build::Main) => "lictor, scan on",
            Self::LictorScan(Build::Base) => "lictor-base, scan on",
            Self::LictorToken(Build::Main) => "lictor, with tokens",
            Self::LictorToken(Build::Base) => "lictor-base, with tokens",
            Self::Nginx => "nginx",
        }
    }

    /// Whether it terminates TLS in this row.
    pub(crate) fn tls(self, workload: Workload) -> bool {
        workload.tls() || self.is_full()
    }

    /// Whether it verifies tokens in this row.
    pub(crate) fn token(self, workload: Workload) -> bool {
        workload.token() || self.is_full() || matches!(self, Self::LictorToken(_))
    }

    /// Whether it is asked by many callers in turn in this row.
    fn has_callers(self, workload: Workload) -> bool {
        self.is_full()
            || workload == Workload::PlainJwtThousand && matches!(self, Self::LictorToken(_))
    }

    /// Whether it has everything on that it has, for many callers.
    pub(crate) fn is_full(self) -> bool {
        matches!(self, Self::EnvoyFull | Self::LictorFull(_))
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::Backend => Family::Backend,
            Self::Envoy | Self::EnvoyCacheOff | Self::EnvoyFull | Self::EnvoyMethod => {
                Family::Envoy
            }
            Self::Haproxy => Family::Haproxy,
            Self::Hyper => Family::Hyper,
            Self::Lictor(_) | Self::LictorFull(_) | Self::LictorScan(_) | Self::LictorToken(_) => {
                Family::Lictor
            }
            Self::Nginx => Family::Nginx,
        }
    }

    /// The same with the other lictor; `None` where it is none.
    pub(crate) fn base(self) -> Option<Self> {
        match self {
            Self::Lictor(Build::Main) => Some(Self::Lictor(Build::Base)),
            Self::LictorFull(Build::Main) => Some(Self::LictorFull(Build::Base)),
            Self::LictorScan(Build::Main) => Some(Self::LictorScan(Build::Base)),
            Self::LictorToken(Build::Main) => Some(Self::LictorToken(Build::Base)),
            _ => None,
        }
    }

    /// What it must refuse under a workload before it is measured.
    pub(crate) fn controls(self, workload: Workload) -> &'static [Control] {
        match (self.token(workload), self) {
            (false, _) | (true, Self::Backend) => &[],
            (
                true,
                Self::Envoy | Self::EnvoyCacheOff | Self::EnvoyFull | Self::Hyper | Self::Nginx,
            ) => &[Control::Token],
            (true, Self::EnvoyMethod | Self::Haproxy | Self::Lictor(_) | Self::LictorToken(_)) => {
                &[Control::Token, Control::Method]
            }
            (true, Self::LictorFull(_) | Self::LictorScan(_)) => {
                &[Control::Token, Control::Method, Control::Scan]
            }
        }
    }

    /// Name of the folder of its files.
    fn folder(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Envoy => "envoy",
            Self::EnvoyCacheOff => "envoy-cache-off",
            Self::EnvoyFull => "envoy-full",
            Self::EnvoyMethod => "envoy-method",
            Self::Haproxy => "haproxy",
            Self::Hyper => "hyper",
            Self::Lictor(Build::Main) => "lictor",
            Self::Lictor(Build::Base) => "lictor-base",
            Self::LictorFull(Build::Main) => "lictor-full",
            Self::LictorFull(Build::Base) => "lictor-base-full",
            Self::LictorScan(Build::Main) => "lictor-scan",
            Self::LictorScan(Build::Base) => "lictor-base-scan",
            Self::LictorToken(Build::Main) => "lictor-token",
            Self::LictorToken(Build::Base) => "lictor-base-token",
            Self::Nginx => "nginx",
        }
    }
}

/// Who takes part in a row, in the order of the table.
pub(crate) fn parts(workload: Workload) -> Vec<Part> {
    use Contender::{Backend, Envoy, EnvoyCacheOff, EnvoyFull, EnvoyMethod, Haproxy, Hyper, Nginx};
    use Part::{Cannot, Takes};
    const LICTOR: Contender = Contender::Lictor(Build::Main);
    const FULL: Contender = Contender::LictorFull(Build::Main);
    const TOKEN: Contender = Contender::LictorToken(Build::Main);
    const SCANNING: Contender = Contender::LictorScan(Build::Main);
    match workload {
        Workload::Plain
        | Workload::Tls
        | Workload::H2
        | Workload::Handshake
        | Workload::Upload
        | Workload::Idle
        | Workload::IdleTls => [Hyper, Nginx, Haproxy, Envoy, LICTOR].map(Takes).into(),
        // Side by side, in slices that take turns: two rows would differ by what the machine did meanwhile.
        Workload::PlainJwt | Workload::PlainJwtThousand => [Envoy, LICTOR, TOKEN].map(Takes).into(),
        Workload::Everything => [Envoy, EnvoyFull, FULL].map(Takes).into(),
        Workload::Rate => [Backend, Hyper, Nginx, Haproxy, Envoy, LICTOR, FULL]
            .map(Takes)
            .into(),
        Workload::Start => [Nginx, Haproxy, Envoy, LICTOR, FULL].map(Takes).into(),
        Workload::Jwt => vec![
            Cannot(Hyper, "has no policy"),
            Cannot(Nginx, "has no JWT without a subscription"),
            Takes(Haproxy),
            Takes(Envoy),
            Takes(EnvoyMethod),
            Takes(EnvoyCacheOff),
            Takes(LICTOR),
        ],
        // Nothing that ships with the others reads an answer for leaks without another process.
        Workload::Scan => vec![Takes(SCANNING)],
        Workload::Large | Workload::Stream => [Hyper, Nginx, Haproxy, Envoy, LICTOR, SCANNING]
            .map(Takes)
            .into(),
    }
}

/// Where the programs are.
#[derive(Debug, clap::Args)]
pub(crate) struct Programs {
    /// The lictor to measure.
    #[arg(long, default_value = "target/release/lictor")]
    lictor: PathBuf,
    /// Another lictor, to be measured in the same rows: what a change gains or costs.
    #[arg(long, value_name = "LICTOR")]
    also: Option<PathBuf>,
    #[arg(long, default_value = "envoy")]
    envoy: PathBuf,
    #[arg(long, default_value = "haproxy")]
    haproxy: PathBuf,
    #[arg(long, default_value = "nginx")]
    nginx: PathBuf,
}

impl Programs {
    /// Whether there is a lictor to hold the measured one against.
    pub(crate) fn compares_lictors(&self) -> bool {
        self.also.is_some()
    }

    fn lictor(&self, build: Build) -> anyhow::Result<&Path> {
        match build {
            Build::Main => Ok(&self.lictor),
            Build::Base => self.also.as_deref().context("no other lictor is given"),
        }
    }

    /// What each program says of its version.
    pub(crate) async fn versions(&self) -> Vec<String> {
        let asked = [
            ("nginx", &self.nginx, "-v"),
            ("HAProxy", &self.haproxy, "-v"),
            ("Envoy", &self.envoy, "--version"),
            ("lictor", &self.lictor, "--version"),
        ];
        let mut versions = vec![format!("hyper {}", hyper_version())];
        for (name, program, flag) in asked {
            let output = Command::new(program).arg(flag).output().await;
            let text = output.map_or_else(
                |_| String::new(),
                |output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into(),
            );
            let version = version(&text).unwrap_or("not found");
            versions.push(format!("{name} {version}"));
        }
        versions
    }
}

/// The first word of dotted numbers, also where it stands between slashes.
fn version(text: &str) -> Option<&str> {
    text.split(|letter: char| letter.is_whitespace() || letter == '/')
        .find(|word| word.contains('.') && word.starts_with(|letter: char| letter.is_ascii_digit()))
}

fn hyper_version() -> &'static str {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let mut lines = LOCK.lines();
    lines.find(|line| *line == r#"name = "hyper""#);
    let version = lines.next().and_then(|line| line.split('"').nth(1));
    version.unwrap_or("unknown")
}

/// What all proxies of a run share.
pub(crate) struct Stage<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) secrets: &'a Secrets,
    pub(crate) folder: &'a Path,
    pub(crate) backend: SocketAddr,
    pub(crate) core: usize,
}

/// A proxy with its files, not started yet.
pub(crate) struct Ready {
    command: Command,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Ready {
    /// Starts it; it may not listen at once.
    pub(crate) fn start(self) -> anyhow::Result<Service> {
        Service::start(self.command, &self.log)
    }
}

impl Stage<'_> {
    /// Writes what a proxy needs for a workload.
    pub(crate) fn prepare(
        &self,
        contender: Contender,
        workload: Workload,
    ) -> anyhow::Result<Ready> {
        let folder = self.folder.join(contender.folder());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let address = free_address()?;
        let command = self.command(contender, workload, &folder, address)?;
        Ok(Ready {
            command,
            log: folder.join("messages"),
            address,
        })
    }

    /// How to ask a proxy in a row.
    pub(crate) fn target(
        &self,
        contender: Contender,
        workload: Workload,
        address: SocketAddr,
    ) -> Target {
        let token = if contender.has_callers(workload) {
            &self.secrets.tokens
        } else {
            &self.secrets.token
        };
        let certificate = &self.secrets.certificate;
        Target {
            address,
            certificate: contender.tls(workload).then(|| certificate.clone()),
            token: contender.token(workload).then(|| token.clone()),
            http2: workload.streams().is_some(),
            credulous: workload == Workload::Handshake,
        }
    }

    fn command(
        &self,
        contender: Contender,
        workload: Workload,
        folder: &Path,
        address: SocketAddr,
    ) -> anyhow::Result<Command> {
        let file = |name: &str, template: &str| -> anyhow::Result<PathBuf> {
            let path = folder.join(name);
            let text = self.filled(template, contender, workload, folder, address);
            fs::write(&path, text)?;
            Ok(path)
        };
        let command = match contender {
            Contender::Backend => bail!("the backend is there already"),
            Contender::Envoy
            | Contender::EnvoyCacheOff
            | Contender::EnvoyFull
            | Contender::EnvoyMethod => {
                let config = file("envoy.yaml", include_str!("../conf/envoy.yaml"))?;
                let mut command = self.program(&self.programs.envoy)?;
                command.arg("-c").arg(config);
                command.args(["--concurrency", "1", "-l", "error", "--disable-hot-restart"]);
                command
            }
            Contender::Haproxy => {
                let config = file("haproxy.cfg", include_str!("../conf/haproxy.cfg"))?;
                let mut command = self.program(&self.programs.haproxy)?;
                command.args(["-db", "-q", "-f"]).arg(config);
                command
            }
            Contender::Hyper => {
                let mut command = self.program(&std::env::current_exe()?)?;
                command.args(["hyper-proxy", "--listen", &address.to_string()]);
                command.args(["--upstream", &self.backend.to_string()]);
                if contender.tls(workload) {
                    command.arg("--certificate").arg(&self.secrets.certificate);
                    command.arg("--key").arg(&self.secrets.key);
                }
                command
            }
            Contender::Lictor(build)
            | Contender::LictorFull(build)
            | Contender::LictorScan(build)
            | Contender::LictorToken(build) => {
                let keys = folder.join("policies/keys");
                fs::create_dir_all(&keys)?;
                fs::create_dir_all(folder.join("state"))?;
                fs::copy(&self.secrets.jwks, keys.join("jwks.json"))?;
                file("policies/policy.yaml", include_str!("../conf/policy.yaml"))?;
                let config = file("lictor.yaml", include_str!("../conf/lictor.yaml"))?;
                let mut command = self.program(self.programs.lictor(build)?)?;
                command.args(["run", "-c"]).arg(config);
                command
            }
            Contender::Nginx => {
                let config = file("nginx.conf", include_str!("../conf/nginx.conf"))?;
                let mut command = self.program(&self.programs.nginx)?;
                command.arg("-p").arg(folder).arg("-c").arg(config);
                command.args(["-e", "stderr"]);
                command
            }
        };
        Ok(command)
    }

    fn program(&self, program: &Path) -> anyhow::Result<Command> {
        let found = if program.components().count() > 1 {
            program.exists().then(|| program.to_owned())
        } else {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&folders)
                .map(|folder| folder.join(program))
                .find(|path| path.exists())
        };
        let found = found.with_context(|| format!("`{}` is not there", program.display()))?;
        Ok(pinned(self.core, found))
    }

    fn filled(
        &self,
        template: &str,
        contender: Contender,
        workload: Workload,
        folder: &Path,
        address: SocketAddr,
    ) -> String {
        let flags = [
            (contender.tls(workload), "tls"),
            (!contender.tls(workload), "plain"),
            (workload.streams().is_some(), "http2"),
            (workload.streams().is_none(), "http1"),
            (contender.token(workload), "jwt"),
            (!contender.token(workload), "open"),
            (!workload.prices_token(), "metered"),
            (contender.is_full(), "full"),
            (workload == Workload::Stream, "stream"),
            (workload == Workload::Upload, "upload"),
            (workload.kind() == Kind::Idle, "idle"),
            (workload.kind() != Kind::Idle, "busy"),
            (
                matches!(
                    contender,
                    Contender::LictorFull(_) | Contender::LictorScan(_)
                ),
                "scan",
            ),
            (contender != Contender::EnvoyCacheOff, "cache"),
            (contender == Contender::EnvoyMethod, "method"),
        ];
        let set = flags.iter().filter(|(set, _)| *set);
        let flags = set.map(|(_, name)| *name).collect::<Vec<_>>();
        let path = |path: &Path| path.display().to_string();
        let values = [
            ("audience", AUDIENCE.to_owned()),
            ("backend", self.backend.port().to_string()),
            ("both", path(&self.secrets.both)),
            ("certificate", path(&self.secrets.certificate)),
            ("folder", path(folder)),
            ("group", GROUP.to_owned()),
            ("issuer", ISSUER.to_owned()),
            ("issuer_key", path(&self.secrets.issuer_key)),
            ("jwks", path(&self.secrets.jwks)),
            ("key", path(&self.secrets.key)),
            ("port", address.port().to_string()),
        ];
        fill(template, &flags, &values)
    }
}

/// An address that nobody listens on. Another program could take it before ours does; the row
/// would then fail visibly.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_where_each_program_hides_them() {
        assert_eq!(version("nginx version: nginx/1.22.1\n"), Some("1.22.1"));
        let haproxy = "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/";
        assert_eq!(version(haproxy), Some("2.6.12-1+deb12u4"));
        let envoy = "/a/b.c/envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL";
        assert_eq!(version(envoy), Some("1.40.0"));
    }
}
