//! What all that ask have in common: whom, over what, with which tokens.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::secrets::{self, Trust};
use crate::site::Ask;
use crate::wire::{Head, Reader, invalid};

/// Whom to ask, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Address of the proxy.
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// Certificate to trust (PEM); plain HTTP without it.
    #[arg(long)]
    pub(crate) certificate: Option<PathBuf>,
    /// File with the bearer tokens to send in turn, one in a line.
    #[arg(long)]
    pub(crate) token: Option<PathBuf>,
    /// Speak HTTP/2.
    #[arg(long)]
    pub(crate) http2: bool,
    /// Only compare the server's certificate: what else a handshake demands of a client costs more than
    /// the server's half, on the core that backend and load share.
    #[arg(long)]
    pub(crate) credulous: bool,
}

impl Target {
    /// The same as arguments.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--address".into(), self.address.to_string().into()];
        for (name, path) in [
            ("--certificate", &self.certificate),
            ("--token", &self.token),
        ] {
            if let Some(path) = path {
                arguments.extend([name.into(), path.clone().into()]);
            }
        }
        for (name, set) in [("--http2", self.http2), ("--credulous", self.credulous)] {
            if set {
                arguments.push(name.into());
            }
        }
        arguments
    }
}

/// Asks a target; clones share the turn of the tokens.
#[derive(Clone)]
pub(crate) struct Caller {
    address: SocketAddr,
    tls: Option<TlsConnector>,
    /// One for each token.
    requests: Rc<[Vec<u8>]>,
    next: Rc<Cell<usize>>,
}

impl Caller {
    pub(crate) fn new(target: &Target, ask: Ask) -> anyhow::Result<Self> {
        let requests = match &target.token {
            Some(path) => {
                let tokens = fs::read_to_string(path).context("cannot read the tokens")?;
                tokens
                    .lines()
                    .map(|token| ask.request(Some(token)))
                    .collect()
            }
            None => [ask.request(None)].into(),
        };
        let tls = match &target.certificate {
            Some(path) => {
                let trust = if target.credulous {
                    Trust::Bytes
                } else {
                    Trust::Chain
                };
                let config = secrets::client_config(path, target.http2, trust)?;
                Some(TlsConnector::from(Arc::new(config)))
            }
            None => None,
        };
        Ok(Self {
            address: target.address,
            tls,
            requests,
            next: Rc::default(),
        })
    }

    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub(crate) fn tls(&self) -> Option<&TlsConnector> {
        self.tls.as_ref()
    }

    /// The name that the certificate must have.
    pub(crate) fn name(&self) -> io::Result<ServerName<'static>> {
        ServerName::try_from(secrets::SERVER_NAME).map_err(|_| invalid("server name is none"))
    }

    /// How many callers take turns.
    pub(crate) fn callers(&self) -> usize {
        self.requests.len()
    }

    /// The next request: of the next token where there are several.
    pub(crate) fn request(&self) -> &[u8] {
        let turn = self.next.get();
        self.next.set((turn + 1) % self.requests.len().max(1));
        self.requests
            .get(turn)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// One exchange, whose answer must be 200 with exactly this body.
pub(crate) async fn exchange<S>(stream: &mut S, request: &[u8], expected: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut reader = Reader::new(8 * 1024);
    let head = reader.head(stream).await?;
    let head = head.ok_or_else(|| invalid("the proxy closed a connection"))?;
    accepted(stream, &mut reader, &head).await?;
    let mut seen = 0;
    let mut sink = |piece: &[u8]| compare(piece, expected, &mut seen);
    reader.body(stream, &head, &mut sink).await?;
    whole(seen, expected)
}

/// An error with the answer's text where it is not 200.
pub(crate) async fn accepted<S>(stream: &mut S, reader: &mut Reader, head: &Head) -> io::Result<()>
where
    S: AsyncRead + Unpin,
{
    if head.status() == 200 {
        return Ok(());
    }
    let mut text = head.line.clone();
    let mut sink = |piece: &[u8]| {
        text.push(' ');
        text.push_str(&String::from_utf8_lossy(piece));
        Ok(())
    };
    reader.body(stream, head, &mut sink).await?;
    Err(io::Error::other(text))
}

/// Whether the answer goes on with this piece after `seen` bytes.
pub(crate) fn compare(piece: &[u8], expected: &[u8], seen: &mut usize) -> io::Result<()> {
    let end = *seen + piece.len();
    if expected.get(*seen..end) != Some(piece) {
        return Err(invalid("answer is not what the backend sent"));
    }
    *seen = end;
    Ok(())
}

pub(crate) fn whole(seen: usize, expected: &[u8]) -> io::Result<()> {
    if seen == expected.len() {
        Ok(())
    } else {
        Err(invalid("answer is too short"))
    }
}
