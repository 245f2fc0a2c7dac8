//! The rows: what is measured.

use crate::site::Ask;

/// One row of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// HTTP/1.1 keep-alive.
    Plain,
    /// The same, and who calls is verified: one token that comes again and again.
    PlainJwt,
    /// The same with 1,000 tokens in turn.
    #[value(name = "plain-jwt-1000")]
    PlainJwtThousand,
    /// The same over TLS 1.3.
    Tls,
    /// The same with JWT, RBAC and quota.
    Jwt,
    /// The same with the scan.
    Scan,
    /// Everything on for 1,000 callers, beside proxies with nothing on and without TLS.
    Everything,
    /// HTTP/2 over TLS 1.3, many streams on few connections.
    H2,
    /// A connection, a full TLS 1.3 handshake and one request, again and again.
    Handshake,
    /// Bodies of 1 MiB towards the agent.
    Upload,
    /// Bodies of 10 MiB from the agent.
    Large,
    /// 200 streams at the same time.
    Stream,
    /// 4,000 requests a second, whatever the answers take.
    Rate,
    /// Memory of idle connections.
    Idle,
    /// Memory of idle TLS connections.
    IdleTls,
    /// Time from start to the first answer.
    Start,
}

/// How a row is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Connections that wait, and the memory that they take.
    Idle,
    /// A load in slices, and the CPU time that it costs.
    Load,
    /// Processes that are started again and again.
    Start,
}

impl Workload {
    pub(crate) const ALL: [Self; 16] = [
        Self::Plain,
        Self::PlainJwt,
        Self::PlainJwtThousand,
        Self::Tls,
        Self::Jwt,
        Self::Scan,
        Self::Everything,
        Self::H2,
        Self::Handshake,
        Self::Upload,
        Self::Large,
        Self::Stream,
        Self::Rate,
        Self::Idle,
        Self::IdleTls,
        Self::Start,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Plain => "HTTP/1.1 keep-alive",
            Self::PlainJwt => "the same, one token",
            Self::PlainJwtThousand => "the same, 1,000 tokens",
            Self::Tls => "the same over TLS 1.3",
            Self::Jwt => "+ JWT, RBAC, quota",
            Self::Scan => "+ scan",
            Self::Everything => "everything on, 1,000 callers",
            Self::H2 => "HTTP/2 over TLS 1.3",
            Self::Handshake => "TLS 1.3 handshakes",
            Self::Upload => "1 MiB uploads",
            Self::Large => "10 MiB bodies",
            Self::Stream => "200 SSE streams",
            Self::Rate => "4,000 requests a second",
            Self::Idle => "idle connections",
            Self::IdleTls => "idle TLS connections",
            Self::Start => "start",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Idle | Self::IdleTls => Kind::Idle,
            Self::Start => Kind::Start,
            _ => Kind::Load,
        }
    }

    pub(crate) fn ask(self) -> Ask {
        match self {
            Self::Large => Ask::Large,
            Self::Stream => Ask::Stream,
            Self::Upload => Ask::Upload,
            _ => Ask::Message,
        }
    }

    pub(crate) fn connections(self) -> usize {
        match self {
            Self::H2 | Self::Large | Self::Upload => 4,
            Self::Handshake => 8,
            Self::Idle | Self::IdleTls => 5000,
            Self::Stream => 200,
            _ => 32,
        }
    }

    /// Streams of each connection; `None` is HTTP/1.1.
    pub(crate) fn streams(self) -> Option<usize> {
        (self == Self::H2).then_some(16)
    }

    /// Requests a second, where they do not wait for the answers before them.
    pub(crate) fn rate(self) -> Option<u32> {
        (self == Self::Rate).then_some(4000)
    }

    /// Whether every proxy of the row terminates TLS.
    pub(crate) fn tls(self) -> bool {
        matches!(
            self,
            Self::Tls | Self::Jwt | Self::Scan | Self::H2 | Self::Handshake | Self::IdleTls
        )
    }

    /// Whether the row asks what a token alone costs: some in it verify none.
    pub(crate) fn prices_token(self) -> bool {
        matches!(self, Self::PlainJwt | Self::PlainJwtThousand)
    }

    /// Whether every proxy of the row verifies tokens.
    pub(crate) fn token(self) -> bool {
        matches!(self, Self::Jwt | Self::Scan)
    }
}
