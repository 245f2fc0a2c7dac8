//! `audit`: what records hold besides what they always hold.

use super::{Draft, set};
use crate::audit::Capture;
use crate::config::decode::{Fields, word};
use crate::config::diagnostic::Diagnostics;
use crate::config::language::policy::{AUDIT, CAPTURE};
use crate::config::source::Span;
use crate::config::tree::Entry;

/// `audit` as it is written.
#[derive(Default)]
pub(super) struct RawAudit {
    capture: Option<(Span, Capture)>,
}

impl RawAudit {
    pub(super) fn capture(&self) -> Capture {
        self.capture.map(|(_, capture)| capture).unwrap_or_default()
    }
}

impl Draft {
    pub(super) fn read_audit(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&AUDIT, &section.value, "`audit`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        if let Some(entry) = fields.take("capture") {
            let words = [("off", Capture::Off), ("decision", Capture::Decision)];
            let capture = word(&entry.value, "`capture`", CAPTURE, &words, report);
            set(&mut self.audit.capture, entry, capture, report);
        }
        fields.finish(report);
    }
}
