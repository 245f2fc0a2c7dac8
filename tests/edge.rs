//! The edge towards callers: what is spoken, who is believed, and what is answered past a bound.

#![cfg(test)]

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use support::client::Client;
use support::http1::Wire;
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
        let name =
            format!("lictor_tls_handshake_errors_total{{kind=\"{kind}\",listener=\"public\"}}");
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

// --- Proxies in front of us ------------------------------------------------------------------

async fn sources(lictor: &Lictor, count: usize) -> Vec<String> {
    let records = eventually("the records", async || {
        let records = lictor.audit();
        (records.len() >= count).then_some(records)
    })
    .await;
    let source = |record: &serde_json::Value| record["source"].as_str().unwrap().to_owned();
    records.iter().map(source).collect()
}

#[tokio::test]
async fn a_proxy_protocol_header_says_who_calls_before_tls_and_in_the_clear() {
    let upstream = fine().await;
    let setup = Setup::new(upstream.address);
    let certificates = Certificates::generate(setup.home());
    let listener =
        |rest: &str| format!("listeners: {{ public: {{ proxyProtocol: required, {rest} }} }}");
    let tls = "tls: { certificates: [{ cert: tls.crt, key: tls.key }] }";
    let encrypted = setup
        .config(listener(&format!("trustedPeers: [127.0.0.1], {tls}")))
        .start()
        .await;
    let mut stream = TcpStream::connect(encrypted.public).await.unwrap();
    stream
        .write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n")
        .await
        .unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let tls = certificates.connector(b"http/1.1").connect(name, stream);
    let mut wire = Wire::new(within("a handshake", tls).await.unwrap());
    wire.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(wire.response("GET").await.unwrap().status(), 200);
    assert_eq!(sources(&encrypted, 1).await, ["192.0.2.7:4711"]);
    let seen = upstream.requests();
    assert_eq!(seen[0].field("x-forwarded-for"), Some("192.0.2.7"));

    let plain = Setup::new(upstream.address)
        .config(listener("trustedPeers: [127.0.0.0/8]"))
        .start()
        .await;
    assert_eq!(said(&plain, GET).await, "", "no header, no answer");
    let binary = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..],
        &[198, 51, 100, 9, 127, 0, 0, 1, 0, 80, 0, 80],
        GET,
    ];
    assert!(
        said(&plain, &binary.concat())
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    assert_eq!(sources(&plain, 1).await, ["198.51.100.9:80"]);
    let refused = "lictor_connections_refused_total{cause=\"header\",listener=\"public\"}";
    eventually("the count", async || {
        (plain.metric(refused).await == Some(1.0)).then_some(())
    })
    .await;

    let closed = Setup::new(upstream.address)
        .config(listener("trustedPeers: [192.0.2.0/24]"))
        .start()
        .await;
    assert_eq!(said(&closed, &binary.concat()).await, "");
    let refused = "lictor_connections_refused_total{cause=\"untrusted\",listener=\"public\"}";
    eventually("the count", async || {
        (closed.metric(refused).await == Some(1.0)).then_some(())
    })
    .await;
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn forwarded_fields_count_from_trusted_peers_only() {
    let upstream = fine().await;
    let request = |fields: &str| {
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{fields}connection: close\r\n\r\n")
    };
    let told = request(
        "x-forwarded-for: 1.1.1.1, 192.0.2.7, 10.0.0.9\r\nx-forwarded-proto: https\r\n\
         x-forwarded-host: agents.example\r\n",
    );
    let trusting = Setup::new(upstream.address)
        .config("listeners: { public: { trustedPeers: [127.0.0.1, 10.0.0.0/8] } }")
        .start()
        .await;
    assert!(
        said(&trusting, told.as_bytes())
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    let plain = request("");
    assert!(
        said(&trusting, plain.as_bytes())
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    let two_stories = request("x-forwarded-for: 192.0.2.7\r\nforwarded: for=1.1.1.1\r\n");
    assert!(
        said(&trusting, two_stories.as_bytes())
            .await
            .starts_with("HTTP/1.1 400 ")
    );
    let got = sources(&trusting, 3).await;
    assert_eq!(got[0], "192.0.2.7:0");
    assert!(
        got[1].starts_with("127.0.0.1:") && got[2].starts_with("127.0.0.1:"),
        "{got:?}"
    );

    let wary = Setup::new(upstream.address).start().await;
    assert!(
        said(&wary, told.as_bytes())
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    let seen = upstream.requests();
    let fields = |at: usize| {
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]
            .map(|name| seen[at].field(name))
    };
    assert_eq!(seen.len(), 3);
    assert_eq!(
        fields(0),
        [Some("192.0.2.7"), Some("https"), Some("agents.example")]
    );
    for at in [1, 2] {
        assert_eq!(fields(at), [Some("127.0.0.1"), Some("http"), None]);
    }
}

// --- Past a bound ----------------------------------------------------------------------------

#[tokio::test]
async fn a_plain_connection_without_a_place_is_told_so() {
    let upstream = fine().await;
    let lictor = Setup::new(upstream.address)
        .config("listeners: { public: { limits: { perSource: 1 } } }")
        .start()
        .await;
    let mut held = lictor.client().await;
    assert_eq!(held.get("/").await.status(), 200);
    let long = [GET, &[b'x'; 4096]].concat();
    for _ in 0..3 {
        let answer = said(&lictor, &long).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    }
    assert_eq!(held.get("/").await.status(), 200, "an unharmed neighbour");
    drop(held);
    eventually("a place", async || {
        said(&lictor, GET)
            .await
            .starts_with("HTTP/1.1 200 ")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn out_of_descriptors_lictor_waits_and_recovers() {
    let upstream = fine().await;
    let lictor = Setup::new(upstream.address).descriptors(64).start().await;
    let mut held = Vec::new();
    for _ in 0..100 {
        // The kernel makes connections that lictor cannot accept.
        held.push(TcpStream::connect(lictor.public).await.unwrap());
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(held);
    eventually("an answer", async || {
        said(&lictor, GET)
            .await
            .starts_with("HTTP/1.1 200 ")
            .then_some(())
    })
    .await;
    eventually("the count", async || {
        let count = lictor
            .metric("lictor_accept_errors_total{listener=\"public\"}")
            .await;
        (count > Some(0.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_under_load_breaks_no_connection_that_was_made() {
    let upstream = fine().await;
    let lictor = Setup::new(upstream.address).start().await;
    let address = lictor.public;
    let caller = || async move {
        let mut answered = 0_u32;
        while let Ok(stream) = TcpStream::connect(address).await {
            let mut wire = Wire::new(stream);
            wire.send(GET).await.unwrap();
            let answer = within("an answer", wire.response("GET")).await.unwrap();
            assert!(answer.status() == 200 && answer.complete, "{answer:?}");
            answered += 1;
        }
        answered
    };
    let callers: Vec<_> = (0..8).map(|_| tokio::spawn(caller())).collect();
    eventually("some calls", async || {
        (upstream.requests().len() > 100).then_some(())
    })
    .await;
    lictor.terminate();
    let mut answered = 0;
    for caller in callers {
        answered += caller.await.unwrap();
    }
    let (status, log) = lictor.ended().await;
    assert!(status.success(), "{log}");
    assert_eq!(
        usize::try_from(answered).unwrap(),
        upstream.requests().len()
    );
}

// --- Redirects -------------------------------------------------------------------------------

#[tokio::test]
async fn a_redirect_listener_leads_to_our_own_names_and_serves_nothing() {
    let upstream = fine().await;
    let setup = Setup::new(upstream.address);
    Certificates::generate(setup.home());
    // The port is free when it is looked for; nobody else of this test takes it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = free.local_addr().unwrap();
    drop(free);
    let _lictor = setup
        .config(format!(
            "listeners:\n  public: {{ tls: {{ certificates: [{{ cert: tls.crt, key: tls.key }}] }} }}\n\
             \x20 redirect: {{ address: \"{plain}\", port: 8443 }}"
        ))
        .start()
        .await;
    let ask = async |target: &str, host: &str| {
        let mut client = Client::connect(plain).await;
        let request = format!("POST {target} HTTP/1.1\r\n{host}content-length: 2\r\n\r\nhi");
        let answer = client.exchange("POST", request.as_bytes()).await;
        (answer.status(), answer.field("location").map(str::to_owned))
    };
    let to = |place: &str| (308, Some(place.to_owned()));
    let localhost = "host: localhost:80\r\n";
    assert_eq!(
        ask("/a?b=c", localhost).await,
        to("https://localhost:8443/a?b=c")
    );
    assert_eq!(
        ask("//evil.example", localhost).await,
        to("https://localhost:8443//evil.example")
    );
    let absolute = ask("http://localhost/a", "host: localhost\r\n").await;
    assert_eq!(absolute, to("https://localhost:8443/a"));
    for (target, host) in [
        ("/", "host: evil.example\r\n"),
        ("/", "host: localhost@evil.example\r\n"),
        ("/", "host: evil.example@localhost\r\n"),
        ("/", "host: localhost\r\nhost: evil.example\r\n"),
        ("/", "host: localhost.evil.example\r\n"),
        ("/", ""),
        ("http://evil.example/", "host: localhost\r\n"),
        ("http://evil.example/", "host: evil.example\r\n"),
    ] {
        assert_eq!(ask(target, host).await, (400, None), "{target} {host}");
    }
    assert_eq!(upstream.requests().len(), 0);
}
