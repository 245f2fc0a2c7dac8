//! What whoever holds the token may ask and order.

use http::StatusCode;
use serde_json::Value;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// How the trial of a candidate goes.
    Candidate,
    /// To end the trial.
    DropCandidate,
    /// Which policies are in force, and how the last attempt to change them went.
    Policies,
    /// To put what is on trial in force.
    PromoteCandidate,
    /// To read the policies now.
    Reload,
    /// To give back what was revoked by hand under this name.
    Restore(&'a str),
    /// To revoke what this form says.
    Revoke(&'a [u8]),
    /// What is revoked.
    Revocations,
    /// To put the policies that this form names on trial.
    TryCandidate(&'a [u8]),
}

/// The answer.
#[derive(Debug)]
pub struct Told {
    /// How it went.
    pub status: StatusCode,
    /// What there is to say, as JSON.
    pub body: Value,
}

/// Answers them. What it does may take seconds and may block.
pub trait Desk: Send + Sync + 'static {
    /// Does what is asked.
    fn answer(&self, asked: Asked<'_>) -> Told;
}
