//! What the conditions of a policy read, so that nothing else of a call need be kept.

use std::collections::BTreeSet;

use super::condition::{Attribute, Condition, Key};

/// What some condition reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// The arguments of the call.
    pub args: bool,
    /// The outermost names of claims.
    pub claims: Vec<Box<str>>,
    /// Fields of the request's head, in lower case.
    pub headers: Vec<Box<str>>,
}

impl Reads {
    /// What either reads.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.args |= other.args;
        for (mine, theirs) in [
            (&mut self.claims, &other.claims),
            (&mut self.headers, &other.headers),
        ] {
            mine.extend(theirs.iter().cloned());
            mine.sort();
            mine.dedup();
        }
        self
    }

    /// What these conditions read.
    pub fn of<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Self {
        let mut reads = Self::default();
        let (mut claims, mut headers) = (BTreeSet::new(), BTreeSet::new());
        for path in conditions.flat_map(Condition::reads) {
            match (path.attribute(), path.keys()) {
                (Attribute::Args, _) => reads.args = true,
                (Attribute::Claims, [Key::Name(name), ..]) => {
                    claims.insert(name.clone());
                }
                _ => headers.extend(path.header().map(Box::<str>::from)),
            }
        }
        reads.claims = claims.into_iter().collect();
        reads.headers = headers.into_iter().collect();
        reads
    }
}
