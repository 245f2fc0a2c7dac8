//! What can be wrong with the journal.

use std::io;
use std::path::PathBuf;

/// Why the journal cannot be used. Without it tasks would be nobody's, so that lictor does not start.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line in it is none of ours.
    #[error("line {line} of `{}` is no line of a ledger; mend it, or move the file away: then tasks and sessions from before are nobody's", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// It is another file, or one of a later lictor.
    #[error("`{}` is no ledger that this lictor can read; move it away: then tasks and sessions from before are nobody's", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes it: two would tear each other's lines.
    #[error("the ledger `{}` is in use by another process; give each lictor a `stateDir` of its own", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened, read or written.
    #[error("cannot use the ledger `{}`; set `stateDir` to a folder that lictor may write", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives us no thread.
    #[error("cannot start the writer of the ledger")]
    Thread(#[source] io::Error),
}
