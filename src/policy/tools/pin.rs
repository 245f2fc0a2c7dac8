//! What a tool must be described as: the beginning of the hash of its description.

use std::fmt;
use std::sync::Arc;

use super::{Meant, Tools};
use crate::model::{Mode, RuleRef};

/// The first digits of a SHA-256, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin(Box<str>);

/// A statement about the description of a tool.
#[derive(Debug)]
pub struct Pinned<'t> {
    /// The statement.
    pub rule: &'t Arc<RuleRef>,
    /// Whether it refuses.
    pub mode: Mode,
    /// What the description has to be; `None` where another spelling of the tool is named, whose description is not the one that
    /// was looked at.
    pub pin: Option<&'t Pin>,
}

impl Pin {
    /// Written in small hexadecimal digits.
    pub fn new(digits: &str) -> Self {
        Self(Box::from(digits))
    }

    /// Whether a description has this hash, which is written in small hexadecimal digits.
    pub fn is_of(&self, hash: &str) -> bool {
        hash.starts_with(&*self.0)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl Pinned<'_> {
    /// Whether this is the description that was looked at.
    pub fn is_of(&self, hash: &str) -> bool {
        self.pin.is_some_and(|pin| pin.is_of(hash))
    }
}

impl Tools {
    /// What is said of the description of the tool with this name.
    pub(in crate::policy) fn pin_of(&self, name: &str) -> Option<Pinned<'_>> {
        let tables = [
            (Mode::Enforce, &self.enforced),
            (Mode::Shadow, &self.shadow),
        ];
        tables.into_iter().find_map(|(mode, table)| {
            let (tool, is_spelled) = match table.find(name)? {
                Meant::Tool(tool) => (tool, true),
                Meant::Spelling(tool) => (tool, false),
            };
            let pin = tool.pin.as_ref()?;
            Some(Pinned {
                rule: &tool.rule,
                mode,
                pin: is_spelled.then_some(pin),
            })
        })
    }
}
