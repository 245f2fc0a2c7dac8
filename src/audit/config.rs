//! What the room is told.

use std::path::PathBuf;

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file of JSON lines.
    pub path: PathBuf,
    /// Records that may wait for the writer.
    pub queue: usize,
    /// What happens to calls when no more can wait or the file cannot be written.
    pub on_full: OnFull,
}

/// What happens to calls that cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// They are refused.
    Deny,
    /// They pass, and the loss is counted.
    Drop,
}
