//! Why the Workload API gives nothing.

use std::error::Error;
use std::io;

use spiffe::transport::TransportError;

/// Why the Workload API gives nothing. The texts go on where "the Workload API" stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadApiError {
    /// It closed the connection.
    #[error("has ended the connection")]
    Ended,
    /// It answers with an error that is not about us.
    #[error("answers `{0}`")]
    Failed(Box<str>),
    /// It knows nothing of this process.
    #[error("has no identity for this process (`{0}`); is the workload registered?")]
    Refused(Box<str>),
    /// A connection, and nothing on it.
    #[error("does not answer")]
    Silent,
    /// No connection.
    #[error(
        "cannot be reached ({0}); does the agent that provides it run, and is its socket mounted here?"
    )]
    Unreachable(Box<str>),
    /// The answer cannot be understood, or does not belong together.
    #[error("handed out what cannot be used: {0}")]
    Unusable(Box<str>),
}

impl From<spiffe::WorkloadApiError> for WorkloadApiError {
    fn from(error: spiffe::WorkloadApiError) -> Self {
        match error {
            spiffe::WorkloadApiError::EmptyResponse => Self::Ended,
            spiffe::WorkloadApiError::NoIdentityIssued => {
                Self::Refused("no identity issued".into())
            }
            spiffe::WorkloadApiError::PermissionDenied(said) => Self::Refused(short(&said)),
            spiffe::WorkloadApiError::Transport(TransportError::Status(status)) => {
                // A connection that breaks is told as a status, too.
                match io_error(&status) {
                    Some(_) => Self::Ended,
                    None => {
                        Self::Failed(short(&format!("{}: {}", status.code(), status.message())))
                    }
                }
            }
            spiffe::WorkloadApiError::Transport(error) => {
                Self::Unreachable(match io_error(&error) {
                    Some(error) => error.to_string().into(),
                    None => short(&error.to_string()),
                })
            }
            // The rest is about what stands in an answer; the texts name fields and quote no values.
            error => Self::Unusable(short(&error.to_string())),
        }
    }
}

/// What the system said, if it is to blame.
fn io_error<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// As much of a foreign text as a line of the log is for.
fn short(text: &str) -> Box<str> {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(MOST_CHARS).collect()
}

const MOST_CHARS: usize = 200;
