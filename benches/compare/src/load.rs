//! The load: connections that ask, wait for the whole answer, check it and ask again.
//!
//! It also reads the proxy's CPU time, at the very moments at which it begins and ends to count.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::clock;
use crate::histogram::Histogram;
use crate::proc;
use crate::secrets;
use crate::site::{self, Ask};
use crate::wire::{Reader, invalid};

/// What to ask, of whom, for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address of the proxy.
    #[arg(long)]
    address: SocketAddr,
    /// What to ask for.
    #[arg(long, value_enum)]
    ask: AskName,
    /// Connections at the same time.
    #[arg(long)]
    connections: usize,
    /// Certificate to trust (PEM); plain HTTP without it.
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// File with the bearer token to send.
    #[arg(long)]
    token: Option<PathBuf>,
    /// Milliseconds before anything is counted.
    #[arg(long)]
    warm_up: u64,
    /// Milliseconds that are counted.
    #[arg(long)]
    measure: u64,
    /// Process whose CPU time and memory are read, with its children.
    #[arg(long)]
    pid: u32,
}

/// [`Ask`] on the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AskName {
    Large,
    Message,
    Stream,
}

/// What was seen while counting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Answers, or events where streams were asked for; a part of a large answer counts as such.
    pub(crate) count: f64,
    pub(crate) seconds: f64,
    /// CPU time of the proxy, user and system.
    pub(crate) cpu_micros: f64,
    pub(crate) p50_micros: u64,
    pub(crate) p99_micros: u64,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
}

/// Runs the load and says what was seen; the first wrong answer ends it with an error.
pub(crate) async fn run(options: Options) -> anyhow::Result<Sample> {
    let ask = match options.ask {
        AskName::Large => Ask::Large,
        AskName::Message => Ask::Message,
        AskName::Stream => Ask::Stream,
    };
    let token = match &options.token {
        Some(path) => Some(fs::read_to_string(path).context("cannot read the token")?),
        None => None,
    };
    let tls = match &options.certificate {
        Some(path) => Some(TlsConnector::from(Arc::new(secrets::client_config(path)?))),
        None => None,
    };
    let job = Rc::new(Job {
        address: options.address,
        ask,
        request: ask.request(token.as_deref()),
        expected: match ask {
            Ask::Large => site::large(),
            Ask::Message => site::message(),
            Ask::Stream => Vec::new(),
        },
        stream_bytes: site::stream_bytes(),
        tls,
        tally: RefCell::new(Tally::new()),
    });
    let mut connections = JoinSet::new();
    for index in 0..options.connections {
        let job = Rc::clone(&job);
        // Streams begin one after another, else their events would all come in the same instant.
        let delay = match ask {
            Ask::Stream => site::PACE.mul_f64(index as f64 / options.connections as f64),
            Ask::Large | Ask::Message => Duration::ZERO,
        };
        connections.spawn_local(async move {
            sleep(delay).await;
            job.connection().await
        });
    }
    wait(&mut connections, Duration::from_millis(options.warm_up)).await?;
    let pids = proc::tree(options.pid)?;
    job.tally.replace(Tally::new());
    let before = proc::cpu(&pids);
    let start = clock::now();
    wait(&mut connections, Duration::from_millis(options.measure)).await?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = proc::between(&before, &proc::cpu(&pids));
    let tally = job.tally.borrow();
    let (rss_kib, peak_kib) = proc::memory(&pids);
    let sample = Sample {
        count: match ask {
            Ask::Large => tally.bytes as f64 / site::LARGE_BYTES as f64,
            Ask::Message | Ask::Stream => tally.count as f64,
        },
        seconds,
        cpu_micros: cpu.as_secs_f64() * 1e6,
        p50_micros: tally.times.percentile(0.50),
        p99_micros: tally.times.percentile(0.99),
        rss_kib,
        peak_kib,
    };
    if sample.count <= 0.0 {
        bail!("no answer came while counting");
    }
    Ok(sample)
}

/// Lets the connections work; one that ends has failed.
async fn wait(connections: &mut JoinSet<io::Result<()>>, time: Duration) -> anyhow::Result<()> {
    tokio::select! {
        Some(ended) = connections.join_next() => {
            ended.context("connection task")?.context("wrong answer")?;
            bail!("the proxy closed a connection");
        }
        () = sleep(time) => Ok(()),
    }
}

struct Job {
    address: SocketAddr,
    ask: Ask,
    request: Vec<u8>,
    expected: Vec<u8>,
    stream_bytes: usize,
    tls: Option<TlsConnector>,
    tally: RefCell<Tally>,
}

struct Tally {
    count: u64,
    bytes: usize,
    times: Histogram,
}

impl Tally {
    fn new() -> Self {
        Self {
            count: 0,
            bytes: 0,
            times: Histogram::new(),
        }
    }

    fn record(&mut self, time: Duration) {
        self.count += 1;
        self.times.record(time);
    }
}

impl Job {
    async fn connection(&self) -> io::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(secrets::SERVER_NAME)
                    .map_err(|_| invalid("server name is none"))?;
                self.exchanges(tls.connect(name, stream).await?).await
            }
            None => self.exchanges(stream).await,
        }
    }

    async fn exchanges<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) -> io::Result<()> {
        let mut reader = Reader::new(match self.ask {
            Ask::Large => 256 * 1024,
            Ask::Message | Ask::Stream => 8 * 1024,
        });
        loop {
            let start = clock::now();
            stream.write_all(&self.request).await?;
            stream.flush().await?;
            let Some(head) = reader.head(&mut stream).await? else {
                return Ok(());
            };
            if head.status() != 200 {
                let mut text = head.line.clone();
                let mut sink = |piece: &[u8]| {
                    text.push(' ');
                    text.push_str(&String::from_utf8_lossy(piece));
                    Ok(())
                };
                reader.body(&mut stream, &head, &mut sink).await?;
                return Err(io::Error::other(text));
            }
            match self.ask {
                Ask::Large | Ask::Message => {
                    let mut seen = 0;
                    let mut sink = |piece: &[u8]| self.compare(piece, &mut seen);
                    reader.body(&mut stream, &head, &mut sink).await?;
                    if seen != self.expected.len() {
                        return Err(invalid("answer is too short"));
                    }
                    self.tally.borrow_mut().record(start.elapsed());
                }
                Ask::Stream => {
                    let mut events = Events::default();
                    let mut sink = |piece: &[u8]| events.take(piece, &self.tally);
                    reader.body(&mut stream, &head, &mut sink).await?;
                    if events.count != site::EVENTS || events.bytes != self.stream_bytes {
                        return Err(invalid("stream is not what the backend sent"));
                    }
                }
            }
        }
    }

    fn compare(&self, piece: &[u8], seen: &mut usize) -> io::Result<()> {
        let end = *seen + piece.len();
        if self.expected.get(*seen..end) != Some(piece) {
            return Err(invalid("answer is not what the backend sent"));
        }
        *seen = end;
        self.tally.borrow_mut().bytes += piece.len();
        Ok(())
    }
}

/// Cuts one stream into events.
#[derive(Default)]
struct Events {
    pending: Vec<u8>,
    count: usize,
    bytes: usize,
}

impl Events {
    fn take(&mut self, piece: &[u8], tally: &RefCell<Tally>) -> io::Result<()> {
        self.pending.extend_from_slice(piece);
        self.bytes += piece.len();
        let now = clock::wall();
        while let Some(end) = memchr::memmem::find(&self.pending, b"\n\n") {
            let event = self.pending.get(..end).unwrap_or_default();
            let sent = site::sent(event).ok_or_else(|| invalid("event without its time"))?;
            tally.borrow_mut().record(now.saturating_sub(sent));
            self.count += 1;
            self.pending.drain(..end + 2);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::LocalSet;

    use super::*;

    /// The load against a proxy that says this to every request.
    async fn against(answer: Vec<u8>) -> anyhow::Result<Sample> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let options = Options {
            address: listener.local_addr()?,
            ask: AskName::Message,
            connections: 2,
            certificate: None,
            token: None,
            warm_up: 50,
            measure: 100,
            pid: std::process::id(),
        };
        let proxy = async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::task::spawn_local(async move {
                    let mut reader = Reader::new(4096);
                    while let Some(head) = reader.head(&mut stream).await? {
                        reader.body(&mut stream, &head, &mut |_| Ok(())).await?;
                        stream.write_all(&answer).await?;
                    }
                    io::Result::Ok(())
                });
            }
        };
        let local = LocalSet::new();
        local.spawn_local(proxy);
        local.run_until(run(options)).await
    }

    fn answer(status: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    #[tokio::test]
    async fn right_answers_are_counted() {
        let sample = against(answer("200 OK", &site::message())).await.unwrap();
        assert!(sample.count > 0.0 && sample.p99_micros >= sample.p50_micros);
    }

    #[tokio::test]
    async fn refusal_is_an_error_with_its_text() {
        let result = against(answer("429 Too Many Requests", b"slow down")).await;
        let text = format!("{:#}", result.unwrap_err());
        assert!(text.contains("429") && text.contains("slow down"), "{text}");
    }

    #[tokio::test]
    async fn changed_byte_is_an_error() {
        let mut body = site::message();
        body[500] ^= 1;
        assert!(against(answer("200 OK", &body)).await.is_err());
    }

    #[tokio::test]
    async fn shorter_answer_is_an_error() {
        let body = site::message();
        assert!(against(answer("200 OK", &body[..100])).await.is_err());
    }

    #[test]
    fn events_are_found_across_any_cut() {
        let tally = RefCell::new(Tally::new());
        let mut events = Events::default();
        for index in 0..site::EVENTS {
            let event = site::event(1, index, &site::letters(clock::wall()));
            let (left, right) = event.as_bytes().split_at(event.len() - 1 - index % 9);
            events.take(left, &tally).unwrap();
            events.take(right, &tally).unwrap();
        }
        assert_eq!(
            (events.count, events.bytes),
            (site::EVENTS, site::stream_bytes())
        );
        assert_eq!(tally.borrow().count, site::EVENTS as u64);
    }
}
