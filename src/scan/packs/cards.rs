//! Payment cards.

use super::super::matcher::kind::{Check, Kind, Left, Shape};
use crate::model::Severity;

/// Test numbers that are known to all are findings too: nobody but the operator can tell a test system.
pub(super) static KINDS: [Kind; 1] = [Kind {
    name: "cards.number",
    mark: "[redacted:cards.number]",
    description: "payment card number: issuer, length, grouping and check digit (ISO/IEC 7812)",
    severity: Severity::High,
    anchors: &[],
    left: Left::Any,
    shape: Shape::Card,
    check: Check::None,
}];
