//! The load: connections that ask, wait for the whole answer, check it and ask again.
//!
//! It also reads the proxy's CPU time, at the very moments at which it begins and ends to count.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Caller, Target, accepted, compare, exchange, whole};
use crate::clock;
use crate::histogram::Histogram;
use crate::http2;
use crate::proc;
use crate::site::{self, Ask};
use crate::wire::{Reader, invalid};

/// What to ask, of whom, for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// What to ask for.
    #[arg(long, value_enum)]
    ask: Ask,
    /// Connections at the same time.
    #[arg(long)]
    connections: usize,
    /// Streams of each connection at the same time, of HTTP/2.
    #[arg(long, default_value_t = 1)]
    streams: usize,
    /// Make a new connection for every request.
    #[arg(long)]
    anew: bool,
    /// Requests a second, whatever the answers take; as many as can be without it.
    #[arg(long)]
    rate: Option<u32>,
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
    let ask = options.ask;
    let job = Rc::new(Job {
        caller: Caller::new(&options.target, ask)?,
        ask,
        expected: ask.answer(),
        stream_bytes: site::stream_bytes(),
        way: if options.target.http2 {
            Way::Streams(options.streams)
        } else if options.anew {
            Way::Anew
        } else {
            Way::KeepAlive
        },
        pace: options.rate.map(Pace::start),
        tally: RefCell::new(Tally::new()),
    });
    let mut connections = JoinSet::new();
    for index in 0..options.connections {
        let job = Rc::clone(&job);
        // Streams begin one after another, else their events would all come in the same instant.
        let delay = match ask {
            Ask::Stream => site::PACE.mul_f64(index as f64 / options.connections as f64),
            Ask::Large | Ask::Message | Ask::Upload => Duration::ZERO,
        };
        connections.spawn_local(async move {
            sleep(delay).await;
            job.connection().await
        });
    }
    wait(&mut connections, Duration::from_millis(options.warm_up)).await?;
    // However slow the machine is: each caller is known before anything is counted.
    while job.caller.callers() > 1 && job.tally.borrow().count < job.caller.callers() as u64 {
        wait(&mut connections, MOMENT).await?;
    }
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
            Ask::Message | Ask::Stream | Ask::Upload => tally.count as f64,
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

const MOMENT: Duration = Duration::from_millis(20);

/// How connections are used.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Each for one request.
    Anew,
    /// Each for one request after another.
    KeepAlive,
    /// Each for this many at the same time.
    Streams(usize),
}

/// Requests that are due at fixed times, so that a slow answer does not put off the requests behind it.
struct Pace {
    due: Arc<Semaphore>,
    begin: Instant,
    interval: Duration,
    taken: Cell<u32>,
}

impl Pace {
    /// A thread of its own keeps the time: the runtime's timers know milliseconds only.
    fn start(rate: u32) -> Self {
        let interval = Duration::from_secs(1) / rate;
        let begin = clock::now();
        let due = Arc::new(Semaphore::new(0));
        let permits = Arc::clone(&due);
        // Else the kernel may let a sleeper lie for 50 µs more; where it does not allow it, it stays so.
        let _ = fs::write("/proc/self/timerslack_ns", "1");
        std::thread::spawn(move || {
            for index in 1_u32.. {
                clock::sleep_until(begin + interval * index);
                permits.add_permits(1);
            }
        });
        Self {
            due,
            begin,
            interval,
            taken: Cell::new(0),
        }
    }

    /// Waits for the next request that is due, and says when it was.
    async fn next(&self) -> io::Result<Instant> {
        let permit = self.due.acquire().await;
        permit.map_err(|_| invalid("time has ended"))?.forget();
        let index = self.taken.get() + 1;
        self.taken.set(index);
        Ok(self.begin + self.interval * index)
    }
}

struct Job {
    caller: Caller,
    ask: Ask,
    expected: Vec<u8>,
    stream_bytes: usize,
    way: Way,
    pace: Option<Pace>,
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
        if let Way::Anew = self.way {
            return self.anew().await;
        }
        let stream = self.caller.connect().await?;
        match self.caller.tls() {
            Some(tls) => {
                let name = self.caller.name()?;
                self.exchanges(tls.connect(name, stream).await?).await
            }
            None => self.exchanges(stream).await,
        }
    }

    async fn anew(&self) -> io::Result<()> {
        let tls = self.caller.tls();
        let tls = tls.ok_or_else(|| invalid("handshakes need a certificate"))?;
        loop {
            let start = clock::now();
            let stream = self.caller.connect().await?;
            let mut stream = tls.connect(self.caller.name()?, stream).await?;
            exchange(&mut stream, self.caller.request(), &self.expected).await?;
            stream.shutdown().await?;
            self.tally.borrow_mut().record(start.elapsed());
        }
    }

    async fn exchanges<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<()> {
        match self.way {
            Way::Streams(streams) => {
                let question = site::question();
                let done = |asked: Instant| self.tally.borrow_mut().record(asked.elapsed());
                http2::exchanges(stream, streams, &question, &self.expected, done).await
            }
            Way::Anew | Way::KeepAlive => self.one_by_one(stream).await,
        }
    }

    async fn one_by_one<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) -> io::Result<()> {
        let mut reader = Reader::new(match self.ask {
            Ask::Large => 256 * 1024,
            Ask::Message | Ask::Stream | Ask::Upload => 8 * 1024,
        });
        loop {
            let start = match &self.pace {
                Some(pace) => pace.next().await?,
                None => clock::now(),
            };
            stream.write_all(self.caller.request()).await?;
            stream.flush().await?;
            let Some(head) = reader.head(&mut stream).await? else {
                return Ok(());
            };
            accepted(&mut stream, &mut reader, &head).await?;
            match self.ask {
                Ask::Large | Ask::Message | Ask::Upload => {
                    let mut seen = 0;
                    let mut sink = |piece: &[u8]| {
                        self.tally.borrow_mut().bytes += piece.len();
                        compare(piece, &self.expected, &mut seen)
                    };
                    reader.body(&mut stream, &head, &mut sink).await?;
                    whole(seen, &self.expected)?;
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
            target: Target {
                address: listener.local_addr()?,
                certificate: None,
                token: None,
                http2: false,
                credulous: false,
            },
            ask: Ask::Message,
            connections: 2,
            streams: 1,
            anew: false,
            rate: None,
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
    async fn requests_are_due_at_fixed_times_and_not_before() {
        let pace = Pace::start(1000);
        // Nobody asked for a while: those that were due meanwhile are still due when they were.
        sleep(Duration::from_millis(20)).await;
        let first = pace.next().await.unwrap();
        for index in 1..40_u32 {
            let due = pace.next().await.unwrap();
            assert_eq!(due, first + Duration::from_millis(1) * index);
            assert!(due <= clock::now());
        }
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
