//! Workloads that sign with the key of their token (WIMSE), on the wire.

#![cfg(test)]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use http::{HeaderMap, HeaderName, HeaderValue};
use lictor::clock;
use rcgen::PublicKeyData as _;
use serde_json::{Value, json};

use support::eventually;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream};
use workloads::{Case, Kit, Sent, Table, WORKLOAD};

mod support;
#[path = "support/workloads.rs"]
mod workloads;

/// With what tokens and signatures are made.
use support::minting;
mod signing {
    pub(crate) use lictor::identity::signature::{
        Algorithm, Component, Fields, Message, Nonces, Profile, Request, Requirement, Requirements,
        Signatures, SigningKey, VerifyingKey, When, content_digest,
    };
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
        Self::with(POLICY).await
    }

    /// One whose workloads prove by a token that they hold their key.
    async fn proving() -> Self {
        let with = "issuer: https://wimse.example\n        proof: token";
        Self::with(&POLICY.replace("issuer: https://wimse.example", with)).await
    }

    async fn with(policy: &str) -> Self {
        let upstream = Upstream::json(json!({})).await;
        let setup = Setup::new(upstream.address);
        let kit = Kit::new(signing::Algorithm::EcdsaP256Sha256);
        Self::at(setup, upstream, policy, kit).await
    }

    async fn at(setup: Setup, upstream: Upstream, policy: &str, kit: Kit) -> Self {
        fs::write(setup.home().join("wit.json"), kit.issuer.jwks()).unwrap();
        Self {
            kit,
            lictor: setup.policy(policy).start().await,
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
async fn a_workload_proves_by_a_token_and_the_agent_sees_none() {
    let stage = Stage::proving().await;
    let case = |case: Value| -> Case { serde_json::from_value(case).unwrap() };
    let cases = [
        case(json!({ "proof": {} })),
        case(json!({ "proof": {}, "proof_field": "authorization", "proof_text": "WPT PROOF" })),
    ];
    for (index, case) in cases.iter().enumerate() {
        let now = clock::wall().as_second();
        let sent = stage.kit.request(&Kit::proofs(), case, index, now);
        let answer = stage.send(&sent).await;
        let record = stage.records(index + 1).await.remove(index);
        assert_eq!(answer.status(), 200, "{record}");
        assert_eq!(
            [&record["identity"], &record["principal"], &record["tenant"]],
            ["mesh", WORKLOAD, "acme"]
        );
        let seen = stage.seen().remove(index);
        for name in [
            "workload-proof-token",
            "workload-identity-token",
            "authorization",
        ] {
            assert_eq!(seen.field(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn what_lictor_sign_proves_counts() {
    let stage = Stage::proving().await;
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = pair.serialize_pem();
    let bot = signing::SigningKey::parse(pem.as_bytes(), None).unwrap();
    let now = clock::wall().as_second();
    let token = stage.kit.token_of(&bot, &Case::default(), now);
    fs::write(folder.path().join("bot.pem"), pem).unwrap();
    fs::write(folder.path().join("bot.wit"), token).unwrap();
    let request = "POST /reports HTTP/1.1\r\nhost: agent.example\r\nauthorization: Bearer abc\r\n\
                   txn-token: t\r\nx-user: ana\r\ncontent-length: 2\r\n\r\n{}";
    let run = |arguments: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lictor"))
            .current_dir(folder.path())
            .args(["sign", "--key", "bot.pem", "--profile", "wimse", "--wpt"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // One that is refused by its arguments reads nothing.
        let _ = input.write_all(request.as_bytes());
        drop(input);
        child.wait_with_output().unwrap()
    };
    for more in [
        &["--cover", "x-user"][..],
        &["--aud", "https://agent.example"],
    ] {
        let made = run(&[&["--wit", "bot.wit"], more].concat());
        assert!(made.status.success(), "{made:?}");
        let answer = stage
            .lictor
            .client()
            .await
            .exchange("POST", &made.stdout)
            .await;
        assert_eq!(
            answer.status(),
            200,
            "{}",
            String::from_utf8_lossy(&made.stdout)
        );
    }
    for (arguments, said) in [
        (&[][..], "needs --wit"),
        (&["--wit", "bot.wit", "--tag", "x"], "without --tag"),
        (
            &["--wit", "bot.wit", "--cover", "x-other"],
            "does not have `x-other` once",
        ),
    ] {
        let refused = run(arguments);
        let messages = String::from_utf8(refused.stderr).unwrap();
        assert!(
            !refused.status.success() && messages.contains(said),
            "{messages}"
        );
    }
}

#[tokio::test]
async fn no_bad_proof_of_a_workload_reaches_the_agent() {
    let stage = Stage::proving().await;
    let answers = stage.refuse(&Kit::proofs()).await;
    for answer in answers {
        assert_eq!(answer.field("www-authenticate"), Some("WPT"));
        assert_eq!(answer.field("accept-signature"), None);
    }
}

/// A stage whose answers are signed, the key of its agent, and the token of that.
async fn signing(upstream: Upstream) -> (Stage, rcgen::KeyPair, String) {
    let setup = Setup::new(upstream.address);
    let kit = Kit::new(signing::Algorithm::EcdsaP256Sha256);
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = pair.serialize_pem();
    let agent = signing::SigningKey::parse(pem.as_bytes(), None).unwrap();
    let token = kit.token_of(&agent, &Case::default(), clock::wall().as_second());
    fs::write(setup.home().join("agent.pem"), pem).unwrap();
    fs::write(setup.home().join("agent.wit"), format!("{token}\n")).unwrap();
    let policy = format!(
        "{POLICY}http:\n  signResponses: {{ key: {{ file: ../agent.pem }}, workloadToken: ../agent.wit }}\n"
    );
    let stage = Stage::at(setup, upstream, &policy, kit).await;
    (stage, pair, token)
}

#[tokio::test]
async fn answers_to_workloads_are_signed_by_the_agents_token() {
    let (stage, pair, token) = signing(Upstream::json(json!({})).await).await;
    let now = clock::wall().as_second();
    let sent = stage.kit.request(&Kit::table(), &Case::default(), 0, now);
    let answer = stage.send(&sent).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("workload-identity-token"), Some(&*token));
    let input = answer.field("signature-input").unwrap();
    for absent in ["keyid", "alg="] {
        assert!(!input.contains(absent), "{input}");
    }
    let nonce = sent.headers["signature-input"].to_str().unwrap();
    let nonce = nonce.split("nonce=\"").nth(1).unwrap();
    let nonce = nonce.split('"').next().unwrap();
    assert!(
        input.contains(&format!("wimse-req-nonce=\"{nonce}\"")),
        "{input}"
    );
    check(&answer, &sent, &pair).unwrap();
    let mut other = answer;
    other.line = "HTTP/1.1 204 No Content".to_owned();
    assert!(check(&other, &sent, &pair).is_err());
    // Others than workloads get what they know.
    let mut client = stage.lictor.client().await;
    let plain = b"GET /reports HTTP/1.1\r\nhost: agent.test\r\n\r\n";
    let answer = client.exchange("GET", plain).await;
    let input = answer.field("signature-input").unwrap();
    assert!(input.contains("tag=\"lictor\""), "{input}");
    assert_eq!(answer.field("workload-identity-token"), None);
}

/// Whether this answer is signed by that key, and enough of it and of its request.
fn check(answer: &Message, sent: &Sent, pair: &rcgen::KeyPair) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let covers = [
        "@status",
        "content-type",
        "content-digest",
        "workload-identity-token",
        "@method;req",
        "@request-target;req",
        "@path;req",
        "@query;req",
    ];
    let requirements = signing::Requirements {
        covers: covers
            .iter()
            .map(|text| signing::Requirement {
                component: signing::Component::parse(text).unwrap(),
                when: signing::When::Always,
            })
            .collect(),
        nonces: signing::Nonces::Required,
        expires: true,
        ..signing::Profile::Wimse.requirements()
    };
    let fields = signing::Fields::of(&headers).unwrap().unwrap();
    let signatures = signing::Signatures::parse(&fields).unwrap();
    let signature = signatures.iter().next().unwrap();
    assert_eq!(signature.tag(), signing::Profile::Wimse.tag());
    let (path, query) = sent.target.split_once('?').unwrap();
    let message = signing::Message::Response {
        status: answer.status(),
        headers: &headers,
        request: Some(signing::Request {
            method: &sent.method,
            scheme: "http",
            authority: "agent.test",
            path,
            query: Some(query),
            target: None,
            headers: &sent.headers,
        }),
    };
    let now = clock::wall().as_second();
    let examined = requirements.examine(signature, &message, true, now);
    let examined = examined.map_err(|error| error.to_string())?;
    let digest = examined.digest.as_ref().unwrap();
    digest
        .check(&answer.body)
        .map_err(|error| error.to_string())?;
    let algorithm = signing::Algorithm::EcdsaP256Sha256;
    let key = signing::VerifyingKey::from_spki("agent", algorithm, &pair.subject_public_key_info());
    let verified = examined.verify(&key.unwrap());
    verified.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_stream_to_a_workload_is_not_signed() {
    let events = "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let script = move |_: &Message| vec![Step::text(head), Step::text(events), Step::Close];
    let (stage, ..) = signing(Upstream::scripted(script).await).await;
    let now = clock::wall().as_second();
    let sent = stage.kit.request(&Kit::table(), &Case::default(), 0, now);
    let answer = stage.send(&sent).await;
    assert_eq!(answer.field("signature"), None);
    assert_eq!(answer.text(), events);
}

#[tokio::test]
async fn no_bad_request_of_a_workload_reaches_the_agent() {
    let stage = Stage::new().await;
    stage.refuse(&Kit::table()).await;
}

impl Stage {
    /// Sends every case, none of which may count.
    async fn refuse(&self, table: &Table) -> Vec<Message> {
        let mut answers = Vec::new();
        for (index, case) in table.cases.iter().enumerate() {
            let now = clock::wall().as_second();
            let sent = self.kit.request(table, case, index, now);
            let answer = self.send(&sent).await;
            assert_eq!(answer.status(), 401, "{}", case.name);
            assert!(!answer.text().contains(&case.expect), "{}", case.name);
            answers.push(answer);
        }
        let records = self.records(table.cases.len()).await;
        for (case, record) in table.cases.iter().zip(&records) {
            let said = record["detail"].as_str().unwrap_or_default();
            // Times pass between the making of a request and its judgement.
            let differs =
                case.expect.bytes().any(|byte| byte.is_ascii_digit()) && !case.expect.contains('`');
            assert!(said == case.expect || differs, "{}: {said}", case.name);
        }
        assert_eq!(self.seen().len(), 0);
        answers
    }
}
