//! What the fuzzer calls: the same body in two cuttings.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::model::{Finding, LeakAction};

use super::{Blocked, Carrier, Config, Detectors, Hold, Reply, Scan, sample};

const ACTIONS: [LeakAction; 3] = [LeakAction::Flag, LeakAction::Redact, LeakAction::Block];
fn carriers() -> [Carrier; 5] {
    [
        Carrier::Json,
        Carrier::Sse,
        Carrier::Text,
        Carrier::Grpc(Reply::Unknown),
        Carrier::of(Some("multipart/mixed; boundary=b")),
    ]
}
/// What the first control characters stand for.
const SAMPLES: [&str; 6] = [
    "credentials.github-pat",
    "credentials.jwt",
    "private-keys.pem",
    "cards.number",
    "pii.email",
    "pii.iban",
];

/// Scans a body whole and in pieces. The first byte says of what kind it is and what is done with
/// findings, the second how it is cut; control characters stand for samples of secrets.
///
/// # Panics
/// When a cutting makes a difference, or a body without a finding is changed.
pub fn fuzz_chunking(data: &[u8]) {
    let Some((&[kind, seed], body)) = data.split_first_chunk::<2>() else {
        return;
    };
    let carriers = carriers();
    let choose = |of: usize, by: u8| usize::from(by) % of;
    let (Some(carrier), Some(detectors)) = (
        carriers.get(choose(carriers.len(), kind)),
        fuzz_detectors().get(choose(ACTIONS.len(), kind / 4)),
    ) else {
        return;
    };
    let body = fuzz_plant(body);
    let whole = scan(detectors, *carrier, &body, usize::MAX);
    let pieces = scan(detectors, *carrier, &body, usize::from(seed % 16) + 1);
    if matches!(whole.2, Err(Blocked::Finding { .. })) && *carrier != Carrier::Sse {
        // How much of what is clean has left by then is a matter of time.
        assert!(body.starts_with(&whole.0) && body.starts_with(&pieces.0));
    } else {
        assert_eq!(
            String::from_utf8_lossy(&whole.0),
            String::from_utf8_lossy(&pieces.0)
        );
    }
    assert_eq!(whole.1, pieces.1);
    assert_eq!(whole.2, pieces.2);
    if whole.1.is_empty() && whole.2.is_ok() {
        assert_eq!(whole.0, body);
    }
}

/// The same bytes with a sample of a secret for each of the first control characters.
pub fn fuzz_plant(body: &[u8]) -> Vec<u8> {
    let mut planted = Vec::with_capacity(body.len());
    for byte in body {
        let of = usize::from(*byte).checked_sub(1);
        match of.and_then(|of| SAMPLES.get(of)) {
            Some(name) => planted.extend(sample(name, 1).unwrap_or_default().bytes()),
            None => planted.push(*byte),
        }
    }
    planted
}

/// All detectors, for each of the actions that make a difference.
pub fn fuzz_detectors() -> &'static [Arc<Detectors>] {
    static ALL: OnceLock<Vec<Arc<Detectors>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let compile = |action: LeakAction| {
            let actions =
                ["cards", "credentials", "pii", "private-keys"].map(|pack| (pack, action));
            Detectors::compile(&Config {
                actions: BTreeMap::from(actions.map(|(name, action)| (Box::from(name), action))),
                custom: Vec::new(),
                listed: Vec::new(),
                exceptions: Vec::new(),
                hold: Hold::default(),
                buffer_bytes: 1 << 20,
                fingerprint_key: [7; 32],
            })
        };
        let compiled = ACTIONS.into_iter().map(compile);
        compiled.flatten().map(Arc::new).collect()
    })
}

type Out = (Vec<u8>, Vec<Finding>, Result<(), Blocked>);

fn scan(detectors: &Arc<Detectors>, carrier: Carrier, body: &[u8], most: usize) -> Out {
    let mut scan = Scan::new(Arc::clone(detectors), carrier);
    let mut released = VecDeque::new();
    let mut outcome = Ok(());
    for piece in body.chunks(most.min(body.len().max(1))) {
        outcome = scan.feed(Bytes::copy_from_slice(piece), &mut released);
        if outcome.is_err() {
            break;
        }
    }
    let outcome = outcome.and_then(|()| scan.finish(&mut released));
    let mut findings = scan.take_findings();
    // A flag waits for nothing, so in which order two of them are told of is a matter of the cutting.
    findings.sort_by_key(|finding| (finding.offset, finding.detector));
    let bytes = released.into_iter().flatten().collect();
    (bytes, findings, outcome)
}
