//! What the scan found.

use std::fmt;
use std::sync::Arc;

/// What happens to a finding, weakest first; the strongest of all findings on a span wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeakAction {
    /// Not looked for, or no finding after all.
    Allow,
    /// Counted and audited; the bytes pass.
    Flag,
    /// The protected span is replaced by a mark such as `[redacted:pii.email]`.
    Redact,
    /// The answer ends here.
    Block,
}

impl LeakAction {
    /// The word that stands in policies, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Flag => "flag",
            Self::Redact => "redact",
        }
    }
}

impl fmt::Display for LeakAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad it would be if the bytes left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Personal data of one person, or a credential that expires by itself.
    Medium,
    /// A working credential of limited reach.
    High,
    /// Keys to the house.
    Critical,
}

impl Severity {
    /// The word that stands in policies, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Low => "low",
            Self::Medium => "medium",
        }
    }
}

/// One hit of one detector. It never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The pack and name of the detector, e.g. `credentials.github-pat`.
    pub detector: &'static str,
    /// What the policy wants done with it.
    pub action: LeakAction,
    /// The exception of the policy by which it is none; its action is [`LeakAction::Allow`] then.
    pub allowed_by: Option<&'static str>,
    /// How bad it would be if the bytes left.
    pub severity: Severity,
    /// The channel it was found in, e.g. `artifact t1/a1/0` or a JSON path; never content.
    pub channel: Arc<str>,
    /// Offset of the protected span from the channel's beginning, in bytes of decoded text.
    pub offset: u64,
    /// Length of the protected span in bytes of decoded text, as far as it was seen.
    pub length: u64,
    /// The public prefix and a mark, e.g. `ghp_****`; safe to store.
    pub preview: Box<str>,
    /// The first 16 hex digits of a keyed hash of the secret, so that equal secrets can be told apart
    /// from different ones without storing either. Empty where the secret was too long to be held.
    pub fingerprint: Box<str>,
}
