//! What whoever holds the admin token may ask and order of the policies.

use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::{Asked, Desk, Told};

use super::reload::Reloader;
use super::revocations::{DeskError, RevocationDesk};
use super::trial::TrialError;

/// Behind `/v1/` of the admin port.
pub(super) struct PolicyDesk {
    pub(super) reloader: Arc<Reloader>,
    pub(super) revocations: Arc<RevocationDesk>,
}

impl Desk for PolicyDesk {
    fn answer(&self, asked: Asked<'_>) -> Told {
        match asked {
            Asked::Candidate => self.tried(StatusCode::OK, Ok(())),
            Asked::DropCandidate => match self.reloader.drop_trial() {
                Ok(()) => told(StatusCode::OK, json!({ "dropped": true })),
                Err(error) => refused(&error),
            },
            Asked::PromoteCandidate => match self.reloader.promote() {
                Ok(()) => told(StatusCode::OK, self.reloader.report()),
                Err(error) => refused(&error),
            },
            Asked::TryCandidate(form) => {
                let tried = candidate(form).and_then(|path| self.reloader.try_out(path));
                self.tried(StatusCode::CREATED, tried)
            }
            Asked::Policies => told(StatusCode::OK, self.reloader.report()),
            Asked::Reload => {
                self.reloader.reload("admin", None);
                told(StatusCode::OK, self.reloader.report())
            }
            Asked::Restore(name) => self.changed(StatusCode::OK, self.revocations.restore(name)),
            Asked::Revoke(form) => self.changed(StatusCode::CREATED, self.revocations.revoke(form)),
            Asked::Revocations => told(StatusCode::OK, self.revocations.report()),
        }
    }
}

impl PolicyDesk {
    fn tried(&self, status: StatusCode, result: Result<(), TrialError>) -> Told {
        match result.and_then(|()| self.reloader.trial_report()) {
            Ok(report) => told(status, report),
            Err(error) => refused(&error),
        }
    }

    fn changed(&self, status: StatusCode, result: Result<(), DeskError>) -> Told {
        match result {
            Ok(()) => told(status, self.revocations.report()),
            Err(error) => {
                let status = match &error {
                    DeskError::Form(_) => StatusCode::BAD_REQUEST,
                    DeskError::OfPolicy(_) | DeskError::Taken(_) => StatusCode::CONFLICT,
                    DeskError::Unkept(_) => StatusCode::INTERNAL_SERVER_ERROR,
                    DeskError::Unknown(_) => StatusCode::NOT_FOUND,
                };
                told(status, json!({ "error": error.to_string() }))
            }
        }
    }
}

/// A form such as `{"path": "/etc/lictor/candidate"}`.
fn candidate(form: &[u8]) -> Result<PathBuf, TrialError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        path: PathBuf,
    }
    let form: Form = serde_json::from_slice(form).map_err(|error| {
        let wanted = r#"write e.g. {"path": "/etc/lictor/candidate"}"#;
        TrialError::Form(format!("the body names no candidate: {error}; {wanted}"))
    })?;
    Ok(form.path)
}

fn refused(error: &TrialError) -> Told {
    let status = match error {
        TrialError::Diagnostics(_) | TrialError::Form(_) | TrialError::Tests(_) => {
            StatusCode::BAD_REQUEST
        }
        TrialError::Changed(_)
        | TrialError::Install { .. }
        | TrialError::Linked(_)
        | TrialError::Same
        | TrialError::Unlike => StatusCode::CONFLICT,
        TrialError::NoTrial => StatusCode::NOT_FOUND,
    };
    told(status, json!({ "error": error.to_string() }))
}

const fn told(status: StatusCode, body: Value) -> Told {
    Told { status, body }
}
