//! The table of `tests/data/signatures/bad.json`: signatures that must not count, each with its reason.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NOW, Owned};
use crate::identity::replay::{Mark, Once, OwnMemory};
use crate::identity::signature::fields::joined;
use crate::identity::signature::{
    Acceptance, Algorithm, Fields, KeyKind, Message, Profile, SignatureError, Signatures,
    SigningKey, VerifyingKeys, base, choose,
};

#[derive(Deserialize)]
struct Table {
    covers: String,
    params: String,
    cases: Vec<Case>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: String,
    covers: Option<String>,
    params: Option<String>,
    input: Option<Vec<String>>,
    signature: Option<Vec<String>>,
    pad_input: Option<usize>,
    pad_signature: Option<usize>,
    digest: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    signed_by: Option<String>,
    change: Option<String>,
    #[serde(default)]
    known_key: bool,
    #[serde(default)]
    sent: Sent,
}

/// What is changed after signing.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Sent {
    method: Option<String>,
    path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    query: Option<Option<String>>,
    authority: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    add: Vec<(String, String)>,
    body: Option<String>,
    #[serde(default)]
    redigest: bool,
}

/// `null` is something else than nothing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

struct Keys {
    signing: HashMap<&'static str, SigningKey>,
    public: VerifyingKeys,
    shared: VerifyingKeys,
}

const SECRET: &[u8] = &[7; 32];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut signing = HashMap::new();
    let mut entries = Vec::new();
    let long = "k".repeat(513);
    for (name, algorithm) in [
        ("ed25519", Algorithm::Ed25519),
        ("p256", Algorithm::EcdsaP256Sha256),
        ("p384", Algorithm::EcdsaP384Sha384),
        ("pss", Algorithm::RsaPssSha512),
        ("v15", Algorithm::RsaV15Sha256),
        ("ed25519-other", Algorithm::Ed25519),
    ] {
        let key = SigningKey::generate(algorithm).unwrap();
        let mut jwk = key.public_jwk().unwrap();
        if name == "ed25519" {
            let x = jwk["x"].as_str().unwrap();
            let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD
                .decode(x)
                .unwrap();
            let confused = SigningKey::from_secret(&raw).unwrap();
            signing.insert("hmac-of-public-key", confused);
        }
        let name_of = if name == "ed25519-other" {
            long.as_str()
        } else {
            name
        };
        jwk.insert("kid".to_owned(), json!(name_of));
        entries.push(Value::Object(jwk));
        signing.insert(name, key);
    }
    let public = json!({ "keys": entries }).to_string();
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(SECRET);
    let shared = json!({ "keys": [{ "kty": "oct", "kid": "hmac", "k": secret }] }).to_string();
    signing.insert("hmac", SigningKey::from_secret(SECRET).unwrap());
    Keys {
        public: VerifyingKeys::parse(public.as_bytes(), KeyKind::Public).unwrap(),
        shared: VerifyingKeys::parse(shared.as_bytes(), KeyKind::Shared).unwrap(),
        signing,
    }
});

const BODY: &str = r#"{"amount":10}"#;

/// The message that the cases change.
fn message(case: &Case) -> Owned {
    let mut message = Owned::post("/a2a?a=1&b=1&b=2&c=1&%63=2&d+e=1", BODY.as_bytes());
    message.field("content-type", "application/json");
    for (name, value) in &case.headers {
        message.field(name, value);
    }
    let digest = case.digest.as_deref().unwrap_or("sha-256=:{sha256}:");
    message.field("content-digest", digest.replace("{sha256}", &sha256(BODY)));
    message
}

fn sha256(text: &str) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

/// `{now}`, `{now-5}` and the like, and `{nonce}`.
fn filled(text: &str, nonce: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{now") {
        let (offset, after) = after.split_once('}').unwrap();
        let offset: i64 = if offset.is_empty() {
            0
        } else {
            offset.parse().unwrap()
        };
        filled.push_str(&format!("{before}{}", NOW + offset));
        rest = after;
    }
    filled.push_str(rest);
    filled.replace("{nonce}", nonce)
}

/// What the key makes of the message, if it can be signed at all.
fn sign(message: &Owned, inner: &str, key: &SigningKey) -> Vec<u8> {
    let mut signed = message.clone();
    signed.field("signature-input", format!("sig={inner}"));
    signed.field("signature", "sig=:AAAA:");
    let base = (|| {
        let fields = Fields::of(&signed.headers).ok()??;
        let signatures = Signatures::parse(&fields).ok()?;
        let components = signatures.iter().next()?.components().ok()?;
        base::write(&Message::Request(message.request()), &components, inner).ok()
    })();
    base.map_or_else(|| vec![0; 64], |base| key.sign(base.as_bytes()).unwrap())
}

fn changed(signature: Vec<u8>, change: Option<&str>) -> Vec<u8> {
    let half = signature.len() / 2;
    let (r, s) = signature.split_at(half);
    let zero = vec![0; half];
    match change {
        None => signature,
        Some("empty") => Vec::new(),
        Some("truncated") => signature[..signature.len() - 1].to_vec(),
        Some("extended") => [&*signature, &[0]].concat(),
        Some("zero") => vec![0; signature.len()],
        Some("ones") => vec![0xff; signature.len()],
        Some("flipped") => {
            let mut flipped = signature;
            flipped[half] ^= 1;
            flipped
        }
        Some("exchanged") => [s, r].concat(),
        Some("r-zero") => [&zero, s].concat(),
        Some("s-zero") => [r, &zero].concat(),
        Some("der") => {
            let integer = |number: &[u8]| {
                let first = number.iter().position(|byte| *byte != 0).unwrap_or(0);
                let mut number = number[first..].to_vec();
                if number[0] >= 0x80 {
                    number.insert(0, 0);
                }
                [&[2, u8::try_from(number.len()).unwrap()], &*number].concat()
            };
            let both = [integer(r), integer(s)].concat();
            [&[0x30, u8::try_from(both.len()).unwrap()], &*both].concat()
        }
        Some(other) => panic!("no change is called {other}"),
    }
}

/// Runs a case to the end: fields, choice, requirements, key, nonce, content.
fn judge(
    table: &Table,
    case: &Case,
    index: usize,
    store: &OwnMemory,
) -> Result<(), SignatureError> {
    let covers = case.covers.as_ref().unwrap_or(&table.covers);
    let params = case.params.as_ref().unwrap_or(&table.params);
    let inner = filled(&format!("{covers}{params}"), &format!("n{index}"));
    let signer = case.signed_by.as_deref().unwrap_or("ed25519");
    // There is no other way to sign with PSS what a key for v1.5 should have signed.
    let (signer, other) = match signer {
        "pss-of-v15" => ("pss", true),
        signer => (signer, false),
    };
    let key = KEYS
        .signing
        .get(signer)
        .unwrap_or_else(|| panic!("no key {signer}"));
    let mut message = message(case);
    let signature = changed(sign(&message, &inner, key), case.change.as_deref());
    assert!(!other || signature.len() == 256);
    let signature = STANDARD.encode(signature);

    let whole = [format!("sig={inner}")];
    let inputs = case.input.as_deref().unwrap_or(&whole);
    for line in inputs {
        let padding = " ".repeat(case.pad_input.unwrap_or(0));
        let line = filled(line, &format!("n{index}"));
        message.field(
            "signature-input",
            line + &padding + if padding.is_empty() { "" } else { "," },
        );
    }
    let whole = ["sig=:{sig}:".to_owned()];
    for line in case.signature.as_deref().unwrap_or(&whole) {
        let padding = " ".repeat(case.pad_signature.unwrap_or(0));
        let line = line.replace("{sig}", &signature);
        message.field(
            "signature",
            line + &padding + if padding.is_empty() { "" } else { "," },
        );
    }
    let body = change(&mut message, &case.sent);
    verify(&message, &body, store)
}

fn change(message: &mut Owned, sent: &Sent) -> String {
    let replace = |part: &mut String, with: &Option<String>| {
        if let Some(with) = with {
            part.clone_from(with);
        }
    };
    replace(&mut message.method, &sent.method);
    replace(&mut message.path, &sent.path);
    replace(&mut message.authority, &sent.authority);
    if let Some(query) = &sent.query {
        message.query.clone_from(query);
    }
    for (name, value) in &sent.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        message
            .headers
            .insert(name, HeaderValue::from_str(value).unwrap());
    }
    for (name, value) in &sent.add {
        message.field(name, value);
    }
    let body = sent.body.clone().unwrap_or_else(|| BODY.to_owned());
    if sent.redigest {
        let digest = format!("sha-256=:{}:", sha256(&body));
        message
            .headers
            .insert("content-digest", digest.parse().unwrap());
    }
    body
}

fn verify(message: &Owned, body: &str, store: &OwnMemory) -> Result<(), SignatureError> {
    let requirements = Profile::Lictor.requirements();
    let of = |keys| Acceptance {
        identity: "desk",
        tag: Some("lictor"),
        requirements: &requirements,
        bound_for: None,
        algorithm: None,
        keys,
    };
    let identities = [of(&KEYS.public), of(&KEYS.shared)];
    let Some(fields) = Fields::of(&message.headers)? else {
        return Err(SignatureError::NotForUs);
    };
    let signatures = Signatures::parse(&fields)?;
    let request = Message::Request(message.request());
    let accepted = choose(&signatures, &identities)?.verify(&request, true, NOW)?;
    if let Some(nonce) = accepted.nonce {
        store.take(nonce, NOW * 1000)?;
    }
    accepted
        .digest
        .map_or(Ok(()), |digest| digest.check(body.as_bytes()))
}

#[test]
fn no_bad_signature_counts_and_each_says_why() {
    let text = include_str!("../../../../tests/data/signatures/bad.json");
    let table: Table = serde_json::from_str(text).unwrap();
    let store = OwnMemory::default();
    let used = Once {
        mark: Mark::of_nonce("desk", "ed25519", "used"),
        made: NOW,
        until: (NOW + 90) * 1000,
    };
    store.take(used, NOW * 1000).unwrap();
    let mut wrong = Vec::new();
    for (index, case) in table.cases.iter().enumerate() {
        assert!(!case.known_key || case.params.is_some());
        let judged = judge(&table, case, index, &store);
        let said = judged.map_or_else(|error| error.to_string(), |()| "it counts".to_owned());
        if said != case.expect {
            wrong.push(format!(
                "{}:\n    expected {}\n    got      {said}",
                case.name, case.expect
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        table.cases.len(),
        wrong.join("\n")
    );
    assert!(table.cases.len() >= 80, "{}", table.cases.len());
}

#[test]
fn the_message_that_the_table_changes_is_good() {
    let text = include_str!("../../../../tests/data/signatures/bad.json");
    let table: Table = serde_json::from_str(text).unwrap();
    let store = OwnMemory::default();
    for (index, signer) in ["ed25519", "p256", "p384", "pss", "v15", "hmac"]
        .into_iter()
        .enumerate()
    {
        let params = table.params.replace("ed25519", signer);
        let case = Case {
            params: Some(params),
            signed_by: Some(signer.to_owned()),
            ..Case::default()
        };
        assert_eq!(judge(&table, &case, index, &store), Ok(()), "{signer}");
        assert_eq!(
            judge(&table, &case, index, &store),
            Err(SignatureError::NonceUsed),
            "{signer}"
        );
    }
    assert!(
        joined(&http::HeaderMap::new(), "signature")
            .unwrap()
            .is_none()
    );
}
