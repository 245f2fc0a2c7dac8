//! The program itself: started as a user starts it, asked over its ports, stopped by a signal.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use super::client::Client;
use super::http1::Message;
use super::{eventually, within};

/// A policy that lets everybody do everything, so that a test sees what is left: the wire and the scan.
pub(crate) const EVERYBODY: &str = r#"lictor: v1
rules:
  agents:
    allow: "a2a:*"
    from: { anonymous: true }
  pages:
    allow: "http:* /**"
    from: { anonymous: true }
"#;

/// What opens the admin port of [`Setup::with_desk`].
pub(crate) const TOKEN: &str = "a token of the tests";

/// How one lictor is started.
#[derive(Debug)]
pub(crate) struct Setup {
    upstream: String,
    // What else the file says of it, and the file alone can say.
    upstream_fields: Option<String>,
    policy: String,
    config: Option<String>,
    flags: Vec<String>,
    variables: Vec<(String, String)>,
    // Where it speaks, if not into the log.
    said_to: Option<(Stdio, Stdio)>,
    // How many descriptors it may have, if not as many as we.
    descriptors: Option<u32>,
    // Where its state is, if not at home.
    state: Option<PathBuf>,
    home: TempDir,
}

impl Setup {
    /// Before this upstream, under [`EVERYBODY`], in plain text, by flags.
    pub(crate) fn new(upstream: SocketAddr) -> Self {
        Self::before(format!("http://{upstream}"))
    }

    /// The same before an upstream at this URL.
    pub(crate) fn before(upstream: String) -> Self {
        Self {
            upstream,
            upstream_fields: None,
            policy: EVERYBODY.to_owned(),
            config: None,
            flags: Vec::new(),
            variables: Vec::new(),
            said_to: None,
            descriptors: None,
            state: None,
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Under this policy, the only file of its folder.
    pub(crate) fn policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = policy.into();
        self
    }

    /// With a `lictor.yaml` of these lines, beside the flags that every test needs.
    pub(crate) fn config(mut self, lines: impl Into<String>) -> Self {
        self.config = Some(lines.into());
        self
    }

    /// With these fields of `upstream` beside its `url`, as YAML: `tls: { ca: ca.crt }`.
    pub(crate) fn upstream(mut self, fields: impl Into<String>) -> Self {
        self.upstream_fields = Some(fields.into());
        self
    }

    /// With one flag more.
    pub(crate) fn flag(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.flags.push(name.to_owned());
        self.flags.push(value.as_ref().display().to_string());
        self
    }

    /// With one environment variable more.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// With these as standard output and error, instead of the log.
    pub(crate) fn said_to(mut self, output: Stdio, error: Stdio) -> Self {
        self.said_to = Some((output, error));
        self
    }

    /// With so many descriptors at most.
    pub(crate) fn descriptors(mut self, most: u32) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// With its state in another folder.
    pub(crate) fn state(mut self, folder: &Path) -> Self {
        self.state = Some(folder.to_owned());
        self
    }

    /// With a desk that [`TOKEN`] opens.
    pub(crate) fn with_desk(self) -> Self {
        let token = self.home().join("admin-token");
        fs::write(&token, TOKEN).unwrap();
        let lines = format!("admin: {{ token: {{ file: {} }} }}", token.display());
        self.config(lines)
    }

    /// The folder of this lictor: state, policies, log. It goes with the value.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(self) -> Lictor {
        let mut lictor = self.launch();
        let ready = eventually("lictor to be ready", async || {
            if let Some(status) = lictor.child.try_wait().unwrap() {
                return Some(Err(status));
            }
            let ready = lictor.try_ready().await?;
            (ready.status() == 200).then_some(Ok(()))
        });
        if let Err(status) = ready.await {
            panic!("lictor ended with {status}:\n{}", lictor.log());
        }
        lictor
    }

    /// Starts it and waits until it has given up.
    pub(crate) async fn fail(self) -> (ExitStatus, String) {
        let mut lictor = self.launch();
        let status = eventually("lictor to end", async || lictor.child.try_wait().unwrap()).await;
        (status, lictor.log())
    }

    /// Starts it and does not wait.
    pub(crate) fn launch(self) -> Lictor {
        let home = self.home.path();
        let policies = home.join("policies");
        fs::create_dir_all(&policies).unwrap();
        fs::write(policies.join("policy.yaml"), &self.policy).unwrap();
        let (public, admin) = (free_address(), free_address());
        let program = env!("CARGO_BIN_EXE_lictor");
        let mut command = match self.descriptors {
            // The standard library sets no limits; a shell does.
            Some(most) => {
                let mut shell = Command::new("sh");
                let limited = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
                shell.args(["-c", &limited, program]);
                shell
            }
            None => Command::new(program),
        };
        command.arg("run").current_dir(home);
        // The file first: flags win, so a test's file need not repeat them.
        if self.config.is_some() || self.upstream_fields.is_some() {
            let config = home.join("lictor.yaml");
            let lines = self.config.as_deref().unwrap_or_default();
            let fields = self.upstream_fields.as_deref().unwrap_or_default();
            let upstream = format!("upstream: {{ url: \"{}\", {fields} }}", self.upstream);
            fs::write(&config, format!("lictor: v1\n{upstream}\n{lines}\n")).unwrap();
            command.arg("--config").arg(config);
        }
        command.args(["--upstream", &self.upstream]);
        command.args(["--listen", &public.to_string()]);
        command.args(["--admin", &admin.to_string()]);
        command.arg("--policies").arg(&policies);
        command.arg("--state-dir");
        let state = self.state.as_deref().unwrap_or(home).to_owned();
        command.arg(&state);
        command.args(&self.flags);
        command.envs(self.variables);
        let log = File::create(home.join("log")).unwrap();
        let (output, error) = self
            .said_to
            .unwrap_or_else(|| (log.try_clone().unwrap().into(), log.into()));
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(error)
            .spawn()
            .unwrap();
        Lictor {
            public,
            admin,
            child,
            state,
            home: self.home,
        }
    }
}

/// A running lictor; it is killed with the value.
#[derive(Debug)]
pub(crate) struct Lictor {
    /// Where callers connect.
    pub(crate) public: SocketAddr,
    /// Where readiness and metrics are.
    pub(crate) admin: SocketAddr,
    child: Child,
    state: PathBuf,
    home: TempDir,
}

impl Lictor {
    /// Before this upstream, under this policy.
    pub(crate) async fn spawn(policy: &str, upstream: SocketAddr) -> Self {
        Setup::new(upstream).policy(policy).start().await
    }

    /// A connection of a caller, in plain text.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.public).await
    }

    /// Replaces the policy.
    pub(crate) fn rewrite_policy(&self, policy: &str) {
        // Written beside and renamed, as every careful editor does: no reader sees half a file.
        let folder = self.home.path().join("policies");
        fs::write(folder.join(".new"), policy).unwrap();
        fs::rename(folder.join(".new"), folder.join("policy.yaml")).unwrap();
    }

    /// The answer of `/readyz`.
    pub(crate) async fn ready(&self) -> Message {
        within("/readyz", self.try_ready()).await.unwrap()
    }

    async fn try_ready(&self) -> Option<Message> {
        // The port may not be open yet, so this cannot be `Client::connect`.
        drop(tokio::net::TcpStream::connect(self.admin).await.ok()?);
        Some(Client::connect(self.admin).await.get("/readyz").await)
    }

    /// The value of a metric, its labels included in the name: `name{label="value"}`.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let page = Client::connect(self.admin)
            .await
            .get("/metrics")
            .await
            .text();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok())
    }

    /// The audit records of calls so far, in the order in which their calls began. They are written as calls end,
    /// and the end of one may be later than the beginning of the next, which its caller sends.
    pub(crate) fn audit(&self) -> Vec<serde_json::Value> {
        let mut records = self.lines();
        records.retain(|record| {
            !matches!(
                record["kind"].as_str(),
                Some("card" | "policies" | "revocation")
            )
        });
        records.sort_by(|left, right| left["time"].as_str().cmp(&right["time"].as_str()));
        records
    }

    /// What was recorded beside calls, of one kind.
    pub(crate) fn notes(&self, kind: &str) -> Vec<serde_json::Value> {
        let mut notes = self.lines();
        notes.retain(|note| note["kind"] == kind);
        notes
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.audit_path()).unwrap_or_default();
        // The last line may be in the making.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The file of the audit records.
    pub(crate) fn audit_path(&self) -> PathBuf {
        self.state.join("audit.jsonl")
    }

    /// What it has said on stdout and stderr so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Bytes of memory that it holds now (`VmRSS` of proc_pid_status(5)), or has held at most (`VmHWM`).
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        kilobytes.unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Files and sockets that it holds open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.unwrap().count()
    }

    /// Asks it to stop, as Kubernetes does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends it a signal, such as `-HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        // The standard library can only kill; the system's own `kill` says anything else.
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// The folder of its policies.
    pub(crate) fn policies(&self) -> PathBuf {
        self.home.path().join("policies")
    }

    /// Asks the admin port, with a token if one is given.
    pub(crate) async fn at_the_desk(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Message {
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{}content-length: {}\r\n\r\n{body}",
            token.unwrap_or_default(),
            body.len()
        );
        let mut client = Client::connect(self.admin).await;
        client.exchange(method, request.as_bytes()).await
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = eventually("lictor to end", async || self.child.try_wait().unwrap()).await;
        (status, self.log())
    }
}

impl Lictor {
    /// Ends it as the kernel does when memory is short.
    pub(crate) fn kill(&mut self) {
        // An error means that it has ended already.
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Lictor {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address that was free a moment ago, and that nobody else in this process is given. Another process may take it
/// before lictor does, which is rare.
pub(crate) fn free_address() -> SocketAddr {
    // The system gives out again what was closed, sometimes at once, to a test beside this one.
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if given.insert(address.port()) {
            return address;
        }
    }
}
