//! What a call was admitted with, and what it has used of it.

use http::StatusCode;

use crate::clock;
use crate::model::TokenUse;
use crate::protocol::{Carrier, Usage};
use crate::quota::{Admission, Places};

/// An admission whose tokens are settled when this is dropped, however the answer ends.
///
/// An answer that tells its usage counts as it tells, one that does not as it was estimated, one that is an error not at all, and
/// one that did not get to its end as what had come of it.
pub(super) struct Metered {
    admission: Admission,
    usage: Option<Usage>,
    is_error: bool,
    is_complete: bool,
    bytes: u64,
}

impl Metered {
    /// Of an answer with this status.
    pub(super) fn new(admission: Admission, status: StatusCode) -> Self {
        Self {
            admission,
            usage: None,
            is_error: status.is_client_error() || status.is_server_error(),
            is_complete: false,
            bytes: 0,
        }
    }

    pub(super) const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The answer has this content type: its usage is read out of it, if it matters.
    pub(super) fn expect(&mut self, content_type: Option<&str>) {
        if self.admission.is_metered() {
            let carrier = content_type.and_then(Carrier::from_content_type);
            self.usage = carrier.and_then(Usage::new);
        }
    }

    /// Whether anything is read out of the answer.
    pub(super) const fn reads(&self) -> bool {
        self.usage.is_some()
    }

    /// Some of the answer, as the agent means it.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if let Some(usage) = &mut self.usage {
            usage.feed(bytes);
        }
    }

    /// The agent has said all.
    pub(super) const fn complete(&mut self) {
        self.is_complete = true;
    }

    /// The places for the task that the call may begin.
    pub(super) fn take_places(&mut self) -> Places {
        self.admission.take_places()
    }

    fn used(&self) -> Option<TokenUse> {
        let told = self.usage.as_ref().and_then(Usage::tokens);
        match (self.is_error, self.is_complete) {
            (true, _) => Some(told.unwrap_or_default()),
            (false, true) => told,
            (false, false) => Some(self.admission.tokens().broken_off(self.bytes, told)),
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.admission.is_metered()
            && let Some(used) = self.used()
        {
            self.admission.settle(used, clock::now());
        }
    }
}
