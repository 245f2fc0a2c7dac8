//! What the whole program does with an agent that fails, is busy, or is asked to wait.

#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use support::client::message;
use support::http1::Wire;
use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream, json as answer};
use support::{eventually, within};

mod support;

fn finished() -> Value {
    json!({"jsonrpc": "2.0", "id": "r1", "result": {"task": {
        "id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"}
    }}})
}

/// Whether somebody asks `/readyz` and hears this of the agent.
async fn told(lictor: &Lictor, status: &str) {
    eventually(&format!("the agent to be {status}"), async || {
        let report = lictor.ready().await;
        assert_eq!(report.status(), 200, "{}", report.text());
        (report.json()["controls"]["agent"]["status"] == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_is_gone_is_named_at_once_and_found_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let lictor = Setup::new(address)
        .upstream("ejection: { connectFailures: 2, time: 1s }")
        .start()
        .await;
    let mut client = lictor.client().await;
    let mut waits = Vec::new();
    for _ in 0..3 {
        let got = client.call("SendMessage", &message("hi")).await;
        assert_eq!(got.status(), 503, "{}", got.text());
        assert_eq!(got.json()["error"]["code"], -31014, "{}", got.text());
        waits.push(got.field("retry-after").map(str::to_owned));
    }
    assert_eq!(waits, [None, None, Some("1".to_owned())]);
    told(&lictor, "degraded").await;
    eventually("the metrics", async || {
        let of_agent =
            |name: &str| format!("lictor_upstream_{name}{{port=\"{}\"}}", address.port());
        let down = lictor.metric(&of_agent("available")).await? == 0.0;
        let once = lictor.metric(&of_agent("ejections_total")).await? == 1.0;
        (down && once).then_some(())
    })
    .await;

    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut wire = Wire::new(stream);
                while let Ok(Some(_)) = wire.request().await {
                    let answered = wire.send(answer(&finished()).as_bytes()).await;
                    if answered.is_err() {
                        return;
                    }
                }
            });
        }
    });
    eventually("an answer", async || {
        let got = client.call("SendMessage", &message("hi")).await;
        (got.status() == 200).then_some(())
    })
    .await;
    told(&lictor, "ready").await;
}

#[tokio::test]
async fn an_agent_that_says_it_is_not_well_is_not_called() {
    let upstream = Upstream::scripted(|request| {
        let sick = "HTTP/1.1 500 Sick\r\ncontent-length: 0\r\n\r\n";
        vec![match request.target() {
            "/health" => Step::text(sick),
            _ => Step::text(answer(&finished())),
        }]
    })
    .await;
    let lictor = Setup::new(upstream.address)
        .upstream("health: { path: /health, every: 1s, unhealthy: 1 }")
        .start()
        .await;
    told(&lictor, "degraded").await;
    let mut client = lictor.client().await;
    let got = client.call("SendMessage", &message("hi")).await;
    assert_eq!(got.status(), 503, "{}", got.text());
    let others = upstream.requests();
    assert!(others.iter().all(|request| request.target() == "/health"));
}

#[tokio::test]
async fn past_its_exchanges_there_is_an_answer_and_the_others_are_served() {
    let upstream = Upstream::scripted(|request| match request.target() {
        "/slow" => vec![
            Step::Pause(Duration::from_secs(3)),
            Step::text(answer(&finished())),
        ],
        _ => vec![Step::text(answer(&finished()))],
    })
    .await;
    let lictor = Setup::new(upstream.address)
        .upstream("pool: { exchanges: 2, pending: 1, connect: 200ms }")
        .start()
        .await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut client = lictor.client().await;
        slow.push(tokio::spawn(
            async move { client.get("/slow").await.status() },
        ));
    }
    eventually("both to be with the agent", async || {
        (upstream.requests().len() == 2).then_some(())
    })
    .await;
    let mut client = lictor.client().await;
    let got = client.get("/").await;
    assert_eq!((got.status(), got.field("retry-after")), (503, Some("1")));
    assert!(got.text().contains("OVERLOADED"), "{}", got.text());
    for slow in slow {
        assert_eq!(within("the slow ones", slow).await.unwrap(), 200);
    }
    assert_eq!(client.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_caller_that_waits_to_be_told_is_told_and_the_agent_gets_the_body_at_once() {
    let upstream = Upstream::json(finished()).await;
    let lictor = Setup::new(upstream.address).start().await;
    let mut client = lictor.client().await;
    let head = b"PUT /file HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    client.wire.send(head).await.unwrap();
    let told = within("to be told", client.wire.raw()).await.unwrap();
    assert_eq!(told.unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    let got = client.exchange("PUT", b"body").await;
    assert_eq!(got.status(), 200, "{}", got.text());
    let requests = upstream.requests();
    assert_eq!(requests[0].body, b"body");
    assert_eq!(requests[0].field("expect"), None);
}
