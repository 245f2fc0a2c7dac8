//! What a hostile caller does over time in HTTP/2. What it sends frame by frame is in `tests/data/wire`.

#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};

use support::frames::{CONTINUATION, END_STREAM, Frames, GET, GOAWAY, HEADERS, RST_STREAM, block};
use support::lictor::{Lictor, Setup};
use support::tls::Certificates;
use support::upstream::{Step, Upstream};
use support::{eventually, within};

mod support;

async fn pair(upstream: &Upstream, config: &str) -> (Lictor, Certificates) {
    let setup = Setup::new(upstream.address);
    let certificates = Certificates::generate(setup.home());
    let setup = if config.is_empty() {
        setup
    } else {
        setup.config(config)
    };
    let setup = setup
        .flag("--tls-cert", &certificates.certificate)
        .flag("--tls-key", &certificates.key);
    (setup.start().await, certificates)
}

async fn records(lictor: &Lictor, count: usize) -> Vec<Value> {
    eventually(&format!("{count} audit records"), async || {
        let records = lictor.audit();
        (records.len() >= count).then_some(records)
    })
    .await
}

#[tokio::test]
async fn a_flood_ends_its_own_connection_and_nobody_elses() {
    let upstream = Upstream::scripted(|_| vec![Step::Pause(Duration::from_secs(5))]).await;
    let (lictor, certificates) = pair(&upstream, "").await;
    let huge = "a".repeat(16_000);
    let floods: [&str; 3] = ["resets", "continuations", "list"];
    for flood in floods {
        let mut frames = Frames::connect(lictor.public, &certificates, &[]).await;
        let ended = within(flood, async {
            for index in 0..3000_u32 {
                let stream = index * 2 + 1;
                let sent = match flood {
                    "resets" => {
                        let asked = frames.ask(stream, &GET).await;
                        asked.and(
                            frames
                                .send(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
                                .await,
                        )
                    }
                    "continuations" if index == 0 => {
                        frames.send(HEADERS, END_STREAM, 1, &block(&GET)).await
                    }
                    "continuations" => {
                        frames
                            .send(CONTINUATION, 0, 1, &block(&[("x", &huge)]))
                            .await
                    }
                    _ if index == 0 => {
                        frames
                            .ask(
                                1,
                                &[&GET[..], &[("x", &huge), ("y", &huge), ("z", &huge)]].concat(),
                            )
                            .await
                    }
                    _ => Ok(()),
                };
                if sent.is_err() {
                    break;
                }
            }
            while let Some(frame) = frames.next().await {
                if frame.kind == GOAWAY || frame.stream == 1 {
                    return true;
                }
            }
            true
        });
        assert!(ended.await, "{flood}");
    }
    assert_eq!(lictor.ready().await.status(), 200);
    eventually("no call in flight", async || {
        (lictor.metric("lictor_requests_in_flight").await == Some(0.0)).then_some(())
    })
    .await;
    let all = lictor.audit();
    let mut ids: Vec<_> = all
        .iter()
        .map(|record| record["decisionId"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "one record for each call");
}

#[tokio::test]
async fn a_peer_that_opens_no_window_is_let_go() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let upstream = Upstream::json(json!({"fine": true})).await;
    let soon = "listeners: { public: { deadlines: { writeStall: 1s } } }";
    let (lictor, certificates) = pair(&upstream, soon).await;
    let mut frames =
        Frames::connect(lictor.public, &certificates, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    for stream in [1, 3, 5] {
        frames.ask(stream, &GET).await.unwrap();
    }
    let gone = async { while frames.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("the connection ends");
    assert_eq!(records(&lictor, 3).await.len(), 3);
}
