//! Callers who sign their requests, on the wire.

#![cfg(test)]

use std::fs;

use http::{HeaderMap, HeaderName, HeaderValue};
use lictor::clock;
use lictor::identity::Algorithm as TokenAlgorithm;
use lictor::identity::mint::TokenMinter;
use lictor::identity::signature::{
    Acceptance, Algorithm, Component, ContentDigest, Fields, KeyKind, Message as Signable, Nonces,
    Plan, Profile, Request, Requirement, Requirements, Signatures, SigningKey, VerifyingKeys, When,
    choose, content_digest,
};
use serde_json::{Value, json};

use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::tls::Certificates;
use support::upstream::Upstream;
use support::{eventually, secrets};

mod support;

const POLICY: &str = r#"lictor: v1
identities:
  desk:
    signature: { keys: { file: ../desk-jwks.json } }
    tenants: [acme]
  ops:
    hmac: { keys: { file: ../ops-key }, tag: ops, nonce: optional, covers: ["@method", "@target-uri", "x-team?"] }
  edge:
    signature: { keys: { file: ../edge-jwks.json }, tag: edge, authority: agents.example }
  corp:
    jwt: { issuer: "https://idp.example", audience: agent, jwks: { file: ../jwks.json } }
    tenant: claims.org
roles:
  desk: { allow: ["http:* /**", "a2a:*"], to: { identity: desk, groups: [staff] } }
  ops: { allow: ["http:* /**"], to: { identity: ops, ids: [ops] } }
  edge: { allow: ["http:* /**"], to: { identity: edge } }
  corp: { allow: ["http:* /**"], to: { identity: corp } }
limits:
  default: { request: 64KiB }
"#;

const SECRET: &[u8] = b"a shared key of the tests, of some length";

struct Stage {
    lictor: Lictor,
    upstream: Upstream,
    desk: SigningKey,
    edge: SigningKey,
    ops: SigningKey,
    minter: TokenMinter,
}

fn jwks(key: &SigningKey, kid: &str, more: &Value) -> String {
    let mut jwk = key.public_jwk().unwrap();
    jwk.insert("kid".to_owned(), json!(kid));
    jwk.extend(more.as_object().unwrap().clone());
    json!({ "keys": [jwk] }).to_string()
}

impl Stage {
    async fn new() -> Self {
        Self::under(POLICY).await
    }

    async fn under(policy: &str) -> Self {
        let upstream = Upstream::json(json!({})).await;
        let setup = Setup::new(upstream.address);
        let home = setup.home().to_owned();
        let desk = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let edge = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
        let holder = json!({ "sub": "ana@acme", "tenant": "acme", "groups": ["staff"] });
        fs::write(home.join("desk-jwks.json"), jwks(&desk, "desk-1", &holder)).unwrap();
        fs::write(
            home.join("edge-jwks.json"),
            jwks(&edge, "edge-1", &json!({})),
        )
        .unwrap();
        fs::write(home.join("ops-key"), SECRET).unwrap();
        let minter = TokenMinter::generate(TokenAlgorithm::EdDsa).unwrap();
        fs::write(home.join("jwks.json"), minter.jwks()).unwrap();
        Self {
            lictor: setup.policy(policy).start().await,
            upstream,
            desk,
            edge,
            ops: SigningKey::from_secret(SECRET).unwrap(),
            minter,
        }
    }

    /// What the desk sends.
    fn call(&self, nonce: &str) -> Call<'_> {
        Call {
            key: &self.desk,
            key_id: "desk-1",
            tag: Some("lictor"),
            nonce: Some(nonce.to_owned()),
            covers: None,
            method: "POST",
            target: "/reports?x=1".to_owned(),
            scheme: "http",
            authority: "agent.test".to_owned(),
            fields: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: b"{\"amount\":10}".to_vec(),
            age: 0,
            sent_body: None,
            chunked: false,
        }
    }

    async fn send(&self, call: &Call<'_>) -> Message {
        self.raw(call.method, &call.bytes()).await
    }

    async fn raw(&self, method: &str, bytes: &[u8]) -> Message {
        self.lictor.client().await.exchange(method, bytes).await
    }

    /// The record of the last of so many calls.
    async fn record(&self, count: usize) -> Value {
        let records = eventually("the records", async || {
            let records = self.lictor.audit();
            (records.len() >= count).then_some(records)
        });
        records.await.pop().unwrap()
    }

    /// What the agent was asked.
    fn seen(&self) -> Vec<Message> {
        let mut seen = self.upstream.requests();
        seen.retain(|seen| seen.target().starts_with("/reports"));
        seen
    }
}

#[derive(Clone)]
struct Call<'a> {
    key: &'a SigningKey,
    key_id: &'a str,
    tag: Option<&'a str>,
    nonce: Option<String>,
    covers: Option<Vec<&'a str>>,
    method: &'a str,
    target: String,
    /// What is signed of the place; what is sent is `agent.test` in plain text.
    scheme: &'a str,
    authority: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    age: i64,
    /// Other content than was signed.
    sent_body: Option<Vec<u8>>,
    chunked: bool,
}

impl Call<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut fields = self.fields.clone();
        if !self.body.is_empty() {
            fields.push(("content-digest".to_owned(), content_digest(&self.body)));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*self.target, None),
        };
        let request = Request {
            method: self.method,
            scheme: self.scheme,
            authority: &self.authority,
            path,
            query,
            target: None,
            headers: &headers,
        };
        let usual: Vec<Component<'static>> = Profile::Lictor
            .requirements()
            .covers
            .into_iter()
            .filter(|requirement| {
                requirement.when == When::Always
                    || headers.contains_key(requirement.component.name())
            })
            .map(|requirement| requirement.component)
            .collect();
        let parse = |covers: &Vec<&str>| {
            let parsed = covers.iter().map(|text| Component::parse(text).unwrap());
            parsed.collect()
        };
        let covers = self.covers.as_ref().map_or(usual, parse);
        let created = clock::wall().as_second() - self.age;
        let plan = Plan {
            label: "sig",
            covers: &covers,
            created: Some(created),
            expires: Some(created + 60),
            nonce: self.nonce.as_deref(),
            key_id: Some(self.key_id),
            tag: self.tag,
            ..Plan::default()
        };
        let signed = plan.sign(&Signable::Request(request), self.key).unwrap();
        fields.push(("signature-input".to_owned(), signed.input));
        fields.push(("signature".to_owned(), signed.signature));
        let body = self.sent_body.as_ref().unwrap_or(&self.body);
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: agent.test\r\n",
            self.method, self.target
        );
        for (name, value) in &fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut bytes;
        if self.chunked {
            text.push_str("transfer-encoding: chunked\r\n\r\n");
            bytes = text.into_bytes();
            for piece in body.chunks(5) {
                bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                bytes.extend(piece);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        } else {
            if !body.is_empty() {
                text.push_str(&format!("content-length: {}\r\n", body.len()));
            }
            bytes = (text + "\r\n").into_bytes();
            bytes.extend(body);
        }
        bytes
    }
}

#[tokio::test]
async fn each_way_to_sign_names_its_caller_and_the_agent_sees_no_signature() {
    let stage = Stage::new().await;
    let desk = stage.call("n1");
    let chunked = Call {
        chunked: true,
        ..stage.call("n2")
    };
    let without_content = Call {
        method: "GET",
        body: Vec::new(),
        fields: Vec::new(),
        ..stage.call("n3")
    };
    let ops = Call {
        key: &stage.ops,
        key_id: "ops",
        tag: Some("ops"),
        nonce: None,
        covers: Some(vec!["@method", "@target-uri", "content-digest"]),
        ..stage.call("")
    };
    let edge = Call {
        key: &stage.edge,
        key_id: "edge-1",
        tag: Some("edge"),
        scheme: "https",
        authority: "agents.example".to_owned(),
        ..stage.call("n4")
    };
    let cases = [
        (&desk, ["desk", "ana@acme", "acme"]),
        (&chunked, ["desk", "ana@acme", "acme"]),
        (&without_content, ["desk", "ana@acme", "acme"]),
        (&ops, ["ops", "ops", "default"]),
        // Without a nonce it may come again.
        (&ops, ["ops", "ops", "default"]),
        (&edge, ["edge", "edge-1", "default"]),
    ];
    for (count, (call, expected)) in (1..).zip(cases) {
        let answer = stage.send(call).await;
        let record = stage.record(count).await;
        assert_eq!(answer.status(), 200, "case {count}: {record}");
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let caller = [text("identity"), text("principal"), text("tenant")];
        assert_eq!(caller, expected, "case {count}");
    }
    let seen = stage.seen();
    assert_eq!(seen.len(), 6);
    for message in &seen {
        for name in ["signature", "signature-input"] {
            assert_eq!(message.field(name), None, "{name}");
        }
    }
    assert_eq!(seen[0].body, desk.body);
    assert_eq!(seen[1].body, desk.body);
    assert_eq!(
        seen[0].field("content-digest"),
        Some(&*content_digest(&desk.body))
    );
    assert_eq!(seen[0].field("x-user-id"), Some("ana@acme"));
}

#[tokio::test]
async fn what_does_not_count_is_401_with_its_reason_and_never_reaches_the_agent() {
    let stage = Stage::new().await;
    let call = |nonce: &str| stage.call(nonce);
    let stranger = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let used = call("used");
    assert_eq!(stage.send(&used).await.status(), 200);
    let digest = "the content does not have the signed digest";
    let cases = [
        (used.bytes(), "the `nonce` was used before"),
        (
            Call {
                sent_body: Some(b"{\"amount\":99}".to_vec()),
                ..call("a")
            }
            .bytes(),
            digest,
        ),
        (
            Call {
                sent_body: Some(b"{}".to_vec()),
                chunked: true,
                ..call("b")
            }
            .bytes(),
            digest,
        ),
        (
            Call {
                sent_body: Some(Vec::new()),
                ..call("c")
            }
            .bytes(),
            digest,
        ),
        (
            Call {
                key: &stranger,
                ..call("d")
            }
            .bytes(),
            "the signature does not verify",
        ),
        (
            Call {
                key_id: "nobody",
                ..call("e")
            }
            .bytes(),
            "key `nobody` is not known",
        ),
        (
            Call {
                tag: Some("other"),
                ..call("f")
            }
            .bytes(),
            "no signature has the tag that is expected here",
        ),
        (
            Call {
                tag: None,
                ..call("g")
            }
            .bytes(),
            "no signature has the tag that is expected here",
        ),
        (
            Call {
                nonce: None,
                ..call("h")
            }
            .bytes(),
            "the signature has no `nonce`",
        ),
        (
            Call {
                age: 120,
                ..call("i")
            }
            .bytes(),
            "the signature is … older than allowed",
        ),
        (
            Call {
                age: -40,
                ..call("j")
            }
            .bytes(),
            "the signature was created … in the future",
        ),
        (
            Call {
                covers: Some(vec![
                    "@method",
                    "@authority",
                    "@path",
                    "@query",
                    "content-type",
                ]),
                ..call("k")
            }
            .bytes(),
            "the content is not covered: its `content-digest` is not signed",
        ),
        (
            Call {
                covers: Some(vec![
                    "@method",
                    "@path",
                    "@query",
                    "content-type",
                    "content-digest",
                ]),
                ..call("l")
            }
            .bytes(),
            "`@authority` is not covered",
        ),
        // The key of another identity, under the tag of the first.
        (
            Call {
                key: &stage.ops,
                key_id: "ops",
                ..call("m")
            }
            .bytes(),
            "key `ops` is not known",
        ),
        // Signed for outside, and sent to the inside.
        (
            Call {
                scheme: "https",
                authority: "agents.example".to_owned(),
                ..call("n")
            }
            .bytes(),
            "the signature does not verify",
        ),
        (
            Call {
                key: &stage.edge,
                key_id: "edge-1",
                tag: Some("edge"),
                ..call("o")
            }
            .bytes(),
            "the signature does not verify",
        ),
    ];
    for (count, (bytes, detail)) in (2..).zip(&cases) {
        let answer = stage.raw("POST", bytes).await;
        let record = stage.record(count).await;
        assert_eq!(answer.status(), 401, "{detail}: {record}");
        assert_eq!(record["reason"], "credential-invalid", "{detail}");
        // Seconds pass while it is on its way.
        let said = record["detail"].as_str().unwrap();
        let (begin, end) = detail.split_once('…').unwrap_or((detail, ""));
        assert!(said.starts_with(begin) && said.ends_with(end), "{said}");
        assert_eq!(record["principal"], Value::Null, "{detail}");
        assert!(!answer.text().contains("digest"), "{}", answer.text());
        let challenges: Vec<_> = answer.values("www-authenticate").collect();
        assert!(
            challenges.contains(&"Signature realm=\"lictor\""),
            "{challenges:?}"
        );
        let wanted = answer.field("accept-signature").unwrap();
        let digest = match bytes.ends_with(b"\r\n\r\n") && !bytes.ends_with(b"0\r\n\r\n") {
            true => "",
            false => " \"content-digest\"",
        };
        let first = format!(
            "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\"{digest});created;expires;tag=\"lictor\", "
        );
        assert!(wanted.starts_with(&first), "{wanted}");
    }
    assert_eq!(stage.seen().len(), 1);
}

#[tokio::test]
async fn who_did_not_sign_is_told_what_to_sign() {
    let stage = Stage::new().await;
    let answer = stage
        .raw("GET", b"GET /reports HTTP/1.1\r\nhost: agent.test\r\n\r\n")
        .await;
    assert_eq!(answer.status(), 401);
    let wanted = answer.field("accept-signature").unwrap();
    assert!(
        wanted.starts_with("sig1=(\"@method\" \"@authority\" \"@path\" \"@query\");created"),
        "{wanted}"
    );
    // Half a signature is not none.
    let half = b"GET /reports HTTP/1.1\r\nhost: agent.test\r\nsignature: sig=:AAAA:\r\n\r\n";
    assert_eq!(stage.raw("GET", half).await.status(), 401);
    let record = stage.record(2).await;
    assert_eq!(
        record["detail"],
        "there is no `signature-input` field to go with the other"
    );
}

#[tokio::test]
async fn a_nonce_is_remembered_across_a_reload() {
    let stage = Stage::new().await;
    let bytes = stage.call("once").bytes();
    assert_eq!(stage.raw("POST", &bytes).await.status(), 200);
    stage.lictor.rewrite_policy(&format!("{POLICY}# changed\n"));
    eventually("the new policy", async || {
        let fresh = stage.call(&uuid::Uuid::now_v7().to_string());
        stage.send(&fresh).await;
        let generation = stage.lictor.audit().last()?["generation"]["number"].as_u64()?;
        (generation > 1).then_some(())
    })
    .await;
    assert_eq!(stage.raw("POST", &bytes).await.status(), 401);
    let remembered = eventually("the metric", async || {
        let name = "lictor_replay_entries";
        stage
            .lictor
            .metric(name)
            .await
            .filter(|count| *count >= 2.0)
    });
    remembered.await;
}

#[tokio::test]
async fn a_changed_file_of_keys_counts_at_once() {
    let stage = Stage::new().await;
    let next = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let holder = json!({ "sub": "ben@acme", "tenant": "acme", "groups": ["staff"] });
    let file = stage.lictor.policies().join("../desk-jwks.json");
    assert_eq!(stage.send(&stage.call("n1")).await.status(), 200);
    fs::write(&file, jwks(&next, "desk-2", &holder)).unwrap();
    let with_next = |nonce: &str| Call {
        key: &next,
        key_id: "desk-2",
        ..stage.call(nonce)
    };
    // Its files are read again when a key is missing, but not twice in a moment.
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(stage.send(&with_next("n2")).await.status(), 200);
    assert_eq!(stage.record(2).await["principal"], "ben@acme");
    assert_eq!(stage.send(&stage.call("n3")).await.status(), 401);
    // A broken file leaves the last good keys in use.
    fs::write(&file, "{\"keys\":[]}").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(stage.send(&with_next("n4")).await.status(), 200);
}

#[tokio::test]
async fn content_is_held_until_it_was_compared_within_the_limit() {
    let stage = Stage::new().await;
    // Nothing in it decides, so that unsigned it would be passed on as it comes.
    let upload = |nonce: &str, size: usize| Call {
        method: "PUT",
        target: "/reports/7".to_owned(),
        fields: vec![(
            "content-type".to_owned(),
            "application/octet-stream".to_owned(),
        )],
        body: vec![b'x'; size],
        ..stage.call(nonce)
    };
    assert_eq!(stage.send(&upload("a", 60_000)).await.status(), 200);
    let mut changed = upload("b", 60_000);
    let mut body = changed.body.clone();
    *body.last_mut().unwrap() = b'y';
    changed.sent_body = Some(body);
    assert_eq!(stage.send(&changed).await.status(), 401);
    assert_eq!(stage.send(&upload("c", 70_000)).await.status(), 413);
    let chunked = Call {
        chunked: true,
        ..upload("d", 70_000)
    };
    assert_eq!(stage.send(&chunked).await.status(), 413);
    let seen = stage.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body.len(), 60_000);
}

#[tokio::test]
async fn what_somebody_signed_is_refused_and_not_redacted() {
    let leaks = "leaks: { direction: request, packs: { credentials: redact } }\n";
    let stage = Stage::under(&format!("{POLICY}{leaks}")).await;
    let mut call = stage.call("n-redact-1");
    assert_eq!(stage.send(&call).await.status(), 200);
    call.nonce = Some("n-redact-2".to_owned());
    call.body = json!({ "key": secrets::github_token(46) })
        .to_string()
        .into_bytes();
    let got = stage.send(&call).await;
    assert_eq!(got.status(), 403, "{got:?}");
    assert_eq!(stage.record(2).await["reason"], "request-leak");
    assert_eq!(stage.seen().len(), 1);
}

#[tokio::test]
async fn a_token_beside_a_signature_must_be_signed_and_of_the_same_tenant() {
    let stage = Stage::new().await;
    let token = |org: &str| {
        let now = clock::wall().as_second();
        let claims = json!({"iss": "https://idp.example", "aud": "agent", "sub": "eva", "org": org,
            "iat": now, "exp": now + 600});
        format!("Bearer {}", stage.minter.mint(&claims).unwrap())
    };
    let with = |nonce: &str, org: &str| {
        let mut call = stage.call(nonce);
        call.fields.push(("authorization".to_owned(), token(org)));
        call
    };
    assert_eq!(stage.send(&with("a", "acme")).await.status(), 200);
    let record = stage.record(1).await;
    assert_eq!(record["principal"], "ana@acme");
    assert_eq!(record["beside"][0]["principal"], "eva");
    assert_eq!(stage.send(&with("b", "globex")).await.status(), 403);
    // Put beside it by somebody else.
    let bytes = String::from_utf8(stage.call("c").bytes()).unwrap();
    let added = format!("host: agent.test\r\nauthorization: {}\r\n", token("acme"));
    let bytes = bytes.replace("host: agent.test\r\n", &added);
    assert_eq!(stage.raw("POST", bytes.as_bytes()).await.status(), 401);
    assert_eq!(
        stage.record(3).await["detail"],
        "`authorization` is not covered"
    );
}

/// Whether an answer is signed with this key, bound to a request, and covers what it should.
fn check_answer(
    answer: &Message,
    key: &SigningKey,
    request: Request<'_>,
    covers: &[&str],
) -> Result<Option<ContentDigest>, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let keys = VerifyingKeys::parse(jwks(key, "answers", &json!({})).as_bytes(), KeyKind::Public);
    let requirements = Requirements {
        covers: covers
            .iter()
            .map(|text| Requirement {
                component: Component::parse(text).unwrap(),
                when: When::Always,
            })
            .collect(),
        nonces: Nonces::Optional,
        expires: false,
        ..Profile::Lictor.requirements()
    };
    let acceptance = Acceptance {
        identity: "agent",
        tag: Some("lictor"),
        requirements: &requirements,
        bound_for: None,
        algorithm: None,
        keys: &keys.unwrap(),
    };
    let fields = Fields::of(&headers).unwrap().ok_or("no signature")?;
    let signatures = Signatures::parse(&fields).unwrap();
    let message = Signable::Response {
        status: answer.status(),
        headers: &headers,
        request: Some(request),
    };
    let accepted = choose(&signatures, &[acceptance])
        .and_then(|chosen| chosen.verify(&message, false, clock::wall().as_second()))
        .map_err(|error| error.to_string())?;
    Ok(accepted.digest)
}

#[tokio::test]
async fn answers_are_signed_where_the_policy_asks() {
    let upstream = Upstream::json(json!({ "fine": true })).await;
    let setup = Setup::new(upstream.address);
    let home = setup.home().to_owned();
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .unwrap()
        .serialize_pem();
    fs::write(home.join("answers.pem"), &pem).unwrap();
    let key = SigningKey::parse(pem.as_bytes(), None).unwrap();
    let desk = SigningKey::generate(Algorithm::Ed25519).unwrap();
    fs::write(
        home.join("desk-jwks.json"),
        jwks(&desk, "desk-1", &json!({})),
    )
    .unwrap();
    let policy = r#"lictor: v1
identities:
  desk: { signature: { keys: { file: ../desk-jwks.json } } }
roles:
  desk: { allow: ["http:* /**"], to: { identity: desk } }
http:
  signResponses: { key: { file: ../answers.pem }, keyid: answers }
leaks:
  packs: { credentials: block }
"#;
    let stage = Stage {
        lictor: setup.policy(policy).start().await,
        upstream,
        edge: SigningKey::generate(Algorithm::Ed25519).unwrap(),
        ops: SigningKey::from_secret(SECRET).unwrap(),
        minter: TokenMinter::generate(TokenAlgorithm::EdDsa).unwrap(),
        desk,
    };
    let call = stage.call("n1");
    let bytes = call.bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let signature = text
        .lines()
        .find_map(|line| line.strip_prefix("signature: "))
        .unwrap();
    let mut sent = HeaderMap::new();
    sent.insert("signature", HeaderValue::from_str(signature).unwrap());
    let request = Request {
        method: "POST",
        scheme: "http",
        authority: "agent.test",
        path: "/reports",
        query: Some("x=1"),
        target: None,
        headers: &sent,
    };
    let covers = [
        "@status",
        "content-type",
        "content-digest",
        "@method;req",
        "@path;req",
        "@query;req",
        "signature;req;key=\"sig\"",
    ];
    for status in [200, 401] {
        // The second time it is a replay.
        let answer = stage.raw("POST", &bytes).await;
        assert_eq!(answer.status(), status);
        let digest = check_answer(&answer, &key, request, &covers)
            .unwrap()
            .unwrap();
        assert_eq!(digest.check(&answer.body), Ok(()), "{status}");
        // To another request it does not belong, nor with another status.
        let other = Request {
            method: "PUT",
            ..request
        };
        let judged = check_answer(&answer, &key, other, &covers);
        assert_eq!(judged.unwrap_err(), "the signature does not verify");
        let mut changed = answer;
        changed.line = "HTTP/1.1 204 No Content".to_owned();
        assert!(check_answer(&changed, &key, request, &covers).is_err());
    }
    let head = b"HEAD /reports HTTP/1.1\r\nhost: agent.test\r\n\r\n";
    let answer = stage.raw("HEAD", head).await;
    assert_eq!(answer.field("content-digest"), None);
    let request = Request {
        method: "HEAD",
        query: None,
        headers: &HeaderMap::new(),
        ..request
    };
    let judged = check_answer(&answer, &key, request, &["@status", "@method;req"]);
    assert_eq!(judged, Ok(None));
}

/// A server over TLS that gives each who asks this document. Ends with the runtime.
async fn serving(certificates: &Certificates, document: String) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = certificates.acceptor(b"http/1.1");
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{document}",
        document.len()
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut asked = [0; 4096];
            let _asked = stream.read(&mut asked).await;
            let _sent = stream.write_all(answer.as_bytes()).await;
            let _closed = stream.shutdown().await;
        }
    });
    address
}

#[tokio::test]
async fn a_key_is_fetched_where_the_signature_says_that_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::generate(folder.path());
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let address = serving(&certificates, jwks(&key, "a", &json!({}))).await;
    let at = |path: &str| format!("https://localhost:{}{path}", address.port());
    let policy = format!(
        "lictor: v1\nidentities:\n  agents:\n    signature:\n      keyUrls: {{ allow: \"{}\", ca: \"{}\", dangerousPrivateAddresses: true, \
         tenant: acme, groups: [agents] }}\nroles:\n  agents: {{ allow: [\"http:* /**\"], to: {{ groups: [agents] }} }}\n",
        at("/keys/*"),
        certificates.ca.display(),
    );
    let mut stage = Stage::under(&policy).await;
    stage.desk = key;
    let (listed, other) = (at("/keys/a"), at("/others/a"));
    for (index, (key_id, status)) in [(&listed, 200), (&listed, 200), (&other, 401)]
        .iter()
        .enumerate()
    {
        let nonce = format!("n{index}");
        let call = Call {
            key_id,
            ..stage.call(&nonce)
        };
        let answer = stage.send(&call).await;
        let record = stage.record(index + 1).await;
        assert_eq!(answer.status(), *status, "{record}");
        if *status == 200 {
            assert_eq!(record["principal"], listed.as_str());
            assert_eq!([&record["identity"], &record["tenant"]], ["agents", "acme"]);
        }
    }
    // Signed by another key than the one that lies there.
    let stranger = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let call = Call {
        key: &stranger,
        key_id: &listed,
        ..stage.call("n9")
    };
    assert_eq!(stage.send(&call).await.status(), 401);
    assert_eq!(stage.seen().len(), 2);
}
