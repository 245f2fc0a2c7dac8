//! Certificates from the SPIFFE Workload API: handed out, renewed, missed and refused, on the wire.

#![cfg(test)]
#![cfg(feature = "spiffe")]

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use support::eventually;
use support::http1::Wire;
use support::lictor::{Lictor, Setup};
use support::upstream::Upstream;
use support::workload_api::{Domain, WorkloadApi};

mod support;

const US: &str = "spiffe://prod.example/ns/agents/sa/lictor";
const BOT: &str = "spiffe://prod.example/ns/treasury/sa/bot";

const POLICY: &str = r#"lictor: v1
identities:
  mesh:
    mtls: { spiffe: ["spiffe://prod.example/ns/*/sa/*", "spiffe://other.example/ns/*/sa/*"] }
    tenant: spiffe.ns
roles:
  workloads: { allow: ["http:* /**"], to: { identity: mesh } }
"#;

const MUTUAL: &str = "listeners: { public: { tls: { certificates: [workloadApi], clientCertificates: { ca: workloadApi } } } }";

/// A trust domain, its Workload API, and a lictor that has all from it.
struct Stage {
    domain: Domain,
    api: WorkloadApi,
    lictor: Lictor,
    _upstream: Upstream,
    _folder: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let domain = Domain::new();
        let folder = tempfile::tempdir().unwrap();
        let api = WorkloadApi::new(folder.path());
        api.hand_out(&domain.svid(US), &[&domain]);
        let upstream = Upstream::json(json!({"fine": true})).await;
        let setup = Setup::new(upstream.address).policy(POLICY).config(format!(
            "{MUTUAL}\nworkloadApi: {{ socket: \"{}\" }}",
            api.url()
        ));
        Self {
            domain,
            api,
            lictor: setup.start().await,
            _upstream: upstream,
            _folder: folder,
        }
    }

    /// How the control is told.
    async fn told(&self) -> String {
        self.lictor.ready().await.json()["controls"]["svid"].to_string()
    }
}

#[tokio::test]
async fn workloads_of_one_trust_domain_meet() {
    let stage = Stage::new().await;
    let public = stage.lictor.public;
    let bot = stage.domain.svid(BOT);
    let (mut client, _shown) = stage.domain.meet(public, &bot).await.unwrap();
    assert_eq!(client.get("/reports").await.status(), 200);
    let record = eventually("the record", async || {
        let mut records = stage.lictor.audit();
        records.retain(|record| record["path"] == "/reports");
        records.pop()
    });
    let record = record.await;
    assert_eq!(record["principal"], BOT, "{record}");
    assert_eq!(record["tenant"], "treasury", "{record}");

    // The policy knows this workload, and the authority signed its certificate; but the bundle is of another domain.
    let foreign = stage
        .domain
        .svid("spiffe://other.example/ns/treasury/sa/bot");
    assert!(stage.domain.meet(public, &foreign).await.is_none());
    let stream = stage.domain.connect(public, &Domain::new().svid(BOT)).await;
    let mut client = support::client::Client::over(stream);
    let refused = client.try_exchange("GET", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(refused.await.is_err());
    let untrusted =
        "lictor_tls_handshake_errors_total{kind=\"certificate-untrusted\",listener=\"public\"}";
    eventually("both to be counted", async || {
        (stage.lictor.metric(untrusted).await == Some(2.0)).then_some(())
    })
    .await;
    assert_eq!(
        stage.lictor.metric("lictor_workload_api_up").await,
        Some(1.0)
    );
}

#[tokio::test]
async fn what_is_renewed_is_for_new_connections() {
    let stage = Stage::new().await;
    let (domain, public) = (&stage.domain, stage.lictor.public);
    let bot = domain.svid(BOT);
    let (mut old, first) = domain.meet(public, &bot).await.unwrap();

    let renewed = domain.svid(US);
    stage.api.hand_out(&renewed, &[domain]);
    eventually("the renewed SVID", async || {
        let (_client, shown) = domain.meet(public, &bot).await?;
        assert!(shown == first || shown == renewed.certificate.to_vec());
        (shown == renewed.certificate.to_vec()).then_some(())
    })
    .await;
    assert_eq!(old.get("/").await.status(), 200);

    // The trust domain changes its authority.
    let next = Domain::new();
    stage.api.hand_out(&renewed, &[&next]);
    let moved = next.svid(BOT);
    eventually("the new bundle", async || {
        let stream = domain.connect(public, &moved).await;
        let mut client = support::client::Client::over(stream);
        let asked = client.try_exchange("GET", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
        asked.await.ok()
    })
    .await;
    assert!(domain.meet(public, &bot).await.is_none());
    assert_eq!(old.get("/").await.status(), 200);
}

#[tokio::test]
async fn the_last_svid_stays_while_the_api_is_away() {
    let mut stage = Stage::new().await;
    let bot = stage.domain.svid(BOT);
    assert_eq!(stage.told().await, r#"{"status":"ready"}"#);

    stage.api.stop().await;
    let told = eventually("the outage to be told", async || {
        let told = stage.told().await;
        told.contains("cannot be reached").then_some(told)
    });
    let told = told.await;
    assert!(told.contains("degraded"), "{told}");
    assert!(told.contains("the last SVID ends at 20"), "{told}");
    assert_eq!(stage.lictor.ready().await.status(), 200);
    assert_eq!(
        stage.lictor.metric("lictor_workload_api_up").await,
        Some(0.0)
    );
    let log = stage.lictor.log();
    assert!(log.contains("the last SVID stays until it ends"), "{log}");
    assert!(stage.domain.meet(stage.lictor.public, &bot).await.is_some());

    stage.api.start();
    eventually("the API to be found again", async || {
        (!stage.told().await.contains("degraded")).then_some(())
    })
    .await;
    assert_eq!(
        stage.lictor.metric("lictor_workload_api_up").await,
        Some(1.0)
    );

    // What cannot be used is not taken over.
    stage.api.hand_out_raw(b"\x0a\x03\x0a\x01x");
    eventually("the bad answer to be told", async || {
        let told = stage.told().await;
        told.contains("handed out what cannot be used")
            .then_some(())
    })
    .await;
    assert!(stage.domain.meet(stage.lictor.public, &bot).await.is_some());
}

#[tokio::test]
async fn an_svid_that_ended_is_told_as_such() {
    let stage = Stage::new().await;
    let short = stage.domain.svid_until(US, Duration::from_secs(2));
    stage.api.hand_out(&short, &[&stage.domain]);
    eventually("its end", async || {
        let ready = stage.lictor.ready().await;
        let is_told = ready.text().contains("the last SVID ended at 20");
        (is_told && ready.status() == 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_an_svid_lictor_does_not_start() {
    let upstream = Upstream::json(json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere.sock");
    let started = |socket: String| {
        let wait = format!("workloadApi: {{ socket: \"{socket}\", wait: 1s }}");
        Setup::new(upstream.address).config(format!("{MUTUAL}\n{wait}"))
    };
    let (status, log) = started(format!("unix:{}", nowhere.display())).fail().await;
    assert_eq!(status.code(), Some(3), "{log}");
    for part in [
        "no SVID within 1s",
        &format!("unix:{}", nowhere.display()),
        "cannot be reached",
        "is its socket mounted here?",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }

    let silent = folder.path().join("silent.sock");
    let _listening = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    let (status, log) = started(format!("unix:{}", silent.display())).fail().await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("silent.sock` does not answer"), "{log}");

    let api = WorkloadApi::new(folder.path());
    let (status, log) = started(api.url()).fail().await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("has no identity for this process"), "{log}");
    assert!(log.contains("is the workload registered?"), "{log}");

    let without = || Setup::new(upstream.address).config(MUTUAL);
    let (status, log) = without().variable(VARIABLE, "").fail().await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("is not the address of a socket"), "{log}");
}

const VARIABLE: &str = "SPIFFE_ENDPOINT_SOCKET";

#[tokio::test]
async fn a_workload_may_be_registered_late_and_the_variable_names_the_socket() {
    let domain = Domain::new();
    let folder = tempfile::tempdir().unwrap();
    let api = WorkloadApi::new(folder.path());
    let upstream = Upstream::json(json!({})).await;
    let starting = Setup::new(upstream.address)
        .policy(POLICY)
        .config(MUTUAL)
        .variable(VARIABLE, api.url())
        .start();
    let register = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        api.hand_out(&domain.svid(US), &[&domain]);
    };
    let (lictor, ()) = tokio::join!(starting, register);
    assert!(
        domain
            .meet(lictor.public, &domain.svid(BOT))
            .await
            .is_some()
    );
}

#[tokio::test]
async fn the_agent_is_a_workload_too() {
    const AGENT: &str = "spiffe://prod.example/ns/agents/sa/quotes";
    let domain = Domain::new();
    let folder = tempfile::tempdir().unwrap();
    let api = WorkloadApi::new(folder.path());
    api.hand_out(&domain.svid(US), &[&domain]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = domain.acceptor(&domain.svid(AGENT));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut wire = Wire::new(stream);
            while let Ok(Some(_asked)) = wire.request().await {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                wire.send(answer).await.unwrap();
            }
            let _gone = wire.into_stream().shutdown().await;
        }
    });
    // An address is no name of its certificate.
    for (workload, status) in [(AGENT, 200), (BOT, 503)] {
        let tls =
            format!("tls: {{ ca: workloadApi, cert: workloadApi, spiffeId: \"{workload}\" }}");
        let lictor = Setup::before(format!("https://{address}"))
            .upstream(tls)
            .config(format!("workloadApi: {{ socket: \"{}\" }}", api.url()))
            .start()
            .await;
        let answer = lictor.client().await.get("/").await;
        assert_eq!(answer.status(), status, "{workload}: {}", answer.text());
    }
}
