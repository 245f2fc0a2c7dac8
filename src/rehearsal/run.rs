//! Plays the tests.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::answer::{Screened, screen};
use super::config::{Config, Test};
use super::outcome::{Got, Outcome, Report};
use super::scene::Scene;
use crate::model::RuleRef;
use crate::policy::PolicySet;
use crate::quota::{Admitted, Estimate, Quotas, Store, Subject, Turn};
use crate::scan::Detectors;

/// What the proxy would run.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// The name of the agent that the policy runs before.
    pub agent: &'a str,
    /// Who may do what.
    pub policy: &'a PolicySet,
    /// How much.
    pub quotas: &'a Quotas,
    /// What must not leave.
    pub detectors: &'a Arc<Detectors>,
}

/// Between two looks at whether time is over.
const CALLS_BETWEEN_LOOKS: u32 = 256;

/// Plays all tests that `is_wanted` names. `beginning` is where the clock of their counters begins, and stays:
/// all calls of a test come at one instant. Once `is_over` says so, what is left fails as [`Got::OutOfTime`].
pub fn run<'a>(
    stage: Stage<'_>,
    config: &'a Config,
    is_wanted: impl Fn(&Test) -> bool,
    beginning: Instant,
    is_over: &dyn Fn() -> bool,
) -> Report<'a> {
    let wanted = config.tests.iter().filter(|test| is_wanted(test));
    let outcomes: Vec<_> = wanted
        .map(|test| stage.play(test, beginning, is_over))
        .collect();
    let reached: HashSet<_> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.reached)
        .collect();
    let unreached = config
        .statements
        .iter()
        .filter(|statement| !reached.contains(statement));
    Report {
        statements: config.statements.len(),
        unreached: unreached.cloned().collect(),
        outcomes,
    }
}

impl Stage<'_> {
    fn play<'a>(
        &self,
        test: &'a Test,
        beginning: Instant,
        is_over: &dyn Fn() -> bool,
    ) -> Outcome<'a> {
        let scene = Scene::of(test, self.agent);
        let mut reached = HashSet::new();
        let got = match self.ask(test, &scene, beginning, is_over, &mut reached) {
            Ok(by) => self.answered(test, &scene, by),
            Err(got) => *got,
        };
        let mut outcome = Outcome {
            test,
            got,
            why: Vec::new(),
            reached,
        };
        if !outcome.passed() {
            outcome.why = self.why(&outcome, &scene);
        }
        outcome
    }

    /// All calls of a test, or as many as pass.
    fn ask(
        &self,
        test: &Test,
        scene: &Scene,
        now: Instant,
        is_over: &dyn Fn() -> bool,
        reached: &mut HashSet<Arc<RuleRef>>,
    ) -> Result<Arc<RuleRef>, Box<Got>> {
        let store = Arc::new(Store::new(Store::DEFAULT_CAPACITY, now));
        // All come at one instant, so that none has ended when the next begins.
        let mut running = Vec::new();
        let last = test.times.saturating_sub(1);
        for after in 0..=last {
            if after.is_multiple_of(CALLS_BETWEEN_LOOKS) && is_over() {
                break;
            }
            let decision = self.policy.decide(&scene.question());
            let shadow = decision.shadow().map(|shadow| shadow.rule());
            reached.extend(decision.rule().into_iter().chain(shadow).cloned());
            let permit = decision
                .into_permit()
                .map_err(|refusal| Got::Denied(Box::new(refusal)))?;
            let by = Arc::clone(permit.rule());
            let subject = Subject {
                agent: &scene.agent,
                principal: &scene.caller,
                action: &scene.call.action,
                begins_task: scene.call.may_begin_task(),
                tokens: tokens_of(scene),
                source: scene.source,
                now,
                at: scene.at,
            };
            let admitted = self.quotas.admit(&store, permit, &subject, Turn::default());
            let refusal = match admitted {
                Ok(Admitted::Now(admission)) => {
                    running.push(admission);
                    None
                }
                // Time stands still, and so does the line.
                Ok(Admitted::Queued(queued)) => Some(queued.refusal()),
                Err(refusal) => Some(refusal),
            };
            if let Some(refusal) = refusal {
                return Err(Box::new(Got::Throttled {
                    refusal: Box::new(refusal),
                    after,
                }));
            }
            if after == last {
                return Ok(by);
            }
        }
        Err(Box::new(Got::OutOfTime))
    }

    /// What becomes of the answer to the last call.
    fn answered(&self, test: &Test, scene: &Scene, by: Arc<RuleRef>) -> Got {
        let Some(answer) = &test.answer else {
            let flagged = Vec::new();
            return Got::Allowed { by, flagged };
        };
        let Screened {
            findings,
            changed,
            blocked,
        } = screen(answer, &scene.call, self.detectors);
        match blocked {
            Some(by) => Got::Blocked { by, findings },
            None if changed => Got::Redacted(findings),
            None => Got::Allowed {
                by,
                flagged: findings,
            },
        }
    }
}

/// How many tokens a call to a model may use, by the body that its arguments stand for.
fn tokens_of(scene: &Scene) -> Estimate {
    let Some(args) = &scene.args else {
        return Estimate::default();
    };
    let asked = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    let asked = asked
        .iter()
        .filter_map(|name| args.get(name).and_then(Value::as_u64));
    Estimate::new(args.to_string().len() as u64, asked.max().unwrap_or(0))
}
