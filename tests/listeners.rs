//! Listeners beside each other: one agent and one policy, and all else each for itself.

#![cfg(test)]

use std::net::SocketAddr;

use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use support::client::Client;
use support::lictor::{Lictor, Setup, free_address};
use support::tls::Certificates;
use support::upstream::Upstream;
use support::{eventually, within};

mod support;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// All that comes back for these bytes until the end of the connection.
async fn said(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _end = within("the end", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn counted(lictor: &Lictor, name: &str, wanted: f64) {
    eventually(name, async || {
        (lictor.metric(name).await == Some(wanted)).then_some(())
    })
    .await;
}

fn many_fields() -> Vec<u8> {
    let fields: String = (0..20).map(|n| format!("x-{n}: 1\r\n")).collect();
    format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n").into_bytes()
}

#[tokio::test]
async fn each_listener_serves_by_its_own_settings_and_is_named_in_records_and_metrics() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let setup = Setup::new(upstream.address);
    let certificates = Certificates::generate(setup.home());
    std::fs::write(setup.home().join("clients.crt"), certificates.authority()).unwrap();
    let (internal, mesh) = (free_address(), free_address());
    let lictor = setup
        .config(format!(
            "listeners:\n\
             \x20 internal:\n\
             \x20   address: {internal}\n\
             \x20   tls: {{ certificates: [{{ cert: tls.crt, key: tls.key }}], clientCertificates: {{ ca: clients.crt }} }}\n\
             \x20   limits: {{ headers: 10 }}\n\
             \x20 mesh:\n\
             \x20   address: {mesh}\n\
             \x20   versions: h1\n\
             \x20   trustedPeers: 127.0.0.0/8\n\
             \x20   proxyProtocol: required\n"
        ))
        .start()
        .await;

    assert!(
        said(lictor.public, &many_fields())
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    let ours = certificates.identity();
    assert!(
        Client::try_connect_as(internal, &certificates, None)
            .await
            .is_none()
    );
    let mut client = Client::try_connect_as(internal, &certificates, Some(&ours))
        .await
        .unwrap();
    assert_eq!(client.exchange("GET", &many_fields()).await.status(), 431);

    let announced = |bytes: &[u8]| [b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n", bytes].concat();
    assert!(
        said(mesh, &announced(GET))
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert!(
        said(mesh, &announced(preface))
            .await
            .starts_with("HTTP/1.1 505 ")
    );
    assert_eq!(said(mesh, GET).await, "");

    let records = eventually("five records", async || {
        let records = lictor.audit();
        (records.len() >= 5).then_some(records)
    })
    .await;
    let told: Vec<_> = records
        .iter()
        .map(|record| (record["listener"].as_str(), record["status"].as_u64()))
        .collect();
    let (internal, mesh) = (Some("internal"), Some("mesh"));
    let wanted = [
        (None, Some(200)),
        (internal, Some(200)),
        (internal, Some(431)),
        (mesh, Some(200)),
        (mesh, Some(505)),
    ];
    assert_eq!(told, wanted);
    assert_eq!(records[1]["clientCertificate"], ours.sha256());
    assert_eq!(records[3]["source"], "192.0.2.7:4711");

    let missing =
        "lictor_tls_handshake_errors_total{kind=\"certificate-missing\",listener=\"internal\"}";
    counted(&lictor, missing, 1.0).await;
    let refused = |listener: &str| {
        format!("lictor_connections_refused_total{{cause=\"header\",listener=\"{listener}\"}}")
    };
    counted(&lictor, &refused("mesh"), 1.0).await;
    counted(&lictor, &refused("public"), 0.0).await;

    // All of them drain, and the process ends.
    lictor.terminate();
    let (status, log) = lictor.ended().await;
    assert!(status.success(), "{log}");
}

/// How a handshake went, of a client that keeps its tickets.
async fn handshake(connector: &TlsConnector, address: SocketAddr) -> HandshakeKind {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = within("a handshake", connector.connect(name, stream))
        .await
        .unwrap();
    // Tickets come with the first answer.
    stream.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    stream.get_ref().1.handshake_kind().unwrap()
}

#[tokio::test]
async fn a_session_of_one_listener_is_worth_nothing_on_another() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let setup = Setup::new(upstream.address);
    let certificates = Certificates::generate(setup.home());
    let (internal, mesh) = (free_address(), free_address());
    let tls = "tls: { certificates: [{ cert: tls.crt, key: tls.key }] }";
    let _lictor = setup
        .config(format!(
            "listeners: {{ internal: {{ address: {internal}, {tls} }}, mesh: {{ address: {mesh}, {tls} }} }}"
        ))
        .start()
        .await;
    let connector = certificates.connector(b"http/1.1");
    assert_eq!(handshake(&connector, internal).await, HandshakeKind::Full);
    assert_eq!(
        handshake(&connector, internal).await,
        HandshakeKind::Resumed
    );
    assert_ne!(handshake(&connector, mesh).await, HandshakeKind::Resumed);
    assert_eq!(handshake(&connector, mesh).await, HandshakeKind::Resumed);
}
