//! Opening a connection to the agent.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use http::header::HeaderValue;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::config::{ClientTls, Config, Endpoint};
use super::error::UpstreamError;
use super::socket::Wire;

/// Where the agent is. A name is resolved again for each connection, so that an agent that moves is
/// found.
#[derive(Debug)]
pub(super) struct Target {
    place: Place,
    speech: Speech,
    host: HeaderValue,
}

#[derive(Debug)]
enum Place {
    Tcp(Host, u16),
    Unix(Box<Path>),
}

#[derive(Debug)]
enum Host {
    Address(IpAddr),
    /// Our own loopback, by either family, without asking a resolver (RFC 6761, section 6.3).
    Localhost,
    Name(Box<str>),
}

/// How it is spoken to.
#[derive(Debug)]
enum Speech {
    Http1,
    Http2,
    /// In the version that the handshake agrees on.
    Tls(Tls),
}

#[derive(Debug)]
struct Tls {
    /// `None` fails each connection: it must not be opened in the clear instead.
    config: Option<ClientTls>,
    name: Option<ServerName<'static>>,
}

/// Which HTTP a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

impl Target {
    pub(super) fn new(config: &Config, tls: Option<ClientTls>) -> Self {
        let (place, speech) = match &config.endpoint {
            Endpoint::H2c { host, port } => (Place::tcp(host, *port), Speech::Http2),
            Endpoint::Http { host, port } => (Place::tcp(host, *port), Speech::Http1),
            Endpoint::Https { host, port } => {
                let named = || ServerName::try_from(bare(host).to_owned()).ok();
                let name = config.server_name.clone().or_else(named);
                let speech = Speech::Tls(Tls { config: tls, name });
                (Place::tcp(host, *port), speech)
            }
            Endpoint::Unix(path) => (Place::Unix(path.as_path().into()), Speech::Http1),
        };
        Self {
            // A host that is no field value is none that resolves either; the first call says so.
            host: HeaderValue::try_from(place.authority())
                .unwrap_or_else(|_| HeaderValue::from_static("agent")),
            place,
            speech,
        }
    }

    /// Opens a connection, handshake included.
    pub(super) async fn connect(&self) -> Result<(Wire, Version), UpstreamError> {
        let stream = self.place.connect().await.map_err(UpstreamError::Connect)?;
        match (&self.speech, stream) {
            (Speech::Http1, wire) => Ok((wire, Version::Http1)),
            (Speech::Http2, wire) => Ok((wire, Version::Http2)),
            (Speech::Tls(tls), Wire::Tcp(stream)) => tls.connect(stream).await,
            (Speech::Tls(_), _) => Err(tls_without("a network")),
        }
    }

    /// What `Host` says of it (RFC 9112, section 3.2), unless the caller has said it.
    pub(super) const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// What logs say of it.
    pub(super) fn name(&self) -> &str {
        self.host.to_str().unwrap_or("agent")
    }

    /// What HTTP/2 says of it (RFC 9113, section 8.3.1).
    pub(super) const fn scheme(&self) -> Scheme {
        match self.speech {
            Speech::Http1 | Speech::Http2 => Scheme::HTTP,
            Speech::Tls(_) => Scheme::HTTPS,
        }
    }

    /// Whether a connection may turn out to be one that many exchanges share.
    pub(super) const fn may_multiplex(&self) -> bool {
        match self.speech {
            Speech::Http1 => false,
            Speech::Http2 | Speech::Tls(_) => true,
        }
    }
}

impl Place {
    fn tcp(host: &str, port: u16) -> Self {
        let bare = bare(host);
        let host = match bare.parse() {
            Ok(address) => Host::Address(address),
            Err(_) if bare.eq_ignore_ascii_case("localhost") => Host::Localhost,
            Err(_) => Host::Name(bare.into()),
        };
        Self::Tcp(host, port)
    }

    async fn connect(&self) -> io::Result<Wire> {
        let stream = match self {
            Self::Tcp(Host::Address(address), port) => TcpStream::connect((*address, *port)).await,
            Self::Tcp(Host::Localhost, port) => TcpStream::connect(&loopback(*port)[..]).await,
            Self::Tcp(Host::Name(name), port) => TcpStream::connect((&**name, *port)).await,
            Self::Unix(path) => return UnixStream::connect(path).await.map(Wire::Unix),
        }?;
        stream.set_nodelay(true)?;
        Ok(Wire::Tcp(stream))
    }

    fn authority(&self) -> String {
        match self {
            Self::Tcp(Host::Address(address), port) => SocketAddr::new(*address, *port).to_string(),
            Self::Tcp(Host::Localhost, port) => format!("localhost:{port}"),
            Self::Tcp(Host::Name(name), port) => format!("{name}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl Tls {
    async fn connect(&self, stream: TcpStream) -> Result<(Wire, Version), UpstreamError> {
        let config = self.config.as_ref().ok_or_else(|| tls_without("a setup"))?;
        let name = self.name.clone().ok_or_else(|| tls_without("a name"))?;
        let connector = TlsConnector::from(config.load_full());
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(UpstreamError::handshake)?;
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Version::Http2,
            // A server without ALPN speaks HTTP/1.1 by custom.
            Some(_) | None => Version::Http1,
        };
        Ok((Wire::Tls(Box::new(stream)), version))
    }
}

/// Configurations cannot say this; if one of ours does, nothing leaves in the clear.
fn tls_without(what: &str) -> UpstreamError {
    UpstreamError::Connect(io::Error::other(format!("TLS without {what}")))
}

/// A host as it stands in a URL may have the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
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
            assert_eq!(Place::tcp(host, 80).authority(), authority);
        }
    }

    #[test]
    fn tls_that_is_not_set_up_is_not_left_out() {
        let endpoint = Endpoint::Https {
            host: "agent".to_owned(),
            port: 443,
        };
        let target = Target::new(&Config::new(endpoint), None);
        assert!(matches!(&target.speech, Speech::Tls(tls) if tls.config.is_none()));
        assert_eq!(target.scheme(), Scheme::HTTPS);
    }
}
