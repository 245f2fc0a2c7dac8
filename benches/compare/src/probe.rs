//! Asks a proxy for what it must not give, so that no control is measured that is not on.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::secrets::{self, Trust};
use crate::site::{self, Ask};
use crate::wire::Reader;

/// A control that a proxy is measured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Control {
    /// Only callers with a verified token.
    Token,
    /// Only the method that their group may call.
    Method,
    /// No secret in an answer.
    Scan,
}

impl Control {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Method => "method",
            Self::Scan => "scan",
        }
    }
}

/// What to probe.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address of the proxy.
    #[arg(long)]
    address: SocketAddr,
    /// Certificate to trust (PEM); plain HTTP without it.
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// File with a good bearer token.
    #[arg(long)]
    token: PathBuf,
    /// The controls that must be on.
    #[arg(long, value_enum)]
    control: Vec<Control>,
}

/// Fails at the first control that is not on.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let token = fs::read_to_string(&options.token).context("cannot read the token")?;
    let tls = match &options.certificate {
        Some(path) => {
            let config = secrets::client_config(path, false, Trust::Chain)?;
            Some(TlsConnector::from(Arc::new(config)))
        }
        None => None,
    };
    let ask = async |request: Vec<u8>| -> anyhow::Result<Vec<u8>> {
        let stream = TcpStream::connect(options.address).await?;
        let name = ServerName::try_from(secrets::SERVER_NAME)?;
        Ok(match &tls {
            Some(tls) => exchange(tls.connect(name, stream).await?, &request).await?,
            None => exchange(stream, &request).await?,
        })
    };
    let given = site::message();
    if ask(Ask::Message.request(Some(&token))).await? != given {
        bail!("a good call is refused");
    }
    for control in options.control {
        match control {
            Control::Token => {
                if ask(Ask::Message.request(None)).await? == given {
                    bail!("a call without a token passes");
                }
                if ask(Ask::Message.request(Some(&forged(&token)))).await? == given {
                    bail!("a call with a forged token passes");
                }
            }
            Control::Method => {
                let call = site::call("ListTasks", "Which tasks are there?", Some(&token));
                if ask(call).await? == given {
                    bail!("a call of another method passes");
                }
            }
            Control::Scan => {
                let call = site::call("SendMessage", site::INDISCREET, Some(&token));
                let answer = ask(call).await?;
                if memchr::memmem::find(&answer, site::secret().as_bytes()).is_some() {
                    bail!("a secret passes");
                }
            }
        }
    }
    Ok(())
}

/// The token with one letter of its signature changed: it still parses.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let mut letters = signature.chars().collect::<Vec<_>>();
    if let Some(letter) = letters.get_mut(10) {
        *letter = if *letter == 'A' { 'B' } else { 'A' };
    }
    let signature = letters.into_iter().collect::<String>();
    format!("{signed}.{signature}")
}

/// The body of the answer to one request.
async fn exchange<S>(mut stream: S, request: &[u8]) -> io::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut reader = Reader::new(8 * 1024);
    let mut body = Vec::new();
    if let Some(head) = reader.head(&mut stream).await? {
        let mut sink = |piece: &[u8]| {
            body.extend_from_slice(piece);
            Ok(())
        };
        reader.body(&mut stream, &head, &mut sink).await?;
    }
    Ok(body)
}
