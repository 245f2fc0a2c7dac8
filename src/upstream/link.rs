//! What one exchange holds of a connection to the agent.

use std::task::Context;

use super::connection::Connection;
use super::http2::Stream;

/// A connection of its own, or a stream of one that others use too.
#[derive(Debug)]
pub(super) enum Link {
    Http1(Connection),
    Http2(Stream),
}

impl Link {
    /// Reads and writes what can be read and written now, if that is for us to do. `true` when it was.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Http1(connection) => {
                connection.drive(cx);
                true
            }
            Self::Http2(_) => false,
        }
    }

    pub(super) const fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }
}
