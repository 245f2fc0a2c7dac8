//! Where a connection was to go before the kernel brought it here.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::config::{Config, Transparent};

/// Why a connection of a transparent listener goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Astray {
    /// Whoever connected meant lictor itself. Its own address is nobody's destination: a way there would be a
    /// loop.
    #[error("nobody redirected the connection")]
    Direct,
    /// No agent is meant to be reached there, although something may listen on loopback.
    #[error("it was for port {0}, which `upstream.ports` does not list")]
    Port(u16),
}

/// The port that the connection was for; `None` where the listener is not a transparent one. `bound` is the port
/// of the listener.
pub(super) fn port(config: &Config, stream: &TcpStream, bound: u16) -> Result<Option<u16>, Astray> {
    let port = match config.transparent {
        Transparent::Off => return Ok(None),
        Transparent::Redirect => redirected(stream)?,
        // The kernel keeps the destination as the connection's own address.
        Transparent::Tproxy => local(stream)?.port(),
    };
    if port == bound && config.transparent == Transparent::Tproxy {
        return Err(Astray::Direct);
    }
    match config.ports.contains(&port) {
        true => Ok(Some(port)),
        false => Err(Astray::Port(port)),
    }
}

/// Where the connection was for, by the word of the kernel's connection tracking. What it does not know, or knows
/// under our own address, nobody redirected.
fn redirected(stream: &TcpStream) -> Result<u16, Astray> {
    let local = local(stream)?;
    let destination = original_destination(stream, local).map_err(|_unknown| Astray::Direct)?;
    let is_ours = destination.port() == local.port()
        && destination.ip().to_canonical() == local.ip().to_canonical();
    if is_ours {
        return Err(Astray::Direct);
    }
    Ok(destination.port())
}

/// An IPv4 peer of an IPv6 socket has its entry among those of IPv4.
fn original_destination(stream: &TcpStream, local: SocketAddr) -> io::Result<SocketAddr> {
    let socket = SockRef::from(stream);
    let destination = match local.ip().to_canonical().is_ipv4() {
        true => socket.original_dst_v4(),
        false => socket.original_dst_v6(),
    }?;
    destination
        .as_socket()
        .ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Only a socket that is already dead does not know its own address.
fn local(stream: &TcpStream) -> Result<SocketAddr, Astray> {
    stream.local_addr().map_err(|_dead| Astray::Direct)
}
