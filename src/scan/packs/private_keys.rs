//! Private keys, whole.

use super::super::matcher::Set;
use super::super::matcher::kind::{Check, Kind, Left, Shape, Step};
use crate::model::Severity;

pub(super) static KINDS: [Kind; 2] = [
    Kind {
        name: "private-keys.encoded-pem",
        mark: "[redacted:private-keys.encoded-pem]",
        description: "PEM private key in base64 once more, as in a kubeconfig",
        severity: Severity::Critical,
        // `-----BEGIN ` and the first letters of `PRIVATE`, `RSA P`, `EC PRIV`, `OPENSSH`, `ENCRYPTED`. The last
        // letters before a seam of three bytes are not fixed, so the anchors stop short of it.
        anchors: &[
            "LS0tLS1CRUdJTiBQUklWQVRF",
            "LS0tLS1CRUdJTiBSU0EgUFJJ",
            "LS0tLS1CRUdJTiBFQyBQUklW",
            "LS0tLS1CRUdJTiBPUEVOU1NI",
            "LS0tLS1CRUdJTiBFTkNSWVBU",
        ],
        left: Left::WordStart,
        shape: Shape::Token(&[Step::Open(Set::BASE64, 40)], Set::WORD),
        check: Check::None,
    },
    Kind {
        name: "private-keys.pem",
        mark: "[redacted:private-keys.pem]",
        description: "PEM private key: PKCS#1, PKCS#8, SEC1, OpenSSH, OpenPGP; also with escaped line ends",
        severity: Severity::Critical,
        anchors: &["-----BEGIN "],
        left: Left::Any,
        shape: Shape::Pem,
        check: Check::None,
    },
];
