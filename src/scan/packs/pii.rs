//! Personal data.

use super::super::matcher::kind::{Check, Kind, Left, Shape};
use crate::model::Severity;

pub(super) static KINDS: [Kind; 2] = [
    Kind {
        name: "pii.email",
        mark: "[redacted:pii.email]",
        description: "e-mail address, outside of the domains that are kept for documentation",
        severity: Severity::Medium,
        anchors: &[],
        left: Left::Any,
        shape: Shape::Email,
        check: Check::None,
    },
    Kind {
        name: "pii.iban",
        mark: "[redacted:pii.iban]",
        description: "international bank account number: length of its country, remainder by 97 (ISO 13616)",
        severity: Severity::High,
        anchors: &[
            "AD", "AE", "AL", "AT", "AZ", "BA", "BE", "BG", "BH", "BR", "BY", "CH", "CR", "CY",
            "CZ", "DE", "DJ", "DK", "DO", "EE", "EG", "ES", "FI", "FK", "FO", "FR", "GB", "GE",
            "GI", "GL", "GR", "GT", "HR", "HU", "IE", "IL", "IQ", "IS", "IT", "JO", "KW", "KZ",
            "LB", "LC", "LI", "LT", "LU", "LV", "LY", "MC", "MD", "ME", "MK", "MN", "MR", "MT",
            "MU", "NI", "NL", "NO", "OM", "PK", "PL", "PS", "PT", "QA", "RO", "RS", "RU", "SA",
            "SC", "SD", "SE", "SI", "SK", "SM", "SO", "ST", "SV", "TL", "TN", "TR",
        ],
        left: Left::WordStart,
        shape: Shape::Iban,
        check: Check::None,
    },
];
