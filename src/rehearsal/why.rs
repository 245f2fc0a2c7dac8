//! Why a test came out otherwise, in the words of the policy.

use super::config::{Calls, Expect};
use super::outcome::{Got, Outcome, is_of};
use super::run::Stage;
use super::scene::Scene;
use crate::model::{Finding, Reason, Refusal};
use crate::policy::{Explanation, Held};

impl Stage<'_> {
    pub(super) fn why(&self, outcome: &Outcome<'_>, scene: &Scene) -> Vec<String> {
        let explanation = self.policy.explain(&scene.question());
        match &outcome.got {
            Got::Allowed { by, flagged } => {
                let mut why = self.why_not(&outcome.test.expect, &explanation, scene, flagged);
                why.push(format!("{by} allows it"));
                why
            }
            Got::Blocked { findings, .. } | Got::Redacted(findings) => found(findings),
            Got::Denied(refusal) => why_denied(refusal, &explanation, scene),
            Got::OutOfTime => vec!["all tests of a policy together may take 5 seconds".to_owned()],
            Got::Throttled { refusal, after } => {
                let rule = refusal.rule.as_ref().map(|rule| format!("{rule}: "));
                let detail = refusal.detail.as_deref().unwrap_or("it is spent");
                let rule = rule.unwrap_or_default();
                vec![format!("{rule}{detail} after {}", Calls(*after))]
            }
        }
    }

    /// Why a call passed that should not have.
    fn why_not(
        &self,
        expect: &Expect,
        explanation: &Explanation,
        scene: &Scene,
        flagged: &[Finding],
    ) -> Vec<String> {
        match expect {
            Expect::Deny(Some(name)) => why_not_denied(name, explanation, scene),
            Expect::Throttle { quota, .. } => vec![self.why_not_throttled(quota, scene)],
            Expect::Block(name) | Expect::Redact(name) | Expect::Flag(name) => {
                let mut why = found(flagged);
                let actions = &self.detectors.config().actions;
                let mut sought = actions.keys();
                if !sought.any(|sought| is_of(name, sought) || is_of(sought, name)) {
                    why.push(format!("`leaks` does not look for {name}"));
                }
                why
            }
            Expect::Allow(_) | Expect::Deny(None) => Vec::new(),
        }
    }

    fn why_not_throttled(&self, quota: &str, scene: &Scene) -> String {
        let (caller, call) = (&scene.caller, &scene.call);
        let begins = call.may_begin_task();
        let mut counting = self.quotas.counting(caller, &call.action, begins);
        match counting.any(|counting| *counting.rule.name == *quota) {
            true => format!("{quota} counts these calls, and they fit in it"),
            false => format!("{quota} does not count these calls"),
        }
    }
}

fn found(findings: &[Finding]) -> Vec<String> {
    if findings.is_empty() {
        return vec!["nothing was found in the answer".to_owned()];
    }
    let mut lines: Vec<_> = findings
        .iter()
        .map(|finding| {
            let (detector, action) = (finding.detector, finding.action);
            format!("{detector} was found; `leaks` says {action}")
        })
        .collect();
    lines.dedup();
    lines
}

fn why_not_denied(name: &str, explanation: &Explanation, scene: &Scene) -> Vec<String> {
    let mut considered = explanation.denies.iter();
    match considered.find(|considered| *considered.rule.name == *name) {
        Some(considered) if considered.covers() => Vec::new(),
        Some(considered) => vec![format!("{} {}", considered.rule, considered.verdict())],
        None if is_examined(name, explanation) => {
            vec![format!(
                "{name} has nothing against these arguments, or only watches"
            )]
        }
        None if is_reason(name) => Vec::new(),
        None => vec![format!(
            "{name} is not about {} of {}, or only watches",
            scene.call.action, scene.caller.id
        )],
    }
}

fn is_examined(name: &str, explanation: &Explanation) -> bool {
    let tool = explanation.tool.as_ref();
    tool.is_some_and(|tool| *tool.rule.name == *name)
}

fn is_reason(name: &str) -> bool {
    Reason::ALL.iter().any(|reason| reason.as_str() == name)
}

fn why_denied(refusal: &Refusal, explanation: &Explanation, scene: &Scene) -> Vec<String> {
    match refusal.reason {
        Reason::DefaultDeny | Reason::CredentialMissing => unallowed(explanation, scene),
        Reason::ArgumentDenied if explanation.tool.is_some() => refused(explanation),
        _ => {
            let rule = refusal.rule.as_ref().map(ToString::to_string);
            let parts = [rule, refusal.detail.as_deref().map(str::to_owned)];
            vec![parts.into_iter().flatten().collect::<Vec<_>>().join(": ")]
        }
    }
}

/// What is wrong with the arguments of a tool.
fn refused(explanation: &Explanation) -> Vec<String> {
    let tools = explanation.tool.iter();
    let wrong = tools.flat_map(|tool| tool.wrong.iter().map(|wrong| (&tool.rule, wrong)));
    wrong
        .map(|(rule, wrong)| format!("{rule}: {wrong}"))
        .collect()
}

/// What the caller holds, and what is nearest to what they would need.
fn unallowed(explanation: &Explanation, scene: &Scene) -> Vec<String> {
    let action = &scene.call.action;
    let held: Vec<_> = explanation.roles.iter().map(held).collect();
    let mut lines = vec![match held.is_empty() {
        true => format!("the caller holds no role, and nothing else allows {action}"),
        false => format!("the caller holds {}; none allows {action}", held.join(", ")),
    }];
    lines.extend(explanation.nearest.iter().map(|nearest| {
        let (rule, pattern, mismatch) = (&nearest.rule, &nearest.pattern, &nearest.mismatch);
        format!("nearest: {rule} allows `{pattern}`, {mismatch}")
    }));
    lines
}

/// A role that the caller holds.
fn held(held: &Held) -> String {
    match &held.through {
        Some(through) => format!("{} (inherited by {})", held.rule, through.name),
        None => held.rule.to_string(),
    }
}
