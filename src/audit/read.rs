//! Audit lines, read again: what was recorded, and what a decision was made from.
//!
//! The other side of the writer: every field that it writes has its place in [`Call`]. Reads a file line by line
//! in constant memory, and says of a line what it is when it is no record; nothing in a file can end the reading but an
//! error of the system.

mod asked;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::line::VERSION;

pub use asked::{Asked, Unfit};

/// One line of an audit file.
#[derive(Debug)]
pub enum Line {
    /// The record of a call.
    Call(Box<Call>),
    /// A line of ours about something else.
    Other,
    /// No line of ours.
    Strange(Strange),
}

/// Why a line is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Strange {
    /// It is no audit record.
    #[error("no audit record")]
    Foreign,
    /// Longer than any that is written.
    #[error("longer than an audit record")]
    TooLong,
    /// The last of the file, and torn: its writer was stopped, or is about to finish it.
    #[error("unfinished at the end of the file")]
    Unfinished,
    /// Of a format that this version does not know.
    #[error("of a later format")]
    Version,
}

/// What tells lines apart.
#[derive(Deserialize)]
struct Head<'a> {
    v: u64,
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
}

impl Line {
    /// Reads a line without its line feed.
    pub fn parse(text: &[u8]) -> Self {
        let Ok(head) = serde_json::from_slice::<Head<'_>>(text) else {
            return Self::Strange(Strange::Foreign);
        };
        if head.v != u64::from(VERSION) {
            return Self::Strange(Strange::Version);
        }
        if head.kind != "call" {
            return Self::Other;
        }
        match serde_json::from_slice(text) {
            Ok(call) => Self::Call(call),
            Err(_) => Self::Strange(Strange::Foreign),
        }
    }
}

/// The record of a call as it was written; `line` says what the fields mean. One that is not in the line is empty.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "the fields are those of the line, which documents them"
)]
pub struct Call {
    pub time: String,
    pub instance: String,
    pub sequence: u64,
    pub agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    pub tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_total: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captured: Option<Captured>,
    pub decision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Shadow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_status: Option<u16>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub duration_us: u64,
    pub upstream_us: u64,
    pub downstream_us: u64,
    pub lictor_us: u64,
    pub held_bytes_max: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrubbed_errors: Option<u64>,
    pub findings: Vec<Finding>,
    pub findings_total: u64,
    pub outcome: String,
}

/// Which policies judged.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Generation {
    /// Counts from 1 in each process.
    pub number: u64,
    /// The beginning of the hash over the policies.
    pub hash: String,
}

/// Whom a weaker credential of the call proves.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Beside {
    /// Who vouches for it.
    pub identity: String,
    /// Who it is.
    pub principal: String,
}

/// What was known of the objects that a call names.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Facts {
    /// Whose the tasks are.
    pub task: String,
    /// Whose the context is.
    pub context: String,
    /// Whose the session is, where the call belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// What conditions read.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Captured {
    /// By their paths.
    pub values: BTreeMap<String, Value>,
    /// Paths at which the call has nothing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub missing: BTreeSet<String>,
    /// Paths whose values are too long for a record.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub omitted: BTreeSet<String>,
}

/// A statement of the policy.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Where it stood; `None` for what is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// What a statement in shadow mode, or of a candidate, would have changed.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Shadow {
    /// `allow`, `deny` or `throttle`.
    pub effect: String,
    /// The statement.
    #[serde(flatten)]
    pub rule: Rule,
}

/// Equal findings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the line, which documents them"
)]
pub struct Finding {
    pub detector: String,
    pub action: String,
    pub severity: String,
    pub channel: String,
    pub offset: u64,
    pub length: u64,
    pub preview: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(rename = "allowedBy", skip_serializing_if = "Option::is_none")]
    pub allowed_by: Option<String>,
    pub count: u64,
}

/// The lines of a file, from its beginning.
#[derive(Debug)]
pub struct Lines<R> {
    file: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads this file.
    pub const fn new(file: R) -> Self {
        Self {
            file,
            line: Vec::new(),
            number: 0,
        }
    }

    /// The number of the line that was read last, from 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The next line with something in it that `is_wanted`, which is asked with its bytes; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read further.
    pub fn next(&mut self, is_wanted: impl Fn(&[u8]) -> bool) -> io::Result<Option<Line>> {
        loop {
            self.line.clear();
            let most = MAX_LINE_BYTES + 1;
            if (&mut self.file)
                .take(most)
                .read_until(b'\n', &mut self.line)?
                == 0
            {
                return Ok(None);
            }
            self.number += 1;
            let is_whole = self.line.last() == Some(&b'\n');
            if !is_whole && self.line.len() as u64 == most {
                self.skip()?;
                return Ok(Some(Line::Strange(Strange::TooLong)));
            }
            let text = self.line.trim_ascii();
            if text.is_empty() || !is_wanted(text) {
                continue;
            }
            return Ok(Some(match Line::parse(text) {
                Line::Strange(_) if !is_whole => Line::Strange(Strange::Unfinished),
                line @ (Line::Call(_) | Line::Other | Line::Strange(_)) => line,
            }));
        }
    }

    /// To the end of a line that is too long to be kept.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            self.line.clear();
            let read = (&mut self.file)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut self.line)?;
            if read == 0 || self.line.last() == Some(&b'\n') {
                return Ok(());
            }
        }
    }
}

/// Lines that are written stay well below.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Any bytes are a file that is read to its end.
#[doc(hidden)]
pub fn fuzz_read(data: &[u8]) {
    let mut lines = Lines::new(data);
    while let Ok(Some(line)) = lines.next(|_| true) {
        if let Line::Call(call) = line {
            let _asked = (call.asked(), call.whole_path().map(str::len));
        }
    }
}
