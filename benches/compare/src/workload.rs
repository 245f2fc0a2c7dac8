//! The rows: what is measured.

use crate::site::Ask;

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// HTTP/1.1 keep-alive.
    Plain,
    /// The same over TLS 1.3.
    Tls,
    /// The same with JWT, RBAC and quota.
    Jwt,
    /// The same with the scan.
    Scan,
    /// 10 MiB bodies.
    Large,
    /// 200 streams at the same time.
    Stream,
}

impl Workload {
    pub(crate) const ALL: [Self; 6] = [
        Self::Plain,
        Self::Tls,
        Self::Jwt,
        Self::Scan,
        Self::Large,
        Self::Stream,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Plain => "HTTP/1.1 keep-alive",
            Self::Tls => "the same over TLS 1.3",
            Self::Jwt => "+ JWT, RBAC, quota",
            Self::Scan => "+ scan",
            Self::Large => "10 MiB bodies",
            Self::Stream => "200 SSE streams",
        }
    }

    pub(crate) fn ask(self) -> Ask {
        match self {
            Self::Plain | Self::Tls | Self::Jwt | Self::Scan => Ask::Message,
            Self::Large => Ask::Large,
            Self::Stream => Ask::Stream,
        }
    }

    /// The name of [`Self::ask`] on the load's command line.
    pub(crate) fn ask_name(self) -> &'static str {
        match self.ask() {
            Ask::Message => "message",
            Ask::Large => "large",
            Ask::Stream => "stream",
        }
    }

    pub(crate) fn connections(self) -> usize {
        match self.ask() {
            Ask::Message => 32,
            Ask::Large => 4,
            Ask::Stream => 200,
        }
    }

    pub(crate) fn tls(self) -> bool {
        matches!(self, Self::Tls | Self::Jwt | Self::Scan)
    }

    pub(crate) fn token(self) -> bool {
        matches!(self, Self::Jwt | Self::Scan)
    }
}
