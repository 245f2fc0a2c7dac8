//! One handshake, from the first byte to an agreed connection.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::Acceptor as Hello;
use rustls::{CertificateError, Error, HandshakeKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Trust;
use super::clients::{PeerCertificate, still_valid};
use crate::clock;

/// Performs the handshakes of one listener. A clone is another handle; each sees every reload.
#[derive(Clone)]
pub struct Acceptor {
    trust: Arc<ArcSwap<Trust>>,
    // A handshake in flight holds about 40 KiB and costs the time of some hundred requests.
    in_flight: Arc<Semaphore>,
    limit: Duration,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("free", &self.in_flight.available_permits())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// What a handshake ended in.
#[derive(Debug)]
pub struct Accepted<IO> {
    /// The connection.
    pub stream: TlsStream<IO>,
    /// The client's certificate, if it showed one that holds.
    pub client: Option<Arc<PeerCertificate>>,
}

impl Acceptor {
    pub(super) fn new(trust: Arc<ArcSwap<Trust>>, handshakes: usize, limit: Duration) -> Self {
        Self {
            trust,
            in_flight: Arc::new(Semaphore::new(handshakes.min(Semaphore::MAX_PERMITS))),
            limit,
        }
    }

    /// Shakes hands. Takes at most as long as the listener's deadline, from the first byte on; a client
    /// counts among the handshakes in flight once it has said hello, so that the silent take nobody's place,
    /// and one that finds no place waits for it within its deadline.
    ///
    /// # Errors
    /// When no connection came of it. The client was sent the alert that TLS has for the case, if any.
    pub async fn accept<IO>(&self, stream: IO) -> Result<Accepted<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Instant::from_std(clock::now() + self.limit);
        let hello = LazyConfigAcceptor::new(Hello::default(), stream);
        let hello = timeout_at(deadline, hello)
            .await
            .map_err(|_| HandshakeFault::Timeout)?
            .map_err(HandshakeError::of)?;
        let Ok(_place) = timeout_at(deadline, self.in_flight.acquire()).await else {
            return Err(HandshakeFault::Crowded.into());
        };
        let trust = self.trust.load_full();
        let agreed = hello.into_stream(Arc::clone(&trust.config));
        let stream = timeout_at(deadline, agreed)
            .await
            .map_err(|_| HandshakeFault::Timeout)?
            .map_err(HandshakeError::of)?;
        let client = trust.client_of(&stream)?;
        Ok(Accepted { stream, client })
    }
}

impl Trust {
    /// Whom the handshake proved the client to be.
    fn client_of<IO>(
        &self,
        stream: &TlsStream<IO>,
    ) -> Result<Option<Arc<PeerCertificate>>, HandshakeError> {
        let Some(verifier) = &self.verifier else {
            return Ok(None);
        };
        let (_, connection) = stream.get_ref();
        let chain = connection.peer_certificates().unwrap_or_default();
        // A ticket brings the certificate of the session that it resumes, unchecked.
        if connection.handshake_kind() == Some(HandshakeKind::Resumed) {
            still_valid(verifier.as_ref(), chain).map_err(|error| HandshakeError {
                fault: HandshakeFault::of(&error),
                cause: Some(io::Error::other(error)),
            })?;
        }
        Ok(PeerCertificate::of(chain).map(Arc::new))
    }
}

/// Why a handshake did not end in a connection.
#[derive(Debug, thiserror::Error)]
#[error("the handshake failed: {fault}")]
pub struct HandshakeError {
    /// Of which kind it was.
    pub fault: HandshakeFault,
    #[source]
    cause: Option<io::Error>,
}

impl HandshakeError {
    fn of(error: io::Error) -> Self {
        let fault = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => HandshakeFault::of(error),
            // The system's own words are of a connection that is gone.
            None => HandshakeFault::Closed,
        };
        Self {
            fault,
            cause: Some(error),
        }
    }
}

impl From<HandshakeFault> for HandshakeError {
    fn from(fault: HandshakeFault) -> Self {
        Self { fault, cause: None }
    }
}

macro_rules! faults {
    ($($(#[$meta:meta])* $variant:ident $text:literal),* $(,)?) => {
        /// In how many ways a handshake can fail. The words stand in metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum HandshakeFault {
            $($(#[$meta])* $variant),*
        }

        impl HandshakeFault {
            /// Every kind, for registering metrics.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }
        }
    };
}

faults! {
    /// The client gave up with an alert; mostly it does not trust our certificate.
    Alert "alert",
    /// The client's certificate has ended or has not begun.
    CertificateExpired "certificate-expired",
    /// The client showed no certificate, and one is required.
    CertificateMissing "certificate-missing",
    /// The client's certificate does not lead to an authority, or is not one of a client.
    CertificateUntrusted "certificate-untrusted",
    /// The connection ended.
    Closed "closed",
    /// No place among the handshakes in flight became free in time.
    Crowded "crowded",
    /// No version, cipher suite or group in common.
    Incompatible "incompatible",
    /// What the client said breaks TLS.
    Misbehaved "misbehaved",
    /// None of the client's protocols is spoken here (RFC 7301, section 3.2).
    NoProtocol "no-protocol",
    /// What came is not TLS; a client that speaks HTTP to this port, for instance.
    NotTls "not-tls",
    /// Anything else.
    Other "other",
    /// The client took too long.
    Timeout "timeout",
}

impl HandshakeFault {
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::AlertReceived(_) => Self::Alert,
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::CertificateExpired,
            Error::InvalidCertificate(_) => Self::CertificateUntrusted,
            Error::NoCertificatesPresented => Self::CertificateMissing,
            Error::PeerIncompatible(_) => Self::Incompatible,
            Error::NoApplicationProtocol => Self::NoProtocol,
            Error::InvalidMessage(_) => Self::NotTls,
            Error::DecryptError
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InappropriateMessage { .. }
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord => Self::Misbehaved,
            // The library may grow kinds; those that it has besides are of our own making.
            _ => Self::Other,
        }
    }
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
