//! What the conditions and the statements about tools of a policy read, so that nothing else of a call need be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::condition::{Attribute, Condition, Key, Path};

/// What some condition reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// The arguments of the call.
    pub args: bool,
    /// The outermost names of claims.
    pub claims: Vec<Box<str>>,
    /// Fields of the request's head, in lower case.
    pub headers: Vec<Box<str>>,
    /// What no audit record tells by itself, with its spelling and in the order of that: it has to be captured if the
    /// decision is to be made again.
    pub untold: Vec<(Path, Arc<str>)>,
    /// The tool that the request calls, and what it is given. No condition reads it: statements about tools do.
    pub tool: bool,
}

impl Reads {
    /// What either reads.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.args |= other.args;
        self.tool |= other.tool;
        for (mine, theirs) in [
            (&mut self.claims, &other.claims),
            (&mut self.headers, &other.headers),
        ] {
            mine.extend(theirs.iter().cloned());
            mine.sort();
            mine.dedup();
        }
        self.untold.extend(other.untold.iter().cloned());
        self.untold.sort_by(|(_, left), (_, right)| left.cmp(right));
        self.untold.dedup();
        self
    }

    /// The same, and all that has to be taken out of a call where `other` is recorded. That nobody decides by it stays so.
    #[must_use]
    pub fn needing(self, other: &Self) -> Self {
        let untold = self.untold.clone();
        Self {
            untold,
            ..self.and(other)
        }
    }

    /// What these conditions read.
    pub fn of<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Self {
        let mut reads = Self::default();
        let (mut claims, mut headers) = (BTreeSet::new(), BTreeSet::new());
        let mut untold = BTreeMap::new();
        for path in conditions.flat_map(Condition::reads) {
            match (path.attribute(), path.keys()) {
                (Attribute::Args, _) => reads.args = true,
                (Attribute::Claims, [Key::Name(name), ..]) => {
                    claims.insert(name.clone());
                }
                _ => headers.extend(path.header().map(Box::<str>::from)),
            }
            if !is_told(path.attribute()) {
                untold.insert(path.to_string(), path);
            }
        }
        reads.claims = claims.into_iter().collect();
        reads.headers = headers.into_iter().collect();
        reads.untold = untold
            .into_iter()
            .map(|(spelling, path)| (path.clone(), Arc::from(spelling)))
            .collect();
        reads
    }
}

/// Whether every audit record of a decision tells it, or what it is worked out of.
pub(super) const fn is_told(attribute: Attribute) -> bool {
    match attribute {
        Attribute::Action
        | Attribute::Agent
        | Attribute::CallerGroups
        | Attribute::CallerId
        | Attribute::CallerIdentity
        | Attribute::CallerRank
        | Attribute::CallerTenant
        | Attribute::Method
        | Attribute::Name
        | Attribute::Protocol
        | Attribute::RequestPath
        | Attribute::SourceIp => true,
        Attribute::ActorGroups
        | Attribute::ActorId
        | Attribute::ActorIdentity
        | Attribute::ActorTenant
        | Attribute::Args
        | Attribute::Claims
        | Attribute::FindingDetector
        | Attribute::FindingPath
        | Attribute::RequestHeader
        | Attribute::RequestSize
        | Attribute::TaskId
        | Attribute::TaskOwner
        | Attribute::TaskState
        | Attribute::Time => false,
    }
}
