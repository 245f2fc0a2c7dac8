//! A real Redis, started for one test and ended with it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::eventually;
use super::lictor::free_address;
use super::tls::Certificates;

/// A `redis-server` on a port of its own, which keeps nothing on disk.
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    options: Vec<String>,
    password: Option<String>,
    server: Option<Child>,
    home: TempDir,
}

impl Redis {
    /// Without a password.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], None).await
    }

    /// With these options of its command line, and perhaps a password.
    pub(crate) async fn start_with(options: &[&str], password: Option<&str>) -> Self {
        let mut redis = Self::prepare(options, password);
        redis.serve().await;
        redis
    }

    /// Over TLS only, as `localhost` with a certificate of this authority.
    pub(crate) async fn start_tls(certificates: &Certificates) -> Self {
        let mut redis = Self::prepare(&[], None);
        let port = redis.address.port().to_string();
        let path = |path: &Path| path.display().to_string();
        redis.options = [
            ["--tls-port", &port],
            ["--tls-cert-file", &path(&certificates.certificate)],
            ["--tls-key-file", &path(&certificates.key)],
            ["--tls-ca-cert-file", &path(&certificates.ca)],
            ["--tls-auth-clients", "no"],
        ]
        .as_flattened()
        .iter()
        .map(|option| (*option).to_owned())
        .collect();
        redis.spawn("0");
        let address = redis.address;
        eventually("redis-server", async || {
            TcpStream::connect(address).await.ok()
        })
        .await;
        redis
    }

    fn prepare(options: &[&str], password: Option<&str>) -> Self {
        Self {
            address: free_address(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            password: password.map(str::to_owned),
            server: None,
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Starts it, at the same address as before, and waits until it answers.
    pub(crate) async fn serve(&mut self) {
        self.spawn(&self.address.port().to_string());
        eventually("redis-server to answer", async || self.ask("PING").await).await;
    }

    fn spawn(&mut self, port: &str) {
        let mut command = Command::new("redis-server");
        command.args(["--port", port, "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.arg("--dir").arg(self.home.path());
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        let child = command
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.server = Some(child.expect("redis-server, of the package `redis-server`"));
    }

    /// The answer to a command without arguments that need quotes; `None` where there is none.
    pub(crate) async fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        let login = self.password.as_ref();
        let login = login.map(|password| format!("AUTH {password}\r\n"));
        let lines = format!("{}{command}\r\nQUIT\r\n", login.unwrap_or_default());
        stream.write_all(lines.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    /// Ends it as the kernel does when memory is short. What it held is gone.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // An error means that it has ended already.
            let _already_ended = server.kill();
            let _reaped = server.wait();
        }
    }

    /// Holds it up, or lets it go on: `-STOP`, `-CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.server.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// A file that holds its address, with this before the host: `redis://user:password@`.
    pub(crate) fn url_file(&self, before: &str) -> PathBuf {
        let path = self.home.path().join("url");
        fs::write(&path, format!("{before}{}\n", self.address)).unwrap();
        path
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
