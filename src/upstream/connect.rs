//! Opening a connection to the agent.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpStream;

/// Where the agent is. A name is resolved again for each connection, so that an agent that moves is
/// found.
#[derive(Debug)]
pub(super) struct Target {
    host: Host,
    port: u16,
}

#[derive(Debug)]
enum Host {
    Address(IpAddr),
    /// Our own loopback, by either family, without asking a resolver (RFC 6761, section 6.3).
    Localhost,
    Name(Box<str>),
}

impl Target {
    /// `host` as it stands in a URL: an IPv6 address may have its brackets.
    pub(super) fn new(host: &str, port: u16) -> Self {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let host = match bare.parse() {
            Ok(address) => Host::Address(address),
            Err(_) if bare.eq_ignore_ascii_case("localhost") => Host::Localhost,
            Err(_) => Host::Name(bare.into()),
        };
        Self { host, port }
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let port = self.port;
        let stream = match &self.host {
            Host::Address(address) => TcpStream::connect((*address, port)).await,
            Host::Localhost => TcpStream::connect(&loopback(port)[..]).await,
            Host::Name(name) => TcpStream::connect((&**name, port)).await,
        }?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// What `Host` says of it (RFC 9112, section 3.2).
    pub(super) fn authority(&self) -> String {
        match &self.host {
            Host::Address(address) => SocketAddr::new(*address, self.port).to_string(),
            Host::Localhost => format!("localhost:{}", self.port),
            Host::Name(name) => format!("{name}:{}", self.port),
        }
    }
}

fn loopback(port: u16) -> [SocketAddr; 2] {
    [
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_an_address_a_name_or_ourselves() {
        let cases = [
            ("127.0.0.1", "127.0.0.1:80"),
            ("::1", "[::1]:80"),
            ("[::1]", "[::1]:80"),
            ("LocalHost", "localhost:80"),
            ("agent.internal", "agent.internal:80"),
        ];
        for (host, authority) in cases {
            assert_eq!(Target::new(host, 80).authority(), authority);
        }
    }
}
