//! Where something stands in a file that an author wrote.

use std::fmt;
use std::sync::Arc;

/// A place in a policy file, as authors and auditors read it: `policies/desk.yaml:14`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file's path as it was given on the command line or found below the policy folder.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A statement of the policy that decided something: its name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RuleRef {
    /// What the author called it, e.g. `analyst` (a role), `no-exports` (a rule), `fair-share` (a quota).
    pub name: Arc<str>,
    /// Where it stands. `None` for what is built in, such as the public agent card.
    pub place: Option<Place>,
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} ({place})", self.name),
            None => write!(f, "{} (built in)", self.name),
        }
    }
}
