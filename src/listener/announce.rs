//! Takes the PROXY protocol's header off a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::config::ProxyProtocol;
use super::proxy_protocol::{MAX, Parsed, ProxyHeaderError, parse};

/// Why a connection that should begin with a header goes no further.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnnounceError {
    #[error("the connection ended within the header")]
    Ended,
    #[error("the header did not arrive in time")]
    Late,
    #[error(transparent)]
    Malformed(#[from] ProxyHeaderError),
    #[error("the header is missing")]
    Missing,
    #[error("the connection broke")]
    Io(#[from] io::Error),
}

/// Whom a trusted peer speaks for; `None` for itself. Takes exactly the header off the stream.
pub(super) async fn announced(
    stream: &mut TcpStream,
    mode: ProxyProtocol,
    limit: Duration,
) -> Result<Option<SocketAddr>, AnnounceError> {
    tokio::time::timeout(limit, read(stream, mode))
        .await
        .unwrap_or(Err(AnnounceError::Late))
}

async fn read(
    stream: &mut TcpStream,
    mode: ProxyProtocol,
) -> Result<Option<SocketAddr>, AnnounceError> {
    let mut header = Header {
        bytes: [0; MAX],
        taken: 0,
    };
    loop {
        let arrived = header.look(stream).await?;
        match parse(header.until(arrived))? {
            Parsed::Whole(length, source) => {
                header.take(stream, length).await?;
                return Ok(source);
            }
            Parsed::Partial => header.take(stream, arrived).await?,
            // Not to be taken, because it may be the caller's; and a look at it again would be ready at once.
            Parsed::Undecided => tokio::time::sleep(PAUSE).await,
            Parsed::Absent if mode == ProxyProtocol::Optional => return Ok(None),
            Parsed::Absent => return Err(AnnounceError::Missing),
        }
    }
}

/// As much of a header as is known.
struct Header {
    bytes: [u8; MAX],
    /// How many of them are off the stream.
    taken: usize,
}

impl Header {
    /// Looks at what has arrived, and leaves it; says how many bytes are known then.
    async fn look(&mut self, stream: &TcpStream) -> Result<usize, AnnounceError> {
        let room = self.bytes.get_mut(self.taken..).unwrap_or_default();
        match stream.peek(room).await? {
            0 => Err(AnnounceError::Ended),
            seen => Ok(self.taken + seen),
        }
    }

    fn until(&self, end: usize) -> &[u8] {
        self.bytes.get(..end).unwrap_or(&self.bytes)
    }

    /// Takes off the stream what was looked at, up to here.
    async fn take(&mut self, stream: &mut TcpStream, end: usize) -> io::Result<()> {
        if let Some(seen) = self.bytes.get_mut(self.taken..end) {
            stream.read_exact(seen).await?;
            self.taken = end;
        }
        Ok(())
    }
}

/// How long to wait for more of the first few bytes, which nearly always come together.
const PAUSE: Duration = Duration::from_millis(5);
