//! An open WebSocket, until one of its ends, or we, close it.

mod session;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::clock;
use crate::drain::Guard;
use crate::listener::Deadlines;
use crate::quota::Admission;
use crate::telemetry::InFlight;

use super::Proxy;
use super::toll::Toll;
use super::upgrade::Opening;

use session::Session;

/// A tunnel that was agreed on.
pub(super) struct Tunnel {
    proxy: Arc<Proxy>,
    opening: Opening,
    admission: Admission,
    toll: Toll,
    open: InFlight,
}

impl Tunnel {
    pub(super) fn new(
        proxy: Arc<Proxy>,
        opening: Opening,
        admission: Admission,
        toll: Toll,
    ) -> Self {
        let open = proxy.parts().calls.open_tunnel();
        Self {
            proxy,
            opening,
            admission,
            toll,
            open,
        }
    }

    /// Carries frames both ways until the tunnel ends, and shuts the caller's stream down. `ahead` is what
    /// the caller has sent behind its handshake.
    ///
    /// Dropped midway, as at the end of a drain, both streams are broken off and the record says so.
    pub(super) async fn run<S>(
        self: Box<Self>,
        caller: &mut S,
        ahead: Bytes,
        mut guard: Guard,
        deadlines: &Deadlines,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut session, _open) = Session::new(*self, &mut *caller, deadlines.write_stall);
        session.begin(&ahead);
        let mut draining = pin!(guard.draining());
        poll_fn(|cx| {
            if !session.drains() && draining.as_mut().poll(cx).is_ready() {
                let grace = deadlines.drain;
                session.drain_until(clock::now() + (grace - CUT_TIME.min(grace / 2)));
            }
            session.poll(cx)
        })
        .await;
        drop(session);
        // A caller that has gone does not mind.
        let _gone = tokio::time::timeout(CUT_TIME, caller.shutdown()).await;
    }
}

/// How long the ends have to take our own close.
const CUT_TIME: Duration = Duration::from_secs(2);
