//! What the scan is told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::LeakAction;

use super::allow::Exception;
use super::matcher::custom::Custom;
use super::matcher::dictionary::Listed;

/// The checked configuration of the scan, one for each snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What happens to findings, by pack (`pii`) or detector (`pii.email`); a named detector overrides
    /// its pack. What is not named is not looked for.
    pub actions: BTreeMap<Box<str>, LeakAction>,
    /// What is looked for besides.
    pub custom: Vec<Custom>,
    /// The values of dictionaries that are looked for besides.
    pub listed: Vec<Listed>,
    /// Findings that are none.
    pub exceptions: Vec<Exception>,
    /// How much may wait.
    pub hold: Hold,
    /// Bodies of known length up to this many bytes are judged whole before the head leaves.
    pub buffer_bytes: usize,
    /// The key of the fingerprints, so that equal secrets can be told apart without being stored.
    pub fingerprint_key: [u8; 32],
}

impl Config {
    /// The same where it is wanted, and else one that looks for nothing.
    #[must_use]
    pub fn where_wanted(self, is_wanted: bool) -> Self {
        match is_wanted {
            true => self,
            false => Self {
                actions: BTreeMap::new(),
                custom: Vec::new(),
                listed: Vec::new(),
                ..self
            },
        }
    }
}

/// Which way is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directions {
    /// What the agent answers.
    pub answers: bool,
    /// What callers send.
    pub requests: bool,
}

impl Default for Directions {
    /// Answers alone: what leaves the agent is what it may leak.
    fn default() -> Self {
        Self {
            answers: true,
            requests: false,
        }
    }
}

/// How much may be held back, and what happens at the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Bytes of decoded text that a channel may hold.
    pub bytes: usize,
    /// How long they may wait.
    pub time: Duration,
    /// What happens then.
    pub at_bound: AtBound,
}

/// What happens when a live candidate reaches the bound of the hold-back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtBound {
    /// The answer ends.
    Block,
    /// The held bytes leave, and a finding says so.
    Release,
}

impl Default for Hold {
    /// 4 KiB holds every prefixed credential whole; 10 s is longer than any model pauses inside a word.
    fn default() -> Self {
        Self {
            bytes: 4096,
            time: Duration::from_secs(10),
            at_bound: AtBound::Block,
        }
    }
}
