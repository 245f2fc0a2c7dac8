//! What is recorded of one call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    Action, Call, ContextId, DecisionId, Dialect, Facts, Fault, Finding, Operation, Principal,
    Reason, Refusal, RequestId, RuleRef, ShadowVerdict, TaskId, TraceId,
};

use super::captured::Captured;
use super::config::Decisions;

/// All that is recorded of one call. Fields are filled in while the call goes; one that was not reached
/// stays empty and is left out of the line. Values are handles on what the call holds anyway, so
/// filling them in copies as little as possible.
#[derive(Debug, Default)]
pub struct Record {
    /// Names the decision; the caller may quote it.
    pub decision_id: Option<DecisionId>,
    /// The id under which the exchange appears in every log.
    pub request_id: Option<RequestId>,
    /// The trace that the call is part of.
    pub trace_id: Option<TraceId>,
    /// The decision that opened the tunnel in a message of which it was asked.
    pub tunnel: Option<DecisionId>,
    /// The decision over the first call of the batch in which it came, where that is another one.
    pub batch: Option<DecisionId>,
    /// Which policies judged.
    pub generation: Option<Generation>,
    /// Who calls; `None` until a credential was verified or found absent.
    pub principal: Option<Arc<Principal>>,
    /// Whom weaker credentials of the call prove.
    pub beside: Vec<Arc<Principal>>,
    /// Where the connection comes from.
    pub source: Option<SocketAddr>,
    /// The listener that the connection came to, unless it is the data port.
    pub listener: Option<Arc<str>>,
    /// The port of the agent that the connection was for, unless it is the first one's.
    pub agent_port: Option<u16>,
    /// The SHA-256 of the certificate with which the connection was opened, in hexadecimal digits.
    pub client_certificate: Option<Box<str>>,
    /// The wire form.
    pub dialect: Option<Dialect>,
    /// What was asked.
    pub action: Option<Action>,
    /// What it does to tasks.
    pub operation: Option<Operation>,
    /// The task it names, or the one that the agent made for it.
    pub task: Option<TaskId>,
    /// The context it names, or the one that the agent made for it.
    pub context: Option<ContextId>,
    /// Tasks that its message refers to.
    pub references: Vec<TaskId>,
    /// What was known of the objects that it names; with the caller and the action it is what the
    /// policy judged, so that the decision can be made again.
    pub facts: Option<Facts>,
    /// The request's HTTP method.
    pub http_method: Option<http::Method>,
    /// The request's path without its query, which may hold secrets.
    pub path: Option<Box<str>>,
    /// The values that conditions read, where the policy wants them recorded.
    pub captured: Option<Box<Captured>>,
    /// Whether the policy let the call pass. Nothing passes without an allow, so it begins as a deny.
    pub decision: Decision,
    /// Why not, or why the answer was cut short.
    pub reason: Option<Reason>,
    /// The statement of the policy that decided.
    pub rule: Option<Arc<RuleRef>>,
    /// What the first statement in shadow mode would have changed.
    pub shadow: Option<ShadowVerdict>,
    /// What the candidate policies would have made of it, where that differs.
    pub candidate: Option<ShadowVerdict>,
    /// The quota that refused.
    pub quota: Option<Arc<str>>,
    /// The fact behind a refusal, for us only.
    pub detail: Option<Box<str>>,
    /// The status that was sent to the caller.
    pub status: Option<u16>,
    /// The status that the agent sent.
    pub upstream_status: Option<u16>,
    /// Bytes of the request's body that were read.
    pub request_bytes: u64,
    /// Bytes of the answer's body that were delivered.
    pub response_bytes: u64,
    /// Time spent waiting for the agent: for its head and for each piece of its body.
    pub upstream: Duration,
    /// Time spent waiting for the caller: for each piece of its body, and to take ours.
    pub downstream: Duration,
    /// The most bytes that were held back at once.
    pub held_bytes_max: u64,
    /// How many errors of the agent left in other words; what they said is recorded nowhere.
    pub scrubbed_errors: u64,
    /// Which calls have a record in the end, by the policy that judged this one.
    pub decisions: Decisions,
    pub(super) outcome: Option<Outcome>,
    pub(super) findings: Vec<Counted>,
    pub(super) findings_total: u64,
    // When the call began; set by the guard.
    pub(super) time: Timestamp,
    pub(super) duration: Duration,
}

impl Record {
    /// Whether it is written. One of a call that nobody judged is.
    pub(super) fn is_kept(&self) -> bool {
        let share = match self.decisions {
            Decisions::All => return true,
            Decisions::NotPlain => 0.0,
            Decisions::Sample(share) => share,
        };
        !self.is_plain() || self.decision_id.is_none_or(|id| is_within(id, share))
    }

    /// Whether the call was let through, to its end and unchanged, and nothing that only watches would have it otherwise.
    fn is_plain(&self) -> bool {
        self.decision == Decision::Allow
            && self.reason.is_none()
            && self.outcome == Some(Outcome::Complete)
            && self.findings_total == 0
            && self.scrubbed_errors == 0
            && self.shadow.is_none()
            && self.candidate.is_none()
    }

    /// Notes what is asked.
    pub fn call(&mut self, call: &Call) {
        self.action = Some(Action {
            name: call.action.name.as_deref().map(clip),
            protocol: call.action.protocol,
            method: call.action.method.clone(),
        });
        self.dialect = Some(call.dialect);
        self.operation = Some(call.operation);
        self.task.clone_from(&call.task);
        self.context.clone_from(&call.context);
        self.references = call.references.iter().take(MAX_LIST).cloned().collect();
    }

    /// Notes the HTTP request. A query, if `path` has one, is left out.
    pub fn http(&mut self, method: &http::Method, path: &str) {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        self.http_method = Some(method.clone());
        self.path = Some(clip(path));
    }

    /// Notes that the policy allows the call, and which statement says so.
    pub fn allow(&mut self, rule: Option<Arc<RuleRef>>) {
        self.decision = Decision::Allow;
        self.rule = rule;
    }

    /// Notes a refusal, or why an answer was cut short.
    ///
    /// An allowed call stays allowed where the agent failed or had answered already: that the policy
    /// let it pass is then a fact, whatever became of the answer.
    pub fn refuse(&mut self, refusal: &Refusal) {
        let answered = self.upstream_status.is_some();
        match refusal.reason.fault() {
            Fault::Downstream | Fault::Internal if !answered => self.decision = Decision::Deny,
            Fault::Downstream | Fault::Internal | Fault::Upstream => {}
        }
        self.reason = Some(refusal.reason);
        if let Some(rule) = &refusal.rule {
            self.rule = Some(Arc::clone(rule));
        }
        if refusal.reason.is_of_a_quota() {
            // The refusing quota is first.
            self.quota = refusal
                .standings
                .first()
                .map(|first| Arc::clone(&first.quota));
        }
        self.detail = refusal.detail.as_deref().map(clip);
    }

    /// Notes a finding. Equal ones are counted; past 64 different ones only their number
    /// is kept, so that an answer full of secrets cannot fill our memory.
    pub fn found(&mut self, finding: &Finding) {
        self.findings_total += 1;
        let room = self.findings.len() < MAX_FINDINGS;
        let equal = self.findings.iter_mut().find(|known| {
            known.finding.detector == finding.detector
                && known.finding.action == finding.action
                && known.finding.fingerprint == finding.fingerprint
                && known.finding.channel == finding.channel
        });
        match equal {
            Some(known) => known.count += 1,
            None if room => self.findings.push(Counted::new(finding)),
            None => {}
        }
    }

    /// The part of `total` that was not waiting for others.
    pub(super) fn lictor(&self, total: Duration) -> Duration {
        total
            .saturating_sub(self.upstream)
            .saturating_sub(self.downstream)
    }

    /// How many findings were noted, equal ones included.
    pub const fn findings(&self) -> u64 {
        self.findings_total
    }
}

/// Whether the policy let a call pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Decision {
    /// It passed.
    Allow,
    /// It did not, or was not judged.
    #[default]
    Deny,
}

impl Decision {
    /// The word that stands in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// We gave up midway, without an answer.
    Aborted,
    /// The scan refused the answer or cut it short.
    Blocked,
    /// The answer was delivered whole; findings tell what was redacted in it.
    Complete,
    /// The caller went away before the end.
    DownstreamGone,
    /// We answered instead of the agent.
    Refused,
    /// The agent's answer ended before its end, and so did ours.
    UpstreamTruncated,
    /// What allowed the call was taken back while its answer ran: by other policies, or by a revocation.
    Withdrawn,
}

impl Outcome {
    /// The word that stands in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Blocked => "blocked",
            Self::Complete => "complete",
            Self::DownstreamGone => "downstream-gone",
            Self::Refused => "refused",
            Self::UpstreamTruncated => "upstream-truncated",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Which policies judged a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Counts from 1 in each process.
    pub number: u64,
    /// The beginning of the hash over the policies, the same in every process that loads them.
    pub hash: Arc<str>,
}

/// A finding, and how often an equal one was noted.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) finding: Finding,
    pub(super) count: u64,
}

impl Counted {
    fn new(finding: &Finding) -> Self {
        let mut finding = finding.clone();
        // A JSON path is as long as the agent makes its keys.
        if finding.channel.len() > MAX_TEXT_BYTES {
            finding.channel = Arc::from(clip(&finding.channel));
        }
        Self { finding, count: 1 }
    }
}

/// Text of a caller as far as it is recorded. What was cut off ends in an ellipsis.
pub(super) fn clip(text: &str) -> Box<str> {
    if text.len() <= MAX_TEXT_BYTES {
        return Box::from(text);
    }
    let head = text
        .split_at_checked(text.floor_char_boundary(MAX_TEXT_BYTES))
        .map_or("", |(head, _)| head);
    format!("{head}…").into_boxed_str()
}

/// Different findings kept per record. Arbitrary; a page full of them is enough to act on.
pub(super) const MAX_FINDINGS: usize = 64;

/// Names kept of a list that a caller or its credential made. Arbitrary.
pub(super) const MAX_LIST: usize = 64;

/// Paths, names and details are kept up to here: the longest that clients commonly send, while the
/// queue's memory stays a product of its length.
pub(super) const MAX_TEXT_BYTES: usize = 2048;

/// Whether a decision is one of this share. By its id, which callers do not choose, so that all who look at it agree.
fn is_within(id: DecisionId, share: f64) -> bool {
    // The end of such an id is random; before it stand a time and a count.
    let drawn = u32::try_from(id.as_u128() & u128::from(u32::MAX)).unwrap_or_default();
    f64::from(drawn) < share * f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use crate::model::{LeakAction, QuotaUnit, Severity, Standing};

    use super::*;

    fn finding(fingerprint: &str) -> Finding {
        Finding {
            detector: "pii.email",
            action: LeakAction::Redact,
            allowed_by: None,
            severity: Severity::Medium,
            channel: Arc::from("body"),
            offset: 3,
            length: 9,
            preview: Box::from("****"),
            fingerprint: Box::from(fingerprint),
        }
    }

    #[test]
    fn equal_findings_are_counted_and_many_are_bounded() {
        let mut record = Record::default();
        for _ in 0..3 {
            record.found(&finding("same"));
        }
        for index in 0..200 {
            record.found(&finding(&index.to_string()));
        }
        assert_eq!(record.findings.len(), MAX_FINDINGS);
        assert_eq!(record.findings[0].count, 3);
        assert_eq!(record.findings(), 203);
    }

    #[test]
    fn a_query_is_never_recorded() {
        let mut record = Record::default();
        record.http(&http::Method::GET, "/v1/reports?token=secret");
        assert_eq!(record.path.as_deref(), Some("/v1/reports"));
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let clipped = clip(&"é".repeat(2000));
        assert!(clipped.len() <= MAX_TEXT_BYTES + '…'.len_utf8());
        assert!(clipped.ends_with("é…"));
    }

    #[test]
    fn what_the_agent_did_wrong_does_not_undo_the_decision() {
        let decision = |prepare: fn(&mut Record), reason| {
            let mut record = Record::default();
            prepare(&mut record);
            record.refuse(&Refusal::new(reason));
            record.decision
        };
        let allow = |record: &mut Record| record.allow(None);
        let answered = |record: &mut Record| {
            record.allow(None);
            record.upstream_status = Some(200);
        };
        for (prepare, reason, expected) in [
            (
                allow as fn(&mut Record),
                Reason::RateLimited,
                Decision::Deny,
            ),
            (allow, Reason::UpstreamTimeout, Decision::Allow),
            (allow, Reason::Overloaded, Decision::Deny),
            (answered, Reason::LeakageDetected, Decision::Allow),
            (answered, Reason::ShuttingDown, Decision::Allow),
            (|_| {}, Reason::CredentialInvalid, Decision::Deny),
        ] {
            assert_eq!(decision(prepare, reason), expected, "{reason}");
        }
    }

    #[test]
    fn the_refusing_quota_is_named() {
        let mut refusal = Refusal::new(Reason::RateLimited);
        refusal.standings.push(Standing {
            quota: Arc::from("fair-share"),
            limit: 1,
            remaining: 0,
            reset: None,
            window: None,
            unit: QuotaUnit::Requests,
        });
        let mut record = Record::default();
        record.refuse(&refusal);
        assert_eq!(record.quota.as_deref(), Some("fair-share"));
    }
}
