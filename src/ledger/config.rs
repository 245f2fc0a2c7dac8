//! What the room is told.

use std::time::Duration;

/// The bounds of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many tasks and contexts are remembered, together.
    pub entries: usize,
    /// How many of them one tenant may hold, so that none can take the memory of all.
    pub per_tenant: usize,
    /// How long an entry is remembered after its last use.
    pub ttl: Duration,
}

impl Default for Config {
    /// Arbitrary but bounded: 100 000 entries of UUIDs take some 40 MB with their owners (estimated, not
    /// measured); a day is longer than tasks live in the field.
    fn default() -> Self {
        Self {
            entries: 100_000,
            per_tenant: 50_000,
            ttl: Duration::from_hours(24),
        }
    }
}
