//! Why records cannot be written.

use std::io;
use std::path::PathBuf;

/// Why the audit trail could not be started. Without it lictor does not start either.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the file does not exist and cannot be made.
    #[error("cannot make the folder of the audit file `{}`; make it, or set `audit.sinks.file.path` to one that lictor may write", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file ends in something that is no audit record.
    #[error("`{}` does not end in an audit record, so it may be another file; set `audit.sinks.file.path` to a file of its own", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process appends to the file: two would tear each other's lines.
    #[error("the audit file `{}` is in use by another process; give each lictor a file of its own", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error("cannot append to the audit file `{}`; set `audit.sinks.file.path` to one that lictor may write", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives us no thread.
    #[error("cannot start the audit writer")]
    Thread(#[source] io::Error),
}

/// Records that were still open or unwritten when the process had to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{records} audit records could not be written before the deadline")]
pub struct Unwritten {
    /// How many.
    pub records: usize,
}
