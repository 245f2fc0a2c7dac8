//! The port itself.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::drain::Guard;
use crate::telemetry::Registry;

use super::config::{Config, TokenSource};
use super::desk::Desk;
use super::error::BindError;
use super::health::Health;
use super::reply::reply;

/// Asks for a key set as it is now.
pub type Jwks = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// What the port tells of.
pub struct State {
    /// The controls.
    pub health: Health,
    /// Names under which the port may be asked, besides addresses and `localhost`.
    pub names: Vec<Box<str>>,
    /// The metrics.
    pub registry: Registry,
    /// The keys by which others verify what lictor says, as a JWKS, if there are any.
    pub jwks: Jwks,
    /// Who answers whoever shows the token; `None` is nobody.
    pub desk: Option<(TokenSource, Arc<dyn Desk>)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("names", &self.names)
            .field("desk", &self.desk.is_some())
            .finish_non_exhaustive()
    }
}

/// The admin port, bound and not yet serving.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Opens the port.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(config: &Config) -> Result<Self, BindError> {
        let failed = |source| BindError {
            address: config.address,
            source,
        };
        let listener = TcpListener::bind(config.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens, with the port that the system chose.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the drain of `guard`. That must be another drain than the data port's: while calls
    /// drain, the port goes on telling that we are not ready.
    pub async fn serve(self, state: Arc<State>, mut guard: Guard) {
        // Spawned and awaited here, so that no connection outlives this function.
        let mut connections = Connections::default();
        loop {
            tokio::select! {
                biased;
                () = guard.draining() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => connections.spawn(stream, &state),
                    Err(error) => {
                        tracing::warn!(error = %error, "the admin port cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        connections.finish().await;
    }
}

/// Connections, oldest first, and never more than [`CONNECTIONS`].
#[derive(Debug, Default)]
struct Connections {
    tasks: JoinSet<()>,
    order: VecDeque<AbortHandle>,
}

impl Connections {
    /// Serves one more connection. At the cap the oldest has to go: an honest request is answered
    /// within a millisecond, so the oldest is one that only holds its place, and whoever opens many
    /// cannot make the liveness probe fail.
    fn spawn(&mut self, stream: TcpStream, state: &Arc<State>) {
        while self.tasks.try_join_next().is_some() {}
        if self.order.len() >= CONNECTIONS {
            self.order.retain(|task| !task.is_finished());
        }
        if self.order.len() >= CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let state = Arc::clone(state);
        self.order
            .push_back(self.tasks.spawn(serve_one(stream, state)));
    }

    /// Lets what is being answered end.
    async fn finish(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ANSWERS, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// One connection, one request: probes and scrapes come seldom enough to connect anew.
async fn serve_one(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(reply(&state, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // How it ended matters to nobody: the peer is a prober, and no call was at stake.
    let _ended = tokio::time::timeout(CONNECTION_DEADLINE, connection).await;
}

/// Connections at the same time: a few probers and scrapers, each with one.
const CONNECTIONS: usize = 64;

/// Bytes and fields of a request's head; probes send a tenth of it.
const HEADER_BYTES: usize = 16 * 1024;
const HEADERS: usize = 50;

/// Probes are machines on this host or in this cluster.
const HEADER_DEADLINE: Duration = Duration::from_secs(2);

/// All of one exchange. Prometheus gives up after 10 seconds by default.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(10);

/// For what is being answered when the process ends.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// After a failed accept, so that a process without file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use crate::drain::{self, Drain};

    use super::super::{Condition, Control};
    use super::*;

    struct Running {
        address: SocketAddr,
        policy: Control,
        drain: Drain,
        serving: JoinHandle<()>,
    }

    async fn running() -> Running {
        let registry = Registry::new().unwrap();
        let mut health = Health::new(&registry).unwrap();
        let policy = health.control("policy", Condition::Unready("not loaded yet".into()));
        let config = Config {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: None,
        };
        let admin = Admin::bind(&config).await.unwrap();
        let address = admin.address();
        let state = State {
            health,
            names: Vec::new(),
            registry,
            jwks: Box::new(|| None),
            desk: None,
        };
        let (drain, guard) = drain::channel();
        Running {
            address,
            policy,
            drain,
            serving: tokio::spawn(admin.serve(Arc::new(state), guard)),
        }
    }

    impl Running {
        async fn send(&self, bytes: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // A reset after the answer is as good an end as any.
            let _end = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        }

        async fn get(&self, path: &str) -> String {
            self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                .await
        }
    }

    fn status(answer: &str) -> &str {
        answer.get(9..12).unwrap_or(answer)
    }

    #[tokio::test]
    async fn readiness_names_each_control_and_follows_it() {
        let running = running().await;
        assert_eq!(status(&running.get("/livez").await), "200");
        assert_eq!(status(&running.get("/startupz").await), "503");
        let answer = running.get("/readyz").await;
        assert_eq!(status(&answer), "503");
        assert!(
            answer.ends_with(
                "\r\n\r\n{\"status\":\"unready\",\"controls\":{\"policy\":{\"status\":\"unready\",\"why\":\"not loaded yet\"}}}\n"
            ),
            "{answer}"
        );
        running.policy.set(Condition::Ready);
        assert_eq!(status(&running.get("/readyz").await), "200");
        assert_eq!(status(&running.get("/startupz").await), "200");
        running.policy.set(Condition::Unready("draining".into()));
        assert_eq!(status(&running.get("/readyz").await), "503");
        assert_eq!(status(&running.get("/startupz").await), "200");
    }

    #[tokio::test]
    async fn metrics_are_told_and_all_else_is_not_found() {
        let running = running().await;
        let answer = running.get("/metrics").await;
        assert_eq!(status(&answer), "200");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"));
        assert!(answer.contains("lictor_build_info{"));
        assert!(answer.contains("lictor_control_condition{control=\"policy\"} 2"));
        for path in ["/", "/debug", "/metrics/", "/livez/../secret", "//livez"] {
            assert_eq!(status(&running.get(path).await), "404", "{path}");
        }
    }

    #[tokio::test]
    async fn only_reading_is_answered_and_only_to_who_names_us() {
        let running = running().await;
        for (request, expected) in [
            (
                "POST /livez HTTP/1.1\r\nHost: localhost\r\ncontent-length: 0\r\n\r\n",
                "405",
            ),
            (
                "GET /livez HTTP/1.1\r\nHost: rebound.example\r\n\r\n",
                "421",
            ),
            ("GET /livez HTTP/1.1\r\n\r\n", "400"),
            (
                "GET /livez HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil\r\n\r\n",
                "403",
            ),
            (
                "GET http://evil/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "421",
            ),
        ] {
            assert_eq!(status(&running.send(request).await), expected, "{request}");
        }
        let head = running
            .send("HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        assert_eq!(status(&head), "200");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        let many = format!(
            "GET /livez HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "x: y\r\n".repeat(60)
        );
        assert_eq!(status(&running.send(&many).await), "431");
        let long = format!(
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nx: {}",
            "y".repeat(20_000)
        );
        assert_eq!(status(&running.send(&long).await), "431");
    }

    #[tokio::test]
    async fn idle_connections_keep_no_probe_out() {
        let running = running().await;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS * 2 {
            idle.push(TcpStream::connect(running.address).await.unwrap());
        }
        assert_eq!(status(&running.get("/livez").await), "200");
        let mut byte = [0];
        // The oldest was let go.
        assert!(matches!(idle[0].read(&mut byte).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn the_drain_ends_it() {
        let running = running().await;
        assert!(running.drain.drain(Duration::from_secs(5)).await);
        running.serving.await.unwrap();
        assert!(TcpStream::connect(running.address).await.is_err());
    }
}
