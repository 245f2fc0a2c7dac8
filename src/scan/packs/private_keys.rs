//! Private keys, whole.

use super::super::matcher::Set;
use super::super::matcher::kind::{Check, Kind, Left, Shape, Step};
use crate::model::Severity;

pub(super) static KINDS: [Kind; 4] = [
    Kind {
        name: "private-keys.der",
        mark: "[redacted:private-keys.der]",
        description: "private key in base64 without the lines of PEM around it: PKCS#1, PKCS#8, OpenSSH",
        severity: Severity::Critical,
        // What the encodings of the headers have in common: version and modulus of PKCS#1 with 2048 and 4096 bits, the names
        // of RSA, P-256 and Ed25519 in PKCS#8, the magic of OpenSSH.
        anchors: &[
            "IBAAKCAQEA",
            "IBAAKCAgEA",
            "IBADANBgkqhkiG9w0BAQEFAASC",
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
            "MC4CAQAwBQYDK2VwBCIEI",
            "b3BlbnNzaC1rZXktdjEAAAAA",
        ],
        left: Left::Any,
        shape: Shape::Token(&[Step::Open(Set::BASE64, 42)], Set::WORD),
        check: Check::Plausible(380),
    },
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
    Kind {
        name: "private-keys.putty",
        mark: "[redacted:private-keys.putty]",
        description: "private lines of a PuTTY key file",
        severity: Severity::Critical,
        anchors: &["Private-Lines: "],
        left: Left::WordStart,
        shape: Shape::Token(
            &[
                Step::Run(Set::DIGIT, 1, 3),
                Step::Literal(b"\n"),
                Step::Lines,
                Step::Literal(b"\nP"),
            ],
            // `Private-MAC` goes on.
            Set::TILDE,
        ),
        check: Check::Plausible(350),
    },
];
