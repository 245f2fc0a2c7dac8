//! What the whole program does before agents that are reached otherwise than by plain HTTP/1.1.

#![cfg(test)]

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tokio::net::{TcpListener, UnixListener};

use support::agent_h2::{Answer, Asked, serve};
use support::client::message;
use support::http1::Wire;
use support::lictor::{Lictor, Setup};
use support::tls::Certificates;
use support::{eventually, upstream};

mod support;

fn finished() -> Value {
    json!({"jsonrpc": "2.0", "id": "r1", "result": {"task": {
        "id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"}
    }}})
}

fn finished_over_http2(_: &Asked) -> Answer {
    let head = Response::builder().header("content-type", "application/json");
    Answer {
        head: head.body(()).unwrap(),
        body: vec![Bytes::from(finished().to_string())],
        trailers: None,
        stalls: false,
    }
}

async fn assert_answered(lictor: &Lictor) {
    for _ in 0..2 {
        let mut client = lictor.client().await;
        let got = client.call("SendMessage", &message("hi")).await;
        assert_eq!(
            (got.status(), got.json()),
            (200, finished()),
            "{}",
            lictor.log()
        );
    }
}

#[tokio::test]
async fn an_agent_over_http2_by_prior_knowledge() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::new(finished_over_http2)));
        }
    });
    let lictor = Setup::before(format!("h2c://{address}")).start().await;
    assert_answered(&lictor).await;
    lictor.terminate();
    let (status, log) = lictor.ended().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn an_agent_behind_tls_and_one_that_is_somebody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let files = Certificates::generate(folder.path());
    let acceptor = files.acceptor(b"h2");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, Arc::new(finished_over_http2)).await;
                }
            });
        }
    });
    let url = format!("https://localhost:{port}");
    let ca = files.ca.display();
    let lictor = Setup::before(url.clone())
        .upstream(format!("tls: {{ ca: \"{ca}\" }}"))
        .start()
        .await;
    assert_answered(&lictor).await;

    // Whoever trusts somebody else gets no answer, and never one in the clear.
    let folder = tempfile::tempdir().unwrap();
    let others = Certificates::generate(folder.path());
    let ca = others.ca.display();
    let lictor = Setup::before(url)
        .upstream(format!("tls: {{ ca: \"{ca}\" }}"))
        .start()
        .await;
    let mut client = lictor.client().await;
    let got = client.call("SendMessage", &message("hi")).await;
    assert_eq!(got.status(), 503, "{}", got.text());
    assert!(!got.text().contains("upstream.tls"), "{}", got.text());
    let record = eventually("an audit record", async || lictor.audit().pop()).await;
    let told = record.to_string();
    assert!(told.contains("upstream-unavailable"), "{told}");
    assert!(told.contains("upstream.tls.ca"), "{told}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = Certificates::generate(folder.path());
    let cases = [
        (
            "tls: { ca: missing.crt }".to_owned(),
            "missing.crt` does not exist",
        ),
        (
            format!("tls: {{ ca: \"{}\" }}", files.key.display()),
            "holds no certificate",
        ),
        (
            format!(
                "tls: {{ ca: \"{}\", cert: \"{}\", key: \"{}\" }}",
                files.ca.display(),
                files.ca.display(),
                files.key.display()
            ),
            "does not belong to the certificate",
        ),
    ];
    for (tls, expected) in cases {
        let setup = Setup::before("https://localhost:9".to_owned()).upstream(tls);
        let (status, log) = setup.fail().await;
        assert_eq!(status.code(), Some(3), "{log}");
        assert!(log.contains(expected), "{log}");
    }
}

#[tokio::test]
async fn an_agent_on_a_socket_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut wire = Wire::new(stream);
                while let Ok(Some(_)) = wire.request().await {
                    let answer = upstream::json(&finished());
                    if wire.send(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let lictor = Setup::before(format!("unix:{}", path.display()))
        .start()
        .await;
    assert_answered(&lictor).await;
    fs::remove_file(&path).unwrap();
}
