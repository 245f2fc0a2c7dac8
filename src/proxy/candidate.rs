//! Policies that are judged beside those in force, on the same calls, and decide nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::model::{DecisionId, RuleRef, ShadowVerdict};
use crate::policy::{Decision, PolicySet, Question, Reads};

/// How many of the last differences are kept to be looked at. Arbitrary; a screen or two.
const KEPT: usize = 100;

/// A set of policies on trial.
#[derive(Debug)]
pub struct Candidate {
    /// The beginning of the hash over them.
    pub hash: Arc<str>,
    policy: PolicySet,
    judged: AtomicU64,
    // Held for a moment, and only where the two differ.
    differences: Mutex<Differences>,
}

/// What it would have decided otherwise.
#[derive(Debug, Clone, Default)]
pub struct Differences {
    /// How often, by statement. There are as many as the candidate has statements.
    pub by_statement: BTreeMap<Statement, u64>,
    /// The last hundred, the oldest first.
    pub last: VecDeque<Difference>,
}

/// A statement of the candidate, and what it would have done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// `allow` or `deny`.
    pub effect: &'static str,
    /// Its name; `default-deny` where none allows.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Option<String>,
}

/// A call on which the two differ.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Its decision's id, under which the audit trail tells all of it.
    pub decision: DecisionId,
    /// When it was judged.
    pub at: Timestamp,
    /// Who called.
    pub caller: String,
    /// What was asked.
    pub action: String,
    /// What the candidate would have done.
    pub statement: Statement,
}

impl Candidate {
    /// Puts policies on trial.
    pub fn new(hash: Arc<str>, policy: PolicySet) -> Self {
        Self {
            hash,
            policy,
            judged: AtomicU64::new(0),
            differences: Mutex::default(),
        }
    }

    /// What its conditions read.
    pub const fn reads(&self) -> &Reads {
        self.policy.reads()
    }

    /// How many calls it has judged.
    pub fn judged(&self) -> u64 {
        self.judged.load(Ordering::Relaxed)
    }

    /// Where it differs so far.
    pub fn differences(&self) -> Differences {
        self.lock().clone()
    }

    /// Judges a call that was decided, and notes it where it would have been decided otherwise.
    pub(super) fn judge(
        &self,
        question: &Question<'_>,
        decided: &Decision,
        id: DecisionId,
    ) -> Option<ShadowVerdict> {
        self.judged.fetch_add(1, Ordering::Relaxed);
        let here = self.policy.decide(question);
        let rule = || Arc::clone(here.rule().unwrap_or(&DEFAULT_DENY));
        let verdict = match (decided.is_allow(), here.is_allow()) {
            (true, false) => ShadowVerdict::Deny(rule()),
            (false, true) => ShadowVerdict::Allow(rule()),
            (true, true) | (false, false) => return None,
        };
        self.note(question, &verdict, id);
        Some(verdict)
    }

    fn note(&self, question: &Question<'_>, verdict: &ShadowVerdict, id: DecisionId) {
        let rule = verdict.rule();
        let statement = Statement {
            effect: verdict.effect(),
            name: Arc::clone(&rule.name),
            place: rule.place.as_ref().map(ToString::to_string),
        };
        let principal = question.principal;
        let mut differences = self.lock();
        let count = differences.by_statement.entry(statement.clone());
        *count.or_default() += 1;
        if differences.last.len() >= KEPT {
            differences.last.pop_front();
        }
        differences.last.push_back(Difference {
            decision: id,
            at: question.at,
            caller: format!("{}/{}", principal.identity, principal.id),
            action: question.call.action.to_string(),
            statement,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Differences> {
        self.differences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

static DEFAULT_DENY: LazyLock<Arc<RuleRef>> = LazyLock::new(|| {
    Arc::new(RuleRef {
        name: Arc::from("default-deny"),
        place: None,
    })
});
