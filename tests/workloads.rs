//! Workloads that sign with the key of their token (WIMSE), on the wire.

#![cfg(test)]

use std::fs;

use lictor::clock;
use serde_json::{Value, json};

use support::eventually;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::Upstream;
use workloads::{Case, Kit, Sent, WORKLOAD};

mod support;
#[path = "support/workloads.rs"]
mod workloads;

/// With what tokens and signatures are made.
use support::minting;
mod signing {
    pub(crate) use lictor::identity::signature::{Algorithm, SigningKey, content_digest};
}

const POLICY: &str = r#"lictor: v1
identities:
  mesh:
    signature:
      profile: wimse
      audience: https://agent.example
      workloads:
        ids: "spiffe://prod.example/ns/*/sa/*"
        issuer: https://wimse.example
        jwks: { file: ../wit.json }
    tenant: spiffe.ns
roles:
  bots: { allow: ["http:* /**"], to: { identity: mesh, ids: ["spiffe://prod.example/ns/acme/sa/bot"] } }
people:
  bot: { identity: mesh, id: "spiffe://prod.example/ns/acme/sa/bot" }
tests:
  the bot may: { as: bot, do: "http:POST /reports", expect: allow }
"#;

struct Stage {
    kit: Kit,
    lictor: Lictor,
    upstream: Upstream,
}

impl Stage {
    async fn new() -> Self {
        let upstream = Upstream::json(json!({})).await;
        let setup = Setup::new(upstream.address);
        let kit = Kit::new(signing::Algorithm::EcdsaP256Sha256);
        fs::write(setup.home().join("wit.json"), kit.issuer.jwks()).unwrap();
        Self {
            kit,
            lictor: setup.policy(POLICY).start().await,
            upstream,
        }
    }

    async fn send(&self, sent: &Sent) -> Message {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: agent.test\r\n",
            sent.method, sent.target
        );
        for (name, value) in &sent.headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        text.push_str(&format!(
            "content-length: {}\r\n\r\n{}",
            sent.body.len(),
            sent.body
        ));
        let mut client = self.lictor.client().await;
        client.exchange(&sent.method, text.as_bytes()).await
    }

    async fn records(&self, count: usize) -> Vec<Value> {
        eventually("the records", async || {
            let records = self.lictor.audit();
            (records.len() >= count).then_some(records)
        })
        .await
    }

    /// What the agent was asked.
    fn seen(&self) -> Vec<Message> {
        let mut seen = self.upstream.requests();
        seen.retain(|seen| seen.target().starts_with("/reports"));
        seen
    }
}

#[tokio::test]
async fn a_workload_is_known_and_the_agent_sees_no_token() {
    let stage = Stage::new().await;
    let now = clock::wall().as_second();
    let sent = stage.kit.request(&Kit::table(), &Case::default(), 0, now);
    let answer = stage.send(&sent).await;
    let record = stage.records(1).await.remove(0);
    assert_eq!(answer.status(), 200, "{record}");
    assert_eq!(
        [&record["identity"], &record["principal"], &record["tenant"]],
        ["mesh", WORKLOAD, "acme"]
    );
    let seen = stage.seen();
    for name in ["signature", "signature-input", "workload-identity-token"] {
        assert_eq!(seen[0].field(name), None, "{name}");
    }
    assert_eq!(seen[0].field("x-user-id"), Some(WORKLOAD));
}

#[tokio::test]
async fn no_bad_request_of_a_workload_reaches_the_agent() {
    let stage = Stage::new().await;
    let table = Kit::table();
    for (index, case) in table.cases.iter().enumerate() {
        let now = clock::wall().as_second();
        let sent = stage.kit.request(&table, case, index, now);
        let answer = stage.send(&sent).await;
        assert_eq!(answer.status(), 401, "{}", case.name);
        assert!(!answer.text().contains(&case.expect), "{}", case.name);
    }
    let records = stage.records(table.cases.len()).await;
    for (case, record) in table.cases.iter().zip(&records) {
        let said = record["detail"].as_str().unwrap_or_default();
        // Times pass between the making of a request and its judgement.
        let differs =
            case.expect.bytes().any(|byte| byte.is_ascii_digit()) && !case.expect.contains('`');
        assert!(said == case.expect || differs, "{}: {said}", case.name);
    }
    assert_eq!(stage.seen().len(), 0);
}
