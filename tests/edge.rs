//! The edge towards callers: what is spoken, who is believed, and what is answered past a bound.

#![cfg(test)]

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use support::client::Client;
use support::http2::{Http2, read};
use support::lictor::{Lictor, Setup};
use support::tls::Certificates;
use support::upstream::Upstream;
use support::{eventually, within};

mod support;

async fn fine() -> Upstream {
    Upstream::json(json!({"fine": true})).await
}

/// All that comes back for these bytes until the end of the connection.
async fn said(lictor: &Lictor, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(lictor.public).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _end = within("the end", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

// --- Versions --------------------------------------------------------------------------------

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn a_plain_port_tells_http_2_by_its_preface() {
    let upstream = fine().await;
    let lictor = Setup::new(upstream.address).start().await;
    let http2 = Http2::connect_plain(lictor.public).await;
    for _ in 0..2 {
        let got = http2.send(Method::GET, "/", Vec::new()).await;
        assert_eq!(got.status(), 200);
        assert_eq!(got.version(), http::Version::HTTP_2);
        let (body, complete) = read(got.into_body()).await;
        assert!(complete);
        assert_eq!(body, br#"{"fine":true}"#);
    }
    assert!(said(&lictor, GET).await.starts_with("HTTP/1.1 200 "));

    // However the preface is cut.
    let mut stream = TcpStream::connect(lictor.public).await.unwrap();
    for byte in [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat().chunks(1) {
        stream.write_all(byte).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut frame = [0; 9];
    within("settings", stream.read_exact(&mut frame))
        .await
        .unwrap();
    assert_eq!(frame[3], 4, "the server's own SETTINGS come first");
}

#[tokio::test]
async fn a_version_that_is_not_spoken_gets_no_further() {
    let upstream = fine().await;
    let spoken = |versions: &str| {
        Setup::new(upstream.address)
            .config(format!(
                "listeners: {{ public: {{ versions: [{versions}] }} }}"
            ))
            .start()
    };
    let old = spoken("h1").await;
    assert!(said(&old, PREFACE).await.starts_with("HTTP/1.1 505 "));
    let new = spoken("h2").await;
    let answer = said(&new, GET).await;
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    assert_eq!(upstream.requests().len(), 0);
    assert!(said(&old, GET).await.starts_with("HTTP/1.1 200 "));
    let http2 = Http2::connect_plain(new.public).await;
    assert_eq!(http2.send(Method::GET, "/", Vec::new()).await.status(), 200);
}

// --- TLS -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_required_client_certificate_is_verified_recorded_and_its_authority_is_reloaded() {
    let upstream = fine().await;
    let setup = Setup::new(upstream.address);
    let home = setup.home().to_owned();
    let server = Certificates::generate(&home);
    let other_home = tempfile::tempdir().unwrap();
    let other = Certificates::generate(other_home.path());
    let authorities = home.join("clients.crt");
    std::fs::write(&authorities, server.authority()).unwrap();
    let lictor = setup
        .config(
            "listeners: { public: { tls: {\n\
             certificates: [{ cert: tls.crt, key: tls.key }],\n\
             clientCertificates: { ca: clients.crt } } } }",
        )
        .start()
        .await;
    let connect = async |identity| Client::try_connect_as(lictor.public, &server, identity).await;
    let (ours, foreign) = (server.identity(), other.identity());
    assert!(connect(None).await.is_none());
    assert!(connect(Some(&foreign)).await.is_none());
    let mut client = connect(Some(&ours)).await.unwrap();
    let spoofed = b"GET / HTTP/1.1\r\nhost: localhost\r\nx-forwarded-client-cert: Hash=1\r\n\r\n";
    assert_eq!(client.exchange("GET", spoofed).await.status(), 200);
    let seen = upstream.requests();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|seen| seen.field("x-forwarded-client-cert").is_none())
    );
    let records = eventually("two records", async || {
        let records = lictor.audit();
        (records.len() >= 2).then_some(records)
    })
    .await;
    for record in records {
        assert_eq!(record["clientCertificate"], ours.sha256());
    }
    for kind in ["certificate-missing", "certificate-untrusted"] {
        let name = format!("lictor_tls_handshake_errors_total{{kind=\"{kind}\"}}");
        assert_eq!(lictor.metric(&name).await, Some(1.0), "{kind}");
    }

    // The open connection lives on under other authorities; new ones are judged by them.
    std::fs::write(&authorities, other.authority()).unwrap();
    let mut newcomer = eventually("the other authority", async || {
        connect(Some(&foreign)).await
    })
    .await;
    assert_eq!(newcomer.get("/").await.status(), 200);
    assert!(connect(Some(&ours)).await.is_none());
    assert_eq!(client.get("/").await.status(), 200);
}
