//! The agent's card as callers get it: addresses, credentials, skills, signatures, and what is told of changes.

#![cfg(test)]

use std::fs;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lictor::identity::MadeKey;
use lictor::identity::signature::{Algorithm, SigningKey};
use serde_json::{Value, json};

use support::eventually;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream};

mod support;

const CARD: &str = "/.well-known/agent-card.json";

/// Staff may ask for everything but what is locked, readers for one skill.
const POLICY: &str = r#"lictor: v1
identities:
  partners: { apiKey: { header: x-api-key, keys: { file: ../keys.json } } }
roles:
  staff: { allow: "a2a:*", to: { groups: [staff] } }
  readers: { allow: ["a2a:SendMessage echo", "a2a:GetExtendedAgentCard"], to: { groups: [readers] } }
rules:
  locked: { deny: "a2a:SendMessage locked" }
  locked-streams: { deny: "a2a:SendStreamingMessage locked" }
http:
  agentCard:
    publicUrl: https://agents.example/quotes
"#;

/// An agent with a card of 1.0 and of 0.3 at once.
fn card(port: u16) -> Value {
    json!({
        "name": "Quotes", "description": "€ and more", "version": "1.0",
        "supportedInterfaces": [
            {"url": format!("http://localhost:{port}/a2a"), "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": ""},
            {"url": "https://elsewhere.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        ],
        "url": format!("http://127.0.0.1:{port}/"), "preferredTransport": "JSONRPC", "protocolVersion": "0.3.0",
        "capabilities": {"streaming": false},
        "securitySchemes": {"own": {"httpAuthSecurityScheme": {"scheme": "Basic"}}},
        "security": [{"own": []}],
        "defaultInputModes": [], "defaultOutputModes": ["text/plain"],
        "skills": [
            {"id": "echo", "name": "Echo", "description": "", "tags": ["a"], "security": [{"own": []}]},
            {"id": "locked", "name": "Locked", "description": "", "tags": []},
            {"id": "trade", "name": "Trade", "description": "", "tags": []},
        ],
        "signatures": [{"protected": "e30", "signature": "AAAA"}],
    })
}

/// Before an agent whose card a test may change.
struct Stage {
    lictor: Lictor,
    agent: Upstream,
    card: Arc<Mutex<String>>,
    staff: MadeKey,
    reader: MadeKey,
    signing: SigningKey,
}

impl Stage {
    async fn new(policy: &str, make: impl FnOnce(u16) -> Value) -> Self {
        let card = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&card);
        let agent =
            Upstream::scripted(move |request| answer(&shown.lock().unwrap(), request)).await;
        *card.lock().unwrap() = make(agent.address.port()).to_string();
        let setup = Setup::new(agent.address);
        let (staff, reader) = (MadeKey::random().unwrap(), MadeKey::random().unwrap());
        let keys = json!({"keys": [
            {"id": "ana", "sha256": staff.sha256(), "tenant": "acme", "groups": ["staff"]},
            {"id": "ben", "sha256": reader.sha256(), "tenant": "acme", "groups": ["readers"]},
        ]});
        fs::write(setup.home().join("keys.json"), keys.to_string()).unwrap();
        let (pem, signing) = own_key();
        fs::write(setup.home().join("card.pem"), pem).unwrap();
        let mut pinned = Value::Object(agent_key().public_jwk().unwrap());
        pinned["kid"] = json!(agent_key().name());
        let pinned = json!({"keys": [pinned]});
        fs::write(setup.home().join("agent-card.json"), pinned.to_string()).unwrap();
        Self {
            lictor: setup.policy(policy).start().await,
            agent,
            card,
            staff,
            reader,
            signing,
        }
    }

    async fn ask(&self, line: &str, fields: &str, body: &str) -> Message {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: agent\r\n{fields}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len(),
        );
        let method = line.split(' ').next().unwrap();
        let mut client = self.lictor.client().await;
        client.exchange(method, request.as_bytes()).await
    }

    async fn public(&self) -> Message {
        self.ask(&format!("GET {CARD}"), "", "").await
    }

    async fn extended(&self, who: &MadeKey) -> Message {
        let body = r#"{"jsonrpc":"2.0","id":1.5,"method":"GetExtendedAgentCard"}"#;
        let key = format!("x-api-key: {}\r\n", who.reveal());
        self.ask("POST /", &key, body).await
    }
}

/// What the agent answers: its card in all places.
fn answer(card: &str, request: &Message) -> Vec<Step> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = match body["method"].is_string() {
        true => format!(r#"{{"jsonrpc":"2.0","id":{},"result":{card}}}"#, body["id"]),
        false => card.to_owned(),
    };
    vec![Step::text(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"agent\"\r\nlast-modified: Fri, 20 Nov 2026 13:38:33 GMT\r\n\
         content-digest: sha-256=:AAAA:\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    ))]
}

/// The key that lictor signs with, once as a file.
fn own_key() -> (String, SigningKey) {
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .unwrap()
        .serialize_pem();
    let key = SigningKey::parse(pem.as_bytes(), None).unwrap();
    (pem, key)
}

/// The key of the agent: the same in all tests.
fn agent_key() -> &'static SigningKey {
    static KEY: std::sync::OnceLock<SigningKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::Ed25519).unwrap())
}

/// Signs a card as an agent does whose card has neither defaults nor keys that sort in two ways: `serde_json` sorts them,
/// and that is the canonical form then.
fn signed(mut card: Value, key: &SigningKey) -> Value {
    card.as_object_mut().unwrap().remove("signatures");
    let header = json!({"alg": "EdDSA", "kid": key.name().unwrap(), "typ": "JOSE"});
    let protected = URL_SAFE_NO_PAD.encode(header.to_string());
    let payload = URL_SAFE_NO_PAD.encode(card.to_string());
    let signature = key.sign(format!("{protected}.{payload}").as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(signature.unwrap());
    card["signatures"] = json!([{"protected": protected, "signature": signature}]);
    card
}

/// The plain texts that the signatures of a card are over, as far as an independent reader verifies them.
fn verified(card: &Value, key: &SigningKey) -> Vec<String> {
    let jwk = key.public_jwk().unwrap();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let point = [vec![4], part("x"), part("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    let mut plain = card.clone();
    let signatures = plain.as_object_mut().unwrap().remove("signatures").unwrap();
    // Three readers: the letter of the specification, all of the card, and one that drops what is empty or unknown.
    let mut specified = plain.clone();
    specified["supportedInterfaces"][0]
        .as_object_mut()
        .unwrap()
        .remove("tenant");
    for requirement in specified["securityRequirements"].as_array_mut().unwrap() {
        for list in requirement["schemes"].as_object_mut().unwrap().values_mut() {
            list.as_object_mut().unwrap().remove("list");
        }
    }
    let mut known = plain.clone();
    for gone in ["url", "preferredTransport", "protocolVersion", "security"] {
        known.as_object_mut().unwrap().remove(gone);
    }
    known["securitySchemes"] =
        json!({"partners": {"apiKeySecurityScheme": {"location": "header", "name": "x-api-key"}}});
    let known = without_empty(known).unwrap();
    let texts = [specified, plain, known].map(|text| text.to_string());
    let signatures = signatures.as_array().unwrap().iter();
    let over = signatures.map(|made| {
        let protected = made["protected"].as_str().unwrap();
        let header: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(protected).unwrap()).unwrap();
        assert_eq!(
            (&header["alg"], &header["typ"]),
            (&json!("ES256"), &json!("JOSE"))
        );
        let signature = URL_SAFE_NO_PAD
            .decode(made["signature"].as_str().unwrap())
            .unwrap();
        let text = texts.iter().find(|text| {
            let signed = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(text));
            key.verify(signed.as_bytes(), &signature).is_ok()
        });
        text.expect("a signature over one of the three").clone()
    });
    over.collect()
}

fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.into_iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(items.into())
        }
        Value::Object(members) => {
            let members = members.into_iter();
            let members: serde_json::Map<_, _> = members
                .filter_map(|(key, value)| Some((key, without_empty(value)?)))
                .collect();
            (!members.is_empty()).then_some(members.into())
        }
        Value::String(text) => (!text.is_empty()).then_some(text.into()),
        value => Some(value),
    }
}

fn skills(card: &Value) -> Vec<&str> {
    let skills = card["skills"].as_array().unwrap().iter();
    skills.map(|skill| skill["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn callers_are_told_of_lictor_and_not_of_the_agent() {
    let stage = Stage::new(POLICY, card).await;
    for path in [
        CARD,
        "/.well-known/agent.json",
        "/base/.well-known/agent-card.json",
    ] {
        let answer = stage.ask(&format!("GET {path}"), "", "").await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let told = answer.json();
        let interface = json!([{"url": "https://agents.example/quotes/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": ""}]);
        assert_eq!(told["supportedInterfaces"], interface);
        assert_eq!(told["url"], "https://agents.example/quotes/");
        assert_eq!(told["security"], json!([{"partners": []}]));
        assert_eq!(
            told["securityRequirements"],
            json!([{"schemes": {"partners": {"list": []}}}])
        );
        assert_eq!(told["securitySchemes"]["partners"]["type"], "apiKey");
        assert_eq!(told["signatures"], Value::Null);
        assert_eq!(
            skills(&told),
            ["echo", "trade"],
            "what nobody may ask for is hidden"
        );
        assert!(!answer.text().contains("elsewhere") && !answer.text().contains("127.0.0.1"));
        assert_eq!(answer.field("content-digest"), None);
        assert_eq!(answer.field("last-modified"), None);
        assert_eq!(answer.field("cache-control"), Some("max-age=300"));
    }
}

#[tokio::test]
async fn the_extended_card_shows_what_its_reader_may_ask_for() {
    let stage = Stage::new(POLICY, card).await;
    let (staff, reader) = (
        stage.extended(&stage.staff).await,
        stage.extended(&stage.reader).await,
    );
    assert!(staff.text().contains(r#""id":1.5"#), "{}", staff.text());
    assert_eq!(skills(&staff.json()["result"]), ["echo", "trade"]);
    assert_eq!(skills(&reader.json()["result"]), ["echo"]);
    assert_eq!(reader.field("cache-control"), Some("private"));
    assert_eq!(reader.field("etag"), None);
    let key = format!(
        "x-api-key: {}\r\na2a-version: 1.0\r\n",
        stage.reader.reveal()
    );
    let rest = stage.ask("GET /extendedAgentCard", &key, "").await;
    assert_eq!(skills(&rest.json()), ["echo"]);
    assert_eq!(rest.field("cache-control"), Some("private"));
    assert!(rest.field("etag").is_some());
}

#[tokio::test]
async fn who_has_the_card_is_not_sent_it_again() {
    let stage = Stage::new(POLICY, card).await;
    let first = stage.public().await;
    let tag = first.field("etag").unwrap().to_owned();
    assert!(tag.starts_with("W/\"") && tag != "\"agent\"", "{tag}");
    let ask = |tag: &str| {
        format!("if-none-match: {tag}\r\nif-modified-since: Fri, 20 Nov 2026 13:38:33 GMT\r\n")
    };
    let again = stage.ask(&format!("GET {CARD}"), &ask(&tag), "").await;
    assert_eq!((again.status(), again.text().as_str()), (304, ""));
    assert_eq!(again.field("etag"), Some(&*tag));
    let other = stage
        .ask(&format!("GET {CARD}"), &ask("\"agent\""), "")
        .await;
    assert_eq!(other.status(), 200);
    let head = stage.ask(&format!("HEAD {CARD}"), "", "").await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.field("etag"), Some(&*tag));
    assert_eq!(head.field("content-length"), first.field("content-length"));
    assert_eq!(head.text(), "");
    for asked in stage.agent.requests() {
        assert_eq!(asked.method(), "GET");
        assert_eq!(asked.field("if-none-match"), None);
        assert_eq!(asked.field("if-modified-since"), None);
    }
    *stage.card.lock().unwrap() = card(stage.agent.address.port())
        .to_string()
        .replace("Quotes", "Offers");
    let changed = stage.ask(&format!("GET {CARD}"), &ask(&tag), "").await;
    assert_eq!(changed.status(), 200);
}

#[tokio::test]
async fn what_is_told_is_signed_in_each_form_that_is_in_use() {
    let policy = format!("{POLICY}    sign: {{ key: {{ file: ../card.pem }}, keyid: agents }}\n");
    let stage = Stage::new(&policy, card).await;
    let first = stage.public().await;
    assert_eq!(first.status(), 200, "{}", first.text());
    let over = verified(&first.json(), &stage.signing);
    assert_eq!(over.len(), 3, "{over:#?}");
    assert_eq!(stage.public().await.text(), first.text(), "not signed anew");
    let extended = stage.extended(&stage.reader).await.json();
    assert_eq!(verified(&extended["result"], &stage.signing).len(), 3);
    let set = support::client::Client::connect(stage.lictor.admin)
        .await
        .get("/jwks.json")
        .await
        .json();
    assert_eq!(set["keys"][0]["kid"], "agents");
    assert_eq!(
        set["keys"][0]["x"],
        stage.signing.public_jwk().unwrap()["x"]
    );
    assert_eq!(set["keys"][0]["d"], Value::Null);
}

#[tokio::test]
async fn what_is_redacted_is_not_signed_and_a_new_key_makes_a_new_tag() {
    let policy = format!(
        "{POLICY}    sign: {{ key: {{ file: ../card.pem }}, keyid: agents }}\nleaks: {{ packs: {{ pii: redact }} }}\n"
    );
    let stage = Stage::new(&policy, |port| {
        let mut card = card(port);
        card["description"] = json!("ask ana.miller@quotes-desk.io");
        card
    })
    .await;
    let first = stage.public().await;
    assert!(!first.text().contains("ana.miller"), "{}", first.text());
    assert_eq!(verified(&first.json(), &stage.signing).len(), 3);

    // Under the same name: a caller must not keep a card that the old key signed.
    let (pem, signing) = own_key();
    let file = stage.lictor.policies().join("../card.pem");
    fs::write(&file, pem).unwrap();
    let tag = first.field("etag").unwrap();
    let fields = format!("if-none-match: {tag}\r\n");
    let next = eventually("the new key", async || {
        let next = stage.ask(&format!("GET {CARD}"), &fields, "").await;
        (next.status() == 200).then_some(next)
    });
    assert_eq!(verified(&next.await.json(), &signing).len(), 3);
}

#[tokio::test]
async fn a_card_that_the_agent_did_not_sign_is_refused() {
    let policy = format!("{POLICY}    verify: {{ keys: {{ file: ../agent-card.json }} }}\n");
    let plain =
        |port| json!({"name": "q", "url": format!("http://127.0.0.1:{port}/"), "version": "1"});
    let stage = Stage::new(&policy, |port| signed(plain(port), agent_key())).await;
    let good = stage.public().await;
    assert_eq!(good.status(), 200, "{}", good.text());
    assert_eq!(
        good.json()["signatures"],
        Value::Null,
        "what it signed has changed"
    );

    let port = stage.agent.address.port();
    let stranger = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let good = signed(plain(port), agent_key());
    let mut changed = good.clone();
    changed["name"] = json!("another");
    let mut none = good.clone();
    none["signatures"][0]["protected"] = json!(URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
    let elsewhere = json!({"url": "https://elsewhere.example/"});
    let cases = [
        (changed.to_string(), "no signature"),
        (signed(plain(port), &stranger).to_string(), "no signature"),
        (none.to_string(), "no signature"),
        (plain(port).to_string(), "not signed"),
        (
            good.to_string().replacen('{', r#"{"name":"x","#, 1),
            "two ways",
        ),
        ("<html>".to_owned(), "cannot be read"),
        (signed(elsewhere, agent_key()).to_string(), "no interface"),
    ];
    for (card, _) in &cases {
        stage.card.lock().unwrap().clone_from(card);
        let refused = stage.public().await;
        assert_eq!(refused.status(), 502, "{card}: {}", refused.text());
    }
    let records = eventually("the records", async || {
        let records = stage.lictor.audit();
        (records.len() == cases.len() + 1).then_some(records)
    });
    for (record, (card, why)) in records.await.iter().skip(1).zip(&cases) {
        assert_eq!(record["reason"], "upstream-invalid");
        let detail = record["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{card}: {detail}");
    }
}

#[tokio::test]
async fn an_unsigned_card_passes_where_the_policy_says_so() {
    let policy = format!(
        "{POLICY}    verify: {{ keys: {{ file: ../agent-card.json }}, unsigned: accept }}\n"
    );
    let stage = Stage::new(
        &policy,
        |port| json!({"url": format!("http://127.0.0.1:{port}/")}),
    )
    .await;
    assert_eq!(stage.public().await.status(), 200);
    let bad = signed(
        json!({"url": "x"}),
        &SigningKey::generate(Algorithm::Ed25519).unwrap(),
    );
    *stage.card.lock().unwrap() = bad.to_string();
    assert_eq!(stage.public().await.status(), 502);
}

#[tokio::test]
async fn a_change_of_the_card_is_told() {
    let stage = Stage::new(POLICY, card).await;
    for _ in 0..2 {
        assert_eq!(stage.public().await.status(), 200);
    }
    let changes = "lictor_agent_card_changes_total";
    assert_eq!(stage.lictor.metric(changes).await, Some(0.0));
    let port = stage.agent.address.port();
    *stage.card.lock().unwrap() = card(port).to_string().replace("Echo", "Echoes");
    // Neither a query nor an extended card counts: those may differ for each caller.
    stage.ask(&format!("GET {CARD}?v=2"), "", "").await;
    stage.extended(&stage.staff).await;
    assert_eq!(stage.lictor.metric(changes).await, Some(0.0));
    stage.public().await;
    stage.public().await;
    assert_eq!(stage.lictor.metric(changes).await, Some(1.0));
    let notes = eventually("the note", async || {
        let notes = stage.lictor.notes("card");
        (!notes.is_empty()).then_some(notes)
    });
    let notes = notes.await;
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0]["path"], CARD);
    assert_ne!(notes[0]["sha256"], notes[0]["previous"]);
    assert!(stage.lictor.log().contains("card has changed"));
}

#[tokio::test]
async fn without_the_section_a_card_passes_as_it_is() {
    let policy = POLICY.split("http:").next().unwrap();
    let stage = Stage::new(policy, card).await;
    let answer = stage.public().await;
    assert_eq!(answer.text(), *stage.card.lock().unwrap());
    assert_eq!(answer.field("etag"), Some("\"agent\""));
}

#[tokio::test]
async fn what_is_no_card_does_not_pass_for_one() {
    let agent = Upstream::json(json!({"no": "card"})).await;
    let lictor = Lictor::spawn(
        "lictor: v1\nrules: { all: { allow: \"a2a:*\", from: { anonymous: true } } }\nhttp: { agentCard: { publicUrl: \"https://a.example\" } }\n",
        agent.address,
    )
    .await;
    assert_eq!(lictor.client().await.get(CARD).await.status(), 502);
}
