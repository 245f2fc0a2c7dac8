//! What the room is told.

use std::path::{Path, PathBuf};

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file of JSON lines; `-` is standard output.
    pub path: PathBuf,
    /// Records that may be open or wait for the writer. A call holds its place from its beginning
    /// until its record is written, so this is also the number of calls in flight that can be recorded.
    pub queue: usize,
    /// What happens to calls when no more can wait or the file cannot be written.
    pub on_full: OnFull,
}

impl Config {
    /// Whether records go to standard output.
    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }
}

/// Whether records hold what decisions are made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Capture {
    /// The values that conditions read.
    Decision,
    /// They do not.
    #[default]
    Off,
}

/// Which calls have a record in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Decisions {
    /// All.
    #[default]
    All,
    /// Those that are not plain: refused, cut short, changed, or decided otherwise by what only watches.
    NotPlain,
    /// Those, and this share of the plain ones, between 0 and 1.
    Sample(f64),
}

/// What happens to calls that cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// They are refused.
    Deny,
    /// They pass, and the loss is counted.
    Drop,
}
