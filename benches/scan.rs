//! How fast a body passes the scan: MB/s and, for event streams, events/s.
//!
//! `cargo bench --bench scan` prints one line for each kind of body, with all packs on and with
//! credentials only. A word after `--` picks the bodies whose name holds it.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
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
use lictor::scan::{Carrier, Config, Detectors, Hold, Scan};

/// What a socket gives at once.
const PIECE: usize = 16 * 1024;
const ROUND: Duration = Duration::from_millis(700);

struct Body {
    name: &'static str,
    carrier: Carrier,
    bytes: Bytes,
    events: usize,
}

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let all = detectors(&["cards", "credentials", "pii", "private-keys"]);
    let credentials = detectors(&["credentials"]);
    for body in bodies() {
        if wanted
            .as_ref()
            .is_some_and(|wanted| !body.name.contains(wanted.as_str()))
        {
            continue;
        }
        for (packs, detectors) in [("all packs", &all), ("credentials", &credentials)] {
            let (rounds, time) = measure(detectors, &body);
            let megabytes = (body.bytes.len() * rounds) as f64 / 1e6 / time.as_secs_f64();
            print!("{:<28} {packs:<12} {megabytes:>8.1} MB/s", body.name);
            if body.events > 0 {
                let events = (body.events * rounds) as f64 / time.as_secs_f64();
                print!(" {events:>10.0} events/s");
            }
            println!();
        }
    }
}

fn detectors(packs: &[&str]) -> Arc<Detectors> {
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

fn measure(detectors: &Arc<Detectors>, body: &Body) -> (usize, Duration) {
    let mut released = VecDeque::new();
    let began = Instant::now();
    let mut rounds = 0;
    while began.elapsed() < ROUND {
        let mut scan = Scan::new(Arc::clone(detectors), body.carrier);
        let mut rest = body.bytes.clone();
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE));
            scan.feed(piece, &mut released).unwrap();
            black_box(released.drain(..).count());
        }
        scan.finish(&mut released).unwrap();
        black_box(released.drain(..).count());
        assert!(!scan.changed());
        rounds += 1;
    }
    (rounds, began.elapsed())
}

const PROSE: &str = "The quarterly report was finished on 14 March 2026, four days late. Revenue rose by 3.4 % to \
    12,840 thousand, mostly in the north; costs were flat. See section 7 (page 112) for the method, \
    or run `make report` in the tools directory. Nobody has checked the figures for branch 4711 yet. ";

fn bodies() -> Vec<Body> {
    let prose = PROSE.repeat(4096);
    let long = format!(
        "{{\"id\":\"t1\",\"artifacts\":[{{\"artifactId\":\"a\",\"parts\":[{}]}}]}}",
        vec![format!("{{\"text\":\"{}\"}}", PROSE.repeat(16)); 200].join(",")
    );
    let row = "{\"id\":81723,\"name\":\"north branch\",\"open\":true,\"tags\":[\"a\",\"bulk\",\"late\"],\"since\":\"2026-03-14\",\"sum\":12840.75,\"note\":null}";
    let small = format!("[{}]", vec![row; 8000].join(",\n"));
    let words: Vec<&str> = PROSE.split_inclusive(' ').collect();
    let count = 8000;
    let deltas: String = (0..count)
        .map(|at| {
            format!(
                "data: {{\"jsonrpc\":\"2.0\",\"id\":\"r1\",\"result\":{{\"artifactUpdate\":{{\"taskId\":\"8f14e45f-ceea-467f-a0e6-5d6f0c4f8a11\",\"contextId\":\"c9f0f895-fb98-4b91-92cd-3f1e5ad2b7d0\",\"artifact\":{{\"artifactId\":\"a1\",\"parts\":[{{\"text\":\"{}\"}}]}},\"append\":{}}}}}}}\n\n",
                words[at % words.len()],
                at > 0
            )
        })
        .collect();
    let chat: String = (0..count)
        .map(|at| {
            format!(
                "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1795181975,\"model\":\"lab-model\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n",
                words[at % words.len()]
            )
        })
        .collect();
    let body = |name, carrier, text: String, events| Body {
        name,
        carrier,
        bytes: Bytes::from(text),
        events,
    };
    vec![
        body("prose", Carrier::Text, prose, 0),
        body("json, long strings", Carrier::Json, long, 0),
        body("json, many small strings", Carrier::Json, small, 0),
        body("sse, a2a artifact deltas", Carrier::Sse, deltas, count),
        body("sse, chat deltas", Carrier::Sse, chat, count),
    ]
}
