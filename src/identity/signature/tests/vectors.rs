//! Every signature that RFC 9421 prints: appendix B, and the one of section 4.3 for `rsa-v1_5-sha256`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use std::collections::HashMap;

use super::{lax, verify};
use crate::identity::signature::{
    Algorithm, Message, Plan, Request, SignatureError, SigningKey, VerifyingKey,
};

#[derive(Deserialize)]
struct File {
    keys: HashMap<String, Key>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Key {
    algorithm: String,
    base64: String,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    keyid: String,
    params: String,
    signature: String,
    base: Option<String>,
    message: Text,
    #[serde(default = "yes")]
    verifies: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Text {
    method: Option<String>,
    target: Option<String>,
    authority: Option<String>,
    scheme: Option<String>,
    status: Option<u16>,
    body: Option<String>,
    headers: Vec<(String, String)>,
}

fn file() -> File {
    let text = include_str!("../../../../tests/data/signatures/rfc9421.json");
    serde_json::from_str(text).unwrap()
}

fn key(file: &File, id: &str) -> VerifyingKey {
    let key = &file.keys[id];
    let algorithm = Algorithm::from_name(&key.algorithm).unwrap();
    let bytes = STANDARD.decode(&key.base64).unwrap();
    match algorithm {
        Algorithm::HmacSha256 => VerifyingKey::from_secret(id, &bytes),
        _ => VerifyingKey::from_spki(id, algorithm, &bytes),
    }
    .unwrap()
}

fn headers(fields: &[(String, String)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
}

#[test]
fn every_printed_signature_is_judged_as_printed() {
    let file = file();
    for vector in &file.vectors {
        let text = &vector.message;
        let mut headers = headers(&text.headers);
        let set = |headers: &mut HeaderMap, name, value: String| {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(&value).unwrap(),
            );
        };
        set(
            &mut headers,
            "signature-input",
            format!("sig={}", vector.params),
        );
        set(
            &mut headers,
            "signature",
            format!("sig=:{}:", vector.signature),
        );
        let message = match text.status {
            Some(status) => Message::Response {
                status,
                headers: &headers,
                request: None,
            },
            None => {
                let target = text.target.as_deref().unwrap();
                let (path, query) = target.split_once('?').unwrap();
                Message::Request(Request {
                    method: text.method.as_deref().unwrap(),
                    scheme: text.scheme.as_deref().unwrap(),
                    authority: text.authority.as_deref().unwrap(),
                    path,
                    query: Some(query),
                    target: None,
                    headers: &headers,
                })
            }
        };
        // Some leave the content out of what they cover, on purpose.
        let covers_digest = vector.params.contains("content-digest");
        let body = text
            .body
            .as_deref()
            .filter(|_| covers_digest)
            .map(str::as_bytes);
        let now = 1_618_884_500;
        let judged = verify(&message, &lax(), &key(&file, &vector.keyid), body, now);
        match (&judged, vector.verifies) {
            (Ok(base), true) => assert_eq!(Some(base), vector.base.as_ref(), "{}", vector.id),
            (Err(error), false) => {
                assert_eq!(*error, SignatureError::BadSignature, "{}", vector.id)
            }
            _ => panic!("{}: {judged:?}", vector.id),
        }
    }
    assert_eq!(file.vectors.len(), 14);
}

#[test]
fn hmac_signs_as_printed() {
    let file = file();
    let vector = file
        .vectors
        .iter()
        .find(|vector| vector.id == "B.2.5")
        .unwrap();
    let secret = STANDARD.decode(&file.keys[&vector.keyid].base64).unwrap();
    let headers = headers(&vector.message.headers);
    let request = Request {
        method: "POST",
        scheme: "https",
        authority: "example.com",
        path: "/foo",
        query: Some("param=Value&Pet=dog"),
        target: None,
        headers: &headers,
    };
    let covers = super::components(&["date", "@authority", "content-type"]);
    let plan = Plan {
        label: "sig-b25",
        covers: &covers,
        created: Some(1_618_884_473),
        key_id: Some("test-shared-secret"),
        ..Plan::default()
    };
    let key = SigningKey::from_secret(&secret).unwrap();
    let signed = plan.sign(&Message::Request(request), &key).unwrap();
    assert_eq!(signed.input, format!("sig-b25={}", vector.params));
    assert_eq!(signed.signature, format!("sig-b25=:{}:", vector.signature));
}
