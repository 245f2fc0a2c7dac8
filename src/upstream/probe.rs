//! Asks the agent how it is, whether or not anybody calls.

use std::time::Duration;

use http::Request;

use super::breaker::Breaker;
use super::config::Health;
use super::{Deadlines, RequestBody, Shared, Upstream, UpstreamError, headers};
use crate::clock;
use crate::drain::Guard;
use crate::telemetry::chain;

impl Upstream {
    /// Probes the agent until the process drains. While its probes fail, calls are refused at once.
    pub async fn watch(self, health: Health, mut guard: Guard) {
        let mut row = Row::default();
        loop {
            let outcome = self.shared.probe(&health).await;
            self.shared.stats.probed(outcome.is_ok());
            row.tell(&self.shared.breaker, &health, outcome);
            tokio::select! {
                () = tokio::time::sleep(health.every) => {}
                () = guard.draining() => return,
            }
        }
    }
}

/// What the last probes have in common.
#[derive(Debug, Default)]
struct Row {
    succeeded: u32,
    failed: u32,
}

impl Row {
    fn tell(&mut self, breaker: &Breaker, health: &Health, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.failed = 0;
                self.succeeded = self.succeeded.saturating_add(1);
                if self.succeeded >= health.healthy {
                    breaker.healthy();
                }
            }
            Err(why) => {
                self.succeeded = 0;
                self.failed = self.failed.saturating_add(1);
                if self.failed >= health.unhealthy {
                    breaker.unhealthy(&why);
                }
            }
        }
    }
}

impl Shared {
    /// One probe, on a connection of its own: those of the calls may be old, and are as many as they are.
    async fn probe(&self, health: &Health) -> Result<(), String> {
        tokio::time::timeout(health.timeout, self.try_probe(health))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {:?}", health.timeout)))
    }

    async fn try_probe(&self, health: &Health) -> Result<(), String> {
        let said = |error: &UpstreamError| chain(error);
        let link = self.open().await.map_err(|error| said(&error))?;
        let Some(path) = &health.path else {
            return Ok(());
        };
        let mut request = Request::new(RequestBody::Empty);
        *request.uri_mut() = path.clone().into();
        headers::prepare(&mut request, self.target.host());
        let deadlines = Deadlines {
            first_byte: health.timeout,
            idle: health.timeout,
            total: clock::now() + health.timeout + SLACK,
        };
        let answered = self.send(link, &mut request, deadlines).await;
        let status = answered
            .map_err(|failure| said(&failure.error))?
            .head
            .status;
        if status.is_success() || status.is_redirection() {
            return Ok(());
        }
        Err(format!("GET {path} answered {}", status.as_u16()))
    }
}

/// The probe's own deadline is the one that is met.
const SLACK: Duration = Duration::from_secs(1);
