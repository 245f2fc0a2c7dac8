//! What one exchange holds of a connection to the agent.

use super::connection::Connection;
use super::http2::Stream;

/// A connection of its own, or a stream of one that others use too.
#[derive(Debug)]
pub(super) enum Link {
    Http1(Connection),
    Http2(Stream),
}

impl Link {
    pub(super) const fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }
}
