//! What is recorded beside calls: what became of that which judges them.

use std::sync::Arc;

use super::record::Generation;

/// Something that happened to the policies or the revocations in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The agent's card is another one.
    Card(CardNote),
    /// Policies were loaded, or could not be.
    Policies(PoliciesNote),
    /// Something was revoked, or is no more.
    Revocation(RevocationNote),
}

/// A card of the agent that is not what it was when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardNote {
    /// Where it lies, and for which version of A2A where that was asked for.
    pub path: Box<str>,
    /// What it hashes to: SHA-256 of its canonical form without signatures, in hex.
    pub digest: Box<str>,
    /// What it hashed to before.
    pub previous: Box<str>,
}

/// An attempt to load policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoliciesNote {
    /// What made us try: `start`, `change` or `signal`.
    pub cause: &'static str,
    /// What came of it.
    pub result: PoliciesResult,
    /// What is in force from now on.
    pub generation: Generation,
    /// What was in force before; `None` at the start.
    pub previous: Option<Generation>,
}

/// What an attempt to load policies came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoliciesResult {
    /// They are in force. By kind and name: what they say that the previous did not, and the other way round.
    Loaded {
        /// New statements.
        added: Vec<String>,
        /// Statements that are gone.
        removed: Vec<String>,
    },
    /// They are wrong; the previous ones stay.
    Refused {
        /// The beginning of the hash over them.
        attempted: Arc<str>,
        /// What is wrong, in a line.
        problem: Box<str>,
    },
    /// They are the ones that are in force already.
    Unchanged,
}

/// A change of what is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationNote {
    /// `revoked` or `restored`.
    pub event: &'static str,
    /// Its name.
    pub name: Arc<str>,
    /// Whom or what it is about.
    pub subject: Box<str>,
    /// Where it stands; `None` for one of the admin port.
    pub place: Option<Box<str>>,
}
