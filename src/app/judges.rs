//! What judges calls, compiled from policies: the part of a snapshot that needs no proxy.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::clock;
use crate::policy::{self, PolicySet};
use crate::quota::{self, Quotas};
use crate::rehearsal::{self, Report, Stage};
use crate::scan::{self, Detectors};

/// How long all tests of a policy may take together: whoever reloads waits for them.
const TESTS_TIME: Duration = Duration::from_secs(5);

/// The compiled objects by which the proxy judges calls, and by which tests are judged.
#[derive(Debug)]
pub struct Judges {
    /// Who may do what.
    pub policy: PolicySet,
    /// How much.
    pub quotas: Quotas,
    /// What must not leave.
    pub detectors: Arc<Detectors>,
}

impl Judges {
    /// Compiles them.
    ///
    /// # Errors
    /// When the detectors do not fit into one automaton.
    pub fn compile(
        policy: policy::Config,
        quotas: quota::Config,
        leaks: &scan::Config,
    ) -> anyhow::Result<Self> {
        let detectors = Detectors::compile(leaks).context("the detectors do not compile")?;
        Ok(Self {
            policy: PolicySet::compile(policy),
            quotas: Quotas::compile(quotas),
            detectors: Arc::new(detectors),
        })
    }

    /// Plays the tests with this in their name, of all before this agent.
    pub fn rehearse<'a>(
        &self,
        agent: &str,
        tests: &'a rehearsal::Config,
        wanted: &str,
    ) -> Report<'a> {
        let stage = Stage {
            agent,
            policy: &self.policy,
            quotas: &self.quotas,
            detectors: &self.detectors,
        };
        let beginning = clock::now();
        let is_over = || clock::now().saturating_duration_since(beginning) >= TESTS_TIME;
        let is_wanted = |test: &rehearsal::Test| test.rule.name.contains(wanted);
        rehearsal::run(stage, tests, is_wanted, beginning, &is_over)
    }
}
