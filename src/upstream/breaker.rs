//! Whether the agent is worth asking.
//!
//! There is one agent, so that nobody else answers while it is ejected. What ejecting it gains: callers hear
//! at once and by name what they would hear after a deadline, and an agent that comes up again is not met by
//! all of them together.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config::Ejection;
use super::error::UpstreamError;
use crate::clock;
use crate::telemetry::chain;

/// Counts what fails in a row, and lets nothing through for a while when it was too much. After that one
/// call tries: if the agent answers, whatever it says, all is well.
#[derive(Debug)]
pub(super) struct Breaker {
    config: Option<Ejection>,
    /// Which agent it is, in logs.
    agent: Box<str>,
    // All that a call reads while all is well.
    is_open: AtomicBool,
    connects: AtomicU32,
    exchanges: AtomicU32,
    ejections: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    verdict: Verdict,
    /// What the probes found wrong. While there is something, no call tries.
    unhealthy: Option<Box<str>>,
}

/// What the calls themselves tell.
#[derive(Debug)]
enum Verdict {
    Fine,
    Ejected {
        until: Instant,
        why: Box<str>,
    },
    /// One call is on its way to find out.
    Trial {
        why: Box<str>,
    },
}

/// A call that may try. Its end is to be reported; one that is dropped instead has found nothing out.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
}

/// Which row a failure belongs to.
enum Kind {
    /// The agent could not be connected to, which no caller can bring about.
    Connect,
    /// It was, and did not answer, which a caller may bring about.
    Exchange,
    /// Not the agent's.
    Neutral,
}

impl Breaker {
    pub(super) fn new(config: Option<Ejection>, agent: &str) -> Self {
        Self {
            config,
            agent: agent.into(),
            is_open: AtomicBool::new(false),
            connects: AtomicU32::new(0),
            exchanges: AtomicU32::new(0),
            ejections: AtomicU64::new(0),
            state: Mutex::new(State {
                verdict: Verdict::Fine,
                unhealthy: None,
            }),
        }
    }

    /// Whether a call may try now.
    pub(super) fn admit(&self) -> Result<Pass<'_>, UpstreamError> {
        let pass = |is_trial| Pass {
            breaker: self,
            is_trial,
        };
        if !self.is_open.load(Acquire) {
            return Ok(pass(false));
        }
        let mut state = self.lock();
        if state.unhealthy.is_some() {
            return Err(ejected(AGAIN));
        }
        let now = clock::now();
        match &mut state.verdict {
            Verdict::Fine => Ok(pass(false)),
            Verdict::Ejected { until, .. } if now < *until => Err(ejected(*until - now)),
            Verdict::Ejected { why, .. } => {
                let why = std::mem::take(why);
                state.verdict = Verdict::Trial { why };
                Ok(pass(true))
            }
            Verdict::Trial { .. } => Err(ejected(AGAIN)),
        }
    }

    /// Why no call is let through, if none is.
    pub(super) fn trouble(&self) -> Option<String> {
        if !self.is_open.load(Acquire) {
            return None;
        }
        let state = self.lock();
        match (&state.unhealthy, &state.verdict) {
            (Some(why), _) => Some(format!("its probes fail: {why}")),
            (None, Verdict::Ejected { why, .. } | Verdict::Trial { why }) => {
                Some(format!("it is ejected: {why}"))
            }
            (None, Verdict::Fine) => None,
        }
    }

    /// How often the agent was ejected.
    pub(super) fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }

    /// The probes find it well: the next call may try, whatever became of the last ones.
    pub(super) fn healthy(&self) {
        if !self.is_open.load(Acquire) {
            return;
        }
        let mut state = self.lock();
        if state.unhealthy.take().is_some() {
            tracing::info!(upstream.addr = %self.agent, "the agent's probes succeed again");
        }
        match &mut state.verdict {
            Verdict::Ejected { until, .. } => *until = clock::now(),
            Verdict::Fine => self.is_open.store(false, Release),
            Verdict::Trial { .. } => {}
        }
    }

    /// The probes find it not well.
    pub(super) fn unhealthy(&self, why: &str) {
        let mut state = self.lock();
        if state.unhealthy.is_none() {
            tracing::warn!(upstream.addr = %self.agent, %why, "the agent's probes fail; calls are refused until they succeed");
            self.ejections.fetch_add(1, Relaxed);
        }
        state.unhealthy = Some(why.into());
        self.is_open.store(true, Release);
    }

    fn close(&self, state: &mut State) {
        self.connects.store(0, Relaxed);
        self.exchanges.store(0, Relaxed);
        if !matches!(state.verdict, Verdict::Fine) {
            tracing::info!(upstream.addr = %self.agent, "the agent answers again");
            state.verdict = Verdict::Fine;
        }
        if state.unhealthy.is_none() {
            self.is_open.store(false, Release);
        }
    }

    fn eject(&self, config: &Ejection, error: &UpstreamError) {
        let mut state = self.lock();
        // Those who were on their way when it was ejected change nothing.
        if matches!(state.verdict, Verdict::Ejected { .. }) {
            return;
        }
        let why = chain(error);
        if matches!(state.verdict, Verdict::Fine) {
            tracing::warn!(upstream.addr = %self.agent, %why, time = ?config.time, "the agent is ejected; one call tries it after that time");
            self.ejections.fetch_add(1, Relaxed);
        }
        state.verdict = Verdict::Ejected {
            until: clock::now() + config.time,
            why: why.into(),
        };
        self.is_open.store(true, Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The agent has begun to answer.
    pub(super) fn answered(mut self) {
        let breaker = self.breaker;
        let is_trial = std::mem::take(&mut self.is_trial);
        let failed = breaker.connects.load(Relaxed) > 0 || breaker.exchanges.load(Relaxed) > 0;
        if is_trial || failed {
            breaker.close(&mut breaker.lock());
        }
    }

    /// It has not.
    pub(super) fn failed(mut self, error: &UpstreamError) {
        let Some(config) = &self.breaker.config else {
            return;
        };
        let breaker = self.breaker;
        let (row, most) = match kind(error) {
            Kind::Connect => (&breaker.connects, config.connect_failures),
            Kind::Exchange => (&breaker.exchanges, config.exchange_failures),
            Kind::Neutral => return,
        };
        let count = row.fetch_add(1, Relaxed).saturating_add(1);
        if std::mem::take(&mut self.is_trial) || count >= most {
            breaker.eject(config, error);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // A trial whose caller went away: the next call is the trial.
        if self.is_trial {
            let mut state = self.breaker.lock();
            if let Verdict::Trial { why } = &mut state.verdict {
                let why = std::mem::take(why);
                let until = clock::now();
                state.verdict = Verdict::Ejected { until, why };
            }
        }
    }
}

const fn kind(error: &UpstreamError) -> Kind {
    match error {
        UpstreamError::Connect(_) | UpstreamError::ConnectTimeout | UpstreamError::Tls(_) => {
            Kind::Connect
        }
        UpstreamError::Closed(_) | UpstreamError::FirstByteTimeout => Kind::Exchange,
        // An agent that answers, however wrongly, is there: what it answers to others may be right.
        UpstreamError::Ejected { .. }
        | UpstreamError::Framing(_)
        | UpstreamError::IdleTimeout
        | UpstreamError::Malformed(_)
        | UpstreamError::RequestBody(_)
        | UpstreamError::Saturated
        | UpstreamError::TotalTimeout
        | UpstreamError::Truncated(_)
        | UpstreamError::Unsendable(_)
        | UpstreamError::Upgrade => Kind::Neutral,
    }
}

const fn ejected(retry_after: Duration) -> UpstreamError {
    UpstreamError::Ejected { retry_after }
}

/// When to ask again, where nobody knows.
const AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(
            Some(Ejection {
                connect_failures: 2,
                exchange_failures: 3,
                time: Duration::from_secs(5),
            }),
            "agent",
        )
    }

    fn refused() -> UpstreamError {
        UpstreamError::Connect(io::ErrorKind::ConnectionRefused.into())
    }

    fn fail(breaker: &Breaker, error: &UpstreamError) {
        breaker.admit().unwrap().failed(error);
    }

    fn wait(breaker: &Breaker) -> Option<Duration> {
        breaker.admit().err().and_then(|error| error.retry_after())
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_eject_and_one_call_tries_after_a_time() {
        let breaker = breaker();
        fail(&breaker, &refused());
        breaker.admit().unwrap().answered();
        fail(&breaker, &refused());
        assert_eq!(wait(&breaker), None);
        fail(&breaker, &refused());
        assert_eq!(wait(&breaker), Some(Duration::from_secs(5)));
        assert!(breaker.trouble().unwrap().contains("refused"));

        tokio::time::advance(Duration::from_secs(5)).await;
        let trial = breaker.admit().unwrap();
        assert!(wait(&breaker).is_some(), "a second one tries");
        trial.failed(&refused());
        assert_eq!(wait(&breaker), Some(Duration::from_secs(5)));
        assert_eq!(breaker.ejections(), 1);

        tokio::time::advance(Duration::from_secs(5)).await;
        breaker.admit().unwrap().answered();
        assert_eq!((wait(&breaker), breaker.trouble()), (None, None));
        fail(&breaker, &refused());
        assert_eq!(wait(&breaker), None, "old failures count");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_whose_caller_goes_away_is_not_the_last() {
        let breaker = breaker();
        fail(&breaker, &refused());
        fail(&breaker, &refused());
        tokio::time::advance(Duration::from_secs(5)).await;
        drop(breaker.admit().unwrap());
        // So is one that fails for a reason of its caller's.
        let error = UpstreamError::RequestBody(super::super::RequestBodyError::Broken);
        fail(&breaker, &error);
        breaker.admit().unwrap().answered();
        assert_eq!(wait(&breaker), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_callers_can_bring_about_counts_by_itself_and_more_is_needed() {
        let breaker = breaker();
        fail(&breaker, &UpstreamError::FirstByteTimeout);
        fail(&breaker, &UpstreamError::FirstByteTimeout);
        fail(&breaker, &UpstreamError::TotalTimeout);
        fail(&breaker, &UpstreamError::Upgrade);
        fail(&breaker, &refused());
        assert_eq!(wait(&breaker), None);
        fail(&breaker, &UpstreamError::FirstByteTimeout);
        assert!(wait(&breaker).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn probes_that_fail_refuse_calls_until_they_succeed() {
        let breaker = Breaker::new(None, "agent");
        breaker.unhealthy("GET /health answered 500");
        assert!(wait(&breaker).is_some());
        tokio::time::advance(Duration::from_secs(500)).await;
        assert!(wait(&breaker).is_some());
        assert!(breaker.trouble().unwrap().contains("/health"));
        breaker.healthy();
        assert_eq!((wait(&breaker), breaker.trouble()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_ejects_when_the_operator_wants_none() {
        let breaker = Breaker::new(None, "agent");
        for _ in 0..100 {
            fail(&breaker, &refused());
        }
        assert_eq!(wait(&breaker), None);
    }
}
