//! Accepts connections, within limits, until told to stop.
//!
//! One address may be bound several times, once for each worker: the kernel then spreads the connections,
//! and no worker waits for another's.
//!
//! Owns the listening socket, the caps on connections, the header in which a load balancer says for whom it
//! connects, where a connection was to go that the kernel brought here, and one task per connection. Leaves TLS and HTTP to the handler that it is given. Must not read
//! or write a byte of a connection that it hands over.
//!
//! Above a cap a connection is accepted and closed at once, after a word if there is one for it: an answer that
//! costs next to nothing, where a full backlog would be a hang. When the process drains, whoever has
//! connected already is served.

mod announce;
mod backlog;
mod config;
mod error;
mod guarded;
mod part;
mod proxy_protocol;
mod sources;
mod stats;
mod transparent;
mod trusted;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};

use crate::drain;

pub use config::*;
pub use error::BindError;
pub use guarded::Guarded;
pub use proxy_protocol::fuzz_proxy_protocol;
pub use stats::ListenerStats;
pub use trusted::TrustedPeers;

use part::Partings;
use sources::Sources;
use transparent::Astray;

/// A bound socket that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    // Becomes one of tokio's where it is served, which may be another thread's runtime.
    socket: StdListener,
    shared: Arc<Shared>,
}

/// What the sockets of one address have in common.
#[derive(Debug)]
struct Shared {
    config: Config,
    /// The port, also where the system chose it.
    bound: u16,
    sources: Arc<Sources>,
    stats: Arc<ListenerStats>,
    partings: Arc<Partings>,
}

/// A connection on its way to the handler.
#[derive(Debug)]
pub struct Connection {
    /// The bytes, with Nagle's delay off.
    pub stream: TcpStream,
    /// Who is at the other end, as the kernel or a trusted peer says.
    pub peer: SocketAddr,
    /// Holds up the drain; says when to finish.
    pub guard: drain::Guard,
    /// The port that it was for, where the listener is a transparent one.
    pub port: Option<u16>,
    /// Its place under the caps: keep it as long as the connection lives.
    pub place: Place,
}

/// A connection's place under the caps of its listener and of its source; given back when it is dropped,
/// also by a task that is aborted or panics.
#[derive(Debug)]
pub struct Place {
    _of_source: Option<sources::Place>,
    _of_listener: stats::Open,
}

impl Listener {
    /// Binds the address. Connections queue from now on; [`serve`](Self::serve) accepts them.
    ///
    /// # Errors
    /// When the address cannot be had; the error names it and what to do.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let socket = listen(config.address, Sharing::No, config.transparent)?;
        Ok(Self::new(socket, config.clone()))
    }

    /// Binds the address once for each worker (`SO_REUSEPORT`): the kernel gives each connection to one of
    /// them by the hash of its addresses. Their caps and counters are shared.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), also when the address is in use by somebody who would share it: two
    /// processes that take turns at one port are nearly always a mistake.
    pub fn bind_each(config: &Config, workers: NonZeroUsize) -> Result<Vec<Self>, BindError> {
        let first = Self::bind(config)?;
        if workers.get() == 1 {
            return Ok(vec![first]);
        }
        let bound = first.local_addr().unwrap_or(config.address);
        let shared = Arc::clone(&first.shared);
        // That one could be bound alone shows that nobody else listens there.
        drop(first);
        let share = |_| {
            Ok(Self {
                socket: listen(bound, Sharing::Yes, config.transparent)?,
                shared: Arc::clone(&shared),
            })
        };
        (0..workers.get()).map(share).collect()
    }

    fn new(socket: StdListener, config: Config) -> Self {
        let bound = socket.local_addr().unwrap_or(config.address).port();
        Self {
            socket,
            shared: Arc::new(Shared {
                bound,
                sources: Arc::new(Sources::new(config.limits.per_source)),
                config,
                stats: Arc::default(),
                partings: Arc::default(),
            }),
        }
    }

    /// The address with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not know its own socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What the listener counts. Stays valid after [`serve`](Self::serve) has consumed it.
    pub fn stats(&self) -> Arc<ListenerStats> {
        Arc::clone(&self.shared.stats)
    }

    /// Accepts until the drain begins, and then whoever has connected already; closes the socket and waits for
    /// the connections.
    ///
    /// `handler` makes the future that is a connection's life; each runs as its own task, where a panic
    /// ends that connection only. (Making the future must not panic: return an `async` block.) Dropping
    /// this future midway closes the socket and aborts every connection: that is how a drain whose
    /// deadline has passed is forced.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket. Later failures are waited out.
    pub async fn serve<H, F>(self, guard: drain::Guard, handler: H) -> io::Result<()>
    where
        H: Fn(Connection) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let socket = TcpListener::from_std(self.socket)?;
        let mut connections = Connections {
            tasks: JoinSet::new(),
            shared: self.shared,
        };
        let mut stopping = guard.clone();
        let mut stop = pin!(stopping.draining());
        let mut backoff = Backoff::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = connections.tasks.join_next() => {
                    connections.ended(ended);
                    continue;
                }
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    backoff = Backoff::default();
                    connections.admit(stream, peer, &guard, &handler);
                }
                Err(error) if is_of_one_connection(&error) => connections.failed(),
                Err(error) => {
                    connections.failed();
                    let pause = backoff.next();
                    tracing::warn!(%error, ?pause, "cannot accept connections");
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        connections.take_the_rest(&socket, &guard, &handler).await;
        // Closed before waiting: from here on a newcomer is refused by the kernel, not left in a queue.
        drop(socket);
        while let Some(ended) = connections.tasks.join_next().await {
            connections.ended(ended);
        }
        Ok(())
    }
}

/// The connections of one socket.
struct Connections {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

impl Connections {
    /// Admits those who wait for it while the socket is about to be closed.
    async fn take_the_rest<H, F>(&mut self, socket: &TcpListener, guard: &drain::Guard, handler: &H)
    where
        H: Fn(Connection) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        if let Err(error) = backlog::refuse_newcomers(socket) {
            tracing::warn!(%error, "cannot hold newcomers off; some may be reset while lictor stops");
        }
        let mut settled = pin!(tokio::time::sleep(backlog::SETTLE));
        loop {
            tokio::select! {
                biased;
                () = &mut settled => break,
                Some(ended) = self.tasks.join_next() => self.ended(ended),
                accepted = socket.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer, guard, handler),
                    Err(error) if is_of_one_connection(&error) => self.failed(),
                    // Out of descriptors: those that end make room.
                    Err(_) => {
                        self.failed();
                        tokio::time::sleep(Backoff::FIRST).await;
                    }
                },
            }
        }
        for _ in 0..BACKLOG {
            match backlog::waiting(socket).await {
                Some(Ok((stream, peer))) => self.admit(stream, peer, guard, handler),
                Some(Err(_)) => self.failed(),
                None => break,
            }
        }
    }

    fn admit<H, F>(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        guard: &drain::Guard,
        handler: &H,
    ) where
        H: Fn(Connection) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        // An IPv4 peer of an IPv6 socket is that address, for caps, policies, records and the agent alike.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let Shared { config, stats, .. } = &*self.shared;
        stats.accepted.fetch_add(1, Relaxed);
        let is_trusted = config.trusted.contains(peer.ip());
        if config.proxy_protocol == ProxyProtocol::Required && !is_trusted {
            stats.refused_untrusted.fetch_add(1, Relaxed);
            return;
        }
        let Ok(port) = self.shared.port(&stream, peer) else {
            return;
        };
        let Some(open) = stats.open(config.limits.connections) else {
            stats.refused_listener.fetch_add(1, Relaxed);
            return self.refuse(stream);
        };
        if stream.set_nodelay(true).is_err() {
            // Only a socket that is already dead refuses the option.
            return;
        }
        let guard = guard.clone();
        if is_trusted && config.proxy_protocol != ProxyProtocol::Off {
            let shared = Arc::clone(&self.shared);
            let arrived = Arrived {
                stream,
                peer,
                port,
                open,
            };
            self.tasks
                .spawn(shared.announced(arrived, guard, handler.clone()));
            return;
        }
        let Some(place) = self.shared.place(peer.ip(), open) else {
            return self.refuse(stream);
        };
        let life = handler(Connection {
            stream,
            peer,
            guard,
            port,
            place,
        });
        // Spawned as it is: a future around it would hold it twice, once before it is awaited.
        self.tasks.spawn(life);
    }

    /// Closes a connection for which there is no place.
    fn refuse(&mut self, stream: TcpStream) {
        if let Some(said) = self.shared.farewell(stream) {
            self.tasks.spawn(said);
        }
    }

    fn ended(&self, ended: Result<(), JoinError>) {
        if ended.is_err_and(|error| error.is_panic()) {
            self.shared.stats.panicked.fetch_add(1, Relaxed);
        }
    }

    fn failed(&self) {
        self.shared.stats.accept_errors.fetch_add(1, Relaxed);
    }
}

/// A connection whose peer has still to say for whom it connects.
struct Arrived {
    stream: TcpStream,
    peer: SocketAddr,
    port: Option<u16>,
    open: stats::Open,
}

impl Shared {
    /// The port that a connection was for, where that matters.
    fn port(&self, stream: &TcpStream, peer: SocketAddr) -> Result<Option<u16>, Astray> {
        transparent::port(&self.config, stream, self.bound).inspect_err(|error| {
            tracing::debug!(downstream.addr = %peer, %error, "connection refused");
            let count = match error {
                Astray::Direct => &self.stats.refused_direct,
                Astray::Port(_) => &self.stats.refused_port,
            };
            count.fetch_add(1, Relaxed);
        })
    }

    /// A place for one more connection of this source; `None` when it has all that it may. A trusted peer is not
    /// counted: it holds the connections of many.
    fn place(&self, source: IpAddr, open: stats::Open) -> Option<Place> {
        let of_source = if self.config.trusted.contains(source) {
            None
        } else {
            let place = self.sources.enter(source);
            if place.is_none() {
                self.stats.refused_source.fetch_add(1, Relaxed);
            }
            Some(place?)
        };
        Some(Place {
            _of_source: of_source,
            _of_listener: open,
        })
    }

    /// The last words to a connection; `None` when it is closed without.
    fn farewell(&self, stream: TcpStream) -> Option<impl Future<Output = ()> + Send + 'static> {
        let words = self.config.farewell.clone()?;
        let parting = self.partings.begin()?;
        Some(parting.say(stream, words))
    }

    /// Learns for whom the peer of a connection connects, and hands it over as that one's.
    async fn announced<H, F>(self: Arc<Self>, arrived: Arrived, guard: drain::Guard, handler: H)
    where
        H: Fn(Connection) -> F,
        F: Future<Output = ()>,
    {
        let Arrived {
            mut stream,
            mut peer,
            port,
            open,
        } = arrived;
        let limit = self.config.deadlines.handshake;
        let header = announce::announced(&mut stream, self.config.proxy_protocol, limit);
        // Boxed, because it is gone before the connection's life begins.
        match Box::pin(header).await {
            Ok(Some(source)) => peer = source,
            // It speaks for itself.
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(downstream.addr = %peer, %error, "proxy protocol");
                self.stats.refused_header.fetch_add(1, Relaxed);
                return;
            }
        }
        let Some(place) = self.place(peer.ip(), open) else {
            if let Some(said) = self.farewell(stream) {
                said.await;
            }
            return;
        };
        drop(self);
        let life = handler(Connection {
            stream,
            peer,
            guard,
            port,
            place,
        });
        life.await;
    }
}

/// How long to leave the socket alone when the system has nothing to accept with.
///
/// Out of descriptors, `accept` fails at once and the connection stays in the queue: without a pause
/// the loop would spin, and take the time that the open connections need to end.
#[derive(Debug, Default)]
struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    fn next(&mut self) -> Duration {
        let pause = self.last.map_or(Self::FIRST, |last| {
            last.saturating_mul(2).min(Self::LONGEST)
        });
        self.last = Some(pause);
        pause
    }
}

/// Whether other sockets of ours may listen at the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    No,
    Yes,
}

fn listen(
    address: SocketAddr,
    sharing: Sharing,
    transparent: Transparent,
) -> Result<StdListener, BindError> {
    let failed = |error| BindError::new(address, error);
    let socket = socket(address, sharing).map_err(failed)?;
    if transparent == Transparent::Tproxy {
        let taken = match address {
            SocketAddr::V4(_) => socket.set_ip_transparent_v4(true),
            // Also for the IPv4 peers of such a socket.
            SocketAddr::V6(_) => socket.set_ip_transparent_v6(true),
        };
        taken.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => BindError::Transparent(address),
            _ => failed(error),
        })?;
    }
    let listening = socket
        .bind(&address.into())
        .and_then(|()| socket.listen(BACKLOG));
    listening.map_err(failed)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the last process's connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::Yes)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Errors that `accept` reports about the connection that it would have returned.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// What the kernel queues while we are busy; it caps the value at `net.core.somaxconn`, 4096 by
/// default on Linux.
const BACKLOG: i32 = 4096;
