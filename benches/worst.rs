//! How fast the worst of bodies pass the scan, in MB/s: texts that are the beginning of something at each place, in pieces
//! of 8 bytes, of 64, and of what a socket gives at once.
//!
//! `cargo bench --bench worst` prints one line for each, the slowest last, and prose beside them. A word after `--` picks
//! those that hold it.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures and prints"
)]

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lictor::model::LeakAction;
use lictor::scan::{Carrier, Config, Detectors, Hold, Scan, WORST_UNITS};

const PIECES: [usize; 3] = [8, 64, 16 * 1024];
const BODY: usize = 256 * 1024;
const ROUND: Duration = Duration::from_millis(100);

const PROSE: &str = "The quarterly report was finished on 14 March 2026, four days late. Revenue rose by 3.4 % to \
    12,840 thousand, mostly in the north; costs were flat. See section 7 (page 112) for the method, \
    or run `make report` in the tools directory. Nobody has checked the figures for branch 4711 yet. ";

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let wanted = wanted.unwrap_or_default();
    let detectors = detectors();
    print_line("prose", &measure(&detectors, PROSE));
    let units = WORST_UNITS.iter().filter(|unit| unit.contains(&wanted));
    let mut lines: Vec<(&str, [f64; 3])> = units
        .map(|unit| (*unit, measure(&detectors, unit)))
        .collect();
    let slowest = |speeds: &[f64; 3]| speeds.iter().copied().fold(f64::MAX, f64::min);
    lines.sort_by(|(_, left), (_, right)| slowest(right).total_cmp(&slowest(left)));
    for (unit, speeds) in lines {
        print_line(&format!("{unit:?}"), &speeds);
    }
}

fn print_line(name: &str, speeds: &[f64; 3]) {
    print!("{name:<36}");
    for (piece, speed) in PIECES.iter().zip(speeds) {
        print!(" {piece:>6} B {speed:>8.1} MB/s");
    }
    println!();
}

fn detectors() -> Arc<Detectors> {
    let packs = ["cards", "credentials", "pii", "private-keys"];
    let actions: BTreeMap<Box<str>, LeakAction> = packs
        .iter()
        .map(|pack| (Box::from(*pack), LeakAction::Redact))
        .collect();
    let config = Config {
        actions,
        custom: Vec::new(),
        listed: Vec::new(),
        exceptions: Vec::new(),
        hold: Hold::default(),
        buffer_bytes: 1 << 20,
        fingerprint_key: [7; 32],
    };
    Arc::new(Detectors::compile(&config).unwrap())
}

/// The speed in pieces of each size. The best of some rounds: what else the machine does only ever slows one down.
fn measure(detectors: &Arc<Detectors>, unit: &str) -> [f64; 3] {
    let body = Bytes::from(unit.repeat(BODY / unit.len()));
    PIECES.map(|piece| {
        let began = Instant::now();
        let mut best = Duration::MAX;
        while began.elapsed() < ROUND {
            let round = Instant::now();
            pass(detectors, &body, piece);
            best = best.min(round.elapsed());
        }
        body.len() as f64 / 1e6 / best.as_secs_f64()
    })
}

fn pass(detectors: &Arc<Detectors>, body: &Bytes, piece: usize) {
    let mut released = VecDeque::new();
    let mut scan = Scan::new(Arc::clone(detectors), Carrier::Text);
    let mut rest = body.clone();
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(piece));
        scan.feed(piece, &mut released).unwrap();
        black_box(released.drain(..).count());
    }
    scan.finish(&mut released).unwrap();
    black_box(released.drain(..).count());
}
