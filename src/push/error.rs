//! Why news may not be pushed to where a caller wants it.

use std::net::IpAddr;

use super::address::Kind;
use super::resolver::Unresolved;
use crate::model::Reason;

/// Why a registration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// An address that is not for the public.
    #[error("`{host}` is at {address}, which is {kind}")]
    Address {
        /// The host.
        host: Box<str>,
        /// One of its addresses.
        address: IpAddr,
        /// What kind of address that is.
        kind: Kind,
    },
    /// A host that is not listed.
    #[error("the host `{0}` is not listed")]
    Host(Box<str>),
    /// A registration in which no address was found: an agent may find one.
    #[error("no push URL was found")]
    NoUrl,
    /// A port that is not listed.
    #[error("the port {0} is not listed")]
    Port(u16),
    /// The policy takes none.
    #[error("the policy refuses push notifications")]
    Refused,
    /// `http` or `https`, where the policy wants the other.
    #[error("the scheme `{0}` is not listed")]
    Scheme(&'static str),
    /// The name could not be looked up.
    #[error("`{host}` cannot be resolved: {error}")]
    Unresolved {
        /// The host.
        host: Box<str>,
        /// Why.
        error: Unresolved,
    },
}

impl PushError {
    /// What the caller is told.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Refused => Reason::PushUnsupported,
            Self::Address { .. }
            | Self::Host(_)
            | Self::NoUrl
            | Self::Port(_)
            | Self::Scheme(_)
            | Self::Unresolved { .. } => Reason::PushDenied,
        }
    }
}
